"""Losses against their formulas in NumPy; the golden files hold PyTorch's."""

import numpy as np
import pytest
import tensorflow as tf

from tf_longformer import losses
from tf_longformer.vocabulary_loss import vocabulary_logits


def value(terms):
    return float(losses.mean(*terms))


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def test_cross_entropy_skips_ignored_labels(rng):
    logits = 4 * rng.standard_normal((2, 5, 7))
    labels = np.array([[3, -100, 0, 6, -100], [-100, 1, 1, 2, 5]])
    kept = labels != -100
    picked = np.take_along_axis(
        log_softmax(logits), np.where(kept, labels, 0)[..., None], axis=-1
    )[..., 0]
    total, weight = losses.cross_entropy(labels, tf.constant(logits))
    assert np.isclose(total, -picked[kept].sum())
    assert float(weight) == 7


# No token, no label, fewer than a piece, a piece, one more, several.
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_loss_without_logits(mode, rng):
    """Value and gradients are those of the loss of all logits."""

    def with_gradients(function, *tensors):
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            loss = losses.mean(*function(*tensors))
        return [loss, *tape.gradient(loss, tensors)]

    def both(states, matrix, bias, labels, weight):
        return [
            with_gradients(function, states, matrix, bias)
            for function in (
                lambda *x: losses.vocabulary_cross_entropy(labels, x, weight),
                lambda *x: losses.cross_entropy(
                    labels, vocabulary_logits(*x), weight
                ),
            )
        ]

    specs = [
        tf.TensorSpec([None, None, 6], "float64"),
        tf.TensorSpec([30, 6], "float64"),
        tf.TensorSpec([30], "float64"),
        tf.TensorSpec([None, None], "int32"),
        tf.TensorSpec([None], "float64"),
    ]
    if mode != "eager":
        both = tf.function(both, specs, jit_compile=mode == "xla")
    matrix, bias = rng.standard_normal((30, 6)), rng.standard_normal(30)
    for count, labelled in (
        *((0, 0), (9, 0), (300, 40), (257, 256), (257, 257), (700, 600)),
    ):
        labels = np.full(2 * count, -100)
        labels[rng.permutation(2 * count)[:labelled]] = rng.integers(
            0, 30, labelled
        )
        ours, theirs = both(
            tf.constant(rng.standard_normal((2, count, 6))),
            tf.constant(matrix),
            tf.constant(bias),
            tf.constant(labels.reshape(2, count), "int32"),
            tf.constant([0.5, 2.0], "float64"),
        )
        assert (float(ours[0]) > 0) == (labelled > 0)
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_all_labels_ignored_is_zero_with_a_zero_gradient(jit_compile):
    @tf.function(jit_compile=jit_compile)
    def step(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            labels = tf.fill([2, 3], -100)
            loss = losses.mean(*losses.cross_entropy(labels, logits))
        return loss, tape.gradient(loss, logits)

    loss, gradient = step(tf.random.normal((2, 3, 5)))
    assert float(loss) == 0
    assert not np.asarray(gradient).any()


def test_large_logits_stay_finite():
    logits = tf.constant([[1e4, -1e4, 0.0]], "float16")
    assert value(losses.cross_entropy(np.array([1]), logits)) == 2e4
    labels = np.array([[0.0, 1.0, 1.0]])
    loss = value(losses.binary_cross_entropy(labels, logits))
    assert np.isclose(loss, (2e4 + np.log(2)) / 3)


def test_mean_squared_error(rng):
    logits, labels = rng.standard_normal((2, 3, 4))
    loss = value(losses.mean_squared_error(labels, tf.constant(logits)))
    assert np.isclose(loss, np.mean((logits - labels) ** 2))


def test_binary_cross_entropy(rng):
    logits = 3 * rng.standard_normal((3, 4))
    labels = rng.integers(0, 2, (3, 4))
    chance = 1 / (1 + np.exp(-logits))
    expected = -np.log(np.where(labels == 1, chance, 1 - chance)).mean()
    loss = value(losses.binary_cross_entropy(labels, tf.constant(logits)))
    assert np.isclose(loss, expected)


@pytest.mark.parametrize("shape", [(4,), (4, 1)])
def test_span_counts_positions_inside(rng, shape):
    logits = rng.standard_normal((4, 6))
    labels = np.array([2, 6, -1, 0])
    expected = -log_softmax(logits)[[0, 3], [2, 0]].sum()
    total, weight = losses.span(labels.reshape(shape), tf.constant(logits))
    assert np.isclose(total, expected)
    assert float(weight) == 2


def test_sample_weight_scales_the_losses_of_a_row(rng):
    logits = rng.standard_normal((3, 2, 5))
    labels = rng.integers(0, 5, (3, 2))
    rows = -np.take_along_axis(
        log_softmax(logits), labels[..., None], axis=-1
    ).sum(axis=(1, 2))
    total, weight = losses.cross_entropy(
        labels, tf.constant(logits), np.array([2.0, 0.0, 0.5])
    )
    assert np.isclose(total, 2 * rows[0] + 0.5 * rows[2])
    assert float(weight) == 6


@pytest.mark.parametrize("loss", ["cross_entropy", "mean_squared_error"])
def test_weights_as_a_column_are_those_of_rows(rng, loss):
    logits = tf.constant(rng.standard_normal((3, 4)))
    labels = np.array([0, 1, 3])
    weights = np.array([1.0, 0.0, 0.5])
    if loss == "mean_squared_error":
        logits, labels = logits[:, 0], rng.standard_normal(3)
    compute = getattr(losses, loss)
    expected = value(compute(labels, logits, weights))
    assert np.isclose(
        value(compute(labels, logits, weights[:, None])), expected
    )
    with pytest.raises(ValueError, match="one weight for each row"):
        compute(labels, logits, np.ones((3, 2)))
