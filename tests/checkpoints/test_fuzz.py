"""Damaged files of every format: our error, or a checkpoint that fits."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tf_longformer.checkpoints import conversion
from tf_longformer.checkpoints.locate import locate

SCRIPT = Path(__file__).with_name("fuzz.py")
HEAD = "ForTokenClassification"
FOLDERS = (
    "safetensors",
    "safetensors_sharded",
    "torch",
    "torch_legacy",
    "torch_sharded",
)
# Each of these takes a process to look at.
HDF5_FOLDERS = ("tensorflow", "weights", "keras")


@pytest.fixture(scope="module")
def folders(hf, tmp_path_factory):
    """The folders of a head, and those that only we write."""
    from tf_longformer.models.keras_conversion import convert_to_keras

    root = tmp_path_factory.mktemp("ours")
    source = locate(hf / HEAD / "torch")
    conversion.convert(source, root / "weights", "weights.h5")
    convert_to_keras(source, root / "keras")
    return lambda name: next(
        path for path in (hf / HEAD / name, root / name) if path.exists()
    )


def run(folder, count, seed):
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(folder), HEAD, str(count), str(seed)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads(done.stdout)
    assert sum(results.values()) == count
    assert results["rejected"] > count // 3


@pytest.mark.parametrize("name", [*FOLDERS, *HDF5_FOLDERS])
def test_damaged_files(folders, name):
    run(folders(name), 8 if name in HDF5_FOLDERS else 60, seed=1)


# Each HDF5 file is listed by a process of its own, which takes a second.
MANY_HDF5 = int(os.environ.get("TF_LONGFORMER_FUZZ_HDF5", "100"))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FOLDERS, *HDF5_FOLDERS])
def test_many_damaged_files(folders, name):
    run(folders(name), MANY_HDF5 if name in HDF5_FOLDERS else 1000, seed=2)
