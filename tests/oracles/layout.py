"""Outputs as arrays by name, HF's and ours in one layout.

`hidden_states.0` is an element of a tuple. NumPy only, as the scripts in the
oracles' environments use it too.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

TOLERANCE = 1e-4


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Returns the arrays of an `.npz` file."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Returns `max|a - b| / max|b|`."""
    assert ours.shape == theirs.shape
    if theirs.size == 0:
        return 0.0
    assert np.isfinite(ours).all()
    largest = np.abs(theirs).max()
    gap = np.abs(ours.astype(np.float64) - theirs).max()
    return float(gap / largest) if largest else float(gap)


def differences(
    ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]
) -> dict[str, float]:
    """Returns the differences by name, of equal sets of names."""
    assert sorted(ours) == sorted(theirs)
    return {name: difference(ours[name], theirs[name]) for name in theirs}


def assert_close(
    ours: dict[str, np.ndarray],
    theirs: dict[str, np.ndarray],
    tolerance: float = TOLERANCE,
) -> None:
    """Asserts that no array is further off than the tolerance."""
    gaps = differences(ours, theirs)
    wrong = {name: gap for name, gap in gaps.items() if not gap < tolerance}
    assert not wrong


def roll(x: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """Rolls each row of `[..., seq, ...]` by its own number of places."""
    axis = shift.ndim
    result = np.empty_like(x)
    for index in np.ndindex(shift.shape):
        result[index] = np.roll(x[index], shift[index], axis=axis - shift.ndim)
    return result


def global_counts(case: Any, outputs: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the global tokens of each row, as HF's outputs tell them."""
    far = outputs.get("global_attentions.0")
    if far is None:
        return np.zeros(outputs["attentions.0"].shape[0], int)
    # Their local rows are zero, and so are those of padding.
    local = outputs["attentions.0"]
    zero_rows = (np.abs(local).sum(axis=(1, 3)) == 0).sum(axis=1)
    mask = case.hf_inputs().get("attention_mask")
    if mask is None:
        return zero_rows
    mask = mask.reshape(-1, mask.shape[-1])
    return zero_rows - (mask == 0).sum(axis=1)


def in_our_layout(
    case: Any, outputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns HF's outputs with the deliberate differences undone.

    The key axis of the global attentions ends with the input and unused
    slots are zero; rows that were turned for HF are turned back; HF's pooler
    reads padding where a row begins with it, so that it is left out.
    """
    outputs = dict(outputs)
    seq = outputs["hidden_states.0"].shape[1]
    counts = global_counts(case, outputs)
    for name, value in outputs.items():
        if name.startswith("global_attentions"):
            used = np.arange(value.shape[-1]) < counts[:, None]
            outputs[name] = value[:, :, :seq] * used[:, None, None]
    if not case.padded_left:
        return outputs
    outputs.pop("pooler_output", None)
    if case.reads_first_token:
        shift = case.padding().reshape(-1)
        for name, value in outputs.items():
            if name.startswith("hidden_states"):
                outputs[name] = roll(value, shift)
            elif "attentions" in name:
                turned = roll(value.swapaxes(1, 2), shift)
                outputs[name] = turned.swapaxes(1, 2)
    return outputs


def as_arrays(
    outputs: Any, windows: list[int], slots: int
) -> dict[str, np.ndarray]:
    """Flattens our outputs and cuts slots beyond HF's, which must be zero."""
    arrays = {}
    for name, value in outputs.items():
        if isinstance(value, tuple):
            for index, element in enumerate(value):
                arrays[f"{name}.{index}"] = np.asarray(element)
        else:
            arrays[name] = np.asarray(value)
    for layer, window in enumerate(windows):
        local = arrays[f"attentions.{layer}"]
        extra = local.shape[-1] - window - 1 - slots
        assert not local[..., slots : slots + extra].any()
        arrays[f"attentions.{layer}"] = np.delete(
            local, np.s_[slots : slots + extra], axis=-1
        )
        far = arrays.get(f"global_attentions.{layer}")
        if far is not None:
            assert not far[..., slots:].any()
            arrays[f"global_attentions.{layer}"] = far[..., :slots]
            if slots == 0:
                del arrays[f"global_attentions.{layer}"]
    return arrays
