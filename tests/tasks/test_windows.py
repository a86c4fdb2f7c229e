"""Long texts, cut into windows."""

import copy

import numpy as np
from tasks.small_texts import LONG
from tasks.small_texts import SHORT
from tasks.small_texts import make
from tasks.small_texts import windows_by_hand

from tf_longformer.tasks import answer
from tf_longformer.tasks import fill_mask
from tf_longformer.tasks import steps
from tf_longformer.tasks import tag


def test_windows_are_where_they_say(tokenizer):
    model = make("ForTokenClassification", tokenizer)
    found = steps.cut(model, tokenizer, [SHORT, LONG], 5, 17)
    ids, expected = windows_by_hand(tokenizer, LONG, 15, 5)
    assert [window.text for window in found].count(0) >= 1
    of_long = [window for window in found if window.text == 1]
    assert len(of_long) == len(expected) > 3
    for window, (first, row) in zip(of_long, expected, strict=True):
        assert window.first == first
        assert np.array(window.ids)[window.inside].tolist() == row
        start, end = np.array(window.offsets)[window.inside][0]
        assert LONG[start:end].strip() in tokenizer.decode([ids[first]])


def test_windows_of_a_tokenizer_that_takes_less_than_the_model(tokenizer):
    short = copy.deepcopy(tokenizer)
    short.model_max_length = 17
    arguments = {"max_length": 17, "stride": 128}
    for task, head, texts in (
        (tag, "ForTokenClassification", (LONG,)),
        (fill_mask, "ForMaskedLM", (f"{LONG}<mask>",)),
        (answer, "ForQuestionAnswering", ("a dog", LONG)),
    ):
        model = make(head, tokenizer)
        found = task(model, short, *texts)
        assert found == task(model, tokenizer, *texts, **arguments)
