"""Counts what XLA compiles; runs in a process of its own.

Usage: XLA_FLAGS="--xla_dump_to=FOLDER --xla_dump_hlo_as_text"
       python count_compilations.py FOLDER

XLA leaves a file for every program that it compiles. Prints JSON:

    control     programs of a function whose shapes follow its values, called
                with three values of one shape
    steps       [shape, globals, programs so far, gap to eager mode], one for
                each call of a model with its gradients
    training    for some kinds of models: programs so far after each of some
                steps with dropout, other weights and other globals each time,
                of a function that was traced without shapes
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf

from tf_longformer import LongformerConfig
from tf_longformer import TFLongformerForTokenClassification

TRAINED = {
    "windows": {},
    # Layers that are alike share a trace.
    "alike": {"attention_window": 4},
    "recomputed": {"attention_window": 4, "gradient_checkpointing": True},
    "no dropout": {
        "attention_window": 4,
        "hidden_act": "gelu_new",
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    },
}
GLOBALS = ("0", "1", "2", "17", "half", "all", "uneven")


def main(folder: Path) -> None:
    """Prints the counts."""

    def programs() -> int:
        return len(list(folder.glob("*before_optimizations*.txt")))

    @tf.function(jit_compile=True)
    def cut(x: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(x[: tf.reduce_max(size)])

    for size in (1, 2, 3):
        cut(tf.ones(4), tf.constant([size, 0]))
    control = programs()

    model = make_model()
    weights = [weight.value for weight in model.trainable_weights]

    def run(inputs: dict) -> list:
        with tf.GradientTape() as tape:
            outputs = model(inputs)
        gradients = tape.gradient(
            outputs.loss, weights, unconnected_gradients="zero"
        )
        return [outputs.logits, *map(tf.convert_to_tensor, gradients)]

    compiled = tf.function(run, jit_compile=True)
    count = 0
    steps = []
    rng = np.random.default_rng(0)
    for shape in ((2, 70), (3, 37)):
        for kind in GLOBALS:
            inputs = draw_inputs(rng, shape, kind)
            # Eager mode compiles an operation or two of its own.
            before = programs()
            ours = [tensor.numpy() for tensor in compiled(inputs)]
            count += programs() - before
            eager = [tensor.numpy() for tensor in run(inputs)]
            # Key biases have gradients of rounding: a common measure.
            largest = max(np.abs(array).max() for array in eager[1:])
            gaps = [np.abs(ours[0] - eager[0]).max()] + [
                np.abs(a - b).max() / largest
                for a, b in zip(ours[1:], eager[1:], strict=True)
            ]
            steps.append([shape, kind, count, float(max(gaps))])

    training = {}
    for name, fields in TRAINED.items():
        train = trainer(make_model(**fields), rng)
        before = programs()
        training[name] = []
        for kind in ("1", "2", "17", "all"):
            train(draw_inputs(rng, (2, 70), kind))
            training[name].append(programs() - before)
    counts = {"control": control, "steps": steps, "training": training}
    print(json.dumps(counts))


def make_model(**fields) -> TFLongformerForTokenClassification:
    """Returns a small model."""
    given = {
        # A mix of windows that HF does not take.
        "attention_window": [4, 6],
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "hidden_size": 15,
        "intermediate_size": 19,
        "vocab_size": 53,
        "max_position_embeddings": 97,
        "num_labels": 7,
        "initializer_range": 0.3,
    }
    return TFLongformerForTokenClassification(
        LongformerConfig(**{**given, **fields})
    )


def trainer(
    model: TFLongformerForTokenClassification, rng: np.random.Generator
) -> tf.types.experimental.GenericFunction:
    """Returns a step of training, compiled for inputs of any shape."""
    weights = [weight.value for weight in model.trainable_weights]

    def train(inputs: dict) -> tf.Tensor:
        with tf.GradientTape() as tape:
            loss = model(inputs, training=True).loss
        gradients = tape.gradient(loss, weights)
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.assign_sub(0.1 * tf.convert_to_tensor(gradient))
        return loss

    spec = tf.TensorSpec([None, None], tf.int32)
    return tf.function(
        train,
        input_signature=[dict.fromkeys(draw_inputs(rng, (2, 9), "1"), spec)],
        jit_compile=True,
    )


def draw_inputs(rng: np.random.Generator, shape: tuple, kind: str) -> dict:
    """Draws inputs with that many global tokens, at random places."""
    batch, seq = shape
    mask = np.ones(shape, "int32")
    mask[-1, seq - 4 :] = 0
    far = np.zeros(shape, "int32")
    for row in range(batch):
        count = {"half": seq // 2, "all": seq, "uneven": 19 * row}.get(kind)
        count = int(kind) if count is None else count
        far[row, rng.permutation(seq)[:count]] = 1
    return {
        "input_ids": rng.integers(3, 53, shape).astype("int32"),
        "attention_mask": mask,
        "global_attention_mask": far,
        "labels": rng.integers(0, 7, shape).astype("int32"),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
