"""`mini`, the model that comes with the package, by its name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerModel
from tf_longformer import presets
from tf_longformer.checkpoints.locate import locate
from tf_longformer.cli.app import main
from tf_longformer.tasks import embed
from tf_longformer.tasks import fill_mask
from tf_longformer.tasks import sentence_transformer_options

FOLDER = Path(presets.__file__).with_name("mini")
TEXTS = ["The dog sat by the fire.", "A proposal to change the syntax. " * 9]
WIDTH = 384
# Uses all of it while it watches what Python opens for writing, and where to
# it connects. `huggingface_hub` can't be imported.
SCRIPT = """
import os
import sys

folder = sys.argv[1]
sys.modules["huggingface_hub"] = None
CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link",
           "os.symlink", "os.truncate", "os.chmod", "os.utime"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def watch(event, arguments):
    paths = arguments if event in CHANGES else ()
    if event == "open" and arguments[2] & WRITES:
        paths = arguments[:1]
    for path in paths:
        if isinstance(path, str | bytes | os.PathLike):
            path = os.path.abspath(os.fsdecode(path))
            assert not path.startswith(folder), (event, path)
    assert event not in ("socket.connect", "socket.getaddrinfo"), arguments


sys.addaudithook(watch)

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerModel
from tf_longformer.tasks import embed
from tf_longformer.tasks import sentence_transformer_options

of_hub = {"revision": "v1", "cache_dir": "cache", "force_download": True,
          "local_files_only": True, "token": "t"}
