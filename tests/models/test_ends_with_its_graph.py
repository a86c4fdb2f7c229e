"""Nothing of a model's graphs outlives the model.

TensorFlow keeps a table of custom gradients, each of which holds its graph.
"""

from __future__ import annotations

import gc

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import tiny
from tensorflow.python.framework import ops as framework
from tensorflow.python.framework.func_graph import FuncGraph

from tf_longformer import TFLongformerSelfAttention

HEAD = "ForSequenceClassification"


def custom_gradients():
    names = framework.gradient_registry._registry
    return {name for name in names if name.startswith("CustomGradient")}


def graphs():
    """Returns graphs of models: Keras's functions of data are smaller."""
    gc.collect()
    found = [one for one in gc.get_objects() if isinstance(one, FuncGraph)]
    return [graph for graph in found if len(graph.get_operations()) > 200]


def train(model, **options):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adamw", loss, **options)
    inputs = tiny.make_inputs(HEAD)
    model.fit(inputs, np.arange(tiny.BATCH) % 2, batch_size=2, verbose=0)


def use(model):
    model.predict(tiny.make_inputs(HEAD), verbose=0)


@pytest.mark.parametrize(
    "work",
    [
        pytest.param(use, id="predict"),
        pytest.param(train, id="fit"),
        pytest.param(
            lambda model: train(model, jit_compile=True), id="fit, XLA"
        ),
        pytest.param(
            lambda model: train(model, steps_per_execution=2),
            id="fit, steps in a loop",
        ),
    ],
)
def test_graphs_end_with_the_model(work):
    before, names = len(graphs()), custom_gradients()
    model = tiny.make_model(HEAD, num_hidden_layers=2)
    work(model)
    assert custom_gradients() - names
    assert len(graphs()) > before
    del model
    assert len(graphs()) <= before
    assert custom_gradients() <= names


@pytest.mark.parametrize("wrapped", ["function", "cond", "while"])
def test_gradients_live_as_long_as_a_graph_around_theirs(wrapped):
    layer = TFLongformerSelfAttention(num_heads=2, attention_window=8)
    x = tf.random.normal((2, 24, 16))
    mask = tf.ones((2, 24), tf.int32)
    layer(x, mask, mask)

    def call(x):
        attend = lambda: layer(x, mask, mask)  # noqa: E731
        if wrapped == "function":
            return tf.function(attend)()
        if wrapped == "cond":
            return tf.cond(tf.reduce_sum(x) < 1e9, attend, lambda: x)
        return tf.while_loop(
            lambda n, x: n < 2,
            lambda n, x: (n + 1, layer(x, mask, mask)),
            (0, x),
        )[1]

    function = tf.function(call)

    def gradient(function):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = function(x)
        return tape.gradient(y, x)

    function.get_concrete_function(x)
    gc.collect()
    np.testing.assert_allclose(
        gradient(function), gradient(call), rtol=1e-5, atol=1e-6
    )
