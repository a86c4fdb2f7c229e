"""Every format that is written, against what transformers and Keras have."""

from __future__ import annotations

import json

import h5py
import keras
import ml_dtypes
import numpy as np
import pytest
from checkpoints import files
from safetensors.numpy import load_file

import tf_longformer
from tf_longformer import LongformerConfig
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate

WRITTEN = ("safetensors", "h5", "weights.h5", "keras")

SMALLEST = {
    "attention_window": 4,
    "num_hidden_layers": 1,
    "num_attention_heads": 1,
    "hidden_size": 4,
    "intermediate_size": 4,
    "vocab_size": 5,
    "max_position_embeddings": 9,
}


@pytest.fixture(scope="module")
def model(hf):
    return tf_longformer.TFLongformerForMaskedLM.from_pretrained(
        hf / "ForMaskedLM/torch"
    )


def values(model):
    return [
        np.asarray(weight.value)
        for weight in model.weights
        if "seed_generator" not in weight.path
    ]


@pytest.mark.parametrize("head", files.HEADS)
def test_safetensors_are_those_of_pytorch(hf, head, tmp_path):
    source = hf / head / "tensorflow"
    assert convert(locate(source), tmp_path) == []
    path = "safetensors/model.safetensors"
    theirs = load_file(hf / head / path)
    files.assert_same_bits(load_file(tmp_path / "model.safetensors"), theirs)
    header = (tmp_path / "model.safetensors").read_bytes()[8:200]
    assert b'"__metadata__":{"format":"pt"}' in header


@pytest.mark.parametrize("head", files.HEADS)
def test_h5_is_that_of_tensorflow(hf, head, tmp_path):
    """Same data sets, same bytes, same attributes."""
    convert(locate(hf / head / "torch"), tmp_path, "h5")
    theirs = hf / head / "tensorflow/tf_model.h5"
    ours = tmp_path / "tf_model.h5"
    files.assert_same_bits(files.datasets(ours), files.datasets(theirs))
    with h5py.File(ours) as a, h5py.File(theirs) as b:
        # Keras 2 counts dropouts over the process, and gives them a group.
        layers = [n for n in b.attrs["layer_names"] if "dropout" not in n]
        assert list(a.attrs["layer_names"]) == layers
        assert a.attrs["backend"] == b.attrs["backend"]
        assert a.attrs["keras_version"] == b.attrs["keras_version"]
        for layer in [*layers, "top_level_model_weights"]:
            names = [list(f[layer].attrs["weight_names"]) for f in (a, b)]
            assert sorted(names[0]) == sorted(names[1])


@pytest.mark.parametrize("save_format", WRITTEN)
@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16", "float64"])
def test_round_trip(hf, model, save_format, dtype, tmp_path):
    if (save_format, dtype) == ("h5", "bfloat16"):
        with pytest.raises(ValueError, match="no bfloat16"):
            model.save_pretrained(tmp_path, save_format, dtype=dtype)
        assert list(tmp_path.iterdir()) == []
        return
    model.save_pretrained(tmp_path, save_format, dtype=dtype)
    _, arrays = files.load(tmp_path, "ForMaskedLM")
    stored = np.dtype(ml_dtypes.bfloat16 if dtype == "bfloat16" else dtype)
    if dtype is None:
        stored = np.dtype("float32")
    assert {array.dtype for array in arrays.values()} == {stored}
    expected = dict(files.expected(hf / "ForMaskedLM"))
    files.assert_same_bits(
        arrays, {path: a.astype(stored) for path, a in expected.items()}
    )
    assert len(list(tmp_path.iterdir())) == 2
    assert LongformerConfig.from_pretrained(tmp_path).dtype == str(stored)


@pytest.mark.parametrize("head", files.HEADS)
def test_keras_reads_our_weights_and_we_keras(hf, head, tmp_path):
    cls = getattr(tf_longformer, f"TFLongformer{head}")
    model = cls.from_pretrained(hf / head / "torch")
    model.save_pretrained(tmp_path / "ours", "weights.h5")
    blank = cls(model.config)
    blank.load_weights(tmp_path / "ours/model.weights.h5")
    for ours, theirs in zip(values(blank), values(model), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    (tmp_path / "keras").mkdir()
    model.save_weights(tmp_path / "keras/model.weights.h5")
    model.config.save_pretrained(tmp_path / "keras")
    _, arrays = files.load(tmp_path / "keras", head)
    files.assert_same_bits(arrays, dict(files.expected(hf / head)))


@pytest.mark.parametrize("dtype", [None, "float16", "bfloat16"])
def test_keras_opens_our_archive(hf, dtype, tmp_path):
    model = tf_longformer.TFLongformerForTokenClassification.from_pretrained(
        hf / "ForTokenClassification/torch"
    )
    if dtype is not None:
        model.compile(optimizer=keras.optimizers.SGD(0.1, momentum=0.9))
        model.optimizer.build(model.trainable_variables)
    model.save_pretrained(tmp_path, "keras", dtype=dtype)
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again) is type(model)
    for ours, theirs in zip(values(again), values(model), strict=True):
        rounded = theirs if dtype is None else theirs.astype(dtype)
        np.testing.assert_array_equal(ours, rounded.astype("float32"))
    # An archive needs no `config.json` beside it.
    (tmp_path / "config.json").unlink()
    type(model).from_pretrained(tmp_path)
    type(model).from_pretrained(tmp_path / "model.keras")