assert LongformerConfig.from_pretrained("mini", **of_hub).hidden_size == 384
tokenizer = LongformerTokenizer.from_pretrained("mini", **of_hub)
options = sentence_transformer_options("mini", **of_hub)
model = TFLongformerModel.from_pretrained("mini", **of_hub)
assert model.name_or_path == tokenizer.name_or_path == "mini"
vector = embed(model, tokenizer, "a text", **options)
assert vector.shape == (384,), vector.shape
TFLongformerForMaskedLM.from_pretrained("mini", **of_hub)
classifier, info = TFLongformerForSequenceClassification.from_pretrained(
    "mini", num_labels=3, output_loading_info=True
)
assert {name.split(".")[0] for name in info["missing_keys"]} == {"classifier"}
model.save_pretrained("mini")
assert os.path.isfile("mini/model.safetensors")
assert os.path.isdir("mini/2_Dense")
print("done")
"""


def run(*arguments):
    with pytest.raises(SystemExit) as error:
        main([str(argument) for argument in arguments])
    return error.value.code


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def source(here):
    source = here / "in.jsonl"
    lines = [json.dumps({"text": text}) for text in TEXTS]
    source.write_text("\n".join(lines), "utf-8")
    return source


@pytest.fixture(scope="module")
def vectors():
    """Those of `TEXTS`."""
    return embed(
        TFLongformerModel.from_pretrained("mini"),
        LongformerTokenizerFast.from_pretrained("mini"),
        TEXTS,
        **sentence_transformer_options("mini"),
    )


def test_its_files():
    assert (FOLDER / "model.safetensors").stat().st_size < 20e6
    with safe_open(FOLDER / "model.safetensors", framework="numpy") as file:
        types = {file.get_slice(name).get_dtype() for name in file.keys()}
    assert types == {"BF16"}
    config = LongformerConfig.from_pretrained("mini")
    assert config.max_tokens == 4096
    assert config.architectures == ["LongformerForMaskedLM"]


def test_it_is_read_and_nothing_else(here):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(FOLDER)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.endswith("done\n")
    # No pooler is needed for vectors, so that a new one isn't named.
    assert "pooler" not in done.stderr


def test_what_lies_here_comes_first(here):
    LongformerConfig(hidden_size=24).save_pretrained("mini")
    assert LongformerConfig.from_pretrained("mini").hidden_size == 24
    assert locate("mini").config_fields()["hidden_size"] == 24
    with pytest.raises(FileNotFoundError, match="tokenizer needs"):
        LongformerTokenizerFast.from_pretrained("mini")
    (here / "mini/config.json").unlink()
    (here / "mini").rmdir()
    assert LongformerConfig.from_pretrained("mini").hidden_size == WIDTH


def test_messages_name_it_as_it_was_named(here, monkeypatch):
    with pytest.raises(FileNotFoundError, match="'mini.no', which doesn't"):
        TFLongformerModel.from_pretrained("mini", subfolder="no")
    # An installation that lacks the folder.
    monkeypatch.setattr(presets, "__file__", str(here / "presets/a.py"))
    (here / "presets/mini").mkdir(parents=True)
    for cls in (TFLongformerModel, LongformerTokenizerFast):
        with pytest.raises(OSError, match=r"Received: .*\bmini\b") as error:
            cls.from_pretrained("mini")
        assert str(here) not in str(error.value)


def test_a_strange_adapter_may_be_on_it(here):
    """Its base is a part of the package, that a file may name."""
    model = TFLongformerForMaskedLM.from_pretrained("mini")
    model.enable_lora(2)
    model.save_adapter("adapter")
    path = here / "adapter/adapter_config.json"
    fields = json.loads(path.read_text("utf-8"))
    assert fields["base_model_name_or_path"] == "mini"
    again = TFLongformerForMaskedLM.from_pretrained("adapter", revision=None)
    ids = np.arange(5, 25)[None]
    np.testing.assert_allclose(again(ids).logits, model(ids).logits, atol=1e-4)


def test_it_knows_some_english():
    tokenizer = LongformerTokenizerFast.from_pretrained("mini")
    model = TFLongformerForMaskedLM.from_pretrained("mini")
    found = fill_mask(model, tokenizer, "He opened the <mask> and went in.")
    assert found[0]["token_str"] == " door"
    encoder = TFLongformerModel.from_pretrained("mini")
    options = sentence_transformer_options("mini")
    documents = ["A syntax for type hints.", "The ship sank in the storm."]
    queries = ["annotations of variables", "sailors who drown"]
    documents = embed(encoder, tokenizer, documents, **options)
    scores = embed(encoder, tokenizer, queries, **options) @ documents.T
    assert scores.argmax(axis=1).tolist() == [0, 1]


def test_info(capsys):
    assert run("info", "mini") == 0
    told = capsys.readouterr().out
    assert "mini (model.safetensors)" in told
    assert "LongformerForMaskedLM" in told
    assert str(FOLDER) not in told


def test_embed(source, vectors):
    assert vectors.shape == (2, WIDTH)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert run("embed", "mini", source, "out.npy") == 0
    np.testing.assert_allclose(np.load("out.npy"), vectors, atol=1e-5)


def test_predict(here):
    text = "The dog sat by the <mask>."
    (here / "in.jsonl").write_text(json.dumps({"text": text}), "utf-8")
    assert run("predict", "mini", "in.jsonl", "out.jsonl") == 0
    (line,) = Path("out.jsonl").read_text("utf-8").splitlines()
    expected = fill_mask(
        TFLongformerForMaskedLM.from_pretrained("mini"),
        LongformerTokenizerFast.from_pretrained("mini"),
        text,
    )
    assert expected[0]["token_str"] in line


@pytest.mark.parametrize("form", ["safetensors", "keras"])
def test_a_copy_makes_the_same_vectors(source, vectors, form):
    """Both the masked language model and the body are in it."""
    assert run("convert", "mini", "copy", "--format", form) == 0
    assert run("embed", "copy", source, "out.npy") == 0
    np.testing.assert_allclose(np.load("out.npy"), vectors, atol=1e-5)
    config = LongformerConfig.from_pretrained("copy")
    assert config.architectures == ["LongformerForMaskedLM"]


def test_the_body_alone_makes_the_same_vectors(source, vectors, caplog):
    body = ("--head", "LongformerModel")
    assert run("convert", "mini", "body", *body) == 0
    assert run("embed", "body", source, "out.npy") == 0
    np.testing.assert_allclose(np.load("out.npy"), vectors, atol=1e-5)


def test_export(here, vectors):
    import tensorflow as tf

    body = ("--head", "LongformerModel", "--no-warmup")
    assert run("export", "mini", "1", *body) == 0
    served = tf.saved_model.load("1").signatures["embed"]
    found = served(text=tf.constant(TEXTS))["embedding"]
    np.testing.assert_allclose(found, vectors, atol=1e-4)
