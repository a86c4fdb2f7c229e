"""Models of no rows: their loss is 0, and so are its gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import tiny


def no_rows(head, masks=True):
    given = tiny.make_inputs(head)
    if head in tiny.TRAINED:
        given |= tiny.make_labels(head)
    return {
        name: tf.constant(value[:0])
        for name, value in given.items()
        if masks or "mask" not in name
    }


def call(model, inputs):
    with tf.GradientTape() as tape:
        outputs = model(inputs, training=True)
        loss = outputs.get("loss")
        if loss is None:
            loss = tf.reduce_sum(outputs[0])
    found = tape.gradient(loss, model.trainable_weights)
    # Without global tokens, their projections have none.
    found = [tf.convert_to_tensor(x) for x in found if x is not None]
    return outputs, loss, found


def check(function, inputs):
    outputs, loss, found = function(inputs)
    assert loss == 0
    assert len(found) > 20
    for gradient in found:
        np.testing.assert_array_equal(gradient, tf.zeros_like(gradient))
    assert all(x.shape[0] == 0 for x in outputs.values() if len(x.shape))


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("head", tiny.HEADS)
def test_no_rows(head, masks):
    model = tiny.make_model(head)
    check(lambda x: call(model, x), no_rows(head, masks))


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize("head", tiny.HEADS)
def test_no_rows_in_a_graph_of_any_shape(head, jit_compile):
    model = tiny.make_model(head)
    inputs = no_rows(head)
    specs = {
        name: tf.TensorSpec([None] * x.shape.rank, x.dtype)
        for name, x in inputs.items()
    }
    function = tf.function(
        lambda x: call(model, x),
        input_signature=[specs],
        jit_compile=jit_compile,
    )
    check(function, inputs)


@pytest.mark.parametrize("head", tiny.TRAINED)
def test_predictions_of_no_rows(head):
    model = tiny.make_model(head)
    model.compile("sgd", metrics=["accuracy"], run_eagerly=True)
    data = no_rows(head)
    expected = model(data)
    found = model.predict_on_batch(data)
    assert [x.shape for x in found.values()] == [
        x.shape for name, x in expected.items() if name != "loss"
    ]
    results = model.test_on_batch(data, return_dict=True)
    assert all(value == 0 for value in keras.tree.flatten(results))
