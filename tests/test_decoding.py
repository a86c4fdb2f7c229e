"""Numbers that are found in logits, against what loops would find."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_longformer import LongformerConfig
from tf_longformer import decoding
from tf_longformer.decoding import EntityLabels

LONGEST, TOP = 4, 3


def softmax(values, axis=-1):
    weights = np.exp(values - values.max(axis=axis, keepdims=True))
    return weights / weights.sum(axis=axis, keepdims=True)


def run(function, *arrays):
    """Runs eagerly and traced: the same numbers."""
    if keras.backend.backend() == "jax":
        import jax

        traced = jax.jit(function)
    else:
        # For any batch and length.
        signature = [
            tf.TensorSpec([None, None, *np.shape(array)[2:]], array.dtype)
            for array in arrays
        ]
        traced = tf.function(function, input_signature=signature)
    eager = function(*arrays)
    for one, other in zip(eager, traced(*arrays), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    return [np.asarray(value) for value in eager]


def spans_by_loop(start, end, inside, first):
    """Spans and their scores, the best first; and that of no answer."""
    kept = inside.copy()
    kept[first] = True
    start, end = (
        softmax(np.where(kept, x, -np.inf).astype("float64"))
        for x in (start, end)
    )
    scores = {
        (left, right): start[left] * end[right]
        for left in np.flatnonzero(inside)
        for right in range(left, min(left + LONGEST, len(inside)))
        if inside[right]
    }
    ordered = sorted(scores.items(), key=lambda item: -item[1])
    return ordered, start[first] * end[first]


@pytest.mark.parametrize("seed", range(5))
def test_spans(seed):
    rng = np.random.default_rng(seed)
    length = int(rng.integers(8, 20))
    mask = np.ones((3, length), "int32")
    # A row of padding on the left, whose first token comes later.
    mask[1, :2] = 0
    inside = np.zeros((3, length), bool)
    inside[:, 4 : int(rng.integers(5, length))] = True
    # One without a context.
    inside[2] = False
    logits = rng.normal(0, 2, (2, 3, length)).astype("float32")
    firsts, lasts, scores, no_answer = run(
        lambda *x: decoding.best_spans(*x, LONGEST, TOP), *logits, inside, mask
    )
    for row, null in enumerate((0, 2, 0)):
        expected, nothing = spans_by_loop(*logits[:, row], inside[row], null)
        expected = expected[:TOP]
        count = len(expected)
        places = zip(firsts[row][:count], lasts[row][:count], strict=True)
        assert [*places] == [place for place, _ in expected]
        np.testing.assert_allclose(
            scores[row][:count], [score for _, score in expected], rtol=1e-4
        )
        assert (firsts[row][count:] == -1).all()
        assert (lasts[row][count:] == -1).all()
        assert (scores[row][count:] == 0).all()
        assert no_answer[row] == pytest.approx(nothing, 1e-4)


def test_context_of_ids():
    ids = np.array([[0, 5, 2, 2, 6, 2, 7, 2, 1], [1, 0, 5, 2, 2, 6, 6, 6, 2]])
    mask = (ids != 1).astype("int32")
    found = np.asarray(decoding.find_context(ids, mask, LongformerConfig()))
    # A separator within the context is of it.
    assert np.flatnonzero(found[0]).tolist() == [4, 5, 6]
    assert np.flatnonzero(found[1]).tolist() == [5, 6, 7]
    bert = LongformerConfig(eos_token_id=None)
    ids = np.array([[3, 5, 2, 6, 2, 7, 2, 1], [1, 3, 5, 2, 2, 6, 6, 2]])
    mask = (ids != 1).astype("int32")
    found = np.asarray(decoding.find_context(ids, mask, bert))
    assert np.flatnonzero(found[0]).tolist() == [3, 4, 5]
    assert np.flatnonzero(found[1]).tolist() == [5, 6]


SCHEMES = {
    "types": (["O", "PER", "LOC"], ["PER PER LOC O LOC"], "PER2 LOC1 LOC1"),
    "BIO": (
        ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"],
        ["I-PER I-PER B-PER I-PER I-LOC O I-LOC B-LOC"],
        "PER2 PER2 LOC1 LOC1 LOC1",
    ),
    "BIOES": (
        ["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y"],
        ["B-X S-X S-X B-X E-X I-X E-X B-X I-X E-X E-Y S-X I-X O I-Y"],
        "X1 X1 X1 X2 X2 X3 Y1 X1 X1 Y1",
    ),
    "BILOU": (
        ["O", "B-X", "I-X", "L-X", "U-X", "U-Y"],
        ["I-X U-X B-X I-X L-X L-X U-Y U-X"],
        "X1 X1 X3 X1 Y1 X1",
    ),
    "lower case": (
        ["o", "b-x", "i-x", "l-x", "u-x"],
        ["b-x i-x o u-x u-x b-x l-x i-x"],
        "x2 x1 x1 x2 x1",
    ),
    # Without B- or I- a dash is a part of a name.
    "names with dashes": (
        ["O", "E-mail", "U-turn", "S-X"],
        ["E-mail E-mail U-turn S-X O S-X"],
        "E-mail2 U-turn1 S-X1 S-X1",
    ),
}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes(scheme):
    names, (text,), expected = SCHEMES[scheme]
    labels = EntityLabels.read(names)
    numbers = [names.index(label) for label in text.split()]
    probabilities = np.eye(len(names), dtype="float32")[numbers][None]
    inside = np.ones((1, len(numbers)), bool)
    kinds, scores, first, last = run(
        lambda *x: decoding.find_entities(*x, labels, "simple"),
        probabilities,
        inside,
        inside,
    )
    found = [
        f"{labels.types[kind]}{right - left + 1}"
        for kind, left, right in zip(kinds[0], first[0], last[0], strict=True)
        if kind >= 0
    ]
    assert found == expected.split()
    assert (scores[0][: len(found)] == 1).all()
    assert (scores[0][len(found) :] == 0).all()
    assert (first[0][len(found) :] == -1).all()


def test_labels_to_ignore():
    names = ["O", "B-X", "I-X", "B-Y"]
    assert EntityLabels.read(names, ["X"]).type_ids == [0, -1, -1, 1]
    assert EntityLabels.read(names, ["B-X"]).type_ids == [0, -1, 1, 2]
    assert EntityLabels.of_tokens(names).type_ids == [-1, 1, 2, 3]


def entities_by_loop(probabilities, inside, word_starts, names, strategy):
    """Entities of a row, as transformers' pipeline joins them: BIO."""
    words = []
    for token in np.flatnonzero(inside):
        if strategy == "simple" or word_starts[token] or not words:
            words.append([])
        words[-1].append(token)
    entities = []
    before = None
    for word in words:
        rows = probabilities[word]
        scores = {
            "simple": rows[0],
            "first": rows[0],
            "max": rows[rows.max(-1).argmax()],
            "average": rows.mean(0),
        }[strategy]
        label = names[scores.argmax()]
        group = label.split("-")[-1]
        if label != "O":
            if group != before or label.startswith("B-"):
                entities.append([group, [], word[0], word[-1]])
            entities[-1][1].append(scores.max())
            entities[-1][3] = word[-1]
        before = group
    return entities


