"""Every head as a SavedModel, run by TensorFlow in a process of its own."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_longformer.configuration import LongformerConfig
from tf_longformer.export import export_saved_model
from tf_longformer.quickstart.checks import run_with_tensorflow_only

HEADS = {
    "TFLongformerModel": ("longformer", {"last_hidden_state", "pooler_output"}),
    "TFLongformerForMaskedLM": ("masked_lm", {"logits"}),
    "TFLongformerForQuestionAnswering": (
        "question_answering",
        {"start_logits", "end_logits"},
    ),
    "TFLongformerForSequenceClassification": (
        "sequence_classification",
        {"logits"},
    ),
    "TFLongformerForTokenClassification": ("token_classification", {"logits"}),
    "TFLongformerForMultipleChoice": ("multiple_choice", {"logits"}),
}
RTOL = 1e-4


def _model(name):
    keras.utils.set_random_seed(0)
    module = importlib.import_module(f"tf_longformer.models.{HEADS[name][0]}")
    config = LongformerConfig(
        vocab_size=61,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=3,
        intermediate_size=19,
        attention_window=4,
        max_position_embeddings=64,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        sep_token_id=2,
        num_labels=2,
        initializer_range=0.3,
        # Both must not reach the signature.
        output_hidden_states=True,
        output_attentions=True,
    )
    return getattr(module, name)(config)


def _inputs(model, batch, seq):
    """Pairs of texts with padding at the end of the first row."""
    rng = np.random.default_rng(batch * seq)
    shape = (batch, seq) if model.input_rank == 2 else (batch, 3, seq)
    input_ids = rng.integers(3, 61, shape).astype("int32")
    attention_mask = np.ones_like(input_ids)
    input_ids[..., 0] = 0
    input_ids[..., [3, 4, seq - 1]] = 2
    if batch > 1:
        input_ids[0, ..., -4:] = 1
        input_ids[0, ..., -5] = 2
        attention_mask[0, ..., -4:] = 0
    return {"input_ids": input_ids, "attention_mask": attention_mask}


def _assert_same(found, expected):
    assert set(found) == set(expected)
    for name, value in expected.items():
        value = np.asarray(value)
        assert found[name].shape == value.shape
        difference = np.max(np.abs(found[name] - value))
        assert difference <= RTOL * np.max(np.abs(value)), name


def _expected(model, inputs):
    outputs = model(
        **inputs, output_attentions=False, output_hidden_states=False
    )
    return {name: value.numpy() for name, value in outputs.items()}


@pytest.mark.parametrize("name", HEADS)
def test_signature_and_numbers_of_every_head(name, tmp_path):
    model = _model(name)
    path = export_saved_model(model, tmp_path / "1")
    assert path == tmp_path / "1"
    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    _, specs = signature.structured_input_signature
    assert specs == {
        key: tf.TensorSpec([None] * model.input_rank, tf.int32, name=key)
        for key in ("input_ids", "attention_mask")
    }
    assert set(signature.structured_outputs) == HEADS[name][1]
    for batch, seq in ((1, 6), (2, 13), (3, 32)):
        inputs = _inputs(model, batch, seq)
        found = signature(**{k: tf.constant(v) for k, v in inputs.items()})
        _assert_same(
            {key: value.numpy() for key, value in found.items()},
            _expected(model, inputs),
        )


def test_needs_neither_keras_nor_this_package(tmp_path):
    model = _model("TFLongformerForSequenceClassification")
    export_saved_model(model, tmp_path / "1")
    inputs = _inputs(model, 2, 21)
    _assert_same(
        run_with_tensorflow_only(tmp_path / "1", inputs),
        _expected(model, inputs),
    )


def test_later_training_does_not_reach_the_folder(tmp_path):
    model = _model("TFLongformerForSequenceClassification")
    inputs = _inputs(model, 2, 9)
    expected = _expected(model, inputs)
    export_saved_model(model, tmp_path / "1")
    for weight in model.weights:
        weight.assign(weight + 1.0)
    signature = tf.saved_model.load(str(tmp_path / "1")).signatures
    found = signature["serving_default"](
        **{key: tf.constant(value) for key, value in inputs.items()}
    )
    _assert_same({"logits": found["logits"].numpy()}, expected)


def test_existing_folder(tmp_path):
    model = _model("TFLongformerForSequenceClassification")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match="isn't empty"):
        export_saved_model(model, tmp_path / "1")
    assert [p.name for p in (tmp_path / "1").iterdir()] == ["mine"]
    export_saved_model(model, tmp_path / "1", overwrite=True)
    assert not (tmp_path / "1" / "mine").exists()
    tf.saved_model.load(str(tmp_path / "1"))


def test_other_models_are_refused(tmp_path):
    with pytest.raises(TypeError, match="Received: Sequential"):
        export_saved_model(keras.Sequential(), tmp_path / "1")
    assert not (tmp_path / "1").exists()
