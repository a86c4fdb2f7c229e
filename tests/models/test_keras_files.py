"""Files of Keras and of TensorFlow that hold our models."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny
from helpers import wrapped

import tf_longformer
from tf_longformer import LongformerConfig

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "heads",
    [
        ["ForQuestionAnswering"],
        pytest.param(tiny.HEADS, marks=pytest.mark.slow),
    ],
)
def test_models_of_users_around_ours(heads, tmp_path):
    """In a new process that has imported nothing but the package."""
    wrapped.save(tmp_path, heads)
    paths = [TESTS, Path(tf_longformer.__file__).parents[1]]
    done = subprocess.run(
        [sys.executable, "-W", "error", TESTS / "helpers/wrapped.py", tmp_path],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def test_a_config_is_an_object_of_keras():
    config = LongformerConfig(
        num_labels=3, attention_window=[4, 6], num_hidden_layers=2, added=[1]
    )
    written = keras.saving.serialize_keras_object(config)
    assert written["registered_name"] == "tf_longformer>LongformerConfig"
    read = keras.saving.deserialize_keras_object(written)
    assert read == config
    assert read.to_dict() == config.to_dict()
    # As a layer that leaves it to Keras's `from_config` gets it.
    assert LongformerConfig.from_dict(written) == config


def test_a_stack_without_an_input(tmp_path):
    """Keras's placeholder is of floats; its layers are called one by one."""
    model = tiny.make_model("Model")
    stack = keras.Sequential(
        [model, keras.layers.Lambda(lambda x: x["pooler_output"])]
    )
    stack.build((None, tiny.SEQ))
    ids = tiny.make_inputs("ForMaskedLM")["input_ids"][:1]
    expected = model(ids).pooler_output
    checks.assert_equal(stack(ids), expected, 0)
    checks.assert_equal(stack.predict(ids, verbose=0), expected, 1e-5)
    assert stack.compute_output_shape((2, 5)) == (2, 10)
    stack.save(tmp_path / "stack.keras")
    loaded = keras.models.load_model(tmp_path / "stack.keras", safe_mode=False)
    checks.assert_equal(loaded(ids), expected, 0)
    with pytest.raises(ValueError, match="float32.*`keras.Input`.*int32"):
        model(keras.Input((7,)))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("folder", {}),
        ("folder", {"save_format": "tf"}),
        ("x.keras", {"save_format": "tf"}),
        ("x.ckpt", {}),
    ],
)
def test_save_names_the_way(name, options, tmp_path):
    model = tiny.make_model("Model")
    with pytest.raises(ValueError, match=r"(?s)model.keras.*export.*save_pret"):
        model.save(tmp_path / name, **options)
    assert not list(tmp_path.iterdir())


def test_save_takes_a_format_that_the_name_has(tmp_path):
    model = tiny.make_model("Model")
    model.save(tmp_path / "x.keras", save_format="keras_v3")
    assert (tmp_path / "x.keras").exists()


def test_checkpoints_of_tensorflow_have_every_weight(tmp_path):
    model, again = (
        tiny.make_model("ForMaskedLM", num_hidden_layers=2) for _ in range(2)
    )
    path = tf.train.Checkpoint(model=model).save(tmp_path / "checkpoint")
    status = tf.train.Checkpoint(model=again).restore(path)
    status.assert_existing_objects_matched().assert_consumed()
    checks.assert_equal(again.trainable_weights, model.trainable_weights, 0)


@pytest.mark.slow
@pytest.mark.parametrize("head", tiny.HEADS)
def test_what_tensorflow_saves_can_be_called(head, tmp_path):
    model = tiny.make_model(head, output_hidden_states=True)
    inputs = tiny.make_inputs(head)
    tf.saved_model.save(model, tmp_path)
    loaded = tf.saved_model.load(tmp_path)
    serve = loaded.signatures["serving_default"]
    _, specs = serve.structured_input_signature
    assert {name: spec.dtype for name, spec in specs.items()} == {
        name: tf.int32 for name in inputs
    }
    for rows in (slice(None), slice(1)):
        some = {name: value[rows] for name, value in inputs.items()}
        outputs = serve(
            **{name: tf.constant(value) for name, value in some.items()}
        )
        expected = model(some, output_hidden_states=False)
        assert sorted(outputs) == sorted(expected)
        for name in outputs:
            checks.assert_equal(outputs[name], expected[name], 1e-5)


def test_what_tensorflow_saves_has_a_signature():
    """That it can be called is seen in the slow test above."""
    function = tiny.make_model("ForMultipleChoice")._default_save_signature
    (inputs,) = function.input_signature
    for name in tiny.make_inputs("ForMultipleChoice"):
        spec = tf.TensorSpec((None, None, None), tf.int32, name=name)
        assert inputs.pop(name) == spec
    assert not inputs
