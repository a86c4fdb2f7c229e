"""Tiny checkpoints as transformers wrote them."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest

ARCHIVE = Path(__file__).with_name("hf.tar.xz")


@pytest.fixture(scope="session")
def hf(tmp_path_factory) -> Path:
    """Folder with `<head>/<format>`; not to be written to."""
    folder = tmp_path_factory.mktemp("hf")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder
