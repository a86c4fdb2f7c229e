"""Real models behind the server and over files, and runs that are killed."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from urllib.parse import urlsplit

import numpy as np
import pytest
import tensorflow as tf
from helpers.tiny import HEADS
from helpers.tiny import make_inputs
from helpers.tiny import make_model
from helpers.toy_saved_model import save_toy
from serving.client import Server
from serving.client import needs_server

from tf_longformer import LongformerTokenizerFast
from tf_longformer import export_saved_model
from tf_longformer import tasks
from tf_longformer.cli.app import main

RTOL, ATOL = 1e-4, 1e-5
IDS = ("input_ids", "attention_mask")


def write(path, values):
    lines = [json.dumps(value) + "\n" for value in values]
    path.write_text("".join(lines), "utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def run(*arguments):
    with pytest.raises(SystemExit) as error:
        main(["predict", *(str(argument) for argument in arguments)])
    assert error.value.code == 0


@needs_server
@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_answers_are_the_models(head, tmp_path):
    model = make_model(head)
    export_saved_model(model, tmp_path / "model/1")
    inputs = {name: make_inputs(head)[name] for name in IDS}
    expected = {
        name: value.numpy()
        for name, value in model(**inputs).items()
        if name in ("logits", "start_logits", "end_logits")
        or name in ("last_hidden_state", "pooler_output")
    }
    lists = {name: array.tolist() for name, array in inputs.items()}
    rows = [
        dict(zip(lists, row, strict=True))
        for row in zip(*lists.values(), strict=True)
    ]
    server = Server(tmp_path / "model")
    status, found = server.predict({"instances": rows})
    assert status == 200
    by_row = found["predictions"]
    status, found = server.predict({"inputs": lists})
    assert status == 200
    by_name = found["outputs"]
    assert server.stop()[0] == 0
    lone = not isinstance(by_name, dict)
    for name, value in expected.items():
        for answer in (
            by_name if lone else by_name[name],
            by_row if lone else [row[name] for row in by_row],
        ):
            np.testing.assert_allclose(answer, value, RTOL, ATOL)

    # The same over files, exported or not; without what is of the padding.
    source = write(tmp_path / "in.jsonl", rows)
    model.save_pretrained(tmp_path / "checkpoint")
    run(
        tmp_path / "model", source, tmp_path / "exported.jsonl",
        "--signature", "serving_default",
    )  # fmt: skip
    run(tmp_path / "checkpoint", source, tmp_path / "loaded.jsonl")
    for file in ("exported.jsonl", "loaded.jsonl"):
        for index, line in enumerate(read(tmp_path / file)):
            for name, value in expected.items():
                np.testing.assert_allclose(line[name], value[index], RTOL, ATOL)


@pytest.fixture(scope="module")
def tokenizer():
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = range(256, 256 + 256 - len(kept))
    letters = [chr(code) for code in [*kept, *others]]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *letters, "<mask>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return LongformerTokenizerFast(vocab=vocabulary, merges=[])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("head", "name", "task", "records"),
    [
        ("ForMaskedLM", "tokens", tasks.fill_mask, {"text": "a <mask> c"}),
        ("ForSequenceClassification", "labels", tasks.classify, {"text": "b"}),
        ("ForTokenClassification", "entities", tasks.tag, {"text": "c " * 60}),
        (
            "ForQuestionAnswering",
            "answer",
            tasks.answer,
            {"question": "what?", "context": "that one " * 20},
        ),
    ],
)
def test_texts_of_a_checkpoint(tokenizer, tmp_path, head, name, task, records):
    model = make_model(head, vocab_size=261, max_position_embeddings=102)
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    source = write(tmp_path / "in", [records, {**records, "id": 3}])
    run(tmp_path / "model", source, tmp_path / "out")
    expected = task(model, tokenizer, *records.values())
    for line in read(tmp_path / "out"):
        assert list(line) == [name]
        assert_alike(line[name], expected)


@pytest.mark.slow
def test_choices_and_a_model_without_a_head(tokenizer, tmp_path):
    sizes = {"vocab_size": 261, "max_position_embeddings": 102}
    for head, record in (
        ("ForMultipleChoice", {"prompt": "why?", "choices": ["a", "bc"]}),
        ("Model", {"text": "a document"}),
    ):
        model = make_model(head, **sizes)
        model.save_pretrained(tmp_path / head)
        tokenizer.save_pretrained(tmp_path / head)
        source = write(tmp_path / "in", [record])
        run(tmp_path / head, source, tmp_path / f"{head}.jsonl")
        (line,) = read(tmp_path / f"{head}.jsonl")
        cells = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in record.items()
        }
        with open(tmp_path / "in.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, cells)
            writer.writeheader()
            writer.writerow(cells)
        run(tmp_path / head, tmp_path / "in.csv", tmp_path / f"{head}.csv.out")
        assert read(tmp_path / f"{head}.csv.out") == [line]
        if head == "Model":
            outputs = model(tokenizer("a document", return_tensors="np"))
            expected = outputs.last_hidden_state.numpy()[0]
            found = line["last_hidden_state"]
        else:
            pair = tokenizer(
                ["why?"] * 2, ["a", "bc"], padding=True, return_tensors="np"
            )
            inputs = {name: pair[name][None] for name in IDS}
            expected = tf.nn.softmax(model(**inputs).logits)[0]
            found = line["choice"]["scores"]
        np.testing.assert_allclose(found, expected, RTOL, ATOL)


TEXTS = {
    "ForQuestionAnswering": [
        {"question": "who?", "context": "na\u00efve \U0001f600 one"},
        {"question": "what is it?", "context": "  this\nor that  " * 3},
    ],
    "ForMultipleChoice": [
        {"prompt": "why?", "choices": ["a", "b c"]},
        {"prompt": "na\u00efve?", "choices": ["one", " or another "]},
    ],
}
MASKED = [
    {"text": "a <mask> d na\u00efve"},
    {"text": "\t<mask> and <mask>\u3000\U0001f600 more"},
]


@needs_server
@pytest.mark.slow
@pytest.mark.parametrize("head", HEADS)
def test_texts_of_an_exported_model(tokenizer, tmp_path, head):
    """Server and files give what tokenizer and model give of each alone."""
    model = make_model(head, vocab_size=261, max_position_embeddings=102)
    export_saved_model(model, tmp_path / "model/1", tokenizer)
    records = TEXTS.get(head, MASKED)
    server = Server(tmp_path / "model")
    answers = []
    for record in records:
        body = {"signature_name": "text", "instances": [record]}
        status, found = server.predict(body)
        assert status == 200, found
        answers += found["predictions"]
    # All of it is too long, however it is cut into texts.
    long = {
        name: [text * 60 for text in value]
        if isinstance(value, list)
        else value * 60
        for name, value in records[0].items()
    }
    body = {"signature_name": "text", "instances": [long]}
    status, found = server.predict(body)
    assert status == 400
    assert "must not have more than 100 tokens" in found["error"]
    assert "{{" not in found["error"]
    assert server.stop()[0] == 0

    source = write(tmp_path / "in.jsonl", records)
    run(
        tmp_path / "model", source, tmp_path / "out.jsonl",
        "--signature", "text",
    )  # fmt: skip
    lines = read(tmp_path / "out.jsonl")
    for record, answer, line in zip(records, answers, lines, strict=True):
        assert_alike(line, {name: answer[name] for name in line})
        if head == "ForMultipleChoice":
            prompts = [record["prompt"]] * len(record["choices"])
            encoding = tokenizer(
                prompts, record["choices"], padding=True, return_tensors="np"
            )
            inputs = {name: encoding[name][None] for name in IDS}
        else:
            encoding = tokenizer(*record.values(), return_tensors="np")
            inputs = {name: encoding[name] for name in IDS}
        for name, value in model(**inputs).items():
            if name == "logits" and head == "ForMaskedLM":
                # Of the masks alone.
                value = value.numpy()[0][
                    inputs["input_ids"][0] == tokenizer.mask_token_id
                ]
                name = "mask_logits"
            elif "hidden_states" in name or "attentions" in name:
                continue
            else:
                value = value.numpy()[0]
            np.testing.assert_allclose(answer[name], value, RTOL, ATOL)


def assert_alike(found, expected):
    """Compares nested results, numbers up to rounding."""
    if isinstance(expected, dict):
        assert list(found) == list(expected)
        for name, value in expected.items():
            assert_alike(found[name], value)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert_alike(one, other)
    elif isinstance(expected, float):
        np.testing.assert_allclose(found, expected, RTOL, ATOL)
    else:
        assert found == expected


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again(tmp_path):
    """Its process, at any moment, until it is through."""
    model = make_model("ForTokenClassification")
    export_saved_model(model, tmp_path / "model/1")
    rng = random.Random(0)
    rows = [
        {"input_ids": [rng.randrange(3, 61) for _ in range(length)]}
        for length in (rng.randint(1, 35) for _ in range(6000))
    ]
    source = write(tmp_path / "in.jsonl", rows)
    arguments = [tmp_path / "model", source]
    arguments += ["--signature", "serving_default", "--batch-tokens", "120"]
    whole, target = tmp_path / "whole", tmp_path / "out"
    run(*arguments[:2], whole, *arguments[2:])
    journal = tmp_path / "out.partial.json"
    kills = 0
    while not target.exists():
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tf_longformer", "predict"),
                *map(str, [*arguments[:2], target, *arguments[2:]]),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.DEVNULL,
        )
        before = journal.stat().st_mtime_ns if journal.exists() else 0
        # Not before it has gone on, else it would never end.
        while process.poll() is None and (
            not journal.exists() or journal.stat().st_mtime_ns == before
        ):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.5))
        if process.poll() is None and kills < 6:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        assert process.returncode in (0, -signal.SIGKILL)
    assert kills > 2
    # Compared here, as pytest would look for what differs for half an hour.
    is_same = target.read_bytes() == whole.read_bytes()
    assert is_same
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"model", "in.jsonl", "whole", "out"}


PEAK = """
import resource, sys
from tf_longformer.cli.app import main
try:
    main(["predict", *sys.argv[1:]])
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs resource")
def test_memory_is_bounded(tmp_path):
    """A file of eight times the size takes no more of it."""
    folder = save_toy(tmp_path / "toy/1")
    rng = random.Random(0)
    ids = [rng.randrange(60) for _ in range(3000)]
    peaks = []
    for count in (1000, 8000):
        source = tmp_path / f"{count}.jsonl"
        with open(source, "w") as file:
            for index in range(count):
                length = 1 + 7 * index % 1000
                file.write(json.dumps({"input_ids": ids[:length]}) + "\n")
        done = subprocess.run(
            [
                *(sys.executable, "-c", PEAK, folder, source),
                *(tmp_path / f"{count}.out", "--signature", "serving_default"),
            ],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        )
        peaks.append(int(done.stdout.split()[-1]))
        assert len(read(tmp_path / f"{count}.out")) == count
    assert peaks[1] < 1.15 * peaks[0]


