"""What holds for every test: backend, quiet logs, seeds, hypothesis."""

import ctypes
import gc
import logging
import os
import sys
import time

import pytest
from hypothesis import settings

from tf_longformer.heads import HEADS

# Before anything imports Keras or TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Each of TensorFlow's threads would have a heap of its own, which only grows.
# Read by the processes that pytest-xdist starts.
os.environ.setdefault("MALLOC_ARENA_MAX", "2")

settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci", deadline=None, derandomize=True, print_blob=True
)
settings.load_profile("ci" if os.environ.get("CI") else "default")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A slow machine leaves out the last of the slow tests, and says so.

    `TF_LONGFORMER_SLOW_TESTS_UNTIL` is when the last of them may begin, in
    seconds since 1970.
    """
    until = os.environ.get("TF_LONGFORMER_SLOW_TESTS_UNTIL")
    if until and time.time() > float(until) and item.get_closest_marker("slow"):
        pytest.skip("Not begun: the time for slow tests is over.")


@pytest.fixture(autouse=True, scope="module")
def _cheap_collections():
    """What was there before a file's tests is not searched for garbage.

    Keras collects it for each layer that it quantizes and for each session
    that it clears, among the million objects of TensorFlow.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _seeds():
    """Python, NumPy and Keras start every test from the same seed."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(20200410)


@pytest.fixture(autouse=True)
def _process_as_it_was():
    """A test that leaves the process changed fails, not those after it."""
    logger = logging.getLogger("tf_longformer")
    level, heads = logger.level, dict(HEADS)
    yield
    left = logger.level, dict(HEADS)
    logger.setLevel(level)
    HEADS.clear()
    HEADS.update(heads)
    policy = "float32"
    if "keras" in sys.modules:
        config = sys.modules["keras"].config
        policy = config.dtype_policy().name
        config.set_dtype_policy("float32")
    assert left == (level, heads)
    assert policy == "float32"


@pytest.fixture(autouse=True)
def _free_pages():
    """What compilers freed goes back to the system, after some growth."""
    yield
    if sys.platform == "linux" and _resident() > _free_pages_above[0]:
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:  # musl has none
            trim(0)
        _free_pages_above[0] = _resident() + 100 * 2**20


_free_pages_above = [0]


def _resident() -> int:
    """Returns the bytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")
