"""Layers that are alike are traced once, and do what they do by themselves."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny

HEAD = "ForTokenClassification"


def make_model(**fields):
    return checks.seeded(tiny.make_model, HEAD, num_hidden_layers=3, **fields)


def gradients_of(model):
    data = {**tiny.make_inputs(HEAD), **tiny.make_labels(HEAD)}

    def gradients():
        with tf.GradientTape() as tape:
            loss = model(data, training=True).loss
        found = tape.gradient(
            loss, [weight.value for weight in model.trainable_weights]
        )
        return [tf.convert_to_tensor(gradient) for gradient in found]

    return gradients


def calls(model, step=None):
    """How many functions of layers a step calls, and how many there are.

    A step is a forward pass of training if it isn't given.
    """
    if step is None:
        inputs = tiny.make_inputs(HEAD)

        def step():
            return model(inputs, training=True)

    graph = tf.function(step).get_concrete_function().graph
    names = [
        operation.get_attr("f").name
        for operation in graph.get_operations()
        if operation.type == "PartitionedCall"
    ]
    return len(names), len(set(names))


@pytest.mark.parametrize(
    "fields",
    [{"attention_window": 4}, {"attention_window": [4, 8, 4]}],
    ids=["alike", "windows"],
)
def test_gradients_are_those_of_eager_layers(fields):
    fields |= {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.2}
    expected = checks.arrays(gradients_of(make_model(**fields))())
    step = tf.function(gradients_of(make_model(**fields)))
    scale = max(np.abs(array).max() for array in expected)
    for ours, theirs in zip(checks.arrays(step()), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * scale)


def test_layers_that_are_alike_share():
    assert calls(make_model(attention_window=4)) == (3, 1)
    # Forward and backward.
    model = make_model(attention_window=[4, 8, 4])
    assert calls(model, gradients_of(model)) == (6, 4)


def test_what_a_layer_does_tells_it_apart():
    model = make_model(attention_window=4)
    block = model.longformer.encoder.blocks[1]
    block.attention.dropout = 0.5
    assert calls(model) == (3, 2)


def test_a_layer_that_was_changed_is_called_itself():
    model = make_model(attention_window=4)
    block = model.longformer.encoder.blocks[1]
    block.attention.trainable = False
    assert calls(model) == (2, 1)
    block.attention.trainable = True
    assert calls(model) == (3, 1)
    block.output_dense.activity_regularizer = keras.regularizers.L2(0.1)
    assert calls(model) == (2, 1)


def test_lora_is_trained_alone():
    model = make_model(attention_window=4)
    model.longformer.encoder.blocks[0].attention.query.enable_lora(2)
    assert calls(model, gradients_of(model)) == (4, 2)
