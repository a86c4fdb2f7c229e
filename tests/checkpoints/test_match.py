"""Files that fit a model in part: lost weights, other heads, other sizes."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from checkpoints import files
from checkpoints.files import rewrite
from safetensors.numpy import load_file

import tf_longformer
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate
from tf_longformer.errors import CheckpointError

BODY = "longformer."


def test_one_row_of_token_types_serves_for_all(hf, tmp_path):
    name = "embeddings.token_type_embeddings.weight"
    folder = rewrite(
        hf, "Model", tmp_path / "x", lambda t: t | {name: t[name][:1]}
    )
    model, info = tf_longformer.TFLongformerModel.from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(info.values())
    table = model.longformer.embeddings.token_type_embeddings.embeddings
    row = load_file(folder / "model.safetensors")[name]
    np.testing.assert_array_equal(table.numpy(), np.tile(row, (2, 1)))
    # But not for as many as a configuration may count.
    path = folder / "config.json"
    fields = json.loads(path.read_text("utf-8"))
    for count in (65, 10**10):
        path.write_text(json.dumps({**fields, "type_vocab_size": count}))
        with pytest.raises(CheckpointError, match=rf"model \({count}, 6\)"):
            files.load(folder, "Model")


def without_globals(tensors):
    return {n: a for n, a in tensors.items() if "_global." not in n}


@pytest.mark.parametrize(
    "named", ["roberta.", "roberta", "xlm-roberta", "camembert"]
)
def test_a_roberta_lends_its_projections(hf, named, tmp_path, caplog):
    def change(tensors):
        prefix = "roberta." if named == "roberta." else BODY
        return {
            n.replace(BODY, prefix): a
            for n, a in without_globals(tensors).items()
        }

    kind = {} if named == "roberta." else {"model_type": named}
    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", change, **kind)
    with caplog.at_level(logging.WARNING):
        model, info = tf_longformer.TFLongformerForMaskedLM.from_pretrained(
            folder, output_loading_info=True
        )
    assert not any(info.values())
    assert "has no projections of global tokens" in caplog.text
    tensors = load_file(hf / "ForMaskedLM/safetensors/model.safetensors")
    for number in range(2):
        attention = model.longformer.encoder.blocks[number].attention
        for name in ("query", "key", "value"):
            stem = f"{BODY}encoder.layer.{number}.attention.self.{name}"
            layer = getattr(attention, f"{name}_global")
            kernel, bias = layer.kernel.numpy(), layer.bias.numpy()
            np.testing.assert_array_equal(kernel.T, tensors[f"{stem}.weight"])
            np.testing.assert_array_equal(bias, tensors[f"{stem}.bias"])


def test_only_a_roberta_lends_them(hf, tmp_path):
    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", without_globals)
    with pytest.raises(CheckpointError) as error:
        files.load(folder, "ForMaskedLM")
    assert len(error.value.missing_keys) == 2 * 6


def test_a_roberta_that_lost_one_lends_none(hf, tmp_path):
    lost = "roberta.encoder.layer.0.attention.self.key_global.bias"

    def change(tensors):
        names = {n.replace(BODY, "roberta."): a for n, a in tensors.items()}
        names.pop(lost)
        return names

    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", change)
    with pytest.raises(CheckpointError) as error:
        files.load(folder, "ForMaskedLM")
    assert error.value.missing_keys == [lost.replace("roberta.", BODY)]


@pytest.mark.parametrize("form", ["safetensors", "tensorflow"])
@pytest.mark.parametrize("into", files.HEADS)
@pytest.mark.parametrize("head", files.HEADS)
def test_any_head_into_any_other(hf, head, into, form):
    """What both have is loaded, the rest is new or not used."""
    folder = hf / head / form
    shared = {"ForTokenClassification", "ForMultipleChoice"}
    if {head, into} == shared:
        # Both call it `classifier`, of another size.
        with pytest.raises(CheckpointError) as error:
            files.load(folder, into)
        assert len(error.value.mismatched_keys) == 2
        return
    matching, arrays = files.load(folder, into)
    body = dict(files.expected(hf / head))
    assert {weight.path for weight in matching.missing} == {
        path for path, _ in files.expected(hf / into) if path not in body
    }
    assert len(matching.unexpected) == len(body) - len(arrays)
    for path, array in arrays.items():
        np.testing.assert_array_equal(array, body[path])


def test_a_new_head_is_said_once(hf, caplog):
    with caplog.at_level(logging.WARNING, "tf_longformer"):
        model, info = (
            tf_longformer.TFLongformerForSequenceClassification.from_pretrained(
                hf / "ForMaskedLM/torch", num_labels=3, output_loading_info=True
            )
        )
    assert len(caplog.records) == 1
    assert "newly drawn, train before use: classifier" in caplog.text
    assert info["missing_keys"] == [
        "classifier.dense.weight",
        "classifier.dense.bias",
        "classifier.out_proj.weight",
        "classifier.out_proj.bias",
    ]
    assert sorted(info["unexpected_keys"]) == sorted(
        {
            "lm_head.bias",
            "lm_head.decoder.bias",
            "lm_head.decoder.weight",
            "lm_head.dense.bias",
            "lm_head.dense.weight",
            "lm_head.layer_norm.bias",
            "lm_head.layer_norm.weight",
        }
        - {"lm_head.bias"}
    )
    assert model.config.num_labels == 3


def test_a_head_of_another_size(hf):
    cls = tf_longformer.TFLongformerForSequenceClassification
    folder = hf / "ForSequenceClassification/tensorflow"
    with pytest.raises(CheckpointError, match=r"mismatched \(2\)") as error:
        cls.from_pretrained(folder, num_labels=3)
    assert error.value.mismatched_keys == [
        ("classifier.out_proj.weight", (6, 5), (6, 3)),
        ("classifier.out_proj.bias", (5,), (3,)),
    ]
    model, info = cls.from_pretrained(
        folder,
        num_labels=3,
        ignore_mismatched_sizes=True,
        output_loading_info=True,
    )
    assert info["mismatched_keys"] == error.value.mismatched_keys
    assert model.classifier.out_proj.kernel.shape == (6, 3)


def test_an_output_matrix_of_its_own(hf, tmp_path, caplog):
    """As in transformers 5, it counts although the config says it's tied."""
    decoder = np.arange(13 * 6, dtype="f4").reshape(13, 6)
    folder = rewrite(
        hf,
        "ForMaskedLM",
        tmp_path / "x",
        lambda t: t | {"lm_head.decoder.weight": decoder},
    )
    cls = tf_longformer.TFLongformerForMaskedLM
    with caplog.at_level(logging.WARNING):
        model = cls.from_pretrained(folder)
    assert "'lm_head.decoder.weight' isn't" in caplog.text
    np.testing.assert_array_equal(model.lm_head.decoder.numpy(), decoder)
    assert not model.config.tie_word_embeddings
    convert(locate(folder), tmp_path / "y")
    again = cls.from_pretrained(tmp_path / "y")
    np.testing.assert_array_equal(again.lm_head.decoder.numpy(), decoder)
    # PyTorch's files have the tied matrix twice.
    caplog.clear()
    assert cls.from_pretrained(hf / "ForMaskedLM/torch").lm_head.tied
    assert "isn't" not in caplog.text


