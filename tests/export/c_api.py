"""Requests and answers of `c_consumer.c`, which is compiled here."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

SOURCE = Path(__file__).with_name("c_consumer.c")


def link_flags():
    """What links a program with the libraries of the installed wheel."""
    package = Path(tf.__file__).parent
    return [
        *(f"-I{package}/include", f"-L{package}"),
        *("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"),
        f"-Wl,-rpath,{package}",
    ]


def compile_consumer(folder):
    """Compiles against the library of the installed wheel."""
    program = folder / "c_consumer"
    subprocess.run(
        [
            *("gcc", "-Wall", "-Werror", str(SOURCE), "-o", str(program)),
            *link_flags(),
        ],
        check=True,
    )
    return program


def run(program, folder, requests, scratch):
    """Runs requests in one process.

    Args:
        program: path of the compiled consumer.
        folder: the SavedModel.
        requests: list of a signature and its inputs.
        scratch: folder for the two files.

    Returns:
        List of a dict of outputs, or of the message of an error.
    """
    definitions = signatures(folder)
    data = struct.pack("i", len(requests))
    for signature, inputs in requests:
        definition = definitions[signature]
        data += struct.pack("i", len(inputs))
        for name, value in inputs.items():
            data += _operation(definition.inputs[name]) + _tensor(
                value, definition.inputs[name].dtype
            )
        data += struct.pack("i", len(definition.outputs))
        for name in sorted(definition.outputs):
            data += _operation(definition.outputs[name])
    (scratch / "requests").write_bytes(data)
    files = [str(scratch / name) for name in ("requests", "answers")]
    subprocess.run([str(program), str(folder), *files], check=True)
    answers = _Reader((scratch / "answers").read_bytes())
    results = []
    for signature, _ in requests:
        if answers.integers(1)[0]:
            results.append(answers.text().decode())
            continue
        names = sorted(definitions[signature].outputs)
        results.append({name: answers.tensor() for name in names})
    return results


def signatures(folder):
    """Returns the definitions of a SavedModel's signatures."""
    data = (Path(folder) / "saved_model.pb").read_bytes()
    saved = saved_model_pb2.SavedModel.FromString(data)
    return saved.meta_graphs[0].signature_def


def _operation(info):
    name, _, index = info.name.partition(":")
    return struct.pack(f"i{len(name)}s", len(name), name.encode()) + (
        struct.pack("i", int(index))
    )


def _tensor(value, dtype):
    dtype = tf.as_dtype(dtype)
    if dtype != tf.string:
        value = np.asarray(value, dtype.as_numpy_dtype)
        content = struct.pack("q", value.nbytes) + value.tobytes()
    else:
        value = tf.constant(value).numpy()
        content = b"".join(
            struct.pack("q", len(text)) + text for text in value.flat
        )
    head = struct.pack("ii", dtype.as_datatype_enum, value.ndim)
    return head + struct.pack(f"{value.ndim}q", *value.shape) + content


class _Reader:
    def __init__(self, data):
        self.data, self.place = data, 0

    def take(self, size):
        self.place += size
        return self.data[self.place - size : self.place]

    def integers(self, count, letter="i"):
        form = f"={count}{letter}"
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def text(self):
        return self.take(self.integers(1, "q")[0])

    def tensor(self):
        number, rank = self.integers(2)
        shape = self.integers(rank, "q")
        dtype = tf.as_dtype(number)
        if dtype == tf.string:
            count = int(np.prod(shape))
            texts = [self.text() for _ in range(count)]
            return np.array(texts, object).reshape(shape)
        return np.frombuffer(self.text(), dtype.as_numpy_dtype).reshape(shape)
