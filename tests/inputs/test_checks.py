"""Shapes and values of inputs: the rule, what was received, the fix."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from inputs.small_models import IDS
from inputs.small_models import changed
from inputs.small_models import make


@pytest.fixture(scope="module")
def model():
    return make()


# What is wrong, and what the message has to say: rule, received, fix.
VALUES = [
    ({"input_ids": changed(37)}, r"in \[0, 37\).*0 to 37.*tokenizer"),
    ({"input_ids": changed(-1)}, r"in \[0, 37\).*-1 to 0"),
    ({"input_ids": np.full((1, 21), 5)}, "= 20.*21 tokens.*truncation"),
    (
        {"input_ids": IDS, "attention_mask": changed(2)},
        "`attention_mask` must lie.*0 to 2.*`global_attention_mask`",
    ),
    ({"input_ids": IDS, "attention_mask": changed(-1)}, "-1 to 0"),
    ({"input_ids": IDS, "attention_mask": changed(0.5, "f4")}, "not all whole"),
    ({"input_ids": IDS, "global_attention_mask": changed(2)}, "0 to 2"),
    ({"input_ids": IDS, "token_type_ids": changed(1)}, "one type, 0"),
    ({"input_ids": IDS, "position_ids": changed(22)}, r"in \[0, 22\)"),
]
SHAPES = [
    ({}, "Exactly one of.*neither"),
    (
        {"input_ids": IDS, "inputs_embeds": np.zeros((2, 7, 6))},
        "Received: both",
    ),
    ({"inputs_embeds": np.zeros((2, 7, 5))}, r"hidden_size=6\].*\(2, 7, 5\)"),
    ({"inputs_embeds": np.zeros((2, 7, 6), int)}, "must be floating point"),
    ({"input_ids": np.zeros((1, 2, 3), int)}, r"must be \[batch, seq\]"),
    ({"input_ids": IDS.astype("float32")}, "must be integers"),
    ({"input_ids": np.zeros((2, 0), int)}, "at least one token"),
    ({"input_ids": IDS, "attention_mask": np.ones((2, 8))}, r"\(2, 8\)"),
    ({"input_ids": IDS, "attention_mask": np.ones(7)}, "missing axis"),
    ({"input_ids": IDS, "global_attention_mask": IDS[:1]}, r"\(1, 7\)"),
    ({"input_ids": IDS, "head_mask": np.ones(2)}, r"head_mask.*\(1, 2\)"),
]


@pytest.mark.parametrize(("inputs", "message"), VALUES + SHAPES)
def test_eager(model, inputs, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        model(**inputs)


@pytest.mark.parametrize(("inputs", "message"), VALUES)
def test_graph_raises_when_it_runs(model, inputs, message):
    """In other words: values are not known when the message is made."""
    specs = {
        name: tf.TensorSpec([None] * value.ndim, value.dtype)
        for name, value in inputs.items()
    }
    if "input_ids" in specs:
        specs["input_ids"] = tf.TensorSpec([None, None], tf.int32)
        inputs = {**inputs, "input_ids": inputs["input_ids"].astype("int32")}
    call = tf.function(lambda inputs: model(inputs), input_signature=[specs])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must "):
        call({name: tf.constant(value) for name, value in inputs.items()})


@pytest.mark.parametrize("name", ["input_ids", "attention_mask"])
@pytest.mark.parametrize("dtype", ["array", "tensor", "text", "list"])
def test_texts_are_no_numbers(model, name, dtype):
    text = {
        "array": np.array([["a"] * 7] * 2),
        "tensor": tf.constant([["a"] * 7] * 2),
        "text": "a text",
        "list": ["a text"],
    }[dtype]
    with pytest.raises(ValueError, match=f"`{name}` must hold numbers.*token"):
        model(**{"input_ids": IDS, name: text})


@pytest.fixture
def embeds():
    """Embeddings, of which two numbers are none."""
    embeds = np.zeros((2, 7, 6), "float32")
    embeds[1, 2, 3], embeds[0, 0, 0] = np.nan, np.inf
    return embeds


def test_embeddings_that_are_not_finite(model, embeds):
    with pytest.raises(ValueError, match="(?s)be finite.*2 of 84.*Look for"):
        model(inputs_embeds=embeds)
    other = make()
    # XLA drops assertions, so that the host looks.
    other.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match="be finite"):
        other.predict({"inputs_embeds": embeds}, verbose=0)


@pytest.mark.slow
def test_embeddings_that_are_not_finite_in_a_graph(model, embeds):
    call = tf.function(lambda x: model(inputs_embeds=x).last_hidden_state)
    with pytest.raises(tf.errors.InvalidArgumentError, match="be finite"):
        call(tf.constant(embeds))


def test_padding_without_a_mask_warns(model):
    ids = IDS.copy()
    ids[0, -2:] = 1
    with pytest.warns(UserWarning, match="there is no `attention_mask`"):
        model(ids)


def test_floats_stand_in_for_integers_where_keras_builds():
    """With data they are refused."""
    model = make("ForQuestionAnswering")
    ids = np.array([[0, 5, 2, 2, 6, 7, 2]])
    mask = np.eye(1, 7, dtype="int32")
    inputs = {
        "input_ids": ids,
        "position_ids": np.arange(7)[None] + 2,
        "global_attention_mask": mask,
        "start_positions": [1],
        "end_positions": [2],
    }
    expected = model(inputs)
    for name in set(inputs) - {"global_attention_mask"}:
        floats = {**inputs, name: np.asarray(inputs[name], "float64")}
        with pytest.raises(ValueError, match=f"`{name}` must be integers"):
            model(floats)
        with keras.SymbolicScope():
            np.testing.assert_array_equal(model(floats).loss, expected.loss)
