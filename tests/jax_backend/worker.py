"""Runs under `KERAS_BACKEND=jax`: `worker.py FOLDER HEAD`.

Reads weights and data that a process with TensorFlow left and writes what JAX
makes of them.
"""

import sys
from pathlib import Path

import jax
import keras
import numpy as np
from helpers import checks
from helpers import tiny


def kept_bytes(model, batch):
    """What the forward pass keeps for the gradient, weights included."""
    weights, others = checks.stateless_values(model)

    def loss(weights):
        outputs, _ = model.stateless_call(weights, others, batch, training=True)
        return outputs.loss

    _, gradient = jax.vjp(loss, weights)
    return sum(array.nbytes for array in jax.tree.leaves(gradient))


def main(folder: Path, head: str) -> None:
    data = dict(np.load(folder / f"{head}.npz"))
    results = {}

    def load(**fields):
        model = tiny.make_model(head, **fields)
        model.load_weights(folder / f"{head}.weights.h5")
        return model

    model = load()

    @jax.jit
    def forward(inputs):
        return dict(model(inputs))

    for share in ("0.0", "0.3", "1.0"):
        inputs = {
            **{name: data[name] for name in ("input_ids", "attention_mask")},
            "global_attention_mask": data[f"global_{share}"],
        }
        for name, value in model(inputs).items():
            results[f"{name}/{share}/eager"] = value
        for name, value in forward(inputs).items():
            results[f"{name}/{share}/jit"] = value
    # One program serves any number of global tokens.
    results["programs"] = forward._cache_size()
    labels = {name: data[name] for name in model.label_names}
    if labels:
        batch = {**inputs, **labels}
        batch["global_attention_mask"] = data["global_0.3"]

        def train(model, folder=""):
            model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
            history = model.fit(batch, epochs=3, verbose=0, shuffle=False)
            results[f"{folder}losses"] = history.history["loss"]
            for index, weight in enumerate(model.trainable_weights):
                # Now: what is evaluated next takes the buffer over.
                results[f"{folder}weight/{index}"] = np.asarray(weight.value)

        for recompute in (False, True):
            # Of the seeds of dropout too.
            keras.utils.set_random_seed(3)
            dropping = load(
                hidden_dropout_prob=0.3,
                attention_probs_dropout_prob=0.2,
                gradient_checkpointing=recompute,
            )
            dropping(batch)
            results[f"bytes/{recompute}"] = kept_bytes(dropping, batch)
            train(dropping, "recomputed/" if recompute else "kept/")
        train(model)
        model.compile(metrics=["accuracy"], weighted_metrics=["accuracy"])
        results["evaluated"] = model.evaluate(batch, verbose=0)
        nothing = {name: value[:0] for name, value in batch.items()}
        results["nothing"] = forward(nothing)["loss"]
        for name, value in model.predict(batch, verbose=0).items():
            results[f"{name}/predicted"] = value
    np.savez(
        folder / f"{head}.jax.npz",
        **{name: np.asarray(value) for name, value in results.items()},
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
