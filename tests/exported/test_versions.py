"""Which folder is loaded."""

from __future__ import annotations

import sys
import threading

import pytest

from tf_longformer import atomic
from tf_longformer.exported.versions import find_version
from tf_longformer.exported.versions import is_model


def test_a_version_by_its_folder_or_its_models(toy, tmp_path):
    assert find_version(toy) == (toy, "toy", 1)
    assert find_version(toy.parent) == (toy, "toy", 1)
    for name in ("9", "10", "012", "11.partial", ".12-x"):
        (tmp_path / "m" / name).mkdir(parents=True)
        (tmp_path / "m" / name / "saved_model.pb").touch()
    (tmp_path / "m/13").touch()
    # As TensorFlow Serving reads numbers.
    assert find_version(tmp_path / "m") == (tmp_path / "m/012", "m", 12)
    zeros = tmp_path / "m/012"
    assert find_version(zeros) == (zeros, "m", 12)
    named = tmp_path / "m/11.partial"
    assert find_version(named) == (named, "11.partial", 1)
    assert is_model(tmp_path / "m")
    assert is_model(toy)
    assert not is_model(tmp_path)
    assert not is_model(tmp_path / "none")


@pytest.mark.skipif(
    sys.platform == "win32", reason="folders have no locks there"
)
@pytest.mark.parametrize("name", [".", "1"])
def test_a_version_that_is_just_being_replaced(tmp_path, name):
    (tmp_path / "1").mkdir()
    (tmp_path / "1/saved_model.pb").touch()
    is_away = threading.Event()

    def replace():
        with atomic.locked(tmp_path):
            (tmp_path / "1").rename(tmp_path / "away")
            is_away.set()
            # Longer than a rename ever takes.
            threading.Event().wait(0.5)
            (tmp_path / "away").rename(tmp_path / "1")

    writer = threading.Thread(target=replace)
    writer.start()
    is_away.wait()
    assert find_version(tmp_path / name).path == tmp_path / "1"
    writer.join()