def test_weights_that_are_no_floats(hf, tmp_path):
    name = "embeddings.LayerNorm.bias"
    folder = rewrite(
        hf, "Model", tmp_path / "x", lambda t: t | {name: np.arange(6)}
    )
    with pytest.raises(CheckpointError, match="isn't quantised"):
        files.load(folder, "Model")


def test_another_kind_of_model(hf, tmp_path):
    folder = files.copy(
        hf / "Model/safetensors", tmp_path / "x", model_type="gpt2"
    )
    with pytest.raises(ValueError, match="model_type='gpt2'"):
        tf_longformer.TFLongformerModel.from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps([]), "utf-8")
    with pytest.raises(ValueError, match="JSON object"):
        tf_longformer.TFLongformerModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("num_hidden_layers", 10**6),
        ("num_labels", 10**8),
        ("hidden_size", 3 * 10**6),
        ("intermediate_size", 10**10),
        ("vocab_size", 10**10),
        ("max_position_embeddings", 10**10),
        ("type_vocab_size", 10**10),
    ],
)
def test_a_config_of_other_sizes_costs_nothing(hf, tmp_path, field, value):
    """It is refused by the file's header, before anything is made."""
    folder = files.copy(
        hf / "ForTokenClassification/torch", tmp_path / "x", **{field: value}
    )
    cls = tf_longformer.TFLongformerForTokenClassification
    with pytest.raises(ValueError, match=str(value)):
        cls.from_pretrained(folder)


def test_what_is_said_of_a_strangers_names_has_an_end(hf, tmp_path, caplog):
    """The log too; and numbers may be longer than Python reads."""
    long = "x" * 100_000
    folder = rewrite(
        hf,
        "Model",
        tmp_path / "x",
        lambda t: t | {f"classifier.{long}.{n}": np.ones(1) for n in range(9)},
    )
    with caplog.at_level(logging.INFO, "tf_longformer"):
        tf_longformer.TFLongformerModel.from_pretrained(folder)
    assert "not used of" in caplog.text
    assert len(caplog.text) < 5000
    entry = {"dtype": "F8_E4M3", "shape": [1], "data_offsets": [0, 1]}
    header = json.dumps({long: entry}).encode()
    size = len(header).to_bytes(8, "little")
    path = folder / "model.safetensors"
    path.write_bytes(size + header + b"\0")
    with pytest.raises(CheckpointError, match="of the type 'F8_E4M3'") as error:
        files.load(folder, "Model")
    assert len(str(error.value)) < 1000
    folder = rewrite(
        hf,
        "Model",
        tmp_path / "y",
        lambda t: t | {f"encoder.layer.{'9' * 5000}.x": np.ones(1)},
    )
    with pytest.raises(CheckpointError, match=r"unexpected \(1\)"):
        files.load(folder, "Model")
    words = "embeddings.word_embeddings.weight"
    folder = rewrite(
        hf,
        "Model",
        tmp_path / "z",
        lambda t: {f"{n}{long[:500]}.{words}": np.ones(1) for n in range(500)},
    )
    with pytest.raises(CheckpointError, match="and 495 more") as error:
        files.load(folder, "Model")
    assert len(str(error.value)) < 3010


def test_a_message_groups_the_blocks(hf):
    folder = hf / "ForTokenClassification/torch"
    with pytest.raises(CheckpointError) as error:
        tf_longformer.TFLongformerModel.from_pretrained(
            folder, intermediate_size=9, num_hidden_layers=4, attention_window=4
        )
    assert len(error.value.missing_keys) == 2 * 22
    text = str(error.value)
    assert (
        "missing (44): longformer.encoder.layer.{2..3}.attention.self.query."
        "weight x 2,"
    ) in text
    assert "layer.{0..1}.intermediate.dense.weight (file (" in text
    assert text.count("\n") < 12
