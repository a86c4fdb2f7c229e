"""Requests that a model brings along, in TensorFlow Serving's messages."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import tensorflow as tf

from tf_longformer.exported.loaded_model import LoadedModel
from tf_longformer.exported.warmup import FILE
from tf_longformer.exported.warmup import read_requests
from tf_longformer.exported.warmup import warm_up
from tf_longformer.exported.warmup import write_requests


def message(**fields):
    """Encodes a message whose fields are strings or messages."""
    encoded = b""
    for name, value in fields.items():
        if len(value) > 127:
            size = bytes([len(value) % 128 + 128, len(value) // 128])
        else:
            size = bytes([len(value)])
        encoded += bytes([int(name[1:]) << 3 | 2]) + size + value
    return encoded


def log(signature, **inputs):
    """Encodes a `PredictionLog` as TensorFlow Serving has it."""
    request = message(_1=message(_1=b"toy", _3=signature.encode()))
    for name, value in inputs.items():
        tensor = tf.make_tensor_proto(value).SerializeToString()
        request += message(_2=message(_1=name.encode(), _2=tensor))
    return message(_6=message(_1=request))


@pytest.mark.parametrize(
    ("records", "done", "warning"),
    [
        (None, 0, ""),
        ([], 0, ""),
        ([log("text", text=["a", "b"]), log("spin", steps=[2])], 2, ""),
        (
            [log("", input_ids=[[1]], attention_mask=[[1]])],
            1,
            "",
        ),
        (
            [log("text", text=["a"]), log("none"), log("text", text=["a"])],
            1,
            '"none" not found',
        ),
        ([b"nonsense"], 0, "stopped"),
        ([log("text", x=["a"])], 0, "stopped"),
    ],
)
def test_warm_up(toy, tmp_path, caplog, records, done, warning):
    model = LoadedModel(toy)
    if records is not None:
        (tmp_path / FILE).parent.mkdir()
        with tf.io.TFRecordWriter(str(tmp_path / FILE)) as file:
            for record in records:
                file.write(record)
    with caplog.at_level(logging.WARNING):
        assert warm_up(model, tmp_path) == done
    assert bool(caplog.text) == bool(warning)
    assert warning in caplog.text


def test_what_is_written_is_what_tensorflow_serving_reads(tmp_path):
    """Byte by byte, and it comes back."""
    ids = np.array([[0, 7, 2]], "int32")
    write_requests(tmp_path, [("xla", {"input_ids": ids}), ("text", {})])
    records = tf.data.TFRecordDataset(str(tmp_path / FILE))
    assert next(records.as_numpy_iterator()) == message(
        _6=message(
            _1=message(
                _1=message(_3=b"xla"),
                _2=message(
                    _1=b"input_ids",
                    _2=tf.make_tensor_proto(ids).SerializeToString(),
                ),
            )
        )
    )
    (name, inputs), (other, nothing) = read_requests(tmp_path)
    assert (name, other, nothing) == ("xla", "text", {})
    np.testing.assert_array_equal(inputs["input_ids"], ids)
