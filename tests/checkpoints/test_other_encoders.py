"""Encoders for short texts become Longformers that compute the same."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
from checkpoints import encoder_checks
from safetensors.numpy import load_file
from safetensors.numpy import save_file

import tf_longformer
from tf_longformer import LongformerConfig
from tf_longformer import convert_to_longformer
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.other_encoders import as_longformer
from tf_longformer.errors import CheckpointError
from tf_longformer.families import FAMILIES
from tf_longformer.families import REFUSED
from tf_longformer.loading import Checkpoint

ARCHIVE = Path(__file__).with_name("encoders.tar.xz")
POSITIONS = "longformer.embeddings.position_embeddings.weight"
# Both sides of a window see all of the 13 tokens.
LENGTHS = {"max_tokens": 40, "attention_window": 32}


@pytest.fixture(scope="module")
def encoders(tmp_path_factory) -> Path:
    """Folder with `<family>/<class>`; not to be written to."""
    folder = tmp_path_factory.mktemp("encoders")
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def changed(source: Path, folder: Path, **fields: object) -> Path:
    """Copies a folder, with other fields in its config; `None` removes one."""
    shutil.copytree(source, folder)
    path = folder / "config.json"
    config = json.loads(path.read_text("utf-8")) | fields
    kept = {name: value for name, value in config.items() if value is not None}
    path.write_text(json.dumps(kept), "utf-8")
    return folder


@pytest.mark.parametrize(
    "name",
    [
        *(f"{family}/Model" for family in FAMILIES),
        "bert/ForPreTraining",
        "distilbert/ForMaskedLM",
        "electra/ForMaskedLM",
        "bert/ForSequenceClassification",
        "bert/ForMultipleChoice",
        "roberta/ForSequenceClassification",
    ],
)
def test_the_same_outputs_and_weights(encoders, name):
    folder = encoders / name
    model = convert_to_longformer(folder, **LENGTHS)
    head = name.partition("/")[2].replace("ForPreTraining", "ForMaskedLM")
    assert type(model).__name__ == f"TFLongformer{head}"
    assert model.config.max_tokens == 40
    assert model.config.layer_norm_eps == (1e-12 if "dist" in name else 1e-3)
    inputs, theirs = encoder_checks.expected(folder)
    ours = encoder_checks.outputs(model, inputs)
    besides = ("seq_relationship_logits",) if "PreTraining" in name else ()
    encoder_checks.assert_same_outputs(
        ours, theirs, inputs["attention_mask"], besides
    )
    if head != "Model" or "pooler_output" in theirs:
        encoder_checks.assert_same_weights(model, folder)


@pytest.mark.parametrize(
    "name", ["distilbert/ForMaskedLM", "xlm-roberta/ForMaskedLM", "bert/Model"]
)
def test_tensorflow_files_hold_the_same(encoders, name):
    def read(folder):
        location = locate(folder)
        fields = location.config_fields()
        config = LongformerConfig.from_dict(fields, **LENGTHS)
        file = as_longformer(location.read(False)[1](config), config, fields)
        return {key: np.array(file.read(key)) for key in file.tensors}

    ours = read(encoders / name / "tensorflow")
    theirs = read(encoders / name)
    # TensorFlow's classes call two otherwise.
    renamed = {"gamma": "weight", "beta": "bias"}
    ours = {
        ".".join(renamed.get(part, part) for part in key.split(".")): array
        for key, array in ours.items()
    }
    theirs.pop("lm_head.decoder.weight", None)
    for key in theirs.keys() & {"lm_head.bias", "lm_head.decoder.bias"}:
        ours.setdefault(key, ours.get("lm_head.bias", theirs[key]))
    assert theirs.keys() <= ours.keys()
    for key, array in theirs.items():
        np.testing.assert_array_equal(ours[key], array, key)


@pytest.mark.parametrize("max_tokens", [5, 16, 32, 39])
@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_positions_of_any_length(encoders, family, max_tokens):
    location = locate(encoders / family / "Model")
    fields = location.config_fields()
    config = LongformerConfig.from_dict(
        fields, max_tokens=max_tokens, attention_window=4
    )
    table = as_longformer(location.read(False)[1](config), config, fields).read(
        POSITIONS
    )
    (source,) = (
        array
        for name, array in load_file(location.find("model.safetensors")).items()
        if "position_embeddings" in name
    )
    # A BERT counts from 0; of a RoBERTa's rows the first two are kept.
    first = {"bert": np.zeros((1, 12), "f4"), "roberta": source[:2]}[family]
    rows = source if family == "bert" else source[2:]
    repeated = np.tile(rows, (3, 1))[:max_tokens]
    np.testing.assert_array_equal(table, np.concatenate([first, repeated]))
    assert config.max_position_embeddings == len(table)


def test_a_folder_of_it(encoders, tmp_path, capsys):
    """From the command line and Python; only the tokenizer's length changes."""
    from tf_longformer.cli.app import main

    source = encoders / "bert/Model"
    with pytest.raises(SystemExit) as done:
        main(["convert", str(source), str(tmp_path / "a"),
              "--max-tokens", "40", "--attention-window", "32"])  # fmt: skip
    assert done.value.code == 0, capsys.readouterr().err
    model = convert_to_longformer(
        source, **LENGTHS, save_directory=tmp_path / "b"
    )
    for folder in (tmp_path / "a", tmp_path / "b"):
        names = {path.name for path in folder.iterdir()}
        assert names == {"config.json", "model.safetensors", "vocab.txt",
                         "tokenizer_config.json"}  # fmt: skip
        fields = json.loads((folder / "config.json").read_text("utf-8"))
        assert fields["model_type"] == "longformer"
        assert fields["architectures"] == ["LongformerModel"]
        assert fields["max_position_embeddings"] == 41
        # That of its vocabulary.
        assert fields["sep_token_id"] == 3
        options = json.loads(
            (folder / "tokenizer_config.json").read_text("utf-8")
        )
        assert options == {
            "model_max_length": 40,
            "tokenizer_class": "BertTokenizer",
        }
        vocab = (source / "vocab.txt").read_bytes()
        assert (folder / "vocab.txt").read_bytes() == vocab
        tokenizer = Checkpoint(str(folder)).load_tokenizer()
        assert tokenizer("a b")["input_ids"] == [2, 5, 6, 3]
        assert tokenizer.model_max_length == 40
    loaded = tf_longformer.TFLongformerModel.from_pretrained(tmp_path / "a")
    for one, other in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_same_as_keywords(encoders, tmp_path):
    cls = tf_longformer.TFLongformerForTokenClassification
    model = cls.from_pretrained(
        encoders / "bert/Model",
        max_tokens=30,
        attention_window=[4, 8],
        num_labels=3,
    )
    assert model.config.radii == (2, 4)
    assert model.config.max_tokens == 30
    assert model.config.sep_token_id == 3
    with pytest.raises(ValueError, match="pass `attention_window=512`, say"):
        cls.from_pretrained(encoders / "bert/Model")
    # Of a Longformer only the table changes.
    model.save_pretrained(tmp_path)
    longer = cls.from_pretrained(tmp_path, max_tokens=50)
    assert longer.config.max_tokens == 50
    for one, other in zip(longer.weights, model.weights, strict=True):
        if "position" in one.path:
            one, old = np.asarray(one), np.asarray(other)
            other = np.concatenate([old, old[1:21]])
        np.testing.assert_array_equal(one, other)