@pytest.mark.parametrize("strategy", decoding.STRATEGIES)
@pytest.mark.parametrize("seed", range(3))
def test_entities(seed, strategy):
    rng = np.random.default_rng(seed)
    names = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC"]
    labels = EntityLabels.read(names)
    batch, length = 4, 23
    probabilities = rng.dirichlet(np.ones(len(names)) / 3, (batch, length))
    probabilities = probabilities.astype("float32")
    inside = np.zeros((batch, length), bool)
    for row, stop in enumerate((length, length - 1, 9, 1)):
        inside[row, 1:stop] = True
    word_starts = rng.random((batch, length)) < 0.5
    kinds, scores, first, last = run(
        lambda *x: decoding.find_entities(*x, labels, strategy),
        probabilities,
        inside,
        word_starts,
    )
    for row in range(batch):
        expected = entities_by_loop(
            probabilities[row], inside[row], word_starts[row], names, strategy
        )
        count = len(expected)
        found = [labels.types[kind] for kind in kinds[row] if kind >= 0]
        assert found == [one[0] for one in expected]
        assert first[row][:count].tolist() == [one[2] for one in expected]
        assert last[row][:count].tolist() == [one[3] for one in expected]
        np.testing.assert_allclose(
            scores[row][:count],
            [np.mean(one[1]) for one in expected],
            rtol=1e-5,
        )
        assert (last[row][count:] == -1).all()


def test_of_tokens_that_are_as_sure_the_first_labels_the_word():
    probabilities = np.eye(3, dtype="float32")[None, [0, 2, 1, 1]]
    inside = np.ones((1, 4), bool)
    starts_word = np.array([[True, True, False, False]])
    labels = EntityLabels.read(["O", "X", "Y"])
    kinds, *_ = decoding.find_entities(
        probabilities, inside, starts_word, labels, "max"
    )
    found = [labels.types[kind] for kind in np.asarray(kinds)[0] if kind >= 0]
    assert found == ["Y"]


def test_words_begin_at_white_space():
    text = "Ab c\nd\u2003e.f"
    pieces = ["A", "b", "c", "\n", "d", "\u2003e", ".", "f"]
    places = [text.index(piece) for piece in pieces]
    offsets = [[at, at + 1] for at in places]
    codes = np.array([[ord(character) for character in text]], "int32")
    found = np.asarray(decoding.word_starts(codes, np.array([offsets])))
    words = [piece for piece, is_start in zip(pieces, found[0], strict=True)
             if is_start]  # fmt: skip
    assert words == ["A", "c", "\n", "d", "\u2003e"]


def test_best_tokens():
    logits = np.random.default_rng(0).normal(0, 2, (2, 2, 6)).astype("float32")
    positions = np.array([[1, 3], [0, -1]], "int32")
    scores, ids = map(np.asarray, decoding.best_tokens(logits, positions, 2))
    best = np.argsort(-logits[0, 1])[:2]
    assert ids[0, 1].tolist() == best.tolist()
    np.testing.assert_allclose(
        scores[0, 1], softmax(logits[0, 1])[best], rtol=1e-5
    )
    assert ids[1, 1].tolist() == [-1, -1]
    assert scores[1, 1].tolist() == [0, 0]
    taken = np.asarray(decoding.take_positions(logits, [[1, 0], [0, -1]]))
    np.testing.assert_array_equal(taken, logits[[[0], [1]], [[1, 0], [0, 0]]])
