"""A tiny model with its tokenizer, for all runs."""

import pytest
from helpers import small_tasks


@pytest.fixture(scope="session")
def source(tmp_path_factory):
    return small_tasks.write_model(tmp_path_factory.mktemp("source"))
