"""Generators don't cost a process its freed memory."""

import sys
from unittest import mock

import keras
import pytest
import tensorflow as tf
from helpers import processes
from helpers import tiny

from tf_longformer.training import freed_memory

HEAD = "ForTokenClassification"
BATCH = {**tiny.make_inputs(HEAD), **tiny.make_labels(HEAD)}
SCRIPT = "training/freed_memory_worker.py"
only_glibc = pytest.mark.skipif(
    sys.platform != "linux", reason="the allocator is glibc's"
)


class Data(keras.utils.PyDataset):
    def __len__(self):
        return 1

    def __getitem__(self, index):
        return BATCH


def mapped_blocks(what, **environment):
    return int(processes.run(SCRIPT, what, **environment).split()[-1])


@only_glibc
def test_large_blocks_are_kept():
    assert mapped_blocks("fit") == 0


@only_glibc
def test_tensorflow_maps_each_large_block():
    # Where this fails, `freed_memory` isn't needed any more.
    assert mapped_blocks("no fit") == 1


@only_glibc
def test_a_users_own_settings_stay():
    assert mapped_blocks("fit", MALLOC_MMAP_THRESHOLD_="65536") == 1


@pytest.mark.parametrize(
    ("calls", "call"),
    [
        (1, lambda model: model.fit(Data(), verbose=0)),
        (
            1,
            lambda model: model.fit(
                ((x,) for x in [BATCH]),
                steps_per_epoch=1,
                shuffle=False,
                verbose=0,
            ),
        ),
        (
            1,
            lambda model: model.evaluate(
                tf.data.Dataset.from_tensors(BATCH), verbose=0
            ),
        ),
        (1, lambda model: model.predict(Data(), verbose=0)),
        # Once before Keras's loop begins, once when it measures.
        (2, lambda model: model.fit(BATCH, validation_data=Data(), verbose=0)),
        (0, lambda model: model.fit(BATCH, verbose=0)),
        (0, lambda model: model.predict(BATCH, verbose=0)),
        (0, lambda model: model.train_on_batch(BATCH)),
    ],
)
def test_whatever_may_be_generated(calls, call):
    model = tiny.make_model(HEAD)
    model.compile("sgd")
    with mock.patch.object(freed_memory, "_keep") as keep:
        call(model)
    assert keep.call_count == calls
