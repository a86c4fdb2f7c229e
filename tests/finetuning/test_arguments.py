"""Arguments of the command and of files."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tf_longformer.cli.app import app
from tf_longformer.cli.console import report_error
from tf_longformer.data.examples import FORMATS
from tf_longformer.data.examples import read_examples
from tf_longformer.errors import BadExamples
from tf_longformer.finetuning.arguments import TASK_NAMES
from tf_longformer.finetuning.arguments import Arguments
from tf_longformer.finetuning.arguments import read_arguments
from tf_longformer.finetuning.workers import Workers

GIVEN = {
    "task": "masked-lm",
    "model": "m",
    "train": "t.jsonl",
    "output": "o",
}


def test_tasks_are_those_of_examples():
    assert TASK_NAMES == tuple(FORMATS)


def test_a_file_holds_all_of_it(tmp_path):
    path = tmp_path / "run.json"
    path.write_text(
        json.dumps({**GIVEN, "learning-rate": 1, "column": {"text": "body"}}),
        "utf-8",
    )
    arguments = Arguments(**read_arguments(path))
    assert arguments.train == Path("t.jsonl")
    assert arguments.learning_rate == 1.0
    assert arguments.columns == {"text": "body"}
    assert Arguments(**arguments.to_json()) == arguments
    path = tmp_path / "run.toml"
    path.write_text('model = "m"\nbatch_size = 4\n', "utf-8")
    if sys.version_info >= (3, 11):
        assert read_arguments(path) == {"model": "m", "batch_size": 4}
    else:
        with pytest.raises(ValueError, match=r"Python 3\.11"):
            read_arguments(path)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": ""}, "no model"),
        ({"batch_size": 0}, "of at least 1"),
        ({"batch_size": True}, "an integer"),
        ({"batch_size": "8"}, "an integer"),
        ({"learning_rate": "fast"}, "a number"),
        ({"mask_probability": 2}, "at most 1"),
        ({"xla": 1}, "true or false"),
        ({"schedule": "square"}, "one of linear, cosine, constant"),
        ({"column": "text=body"}, "a list of texts"),
    ],
)
def test_wrong_values(wrong, message):
    with pytest.raises(ValueError, match=message):
        Arguments(**{**GIVEN, **wrong})


def test_wrong_columns_and_names(tmp_path):
    with pytest.raises(ValueError, match="NAME=COLUMN"):
        _ = Arguments(**GIVEN, column=["text"]).columns
    path = tmp_path / "run.json"
    path.write_text('{"learningrate": 1}', "utf-8")
    with pytest.raises(ValueError, match="with learningrate"):
        read_arguments(path)


def test_every_argument_is_an_option():
    shown = CliRunner().invoke(
        app, ["finetune", "--help"], env={"COLUMNS": "200"}
    )
    for name in Arguments.__dataclass_fields__:
        if name != "task":
            assert f"--{name.replace('_', '-')}" in shown.output


def test_each_bad_line_is_said_on_its_own(tmp_path, capsys):
    path = tmp_path / "bad.jsonl"
    path.write_text("{\n\n[1]\n", "utf-8")
    with pytest.raises(BadExamples) as error:
        read_examples(path, "masked-lm")
    assert report_error(error.value, debug=False) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"error: {path}, line 1: Each line must")
    assert lines[1].startswith(f"{path}, line 3: A line must be")


@pytest.mark.parametrize(
    "given",
    [
        None,
        "{",
        "3",
        '{"cluster": {"worker": ["a:1"]}}',
        '{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}}',
        '{"cluster": {"worker": ["a:1"]}, '
        '"task": {"type": "worker", "index": 1}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:1"]}, '
        '"task": {"type": "worker", "index": 0}}',
    ],
)
def test_workers_need_their_addresses(given, monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    if given is not None:
        monkeypatch.setenv("TF_CONFIG", given)
    with pytest.raises(ValueError, match="environment variable TF_CONFIG"):
        Workers("multiworker")
