"""Where labels and losses may be, and what is said where they aren't."""

import checks
import keras
import numpy as np
import pytest
import tensorflow as tf
from models import tiny

QA = "ForQuestionAnswering"


def make(head, **compiled):
    model = checks.seeded(tiny.make_model, head)
    compiled = {"run_eagerly": True, **compiled}
    model.compile(keras.optimizers.SGD(0.0), **compiled)
    return model


@pytest.mark.parametrize("method", ["fit", "train_on_batch", "evaluate"])
def test_what_is_not_compiled_says_so(method):
    model = tiny.make_model("ForSequenceClassification")
    data = {
        **tiny.make_inputs("ForSequenceClassification"),
        **tiny.make_labels("ForSequenceClassification"),
    }
    with pytest.raises(ValueError, match="You must call `compile"):
        getattr(model, method)(data)


@pytest.mark.parametrize("y", [np.zeros(4, int), None])
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_the_bare_model_has_no_loss(method, y):
    model = make("Model")
    with pytest.raises(ValueError, match="has no loss of its own.*`compile`"):
        getattr(model, method)(tiny.make_inputs("Model"), y, verbose=0)


def test_weights_of_losses_need_losses():
    model = tiny.make_model(QA)
    with pytest.raises(ValueError, match="`loss_weights` must come with"):
        model.compile("sgd", loss_weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="`loss_weights` must come with"):
        model.compile("sgd", None, {"start_logits": 1.0})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = {"start_logits": loss, "end_logits": loss}
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    found = [
        make(QA, loss=losses, loss_weights=dict.fromkeys(losses, by)).evaluate(
            inputs, labels, verbose=0
        )
        for by in (1.0, 2.0)
    ]
    assert np.ravel(found[1])[0] == pytest.approx(2 * np.ravel(found[0])[0])


@pytest.mark.parametrize("kind", [tuple, list])
def test_positions_in_a_row(kind):
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    y = kind([labels["start_positions"], labels["end_positions"]])
    weight = np.array([3.0, 0.0, 0.5, 0.0], "float32")
    model = make(QA)
    expected = model.evaluate({**inputs, **labels}, verbose=0)
    weighted = model.evaluate(inputs, labels, sample_weight=weight, verbose=0)
    assert weighted != pytest.approx(expected)
    history = model.fit(
        inputs, y, validation_data=(inputs, y), verbose=0
    ).history
    found = [
        *history["loss"],
        *history["val_loss"],
        model.evaluate(inputs, y, verbose=0),
        model.train_on_batch(inputs, y),
        model.test_on_batch(inputs, y),
    ]
    rows = tf.data.Dataset.from_tensor_slices((inputs, tuple(y))).batch(4)
    found += [model.evaluate(rows, verbose=0)]
    assert found == pytest.approx([expected] * len(found), rel=1e-5)
    rows = (inputs, tuple(y), weight)
    rows = tf.data.Dataset.from_tensor_slices(rows).batch(4)
    found = [
        model.evaluate(inputs, y, sample_weight=weight, verbose=0),
        model.evaluate(inputs, y, sample_weight=kind([weight] * 2), verbose=0),
        model.evaluate(rows, verbose=0),
    ]
    assert found == pytest.approx([weighted] * 3, rel=1e-5)
    with pytest.raises(ValueError, match="as many as .*a (tuple|list) of 3"):
        model.fit(inputs, kind([*y, y[0]]), verbose=0)


def test_positions_in_a_row_for_losses_of_keras():
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    y = (labels["start_positions"], labels["end_positions"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = make(QA, loss={"start_logits": loss, "end_logits": loss})
    found = model.evaluate(inputs, y, verbose=0)
    assert found == model.evaluate(inputs, labels, verbose=0)


@pytest.mark.parametrize("dataset", [False, True])
def test_the_host_looks_at_positions_in_a_row(dataset):
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    y = (labels["start_positions"], labels["end_positions"] + 0.5)
    model = make(QA, run_eagerly=False, jit_compile=True)
    arguments = inputs, y
    if dataset:
        arguments = (tf.data.Dataset.from_tensor_slices(arguments).batch(4),)
    with pytest.raises(ValueError, match="`end_positions` must be integers"):
        model.evaluate(*arguments, verbose=0)
