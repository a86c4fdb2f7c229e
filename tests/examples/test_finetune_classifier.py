"""The example, on a tiny checkpoint and documents that are easy to tell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tf_longformer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    words = {"sea": "whale ship wave", "land": "horse field road"}
    for name, count in (("train", 64), ("dev", 16)):
        rows = []
        for index in range(count):
            label = ("sea", "land")[index % 2]
            text = " ".join(rng.choice(words[label].split(), 40))
            rows.append(json.dumps({"text": text, "label": label}))
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows), "utf-8")
    tokenizer = tf_longformer.LongformerTokenizerFast.train_from_iterator(
        [" ".join(words.values())] * 4,
        vocab_size=300,
        min_frequency=1,
        show_progress=False,
    )
    config = tf_longformer.LongformerConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        attention_window=8,
        max_position_embeddings=130,
        initializer_range=0.1,
    )
    model = tf_longformer.TFLongformerForMaskedLM(config)
    model.save_pretrained(tmp_path / "pretrained")
    tokenizer.save_pretrained(tmp_path / "pretrained")
    return tmp_path


def run(folder, *options):
    return subprocess.run(
        [
            sys.executable,
            ROOT / "examples/finetune_classifier.py",
            *("pretrained", "train.jsonl", "dev.jsonl", "output"),
            *options,
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_it_learns_and_saves(folder):
    # JSON may hold line ends of Unicode, and files end in an empty line.
    train = folder / "train.jsonl"
    rows = train.read_text("utf-8").replace("whale", "whale\u2028\x85")
    train.write_text(rows + "\n\n", "utf-8")
    done = run(folder, "--epochs=3", "--learning-rate=0.02", "--jit")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("dev accuracy: 100.0%")
    config = tf_longformer.LongformerConfig.from_pretrained(folder / "output")
    assert config.id2label == {0: "land", 1: "sea"}


def test_a_label_that_was_never_trained(folder):
    with open(folder / "dev.jsonl", "a", encoding="utf-8") as file:
        file.write('\n{"text": "cloud", "label": "air"}')
    done = run(folder)
    assert done.returncode == 2
    assert "must occur in train.jsonl. Received: air." in done.stderr
    assert "Traceback" not in done.stderr
