"""Documents of words, documents without their entities, and choices."""

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import make
from tasks.small_texts import scripted

from tf_longformer import LongformerTokenizerFast
from tf_longformer.data.choices import encode_choices
from tf_longformer.data.entities import align_entities
from tf_longformer.data.entities import hide_entities
from tf_longformer.data.entities import read_entities
from tf_longformer.decoding import entity_strategy
from tf_longformer.decoding import name_strategy
from tf_longformer.entity_schemes import label_list
from tf_longformer.tasks import choose
from tf_longformer.tasks import redact
from tf_longformer.tasks import tag
from tf_longformer.tasks import tag_words

SPANS = {"token-classification": {"aggregation_strategy": "simple"}}


class Knowing:
    """Says of each token of one text what its label is, wherever it is read.

    A window is found by its ids, which the text must not have twice.
    """

    def __init__(self, model, ids, labels):
        self.config, self.main_output = model.config, model.main_output
        self._ids, self._labels = ids, labels

    def __call__(self, ids, attention_mask, return_dict):
        logits = np.zeros((*ids.shape, self.config.num_labels), "float32")
        for row, given, mask in zip(logits, ids, attention_mask, strict=True):
            inner = given[: mask.sum()][1:-1].tolist()
            starts = [
                place
                for place in range(len(self._ids))
                if self._ids[place : place + len(inner)] == inner
            ]
            labels = self._labels[starts[0] : starts[0] + len(inner)]
            row[np.arange(1, len(inner) + 1), labels] = 9
        return {"logits": logits}


def knowing(model, tokenizer, text, entities):
    label2id = {name: i for i, name in model.config.id2label.items()}
    labels = align_entities(tokenizer(text), text, entities, label2id)
    ids = tokenizer(text)["input_ids"][1:-1]
    kind = type(type(model).__name__, (Knowing,), {})
    return kind(model, ids, labels[1:-1])


# Parts of a text, those in lists entities: between and within all kinds of
# white space, next to one another, and within a word.
PARTS = [
    "\u00a0\t", ["Anna\u00a0Berg", "PER"], ",\r\n of\u200b", ["Oslo", "LOC"],
    " (", ["\U0001f600", "PER"], ") ", ["e", "PER"], "\u0301", ["a", "LOC"],
    "  near  ", ["the\u3000fox", "PER"], "; ", ["dog", "LOC"], "\u2028",
    ["saw", "PER"], [" \U0001f469\u200d\U0001f467", "PER"], "\r\n",
]  # fmt: skip


def join(parts):
    text, spans = "", []
    for part in parts:
        if isinstance(part, list):
            spans.append((len(text), len(text) + len(part[0]), part[1]))
            part = part[0]
        text += part
    return text, spans


HOSTILE, FOUND = join(PARTS)


@pytest.mark.parametrize("scheme", ["BIO", "BIOES", "BILOU"])
@pytest.mark.parametrize("window", [9, 35])
def test_spans_are_found_as_they_were_labelled(tokenizer, scheme, window):
    names = label_list(["LOC", "PER"], scheme)
    model = make(
        "ForTokenClassification",
        tokenizer,
        num_labels=None,
        id2label=dict(enumerate(names)),
        task_specific_params=SPANS,
    )
    fake = knowing(model, tokenizer, HOSTILE, FOUND)
    found = tag(fake, tokenizer, HOSTILE, max_length=window, stride=4)
    assert read_entities(HOSTILE, found) == read_entities(HOSTILE, FOUND)
    hidden = redact(fake, tokenizer, HOSTILE, max_length=window, stride=4)
    named = [f"[{x[1]}]" if isinstance(x, list) else x for x in PARTS]
    # White space before an entity isn't its own.
    named[-2] = " [PER]"
    assert hidden["text"] == "".join(named)
    for one in hidden["entities"]:
        shown = hidden["text"][one["new_start"] : one["new_end"]]
        assert shown == f"[{one['entity_group']}]"


