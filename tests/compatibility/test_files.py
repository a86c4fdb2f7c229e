"""Files that commit 486b773 wrote load, and give the numbers they gave then.

What they are and how they were made is in
`tests/scripts/make_compatibility_fixtures.py`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import tf_longformer
from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer.cli.app import main

FILES = Path(__file__).parent / "files"
HEADS = (
    "Model",
    "ForMaskedLM",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForMultipleChoice",
)
LAYERS = ("Embeddings", "Encoder", "SelfAttention")
MASKED_LM = FILES / "ForMaskedLM"
# Keras finds the classes in a file among those that the program has imported.
for name in (*HEADS, *LAYERS):
    getattr(tf_longformer, f"TFLongformer{name}")
_ = tf_longformer.LongformerTextPreprocessor
# Relative to the largest number of an output: other CPUs than that of the
# fixtures multiply matrices in another order.
TOLERANCE = 1e-5


def parts(path: Path) -> dict[str, dict[str, np.ndarray]]:
    """Reads `expected.npz`: arrays by part (`input`, `weight`) and name."""
    found: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path / "expected.npz") as file:
        for name in file.files:
            part, _, inner = name.partition("/")
            found.setdefault(part, {})[inner] = file[name]
    return found


def assert_close(
    found: dict[str, Any],
    expected: dict[str, np.ndarray],
    tolerance: float = TOLERANCE,
) -> None:
    assert list(found) == list(expected)
    for name, wanted in expected.items():
        value = np.asarray(keras.ops.cast(found[name], "float32"))
        assert value.shape == wanted.shape, name
        gap = np.abs(value - wanted).max() / np.abs(wanted).max()
        assert gap <= tolerance, name


def assert_as_written(
    model: Any, folder: Path, tolerance: float = TOLERANCE
) -> None:
    """Checks weights, in their order, and outputs."""
    expected = parts(folder)
    weights = [weight.numpy() for weight in model.weights]
    assert len(weights) == len(expected["weight"])
    for index, value in enumerate(weights):
        wanted = expected["weight"][str(index)]
        # NumPy has no bfloat16 and keeps its bytes alone.
        np.testing.assert_array_equal(
            value.view(wanted.dtype) if wanted.dtype.kind == "V" else value,
            wanted,
        )
    outputs = model(expected["input"])
    if not isinstance(outputs, dict):
        outputs = {"states": outputs}
    assert_close(dict(outputs.items()), expected["output"], tolerance)


@pytest.mark.parametrize("form", ["safetensors", "model.keras"])
@pytest.mark.parametrize("head", HEADS)
def test_heads(head: str, form: str) -> None:
    path = FILES / head / form
    kind = getattr(tf_longformer, f"TFLongformer{head}")
    if form == "safetensors":
        model = kind.from_pretrained(path)
    else:
        model = keras.models.load_model(path)
    assert type(model) is kind
    assert_as_written(model, FILES / head)


def test_hdf5_of_transformers() -> None:
    model = tf_longformer.TFLongformerForMaskedLM.from_pretrained(
        MASKED_LM / "h5"
    )
    assert_as_written(model, MASKED_LM)


def test_weights_of_keras() -> None:
    config = LongformerConfig.from_pretrained(MASKED_LM / "safetensors")
    model = tf_longformer.TFLongformerForMaskedLM(config)
    model.load_weights(MASKED_LM / "model.weights.h5")
    assert_as_written(model, MASKED_LM)


def test_a_compiled_model_goes_on() -> None:
    """Optimizer, frozen layers and the loss are those of then."""
    folder = MASKED_LM / "trained"
    model = keras.models.load_model(folder / "model.keras")
    assert_as_written(model, folder)
    expected = parts(folder)
    found = [variable.numpy() for variable in model.optimizer.variables]
    assert len(found) == len(expected["optimizer"])
    for index, value in enumerate(found):
        wanted = expected["optimizer"][str(index)]
        np.testing.assert_array_equal(value, wanted)
    trainable = [weight.trainable for weight in model.weights]
    np.testing.assert_array_equal(trainable, expected["trainable"][""])
    assert not all(trainable)
    data = {**expected["input"], "labels": expected["labels"][""]}
    wanted_loss = pytest.approx(float(expected["loss"][""]), rel=TOLERANCE)
    assert model.evaluate(data, verbose=0) == wanted_loss
    history = model.fit(data, shuffle=False, verbose=0).history
    assert history["loss"] == [wanted_loss]


@pytest.mark.filterwarnings("ignore:.*does not have a `quantize`")
@pytest.mark.parametrize(
    ("variant", "tolerance"),
    # Integers, and bfloat16, round where float32 differs in its last bit.
    [("lora", TOLERANCE), ("int8", 4e-2), ("bfloat16", 4e-2)],
)
def test_variants(variant: str, tolerance: float) -> None:
    folder = MASKED_LM / variant
    model = keras.models.load_model(folder / "model.keras")
    assert_as_written(model, folder, tolerance)


def test_public_layers_in_a_functional_model() -> None:
    folder = FILES / "layers"
    model = keras.models.load_model(folder / "model.keras")
    assert_as_written(model, folder)


def test_text_preprocessor_in_a_functional_model() -> None:
    folder = FILES / "text_preprocessor"
    model = keras.models.load_model(folder / "model.keras")
    expected = parts(folder)
    texts = expected["texts"][""].tolist()
    outputs = model(keras.ops.convert_to_tensor(texts))
    assert list(outputs) == list(expected["output"])
    for name, wanted in expected["output"].items():
        np.testing.assert_array_equal(outputs[name], wanted)


# A program imports the class that it loads. The first folder is loaded before
# anything else could have imported what it needs.
FRESH = """
import json, sys
import keras, numpy as np
import tf_longformer
found = {}
for argument in sys.argv[1:]:
    folder, _, classes = argument.partition(":")
    for name in classes.split(","):
        getattr(tf_longformer, f"TFLongformer{name}")
    model = keras.models.load_model(folder + "/model.keras")
    with np.load(folder + "/expected.npz") as file:
        inputs = {
            name.removeprefix("input/"): file[name]
            for name in file.files
            if name.startswith("input/")
        }
    outputs = model(inputs)
    if not isinstance(outputs, dict):
        outputs = {"states": outputs}
    found[folder] = {
        name: np.asarray(value, "float64").tolist()
        for name, value in outputs.items()
    }
