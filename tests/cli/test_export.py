"""`tf-longformer export`: options that a format does not have."""

from __future__ import annotations

import pytest
from helpers.tiny import make_model

from tf_longformer.cli.app import main
from tf_longformer.export import runtimes


def run(*arguments) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["export", *(str(argument) for argument in arguments)])
    return stop.value.code


@pytest.mark.parametrize(
    ("chosen", "options", "message"),
    [
        (
            "onnx",
            ["--weights", "int8"],
            "--weights is for --format saved-model",
        ),
        # Also where it is what would be anyway.
        ("litert", ["--ids", "int32"], "--ids is for"),
        ("openvino", ["--xla"], "--xla is for"),
        ("aot", ["--xla-length", "8"], "--xla-length is for"),
        ("onnx", ["--xla-batch", "8"], "--xla-batch is for"),
        ("onnx", ["--top-k", "3"], "--top-k is for"),
        ("onnx", ["--max-answer-len", "3"], "--max-answer-len is for"),
        ("onnx", ["--no-text"], "--text/--no-text is for"),
        ("onnx", ["--no-warmup"], "--warmup/--no-warmup is for"),
        (
            "saved-model",
            ["--with-global-attention"],
            "is for --format litert or onnx or openvino or aot. Received: "
            "--format saved-model.",
        ),
        ("litert", ["--batch", "2"], "--batch is for --format aot."),
        ("saved-model", ["--length", "8"], "--length is for --format aot."),
        ("onnx", ["--choices", "3"], "--choices is for --format aot."),
    ],
)
def test_options_of_other_formats(tmp_path, capsys, chosen, options, message):
    target = tmp_path / "1"
    # Nothing is read or written before.
    assert run("none", target, "--format", chosen, *options) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert not target.exists()


def test_shape_of_a_compiled_model(tmp_path, capsys, monkeypatch):
    """What is compiled is in `tests/export/test_runtimes.py`."""
    found = {}
    monkeypatch.setattr(
        runtimes, "export_aot", lambda *_, **given: found.update(given)
    )
    for head in ("ForMultipleChoice", "ForMaskedLM"):
        make_model(head).save_pretrained(tmp_path / head)
    options = ("--format", "aot", "--batch", "3", "--choices", "5")
    assert run(tmp_path / "ForMultipleChoice", tmp_path / "1", *options) == 0
    assert found == {
        "overwrite": False,
        "with_global_attention": False,
        "batch": 3,
        "length": 35,
        "choices": 5,
        "target_cpu": "x86-64-v3",
    }
    capsys.readouterr()
    assert run(tmp_path / "ForMaskedLM", tmp_path / "1", *options) == 2
    assert "Received: a TFLongformerForMaskedLM." in capsys.readouterr().err
