"""A SavedModel for all of these tests."""

import pytest
from helpers.toy_saved_model import save_toy


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return save_toy(tmp_path_factory.mktemp("models") / "toy/1")
