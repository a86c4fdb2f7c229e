"""Configs, files and global tokens that a model can't be made or used with."""

import json
import shutil
import warnings
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from inputs.small_models import FIELDS
from inputs.small_models import IDS
from inputs.small_models import changed
from inputs.small_models import make

import tf_longformer
from tf_longformer import LongformerConfig


@pytest.fixture(scope="module")
def model():
    return make()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    make("ForSequenceClassification").save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"hidden_size": 8}, r"embeddings.weight \(file \(37, 6\), model"),
        ({"intermediate_size": 7}, "intermediate.dense.weight .*file"),
        ({"vocab_size": 38}, r"\(file \(37, 6\), model \(38, 6\)\)"),
        ({"num_hidden_layers": 2}, r"missing \(22\): .*layer.1.attention"),
        ({"num_labels": 5}, "`ignore_mismatched_sizes=True`"),
        ({"num_attention_heads": 4}, "`hidden_size` must be a multiple"),
        ({"attention_window": [4, 4]}, "a list of one per layer"),
        ({"hidden_act": "gelo"}, "the name of an activation"),
    ],
)
def test_overrides_that_contradict_the_weights(folder, overrides, message):
    cls = tf_longformer.TFLongformerForSequenceClassification
    with pytest.raises(ValueError, match=f"(?s){message}"):
        cls.from_pretrained(folder, **overrides)


def test_keras_files_that_are_none(folder, tmp_path):
    model = make("ForSequenceClassification")
    model.save(tmp_path / "model.keras")
    whole = (tmp_path / "model.keras").read_bytes()
    shutil.copy(folder / "config.json", tmp_path)
    for content in (b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "model.keras").write_bytes(content)
        with pytest.raises(ValueError, match="`.keras` zip file"):
            keras.models.load_model(tmp_path / "model.keras")
        with pytest.raises(ValueError, match=r"no .keras file.*save it again"):
            type(model).from_pretrained(tmp_path)


def test_a_keras_file_of_another_version(tmp_path):
    model = make("ForSequenceClassification")
    model.save(tmp_path / "old.keras")
    with (
        zipfile.ZipFile(tmp_path / "old.keras") as old,
        zipfile.ZipFile(tmp_path / "new.keras", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["format"] = 99
                content = json.dumps(config)
            new.writestr(name, content)
    with pytest.raises(ValueError, match="format 99, of another version"):
        keras.models.load_model(tmp_path / "new.keras")


def test_many_global_tokens_warn_once(model):
    mask = np.ones_like(IDS)
    model = make()
    with pytest.warns(UserWarning, match="7 global tokens.*window of 4"):
        first = model(IDS, global_attention_mask=mask)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = model(IDS, global_attention_mask=mask)
    np.testing.assert_array_equal(
        first.last_hidden_state, second.last_hidden_state
    )


def test_a_model_is_made_from_a_config():
    with pytest.raises(TypeError, match="LongformerConfig.*Received: str"):
        tf_longformer.TFLongformerModel("longformer-base-4096")
    with pytest.raises(ValueError, match="no `model_type` and no `attention_"):
        tf_longformer.TFLongformerModel({"hidden_size": 12})


def test_a_model_is_made_from_fields_and_configs_of_others():
    fields = {**FIELDS, "model_type": "longformer", "num_labels": 2}

    class Theirs:
        def to_dict(self):
            return fields

    for config in (fields, Theirs()):
        model = tf_longformer.TFLongformerForQuestionAnswering(config)
        assert model.config == LongformerConfig(**fields)
        again = tf_longformer.TFLongformerModel.from_config(config)
        assert again.config == model.config


def test_question_answering_has_two_outputs():
    with pytest.raises(ValueError, match="num_labels=3.*Set `num_labels=2`"):
        make("ForQuestionAnswering", num_labels=3)


def test_attention_slots_have_to_hold_the_globals():
    model = make(attention_slots=1)
    mask = np.zeros_like(IDS)
    mask[0, :2] = 1
    inputs = {"input_ids": IDS, "global_attention_mask": mask}

    def call(inputs):
        return model(inputs, output_attentions=True).attentions

    with pytest.raises(ValueError, match="a row with 2 global tokens"):
        call(inputs)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="attention_slots=1, and a row"
    ):
        tf.function(call)(inputs)


def test_attentions_under_xla_need_slots(model):
    call = tf.function(
        lambda ids, mask: model(
            ids, global_attention_mask=mask, output_attentions=True
        ),
        jit_compile=True,
    )
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="set_attention_slots_in_the_config",
    ):
        call(tf.constant(IDS), tf.constant(changed(1)))


def test_fit_under_xla_says_that_attentions_need_slots():
    model = make(output_attentions=True)
    model.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match="Set `attention_slots`"):
        model.predict({"input_ids": IDS}, verbose=0)
