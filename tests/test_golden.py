"""Golden files that HF PyTorch left, without torch and transformers.

`tests/scripts/make_golden.py` makes them; `tests/oracles` compares live.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from oracles import layout
from safetensors.numpy import load_file

import tf_longformer

GOLDEN = Path(__file__).with_name("golden")
NAMES = sorted(path.parent.name for path in GOLDEN.glob("*/config.json"))
# Heads that differ from another by their loss alone are not compiled; of the
# others, one always is, and one is made a graph, as both take long.
COMPILED, TRACED = "question_answering", "multiple_choice"
RUNS = [
    pytest.param(
        name,
        mode,
        marks=pytest.mark.slow
        if (mode, name) not in (("xla", COMPILED), ("graph", TRACED))
        and mode != "eager"
        else (),
    )
    for name in NAMES
    for mode in ("eager", "graph", "xla")
    if mode == "eager" or name not in ("regression", "multi_label")
]


def load_model(folder: Path, **overrides: Any) -> Any:
    fields = json.loads((folder / "config.json").read_text("utf-8"))
    (name,) = fields["architectures"]
    return getattr(tf_longformer, f"TF{name}").from_pretrained(
        folder, **overrides
    )


def outputs_and_gradients(model: Any) -> Any:
    """Returns a function of the inputs; no gradients without a loss."""

    def call(inputs: dict) -> tuple:
        with tf.GradientTape() as tape:
            outputs = model(
                inputs, output_attentions=True, output_hidden_states=True
            )
        if "loss" not in outputs:
            return outputs, []
        weights = [weight.value for weight in model.trainable_weights]
        gradients = tape.gradient(
            outputs.loss, weights, unconnected_gradients="zero"
        )
        return outputs, [tf.convert_to_tensor(value) for value in gradients]

    return call


def norms_by_name(
    model: Any, gradients: list, folder: Path
) -> dict[str, float]:
    """Names gradients as a file does, by saving them as weights."""
    carrier = type(model)(model.config)
    for weight, value in zip(carrier.trainable_weights, gradients, strict=True):
        weight.assign(value)
    carrier.save_pretrained(folder)
    return {
        name: float(np.linalg.norm(array))
        for name, array in load_file(folder / "model.safetensors").items()
    }


def test_every_head_has_a_folder():
    architectures = set()
    for name in NAMES:
        text = (GOLDEN / name / "config.json").read_text("utf-8")
        architectures.update(json.loads(text)["architectures"])
    heads = {
        f"TFLongformer{head}"
        for head in (
            "Model",
            "ForMaskedLM",
            "ForQuestionAnswering",
            "ForSequenceClassification",
            "ForTokenClassification",
            "ForMultipleChoice",
        )
    }
    assert {f"TF{name}" for name in architectures} == heads


@pytest.mark.parametrize(("name", "mode"), RUNS)
def test_golden(name, mode, tmp_path):
    folder = GOLDEN / name
    inputs = layout.load_arrays(folder / "inputs.npz")
    theirs = layout.load_arrays(folder / "outputs.npz")
    slots = theirs["global_attentions.0"].shape[-1]
    # XLA must know the slots, and may have some to spare.
    model = load_model(
        folder, attention_slots=slots + 1 if mode == "xla" else None
    )
    call = outputs_and_gradients(model)
    if mode != "eager":
        call = tf.function(call, jit_compile=mode == "xla")
    with warnings.catch_warnings():
        warnings.filterwarnings("error")
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", "A row has .* global tokens")
        outputs, gradients = call(inputs)
    ours = layout.as_arrays(outputs, model.config.attention_window, slots)
    layout.assert_close(ours, theirs)
    if "loss" not in theirs:
        return
    assert ours["loss"] == pytest.approx(theirs["loss"], rel=1e-5)
    text = (folder / "gradient_norms.json").read_text("utf-8")
    expected = json.loads(text)
    norms = norms_by_name(model, gradients, tmp_path)
    # What is zero but for rounding is measured by the largest.
    largest = max(expected.values())
    assert norms == pytest.approx(expected, rel=1e-4, abs=1e-6 * largest)


@pytest.mark.parametrize("name", NAMES)
def test_golden_files_come_back_bit_by_bit(name, tmp_path):
    load_model(GOLDEN / name).save_pretrained(tmp_path)
    theirs = load_file(GOLDEN / name / "model.safetensors")
    ours = load_file(tmp_path / "model.safetensors")
    assert sorted(ours) == sorted(theirs)
    for key, array in theirs.items():
        assert ours[key].tobytes() == array.tobytes(), key


@pytest.mark.parametrize("name", NAMES)
def test_every_bias_lies_with_its_matrix(name):
    """A key's bias shows neither in outputs nor, saved as read, in files.

    Matrices are told by their numbers, so that no name of ours is needed.
    """
    theirs = load_file(GOLDEN / name / "model.safetensors")
    model = load_model(GOLDEN / name)
    ours = {weight.path: np.asarray(weight.value) for weight in model.weights}
    found = []
    for kernel, bias in (("kernel", "bias"), ("gamma", "beta")):
        for path, array in ours.items():
            stem, _, last = path.rpartition("/")
            if last != kernel:
                continue
            (match,) = [
                key
                for key, value in theirs.items()
                if value.T.shape == array.shape and (value.T == array).all()
            ]
            match = match.replace("weight", "bias")
            np.testing.assert_array_equal(
                ours[f"{stem}/{bias}"], theirs[match], match
            )
            found.append(match)
    biases = {key for key in theirs if key.endswith(".bias")}
    assert biases - {"lm_head.bias"} == set(found)
