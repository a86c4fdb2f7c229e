"""Running the oracles and comparing with them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from cases import Case

import tf_longformer

INPUTS = (
    "input_ids",
    "attention_mask",
    "global_attention_mask",
    "token_type_ids",
    "position_ids",
    "inputs_embeds",
    "head_mask",
)


def run_oracle(
    version: int | str,
    *arguments: Any,
    script: str = "hf_worker",
    path: Path | None = None,
) -> None:
    """Runs a script in the environment of a version of transformers, or skips.

    Such an environment lacks the package: `path` is a folder that scripts may
    import from.
    """
    variable = f"TF_LONGFORMER_ORACLE_{version}"
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(
            f"{variable} doesn't name the interpreter of an environment "
            "of tests/oracles/requirements-*.txt"
        )
    file = Path(__file__).with_name(f"{script}.py")
    done = subprocess.run(
        [interpreter, str(file), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(path) if path else ""},
    )
    if done.returncode:
        pytest.fail(f"the oracle's script failed:\n{done.stderr}")


def run_cases(version: int, cases: list[Case], folder: Path) -> Path:
    """Writes cases and runs the oracle over them."""
    for case in cases:
        case.write(folder)
    run_oracle(version, folder)
    return folder


def model_class(head: str) -> Any:
    """Returns our class for HF's, named without `Longformer`."""
    return getattr(tf_longformer, f"TFLongformer{head}")


def in_mode(
    call: Callable, mode: str, inputs: dict[str, np.ndarray]
) -> Callable:
    """Returns a function of the inputs for eager mode, a graph or XLA.

    The graph knows no size of batch, choices and sequence, XLA knows all.
    """
    if mode == "eager":
        return call
    if mode == "xla":
        return tf.function(call, jit_compile=True)
    specs = {}
    for name, value in inputs.items():
        shape = list(value.shape)
        known = {"inputs_embeds": 1, "head_mask": 2}.get(name, 0)
        if name == "labels" and value.dtype.kind == "f":
            known = value.ndim - 1
        loose = len(shape) - known
        specs[name] = tf.TensorSpec(
            [None] * loose + shape[loose:], value.dtype, name=name
        )
    return tf.function(call, input_signature=[specs])
