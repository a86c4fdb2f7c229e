"""Models for runtimes that aren't TensorFlow's: ids in, numbers out.

In the graph that they read, attention takes the reference path
(`tf_longformer.attention.reference`), for any batch size and length;
compilation ahead of time, by XLA, has one shape. Strings and checks need
TensorFlow and are left out, so that the caller must see to it that ids are in
range.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

from tf_longformer.export.saved_model import check_model
from tf_longformer.export.target_folder import new_folder
from tf_longformer.heads import head_of
from tf_longformer.keras_private import quantization_mode
from tf_longformer.keras_private import sublayers
from tf_longformer.models.base import TFLongformerPreTrainedModel

_OPSET = 17
_RUNTIME = Path(__file__).with_name("aot_runtime.cc")
_AXES = {2: ("batch", "seq"), 3: ("batch", "choices", "seq")}


def export_litert(
    model: TFLongformerPreTrainedModel,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    with_global_attention: bool = False,
) -> Path:
    """Exports a model for LiteRT (TensorFlow Lite), as `model.tflite`.

    Its signature `serving_default` takes int32 `input_ids` and
    `attention_mask`, `(batch, seq)`, or `(batch, choices, seq)` for multiple
    choice, of any size, and returns the head's outputs by name, float32. It
    has built-in operations only.

    Args:
        model: a Longformer model with any head, in float32.
        path: string or path of the folder to write.
        overwrite: bool. Whether a folder with content is replaced. Defaults
            to `False`.
        with_global_attention: bool. Whether `global_attention_mask` is an
            input too, in place of the head's default. Defaults to `False`.

    Returns:
        `Path` of the file. Its folder appears at once and whole.

    Raises:
        TypeError: `model` isn't one of this package's models.
        ValueError: it isn't in float32, or Keras runs on another backend
            than TensorFlow.
        FileExistsError: there is something at `path` already.
    """
    _check_plain(model)
    with new_folder(path, overwrite) as folder:
        with _saved(model, with_global_attention) as saved:
            converter = tf.lite.TFLiteConverter.from_saved_model(saved)
            converted = converter.convert()
        (folder / "model.tflite").write_bytes(converted)
    return Path(path) / "model.tflite"


def export_onnx(
    model: TFLongformerPreTrainedModel,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    with_global_attention: bool = False,
) -> Path:
    """Exports a model as ONNX, `model.onnx`, for ONNX Runtime and others.

    Inputs and outputs are those of `export_litert`. Needs the extra `onnx`.

    Args:
        model: a Longformer model with any head, in float32.
        path: string or path of the folder to write.
        overwrite: as for `export_litert`.
        with_global_attention: as for `export_litert`.

    Returns:
        `Path` of the file. Its folder appears at once and whole.

    Raises:
        ImportError: without tf2onnx.
        TypeError: as `export_litert` does.
        ValueError: the same.
        FileExistsError: the same.
    """
    _check_plain(model)
    onnx = _require("onnx", "onnx")
    tf2onnx = _require("tf2onnx", "onnx")
    function, specs = _function(model, with_global_attention)
    with new_folder(path, overwrite) as folder:
        converted, _ = tf2onnx.convert.from_function(
            function, input_signature=specs, opset=_OPSET
        )
        for given in converted.graph.input:
            axes = given.type.tensor_type.shape.dim
            for axis, name in zip(axes, _AXES[len(axes)], strict=True):
                axis.dim_param = name
        onnx.save(converted, str(folder / "model.onnx"))
    return Path(path) / "model.onnx"


def export_openvino(
    model: TFLongformerPreTrainedModel,
    path: str | os.PathLike,
    *,
    overwrite: bool = False,
    with_global_attention: bool = False,
) -> Path:
    """Exports a model for OpenVINO, as `model.xml` and `model.bin`.

    Inputs and outputs are those of `export_litert`. Needs the extra
    `openvino`.

    Args:
        model: a Longformer model with any head, in float32.
        path: string or path of the folder to write.
        overwrite: as for `export_litert`.
        with_global_attention: as for `export_litert`.

    Returns:
        `Path` of `model.xml`. Its folder appears at once and whole.

    Raises:
        ImportError: without OpenVINO.
        TypeError: as `export_litert` does.
        ValueError: the same.
        FileExistsError: the same.
    """
    _check_plain(model)
    openvino = _require("openvino", "openvino")
    with new_folder(path, overwrite) as folder:
        with _saved(model, with_global_attention) as saved:
            converted = openvino.convert_model(saved)
            openvino.save_model(
                converted, str(folder / "model.xml"), compress_to_fp16=False
            )
    return Path(path) / "model.xml"


def export_aot(
    model: TFLongformerPreTrainedModel,
    path: str | os.PathLike,
    batch: int,
    length: int,
    *,
    choices: int = 2,
    target_cpu: str = "x86-64-v3",
    overwrite: bool = False,
    with_global_attention: bool = False,
) -> Path:
    """Compiles a model ahead of time for one shape and kind of CPU.

    The folder gets `longformer.h`, with a C++ class `Longformer`, and object
    files, which `saved_model_cli aot_compile_cpu` makes, and
    `longformer_runtime.cc` beside them, the part that TensorFlow's wheel
    lacks: with it they link against the wheel's headers and libraries
    (TensorFlow 2.21), as `savedmodels/README.md` shows. Where the
    number of global tokens isn't known beforehand (all heads that have any
    but sequence classification), there is room for as many as there are
    tokens, which costs as much as full attention: choose a short length.

    Args:
        model: a Longformer model with any head, in float32.
        path: string or path of the folder to write.
        batch: int, rows.
        length: int, tokens of a row.
        choices: int, choices of a row, for multiple choice. Defaults to `2`.
        target_cpu: str, LLVM's name of the oldest CPU that is to run it,
            such as `"x86-64"`, `"skylake"` or `"znver4"`. Defaults to
            `"x86-64-v3"`, with AVX2: most since 2015.
        overwrite: as for `export_litert`.
        with_global_attention: as for `export_litert`.

    Returns:
        `Path` of `longformer.h`. Its folder appears at once and whole.

    Raises:
        RuntimeError: the compiler failed; the message has its last line.
        TypeError: as `export_litert` does.
        ValueError: the same, or the shape is none that the model takes.
        FileExistsError: as `export_litert` does.
    """
    _check_plain(model)
    limit = model.config.max_tokens
    if batch < 1 or choices < 1 or not 1 <= length <= limit:
        raise ValueError(
            f"The shape must have rows, choices, and 1 to {limit} tokens. "
            f"Received: batch={batch}, choices={choices}, length={length}. "
            "Name the one shape that will be run."
        )
    shape = (batch, length)
    if model.input_rank == 3:
        shape = (batch, choices, length)
    with new_folder(path, overwrite) as folder:
        with _saved(model, with_global_attention, shape) as saved:
            _compile(saved, folder / "longformer", target_cpu)
        # It names folders of this machine, one of which is deleted here.
        (folder / "longformer_makefile.inc").unlink()
        shutil.copyfile(_RUNTIME, folder / "longformer_runtime.cc")
    return Path(path) / "longformer.h"


def _compile(saved: str, prefix: Path, target_cpu: str) -> None:
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "tensorflow.python.tools.saved_model_cli"),
            *("aot_compile_cpu", "--dir", saved, "--tag_set", "serve"),
            *("--signature_def_key", "serving_default"),
            *("--output_prefix", str(prefix), "--cpp_class", "Longformer"),
            *("--target_cpu", target_cpu),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode:
        last_words = finished.stderr.strip().rpartition("\n")[2]
        raise RuntimeError(
            "saved_model_cli could not compile the model: "
            f"{last_words or f'exit code {finished.returncode}'}"
        )


def _check_plain(model: Any) -> None:
    check_model(model)
    modes = {quantization_mode(layer) for layer in sublayers(model)} - {None}
    policy = model.dtype_policy
    if modes or policy.compute_dtype != "float32":
        raise ValueError(
            "A model must compute in float32 for other runtimes. Received: "
            f"{', '.join(sorted(modes)) or policy.name}. Load the checkpoint "
            'with dtype="float32", and let the runtime make it smaller.'
        )


def _require(module: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"This format needs {module}. Received: {error}. Install it: pip "
            f"install 'tf-longformer[{extra}]'."
        ) from error


def _function(
    model: Any, with_global_attention: bool, shape: tuple | None = None
) -> tuple[Any, list[tf.TensorSpec]]:
    """Returns the model as a function of tensors, and the specs of these."""
    names = ["input_ids", "attention_mask"]
    names += ["global_attention_mask"] * with_global_attention
    slots = None
    if shape is None:
        shape = (None,) * model.input_rank
    else:
        # XLA must know how many global tokens there may be. "cls" is one token;
        # of a question, or of a mask that the caller gives, it may be all.
        single = head_of(type(model)).default_globals == "cls"
        slots = 1 if single and not with_global_attention else shape[-1]
    specs = [tf.TensorSpec(shape, tf.int32, name=name) for name in names]

    def run(
        input_ids: Any, attention_mask: Any, global_attention_mask: Any = None
    ) -> Any:
        outputs = model(
            input_ids,
            attention_mask,
            global_attention_mask=global_attention_mask,
            output_attentions=False,
            output_hidden_states=False,
            return_dict=True,
            reference_attention=True,
            attention_slots=slots,
            training=False,
        )
        return dict(outputs.items())

    return tf.function(run, input_signature=specs, autograph=False), specs


@contextlib.contextmanager
def _saved(
    model: Any, with_global_attention: bool, shape: tuple | None = None
) -> Iterator[str]:
    """Yields the path of a temporary SavedModel for a converter to read."""
    function, _ = _function(model, with_global_attention, shape)
    module = tf.Module()
    module.weights = [weight.value for weight in model.weights]
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(
            module,
            folder,
            signatures=function.get_concrete_function(),
            options=tf.saved_model.SaveOptions(
                experimental_custom_gradients=False
            ),
        )
        yield folder