def test_words_have_the_labels_of_their_first_tokens(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    tokenizer = LongformerTokenizerFast.from_pretrained(
        tmp_path, add_prefix_space=True
    )
    names = label_list(["LOC", "PER"])
    model = make(
        "ForTokenClassification",
        tokenizer,
        num_labels=None,
        id2label=dict(enumerate(names)),
    )
    table = np.eye(5, dtype="float32")[
        np.random.default_rng(2).integers(0, 5, len(tokenizer))
    ]
    fake = scripted(model, logits=table)
    # The last has no token.
    words = [*LONG.split(), "OsloOslo", ""]
    encoding = tokenizer(words, is_split_into_words=True)
    ids, expected = encoding["input_ids"], ["O"] * len(words)
    for place, word in reversed(list(enumerate(encoding.word_ids()))):
        if word is not None:
            expected[word] = names[table[ids[place]].argmax()]
    for length in (9, 35):
        found = tag_words(fake, tokenizer, words, max_length=length, stride=3)
        assert found == expected
    both = tag_words(fake, tokenizer, [words[:2], words])
    assert both == [expected[:2], expected]
    with pytest.raises(TypeError, match="`words` must be a list"):
        tag_words(fake, tokenizer, "a dog")


def test_what_is_hidden():
    text = "I am Anna Berg, a@b.c."
    found = [
        {"entity_group": "MAIL", "score": 0.9, "start": 16, "end": 21},
        {"entity_group": "NAME", "score": 0.6, "start": 4, "end": 14},
    ]
    assert hide_entities(text, found)["text"] == "I am [NAME], [MAIL]."
    hidden = hide_entities(text, found, min_score=0.7, replacement="<{label}>")
    assert hidden["text"] == "I am Anna Berg, <MAIL>."
    hidden = hide_entities(text, found, "NAME", replacement="\u2588")
    assert (
        hidden["text"]
        == "I am \u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588\u2588, a@b.c."
    )
    assert len(hidden["text"]) == len(text)
    assert hide_entities(text, found, replacement="")["text"] == "I am , ."
    # Two entities of one character are hidden once.
    parts = [{**found[0], "start": 5, "end": 7}, {**found[1], "end": 6}]
    assert hide_entities(text, parts)["text"] == "I am [NAME]na Berg, a@b.c."
    with pytest.raises(ValueError, match="a character, or a text"):
        hide_entities(text, found, replacement="{type}")


def test_a_type_that_is_misspelt_is_an_error(tokenizer):
    model = make(
        "ForTokenClassification",
        tokenizer,
        num_labels=None,
        id2label=dict(enumerate(label_list(["NAME"]))),
    )
    with pytest.raises(ValueError, match="finds: NAME. Received: NAMES"):
        redact(model, tokenizer, "a dog", types=["NAMES"])


def test_the_config_says_how_words_get_their_labels(tokenizer):
    model = make(
        "ForTokenClassification", tokenizer, task_specific_params=SPANS
    )
    assert entity_strategy(model.config) == "simple"
    assert entity_strategy(model.config, "max") == "max"
    name_strategy(model.config, "average")
    assert entity_strategy(model.config) == "average"
    for params in (None, {}, {"token-classification": 3}):
        model.config.task_specific_params = params
        assert entity_strategy(model.config) == "first"
    model.config.task_specific_params = {
        "token-classification": {"aggregation_strategy": "last"}
    }
    with pytest.raises(ValueError, match="of the config's `task_specific"):
        tag(model, tokenizer, "a dog")


def test_choices(tokenizer):
    model = make("ForMultipleChoice", tokenizer)
    prompts = ["the dog saw", "a fox", LONG]
    choices = [["a", "the fox"], ["the small dog", "Oslo", "of"], ["a", "dog"]]
    found = choose(model, tokenizer, prompts, choices, batch_size=2)
    for prompt, row, one in zip(prompts, choices, found, strict=True):
        inputs = encode_choices(tokenizer, [prompt], [row], max_length=35)
        weights = np.exp(model(inputs).logits.numpy()[0])
        expected = weights / weights.sum()
        np.testing.assert_allclose(one["scores"], expected, rtol=1e-4)
        assert one["choice"] == expected.argmax()
        assert one["answer"] == row[one["choice"]]
        assert one["score"] == max(one["scores"])
    assert choose(model, tokenizer, prompts[1], choices[1]) == {
        **found[1],
        "score": pytest.approx(found[1]["score"], 1e-5),
        "scores": pytest.approx(found[1]["scores"], 1e-5),
    }
    with pytest.raises(ValueError, match="2 prompts, 1 lists"):
        choose(model, tokenizer, ["a", "b"], [["a"]])
    with pytest.raises(TypeError, match="`choices` must be a list"):
        choose(model, tokenizer, "a", "bc")
