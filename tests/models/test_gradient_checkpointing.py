"""Recomputed layers give the gradients of kept ones, dropout included."""

import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny

HEAD = "ForTokenClassification"


def run(recompute, mode, **arguments):
    """Returns loss and gradients of two steps with dropout."""
    model = checks.seeded(
        tiny.make_model,
        HEAD,
        num_hidden_layers=2,
        hidden_dropout_prob=0.3,
        attention_probs_dropout_prob=0.2,
        gradient_checkpointing=recompute,
    )
    assert model.is_gradient_checkpointing == recompute
    data = {**tiny.make_inputs(HEAD), **tiny.make_labels(HEAD)}
    head_mask = tf.Variable(np.full((2, 2), 0.8, "float32"))

    def step(data):
        with tf.GradientTape() as tape:
            loss = model(
                data,
                head_mask=tf.convert_to_tensor(head_mask),
                training=True,
                **arguments,
            ).loss
        sources = [weight.value for weight in model.trainable_weights]
        gradients = tape.gradient(loss, [*sources, head_mask])
        return loss, [tf.convert_to_tensor(value) for value in gradients]

    if mode != "eager":
        step = tf.function(step, jit_compile=mode == "xla")
    return step(data), step(data)


@pytest.mark.parametrize(
    "mode",
    ["eager", "graph", pytest.param("xla", marks=pytest.mark.slow)],
)
def test_gradients_are_those_of_kept_layers(mode):
    kept = run(False, mode)
    recomputed = run(True, mode)
    for ours, theirs in zip(
        checks.arrays(recomputed), checks.arrays(kept), strict=True
    ):
        scale = max(np.abs(array).max() for array in checks.arrays(kept))
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6 * scale)
    # Another step, another dropout.
    assert abs(float(kept[0][0]) - float(kept[1][0])) > 1e-4


def test_attentions_come_too():
    ((loss, _), _) = run(True, "eager", output_attentions=True)
    kept = run(False, "eager")[0][0]
    assert float(loss) == pytest.approx(float(kept), rel=1e-5)


def test_less_is_kept():
    """Layers are called again, and of the first calls only the output used."""

    def calls(recompute):
        model = checks.seeded(
            tiny.make_model,
            HEAD,
            num_hidden_layers=3,
            gradient_checkpointing=recompute,
        )
        data = {**tiny.make_inputs(HEAD), **tiny.make_labels(HEAD)}
        forward = tf.function(lambda data: gradients(model, data))
        graph = forward.get_concrete_function(data).graph
        return [
            sum(bool(output.consumers()) for output in operation.outputs)
            for operation in graph.get_operations()
            if operation.type == "PartitionedCall"
        ]

    def gradients(model, data):
        with tf.GradientTape() as tape:
            loss = model(data, training=True).loss
        return tape.gradient(
            loss, [weight.value for weight in model.trainable_weights]
        )

    # Three layers forward and backward.
    kept = calls(False)
    assert len(kept) == 6
    assert min(kept[:3]) > 1
    # And forward once more, where what they keep is used.
    recomputed = calls(True)
    assert len(recomputed) == 9
    assert recomputed[:3] == [1, 1, 1]


def test_switches():
    model = tiny.make_model(HEAD)
    assert model.supports_gradient_checkpointing
    assert not model.is_gradient_checkpointing
    model.gradient_checkpointing_enable({"use_reentrant": False})
    assert model.is_gradient_checkpointing
    copy = type(model).from_config(model.get_config())
    assert copy.is_gradient_checkpointing
    model.gradient_checkpointing_disable()
    assert not model.is_gradient_checkpointing
    encoder = model.longformer.encoder
    assert encoder.get_config()["gradient_checkpointing"] is False


def test_without_training_nothing_is_drawn():
    model = checks.seeded(tiny.make_model, HEAD, gradient_checkpointing=True)
    states = [v for v in model.variables if "seed" in v.path]
    before = checks.arrays(states)
    model(tiny.make_inputs(HEAD))
    checks.assert_equal(states, before, 0)
    assert states
