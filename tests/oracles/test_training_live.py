"""Gradients and steps of training against HF PyTorch, weight by weight.

Weights are matched by the names in files that `save_pretrained` writes, also
gradients: they are put in the place of a second model's weights and saved.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import comparison
import keras
import layout
import numpy as np
import pytest
import tensorflow as tf
from cases import Case
from cases import training_cases
from drawing import ANSWERING
from drawing import CHOICE
from safetensors.numpy import load_file

from tf_longformer import make_optimizer

pytestmark = [
    pytest.mark.oracle,
    # Without global tokens half of the projections are not used.
    pytest.mark.filterwarnings("ignore:Gradients do not exist:UserWarning"),
]

CASES = training_cases()
MODES = ("eager", "graph", "xla")
NAMES = [case.name for case in CASES]


@pytest.fixture(scope="module", params=[4, 5])
def oracle(request, tmp_path_factory) -> tuple[int, Path]:
    version = request.param
    folder = tmp_path_factory.mktemp(f"training_{version}")
    return version, comparison.run_cases(version, CASES, folder)


_first_folders: dict[int, Path] = {}


def model_of(oracle: tuple[int, Path], number: int) -> Path:
    """The model as drawn, which is the same in all versions."""
    version, root = oracle
    folder = root / CASES[number].name / f"hf{version}" / "model"
    return _first_folders.setdefault(number, folder)


def saved(model: Any) -> dict[str, np.ndarray]:
    """Returns the weights by the names in files."""
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(Path(folder) / "model.safetensors")


@functools.cache
def our_gradients(number: int, mode: str, folder: Path) -> tuple:
    """Returns the loss, and the gradients by the names in files."""
    case = CASES[number]
    model = comparison.model_class(case.head).from_pretrained(folder)

    def gradients(inputs: dict) -> tuple:
        with tf.GradientTape() as tape:
            loss = model(inputs).loss
        weights = [weight.value for weight in model.trainable_weights]
        gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
        return loss, [tf.convert_to_tensor(gradient) for gradient in gradients]

    call = comparison.in_mode(gradients, mode, case.inputs)
    loss, values = call(case.inputs)
    carrier = type(model)(model.config)
    for weight, value in zip(carrier.trainable_weights, values, strict=True):
        weight.assign(value)
    return float(loss), saved(carrier)


@functools.cache
def our_steps(number: int, mode: str, folder: Path) -> dict:
    """Returns the weights after `fit` by the names in files."""
    case = CASES[number]
    model = comparison.model_class(case.head).from_pretrained(folder)
    model.compile(
        keras.optimizers.SGD(
            case.train["learning_rate"], momentum=case.train["momentum"]
        ),
        run_eagerly=mode == "eager",
        jit_compile=mode == "xla",
    )
    model.fit(
        case.inputs,
        batch_size=len(case.inputs["input_ids"]),
        epochs=case.train["steps"],
        shuffle=False,
        verbose=0,
    )
    return saved(model)


@functools.cache
def our_losses(number: int, name: str, folder: Path) -> list[float]:
    """Returns the losses of 50 steps, each on the same batch."""
    case = CASES[number]
    model = comparison.model_class(case.head).from_pretrained(folder)
    optimizer: keras.optimizers.Optimizer
    if name == "sgd":
        optimizer = keras.optimizers.SGD(2e-3, momentum=0.9)
    else:
        optimizer = make_optimizer(
            5e-5,
            50,
            warmup=0,
            schedule="constant",
            clip_norm=None,
            epsilon=1e-12,
        )
    model.compile(optimizer)
    history = model.fit(
        case.inputs,
        batch_size=len(case.inputs["input_ids"]),
        epochs=50,
        shuffle=False,
        verbose=0,
    )
    return history.history["loss"]


def is_rounding(case: Case, name: str) -> bool:
    """Whether a gradient is zero but for rounding.

    The softmax takes away what a key's bias adds to all scores, what the
    bias adds to the scores of all choices or positions, and what the last
    norm's bias adds to all positions.
    """
    if name.endswith(("key.bias", "key_global.bias")):
        return True
    last = f"layer.{case.config['num_hidden_layers'] - 1}.output."
    return {
        ANSWERING: name == "qa_outputs.bias"
        or name.endswith(f"{last}LayerNorm.bias"),
        CHOICE: name == "classifier.bias",
    }.get(case.head, False)


def assert_changes_close(
    case: Case, ours: dict, theirs: dict, tolerance: float
) -> None:
    """Asserts that gradients or steps agree.

    Where they are rounding they are measured by the matrix or the gain that
    belongs to the bias.
    """
    assert sorted(ours) == sorted(theirs)
    wrong = {}
    for name, expected in theirs.items():
        gap = np.abs(ours[name] - expected).max()
        scale = np.abs(expected).max()
        if is_rounding(case, name):
            scale = np.abs(theirs[name.replace("bias", "weight")]).max()
        if not gap <= tolerance * scale:
            wrong[name] = gap / scale if scale else gap
    assert not wrong


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", range(len(CASES)), ids=NAMES.__getitem__)
def test_gradients(oracle, number, mode):
    case = CASES[number]
    model = model_of(oracle, number)
    folder = oracle[1] / case.name / f"hf{oracle[0]}"
    theirs = layout.load_arrays(folder / "gradients.npz")
    loss, ours = our_gradients(number, mode, model)
    assert_changes_close(case, ours, theirs, layout.TOLERANCE)
    outputs = layout.load_arrays(folder / "outputs.npz")
    assert loss == pytest.approx(float(outputs["loss"]), rel=1e-5)
    if not case.reads_first_token:
        # Only what is for global tokens can be without use.
        used = layout.global_counts(case, outputs).any()
        for name, gradient in theirs.items():
            assert gradient.any() == (used or "_global." not in name)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("number", range(len(CASES)), ids=NAMES.__getitem__)
def test_steps(oracle, number, mode):
    case = CASES[number]
    model = model_of(oracle, number)
    folder = oracle[1] / case.name / f"hf{oracle[0]}"
    theirs = layout.load_arrays(folder / "steps.npz")
    ours = our_steps(number, mode, model)
    layout.assert_close(ours, theirs)
    start = load_file(folder / "model" / "model.safetensors")
    # What differs of two float32 numbers has lost their leading digits.
    assert_changes_close(
        case,
        {name: ours[name] - start[name] for name in start},
        {name: theirs[name] - start[name] for name in start},
        1e-3,
    )


@pytest.mark.parametrize("name", ["sgd", "adamw"])
@pytest.mark.parametrize("number", range(len(CASES)), ids=NAMES.__getitem__)
def test_loss_curves(oracle, number, name):
    folder = oracle[1] / CASES[number].name / f"hf{oracle[0]}"
    theirs = layout.load_arrays(folder / "losses.npz")[name]
    ours = our_losses(number, name, model_of(oracle, number))
    # It has learned, so that the curve says something.
    assert theirs[-1] < theirs[0]
    assert np.abs(ours - theirs).max() <= 1e-3 * np.abs(theirs).max()
