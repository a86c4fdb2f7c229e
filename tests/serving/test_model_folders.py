"""Which folder is loaded, what is wrong with it, and what warms it up."""

from __future__ import annotations

import logging
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from serving.client import needs_server
from serving.toy import save_toy

from tf_longformer.cli.app import main
from tf_longformer.serving.errors import RequestError
from tf_longformer.serving.folders import find_version
from tf_longformer.serving.folders import is_model
from tf_longformer.serving.saved_model import SavedModel
from tf_longformer.serving.warmup import FILE
from tf_longformer.serving.warmup import warm_up


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return save_toy(tmp_path_factory.mktemp("models") / "toy/1")


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


def message(**fields):
    """Encodes a message whose fields are strings or messages."""
    encoded = b""
    for name, value in fields.items():
        if len(value) > 127:
            size = bytes([len(value) % 128 + 128, len(value) // 128])
        else:
            size = bytes([len(value)])
        encoded += bytes([int(name[1:]) << 3 | 2]) + size + value
    return encoded


def log(signature, **inputs):
    """Encodes a `PredictionLog` as TensorFlow Serving has it."""
    request = message(_1=message(_1=b"toy", _3=signature.encode()))
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += message(_2=message(_1=name.encode(), _2=tensor))
    return message(_6=message(_1=request))


@pytest.mark.parametrize(
    ("records", "done", "warning"),
    [
        (None, 0, ""),
        ([], 0, ""),
        ([log("text", text=["a", "b"]), log("spin", steps=[2])], 2, ""),
        (
            [log("", input_ids=[[1]], attention_mask=[[1]])],
            1,
            "",
        ),
        (
            [log("text", text=["a"]), log("none"), log("text", text=["a"])],
            1,
            '"none" not found',
        ),
        ([b"nonsense"], 0, "stopped"),
        ([log("text", x=["a"])], 0, "stopped"),
    ],
)
def test_warm_up(toy, tmp_path, caplog, records, done, warning):
    model = SavedModel(toy)
    if records is not None:
        (tmp_path / FILE).parent.mkdir()
        with tf.io.TFRecordWriter(str(tmp_path / FILE)) as file:
            for record in records:
                file.write(record)
    with caplog.at_level(logging.WARNING):
        assert warm_up(model, tmp_path) == done
    assert bool(caplog.text) == bool(warning)
    assert warning in caplog.text


def test_what_a_model_refuses(toy):
    signature = SavedModel(toy).signature()
    ids = np.array([[1, 99]], "int32")
    with pytest.raises(RequestError) as error:
        signature.run({"input_ids": ids, "attention_mask": ids})
    assert error.value.status == 400
    # The sentence and the value, and nothing of the graph.
    assert str(error.value) == (
        "`input_ids` must lie in [0, 61). Received: [1 99]"
    )
    mask = np.ones((1, 3), "int32")
    with pytest.raises(RequestError, match="Incompatible shapes") as error:
        signature.run({"input_ids": mask[:, :2], "attention_mask": mask})
    assert "node" not in str(error.value)


def test_results_are_in_the_order_of_their_names(toy, monkeypatch):
    """Whatever TensorFlow's is, which changes from process to process."""
    signature = SavedModel(toy).signature("text")
    run = signature._function
    for order in (["label", "score"], ["score", "label"]):

        def run_in_order(*, order=order, **inputs):
            outputs = run(**inputs)
            return {name: outputs[name] for name in order}

        monkeypatch.setattr(signature, "_function", run_in_order)
        found = signature.run({"text": np.array([b"a b"], object)})
        assert list(found) == ["label", "score"]
