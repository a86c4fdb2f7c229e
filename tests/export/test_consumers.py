"""All signatures of all heads, run by others than us."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from export import c_api
from helpers import small_exports as small

from tf_longformer import tasks
from tf_longformer.export import contract
from tf_longformer.export import export_saved_model

pytestmark = pytest.mark.slow
GOLDEN = Path(__file__).parents[2] / "savedmodels/signatures"
LENGTHS, BATCHES = (small.LIMIT,), (1, 3)


@pytest.fixture(scope="module", params=small.HEADS)
def exported(request, tmp_path_factory):
    head = request.param
    model = small.make(head)
    folder = export_saved_model(
        model,
        tmp_path_factory.mktemp(head) / "1",
        small.tokenizer(),
        xla=True,
        xla_lengths=LENGTHS,
        xla_batches=BATCHES,
    )
    return small.Exported(head, model, folder)


@pytest.fixture(scope="module")
def requests(exported):
    """Signatures, inputs, and what the Keras model makes of them."""
    found = []
    for shape in small.SHAPES:
        for name in ("serving_default", "with_global_attention", "xla"):
            if name == "xla" and shape not in small.SHAPES[::3]:
                continue
            with_globals = name == "with_global_attention"
            inputs = small.ids(exported.model, *shape, with_globals)
            rows = inputs["input_ids"].reshape(-1, shape[1])
            if name == "xla" and len(rows) > BATCHES[-1]:
                inputs = {key: value[:1] for key, value in inputs.items()}
            found.append((name, inputs, exported.reference(inputs)))
    for texts in small.texts(exported.head):
        encoded = small.encode(exported.head, texts)
        found.append(("text", texts, exported.reference(encoded)))
    return found


def check(exported, requests, answers):
    """Compares with the Keras model; texts and places with TensorFlow here."""
    assert len(answers) == len(requests)
    for (name, inputs, expected), found in zip(requests, answers, strict=True):
        here = exported(name, inputs)
        assert set(found) == set(here)
        small.assert_close(found, expected, set(expected) & set(here))
        for key, value in here.items():
            if value.dtype.kind == "f":
                np.testing.assert_allclose(
                    found[key], value, rtol=1e-3, atol=1e-4
                )
            else:
                np.testing.assert_array_equal(found[key], value, key)


def run_consumer(which, folder, requests, scratch, python=sys.executable):
    files = [scratch / f"{which}.{name}" for name in ("in", "out")]
    files[0].write_bytes(pickle.dumps([request[:2] for request in requests]))
    script = Path(__file__).with_name("consumer.py")
    subprocess.run(
        [python, "-I", script, which, folder, *files],
        check=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    return pickle.loads(files[1].read_bytes())


def test_tensorflow_alone(exported, requests, tmp_path):
    answers = run_consumer("plain", exported.folder, requests, tmp_path)
    check(exported, requests, answers)


@pytest.mark.oracle
def test_tensorflow_of_tensorflow_serving(exported, requests, tmp_path):
    """An older one than writes the folder."""
    python = os.environ.get("TF_LONGFORMER_ORACLE_SERVING")
    if not python:
        pytest.skip(
            "TF_LONGFORMER_ORACLE_SERVING doesn't name the interpreter of an "
            "environment with TensorFlow Serving's TensorFlow"
        )
    answers = run_consumer("plain", exported.folder, requests, tmp_path, python)
    check(exported, requests, answers)


def test_saved_model_cli(exported, requests, tmp_path):
    # It loads the folder anew for each.
    chosen = {request[0]: request for request in requests}
    del chosen["xla"]
    chosen = list(chosen.values())
    answers = run_consumer("cli", exported.folder, chosen, tmp_path)
    check(exported, chosen, answers)


@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_c_api(exported, requests, tmp_path):
    program = c_api.compile_consumer(tmp_path)
    bad = {name: np.full((1, 2), 700) for name in small.NAMES[:2]}
    if exported.model.input_rank == 3:
        bad = {name: value[None] for name, value in bad.items()}
    answers = c_api.run(
        program,
        exported.folder,
        [request[:2] for request in requests] + [("serving_default", bad)],
        tmp_path,
    )
    message = answers.pop()
    assert "must lie in [0, 700). Send ids" in message
    check(exported, requests, answers)


def test_openvino(exported, requests):
    openvino = pytest.importorskip("openvino", reason="the extra [openvino]")
    names = {
        "Model": ["last_hidden_state", "pooler_output"],
        "ForQuestionAnswering": ["start_logits", "end_logits"],
    }.get(exported.head, ["logits"])
    outputs = c_api.signatures(exported.folder)["serving_default"].outputs
    model = openvino.convert_model(
        str(exported.folder), output=[outputs[name].name for name in names]
    )
    compiled = openvino.compile_model(
        model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    for name, inputs, expected in requests:
        if name == "serving_default":
            answers = list(compiled(inputs).values())
            found = dict(zip(names, answers, strict=True))
            small.assert_close(found, expected, names)


def test_contract(exported):
    golden = json.loads((GOLDEN / f"{exported.head}.json").read_text("utf-8"))
    written = (exported.folder / contract.FILE).read_text("utf-8")
    described = json.loads(written)
    assert described.pop("xla") == golden["serving_default"]
    assert described == golden


def test_texts_are_those_of_the_tasks(exported):
    model, known = exported.model, small.tokenizer()
    request = small.texts(exported.head)[0]
    found = exported("text", request)
    if exported.head == "ForQuestionAnswering":
        for row, texts in enumerate(zip(*request.values(), strict=True)):
            if not texts[1]:
                assert found["answers"][row].tolist() == [b""] * 5
                continue
            best = tasks.answer(model, known, *texts)
            assert found["answers"][row][0].decode() == best["answer"]
            assert found["starts"][row][0] == best["start"]
            assert found["ends"][row][0] == best["end"]
            assert found["scores"][row][0] == pytest.approx(
                best["score"], rel=1e-3
            )
    if exported.head == "ForTokenClassification":
        tagged = tasks.tag(model, known, request["text"])
        for row, entities in enumerate(tagged):
            number = len(entities)
            text = request["text"][row]
            # The tasks give what tokens decode to, as HF's pipeline does.
            for name, expected in (
                ("entity_labels", [one["entity_group"] for one in entities]),
                (
                    "entity_words",
                    [text[one["start"] : one["end"]] for one in entities],
                ),
            ):
                assert [
                    item.decode() for item in found[name][row][:number]
                ] == expected
            for ours, theirs in (
                ("entity_starts", "start"),
                ("entity_ends", "end"),
            ):
                assert found[ours][row][:number].tolist() == [
                    one[theirs] for one in entities
                ]
            assert set(found["entity_labels"][row][number:]) <= {b""}
    if exported.head == "ForMaskedLM":
        for row, text in enumerate(request["text"]):
            filled = tasks.fill_mask(model, known, text)
            filled = filled if isinstance(filled[0], list) else [filled]
            for mask, candidates in enumerate(filled):
                start, end = (found[x][row, mask] for x in ("starts", "ends"))
                assert text[start:end].strip() == "<mask>"
                assert [
                    token.decode() for token in found["tokens"][row, mask]
                ] == [one["token_str"] for one in candidates]
                np.testing.assert_allclose(
                    found["scores"][row, mask],
                    [one["score"] for one in candidates],
                    rtol=1e-3,
                )
    if exported.head == "ForMultipleChoice":
        best = found["logits"].argmax(1)
        assert found["choice"].tolist() == best.tolist()
        assert [text.decode() for text in found["answers"]] == [
            choices[index]
            for choices, index in zip(request["choices"], best, strict=True)
        ]
