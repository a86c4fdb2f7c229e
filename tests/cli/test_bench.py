"""`tf-longformer bench`."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tf_longformer import LongformerConfig
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer.cli.app import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    TFLongformerForSequenceClassification(
        LongformerConfig(
            vocab_size=53,
            hidden_size=12,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=29,
            attention_window=4,
            max_position_embeddings=34,
        )
    ).save_pretrained(folder)
    return str(folder)


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["bench", *arguments])
    return stop.value.code


def test_a_row_for_each_length(folder, capsys):
    code = run(
        *(folder, "--json", "--repeat", "2", "--batch", "3"),
        *("--length", "20", "--length", "9"),
    )
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0
    assert [row["length"] for row in rows] == [9, 20]
    for row in rows:
        rate = 3 * row["length"] / row["seconds"]
        assert row["tokens_per_second"] == pytest.approx(rate)
        assert row["peak_bytes"] > 0


@pytest.mark.parametrize("options", [("--training",), ("--xla",)])
def test_one_length(folder, capsys, options):
    assert run(folder, "--json", "--length", "9", *options) == 0
    assert json.loads(capsys.readouterr().out)["length"] == 9


@pytest.mark.parametrize(
    "options", [("--training",), pytest.param((), marks=pytest.mark.slow)]
)
def test_on_jax(folder, options):
    pytest.importorskip("jax", reason="needs a second Keras backend")
    arguments = ["bench", folder, "--json", "--length", "9", *options]
    finished = subprocess.run(
        [sys.executable, "-m", "tf_longformer", *arguments],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "KERAS_BACKEND": "jax",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["length"] == 9


def test_too_long_for_the_checkpoint(folder, capsys):
    assert run(folder, "--training", "--length", "33") == 2
    assert "positions for 32 tokens" in capsys.readouterr().err


def test_layers_are_the_checkpoints(folder, capsys):
    assert run(folder, "--training", "--layers", "2") == 2
    assert "--layers 2" in capsys.readouterr().err


def test_info_estimates_memory(folder, capsys):
    with pytest.raises(SystemExit):
        main(["info", folder, "--memory", "--batch", "2", "--json"])
    estimates = json.loads(capsys.readouterr().out)["memory"]
    assert 0 < estimates["forward"] <= estimates["training"]
