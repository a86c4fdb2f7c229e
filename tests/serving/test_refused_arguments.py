"""What `tf-longformer serve` refuses before it listens."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest
from helpers.toy_saved_model import save_toy
from serving.client import needs_server

from tf_longformer.cli.app import main


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return save_toy(tmp_path_factory.mktemp("models") / "toy/1")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (None, "The model must be a folder"),
        ([], "must be a SavedModel"),
        (["config.json"], "must be a SavedModel"),
        (["1/x"], "The highest version must be a SavedModel"),
        (["1/saved_model.pb", "2/variables/x"], "The highest version must be"),
        (["saved_model.pb"], "must hold a whole SavedModel"),
        (["saved_model.pbtxt"], "must hold a whole SavedModel"),
    ],
)
@needs_server
def test_what_is_no_saved_model(tmp_path, capsys, files, message):
    folder = tmp_path / "model"
    for name in files or ():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"nonsense")
    if files == []:
        folder.mkdir()
    with pytest.raises(SystemExit) as error:
        main(["serve", str(folder), "--port", "0"])
    captured = capsys.readouterr()
    assert (error.value.code, captured.out) == (2, "")
    assert captured.err.count("\n") == 1
    assert message in captured.err


@needs_server
@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("variables/variables.index", "must hold a whole SavedModel"),
        ("variables/variables.data-00000-of-00001", "whole SavedModel"),
    ],
)
def test_a_folder_that_has_lost_files(toy, tmp_path, capsys, lost, message):
    folder = Path(shutil.copytree(toy, tmp_path / "model/1"))
    (folder / lost).unlink()
    with pytest.raises(SystemExit) as error:
        main(["serve", str(folder), "--port", "0"])
    assert error.value.code == 2
    assert message in capsys.readouterr().err


@needs_server
def test_bad_names_and_addresses(toy, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for options, message in (
            (["--port", port], "The address must be free"),
            (["--host", "192.0.2.1"], "The address must be free"),
            (["--host", "no such host"], "The address must be free"),
            (["--name", "a/b"], "must not be empty or have a slash"),
            (["--name", ""], "must not be empty or have a slash"),
            (["--port", "65536"], "--port"),
            (["--workers", "0"], "--workers"),
            (["--max-seconds", "inf"], "--max-seconds"),
            (["--max-seconds", "nan"], "--max-seconds"),
            (["--max-body", "inf"], "--max-body"),
            (["--max-body", "1e308"], "--max-body"),
        ):
            with pytest.raises(SystemExit) as error:
                main(["serve", str(toy), *options])
            captured = capsys.readouterr()
            assert (error.value.code, captured.out) == (2, "")
            assert message in captured.err
