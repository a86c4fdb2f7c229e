"""Requests that a SavedModel brings along, to be run before it serves.

They are in the file that TensorFlow Serving looks for. Its package of messages
would bring a second TensorFlow; what is needed of them are four fields:

    PredictionLog { predict_log = 6 { request = 1 {
        model_spec = 1 { signature_name = 3 }
        inputs = 2 { key = 1, value = 2: TensorProto }
    } } }
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from tf_longformer.serving.errors import RequestError
from tf_longformer.serving.saved_model import SavedModel

FILE = "assets.extra/tf_serving_warmup_requests"
_logger = logging.getLogger(__name__)


def warm_up(model: SavedModel, path: Path) -> int:
    """Runs the requests of a SavedModel, if it has some.

    The first run of a signature takes longer, as TensorFlow optimises its
    graph, and XLA compiles each shape once.

    Args:
        model: `SavedModel`.
        path: `Path` of its folder.

    Returns:
        How many were run. One that fails is logged and doesn't count, as it
        is no reason not to serve.
    """
    file = path / FILE
    if not file.is_file():
        return 0
    done = 0
    try:
        for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
            for signature, inputs in _requests(record):
                model.signature(signature).run(inputs)
                done += 1
    except (
        *(RequestError, DecodeError, ImportError),
        *(LookupError, TypeError, ValueError),
        tf.errors.OpError,
    ) as error:
        _logger.warning("The warm-up in %s stopped: %s", file, error)
    return done


def _requests(record: bytes) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields the predict requests of a log, of which it has one or none."""
    for log in _fields(record, 6):
        for request in _fields(log, 1):
            name = b""
            for spec in _fields(request, 1):
                (name,) = [*_fields(spec, 3), b""][:1]
            inputs = {}
            for entry in _fields(request, 2):
                (key,), (value,) = _fields(entry, 1), _fields(entry, 2)
                tensor = tensor_pb2.TensorProto.FromString(value)
                inputs[key.decode()] = tf.make_ndarray(tensor)
            yield name.decode(), inputs


def _fields(message: bytes, number: int) -> list[bytes]:
    """Returns the values of a field, which are strings or messages."""
    # TensorFlow 2.18 also runs with protobuf 3.20, which has no such module.
    from google.protobuf.unknown_fields import UnknownFieldSet

    return [
        field.data
        for field in UnknownFieldSet(Empty.FromString(message))
        if field.field_number == number
    ]