@needs_server
@pytest.mark.slow
def test_a_body_that_never_comes(tmp_path):
    server = Server(save_toy(tmp_path / "toy/1"), "--max-seconds", 1)
    parts = urlsplit(server.url)
    with socket.create_connection((parts.hostname, parts.port)) as client:
        client.sendall(
            f"POST {parts.path}:predict HTTP/1.1\r\nHost: x\r\n"
            'Content-Length: 100\r\n\r\n{"inst'.encode()
        )
        client.settimeout(30)
        answer = client.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 408 ")
    assert "sent within 1 seconds" in answer
    # One that goes away in between, and garbage, do no harm either.
    for garbage in (b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx", b"\0\1"):
        with socket.create_connection((parts.hostname, parts.port)) as client:
            client.sendall(garbage)
    body = {"signature_name": "text", "instances": ["a"]}
    assert server.predict(body)[0] == 200
    code, errors = server.stop()
    assert code == 0
    assert "Traceback" not in errors


@needs_server
@pytest.mark.slow
def test_soak(tmp_path):
    """The short form of `soak.py`."""
    from serving.soak import Soak

    summary = Soak(tmp_path, pool=60).run(600, 120)
    assert summary["errors"] == []
    assert summary["requests"] == 600
    assert set(summary["answers"]) == {200, 400, 404, 413}
