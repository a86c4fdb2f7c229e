"""Under JAX, a loop over layers gives what the layers one by one give."""

import jax
import keras
import numpy as np
from helpers import checks
from helpers import tiny

HEAD = "ForTokenClassification"
MATRICES = 9  # of a layer
DROPOUT = {"hidden_dropout_prob": 0.3, "attention_probs_dropout_prob": 0.2}


def make(scan_layers, **fields):
    fields = {"num_hidden_layers": 3, **fields}
    model = checks.seeded(tiny.make_model, HEAD, **fields)
    model.scan_layers = scan_layers
    return model


def forward(model, **kwargs):
    """Outputs of a compiled forward pass, and whether it loops."""
    weights, others = checks.stateless_values(model)

    def run(inputs):
        outputs, _ = model.stateless_call(weights, others, inputs, **kwargs)
        return outputs.to_tuple()

    inputs = tiny.make_inputs(HEAD)
    # Attention itself has loops; that over layers has their matrices, stacked.
    loops = [
        equation
        for equation in jax.make_jaxpr(run)(inputs).eqns
        if equation.primitive.name == "scan"
        and [
            x.aval.shape[:1] for x in equation.invars if x.aval.ndim == 3
        ].count((3,))
        >= MATRICES
    ]
    return jax.jit(run)(inputs), len(loops)


def train(model):
    keras.utils.set_random_seed(3)
    batch = {**tiny.make_inputs(HEAD), **tiny.make_labels(HEAD)}
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
    history = model.fit(batch, epochs=3, verbose=0, shuffle=False)
    return [history.history["loss"], *map(np.asarray, model.weights)]


def check_forward(loops, fields, **kwargs):
    one_by_one, scanned = (
        forward(make(scan_layers, **fields), **kwargs)
        for scan_layers in (False, True)
    )
    assert (one_by_one[1], scanned[1]) == (0, loops)
    ours, theirs = (
        jax.tree.leaves(found[0]) for found in (scanned, one_by_one)
    )
    # Logits, and four hidden states or three of each kind of attentions.
    asked = {"output_hidden_states": 4, "output_attentions": 6}
    assert len(ours) == 1 + sum(asked.get(name, 0) for name in fields)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6)


def check_same(found):
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            np.testing.assert_allclose(one, other, atol=5e-6)


def check_training():
    ways = (
        {"scan_layers": False},
        {"scan_layers": True},
        {"scan_layers": True, "gradient_checkpointing": True},
    )
    check_same([train(make(**fields, **DROPOUT)) for fields in ways])


def check_lora():
    found = []
    for scan_layers in (False, True):
        model = make(scan_layers)
        # Draws the new matrices.
        keras.utils.set_random_seed(5)
        model.enable_lora(2)
        found.append(train(model))
    check_same(found)


def main():
    check_forward(1, {})
    check_forward(1, {"output_hidden_states": True})
    scale = np.linspace(0.2, 1.7, 6, dtype="float32").reshape(3, 2)
    check_forward(1, {}, head_mask=scale)
    # Not alike, or not to be had from a loop.
    check_forward(0, {"attention_window": [8, 4, 8]})
    check_forward(0, {"output_attentions": True, "attention_slots": 9})
    check_training()
    check_lora()
    # Set on a model that has been compiled.
    model = make(False)
    inputs = tiny.make_inputs(HEAD)
    before = model.predict(inputs, verbose=0)["logits"]
    model.scan_layers = True
    after = model.predict(inputs, verbose=0)["logits"]
    np.testing.assert_allclose(after, before, atol=2e-6)


if __name__ == "__main__":
    main()
