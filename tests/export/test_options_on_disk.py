"""What options make of the folder, and what a killed export leaves."""

import hashlib
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from helpers import small_exports as small

from tf_longformer.export import export_saved_model
from tf_longformer.exported.versions import find_version

pytestmark = pytest.mark.slow
HEAD = "ForTokenClassification"
# The tiny model's weights hardly outweigh what else is in the file.
WIDE = {"hidden_size": 64, "intermediate_size": 256}


@pytest.fixture(scope="module")
def model():
    return small.make(HEAD, **WIDE)


@pytest.mark.parametrize(
    ("weights", "ids_dtype", "tolerance", "share"),
    [
        ("float32", "int64", 1e-4, 1.0),
        ("bfloat16", "int64", 5e-2, 0.5),
        ("int8", "int32", 8e-2, 0.25),
    ],
)
def test_options(model, tmp_path, weights, ids_dtype, tolerance, share):
    folder = export_saved_model(
        model,
        tmp_path / "1",
        small.tokenizer(),
        ids_dtype=ids_dtype,
        weights=weights,
    )
    served = small.Exported(HEAD, model, folder)
    for signature in ("serving_default", "with_global_attention"):
        specs = served.signatures[signature].structured_input_signature[1]
        assert {spec.dtype.name for spec in specs.values()} == {ids_dtype}
        with_globals = signature == "with_global_attention"
        inputs = small.ids(model, 2, 21, with_globals)
        given = {name: ids.astype(ids_dtype) for name, ids in inputs.items()}
        found = served(signature, given)["logits"]
        expected = served.reference(inputs)["logits"]
        gap = np.abs(found - expected).max() / np.abs(expected).max()
        assert gap < tolerance
    # Other kinds of weights are no other weights.
    assert (gap > 1e-4) == (weights != "float32")
    assert served("text", {"text": ["a dog", "b"]})
    stored = folder / "variables/variables.data-00000-of-00001"
    whole = sum(weight.numpy().nbytes for weight in model.weights)
    # Biases, scales and the file's own book-keeping.
    assert stored.stat().st_size < 1.05 * share * whole + 16384


def test_ids_past_int32_are_not_taken_for_others(model, tmp_path):
    """As a cast would: 2**32 + 5 has the lower half of 5."""
    folder = export_saved_model(model, tmp_path / "1", ids_dtype="int64")
    served = small.Exported(HEAD, model, folder)
    ids = np.array([[0, 2**32 + 5]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must lie in"):
        served(
            "serving_default",
            {"input_ids": ids, "attention_mask": np.ones_like(ids)},
        )
    with pytest.raises(tf.errors.InvalidArgumentError, match="hold 0 and 1"):
        served(
            "serving_default",
            {
                "input_ids": np.zeros_like(ids),
                "attention_mask": np.array([[1, 2**32 + 1]]),
            },
        )


def digest(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(
            path.read_bytes()
        ).digest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_server_never_sees_the_half_of_a_killed_export(model, tmp_path):
    checkpoint, models = tmp_path / "checkpoint", tmp_path / "models"
    model.save_pretrained(checkpoint)
    export_saved_model(model, models / "1", weights="bfloat16")
    before = digest(models / "1")

    def export(version, until=None):
        """Exports in a process that is killed once a file is there."""
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tf_longformer", "export"),
                *(checkpoint, models / version, "--overwrite"),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while until and process.poll() is None:
            if list(models.glob(f".{version}-*/new/{version}/{until}")):
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.001)
        return process.wait()

    kills = 0
    for version, until in [
        ("1", "variables"),
        ("1", "saved_model.pb"),
        ("2", "variables/*.index"),
    ]:
        code = export(version, until)
        # A quick machine may be through before it is seen.
        assert code in (0, -signal.SIGKILL)
        if code == -signal.SIGKILL:
            kills += 1
            assert [
                path.name
                for path in models.iterdir()
                if not path.name.startswith(".")
            ] == ["1"]
            assert digest(models / "1") == before
            assert find_version(models).number == 1
    assert kills
    assert export("2") == 0
    assert find_version(models).number == 2
    assert tf.saved_model.load(str(models / "2")).signatures
