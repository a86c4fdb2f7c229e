"""What holds for every test: backend, quiet logs, seeds, hypothesis."""

import os
import sys

import pytest
from hypothesis import settings

# Before anything imports Keras or TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.fixture(autouse=True)
def _seeds():
    """Python, NumPy and Keras start every test from the same seed."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(20200410)
