"""Layer by layer and head by head is what the model does at once."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import tiny

from tf_longformer.explain.encoder_pass import EncoderPass
from tf_longformer.layers.self_attention import roles_from_masks

SEQ = 21


@pytest.fixture(
    scope="module",
    params=[[3, 4, 17], pytest.param([], marks=pytest.mark.slow)],
)
def case(request):
    keras.utils.set_random_seed(3)
    model = tiny.make_model(
        "Model", num_hidden_layers=2, attention_window=[4, 8]
    )
    ids = np.random.default_rng(3).integers(5, 60, (1, SEQ))
    is_global = np.isin(np.arange(SEQ), request.param)
    outputs = model(
        ids,
        global_attention_mask=is_global[None].astype("int32"),
        output_attentions=True,
        output_hidden_states=True,
    )
    states = list(outputs.hidden_states)
    return model, outputs, EncoderPass(model, states, is_global)


def test_attention(case):
    _, outputs, encoded = case
    layers = list(encoded.attention())
    assert [window for window, _ in layers] == [4, 8]
    for number, (_, heads) in enumerate(layers):
        local, global_ = zip(*heads, strict=True)
        np.testing.assert_allclose(
            np.stack(local), outputs.attentions[number][0], atol=1e-6
        )
        if outputs.global_attentions is None:
            assert global_ == (None, None)
        else:
            np.testing.assert_allclose(
                np.stack(global_),
                outputs.global_attentions[number][0],
                atol=1e-6,
            )


@pytest.mark.slow
def test_gradient(case):
    """Against the whole encoder's, in one piece."""
    model, _, encoded = case
    weights = np.random.default_rng(4).normal(size=(SEQ, 10)).astype("float32")

    def score(states):
        return tf.reduce_sum(tf.tanh(states) * weights, axis=(1, 2))

    states, gradient = encoded.differentiate(score)
    np.testing.assert_array_equal(states, encoded.states[0][0])
    first = encoded.states[0]
    roles = roles_from_masks(
        first, (None,), encoded.is_global[None], None, False, False
    )
    with tf.GradientTape() as tape:
        tape.watch(first)
        value = score(model.longformer.encoder(first, roles=roles))
    expected = tape.gradient(value, first)[0]
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(gradient, expected, atol=2e-6)
