"""Compiled once, and never out of date."""

import gc
import weakref

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import SHORT
from tasks.small_texts import make

from tf_longformer.keras_private import sublayers
from tf_longformer.tasks import answer
from tf_longformer.tasks import classify
from tf_longformer.tasks import tag
from tf_longformer.tasks.compiled import _COMPILED


def in_eager_mode(model, call):
    model.run_eagerly = True
    try:
        return call()
    finally:
        model.run_eagerly = False


def assert_same(ours, theirs):
    assert [item["label"] for item in ours] == [i["label"] for i in theirs]
    np.testing.assert_allclose(
        [item["score"] for item in ours],
        [item["score"] for item in theirs],
        rtol=1e-4,
    )


def check(model, *arguments):
    """Compares with eager mode; returns what is compiled now."""
    known = classify(model, *arguments, batch_size=3)
    eager = in_eager_mode(model, lambda: classify(model, *arguments))
    assert_same(known, eager)
    return _COMPILED[model].function, known


def test_a_model_that_changes(tokenizer):
    model = make("ForSequenceClassification", tokenizer)
    first, before = check(model, tokenizer, LONG)
    for texts in (SHORT, [SHORT, "a dog", ""]):
        classify(model, tokenizer, texts)
    # Values of weights need no compilation, whoever sets them.
    model.compile("sgd")
    model.fit(np.full((2, 5), 7), np.array([0, 1]), verbose=0)
    again, after = check(model, tokenizer, LONG)
    assert again is first
    assert after != before
    # All else does.
    model.enable_lora(2)
    second, before = check(model, tokenizer, LONG)
    assert second is not first
    for layer in (model, *sublayers(model)):
        layer.dtype_policy = "mixed_bfloat16"
    assert classify(model, tokenizer, LONG) != before
    assert _COMPILED[model].function is not second
    known, number = weakref.ref(model), len(_COMPILED)
    del model, layer
    gc.collect()
    assert known() is None
    assert len(_COMPILED) == number - 1


def test_a_model_that_is_quantized(tokenizer):
    model = make("ForSequenceClassification", tokenizer)

    first, _ = check(model, tokenizer, SHORT)
    with pytest.warns(UserWarning, match="quantize"):
        model.quantize("int8")
    assert check(model, tokenizer, SHORT)[0] is not first


def test_what_the_graph_would_not_say(tokenizer):
    """Rules that are checked in eager mode only hold all the same."""
    tagger = make("ForTokenClassification", tokenizer)
    tagger.longformer.embeddings.vocab_size = tagger.config.vocab_size = 50
    with pytest.raises(ValueError, match=r"input_ids.*\[0, 50\)"):
        tag(tagger, tokenizer, LONG)
    asker = make("ForQuestionAnswering", tokenizer, sep_token_id=3)
    with pytest.raises(ValueError, match="separators"):
        answer(asker, tokenizer, "a", LONG)