print(json.dumps(found))
"""


def test_a_fresh_process_needs_the_public_class_alone() -> None:
    classes = {"layers": ",".join(LAYERS)} | dict(
        zip(HEADS, HEADS, strict=True)
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            FRESH,
            *(f"{FILES / name}:{used}" for name, used in classes.items()),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(tf_longformer.__file__).parents[1],
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    for name in classes:
        folder = FILES / name
        assert_close(found[str(folder)], parts(folder)["output"])


@pytest.mark.parametrize("written_by", ["slow", "fast"])
@pytest.mark.parametrize("kind", [LongformerTokenizer, LongformerTokenizerFast])
def test_tokenizers(kind: Any, written_by: str) -> None:
    folder = FILES / "tokenizers" / written_by
    tokenizer = kind.from_pretrained(folder)
    expected = json.loads((folder / "expected.json").read_text("utf-8"))
    ids = tokenizer(expected["texts"])["input_ids"]
    assert ids == expected["input_ids"]
    assert tokenizer.batch_decode(ids) == expected["decoded"]
    pair = tokenizer("Who was it?", "It was Ada, who wrote notes.")
    assert pair["input_ids"] == expected["pair"]
    assert tokenizer.model_max_length == expected["model_max_length"]


def test_configuration() -> None:
    config = LongformerConfig.from_pretrained(FILES / "config")
    text = (FILES / "config" / "expected.json").read_text("utf-8")
    found = json.loads(json.dumps(config.to_dict()))
    assert config.name_or_path == str(FILES / "config")
    assert found == json.loads(text)


@pytest.fixture(scope="module")
def saved_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The exported folder, which answers questions."""
    folder = tmp_path_factory.mktemp("exported")
    packed = FILES / "saved_model" / "saved_model.tar.xz"
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / "1"


SERVED = """
import sys
import numpy as np, tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
expected = dict(np.load(sys.argv[2]))
def part(name):
    return {
        key.removeprefix(name): value
        for key, value in expected.items()
        if key.startswith(name)
    }
def check(found, wanted):
    assert set(found) == set(wanted)
    for name, value in wanted.items():
        if value.dtype.kind == "U":
            assert np.char.decode(found[name].numpy().astype(bytes)).tolist() \\
                == value.tolist(), name
        else:
            np.testing.assert_allclose(found[name], value, 1e-4, 1e-6)
rows = {k: tf.constant(v) for k, v in part("input/").items()}
check(signatures["serving_default"](**rows), part("output/"))
texts = {
    "question": tf.constant(expected["questions"]),
    "context": tf.constant(expected["contexts"]),
}
check(signatures["text"](**texts), part("text/"))
assert "tf_longformer" not in sys.modules
"""


# Of this package it needs nothing.
@pytest.mark.slow
def test_saved_model_in_plain_tensorflow(
    saved_model: Path, tmp_path: Path
) -> None:
    numbers = FILES / "saved_model" / "expected.npz"
    done = subprocess.run(
        [sys.executable, "-c", SERVED, str(saved_model), str(numbers)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr


def test_saved_model_through_the_command_line(
    saved_model: Path, tmp_path: Path
) -> None:
    questions = FILES / "saved_model" / "questions.jsonl"
    answers = tmp_path / "answers.jsonl"
    paths = map(str, (saved_model, questions, answers))
    # All outputs, as they were written by default then.
    with pytest.raises(SystemExit) as stop:
        main(["predict", *paths, "--signature", "text"])
    assert not stop.value.code
    written = FILES / "saved_model" / "answers.jsonl"
    for ours, theirs in zip(
        answers.read_text("utf-8").splitlines(),
        written.read_text("utf-8").splitlines(),
        strict=True,
    ):
        found, wanted = json.loads(ours), json.loads(theirs)
        assert list(found) == list(wanted)
        for name, value in wanted.items():
            if name == "answers":
                assert found[name] == value
            else:
                np.testing.assert_allclose(found[name], value, 1e-4, 1e-6)
