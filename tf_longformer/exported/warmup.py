"""Requests that a SavedModel brings along, to be run before it serves.

They are stored where TensorFlow Serving looks for them, as its protobuf
messages. The package that has these messages would install a second
TensorFlow, so the few that are needed are described here, with the names and
numbers of `prediction_log.proto`, `predict.proto` and `model.proto`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from tf_longformer.errors import RequestError
from tf_longformer.exported.loaded_model import LoadedModel

FILE = "assets.extra/tf_serving_warmup_requests"
_PACKAGE = "tf_longformer.serving"
_FIELD = descriptor_pb2.FieldDescriptorProto
# The fields of each message: name, number, type, and whether it is repeated. In
# protobuf's encoding a map is a repeated message of a key and a value, and a
# message within another is bytes: so the tensors are bytes here.
_MESSAGES = {
    "ModelSpec": [("signature_name", 3, "string", False)],
    "Input": [("key", 1, "string", False), ("value", 2, "bytes", False)],
    "PredictRequest": [
        ("model_spec", 1, "ModelSpec", False),
        ("inputs", 2, "Input", True),
    ],
    "PredictLog": [("request", 1, "PredictRequest", False)],
    "PredictionLog": [("predict_log", 6, "PredictLog", False)],
}
_logger = logging.getLogger(__name__)


def write_requests(
    folder: Path, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]]
) -> None:
    """Writes requests into a SavedModel.

    Args:
        folder: `Path` of the SavedModel.
        requests: pairs of a signature's name and arrays by the names of its
            inputs.
    """
    file = folder / FILE
    file.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(file)) as records:
        for signature, inputs in requests:
            log = prediction_log()()
            request = log.predict_log.request
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                tensor = tf.make_tensor_proto(value)
                request.inputs.add(key=name, value=tensor.SerializeToString())
            records.write(log.SerializeToString())


def read_requests(
    folder: Path,
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields what `write_requests`, or another program, has written.

    Args:
        folder: `Path` of the SavedModel; without the file there are none.

    Raises:
        DecodeError: a record is something else.
        OpError: the file can't be read.
    """
    file = folder / FILE
    if not file.is_file():
        return
    for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator():
        log = prediction_log().FromString(record)
        # A log may be of another method than `Predict`.
        if log.HasField("predict_log"):
            request = log.predict_log.request
            yield (
                request.model_spec.signature_name,
                {
                    entry.key: tf.make_ndarray(
                        tensor_pb2.TensorProto.FromString(entry.value)
                    )
                    for entry in request.inputs
                },
            )


def warm_up(model: LoadedModel, folder: Path) -> int:
    """Runs the requests of a SavedModel, if it has some.

    The first run of a signature takes longer, as TensorFlow optimises its
    graph, and XLA compiles each shape once.

    Args:
        model: `LoadedModel`.
        folder: `Path` of its folder.

    Returns:
        How many were run. One that fails is logged and ends the warm-up, as
        it is no reason not to serve.
    """
    done = 0
    try:
        for signature, inputs in read_requests(folder):
            model.signature(signature).run(inputs)
            done += 1
    except (
        *(RequestError, DecodeError, LookupError, TypeError, ValueError),
        tf.errors.OpError,
    ) as error:
        _logger.warning("The warm-up in %s stopped: %s", folder / FILE, error)
    return done


@cache
def prediction_log() -> Any:
    """Returns the class of the message `PredictionLog`, of `_MESSAGES`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tf_longformer/warmup.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind, repeated in fields:
            field = described.field.add(name=name, number=number)
            field.label = (
                _FIELD.LABEL_REPEATED if repeated else _FIELD.LABEL_OPTIONAL
            )
            if kind in _MESSAGES:
                field.type = _FIELD.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
            else:
                field.type = getattr(_FIELD, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    found = pool.FindMessageTypeByName(f"{_PACKAGE}.PredictionLog")
    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(found)
    # protobuf 3.20, with which TensorFlow 2.18 runs too.
    return message_factory.MessageFactory(pool).GetPrototype(found)