def test_a_head_that_a_longformer_has_none_like(encoders, caplog):
    """DistilBERT's and ELECTRA's classifiers have other activations."""
    for family in ("distilbert", "electra"):
        folder = encoders / family / "ForSequenceClassification"
        model = convert_to_longformer(folder, **LENGTHS)
        assert type(model).__name__ == "TFLongformerModel"
        assert f"not used of {folder}" in caplog.text
        assert f"{family}: classifier" in caplog.text
        caplog.clear()
        cls = tf_longformer.TFLongformerForSequenceClassification
        _, info = cls.from_pretrained(
            folder, **LENGTHS, output_loading_info=True
        )
        assert len(info["missing_keys"]) == 4


def test_another_activation_of_the_language_model(encoders, tmp_path):
    folder = changed(
        encoders / "bert/ForMaskedLM", tmp_path / "x", hidden_act="relu"
    )
    assert type(convert_to_longformer(folder, 40, 8)).__name__ == (
        "TFLongformerModel"
    )


def test_a_head_that_was_lost(encoders, tmp_path):
    """Embedding models still name the head that they were trained from."""
    folder = changed(
        encoders / "roberta/Model",
        tmp_path / "x",
        architectures=["RobertaForMaskedLM"],
    )
    convert(locate(folder), tmp_path / "y", **LENGTHS)
    fields = json.loads((tmp_path / "y/config.json").read_text("utf-8"))
    assert fields["architectures"] == ["LongformerModel"]


