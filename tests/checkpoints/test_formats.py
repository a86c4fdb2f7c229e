"""Every format and head that transformers writes, array by array."""

from __future__ import annotations

import keras
import ml_dtypes
import numpy as np
import pytest
from checkpoints import files

import tf_longformer


@pytest.mark.parametrize("form", files.FORMATS)
@pytest.mark.parametrize("head", files.HEADS)
def test_every_array_is_read(hf, head, form):
    folder = hf / head
    matching, arrays = files.load(folder / form, head)
    assert matching.file.format == files.FORMATS[form]
    assert not matching.missing
    assert not matching.mismatched
    assert not matching.unexpected
    assert not matching.copied
    stored = {
        "torch_half": np.float16,
        "torch_bfloat16": ml_dtypes.bfloat16,
        "torch_double": np.float64,
    }.get(form, np.float32)
    expected = {
        path: array.astype(stored) for path, array in files.expected(folder)
    }
    files.assert_same_bits(arrays, expected)


def check_variables(model, folder, dtype=np.float32):
    ours = {w.path.partition("/")[2]: w for w in model.weights}
    ours = {
        path: np.asarray(variable.value)
        for path, variable in ours.items()
        if "seed_generator" not in path
    }
    expected = {
        path: array.astype(dtype).astype(np.float32)
        for path, array in files.expected(folder)
    }
    files.assert_same_bits(ours, expected)


@pytest.mark.parametrize("head", files.HEADS)
def test_every_variable_of_a_model_is_filled(hf, head):
    """A key's bias shows in no output."""
    cls = getattr(tf_longformer, f"TFLongformer{head}")
    model, info = cls.from_pretrained(
        hf / head / "torch", output_loading_info=True
    )
    assert info == {
        "missing_keys": [],
        "unexpected_keys": [],
        "mismatched_keys": [],
        "error_msgs": [],
    }
    check_variables(model, hf / head)


@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        ("tensorflow", "float32"),
        ("torch_double", "float32"),
        ("torch_bfloat16", ml_dtypes.bfloat16),
    ],
)
def test_variables_have_their_own_type(hf, form, dtype):
    model = tf_longformer.TFLongformerForMaskedLM.from_pretrained(
        hf / "ForMaskedLM" / form
    )
    check_variables(model, hf / "ForMaskedLM", dtype)


def test_a_file_of_weights_is_a_checkpoint(hf):
    path = hf / "ForMaskedLM/torch_legacy/pytorch_model.bin"
    model = tf_longformer.TFLongformerForMaskedLM.from_pretrained(path)
    check_variables(model, hf / "ForMaskedLM")


def test_accepted_without_effect(hf):
    model = tf_longformer.TFLongformerForMaskedLM.from_pretrained(
        hf / "ForMaskedLM/tensorflow",
        from_pt=True,
        from_tf=True,
        use_safetensors=True,
    )
    check_variables(model, hf / "ForMaskedLM")


def test_unknown_keyword(hf):
    with pytest.raises(TypeError, match="unknown \\['resume'\\]"):
        tf_longformer.TFLongformerModel.from_pretrained(
            hf / "Model/torch", resume=True
        )


def test_nothing_is_drawn_that_is_read(hf, monkeypatch):
    """Drawing takes time, and memory that the allocator never gives back."""
    drawn = []
    draw = keras.initializers.RandomNormal.__call__

    def record(self, shape, dtype=None):
        drawn.append(tuple(shape))
        return draw(self, shape, dtype=dtype)

    monkeypatch.setattr(keras.initializers.RandomNormal, "__call__", record)
    folder = hf / "ForTokenClassification" / "safetensors"
    tf_longformer.TFLongformerForTokenClassification.from_pretrained(folder)
    assert drawn == []
    model = tf_longformer.TFLongformerForQuestionAnswering.from_pretrained(
        folder, num_labels=2
    )
    assert drawn == [(model.config.hidden_size, 2)]
