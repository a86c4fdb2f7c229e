"""Vectors of documents and spans."""

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import SHORT
from tasks.small_texts import encode
from tasks.small_texts import make

from tf_longformer.tasks import embed

TEXTS = [SHORT, "", "a dog of old Anna", "Oslo"]


@pytest.fixture(scope="module")
def model(tokenizer):
    return make("Model", tokenizer)


def states_of(model, ids):
    return model(np.array([ids])).last_hidden_state.numpy()[0]


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def test_vectors_of_texts(model, tokenizer):
    states = [
        states_of(model, encode(tokenizer, text)["input_ids"][0])
        for text in TEXTS
    ]
    means = np.array([rows.mean(0) for rows in states])
    found = embed(model, tokenizer, TEXTS, batch_size=3)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, unit(means), atol=1e-5)
    found = embed(model, tokenizer, TEXTS, normalize=False)
    np.testing.assert_allclose(found, means, atol=1e-5)
    found = embed(model, tokenizer, TEXTS, "cls", normalize=False)
    firsts = np.array([rows[0] for rows in states])
    np.testing.assert_allclose(found, firsts, atol=1e-5)
    alone = embed(model, tokenizer, SHORT)
    np.testing.assert_allclose(alone, unit(means)[0], atol=1e-5)
    assert embed(model, tokenizer, []).shape == (0, 10)


def windows_of(model, tokenizer, room, stride):
    """Each window's first token, states of the text, and of what's around."""
    ids = tokenizer(LONG, add_special_tokens=False)["input_ids"]
    rows, first = [], 0
    while True:
        part = ids[first : first + room]
        states = states_of(model, [0, *part, 2])
        rows.append((first, states[1:-1], states[[0, -1]]))
        if first + room >= len(ids):
            return len(ids), rows
        first += room - stride


def test_vectors_over_windows(model, tokenizer):
    count, rows = windows_of(model, tokenizer, 15, 5)
    total, times = np.zeros((count, 10)), np.zeros((count, 1))
    for first, states, _ in rows:
        total[first : first + len(states)] += states
        times[first : first + len(states)] += 1
    tokens = total / times
    around = np.mean([states for _, _, states in rows], axis=0)
    options = {"stride": 5, "max_length": 17, "normalize": False}
    found = embed(model, tokenizer, [SHORT, LONG], **options)[1]
    expected = np.concatenate([tokens, around]).mean(0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    found = embed(model, tokenizer, LONG, "cls", **options)
    np.testing.assert_allclose(found, around[0], atol=1e-5)
    # Spans, some in several windows and one in two of them in part.
    encoding = tokenizer(
        LONG, add_special_tokens=False, return_offsets_mapping=True
    )
    offsets = np.array(encoding["offset_mapping"])
    places = [(3, 9), (0, len(LONG)), (60, 110)]
    found = embed(model, tokenizer, LONG, spans=places, **options)
    assert [(one["start"], one["end"]) for one in found] == places
    for one in found:
        inside = (offsets[:, 0] < one["end"]) & (offsets[:, 1] > one["start"])
        np.testing.assert_allclose(
            one["embedding"], tokens[inside].mean(0), atol=1e-5
        )


def test_vectors_of_spans(model, tokenizer):
    text = (
        '  The dog "saw." It is\u2026 3.5 red!  Old\n\n \n\u8d64\u3002\u732b'
        "\uff01\n \n  "
    )
    found = embed(model, tokenizer, [text, "", " "], spans="sentences")
    assert [text[one["start"] : one["end"]] for one in found[0]] == [
        'The dog "saw."',
        "It is\u2026",
        "3.5 red!",
        "Old",
        "\u8d64\u3002",
        "\u732b\uff01",
    ]
    assert found[1:] == [[], []]
    lengths = [np.linalg.norm(one["embedding"]) for one in found[0]]
    np.testing.assert_allclose(lengths, 1, atol=1e-5)
    found = embed(model, tokenizer, text, spans="paragraphs")
    assert [text[one["start"] : one["end"]] for one in found] == [
        'The dog "saw." It is\u2026 3.5 red!  Old',
        "\u8d64\u3002\u732b\uff01",
    ]


@pytest.mark.parametrize("length", [3, 4, 5])
def test_windows_of_hardly_a_token(model, tokenizer, length):
    found = embed(model, tokenizer, "the dog saw", max_length=length)
    assert np.isclose(np.linalg.norm(found), 1)


def test_what_has_no_vector(model, tokenizer):
    for wrong, error, message in (
        ({"texts": 3}, TypeError, "string or a list of strings"),
        ({"texts": ["a", None]}, TypeError, "a list with None"),
        ({"pooling": "max"}, ValueError, "one of mean, cls"),
        ({"pooling": "cls", "spans": "sentences"}, ValueError, "for spans"),
        ({"spans": "words"}, ValueError, "one of sentences, paragraphs"),
        ({"spans": [(0, 9)]}, ValueError, "in a text of 5 characters"),
        ({"spans": [3]}, TypeError, "must be characters"),
        ({"texts": ["a", "b"], "spans": [[]]}, ValueError, "1 lists for 2"),
        ({"spans": [(0, 1), (1, 2)]}, ValueError, r"\(1, 2\) of text 0"),
        ({"batch_size": 0}, ValueError, "`batch_size`"),
    ):
        with pytest.raises(error, match=message):
            embed(model, tokenizer, **{"texts": "a dog", **wrong})
    tagger = make("ForTokenClassification", tokenizer)
    with pytest.raises(TypeError, match="needs a TFLongformerModel"):
        embed(tagger, tokenizer, "a")
