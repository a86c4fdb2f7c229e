"""`tf-longformer embed`, and `embed` of what is exported."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from helpers import small_exports as small

from tf_longformer.batch import prediction
from tf_longformer.batch.result_formats import NumpyRows
from tf_longformer.checkpoints.dense_modules import write_projection
from tf_longformer.cli.app import main
from tf_longformer.export import export_saved_model
from tf_longformer.projections import Projection
from tf_longformer.tasks import embed
from tf_longformer.tasks import save_sentence_transformer

TEXTS = [*filter(None, small.HOSTILE)] * 2 + ["A long one. Two. " * 40]


@pytest.fixture(scope="module")
def model():
    return small.make("Model")


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed")
    model.save_pretrained(folder / "checkpoint")
    small.tokenizer().save_pretrained(folder / "checkpoint")
    lines = [
        json.dumps(t if i % 2 else {"text": t}) for i, t in enumerate(TEXTS)
    ]
    (folder / "in.jsonl").write_text("\n".join(lines), "utf-8")
    return folder


def run(folder, target, *options):
    with pytest.raises(SystemExit) as error:
        main(
            [
                "embed",
                str(folder / "checkpoint"),
                str(folder / "in.jsonl"),
                str(target),
                *options,
            ]
        )
    return error.value.code


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def interrupt_writing(monkeypatch):
    """Has the 11th row of arrays interrupted; returns the calls so far."""
    monkeypatch.setattr(prediction, "PIECE_ROWS", 4)
    calls = []
    write = NumpyRows.write

    def write_some(self, file, result):
        calls.append(1)
        if len(calls) == 11:
            raise KeyboardInterrupt
        write(self, file, result)

    monkeypatch.setattr(NumpyRows, "write", write_some)
    return calls


def test_files(model, folder, tmp_path, monkeypatch, capsys):
    expected = embed(model, small.tokenizer(), TEXTS)
    assert run(folder, tmp_path / "out.jsonl") == 0
    found = np.array([row["embedding"] for row in read(tmp_path / "out.jsonl")])
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # An array, interrupted after its first pieces and continued.
    target = tmp_path / "out.npy"
    calls = interrupt_writing(monkeypatch)
    assert run(folder, target) == 130
    assert not target.exists()
    assert run(folder, target) == 0
    # Two pieces of four were kept.
    assert len(calls) == 11 + len(TEXTS) - 8
    np.testing.assert_allclose(np.load(target), expected, atol=1e-5)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "out.jsonl",
        "out.npy",
    ]
    spans = tmp_path / "spans.jsonl"
    assert run(folder, spans, "--spans", "sentences", "--no-normalize") == 0
    last = read(spans)[-1]["spans"]
    expected = embed(
        model,
        small.tokenizer(),
        TEXTS[-1],
        spans="sentences",
        normalize=False,
    )
    assert len(last) == len(expected) == 80
    np.testing.assert_allclose(
        last[50]["embedding"], expected[50]["embedding"], atol=1e-5
    )
    capsys.readouterr()
    assert run(folder, tmp_path / "s.npy", "--spans", "sentences") == 2
    assert "as JSON lines" in capsys.readouterr().err
    (folder / "bad.jsonl").write_text('{"body": "a"}\n')
    with pytest.raises(SystemExit):
        main(
            [
                *("embed", str(folder / "checkpoint")),
                *(str(folder / "bad.jsonl"), str(tmp_path / "o.npy")),
            ]
        )
    err = " ".join(capsys.readouterr().err.split())
    assert (
        "line 1: A record must be a text, or have `text`. Received: body" in err
    )
    assert not (tmp_path / "o.npy.partial").exists()


def projections(width):
    rng = np.random.default_rng(0)
    return [
        Projection(rng.normal(size=(width, 7)), rng.normal(size=7), "tanh"),
        Projection(rng.normal(size=(7, 5))),
    ]


def test_projections(model, folder, tmp_path, monkeypatch):
    """Vectors of a file have them, and aren't continued with others."""
    given = projections(model.config.hidden_size)
    tokenizer, source = small.tokenizer(), tmp_path / "checkpoint"
    save_sentence_transformer(
        model, tokenizer, source, projections=given, max_length=21
    )
    shutil.copy(folder / "in.jsonl", tmp_path)
    target = tmp_path / "out.npy"
    calls = interrupt_writing(monkeypatch)
    assert run(tmp_path, target) == 130
    write_projection(source / "3_Dense", Projection(given[1].kernel + 1))
    assert run(tmp_path, target) == 2
    write_projection(source / "3_Dense", given[1])
    assert run(tmp_path, target) == 0
    # Two pieces of four were kept.
    assert len(calls) == 11 + len(TEXTS) - 8
    expected = embed(model, tokenizer, TEXTS, max_length=21, projections=given)
    assert expected.shape == (len(TEXTS), 5)
    np.testing.assert_allclose(np.load(target), expected, atol=1e-5)
    spans = tmp_path / "spans.jsonl"
    assert run(tmp_path, spans, "--spans", "sentences") == 0
    assert len(read(spans)[-1]["spans"][0]["embedding"]) == 5


def test_spans_of_a_model_that_takes_the_first_token(
    model, folder, tmp_path, capsys
):
    source = tmp_path / "checkpoint"
    save_sentence_transformer(model, small.tokenizer(), source, pooling="cls")
    shutil.copy(folder / "in.jsonl", tmp_path)
    spans = tmp_path / "spans.jsonl"
    assert run(tmp_path, spans, "--spans", "sentences") == 2
    assert "Add --pooling mean" in " ".join(capsys.readouterr().err.split())
    more = "--spans", "sentences", "--pooling", "mean"
    assert run(tmp_path, spans, *more) == 0


def test_the_header_has_one_size():
    rows = NumpyRows("embedding", 384)
    assert len({len(rows.header(n)) for n in (0, 9, 10**6, 10**12)}) == 1


def test_signatures(model, folder, tmp_path):
    texts = list(small.HOSTILE)
    expected = embed(model, small.tokenizer(), texts)
    export_saved_model(model, tmp_path / "1", small.tokenizer())
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    served = loaded.signatures
    found = served["embed"](text=tf.constant(texts))
    assert set(found) == {"embedding"}
    np.testing.assert_allclose(found["embedding"], expected, atol=1e-5)
    encoded = small.tokenizer()(texts, padding=True, return_tensors="tf")
    found = served["embed_ids"](**encoded)["embedding"]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    options = {
        "normalize": False,
        "projections": projections(model.config.hidden_size),
    }
    export_saved_model(model, tmp_path / "2", pooling="cls", **options)
    loaded = tf.saved_model.load(str(tmp_path / "2"))
    served = loaded.signatures
    assert "embed_ids" not in served
    encoded = small.tokenizer()(
        texts, padding=True, padding_side="left", return_tensors="tf"
    )
    found = served["embed"](**encoded)["embedding"]
    expected = embed(model, small.tokenizer(), texts, "cls", **options)
    assert expected.shape == (len(texts), 5)
    with pytest.raises(ValueError, match="must take vectors as they come"):
        export_saved_model(model, tmp_path / "3", projections=projections(3))
    np.testing.assert_allclose(found, expected, atol=1e-4)
