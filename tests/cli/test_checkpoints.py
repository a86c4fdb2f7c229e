"""`info` and `convert`, on tiny checkpoints of transformers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from checkpoints import files
from checkpoints.conftest import hf  # noqa: F401
from safetensors.numpy import load_file

from tf_longformer.cli.app import main

HEAD = "ForMaskedLM"


@pytest.fixture
def run(capsys, monkeypatch):
    # Ids of the hub are looked for in the cache alone.
    constants = pytest.importorskip(
        "huggingface_hub.constants", reason="the extra [hub]"
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def run(*arguments):
        with pytest.raises(SystemExit) as error:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return error.value.code, captured.out, captured.err

    return run


@pytest.mark.parametrize("command", ["info", "convert"])
def test_help_has_an_example(run, command):
    code, out, err = run(command, "--help")
    assert code == 0
    assert f"Example: tf-longformer {command} " in out
    assert err == ""


@pytest.mark.parametrize("form", ["torch_half", "tensorflow", "torch_sharded"])
def test_info(run, hf, form):  # noqa: F811
    code, out, err = run("info", hf / HEAD / form)
    assert (code, err) == (0, "")
    lines = dict(line.split("  ", 1) for line in out.splitlines())
    lines = {name: text.strip() for name, text in lines.items()}
    dialect = "TensorFlow" if form == "tensorflow" else "PyTorch"
    assert lines["format"] == (
        f"{files.FORMATS[form]}, named as {dialect} has it"
    )
    assert lines["head"] == "LongformerForMaskedLM"
    assert lines["layers"] == "2 of width 6, 3 heads, 7 inside"
    assert lines["windows"] == "4 and 8 tokens, both sides"
    assert lines["positions"] == "17, for texts of up to 15 tokens"
    assert lines["vocabulary"] == "13 tokens"
    assert ("float16" if form == "torch_half" else "float32") in lines["size"]
    assert lines["TFLongformerForMaskedLM"] == "loads completely"
    assert lines["TFLongformerModel"].startswith("loads; newly drawn: pooler; ")


def test_info_says_what_would_go_wrong(run, hf, tmp_path):  # noqa: F811
    folder = files.copy(
        hf / HEAD / "torch", tmp_path / "x", pad_token_id=0,
    )  # fmt: skip
    text = json.dumps({"model_max_length": 17})
    (folder / "tokenizer_config.json").write_text(text, "utf-8")
    code, out, err = run("info", folder)
    assert (code, err) == (0, "")
    assert "! The tokenizer's `model_max_length` is 17, but " in out
    code, out, _ = run("info", folder, "--json")
    assert len(json.loads(out)["problems"]) == 1
    # What is no Longformer has no description.
    (folder / "config.json").write_text('{"model_type": "led"}', "utf-8")
    code, out, err = run("info", folder)
    assert (code, out) == (2, "")
    assert err.startswith("error: It is an encoder-decoder (model_type='led')")


def test_info_of_what_would_not_load(run, hf, tmp_path):  # noqa: F811
    folder = files.copy(
        hf / HEAD / "torch", tmp_path / "x", num_hidden_layers=3,
        attention_window=8, vocab_size=14,
    )  # fmt: skip
    code, out, _ = run("info", folder)
    assert code == 0
    (line,) = [
        line for line in out.splitlines() if "TFLongformerForMask" in line
    ]
    assert "does not load: 22 missing (longformer.encoder.layer.2." in line
    assert "2 of another shape (longformer.embeddings.word_emb" in line
    code, out, _ = run("info", folder, "--json")
    fit = json.loads(out)["fits"]["TFLongformerForMaskedLM"]
    assert not fit["loads"]
    assert len(fit["missing"]) == 22


def test_neither_needs_a_backend(hf, tmp_path):  # noqa: F811
    script = (
        "import sys\n"
        "for name in ('keras', 'tensorflow', 'jax', 'torch'):\n"
        "    sys.modules[name] = None\n"
        "from tf_longformer.cli.app import main\n"
        "main(sys.argv[1:])\n"
    )
    source = str(hf / HEAD / "torch")
    for arguments in (
        ["info", source],
        ["convert", source, str(tmp_path / "x"), "--format", "h5"],
        ["convert", source, str(tmp_path / "y"), "--format", "weights.h5"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", script, *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("save_format", ["safetensors", "h5", "keras"])
def test_convert(run, hf, tmp_path, save_format):  # noqa: F811
    source = tmp_path / "source"
    shutil.copytree(hf / HEAD / "torch", source)
    tokenizer = ("vocab.json", "vocab.txt", "sentencepiece.bpe.model")
    for name in tokenizer:
        (source / name).write_text(name, "utf-8")
    target = tmp_path / "x"
    target.mkdir()
    (target / "merges.txt").write_text("of an older tokenizer", "utf-8")
    code, out, err = run(
        "convert", source, target, "--format", save_format, "--dtype", "float16"
    )
    assert (code, out, err) == (0, f"wrote {target}\n", "")
    for name in tokenizer:
        assert (target / name).read_text("utf-8") == name
    assert not (target / "merges.txt").exists()
    matching, arrays = files.load(target, HEAD)
    expected = dict(files.expected(hf / HEAD))
    files.assert_same_bits(
        arrays, {path: a.astype("float16") for path, a in expected.items()}
    )


def test_convert_for_another_class(run, hf, tmp_path):  # noqa: F811
    source = hf / "ForMultipleChoice/tensorflow"
    code, _, err = run(
        "convert", source, tmp_path, "--head", "LongformerModel",
        "--max-shard-size", "1KB",
    )  # fmt: skip
    assert code == 0
    assert err == "left out: classifier/bias:0, classifier/kernel:0\n"
    found = {}
    for path in tmp_path.glob("*.safetensors"):
        found.update(load_file(path))
    with np.load(hf / "ForMultipleChoice/state_dict.npz") as file:
        assert {f"longformer.{name}" for name in found} == {
            name for name in file.files if name.startswith("longformer.")
        }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["info"], "checkpoint"),
        (["info", "./none"], "must be a folder"),
        (["info", "no/such-model"], "isn't in the cache"),
        (["info", "{hf}/Model"], "must hold config.json"),
        (["info", "{hf}/Model/torch/config.json"], "name must end in"),
        (["convert", "{hf}/Model/torch"], "output"),
        (["convert", "./none", "{out}"], "must be a folder"),
        (["convert", "{hf}/Model/torch", "{out}", "--format", "x"], "--format"),
        (["convert", "{hf}/Model/torch", "{out}", "--dtype", "x"], "--dtype"),
        (["convert", "{hf}/Model/torch", "{out}", "--head", "x"], "`head`"),
        (
            ["convert", "{hf}/Model/torch", "{out}", "--head", "ForMaskedLM"],
            "has none of lm_head",
        ),
        (
            ["convert", "{hf}/Model/torch", "{out}", "--max-shard-size", "x"],
            "`max_shard_size`",
        ),
        (
            ["convert", "{hf}/Model/torch", "{hf}/Model/torch/config.json"],
            "must be a folder",
        ),
    ],
)
def test_bad_input(run, hf, tmp_path, arguments, message):  # noqa: F811
    filled = [one.format(hf=hf, out=tmp_path / "out") for one in arguments]
    code, out, err = run(*filled)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    # Typer writes names of arguments in capitals, or not.
    assert message in err or message.upper() in err
    assert not (tmp_path / "out").exists()
