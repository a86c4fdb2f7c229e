"""Outputs as dict, object and tuple, where TensorFlow and Keras take them."""

import copy
import pickle

import keras
import pytest
import tensorflow as tf

from tf_longformer import TFLongformerBaseModelOutput
from tf_longformer import TFLongformerQuestionAnsweringModelOutput
from tf_longformer import TFLongformerSequenceClassifierOutput


def make():
    return TFLongformerSequenceClassifierOutput(
        attentions=None,
        hidden_states=(tf.constant([1.0]), tf.constant([2.0])),
        logits=tf.constant([[3.0]]),
    )


def check(output):
    assert type(output) is TFLongformerSequenceClassifierOutput
    assert list(output) == ["logits", "hidden_states"]
    assert float(output.logits[0, 0]) == float(output["logits"][0, 0]) == 3
    assert [float(x[0]) for x in output.hidden_states] == [1, 2]


def test_three_ways_in():
    output = make()
    check(output)
    # In the fields' order, whatever order they were given in.
    assert output[0] is output["logits"]
    assert output[1] is output["hidden_states"]
    assert output[:1] == (output.logits,)
    assert output.to_tuple() == tuple(output.values())
    assert len(output) == 2
    logits, hidden_states = output.to_tuple()
    assert logits is output.logits
    assert hidden_states is output.hidden_states


def test_absent_fields():
    output = make()
    assert output.attentions is None
    assert output.loss is None
    assert "loss" not in output
    with pytest.raises(KeyError):
        output["loss"]
    with pytest.raises(AttributeError, match="has no attribute 'scores'"):
        output.scores  # noqa: B018


def test_setting_a_field():
    output = make()
    output.loss = 1.5
    assert output["loss"] == 1.5
    output["logits"] = 2
    assert output.logits == 2


def test_unknown_fields_are_refused():
    with pytest.raises(TypeError, match=r"Received: \['scores'\]"):
        TFLongformerBaseModelOutput(scores=1)


@pytest.mark.parametrize(
    "through",
    [
        lambda x: tf.nest.map_structure(tf.identity, x),
        lambda x: keras.tree.map_structure(tf.identity, x),
        lambda x: keras.tree.pack_sequence_as(x, keras.tree.flatten(x)),
        lambda x: tf.function(lambda: x)(),
        lambda x: tf.function(lambda: x, jit_compile=True)(),
        lambda x: pickle.loads(pickle.dumps(x)),
        copy.copy,
        copy.deepcopy,
    ],
)
def test_passes_through(through):
    check(through(make()))


def test_keras_keeps_fields_that_become_none():
    """Its losses map outputs to `None` and pack them again."""
    mapped = keras.tree.map_structure(lambda _: None, make())
    assert list(mapped) == ["logits", "hidden_states"]


def test_order_of_question_answering():
    output = TFLongformerQuestionAnsweringModelOutput(
        end_logits=3, start_logits=2, loss=1
    )
    assert output.to_tuple() == (1, 2, 3)
