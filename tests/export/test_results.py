"""What the graph makes of logits is what `tf_longformer.tasks` makes."""

import types

import numpy as np
import pytest
import tensorflow as tf

from tf_longformer import LongformerConfig
from tf_longformer.export import rows
from tf_longformer.export import spans
from tf_longformer.export.buckets import Buckets
from tf_longformer.tasks import answering
from tf_longformer.tasks import classification
from tf_longformer.tasks import tagging
from tf_longformer.tasks import windows

NAMES = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"]
LONGEST, TOP = 4, 3


def config(**fields):
    return LongformerConfig(attention_window=4, **fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"num_labels": 5},
        {"num_labels": 5, "problem_type": "multi_label_classification"},
        {"num_labels": 3, "problem_type": "regression"},
        {"num_labels": 1},
    ],
)
def test_labels(fields):
    settings = config(**fields)
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 3, (7, settings.num_labels)).astype("float32")
    found = rows.rank_labels(tf.constant(logits), settings)
    for row, values in enumerate(logits):
        scores = classification._scores(values, settings)
        order = np.argsort(-scores, kind="stable")
        np.testing.assert_allclose(
            found["scores"][row], scores[order], rtol=1e-5
        )
        assert [x.decode() for x in found["labels"][row].numpy()] == [
            settings.id2label[index] for index in order
        ]
        if not rows.is_regression(settings):
            np.testing.assert_allclose(
                found["probabilities"][row], scores, rtol=1e-5
            )
    assert ("probabilities" in found) != rows.is_regression(settings)


def _window(length, begin, stop, **scores):
    inside = np.zeros(length, bool)
    inside[begin:stop] = True
    offsets = [(2 * i, 2 * i + 1) for i in range(length)]
    return windows.Window(0, [], offsets, inside, 0, scores)


@pytest.mark.parametrize("seed", range(5))
def test_answers(seed):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(8, 20))
    begin, stop = 4, int(rng.integers(5, length))
    # A row of padding on the left, whose first token comes later.
    mask = np.ones((2, length), "int32")
    logits = rng.normal(0, 2, (2, 2, length)).astype("float32")
    inside = np.zeros((2, length), bool)
    inside[:, begin:stop] = True
    mask[1, :2] = 0
    found = spans.best_spans(*logits, inside, mask, LONGEST, TOP)
    found = {name: value.numpy() for name, value in found.items()}
    for row, first in enumerate((0, 2)):
        window = _window(
            length - first,
            begin - first,
            stop - first,
            start_logits=logits[0, row, first:],
            end_logits=logits[1, row, first:],
        )
        best = answering._best([window], LONGEST, False)[:TOP]
        for place, ((start, end), score) in enumerate(best):
            assert 2 * (found["start_tokens"][row][place] - first) == start
            assert 2 * (found["end_tokens"][row][place] - first) + 1 == end
            assert found["scores"][row][place] == pytest.approx(score, 1e-4)
        for name, nothing in (
            ("start_tokens", -1),
            ("end_tokens", -1),
            ("scores", 0),
        ):
            assert (found[name][row][len(best) :] == nothing).all()
        everything = dict(answering._best([window], LONGEST, True))
        assert found["no_answer_scores"][row] == pytest.approx(
            everything[0, 0], 1e-4
        )


def test_context_of_ids():
    ids = np.array([[0, 5, 2, 2, 6, 2, 7, 2, 1], [1, 0, 5, 2, 2, 6, 6, 6, 2]])
    mask = (ids != 1).astype("int32")
    found = spans.find_context(tf.constant(ids), mask, 2).numpy()
    # A separator within the context is of it.
    assert np.flatnonzero(found[0]).tolist() == [4, 5, 6]
    assert np.flatnonzero(found[1]).tolist() == [5, 6, 7]


