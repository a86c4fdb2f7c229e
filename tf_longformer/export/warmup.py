"""Requests that TensorFlow Serving runs before it serves a model.

TensorFlow Serving's own package of messages would bring a second TensorFlow,
so that the few that are needed are described here, with the names and numbers
of `prediction_log.proto`, `predict.proto` and `model.proto`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2
from google.protobuf import descriptor_pool
from google.protobuf import message_factory

from tf_longformer.configuration import LongformerConfig
from tf_longformer.export.buckets import Buckets

FILE = "tf_serving_warmup_requests"
_PACKAGE = "tf_longformer.serving"
_FIELD = descriptor_pb2.FieldDescriptorProto
# Message -> (field, number, type, whether there are several). A tensor is
# bytes here, which are on the wire what a message is.
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


def write(
    path: Path,
    module: Any,
    tokenizer: Any,
    config: LongformerConfig,
    buckets: Buckets | None,
) -> None:
    """Writes one request for each signature, and for each compiled shape.

    Args:
        path: `Path` of the file.
        module: `Signatures`.
        tokenizer: the model's tokenizer, or `None`.
        config: the model's config.
        buckets: `Buckets` of the signature `xla`, or `None`.
    """
    prediction_log = message_class()
    with tf.io.TFRecordWriter(str(path)) as file:
        for signature, inputs in requests(module, tokenizer, config, buckets):
            log = prediction_log()
            request = log.predict_log.request
            request.model_spec.signature_name = signature
            for name, value in inputs.items():
                tensor = tf.make_tensor_proto(value)
                request.inputs.add(key=name, value=tensor.SerializeToString())
            file.write(log.SerializeToString())


def requests(
    module: Any,
    tokenizer: Any,
    config: LongformerConfig,
    buckets: Buckets | None,
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields signatures with inputs that they accept; see `write`."""
    length = min(16, config.max_tokens)
    for signature, function in module.functions.items():
        specs = {
            spec.name: spec for spec in function.structured_input_signature[0]
        }
        if signature == "text":
            word = "a" if tokenizer.mask_token is None else tokenizer.mask_token
            yield (
                signature,
                {
                    name: np.full([1] * spec.shape.rank, word, object)
                    for name, spec in specs.items()
                },
            )
            continue
        shapes = [(1, length)]
        if signature == "xla":
            shapes = [
                (batch, seq)
                for seq in buckets.lengths
                for batch in buckets.batches
            ]
        for batch, seq in shapes:
            yield signature, _ids(specs, batch, seq, config)


def _ids(
    specs: dict[str, Any], batch: int, seq: int, config: LongformerConfig
) -> dict[str, np.ndarray]:
    """Returns rows of an ordinary token, with a global one at the start."""
    token = config.pad_token_id + 1
    if token >= config.vocab_size:
        token = config.pad_token_id - 1
    arrays = {}
    for name, spec in specs.items():
        shape = (batch, seq) if spec.shape.rank == 2 else (batch, 1, seq)
        array = np.ones(shape, spec.dtype.as_numpy_dtype)
        if name == "input_ids":
            array[...] = token
        elif name == "global_attention_mask":
            array[..., 1:] = 0
        arrays[name] = array
    return arrays


def message_class() -> Any:
    """Returns the class of `PredictionLog`, with what is written of it."""
    file = descriptor_pb2.FileDescriptorProto(
        name="tf_longformer/warmup.proto", package=_PACKAGE, syntax="proto3"
    )
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for name, number, kind, several in fields:
            field = described.field.add(name=name, number=number)
            field.label = (
                _FIELD.LABEL_REPEATED if several else _FIELD.LABEL_OPTIONAL
            )
            if kind in _MESSAGES:
                field.type = _FIELD.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
            else:
                field.type = getattr(_FIELD, f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(
        pool.FindMessageTypeByName(f"{_PACKAGE}.PredictionLog")
    )
