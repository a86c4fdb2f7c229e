"""`tf-longformer predict` on files of any size, interrupted and resumed."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from helpers.tiny import make_model
from helpers.toy_saved_model import TAGS
from helpers.toy_saved_model import sums

from tf_longformer import LongformerTokenizerFast
from tf_longformer.batch import prediction
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.prediction import predict_file
from tf_longformer.batch.saved_model_predictor import SavedModelPredictor
from tf_longformer.cli.app import main
from tf_longformer.tasks import classify


@pytest.mark.parametrize("command", ["predict", "serve"])
def test_help_has_an_example(capsys, command):
    with pytest.raises(SystemExit) as error:
        main([command, "--help"])
    assert error.value.code == 0
    shown = capsys.readouterr().out
    assert f"Example: tf-longformer {command} " in shown
    if command == "serve":
        assert "Needs the extra named serve." in " ".join(shown.split())


def write(path, values):
    path.write_text(
        "".join(json.dumps(value) + "\n" for value in values), "utf-8"
    )
    return path


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def draw(count):
    """Rows of ids of lengths 1 to 40."""
    rng = random.Random(count)
    return [
        [rng.randrange(60) for _ in range(rng.randint(1, 40))]
        for _ in range(count)
    ]


@pytest.mark.parametrize("batch_tokens", [1, 100, 8192])
def test_lines_come_in_order(toy, tmp_path, run, batch_tokens):
    rows = draw(700)
    source = write(tmp_path / "in.jsonl", [{"input_ids": r} for r in rows])
    target = tmp_path / "out.jsonl"
    code, out, err = run(
        toy, source, target, "--signature", "serving_default",
        "--batch-tokens", batch_tokens,
    )  # fmt: skip
    assert (code, out, err) == (0, f"wrote 700 lines to {target}\n", "")
    assert read(target) == [{"logits": sums(row)} for row in rows]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "in.jsonl",
        "out.jsonl",
    ]


def test_outputs_of_tokens_end_with_the_row(toy, tmp_path, run):
    rows = draw(50)
    # What else a record has is left alone.
    records = [{"input_ids": row, "id": "x"} for row in rows]
    source = write(tmp_path / "in.jsonl", records)
    assert run(toy, source, tmp_path / "out", "--signature", "tags")[0] == 0
    for row, found in zip(rows, read(tmp_path / "out"), strict=True):
        expected = np.array(row)[:, None] * TAGS
        np.testing.assert_array_equal(found["logits"], expected)
        assert found["count"] == row[0]


def test_given_masks(toy, tmp_path, run):
    source = write(
        tmp_path / "in.jsonl",
        [{"input_ids": [3, 4, 5], "attention_mask": [1, 0, 1]}],
    )
    run(toy, source, tmp_path / "out", "--signature", "serving_default")
    assert read(tmp_path / "out") == [{"logits": [16.0, 4.0]}]


@pytest.mark.parametrize("form", ["objects", "strings", "csv"])
def test_texts(toy, tmp_path, run, form):
    texts = ["a", 'say "naïve",\nthen', "\U0001f600" * 30, " "]
    if form == "csv":
        source = tmp_path / "in.csv"
        quoted = ['"' + text.replace('"', '""') + '"' for text in texts]
        lines = "".join(f"{i},{text}\r\n" for i, text in enumerate(quoted))
        source.write_bytes(f"\ufeffid,text\r\n{lines}".encode())
    else:
        records = [{"text": text} for text in texts]
        source = tmp_path / "in.jsonl"
        write(source, records if form == "objects" else texts)
    assert run(toy, source, tmp_path / "out")[0] == 0
    assert read(tmp_path / "out") == [
        {"label": f"{text}!", "score": len(text.encode()) / 2} for text in texts
    ]


def test_empty_lines_and_files(toy, tmp_path, run):
    (tmp_path / "in").write_text('\n{"text": "a"}\n   \n{"text": "b"}', "utf-8")
    assert run(toy, tmp_path / "in", tmp_path / "out")[0] == 0
    assert [row["label"] for row in read(tmp_path / "out")] == ["a!", "b!"]
    (tmp_path / "none").write_text("")
    code, out, _ = run(toy, tmp_path / "none", tmp_path / "no")
    assert (code, out) == (0, f"wrote 0 lines to {tmp_path / 'no'}\n")
    assert (tmp_path / "no").read_bytes() == b""


IDS = ["--signature", "serving_default"]


@pytest.mark.parametrize(
    ("line", "options", "message"),
    [
        (b'{"text": ', [], "line 3: Each line must be a JSON value. Received"),
        (b'{"text": 3}', [], "line 3: text must be of type string. Received"),
        (b'{"texts": "a"}', [], "line 3: A record must have the inputs text."),
        (b'["a"]', [], "line 3: text must have 0 axes"),
        (b'{"text": "\xff"}', [], "line 3: A file must be UTF-8"),
        (b'{"text": "\\ud800"}', [], "line 3: text must be valid UTF-8"),
        (b'{"input_ids": []}', IDS, "line 3: input_ids must not be empty"),
        (b'{"input_ids": [[1]]}', IDS, "line 3: input_ids must have 1 axes"),
        (b'{"input_ids": [1, 99]}', IDS, "line 3: `input_ids` must lie in [0"),
        (b'{"input_ids": [1.5]}', IDS, "line 3: input_ids[0] must be of type"),
        (
            b'{"input_ids": [1], "attention_mask": [1, 1]}',
            IDS,
            "line 3: attention_mask must have the shape of input_ids. "
            "Received: [2] and [1].",
        ),
        (b"[1]", IDS, "line 3: A record must be an object with the inputs"),
    ],
)
def test_bad_lines(toy, tmp_path, run, line, options, message):
    good = b'{"input_ids": [5], "text": "a"}\n'
    (tmp_path / "in").write_bytes(good + b"\n" + line + b"\n" + good)
    code, out, err = run(toy, tmp_path / "in", tmp_path / "out", *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {tmp_path / 'in'}, {message}")
    assert not (tmp_path / "out").exists()


def test_bad_csv(toy, tmp_path, run):
    source = tmp_path / "in.csv"
    for content, line in (
        (b"text,id\na,1\nb\n", 3),
        (b'text,id\n"a\nb",1\n"x"y,2\n', 4),
        (b'text\na\n"open\n', 3),
        (b"text\ra\rb\r", 1),
        (b'"text,id\na,1\n', 1),
        (b"text,id,text\na,1,b\n", 1),
    ):
        source.write_bytes(content)
        code, _, err = run(toy, source, tmp_path / "out")
        assert code == 2
        assert f"in.csv, line {line}: " in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{toy}", "{tmp}/none", "{tmp}/out"], "The input must be a file"),
        (["{toy}", "{tmp}", "{tmp}/out"], "The input must be a file"),
        (["{toy}", "{tmp}/in", "{tmp}/in"], "a file of their own"),
        (["{toy}", "{tmp}/in", "{tmp}/in", "--overwrite"], "of their own"),
        (["{toy}", "{tmp}/in", "{tmp}"], "to a regular file"),
        (["{tmp}/no", "{tmp}/in", "{tmp}/out"], "must be a folder"),
        (["{tmp}", "{tmp}/in", "{tmp}/out"], "must hold config.json"),
        (["{tmp}", "{tmp}/in", "{tmp}/out", *IDS], "has signatures"),
        (
            ["{toy}", "{tmp}/in", "{tmp}/out", "--signature", "none"],
            '"none" not found',
        ),
        (["{toy}", "{tmp}/in", "{tmp}/out", "--batch-rows", "0"], "batch-rows"),
        (["{toy}", "{tmp}/in"], "OUTPUT"),
    ],
)
def test_bad_arguments(toy, tmp_path, run, arguments, message):
    write(tmp_path / "in", [{"text": "a"}])
    filled = [one.format(toy=toy, tmp=tmp_path) for one in arguments]
    code, out, err = run(*filled)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


class Killed(BaseException):
    """Ends a run at once."""


class Interrupted:
    """A predictor whose process dies in a certain batch."""

    def __init__(self, predictor, batches):
        self._predictor = predictor
        self.left = batches

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def run(self, rows):
        if not self.left:
            raise Killed
        self.left -= 1
        return self._predictor.run(rows)


@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_an_interrupted_run_goes_on(toy, tmp_path, monkeypatch, form):
    monkeypatch.setattr(prediction, "PIECE_ROWS", 20)
    source = tmp_path / f"in.{form}"
    if form == "csv":
        lines = [f'"a\n{"b" * 4 * len(row)}"\n' for row in draw(90)]
        source.write_text("".join(["text\n", *lines]), "utf-8")
    else:
        write(source, [{"input_ids": row} for row in draw(90)])
    signature = "text" if form == "csv" else "serving_default"
    predictor = SavedModelPredictor(toy, signature)
    options = {"batch_tokens": 50}
    whole = tmp_path / "whole"
    assert predict_file(predictor, source, whole, **options) == 90
    target = tmp_path / "out"
    partial = tmp_path / "out.partial"
    runs, kept = 0, [0]
    while not target.exists() and runs < 10:
        # A piece has at most 20 batches.
        dying = Interrupted(predictor, 20 + runs % 5)
        runs += 1
        try:
            predict_file(dying, source, target, **options)
        except Killed:
            # Whatever was written last is no matter.
            with open(partial, "ab") as file:
                file.write(b'{"logits": [1')
            journal = tmp_path / "out.partial.json"
            if journal.exists():
                kept.append(json.loads(journal.read_text())["rows"])
    assert runs > 3
    assert kept == sorted(kept)
    assert len(set(kept)) > 3
    assert target.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [source.name, "whole", "out"]
    )


def test_another_run_is_not_continued(toy, tmp_path, monkeypatch):
    monkeypatch.setattr(prediction, "PIECE_ROWS", 5)
    rows = draw(20)
    source = write(tmp_path / "in", [{"input_ids": row} for row in rows])
    predictor = SavedModelPredictor(toy, "serving_default")
    target, partial = tmp_path / "out", tmp_path / "out.partial"

    def interrupt():
        with pytest.raises(Killed):
            predict_file(Interrupted(predictor, 2), source, target)
        assert partial.stat().st_size

    interrupt()
    with pytest.raises(ValueError, match="it is of other options"):
        predict_file(predictor, source, target, batch_rows=3)
    write(source, [{"input_ids": row} for row in reversed(rows)])
    with pytest.raises(ValueError, match="the input has changed since"):
        predict_file(predictor, source, target)
    write(source, [{"input_ids": row} for row in rows])
    size = partial.stat().st_size
    with open(partial, "r+b") as file:
        file.truncate(size - 1)
    with pytest.raises(ValueError, match="it has lost lines"):
        predict_file(predictor, source, target)
    (tmp_path / "out.partial.json").write_text("[]")
    with pytest.raises(ValueError, match="its journal is damaged"):
        predict_file(predictor, source, target)
    predict_file(predictor, source, target, overwrite=True, batch_rows=3)
    assert read(target) == [{"logits": sums(row)} for row in rows]
    # A finished file stays until it is to go.
    with pytest.raises(FileExistsError, match="ask to overwrite it"):
        predict_file(predictor, source, target)
    assert predict_file(predictor, source, target, overwrite=True) == 20


def test_a_checkpoint_that_is_a_file(tmp_path, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tokenizer = LongformerTokenizerFast.train_from_iterator(
        ["a dog"], vocab_size=300, show_progress=False
    )
    model = make_model("ForSequenceClassification", vocab_size=len(tokenizer))
    model.save_pretrained("model")
    source = write(tmp_path / "in", [{"text": "a dog"}])
    weights = "model/model.safetensors"
    code, _, err = run(weights, source, "out")
    assert code == 2
    assert "line 1: A checkpoint must have a tokenizer" in err
    tokenizer.save_pretrained("model")
    code, _, err = run(weights, source, "out")
    assert (code, err) == (0, "")
    expected = classify(model, tokenizer, "a dog")
    (found,) = read(tmp_path / "out")
    assert found["labels"] == [
        {"label": item["label"], "score": pytest.approx(item["score"], 1e-4)}
        for item in expected
    ]
    # A damaged one is no fault of the file's first line.
    (tmp_path / "model/tokenizer.json").write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer\.json"):
        CheckpointPredictor(weights)


def test_results_of_a_checkpoint(tmp_path, run):
    """Ids of a checkpoint; its texts are in `test_heads.py`."""
    model = make_model("ForTokenClassification")
    model.save_pretrained(tmp_path / "model")
    rows = [[5, 6, 7], [8], [9, 10, 11, 12]]
    marked = [{"input_ids": row} for row in rows]
    marked.append({**marked[2], "global_attention_mask": [0, 1, 0, 0]})
    source = write(tmp_path / "in", marked)
    code, _, err = run(tmp_path / "model", source, tmp_path / "out")
    assert (code, err) == (0, "")
    for record, found in zip(marked, read(tmp_path / "out"), strict=True):
        inputs = {name: np.array([row]) for name, row in record.items()}
        expected = model(**inputs).logits.numpy()[0]
        np.testing.assert_allclose(found["logits"], expected, 1e-4, 1e-5)
