"""A batch of no rows, which a replica gets where a batch doesn't divide."""

import numpy as np
import pytest
import tensorflow as tf
from layers.test_layers import HIDDEN
from layers.test_layers import attention
from layers.test_layers import encoder

# More tokens than a block of queries has, and more than there are columns.
SEQ = 200
STATES = np.zeros((0, SEQ, HIDDEN), "float32")
MASK = np.zeros((0, SEQ), "int32")
SPECS = [
    tf.TensorSpec([None, None, HIDDEN], tf.float32),
    tf.TensorSpec([None, None], tf.int32),
    tf.TensorSpec([None, None], tf.int32),
]


def check(call):
    output, found = call(*map(tf.constant, (STATES, MASK, MASK)))
    assert output.shape == (0, SEQ, HIDDEN)
    for gradient in found:
        np.testing.assert_array_equal(gradient, tf.zeros_like(gradient))


def make(training):
    layer = attention(dropout=0.1)
    layer.build(STATES.shape)

    def call(states, mask, global_mask):
        with tf.GradientTape() as tape:
            output = layer(
                states,
                attention_mask=mask,
                global_attention_mask=global_mask,
                training=training,
            )
            loss = tf.reduce_sum(output)
        if not training:
            return output, []
        return output, tape.gradient(loss, layer.trainable_weights)

    return call


@pytest.mark.parametrize("eager", [True, False])
def test_attention_of_no_rows(eager):
    call = make(training=eager)
    check(call if eager else tf.function(call, input_signature=SPECS))


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, True])
def test_gradients_of_no_rows(jit_compile):
    check(tf.function(make(training=True), jit_compile=jit_compile))


def test_probabilities_of_no_rows():
    """On the reference path too."""
    layer = encoder()
    for reference in (False, True):
        outputs = layer(
            STATES,
            attention_mask=MASK,
            global_attention_mask=MASK,
            output_attentions=True,
            reference_attention=reference,
        )
        assert outputs.last_hidden_state.shape == (0, SEQ, HIDDEN)
        slots = int(reference)
        assert [x.shape for x in outputs.attentions] == [
            (0, 2, SEQ, slots + width + 1) for width in (4, 6)
        ]
