"""All that training goes on from, in one file that is replaced as a whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_longformer import atomic
from tf_longformer.checkpoints.files import safetensors_file
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.training.fit import build_optimizer

FILE_NAME = "training_state.safetensors"


def save_state(path: Path, model: Any, facts: Mapping[str, Any]) -> None:
    """Writes weights, the optimizer's values, dropout's seeds, and facts.

    Args:
        path: the file. A process that is killed leaves the old one, or the
            new one.
        model: the model, compiled.
        facts: what JSON can hold, such as the step.

    Raises:
        OSError: if the file can't be written; the old one stays.
    """
    variables = _variables(model)
    tensors = {
        name: Tensor(np.dtype(variable.dtype), tuple(variable.shape))
        for name, variable in variables.items()
    }
    # There is one writer: killed ones leave a single draft.
    draft = path.with_name(f"{path.name}.tmp")
    with atomic.replacing_file(path, draft) as new:
        safetensors_file.write(
            new,
            tensors,
            lambda name: keras.ops.convert_to_numpy(variables[name]),
            {"facts": json.dumps(facts)},
        )


def read_facts(path: Path) -> dict[str, Any]:
    """Returns the facts of a file that `save_state` wrote.

    Raises:
        CheckpointError: if the file is damaged.
    """
    file = safetensors_file.SafetensorsFile(path)
    return json.loads(file.metadata["facts"])


def load_state(path: Path, model: Any) -> None:
    """Gives a model, its optimizer and its dropout a file's values.

    Raises:
        CheckpointError: if the file is damaged.
        ValueError: if it is of another model or optimizer.
    """
    file = safetensors_file.SafetensorsFile(path)
    build_optimizer(model)
    variables = _variables(model)
    shapes = {name: tensor.shape for name, tensor in file.tensors.items()}
    wanted = {name: tuple(v.shape) for name, v in variables.items()}
    if shapes != wanted:
        raise ValueError(
            "A run can be resumed with the same model and optimizer only. "
            f"Received: {path}, of others. Give the same arguments, or begin "
            "anew with --overwrite."
        )
    for name, variable in variables.items():
        variable.assign(file.read(name))


def _variables(model: Any) -> dict[str, Any]:
    """Returns the variables of a model and its optimizer, in their order."""
    return {
        f"{part}.{number}": variable
        for part, owner in (("model", model), ("optimizer", model.optimizer))
        for number, variable in enumerate(owner.variables)
    }