def test_made_long_by_the_notebook(encoders, tmp_path):
    """Its own global projections and table are kept, moved by one."""
    folder = changed(
        encoders / "bert/ForMaskedLM",
        tmp_path / "x",
        attention_window=[32, 32],
        architectures=["BertLongForMaskedLM"],
    )
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for name in list(tensors):
        for part in ("query", "key", "value"):
            if f".self.{part}." in name:
                own = name.replace(f".{part}.", f".{part}_global.")
                tensors[own] = tensors[name] + 1
    tensors["bert.embeddings.position_ids"] = np.arange(16)[None]
    save_file(tensors, path)
    model, info = tf_longformer.TFLongformerForMaskedLM.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(info.values())
    layer = model.longformer.encoder.blocks[1].attention
    np.testing.assert_array_equal(layer.key_global.bias, layer.key.bias + 1)
    table = np.asarray(
        model.longformer.embeddings.position_embeddings.embeddings
    )
    source = tensors["bert.embeddings.position_embeddings.weight"]
    np.testing.assert_array_equal(table[1:], source)


@pytest.mark.parametrize(
    ("fields", "lengths", "message"),
    [
        *(
            ({"model_type": kind}, {}, f"{kind}', which can't: {reason}")
            for kind, reason in REFUSED.items()
        ),
        ({"max_position_embeddings": 8}, {}, "the rows that its config"),
        ({"model_type": "gpt2"}, {}, "an encoder that becomes one.*'gpt2'"),
        ({"embedding_size": 8}, {}, "`embedding_size` must be `hidden_size`"),
        ({"is_decoder": True}, {}, "`is_decoder` must be false"),
        ({"position_embedding_type": "relative_key"}, {}, "be 'absolute'"),
        ({}, {"attention_window": 31}, "even integers"),
        ({}, {"attention_window": 82}, "must not reach beyond.*82.*=40"),
        ({}, {"attention_window": [8]}, "one per layer"),
        ({}, {"max_tokens": 0}, "`max_tokens` must be an integer of 1"),
        ({}, {"max_tokens": "40"}, "`max_tokens` must be an integer of 1"),
    ],
)
def test_what_cannot_become_one(encoders, tmp_path, fields, lengths, message):
    folder = changed(encoders / "bert/Model", tmp_path / "x", **fields)
    with pytest.raises(ValueError, match=message):
        convert(locate(folder), tmp_path / "y", **{**LENGTHS, **lengths})
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("lost", ["position", "word", "1.intermediate"])
def test_a_weight_that_is_not_there(encoders, tmp_path, lost):
    folder = changed(encoders / "bert/Model", tmp_path / "x")
    path = folder / "model.safetensors"
    kept = {n: a for n, a in load_file(path).items() if lost not in n}
    save_file(kept, path)
    with pytest.raises(CheckpointError, match="must fill the model"):
        convert(locate(folder), tmp_path / "y", **LENGTHS)
    assert not (tmp_path / "y").exists()


def test_no_room_on_the_disk(encoders, tmp_path, monkeypatch):
    """What was there before stays, and nothing else."""
    source = locate(encoders / "bert/Model")
    target = tmp_path / "x"
    convert(source, target, **LENGTHS)
    before = {path.name: path.read_bytes() for path in target.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        convert(source, target, max_tokens=20, attention_window=8)
    assert {p.name: p.read_bytes() for p in target.iterdir()} == before
