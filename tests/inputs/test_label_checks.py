"""Labels that a head can't use."""

import numpy as np
import pytest
import tensorflow as tf
from inputs.small_models import IDS
from inputs.small_models import changed
from inputs.small_models import make


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("ForSequenceClassification", [0, 2], r"in \[0, 2\).*-100"),
        ("ForSequenceClassification", [-1, 0], r"-1 to 0"),
        ("ForSequenceClassification", np.zeros((2, 2), int), "pass floats"),
        ("ForSequenceClassification", np.zeros((2, 3)), r"\[batch, 2\]"),
        (
            "ForSequenceClassification",
            np.array([[np.nan, 0.0], [0.0, 1.0]]),
            "must be finite",
        ),
        ("ForTokenClassification", changed(2), r"in \[0, 2\)"),
        ("ForTokenClassification", changed(0.5, "f4"), "not all whole"),
        ("ForSequenceClassification", [0.5, 1.0], "not all whole"),
        ("ForSequenceClassification", [0.0, np.nan], "not all whole"),
        ("ForMaskedLM", changed(37), r"in \[0, 37\)"),
        ("ForMultipleChoice", [3], r"in \[0, 3\)"),
        # Which would broadcast.
        ("ForSequenceClassification", [1], r"\[batch\].*shape \(1,\)"),
        ("ForSequenceClassification", 1, r"\[batch\].*shape \(1,\)"),
        ("ForSequenceClassification", np.ones((1, 2)), r"batch=2.*\(1, 2\)"),
        ("ForTokenClassification", IDS[:1] % 2, r"\[batch, seq\]"),
        ("ForTokenClassification", IDS[:, :1] % 2, r"\[batch, seq\]"),
        ("ForMaskedLM", IDS[:1], r"\[batch, seq\], here"),
        ("ForMultipleChoice", [0, 1], r"\[batch\], here \(1,\)"),
        ("ForMultipleChoice", [[0, 1]], r"\[batch\]"),
    ],
)
def test_labels(name, labels, message):
    model = make(name)
    ids = IDS
    if name == "ForMultipleChoice":
        ids = np.array([[[0, 5, 2, 2, 6, 7, 2]] * 3])
    with pytest.raises(ValueError, match=f"(?s)`?labels.*{message}"):
        model(ids, labels=labels)


def test_class_numbers_may_be_whole_floats():
    """Beside them a row of floats, one for each class, means many classes."""
    model = make("ForSequenceClassification", num_labels=3)
    expected = model(IDS, labels=[2, -100]).loss
    for labels in ([2.0, -100.0], [[2.0], [-100.0]]):
        np.testing.assert_array_equal(model(IDS, labels=labels).loss, expected)
    graph = tf.function(lambda labels: model(IDS, labels=labels).loss)
    np.testing.assert_allclose(
        graph(tf.constant([2.0, -100.0])), expected, rtol=1e-6
    )
    for wrong in ([0.5, 1.0], [np.nan, 1.0], [3.0, 1.0]):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="`labels` must lie"
        ):
            graph(tf.constant(wrong))
    many = model(IDS, labels=np.eye(2, 3)).loss
    assert not np.isclose(many, model(IDS, labels=[0, 1]).loss)


@pytest.mark.parametrize("positions", [1, [1], [[1, 1], [1, 1]]])
def test_shapes_of_positions(positions):
    model = make("ForQuestionAnswering")
    ids = np.array([[0, 5, 2, 2, 6, 7, 2]] * 2)
    with pytest.raises(ValueError, match=r"`start_positions` must be \[batch"):
        model(ids, start_positions=positions, end_positions=[1, 1])


def test_labels_of_another_size_in_a_graph_of_any_shape():
    model = make("ForTokenClassification")
    spec = tf.TensorSpec([None, None], tf.int32)
    graph = tf.function(
        lambda ids, labels: model(ids, labels=labels).loss,
        input_signature=[spec, spec],
    )
    labels = IDS.astype("int32") % 2
    assert np.isfinite(graph(IDS.astype("int32"), labels))
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph(IDS.astype("int32"), labels[:, :1])


def test_one_position_of_two():
    model = make("ForQuestionAnswering")
    ids = np.array([[0, 5, 2, 2, 6, 7, 2]])
    with pytest.raises(ValueError, match=r"no \['end_positions'\]"):
        model(ids, start_positions=[1])
