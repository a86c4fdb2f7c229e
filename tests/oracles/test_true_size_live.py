"""The size of longformer-base-4096 against HF PyTorch: 4,096 tokens."""

from __future__ import annotations

import functools
from pathlib import Path

import comparison
import layout
import numpy as np
import pytest
from cases import true_size_case

pytestmark = [pytest.mark.oracle, pytest.mark.slow]

CASE = true_size_case()


@pytest.fixture(scope="module", params=[4, 5])
def oracle(request, tmp_path_factory) -> Path:
    version = request.param
    folder = tmp_path_factory.mktemp(f"true_size_{version}")
    comparison.run_cases(version, [CASE], folder)
    return folder / CASE.name / f"hf{version}"


@functools.cache
def our_outputs(mode: str, folder: Path) -> dict:
    model = comparison.model_class(CASE.head).from_pretrained(folder)
    outputs = comparison.in_mode(
        lambda inputs: model(inputs, output_hidden_states=True),
        mode,
        CASE.inputs,
    )(CASE.inputs)
    return layout.as_arrays(outputs, [], 0)


_folders: list[Path] = []


@pytest.mark.parametrize("mode", ["graph", "xla"])
def test_outputs(oracle, mode):
    # All versions draw the same weights, so that we run once.
    _folders.append(oracle / "model")
    ours = our_outputs(mode, _folders[0])
    theirs = layout.load_arrays(oracle / "outputs.npz")
    assert len(theirs) == 15
    layout.assert_close(ours, theirs)
    # The inputs were worth it: every layer changes much, in every token.
    hidden = [theirs[f"hidden_states.{layer}"] for layer in (0, 6, 12)]
    for before, after in zip(hidden, hidden[1:], strict=False):
        assert np.abs(after - before).mean() > 0.1