@pytest.mark.parametrize("seed", range(5))
def test_entities(seed):
    rng = np.random.default_rng(seed)
    settings = types.SimpleNamespace(
        id2label=dict(enumerate(NAMES)), num_labels=len(NAMES)
    )
    batch, length = 3, 17
    probabilities = rng.dirichlet(np.ones(len(NAMES)) / 3, (batch, length))
    probabilities = probabilities.astype("float32")
    inside = np.zeros((batch, length), bool)
    for row, stop in enumerate((length - 1, 9, 1)):
        inside[row, 1:stop] = True
    found = spans.find_entities(tf.constant(probabilities), inside, settings)
    found = {name: value.numpy() for name, value in found.items()}
    for row in range(batch):
        places = np.flatnonzero(inside[row])
        offsets = np.stack([places, places], 1)
        tokens = tagging._tokens(
            probabilities[row][inside[row]], offsets, settings, ("O",)
        )
        expected = tagging._entities(tokens)
        number = len(expected)
        assert [x.decode() for x in found["entity_labels"][row][:number]] == [
            one["entity_group"] for one in expected
        ]
        assert found["first"][row][:number].tolist() == [
            one["start"] for one in expected
        ]
        assert found["last"][row][:number].tolist() == [
            one["end"] for one in expected
        ]
        np.testing.assert_allclose(
            found["entity_scores"][row][:number],
            [one["score"] for one in expected],
            rtol=1e-5,
        )
        assert set(found["entity_labels"][row][number:]) <= {b""}
        assert (found["first"][row][number:] == -1).all()


def test_no_entities():
    settings = types.SimpleNamespace(id2label={0: "O"}, num_labels=1)
    inside = np.ones((2, 3), bool)
    found = spans.find_entities(tf.ones((2, 3, 1)), inside, settings)
    assert {tuple(value.shape) for value in found.values()} == {(2, 0)}


def test_characters():
    texts = tf.constant(["é日本 <x>", "", "abc"])
    offsets = np.array([[[0, 0], [0, 1], [1, 3]]] * 3)
    begins, ends, words = spans.as_characters(
        texts, offsets, tf.constant([[1], [-1], [2]]), [[2], [-1], [2]]
    )
    assert begins.numpy().tolist() == [[0], [0], [1]]
    assert ends.numpy().tolist() == [[3], [0], [3]]
    assert [x[0].decode() for x in words.numpy()] == ["é日本", "", "bc"]


def test_masks():
    ids = np.array([[0, 9, 5, 9, 2], [0, 5, 5, 5, 2], [9, 5, 5, 5, 2]])
    positions = rows.find_masks(tf.constant(ids, tf.int32), 9)
    assert positions.numpy().tolist() == [[1, 3], [-1, -1], [0, -1]]
    logits = np.random.default_rng(0).normal(0, 2, (3, 2, 6)).astype("float32")
    tokens = list("abcdef")
    found = rows.fill_masks(tf.constant(logits), positions, tokens, 2)
    best = np.argsort(-logits[0, 1])[:2]
    assert found["token_ids"][0, 1].numpy().tolist() == best.tolist()
    assert [x.decode() for x in found["tokens"][0, 1].numpy()] == [
        tokens[index] for index in best
    ]
    np.testing.assert_allclose(
        found["scores"][0, 1], windows.softmax(logits[0, 1])[best], rtol=1e-5
    )
    assert found["tokens"].numpy()[1].tolist() == [[b"", b""]] * 2
    assert found["token_ids"][2, 1].numpy().tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("shape", "padded"),
    [
        ((1, 1), (1, 4)),
        ((1, 4), (1, 4)),
        ((2, 5), (3, 9)),
        ((3, 9), (3, 9)),
        ((1, 3, 5), (3, 9)),
    ],
)
def test_buckets(shape, padded):
    seen = []

    def compiled(ids, mask):
        seen.append(tuple(ids.shape))
        assert (mask.numpy() == (ids.numpy() != 1)).all()
        tokens = tf.cast(ids, tf.float32)
        return {"tokens": tokens, "rows": tf.reduce_sum(tokens, 1)}

    ids = np.arange(2, 2 + np.prod(shape)).reshape(shape).astype("int32")
    buckets = Buckets((4, 9), (1, 3))
    per_token = ("tokens",) if len(shape) == 2 else ()
    outputs = buckets.run(
        (
            compiled
            if len(shape) == 2
            else lambda *x: {"rows": compiled(*x)["rows"][:, None]}
        ),
        tf.constant(ids),
        tf.ones(shape, tf.int32),
        1,
        per_token,
    )
    assert seen == [padded]
    padding = padded[1] - shape[-1]
    np.testing.assert_allclose(outputs["rows"], ids.sum(-1) + padding)
    if per_token:
        np.testing.assert_allclose(outputs["tokens"], ids)


@pytest.mark.parametrize("shape", [(4, 4), (1, 10), (2, 2, 3)])
def test_past_the_buckets(shape):
    ids = tf.ones(shape, tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="signature `xla`"):
        Buckets((4, 9), (1, 3)).run(None, ids, ids, 1, ())


def test_default_buckets():
    found = Buckets.choose(None, None, 4096)
    assert found == Buckets((512, 1024, 2048, 4096), (1, 8))
