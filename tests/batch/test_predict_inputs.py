"""Ids, lists and files that `tf-longformer predict` is given."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from helpers.tiny import make_model

from tf_longformer.batch.rows import read_input
from tf_longformer.exported.json_tensors import TensorSpec


def write(path, rows):
    lines = [json.dumps({"input_ids": row}) + "\n" for row in rows]
    path.write_text("".join(lines), "utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_bad_ids_of_a_checkpoint(tmp_path, run):
    make_model("ForSequenceClassification").save_pretrained(tmp_path / "model")
    source = write(tmp_path / "in", [[5, 6], [5, 61]])
    code, _, err = run(tmp_path / "model", source, tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert err.startswith(
        f"error: {source}, line 2: `input_ids` must lie in [0, 61)."
    )
    assert "File" not in err


def test_a_checkpoint_that_returns_tuples(tmp_path, run):
    model = make_model("ForSequenceClassification", return_dict=False)
    model.save_pretrained(tmp_path / "model")
    assert not model.config.return_dict
    source = write(tmp_path / "in", [[5, 6]])
    code, _, err = run(tmp_path / "model", source, tmp_path / "out")
    assert (code, err) == (0, "")
    (found,) = read(tmp_path / "out")
    expected = model(np.array([[5, 6]]))[0].numpy()[0]
    np.testing.assert_allclose(found["logits"], expected, 1e-4, 1e-5)


def test_csv_of_ids(toy, tmp_path, run):
    make_model("ForSequenceClassification").save_pretrained(tmp_path / "model")
    cells = tmp_path / "in.csv"
    cells.write_text('input_ids,attention_mask\n"[5, 6]","[1, 0]"\n')
    lines = tmp_path / "in.jsonl"
    lines.write_text('{"input_ids": [5, 6], "attention_mask": [1, 0]}\n')
    for source in (cells, lines):
        target = tmp_path / f"{source.name}.out"
        code, _, err = run(tmp_path / "model", source, target)
        assert (code, err) == (0, "")
    assert read(tmp_path / "in.csv.out") == read(tmp_path / "in.jsonl.out")
    cells.write_text(f'input_ids\n"{"[" * 100_000}"\n')
    for model in ([tmp_path / "model"], [toy, "--signature", "tags"]):
        options = model[1:]
        code, _, err = run(model[0], cells, tmp_path / "out", *options)
        assert (code, err.count("\n")) == (2, 1)
        assert "line 2: input_ids must be a list. Received: '[[[" in err


def test_choices_in_a_cell():
    choices = TensorSpec("choices", "string", (None,))
    for given in ('["a", "b, c"]', ["a", "b, c"]):
        assert list(read_input(given, choices)) == [b"a", b"b, c"]
    text = TensorSpec("text", "string", ())
    assert read_input('["a"]', text) == b'["a"]'
    with pytest.raises(ValueError, match=r"choices must be a list.*\["):
        read_input("a", choices)


def test_packed_input(toy, tmp_path, run):
    (tmp_path / "in.jsonl.gz").write_bytes(gzip.compress(b'{"text": "a"}'))
    code, _, err = run(toy, tmp_path / "in.jsonl.gz", tmp_path / "out")
    assert (code, err.count("\n")) == (2, 1)
    assert "Unpack it first" in err
