"""Compares a Longformer with the encoder that it was made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def expected(folder: Path) -> tuple[dict, dict]:
    """Returns what HF's class was called with, and what it returned."""
    with np.load(folder / "expected.npz") as file:
        arrays = {name: file[name] for name in file.files}
    inputs = {name: arrays.pop(name) for name in INPUTS if name in arrays}
    return inputs, arrays


def outputs(model: Any, inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns outputs by HF's names, with some tokens global."""
    if inputs["input_ids"].ndim > model.head_record.input_rank:
        inputs = {name: array[0] for name, array in inputs.items()}
    mask = inputs["attention_mask"]
    draw = np.random.default_rng(0).integers(0, 2, mask.shape)
    found = model(
        {**inputs, "global_attention_mask": draw * mask},
        output_hidden_states=True,
    )
    states = found.pop("hidden_states")
    named = {f"hidden_state_{i}": state for i, state in enumerate(states)}
    return {name: np.asarray(x) for name, x in {**found, **named}.items()}


def assert_same_outputs(
    ours: dict[str, np.ndarray],
    theirs: dict[str, np.ndarray],
    mask: np.ndarray,
    besides: tuple[str, ...] = (),
) -> None:
    """Compares outputs of all tokens that aren't padding."""
    assert set(theirs) - set(ours) == set(besides)
    kept = mask.reshape(-1, mask.shape[-1]).astype(bool)
    for name, array in theirs.items():
        if name in besides:
            continue
        found = ours[name]
        assert found.shape == array.shape, name
        if array.size % kept.size == 0 and kept.shape[1] in array.shape[1:]:
            found = found.reshape(*kept.shape, -1)[kept]
            array = array.reshape(*kept.shape, -1)[kept]
        difference = np.abs(found - array).max() / np.abs(array).max()
        assert difference < 1e-4, (name, difference)


def assert_same_weights(model: Any, folder: Path) -> None:
    """Finds each variable in the file, by its numbers and part of its name.

    The numbers are drawn at random, so that no two tensors are the same.
    """
    arrays = load_file(folder / "model.safetensors")
    by_bytes = {array.tobytes(): name for name, array in arrays.items()}
    parts = {"query": "q", "key": "k", "value": "v"}
    for variable in model.weights:
        path = variable.path
        array = np.asarray(variable)
        if path.endswith("position_embeddings/embeddings"):
            rows = next(
                a for n, a in arrays.items() if "position_embeddings" in n
            )
            reserved = 2 if model.config.pad_token_id == 1 else 0
            first = model.config.pad_token_id + 1
            tokens = np.arange(model.config.max_tokens)
            expected = rows[reserved + tokens % (len(rows) - reserved)]
            np.testing.assert_array_equal(array[first:], expected)
            continue
        if "token_type" in path and not any("token_type" in n for n in arrays):
            assert not array.any()
            continue
        kernel = array.T if path.endswith("kernel") else array
        name = by_bytes.get(np.ascontiguousarray(kernel).tobytes())
        assert name is not None, path
        layer = path.split("/")[-2].removesuffix("_global")
        if layer in parts:
            number = path.split("layer_")[1][0]
            assert f".{number}.attention" in name, (path, name)
            assert f".{layer}." in name or f".{parts[layer]}_lin." in name
