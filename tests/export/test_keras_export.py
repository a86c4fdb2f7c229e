"""Keras's own `model.export` gives other runtimes the path they can run."""

import keras
import numpy as np
import pytest
from helpers import small_exports as small
from helpers.other_runtimes import run_litert
from helpers.other_runtimes import run_onnx
from helpers.other_runtimes import run_openvino

NAMES = ("input_ids", "attention_mask", "global_attention_mask")


@pytest.mark.slow
# tf2onnx and the converters use what is deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("signature", ["default", "given"])
@pytest.mark.parametrize(
    ("name", "file", "load"),
    [
        ("onnx", "model.onnx", run_onnx),
        ("openvino", "model.xml", run_openvino),
        ("litert", "model.tflite", run_litert),
    ],
)
def test_numbers_at_other_lengths(name, file, load, signature, tmp_path):
    if name == "onnx":
        pytest.importorskip("tf2onnx", reason="the extra [onnx]")
    if name == "openvino":
        pytest.importorskip("openvino", reason="the extra [openvino]")
    model = small.make("ForTokenClassification")
    options = {}
    if signature == "given":
        specs = {
            name: keras.InputSpec(shape=(None, None), dtype="int32", name=name)
            for name in NAMES
        }
        options["input_signature"] = [specs]
    path = str(tmp_path / file)
    model.export(path, format=name, verbose=False, **options)
    owner, run = load(path)
    for shape in ((1, 1), (2, 6), (1, 129)):
        inputs = small.ids(model, *shape, True)
        inputs["global_attention_mask"] = np.zeros(shape, "int32")
        inputs["global_attention_mask"][0, ::2] = 1
        (found,) = run(**inputs).values()
        np.testing.assert_allclose(
            found, model(inputs).logits, rtol=0, atol=small.TOLERANCE
        )
    assert owner is not None
