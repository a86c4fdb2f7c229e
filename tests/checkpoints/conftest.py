"""Tiny checkpoints as transformers wrote them, and adapters as PEFT did."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest
from checkpoints.files import make_versions

ARCHIVE = Path(__file__).with_name("hf.tar.xz")


@pytest.fixture(scope="session")
def hf(tmp_path_factory) -> Path:
    """Folder with `<head>/<format>`; not to be written to."""
    folder = tmp_path_factory.mktemp("hf")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def adapters(tmp_path_factory) -> Path:
    """Folder with `<case>` of `oracles/adapter_worker.py`; as `hf`."""
    folder = tmp_path_factory.mktemp("adapters")
    with tarfile.open(ARCHIVE.with_name("adapters.tar.xz")) as archive:
        archive.extractall(folder, filter="data")
    for path in folder.glob("*/adapter/adapter_config.json"):
        fields = json.loads(path.read_text("utf-8"))
        # Where the base lies is another place now.
        fields["base_model_name_or_path"] = str(path.parents[1] / "base")
        path.write_text(json.dumps(fields), "utf-8")
    return folder


@pytest.fixture
def versions(hf, tmp_path):
    """Two checkpoints that differ in everything."""
    return make_versions(hf, tmp_path)
