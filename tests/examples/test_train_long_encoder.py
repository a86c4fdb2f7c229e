"""The example of training without labels, on a tiny encoder."""

import csv
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import tf_longformer
from tf_longformer.tasks import embed
from tf_longformer.tasks import sentence_transformer_options

SCRIPT = Path(__file__).parents[2] / "examples/train_long_encoder.py"
WORDS = [f"{a}{b}" for a in "bdfgklmnprst" for b in ("a", "e", "i", "o", "u")]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("train_long_encoder", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tokenizer():
    return tf_longformer.LongformerTokenizerFast.train_from_iterator(
        [" ".join(WORDS)] * 4,
        vocab_size=400,
        min_frequency=1,
        show_progress=False,
    )


class Characters:
    """A tokenizer whose tokens are the numbers of characters."""

    pad_token_id, cls_token_id, sep_token_id = 0, 1, 2

    def __call__(self, text, add_special_tokens, truncation, max_length):
        assert truncation
        assert not add_special_tokens
        return {
            "input_ids": [ord(character) for character in text[:max_length]]
        }


def test_passages_are_of_their_spans(example):
    # Characters in a row: each tells its place, and its text.
    texts = [
        "".join(map(chr, range(first, first + size)))
        for first, size in ((1_000, 900), (5_000, 700), (7_000, 100))
    ]
    tokenizer = Characters()
    cell, passage = example.CELL, example.PASSAGE
    batches = example.Batches(texts, tokenizer, 2 * cell, 3, 40, [0, 0])
    assert batches.num_batches == 40
    shares = []
    for inputs, targets, weights in map(batches.__getitem__, range(40)):
        ids, mask = inputs["input_ids"], inputs["attention_mask"]
        real = ids != tokenizer.pad_token_id
        for name in ("passage_of_span", "span_of_passage"):
            assert list(targets[name]) == list(range(6))
        assert (targets["same_passage"] == 1).all()
        for row in range(3):
            first, second = inputs["texts"][2 * row : 2 * row + 2]
            assert first == second
            body = ids[row][real[row]][1:-1]
            assert list(np.diff(body)) == [1] * (len(body) - 1)
            assert chr(body[0]) in texts[first]
            assert chr(body[-1]) in texts[first]
        spans = np.where(inputs["in_span"], ids, -1).reshape(6, cell)
        seen = np.where(mask, ids, -1).reshape(6, cell)
        for span, all_seen, asked, counted in zip(
            spans,
            seen,
            inputs["passages"],
            weights["span_of_passage"],
            strict=True,
        ):
            asked = asked[asked != tokenizer.pad_token_id]
            assert asked[0] == tokenizer.cls_token_id
            assert asked[-1] == tokenizer.sep_token_id
            asked = asked[1:-1]
            if not counted:
                assert not len(asked)
                assert (span == -1).all()
                continue
            assert passage // 4 <= len(asked) <= passage
            taken_out = not np.isin(asked, all_seen).any()
            shares.append(taken_out)
            # All of it stands in the span, or nothing in the document.
            assert taken_out or np.isin(asked, span).all()
            span = span[span >= 0]
            assert span.min() < asked.min() or span.max() > asked.max()
    assert 0.5 < np.mean(shares) / example.TAKEN_OUT < 1.5
    again = batches[7][0]["passages"]
    np.testing.assert_array_equal(again, batches[7][0]["passages"])
    assert (again != batches[8][0]["passages"]).any()


@pytest.mark.slow
def test_it_trains_resumes_and_saves(tokenizer, tmp_path):
    config = tf_longformer.LongformerConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        attention_window=8,
        max_position_embeddings=130,
        initializer_range=0.1,
    )
    source = tf_longformer.TFLongformerModel(config)
    source.save_pretrained(tmp_path / "source")
    tokenizer.save_pretrained(tmp_path / "source")
    rng = np.random.default_rng(0)
    # Each text has words of its own, as novels have names.
    texts = [
        " ".join(rng.choice(rng.choice(WORDS, 12), 2_000)) for _ in range(8)
    ]
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts/one.txt").write_text(texts[0], "utf-8")
    rows = "\n".join(json.dumps({"text": text}) for text in texts[1:])
    (tmp_path / "texts/others.jsonl").write_text(rows + "\n\n", "utf-8")

    command = [
        sys.executable,
        SCRIPT,
        *("source", "texts", "long", "--max-tokens=1024", "--window=64"),
        *("--learning-rate=0.003", "--steps=16", "--epochs=4"),
    ]
    curve = tmp_path / "long-training/curve.csv"

    def rows_of_curve():
        text = curve.read_text() if curve.exists() else ""
        return list(csv.DictReader(text.splitlines()))

    wrong = subprocess.run(
        [*command, "--max-tokens=1000"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert wrong.returncode == 2
    assert "must be a multiple of 1024. Received: 1000." in wrong.stderr
    assert not (tmp_path / "long-training").exists()

    with open(tmp_path / "log", "w") as log:
        killed = subprocess.Popen(
            command, cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )
        while len(rows_of_curve()) < 2 and killed.poll() is None:
            time.sleep(0.1)
        killed.kill()
        killed.wait()
    assert len(rows_of_curve()) == 2, (tmp_path / "log").read_text()
    # There is a model already.
    assert embed_words(tmp_path / "long").shape == (2, 32)

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Epoch 1/1" not in done.stdout
    assert "Epoch 4/4" in done.stdout
    assert [int(row["epoch"]) for row in rows_of_curve()][-2:] == [2, 3]
    assert not (tmp_path / "long-training/backup").exists()
    folder = tmp_path / "long"
    assert sentence_transformer_options(folder)["max_length"] == 1024
    model = tf_longformer.TFLongformerModel.from_pretrained(folder)
    assert model.config.attention_window == 64
    for block, before in zip(
        model.longformer.encoder.layer,
        source.longformer.encoder.layer,
        strict=True,
    ):
        change = block.attention.value.kernel - before.attention.value.kernel
        assert np.abs(change).max() > 1e-3
        np.testing.assert_array_equal(
            block.attention.value.kernel, block.attention.value_global.kernel
        )
    # Words are as they were.
    np.testing.assert_array_equal(
        model.get_input_embeddings().embeddings,
        source.get_input_embeddings().embeddings,
    )


def embed_words(folder):
    model = tf_longformer.TFLongformerModel.from_pretrained(folder)
    tokenizer = tf_longformer.LongformerTokenizerFast.from_pretrained(folder)
    options = sentence_transformer_options(folder)
    return embed(model, tokenizer, [WORDS[0], WORDS[1]], **options)
