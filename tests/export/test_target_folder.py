import os
import threading

import pytest

from tf_longformer.export.target_folder import check_replaceable
from tf_longformer.export.target_folder import new_folder


def test_appears_whole_at_the_end(tmp_path):
    path = tmp_path / "models" / "1"
    with new_folder(path, overwrite=False) as folder:
        (folder / "file").write_text("new")
        assert not path.exists()
        # A server that polls must not take the work for a version.
        assert not [p for p in path.parent.iterdir() if p.name.isdigit()]
    assert (path / "file").read_text() == "new"
    assert [p.name for p in path.parent.iterdir()] == ["1"]


def test_content_is_replaced_only_on_request(tmp_path):
    path = tmp_path / "1"
    path.mkdir()
    (path / "saved_model.pb").write_text("old")
    with pytest.raises(FileExistsError, match="ask to overwrite"):
        with new_folder(path, overwrite=False):
            raise AssertionError("must not begin")
    assert (path / "saved_model.pb").read_text() == "old"
    with new_folder(path, overwrite=True) as folder:
        (folder / "file").write_text("new")
    assert [p.name for p in path.iterdir()] == ["file"]


def test_empty_folder_is_as_good_as_none(tmp_path):
    (tmp_path / "1").mkdir()
    with new_folder(tmp_path / "1", overwrite=False) as folder:
        (folder / "file").write_text("new")
    assert (tmp_path / "1" / "file").exists()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_one(tmp_path, error):
    path = tmp_path / "1"
    path.mkdir()
    (path / "saved_model.pb").write_text("old")

    def fail():
        with new_folder(path, overwrite=True) as folder:
            (folder / "file").write_text("new")
            raise error

    with pytest.raises(error):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["1"]
    assert [p.name for p in path.iterdir()] == ["saved_model.pb"]


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize("number", [1, 2])
def test_interrupted_renames_leave_the_old_one(
    tmp_path, monkeypatch, number, done
):
    path = tmp_path / "1"
    path.mkdir()
    (path / "saved_model.pb").write_text("old")
    rename = os.rename
    calls = []

    def interrupted(source, target):
        calls.append(source)
        if len(calls) != number:
            return rename(source, target)
        if done:
            rename(source, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", interrupted)

    def replace():
        with new_folder(path, overwrite=True) as folder:
            (folder / "file").write_text("new")

    with pytest.raises(KeyboardInterrupt):
        replace()
    assert [p.name for p in tmp_path.iterdir()] == ["1"]
    assert [p.name for p in path.iterdir()] == ["saved_model.pb"]


def test_file_is_refused(tmp_path):
    (tmp_path / "1").write_text("mine")
    with pytest.raises(FileExistsError, match="which is a file"):
        with new_folder(tmp_path / "1", overwrite=True):
            raise AssertionError("must not begin")


@pytest.mark.parametrize("inside", ["config.json", "1/saved_model.pb"])
def test_only_exports_are_replaced(tmp_path, inside):
    """Not the checkpoint itself, and not all versions of a model."""
    path = tmp_path / "model" / inside
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="Only an export is overwritten"):
        with new_folder(tmp_path / "model", overwrite=True):
            raise AssertionError("must not begin")
    assert path.read_text() == "mine"


def test_another_export_takes_the_folder_away(tmp_path):
    """A folder that is there or gone is no file, whenever that is asked."""
    path, away = tmp_path / "1", tmp_path / "away"
    path.mkdir()
    done = threading.Event()

    def rename():
        while not done.is_set():
            path.rename(away)
            away.rename(path)

    other = threading.Thread(target=rename)
    other.start()
    try:
        for _ in range(10_000):
            check_replaceable(path, overwrite=True)
    finally:
        done.set()
        other.join()
