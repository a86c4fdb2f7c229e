"""TensorFlow's tuner of datasets, for which an iterator's end would wait."""

from unittest import mock

import keras
import pytest
import tensorflow as tf
from helpers import tiny

from tf_longformer.finetuning.datasets import dataset_of

HEAD = "ForTokenClassification"
INPUTS, LABELS = tiny.make_inputs(HEAD), tiny.make_labels(HEAD)
BATCH = {**INPUTS, **LABELS}


class Data(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return BATCH


def tuners(model, call):
    """Whether TensorFlow would tune each dataset that Keras's loop makes."""
    strategy = model.distribute_strategy
    with mock.patch.object(
        type(strategy),
        "experimental_distribute_dataset",
        autospec=True,
        side_effect=type(strategy).experimental_distribute_dataset,
    ) as made:
        call()
    return [
        one.args[1].options().autotune.enabled for one in made.call_args_list
    ]


@pytest.fixture
def model():
    model = tiny.make_model(HEAD)
    model.compile("sgd")
    return model


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.fit(BATCH, verbose=0),
        lambda model: model.fit(INPUTS, LABELS["labels"], verbose=0),
        lambda model: model.fit(Data(), verbose=0),
        lambda model: model.fit(
            ((x,) for x in [BATCH] * 2),
            steps_per_epoch=2,
            shuffle=False,
            verbose=0,
        ),
        lambda model: model.evaluate(BATCH, verbose=0),
        lambda model: model.predict(INPUTS, verbose=0),
        lambda model: model.predict(Data(), verbose=0),
    ],
)
def test_no_tuner(model, call):
    assert tuners(model, lambda: call(model)) == [False]


def test_a_dataset_keeps_its_options(model):
    data = tf.data.Dataset.from_tensors(BATCH)
    # `None` is TensorFlow's default, to tune.
    found = tuners(model, lambda: model.fit(data, shuffle=False, verbose=0))
    assert found == [None]


def test_files_of_examples():
    data = dataset_of(lambda: iter([BATCH]), 1)
    assert data.options().autotune.enabled is False


def test_order_of_arrays(model):
    """`shuffle`, `batch_size` and `steps` mean what they mean to Keras."""
    seen = []

    class Ids(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(batch)

    given = {"verbose": 0, "callbacks": [Ids()]}
    model.fit(BATCH, batch_size=3, shuffle=False, epochs=2, **given)
    assert seen == [0, 1, 0, 1]
    seen.clear()
    model.fit(BATCH, batch_size=1, steps_per_epoch=3, **given)
    assert seen == [0, 1, 2]
    first = model.predict(INPUTS, batch_size=1, steps=2, verbose=0)["logits"]
    whole = model.predict(INPUTS, verbose=0)["logits"]
    assert first.shape[0] == 2
    assert abs(first - whole[:2]).max() < 1e-5
