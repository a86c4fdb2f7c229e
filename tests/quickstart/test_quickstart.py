"""The main job from end to end: with a tiny model, and as it is."""

import json
import os
import re
import shlex
import subprocess
import sys

import pytest
from helpers.small_tokenizer import FOLDER
from serving.client import needs_server

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer.quickstart.output_folder import ENTRIES
from tf_longformer.quickstart.search import QUESTIONS

SMALL = ("quickstart", "--documents=12", "--max-length=256", "--steps=2")
PROGRAM = (sys.executable, "-m", "tf_longformer")
# The same with another model in the place of mini.
WITH_TINY = """
from tf_longformer.cli.console import import_backend
import_backend()
from tf_longformer.quickstart import run
run.MINI = "tiny"
from tf_longformer.cli.app import main
main()
"""


def _run(folder, *command):
    """Runs a command as a user does, who hasn't set TensorFlow's log level."""
    environment = dict(os.environ)
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    finished = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    return finished


def _report(folder):
    return json.loads((folder / "out" / "report.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    tokenizer = LongformerTokenizerFast.from_pretrained(FOLDER)
    config = LongformerConfig(
        vocab_size=len(tokenizer),
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        attention_window=64,
        max_position_embeddings=4098,
        pad_token_id=1,
    )
    folder = tmp_path_factory.mktemp("quickstart")
    TFLongformerForMaskedLM(config).save_pretrained(folder / "tiny")
    tokenizer.save_pretrained(folder / "tiny")
    finished = _run(
        folder, sys.executable, "-c", WITH_TINY, *SMALL, "--output=out"
    )
    return folder, finished, _report(folder)


def test_no_step_is_left_out(small):
    _, finished, report = small
    assert len(report["filled"]) == 3
    assert list(report["search"]) == list(QUESTIONS)
    assert list(report["accuracy"]) == [
        "majority class",
        "bag of words, whole document",
        "Longformer from scratch",
        "Longformer from mini",
    ]
    assert report["corpus"]["held_out"] >= 2 * 4
    assert report["explanation"]["predicted"] in report["corpus"]["projects"]
    assert {"reloaded", "saved_model"} <= set(report["checks"])
    titles = re.findall(r"^(\d)\. ", finished.stdout, re.MULTILINE)
    assert titles == list("12345")
    assert finished.stdout.count("Next:") == 5
    assert "Everything lies in out" in finished.stdout


@needs_server
def test_a_server_has_answered(small):
    _, finished, report = small
    assert report["checks"]["served"] <= 1e-4
    assert re.search(r"its answer +\w+ \d+%, ", finished.stdout)


def test_it_writes_its_folder_and_nothing_else(small):
    folder, _, _ = small
    assert {path.name for path in folder.iterdir()} == {"tiny", "out"}
    assert {path.name for path in (folder / "out").iterdir()} == set(ENTRIES)
    page = (folder / "out" / "explain.html").read_text("utf-8")
    assert page.lower().startswith("<!doctype html>")


def test_nothing_but_the_report_is_on_the_terminal(small):
    _, finished, _ = small
    assert finished.stderr == ""
    assert "WARNING" not in finished.stdout


def test_it_says_what_to_type(small):
    folder, finished, _ = small
    text = finished.stdout.replace("\\\n", " ")
    lines = re.findall(r"^  ((?:\S*tf-longformer|echo|curl) .*)$", text, re.M)
    words = [shlex.split(line) for line in lines]
    assert [
        line[0 if line[0] in ("echo", "curl") else 1] for line in words
    ] == [
        *("echo", "predict", "embed", "embed", "evaluate", "predict"),
        *("explain", "serve", "curl"),
    ]
    assert json.loads(words[0][1])["text"].count("<mask>") == 1
    assert json.loads(words[-1][-1])["signature_name"] == "text"
    for word in sum(words, []):
        if word.startswith("out/"):
            assert (folder / word).exists()


@pytest.mark.slow
def test_what_it_says_to_type_runs(tmp_path):
    options = ("--output=out", "--max-length=256", "--steps=2")
    stdout = _run(tmp_path, *PROGRAM, "quickstart", *options).stdout
    echo, *commands = re.findall(
        r"^  ((?:\S*tf-longformer|echo) .*)$",
        stdout.replace("\\\n", " "),
        re.M,
    )
    _run(tmp_path, "bash", "-c", echo)
    for command in commands:
        _, *words = shlex.split(command)
        if words[0] != "serve":
            _run(tmp_path, *PROGRAM, *words)
    for name in ("words.jsonl", "vectors.npy", "labels.jsonl", "page.html"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.slow
def test_it_learns_within_its_means(tmp_path):
    _run(tmp_path, *PROGRAM, "quickstart", "--output=out")
    report = _report(tmp_path)
    accuracy = report["accuracy"]
    tuned = accuracy["Longformer from mini"]
    assert tuned >= accuracy["majority class"] + 0.3
    assert report["cost"]["peak_memory_gb"] < 4.0
