"""A SavedModel and what it says of itself, on TensorFlow alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from google.protobuf.message import DecodeError
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import saved_model_pb2

from tf_longformer.serving.errors import STATUS_CODES
from tf_longformer.serving.errors import RequestError
from tf_longformer.serving.tensors import TensorSpec

SERVE = "serve"
DEFAULT = "serving_default"
_LONGEST_MESSAGE = 600
_ASSERTION = re.compile(r"assertion failed: \[(.*)\] \[(.*)\]", re.DOTALL)
_NOISE = re.compile(
    r"Graph execution error:|Detected at node .*|<stack traces? .*>"
    r"|\s*\[\[\{\{.*|\s*\(\d+\) [A-Z_]+: |\[Op:.*\]"
    r"|\d+ (successful|derived).*",
)


class Signature:
    """A function of a SavedModel.

    Attributes:
        inputs: dict of `TensorSpec` by name.
        outputs: dict of `TensorSpec` by name.
    """

    def __init__(self, definition: Any, function: Any) -> None:
        self.inputs = _specs(definition.inputs)
        self.outputs = _specs(definition.outputs)
        self._function = function

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs the function.

        Args:
            inputs: arrays by name, of the dtypes and ranks of `self.inputs`;
                texts are arrays of `bytes`.

        Returns:
            Dict of arrays by name.

        Raises:
            RequestError: the model refuses the values.
        """
        with plain_errors():
            outputs = self._function(
                **{
                    name: tf.constant(array, self.inputs[name].dtype)
                    for name, array in inputs.items()
                }
            )
            # Also here, as outputs may come late. TensorFlow's own order
            # changes from process to process.
            return {name: outputs[name].numpy() for name in self.outputs}


@contextmanager
def plain_errors() -> Iterator[None]:
    """Says what TensorFlow refuses in a sentence, without its trace.

    Raises:
        RequestError: instead of TensorFlow's own errors.
    """
    try:
        yield
    except tf.errors.OpError as error:
        status = STATUS_CODES.get(error.error_code, 500)
        message = _plain(error.message)
        if status == 429:
            message = (
                "There isn't enough memory for this request. Send fewer "
                f"rows or shorter ones. ({message})"
            )
        raise RequestError(message, status) from error


class SavedModel:
    """A loaded SavedModel.

    Args:
        path: `Path` of the folder.

    Attributes:
        signatures: dict of `Signature` by name.
        metadata: dict, the signatures in the JSON form of TensorFlow
            Serving.

    Raises:
        ValueError: the folder isn't a whole SavedModel, or has no
            signatures.
    """

    def __init__(self, path: Path) -> None:
        definitions = dict(_read_graph(path).signature_def)
        try:
            self._loaded = tf.saved_model.load(str(path), tags=[SERVE])
        except (
            *(OSError, ValueError, KeyError, TypeError, RuntimeError),
            tf.errors.OpError,
        ) as error:
            raise _damaged(path, error) from error
        functions = self._loaded.signatures
        self.signatures = {
            name: Signature(definitions[name], functions[name])
            for name in sorted(definitions)
            if name in functions
        }
        if not self.signatures:
            raise ValueError(
                "A SavedModel must have a signature. Received: none in "
                f"{str(path)!r}. Export the model with `tf-longformer export`."
            )
        self.metadata = {
            name: {
                "inputs": _described(definition.inputs),
                "outputs": _described(definition.outputs),
                "method_name": definition.method_name,
                "defaults": {},
            }
            for name, definition in sorted(definitions.items())
        }

    def signature(self, name: str = "") -> Signature:
        """Returns a signature.

        Args:
            name: string. Defaults to `"serving_default"`.

        Raises:
            RequestError: there is none of that name.
        """
        name = name or DEFAULT
        if name not in self.signatures:
            raise RequestError(
                f'Serving signature name: "{name}" not found in signature '
                "def. Send one of these as `signature_name`: "
                f"{', '.join(self.signatures)}."
            )
        return self.signatures[name]


def _read_graph(path: Path) -> Any:
    saved = saved_model_pb2.SavedModel()
    binary = path / "saved_model.pb"
    try:
        if binary.is_file():
            saved.ParseFromString(binary.read_bytes())
        else:
            text = (path / "saved_model.pbtxt").read_text("utf-8")
            text_format.Parse(text, saved)
    except (OSError, ValueError, DecodeError, text_format.ParseError) as error:
        raise _damaged(path, error) from error
    for graph in saved.meta_graphs:
        if SERVE in graph.meta_info_def.tags:
            return graph
    raise _damaged(path, f"it has no graph tagged {SERVE!r}")


def _damaged(path: Path, error: object) -> ValueError:
    reason = " ".join(str(error).split())[:_LONGEST_MESSAGE]
    return ValueError(
        f"The folder must hold a whole SavedModel. Received: {str(path)!r} "
        f"({reason}). Export the model again."
    )


def _specs(infos: Any) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(
            name,
            tf.dtypes.as_dtype(info.dtype).name,
            None
            if info.tensor_shape.unknown_rank
            else tuple(
                None if dim.size < 0 else dim.size
                for dim in info.tensor_shape.dim
            ),
        )
        for name, info in sorted(infos.items())
    }


def _described(infos: Any) -> dict[str, Any]:
    """Returns tensors as TensorFlow Serving's metadata has them."""
    return {
        name: {
            "dtype": types_pb2.DataType.Name(info.dtype),
            "tensor_shape": {
                "dim": [
                    {"size": str(dim.size), "name": dim.name}
                    for dim in info.tensor_shape.dim
                ],
                "unknown_rank": info.tensor_shape.unknown_rank,
            },
            "name": info.name,
        }
        for name, info in sorted(infos.items())
    }


def _plain(message: str) -> str:
    """Returns what went wrong, without where in the graph it did."""
    lines = (_NOISE.sub("", line) for line in message.splitlines())
    text = " ".join(" ".join(lines).split())
    found = _ASSERTION.search(text)
    if found is not None:
        text = f"{found[1]} {found[2]}"
    if len(text) > _LONGEST_MESSAGE:
        text = f"{text[:_LONGEST_MESSAGE]}..."
    return text
