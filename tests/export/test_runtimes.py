"""Models in other runtimes give the numbers of the Keras model."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from export import c_api
from helpers import small_exports as small
from helpers.other_runtimes import run_litert
from helpers.other_runtimes import run_onnx
from helpers.other_runtimes import run_openvino

from tf_longformer.export import export_aot
from tf_longformer.export import export_litert
from tf_longformer.export import export_onnx
from tf_longformer.export import export_openvino
from tf_longformer.export import runtimes

# Not all of test_consumers.py: dynamic shapes are compiled anew for each.
SHAPES = ((1, 1), (2, 6), (1, 129))
CLIENTS = Path(__file__).parents[2] / "savedmodels/clients"


def compile_client(folder, program):
    """Compiles against the folder and the installed wheel."""
    if not shutil.which("g++"):
        pytest.skip("g++ is not installed")
    needed = "tensorflow/compiler/tf2xla/encoded_buffer_allocation_info.h"
    if not Path(tf.sysconfig.get_include(), needed).exists():
        pytest.skip("this TensorFlow's headers are older than 2.21's")
    subprocess.run(
        [
            *("g++", "-std=c++17", "-w", f"-I{folder}", "-o", program),
            CLIENTS / "compiled_client.cc",
            *folder.glob("longformer*.cc"),
            *folder.glob("longformer*.o"),
            *c_api.link_flags(),
        ],
        check=True,
    )
    return program


FORMATS = {
    "litert": (export_litert, run_litert, "tensorflow"),
    "onnx": (export_onnx, run_onnx, "tf2onnx"),
    "openvino": (export_openvino, run_openvino, "openvino"),
}


@pytest.mark.slow
# tf2onnx and the converters use what is deprecated.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("head", small.HEADS)
@pytest.mark.parametrize("name", FORMATS)
def test_numbers(name, head, tmp_path):
    export, load, package = FORMATS[name]
    pytest.importorskip(package, reason=f"the extra [{name}]")
    model = small.make(head)
    reference = small.Reference(model)
    # Each way of finding global tokens, on three heads each.
    with_globals = small.HEADS.index(head) % 2 == 0
    path = export(model, tmp_path / "1", with_global_attention=with_globals)
    owner, run = load(path)
    for shape in SHAPES:
        inputs = small.ids(model, *shape, with_globals)
        small.assert_close(run(**inputs), reference(inputs))
    assert owner is not None


@pytest.mark.slow
@pytest.mark.parametrize(
    "head", ["ForSequenceClassification", "ForTokenClassification"]
)
def test_ahead_of_time(head, tmp_path):
    model = small.make(head)
    header = export_aot(model, tmp_path / "1", 1, 13)
    assert "Longformer" in header.read_text("utf-8")
    for path in header.parent.iterdir():
        assert str(tmp_path) not in path.read_text("utf-8", "ignore")
    program = compile_client(header.parent, tmp_path / "client")
    inputs = small.ids(model, 1, 13)
    # Without the last two tokens as well: they are padding then.
    for tokens in (13, 11):
        ids = inputs["input_ids"][:, :tokens]
        call = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        expected = small.Reference(model)(call)["logits"]
        given = map(str, ids[0].tolist())
        printed = subprocess.run(
            [program, *given], capture_output=True, check=True
        ).stdout
        found = np.array(printed.split(), "float32")[: expected.size]
        np.testing.assert_allclose(
            found, expected.ravel(), rtol=0, atol=small.TOLERANCE
        )
    refused = subprocess.run([program, *"1" * 14], capture_output=True)
    assert refused.returncode == 2
    assert b"1 to 13 ids. Received: 14" in refused.stderr


@pytest.mark.parametrize("export", [export_litert, export_aot])
def test_models_of_another_dtype_are_refused(export, tmp_path):
    model = small.make("Model", dtype="mixed_bfloat16")
    shape = (1, 8) if export is export_aot else ()
    with pytest.raises(ValueError, match="must compute in float32"):
        export(model, tmp_path / "1", *shape)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(0, 8), (1, 0), (1, small.LIMIT + 1)])
def test_shapes_that_no_model_takes(shape, tmp_path):
    with pytest.raises(ValueError, match="1 to 133 tokens"):
        export_aot(small.make("Model"), tmp_path / "1", *shape)


def test_a_missing_extra_is_named(monkeypatch, tmp_path):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(runtimes.importlib, "import_module", missing)
    with pytest.raises(ImportError, match=r"tf-longformer\[onnx\]"):
        export_onnx(small.make("Model"), tmp_path / "1")


def test_a_compiler_that_fails_says_why(monkeypatch, tmp_path):
    def fail(*arguments, **options):
        return subprocess.CompletedProcess((), 1, "", "x\nno memory\n")

    monkeypatch.setattr(runtimes.subprocess, "run", fail)
    with pytest.raises(RuntimeError, match="the model: no memory"):
        export_aot(small.make("Model"), tmp_path / "1", 1, 5)
    assert list(tmp_path.iterdir()) == []
