"""Runs files for LiteRT, ONNX Runtime and OpenVINO."""

from __future__ import annotations

import warnings

import pytest
import tensorflow as tf


def run_litert(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        interpreter = tf.lite.Interpreter(str(path))
    return interpreter, interpreter.get_signature_runner("serving_default")


def run_onnx(path):
    runtime = pytest.importorskip("onnxruntime", reason="the extra [onnx]")
    session = runtime.InferenceSession(str(path))
    names = [output.name for output in session.get_outputs()]

    def run(**inputs):
        return dict(zip(names, session.run(None, inputs), strict=True))

    return session, run


def run_openvino(path):
    openvino = pytest.importorskip("openvino", reason="the extra [openvino]")
    precision = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.compile_model(str(path), "CPU", precision)

    def run(**inputs):
        values = zip(compiled.outputs, compiled(inputs).values(), strict=True)
        return {output.get_any_name(): value for output, value in values}

    return compiled, run
