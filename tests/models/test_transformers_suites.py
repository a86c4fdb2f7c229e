"""What transformers' own tests ask of a model and no other test here holds.

`tests/compatibility/huggingface_suites.md` has all that they ask.
"""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny


@pytest.mark.parametrize("head", tiny.HEADS)
def test_from_config(head):
    model = tiny.make_model(head)
    inputs = tiny.make_inputs(head)
    fields = json.loads(json.dumps(model.get_config()))
    for config in (fields, model.config):
        again = type(model).from_config(config)
        again.set_weights(model.get_weights())
        checks.assert_equal(again(inputs), model(inputs), 0)


@pytest.mark.parametrize("head", tiny.HEADS)
def test_the_first_argument(head):
    model = tiny.make_model(head)
    names = list(inspect.signature(model.call).parameters)
    assert names[:2] == [model.main_input_name, "attention_mask"]


def test_a_mask_of_ones_is_no_mask():
    model = tiny.make_model("Model", hidden_dropout_prob=0.3)
    ids = tiny.make_inputs("Model")["input_ids"][:1]
    ones = model(ids, attention_mask=np.ones_like(ids))
    checks.assert_equal(model(ids), ones)
    # Nor is there a dropout without training.
    checks.assert_equal(model(ids), ones)


def test_embeddings_in_place_of_ids():
    model = tiny.make_model("ForTokenClassification")
    inputs = tiny.make_inputs("ForTokenClassification")
    ids = np.maximum(inputs.pop("input_ids"), 2)
    embeddings = model.get_input_embeddings()(ids)
    inputs["attention_mask"] = np.ones_like(ids)
    checks.assert_equal(
        model(inputs_embeds=embeddings, **inputs), model(ids, **inputs)
    )


def test_order_of_outputs():
    """Asked for by the call or by the config, and attentions last."""
    asked = {"output_attentions": True, "output_hidden_states": True}
    inputs = tiny.make_inputs("ForTokenClassification")
    labels = tiny.make_labels("ForTokenClassification")
    make = tiny.make_model
    by_call = checks.seeded(make, "ForTokenClassification")(
        **inputs, **labels, **asked
    )
    by_config = checks.seeded(make, "ForTokenClassification", **asked)(
        **inputs, **labels
    )
    assert list(by_call) == [
        "loss",
        "logits",
        "hidden_states",
        "attentions",
        "global_attentions",
    ]
    assert list(by_config) == list(by_call)
    checks.assert_equal(by_config, by_call)
    assert len(by_call.hidden_states) == 2
    assert len(by_call.attentions) == len(by_call.global_attentions) == 1


def test_fit_wherever_the_labels_are():
    head = "ForTokenClassification"
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)
    model = tiny.make_model(head)
    model.compile(
        keras.optimizers.SGD(0.0),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
        run_eagerly=True,
    )
    both = {**inputs, **labels}
    rows = tf.data.Dataset.from_tensor_slices
    found = [
        model.fit(
            *data, validation_data=held_out, shuffle=False, verbose=0
        ).history
        for data, held_out in (
            ((both,), both),
            ((inputs, labels), (inputs, labels)),
            ((inputs, labels["labels"]), (inputs, labels["labels"])),
            ((rows(both).batch(4),), rows(both).batch(4)),
        )
    ]
    assert set(found[0]) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    for history in found:
        for name, (value,) in history.items():
            assert value == pytest.approx(found[0][name][0], rel=1e-5), name
        assert history["val_loss"] == pytest.approx(history["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("kind", "labels"),
    [
        ("regression", np.array([[0.5], [0.0], [1.0], [2.0]], "float32")),
        ("multi_label_classification", np.zeros((4, 2), "float32")),
    ],
)
def test_problem_types(kind, labels):
    head = "ForSequenceClassification"
    model = tiny.make_model(head, problem_type=kind, num_labels=labels.shape[1])
    outputs = model(tiny.make_inputs(head), labels=labels)
    logits = np.asarray(outputs.logits, "float64")
    expected = {
        "regression": (logits - labels) ** 2,
        "multi_label_classification": np.log1p(np.exp(logits)),
    }[kind]
    assert float(outputs.loss) == pytest.approx(np.mean(expected), rel=1e-5)


def test_chunks_change_nothing():
    inputs = tiny.make_inputs("Model")
    whole = checks.seeded(tiny.make_model, "Model")(inputs)
    chunked = checks.seeded(
        tiny.make_model, "Model", chunk_size_feed_forward=1
    )(inputs)
    checks.assert_equal(chunked, whole, 0)


def test_special_tokens_of_id_zero():
    special = ("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id")
    model = tiny.make_model("Model", **dict.fromkeys(special, 0))
    inputs = tiny.make_inputs("Model")
    outputs = model(inputs)
    assert all(np.isfinite(array).all() for array in checks.arrays(outputs))
