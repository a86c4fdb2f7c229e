"""Data of `fit`, `evaluate` and `predict` that break a rule."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from inputs.small_models import IDS
from inputs.small_models import changed
from inputs.small_models import make

from tf_longformer.training.data_checks import check_each_batch


def fit_data(**changes):
    data = {"input_ids": IDS, "labels": np.array([0, 1]), **changes}
    return {name: np.asarray(value) for name, value in data.items()}


class Batches(keras.utils.PyDataset):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.data,)


def sources(data):
    yield "arrays", data
    yield "dataset", tf.data.Dataset.from_tensor_slices(data).batch(2)
    yield "batches", Batches(data)
    yield "generator", ((batch,) for batch in [data])


@pytest.mark.parametrize(
    ("jit_compile", "source"),
    [
        (True, "arrays"),
        (False, "dataset"),
        (True, "batches"),
        (False, "generator"),
    ],
)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_ids": changed(37)}, "`input_ids` must lie"),
        ({"labels": [0, 2]}, "`labels` must lie"),
        ({"attention_mask": changed(2)}, "`attention_mask` must lie"),
    ],
)
def test_fit_names_what_is_out_of_range(jit_compile, source, changes, message):
    """XLA would clamp it without a word."""
    model = make("ForSequenceClassification")
    model.compile("sgd", jit_compile=jit_compile)
    before = [weight.numpy() for weight in model.trainable_weights]
    data = dict(sources(fit_data(**changes)))[source]
    with pytest.raises(
        (ValueError, tf.errors.InvalidArgumentError), match=message
    ):
        model.fit(data, shuffle=False, verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize(
    "source", ["arrays", "dataset", "batches", "generator"]
)
def test_checked_data_are_the_data(source):
    """A whole epoch under XLA, on a fresh model each, gives one loss."""
    losses = []
    for jit_compile in (False, True):
        model = make("ForSequenceClassification", hidden_dropout_prob=0.0)
        model.compile("sgd", jit_compile=jit_compile)
        data = dict(sources(fit_data()))[source]
        losses.append(model.evaluate(data, steps=1, verbose=0))
        assert np.isfinite(losses[-1])
    assert np.isclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("method", ["predict", "evaluate"])
def test_predict_and_evaluate_look_too(method):
    model = make("ForSequenceClassification")
    model.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match="`input_ids` must lie"):
        getattr(model, method)(fit_data(input_ids=changed(37)), verbose=0)


@pytest.mark.parametrize(
    "text",
    [["a dog"], "a dog", np.array(["a dog"]), np.array(["a"], object)],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "predict", "predict_on_batch"])
def test_text_is_no_input(method, text):
    model = make("ForSequenceClassification")
    model.compile("sgd")
    for x in (text, {"input_ids": text}, {"input_ids": tf.constant(["a"])}):
        with pytest.raises(ValueError, match="ids with a tokenizer first"):
            getattr(model, method)(x)


@pytest.mark.parametrize("source", ["arrays", "dataset", "batches"])
def test_validation_data_are_checked(source):
    model = make("ForSequenceClassification")
    model.compile("sgd", jit_compile=True)
    bad = dict(sources(fit_data(input_ids=changed(37))))[source]
    if source == "arrays":
        bad = (bad,)
    with pytest.raises(
        (ValueError, tf.errors.InvalidArgumentError),
        match="`input_ids` must lie",
    ):
        model.fit(fit_data(), validation_data=bad, verbose=0)


def test_batches_of_other_processes_are_not_checked():
    """A warning says so; whether they come is Keras's affair."""
    model = make("ForSequenceClassification")
    model.compile("sgd", jit_compile=True)
    batches = Batches(fit_data())
    batches.use_multiprocessing = True
    with pytest.warns(UserWarning, match="whose batches go unchecked"):
        assert check_each_batch(model, batches) is batches