def test_shards(model, tmp_path):
    model.save_pretrained(tmp_path, max_shard_size="1KB")
    index = json.loads(
        (tmp_path / "model.safetensors.index.json").read_text("utf-8")
    )
    shards = sorted(set(index["weight_map"].values()))
    assert len(shards) > 3
    assert shards[0] == f"model-00001-of-0000{len(shards)}.safetensors"
    arrays = {}
    for name in shards:
        arrays.update(load_file(tmp_path / name))
    size = sum(array.nbytes for array in arrays.values())
    assert index["metadata"]["total_size"] == size
    for name in shards:
        found = load_file(tmp_path / name)
        total = sum(array.nbytes for array in found.values())
        assert total <= 1000 or len(found) == 1
    again = type(model).from_pretrained(tmp_path)
    for ours, theirs in zip(values(again), values(model), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    # One file again: the shards go with their index.
    model.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "config.json",
        "model.safetensors",
    }
    model.save_pretrained(tmp_path, max_shard_size=1000)
    assert not (tmp_path / "model.safetensors").exists()


def test_older_weights_must_not_hide_new_ones(model, tmp_path):
    model.save_pretrained(tmp_path, "h5")
    model.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="is read before its tf_model.h5"):
        model.save_pretrained(tmp_path, "h5")


def test_converting_to_keras_says_who_can(hf, tmp_path):
    source = locate(hf / "ForMaskedLM/torch")
    with pytest.raises(ValueError, match="loading.convert_to_keras"):
        convert(source, tmp_path / "new", "keras")
    assert not (tmp_path / "new").exists()


def test_what_else_is_in_a_folder_stays(model, tmp_path):
    (tmp_path / "vocab.json").write_text("{}", "utf-8")
    model.save_pretrained(tmp_path)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "vocab.json").read_text("utf-8") == "{}"
    assert len(list(tmp_path.iterdir())) == 3


def test_an_output_matrix_of_its_own(tmp_path):
    config = LongformerConfig(**SMALLEST, tie_word_embeddings=False)
    model = tf_longformer.TFLongformerForMaskedLM(config)
    for save_format in ("safetensors", "weights.h5", "keras"):
        model.save_pretrained(tmp_path / save_format, save_format)
        again = type(model).from_pretrained(tmp_path / save_format)
        for ours, theirs in zip(values(again), values(model), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="lm_head/decoder.*Use safetensors"):
        model.save_pretrained(tmp_path / "h5", "h5")
    assert not (tmp_path / "h5").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"save_format": "bin"}, "`save_format` must be one of"),
        ({"dtype": "int8"}, "`dtype` must be one of"),
        ({"max_shard_size": "5 apples"}, "`max_shard_size` must be"),
        ({"max_shard_size": 0}, "`max_shard_size` must be"),
    ],
)
def test_bad_arguments(model, options, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        model.save_pretrained(tmp_path, **options)
    assert list(tmp_path.iterdir()) == []


def test_a_type_without_room(tmp_path):
    config = LongformerConfig(**SMALLEST)
    model = tf_longformer.TFLongformerForMaskedLM(config)
    model.lm_head.bias.assign([0.0, 1e6, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="must fit `dtype`.*1e\\+06"):
        model.save_pretrained(tmp_path, dtype="float16")
    model.save_pretrained(tmp_path, dtype="bfloat16")


def test_quantised_layers_are_refused(hf, tmp_path):
    model = tf_longformer.TFLongformerForTokenClassification.from_pretrained(
        hf / "ForTokenClassification/torch"
    )
    model.classifier.enable_lora(2)
    model.classifier.quantize("int8")
    with pytest.raises(ValueError, match="a layer that was quantised"):
        model.save_pretrained(tmp_path)
    assert not list(tmp_path.iterdir())


def test_weights_of_a_subclass(hf, tmp_path):
    class WithScale(tf_longformer.TFLongformerModel):
        def build_head(self):
            self.scale = self.add_weight(shape=(3,), name="scale")

    model, info = WithScale.from_pretrained(
        hf / "Model/torch", output_loading_info=True
    )
    assert info["missing_keys"] == ["scale"]
    model.scale.assign([1.0, 2.0, 3.0])
    model.save_pretrained(tmp_path)
    again, info = WithScale.from_pretrained(tmp_path, output_loading_info=True)
    assert not any(info.values())
    np.testing.assert_array_equal(again.scale.numpy(), [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="scale.*Use safetensors"):
        model.save_pretrained(tmp_path / "h5", "h5")
