"""Loads a SavedModel, says what its signatures take and give, and runs them.

Errors of TensorFlow become sentences for those who sent the values.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
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

from tf_longformer import atomic
from tf_longformer import folders
from tf_longformer.errors import RequestError
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.exported.json_tensors import TensorSpec
from tf_longformer.exported.versions import Version
from tf_longformer.exported.versions import find_version

SERVE = "serve"
DEFAULT_SIGNATURE = "serving_default"
# HTTP's status for TensorFlow's error codes, as TensorFlow Serving has it; for
# all others it is 500.
_STATUSES = {
    3: 400,  # INVALID_ARGUMENT
    4: 504,  # DEADLINE_EXCEEDED
    5: 404,  # NOT_FOUND
    6: 409,  # ALREADY_EXISTS
    7: 403,  # PERMISSION_DENIED
    8: 429,  # RESOURCE_EXHAUSTED
    9: 400,  # FAILED_PRECONDITION
    10: 409,  # ABORTED
    11: 400,  # OUT_OF_RANGE
    12: 501,  # UNIMPLEMENTED
    14: 503,  # UNAVAILABLE
    16: 401,  # UNAUTHENTICATED
}
_LONGEST_MESSAGE = 600
_LONGEST_GRAPH = 2**31
# The files of a SavedModel.
_FILES = (
    *("saved_model.pb*", "fingerprint.pb", "variables/*"),
    *("assets/*", "assets.extra/*"),
)
_ASSERTION = re.compile(r"assertion failed: \[(.*)\] \[(.*)\]", re.DOTALL)
_NOISE = re.compile(
    r"Graph execution error:|Detected at node .*|<stack traces? .*>"
    r"|\s*\[\[\{\{.*|\s*\(\d+\) [A-Z_]+: |\[Op:.*\]"
    r"|\d+ (successful|derived).*",
)


class Signature:
    """A signature of a SavedModel, as a function of arrays.

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
            # Within the block, as some errors come only with the values. By
            # `self.outputs`, which is sorted by name: TensorFlow's own order
            # changes from process to process.
            return {name: outputs[name].numpy() for name in self.outputs}


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turns TensorFlow's errors into sentences, without its traces.

    Raises:
        RequestError: instead of TensorFlow's own errors.
    """
    try:
        yield
    except tf.errors.OpError as error:
        status = _STATUSES.get(error.error_code, 500)
        message = _plain(error.message)
        if status == 429:
            message = (
                "There isn't enough memory for this request. Send fewer "
                f"rows or shorter ones. ({message})"
            )
        raise RequestError(message, status) from error


def load_version(
    folder: str | os.PathLike, also: Callable[[Version], Any] = lambda _: None
) -> tuple[Version, LoadedModel, Any]:
    """Finds and loads a SavedModel, also while an export replaces it.

    Args:
        folder: string or path, see `find_version`.
        also: function of the `Version` that reads what else must be of the
            same export. Defaults to nothing.

    Returns:
        The `Version`, the `LoadedModel`, and what the function has returned.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it is no SavedModel, or replaced all the time.
    """

    def find(name: str) -> Path | None:
        return Path(name) if os.path.exists(name) else None

    def read(
        note: Callable[[str], Path | None],
    ) -> tuple[Version, LoadedModel, Any]:
        version = find_version(folder)
        found = [note(str(path)) for path in _files_of(version.path)]
        if not any(found):
            # Whoever waits to replace it comes right behind `find_version`,
            # so that this may happen many times in a row.
            raise atomic.Replaced(str(version.path))
        return version, LoadedModel(version.path), also(version)

    return atomic.of_one_save(find, read)


class LoadedModel:
    """A loaded SavedModel.

    Args:
        path: `Path` of the folder.

    Attributes:
        signatures: dict of `Signature` by name.
        metadata: dict, the signatures as TensorFlow Serving describes them
            in JSON.

    Raises:
        ValueError: the folder isn't a whole SavedModel, or has no
            signatures.
    """

    def __init__(self, path: Path) -> None:
        _check_files(path)
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
                f"{shown(str(path))}. Export the model with `tf-longformer "
                "export`."
            )
        self.metadata = {
            name: {
                "inputs": _describe(definition.inputs),
                "outputs": _describe(definition.outputs),
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
        name = name or DEFAULT_SIGNATURE
        if name not in self.signatures:
            raise RequestError(
                f'Serving signature name: "{cut(name)}" not found in signature '
                "def. Send one of these as `signature_name`: "
                f"{', '.join(self.signatures)}."
            )
        return self.signatures[name]


def _files_of(path: Path) -> Iterator[Path]:
    """Yields the files of a SavedModel, without others that lie there."""
    for glob in _FILES:
        yield from path.glob(glob)


def _check_files(path: Path) -> None:
    """Raises for files that TensorFlow would wait for, or links elsewhere."""
    for file in _files_of(path):
        name = file.relative_to(path).as_posix()
        if file.is_dir():
            continue
        try:
            found = folders.find_file(path, name)
        except ValueError as error:
            raise _damaged(path, error) from error
        if found is None:
            raise _damaged(path, f"its {name} is no file")


def _read_graph(path: Path) -> Any:
    saved = saved_model_pb2.SavedModel()
    binary = path / "saved_model.pb"
    try:
        if binary.is_file():
            if binary.stat().st_size > _LONGEST_GRAPH:
                raise ValueError("its graph is longer than protobuf allows")
            saved.ParseFromString(binary.read_bytes())
        else:
            text = (path / "saved_model.pbtxt").read_text("utf-8")
            text_format.Parse(text, saved)
    except (OSError, ValueError, DecodeError, text_format.ParseError) as error:
        raise _damaged(path, error) from error
    for graph in saved.meta_graphs:
        if SERVE in graph.meta_info_def.tags:
            for asset in graph.asset_file_def:
                if not folders.is_plain_name(asset.filename):
                    raise _damaged(
                        path, f"it names a file {asset.filename[:200]!r}"
                    )
            return graph
    raise _damaged(path, f"it has no graph tagged {SERVE!r}")


def _damaged(path: Path, error: object) -> ValueError:
    reason = " ".join(str(error).split())[:_LONGEST_MESSAGE]
    return ValueError(
        "The folder must hold a whole SavedModel. Received: "
        f"{shown(str(path))} ({reason}). Export the model again."
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


def _describe(infos: Any) -> dict[str, Any]:
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
    """Returns what an error says, without where in the graph it happened."""
    lines = (_NOISE.sub("", line) for line in message.splitlines())
    text = " ".join(" ".join(lines).split())
    found = _ASSERTION.search(text)
    if found is not None:
        text = f"{found[1]} {found[2]}"
    if len(text) > _LONGEST_MESSAGE:
        text = f"{text[:_LONGEST_MESSAGE]}..."
    return text
