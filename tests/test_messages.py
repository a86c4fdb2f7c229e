"""No message repeats all of what it was given, however long that is."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import small_exports as small
from helpers.tiny import make_model
from safetensors.numpy import save_file

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerModel
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import cut
from tf_longformer.errors import grouped
from tf_longformer.errors import listed
from tf_longformer.errors import shown

LONG = "x" * 10**6
MOST = 4000


def test_shown():
    assert shown("a b") == "'a b'"
    assert shown({"b": [1, None], "a": 2.5}) == "{'a': 2.5, 'b': [1, None]}"
    assert shown(list(range(20))) == str(list(range(20)))
    for value in (LONG, [LONG] * 99, {LONG: LONG}, (LONG, (LONG,)), {LONG}):
        assert 100 < len(shown(value)) < 210
    assert len(shown(int("9" * 4000))) < 210
    assert len(shown(np.zeros((99, 99)))) < 210
    # Both ends of a string say something.
    assert shown("begin" + LONG + "end").endswith("end'")
    assert cut("abc", 3) == "abc"
    assert cut("abcd", 3) == "abc..."
    assert listed(["a", "b"]) == "a, b"
    assert listed(["a", "b", "c", LONG], most=2) == "a, b and 2 more"
    assert len(listed([LONG] * 10**4)) < 1100
    assert grouped(["a.1.b", "a.22.b"]) == ["a.{1..22}.b x 2"]
    assert len(grouped([f"a.{'9' * 5000}.b"] * 2)[0]) < 210
    # The advice at the end stays.
    text = str(CheckpointError(f"A rule. Received: {LONG}. Do this."))
    assert len(text) < 3010
    assert text.endswith("x. Do this.")


def write(folder, name, content):
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(
        content if isinstance(content, str) else json.dumps(content)
    )
    return folder


def of_config(fields):
    return lambda folder: LongformerConfig.from_pretrained(
        write(folder, "config.json", fields)
    )


def of_tokenizer(name, content, *others):
    def load(folder):
        for other in others:
            source = small.VOCABULARY / other
            write(folder, other, source.read_text())
        LongformerTokenizerFast.from_pretrained(write(folder, name, content))

    return load


def of_weights(tensors):
    def load(folder):
        model = make_model("Model")
        model.save_pretrained(folder)
        save_file(tensors, folder / "model.safetensors")
        TFLongformerModel.from_pretrained(folder)

    return load


TOKENIZER = {
    "model": {"type": "BPE", "vocab": {"a": 0, LONG: 1}, "merges": [LONG]}
}
ENTRIES = {
    "config, act": lambda _: LongformerConfig(hidden_act=LONG),
    "config, number": lambda _: LongformerConfig(hidden_size=LONG),
    "config, window": lambda _: LongformerConfig(attention_window=LONG),
    "config, labels": lambda _: LongformerConfig(
        id2label={0: LONG}, num_labels=3
    ),
    "config, heads": lambda _: LongformerConfig(pruned_heads={0: LONG}),
    "config, path": lambda _: LongformerConfig.from_pretrained(LONG),
    "model, path": lambda _: TFLongformerModel.from_pretrained(LONG),
    "tokenizer, path": lambda _: LongformerTokenizerFast.from_pretrained(LONG),
    "file, kind": of_config({"model_type": LONG}),
    "file, act": of_config({"model_type": "longformer", "hidden_act": LONG}),
    "file, size": of_config({"model_type": "longformer", "vocab_size": LONG}),
    "file, no JSON": of_config('{"a": "' + LONG),
    "file, list": of_config([LONG]),
    "tokenizer, padding": lambda _: small.tokenizer()("a", padding=LONG),
    "tokenizer, cut": lambda _: small.tokenizer()("a", truncation=LONG),
    "tokenizer, side": lambda _: small.tokenizer()("a", padding_side=LONG),
    "tokenizer, arrays": lambda _: small.tokenizer()("a", return_tensors=LONG),
    "tokenizer, length": lambda _: small.tokenizer()("a", max_length=LONG),
    "tokenizer, texts": lambda _: small.tokenizer()({LONG: 1}),
    "tokenizer, ids": lambda _: small.tokenizer().decode([LONG]),
    "tokenizer, names": lambda _: small.tokenizer().add_special_tokens(
        {LONG: LONG}
    ),
    "tokenizer, attribute": lambda _: getattr(small.tokenizer(), LONG),
    "vocabulary, no JSON": of_tokenizer("vocab.json", LONG, "merges.txt"),
    "vocabulary, ids": of_tokenizer("vocab.json", {LONG: LONG}, "merges.txt"),
    "merges": of_tokenizer("merges.txt", LONG, "vocab.json"),
    "merges, pairs": of_tokenizer("merges.txt", f"{LONG} {LONG}", "vocab.json"),
    "tokenizer.json": of_tokenizer("tokenizer.json", TOKENIZER),
    "tokenizer.json, kind": of_tokenizer(
        "tokenizer.json", {"model": {"type": LONG, "vocab": {}}}
    ),
    "tokenizer.json, no JSON": of_tokenizer("tokenizer.json", LONG),
    "weights, names": of_weights({LONG[:9000]: np.zeros(2, "float32")}),
    "weights, many": of_weights(
        {f"name.{LONG[:500]}.{n}x": np.zeros(2, "float32") for n in range(99)}
    ),
    "save, format": lambda folder: make_model("Model").save_pretrained(
        folder, save_format=LONG
    ),
    "save, size": lambda folder: make_model("Model").save_pretrained(
        folder, max_shard_size=LONG
    ),
    "inputs": lambda _: make_model("Model")(**{LONG: [[1]]}),
    "inputs, named": lambda _: make_model("Model")({LONG: [[1]]}),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_messages(name, tmp_path):
    with pytest.raises(
        (ValueError, TypeError, AttributeError, KeyError, OSError)
    ) as error:
        ENTRIES[name](tmp_path / "folder")
    assert len(str(error.value)) < MOST
