"""What files of all ages have: prefixes, buffers, other names, lost parts."""

from __future__ import annotations

import json
import logging

import numpy as np
import pytest
from checkpoints import files
from safetensors.numpy import load_file
from safetensors.numpy import save_file

import tf_longformer
from tf_longformer.errors import CheckpointError

WRAPPERS = ("", "module.", "model.", "_orig_mod.", "module.model.")
BODY = "longformer."


def rewrite(hf, head, target, change, form="safetensors", **fields):
    """Copies a checkpoint, its tensors as `change` returns them."""
    files.copy(hf / head / form, target, **fields)
    path = target / "model.safetensors"
    tensors = {n: np.ascontiguousarray(a) for n, a in load_file(path).items()}
    tensors = {
        name: np.ascontiguousarray(array)
        for name, array in change(tensors).items()
    }
    fmt = "tf" if form.startswith("tensorflow") else "pt"
    save_file(tensors, path, {"format": fmt})
    return target


def renamed(function):
    return lambda tensors: {function(n): a for n, a in tensors.items()}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("body", ["longformer.", "roberta."])
@pytest.mark.parametrize("head", ["ForMaskedLM", "ForTokenClassification"])
def test_prefixes(hf, head, wrapper, body, tmp_path):
    folder = rewrite(
        hf,
        head,
        tmp_path / "x",
        renamed(lambda n: wrapper + n.replace(BODY, body)),
    )
    matching, arrays = files.load(folder, head)
    assert not matching.unexpected
    assert not matching.copied
    files.assert_same_bits(arrays, dict(files.expected(hf / head)))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_bare_names(hf, wrapper, tmp_path):
    """Lightning's module has the bare model as `model`, its head beside."""

    def rename(name):
        if name.startswith(BODY):
            return wrapper + name.removeprefix(BODY)
        return name

    head = "ForQuestionAnswering"
    folder = rewrite(hf, head, tmp_path / "x", renamed(rename))
    _, arrays = files.load(folder, head)
    files.assert_same_bits(arrays, dict(files.expected(hf / head)))


def test_a_prefix_that_only_looks_like_one(hf, tmp_path):
    """A suffix is no name: these are weights of something else."""
    folder = rewrite(
        hf, "Model", tmp_path / "x", renamed(lambda n: f"teacher.{n}")
    )
    with pytest.raises(CheckpointError) as error:
        files.load(folder, "Model")
    assert len(error.value.missing_keys) == 2 * 22 + 5
    assert error.value.unexpected_keys == []


def test_gamma_and_beta(hf, tmp_path):
    def rename(name):
        stem, _, last = name.rpartition(".")
        if stem.endswith(("LayerNorm", "layer_norm")):
            last = {"weight": "gamma", "bias": "beta"}[last]
        return f"{stem}.{last}"

    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", renamed(rename))
    assert any("gamma" in n for n in load_file(folder / "model.safetensors"))
    matching, arrays = files.load(folder, "ForMaskedLM")
    assert matching.unexpected == []
    files.assert_same_bits(arrays, dict(files.expected(hf / "ForMaskedLM")))


@pytest.mark.parametrize("length", [17, 5])
def test_position_ids_are_no_weight(hf, length, tmp_path):
    buffer = {f"{BODY}embeddings.position_ids": np.arange(length)[None]}
    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", lambda t: t | buffer)
    matching, _ = files.load(folder, "ForMaskedLM")
    assert matching.unexpected == []


@pytest.mark.parametrize("names", [("bias",), ("decoder.bias",), None])
@pytest.mark.parametrize("matrix", [False, True])
def test_tied_head(hf, names, matrix, tmp_path):
    def change(tensors):
        bias = tensors.pop("lm_head.bias")
        for name in names or ("bias", "decoder.bias"):
            tensors[f"lm_head.{name}"] = bias.copy()
        if matrix:
            words = f"{BODY}embeddings.word_embeddings.weight"
            tensors["lm_head.decoder.weight"] = tensors[words].copy()
        return tensors

    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", change)
    matching, arrays = files.load(folder, "ForMaskedLM")
    assert matching.unexpected == []
    files.assert_same_bits(arrays, dict(files.expected(hf / "ForMaskedLM")))


def test_a_weight_twice(hf, tmp_path):
    name = f"{BODY}embeddings.LayerNorm"
    folder = rewrite(
        hf,
        "ForMaskedLM",
        tmp_path / "x",
        lambda t: t | {f"{name}.gamma": t[f"{name}.weight"].copy()},
    )
    with pytest.raises(CheckpointError, match="each weight once"):
        files.load(folder, "ForMaskedLM")


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


def without_globals(tensors):
    return {n: a for n, a in tensors.items() if "_global." not in n}


@pytest.mark.parametrize("named", ["roberta.", "config"])
def test_a_roberta_lends_its_projections(hf, named, tmp_path, caplog):
    def change(tensors):
        prefix = "roberta." if named == "roberta." else BODY
        return {
            n.replace(BODY, prefix): a
            for n, a in without_globals(tensors).items()
        }

    kind = {"model_type": "roberta"} if named == "config" else {}
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
        - {"lm_head.decoder.bias"}
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


def test_weights_that_are_no_floats(hf, tmp_path):
    name = "embeddings.LayerNorm.bias"
    folder = rewrite(
        hf, "Model", tmp_path / "x", lambda t: t | {name: np.arange(6)}
    )
    with pytest.raises(CheckpointError, match="isn't quantised"):
        files.load(folder, "Model")


def test_another_kind_of_model(hf, tmp_path):
    folder = files.copy(
        hf / "Model/safetensors", tmp_path / "x", model_type="bert"
    )
    with pytest.raises(ValueError, match="model_type='bert'"):
        tf_longformer.TFLongformerModel.from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps([]), "utf-8")
    with pytest.raises(ValueError, match="JSON object"):
        tf_longformer.TFLongformerModel.from_pretrained(folder)
