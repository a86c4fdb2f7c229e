"""All that training goes on from, in one file that is replaced as a whole."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_longformer import atomic
from tf_longformer import folders
from tf_longformer.checkpoints.files import safetensors_file
from tf_longformer.checkpoints.files.tensor_file import Tensor
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import shown
from tf_longformer.training.fit import build_optimizer

FILE_NAME = "training_state.safetensors"
LOCK = "training_state.lock"


@contextlib.contextmanager
def only_run(folder: Path) -> Iterator[None]:
    """Keeps other runs out of a folder; one that is killed lets go of it.

    Windows and some file systems have no locks; there it does nothing.

    Raises:
        OSError: if the folder can't be written to.
        ValueError: if another run has it, or the lock's file is a link.
    """
    path = folder / LOCK
    if not folders.is_own_file_or_missing(path):
        raise ValueError(
            "A folder must have a file of its own for the lock of a run. "
            f"Received: {shown(str(path))}, which is a link or no file. Remove "
            "it."
        )
    with open(path, "ab") as file:
        if not atomic.lock_file(file, path):
            raise ValueError(
                "A folder is written by one run at a time. Received: "
                f"{shown(str(folder))}, which another one is writing to. Wait "
                "for that, or give another folder."
            )
        try:
            yield
        finally:
            # Windows removes no file that is open.
            with contextlib.suppress(OSError):
                path.unlink()


def save_state(path: Path, model: Any, facts: Mapping[str, Any]) -> None:
    """Writes weights, the optimizer's values, dropout's seeds, and facts.

    Args:
        path: the file. A process that is killed leaves the old one, or the
            new one.
        model: the model, compiled.
        facts: what `read_facts` returns.

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

    Returns:
        Dict of `step`, the batches so far; `best`, the metric of the best
        model or `None`; `waited`, the measurements since; `metrics`, those of
        the best model; `history`, a list of a dict for each measurement; and
        `arguments`, the dict that tells whether a run is the same.

    Raises:
        CheckpointError: if the file is damaged or holds other facts.
        OSError: if it can't be read.
    """
    try:
        file = safetensors_file.SafetensorsFile(path)
        facts = json.loads(file.metadata["facts"])
        if not isinstance(facts, dict):
            raise TypeError("its facts are no object")
    # Text that is nested too deep for the parser is a `RecursionError`.
    except (LookupError, TypeError, ValueError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise _damaged(path, f"can't be read ({shown(reason)})") from error
    wrong = [
        name
        for name, is_right in _FACTS.items()
        if name not in facts or not is_right(facts[name])
    ]
    if wrong:
        raise _damaged(path, f"lacks or has a wrong {', '.join(wrong)}")
    return facts


def _damaged(path: Path, what: str) -> CheckpointError:
    return CheckpointError(
        "The state of a run must be a file as `finetune` wrote it. Received: "
        f"{shown(str(path))}, which {what}. Put back a copy of it, or begin "
        "anew with --overwrite."
    )


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < _MOST


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (
        type(value) is int and abs(value) < _MOST
    )


def _are_numbers(value: Any) -> bool:
    # Names are drawn, printed and written.
    return isinstance(value, dict) and all(
        name.isprintable() and _is_number(number)
        for name, number in value.items()
    )


def _is_history(value: Any) -> bool:
    return isinstance(value, list) and all(
        _are_numbers(entry) and _is_count(entry.get("step")) for entry in value
    )


# Larger whole numbers, which JSON may hold, are no floats.
_MOST = 1 << 63
# What each fact must be: the file may be damaged, or a stranger's.
_FACTS: dict[str, Callable[[Any], bool]] = {
    "step": _is_count,
    "best": lambda value: value is None or _is_number(value),
    "waited": _is_count,
    "metrics": _are_numbers,
    "history": _is_history,
    "arguments": lambda value: isinstance(value, dict),
}


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
