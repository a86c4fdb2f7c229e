"""Encoders that transformers makes, through us, and opened as Longformers.

Name the interpreters of environments with transformers 4 and 5 in
TF_LONGFORMER_ORACLE_4 and TF_LONGFORMER_ORACLE_5.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any
from typing import NamedTuple

import comparison
import numpy as np
import pytest
import tensorflow as tf
from checkpoints import encoder_checks

import tf_longformer
from tf_longformer import LongformerTokenizerFast
from tf_longformer import PaddingCollator
from tf_longformer import encode_choices
from tf_longformer import encode_questions
from tf_longformer import export_saved_model
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate
from tf_longformer.cli.app import main
from tf_longformer.loading import Checkpoint
from tf_longformer.tasks import answer
from tf_longformer.tasks import classify
from tf_longformer.tasks import embed

pytestmark = pytest.mark.oracle

LENGTHS = {"max_tokens": 40, "attention_window": 32}
# What no head of a Longformer gives.
LOST = {"logits", "seq_relationship_logits"}


@pytest.mark.parametrize("version", [4, 5])
def test_every_family_and_head(version, tmp_path):
    """Inputs of the encoder's length: it, ours and HF's Longformer agree."""
    comparison.run_oracle(
        version, "write", tmp_path / "in", script="encoder_worker"
    )
    sources = {
        str(path.parent.relative_to(tmp_path / "in")): path.parent
        for path in (tmp_path / "in").rglob("expected.npz")
    }
    assert len(sources) > 25
    for name, source in sources.items():
        target = tmp_path / "out" / name
        convert(locate(source), target, **LENGTHS)
        if (source / "tensorflow").exists():
            other = tmp_path / "h5" / name
            convert(locate(source / "tensorflow"), other, **LENGTHS)
            weights = (other / "model.safetensors").read_bytes()
            assert weights == (target / "model.safetensors").read_bytes(), name
        fields = json.loads((target / "config.json").read_text("utf-8"))
        case = {
            "class": fields["architectures"][0],
            "inputs": str(source / "expected.npz"),
        }
        (target / "case.json").write_text(json.dumps(case), "utf-8")
    comparison.run_oracle(
        version, "open", tmp_path / "out", script="encoder_worker"
    )
    for name, source in sources.items():
        check_case(tmp_path / "out" / name, source)


def check_case(target: Path, source: Path) -> None:
    inputs, theirs = encoder_checks.expected(source)
    mask = inputs["attention_mask"]
    model = Checkpoint(str(target)).load_model("pooler")
    ours = encoder_checks.outputs(model, inputs)
    lost = theirs.keys() - ours.keys()
    assert lost <= LOST
    if target.parent.name in ("bert", "roberta"):
        assert lost <= {"seq_relationship_logits"}
    encoder_checks.assert_same_outputs(ours, theirs, mask, tuple(lost))
    with np.load(target / "hf.npz") as file:
        again = {key: file[key] for key in file.files}
    encoder_checks.assert_same_outputs(again, theirs, mask, tuple(lost))
    report = json.loads((target / "hf.json").read_text("utf-8"))
    missing = [key for key in report["missing_keys"] if "pooler" not in key]
    assert missing + report["unexpected_keys"] == []
    assert report["config"]["max_position_embeddings"] > 40
    if "ids" in report:
        assert report["ids"] == [2, 5, 6, 7, 3]
        assert report["model_max_length"] == 40


PAIRS = {
    "ForQuestionAnswering": {"question": "c b", "context": "e d a f g c h"},
    "ForSequenceClassification": {"text": "c b a", "text_pair": "e d f"},
    "ForMultipleChoice": ["c b", ["e d a f", "g h", "b"]],
}


def test_pairs_of_texts(tmp_path):
    """Token types and the question's end are those of the family."""
    run = partial(comparison.run_oracle, 4, script="encoder_worker")
    run("write", tmp_path)
    sources = {
        f"{family}/{head}": tmp_path / family / head
        for family in ("bert", "electra", "distilbert")
        for head in PAIRS
        if family == "bert" or head == "ForQuestionAnswering"
    }
    for source in sources.values():
        for name in ("vocab.txt", "tokenizer_config.json"):
            shutil.copyfile(source.parent / "Model" / name, source / name)
        asked = json.dumps(PAIRS[source.name])
        (source / "questions.json").write_text(asked, "utf-8")
    run("ask", tmp_path)
    for name, source in sources.items():
        target = tmp_path / "out" / name
        convert(locate(source), target, **LENGTHS)
        theirs = json.loads((source / "results.json").read_text("utf-8"))
        for ours in results_of_pairs(target, PAIRS[source.name]):
            assert_same_result(ours, theirs, name)


def results_of_pairs(target: Path, asked: Any) -> Iterator[Any]:
    """From Python, from a saved model and tokenizer, and of a file."""
    loader = Checkpoint(str(target))
    model, tokenizer = loader.load_model(), loader.load_tokenizer()
    if isinstance(asked, list):
        arrays = encode_choices(tokenizer, [asked[0]], [asked[1]])
        yield {"scores": tf.nn.softmax(model(arrays).logits)[0]}
        record = dict(zip(("prompt", "choices"), asked, strict=True))
    elif "question" in asked:
        yield answer(model, tokenizer, **asked)
        features = encode_questions(
            tokenizer, [asked["question"]], [asked["context"]], max_length=16
        )
        batch = PaddingCollator(tokenizer)(features.inputs)
        assert batch.get("token_type_ids", np.ones(1)).any()
        outputs = model(batch)
        # The model's own global tokens are those of the words.
        batch.pop("global_attention_mask")
        same = model(batch)
        np.testing.assert_allclose(
            outputs.start_logits, same.start_logits, atol=1e-6
        )
        record = asked
    else:
        found = classify(
            model, tokenizer, asked["text"], text_pair=asked["text_pair"]
        )
        yield found
        record = asked
    again = target / "again"
    model.save_pretrained(again)
    tokenizer.save_pretrained(again)
    source = target / "in.jsonl"
    source.write_text(json.dumps(record) + "\n", "utf-8")
    for number, folder in enumerate((target, again)):
        lines = target / f"{number}.jsonl"
        with pytest.raises(SystemExit) as done:
            main(["predict", *map(str, (folder, source, lines))])
        assert done.value.code == 0
        (found,) = json.loads(lines.read_text("utf-8")).values()
        yield found


def assert_same_result(ours: Any, theirs: Any, name: str) -> None:
    if isinstance(theirs, dict):
        ours, theirs = [ours], [theirs]
    if isinstance(theirs[0], float):
        theirs = tf.nn.softmax(theirs)
        np.testing.assert_allclose(ours["scores"], theirs, atol=1e-4)
        return
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        assert one.pop("score") == pytest.approx(other["score"], abs=1e-4)
        assert one == {key: other[key] for key in one}, name


class Trained(NamedTuple):
    """A trained encoder, the Longformer made of it, and texts for both."""

    source: Path
    target: Path
    model: tf_longformer.TFLongformerModel
    tokenizer: LongformerTokenizerFast
    texts: dict[str, list]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Trained:
    """MiniLM, with what transformers 5 makes of texts of its folder."""
    data = os.environ.get("TF_LONGFORMER_TEST_DATA", "")
    source = Path(data, "minilm")
    if not data or not source.exists():
        pytest.skip("TF_LONGFORMER_TEST_DATA has no `minilm`")
    folder = tmp_path_factory.mktemp("trained")
    (folder / "in").mkdir()
    for path in source.iterdir():
        if path.is_file():
            shutil.copyfile(path, folder / "in" / path.name)
    # Each of 512 tokens sees all others.
    model = tf_longformer.convert_to_longformer(
        source, 4096, 1024, save_directory=folder / "out"
    )
    tokenizer = LongformerTokenizerFast.from_pretrained(folder / "out")
    texts = read_texts(Path(data, "text"), tokenizer)
    (folder / "in/texts.json").write_text(json.dumps(texts), "utf-8")
    comparison.run_oracle(5, "run", folder / "in", script="encoder_worker")
    return Trained(folder / "in", folder / "out", model, tokenizer, texts)


def read_texts(folder: Path, tokenizer: Any) -> dict[str, list]:
    """Returns pairs, and passages of up to 512 tokens from short to long."""
    with open(folder / "documents/proposals.jsonl", encoding="utf-8") as file:
        rows = [json.loads(next(file))["text"] for _ in range(100)]
    sources = [*folder.glob("*.txt"), *folder.glob("gutenberg/*.txt")]
    books = [path.read_text("utf-8") for path in sorted(sources)]
    rng = np.random.default_rng(0)
    passages = []
    while len(passages) < 500:
        chosen = rows if len(passages) % 2 else books
        text = chosen[rng.integers(len(chosen))]
        size = int(np.exp(rng.uniform(np.log(10), np.log(2200))))
        start = rng.integers(max(1, len(text) - size))
        passage = text[start : start + size]
        if len(tokenizer(passage)["input_ids"]) <= 512:
            passages.append(passage)
    passages.sort(key=lambda text: len(tokenizer(text)["input_ids"]))
    pairs = [passages[i : i + 2] for i in (0, 100, 250, 400, 498)]
    return {"passages": passages, "pairs": pairs}


def test_a_trained_encoder(trained):
    inputs, theirs = encoder_checks.expected(trained.source)
    encoded = trained.tokenizer(
        *map(list, zip(*trained.texts["pairs"], strict=True)),
        truncation=True,
        max_length=512,
        padding=True,
        return_tensors="np",
        return_token_type_ids=True,
    )
    assert encoded.keys() == inputs.keys()
    for name, array in inputs.items():
        np.testing.assert_array_equal(encoded[name], array, name)
    assert inputs["input_ids"].shape[1] == 512
    ours = encoder_checks.outputs(trained.model, inputs)
    encoder_checks.assert_same_outputs(ours, theirs, inputs["attention_mask"])
    encoder_checks.assert_same_weights(trained.model, trained.source)
    assert trained.model.config.sep_token_id == 102
    assert trained.tokenizer.model_max_length == 4096


def test_vectors_of_a_trained_encoder(trained, tmp_path):
    """From Python, the command line, and a SavedModel."""
    passages = trained.texts["passages"]
    found = {"python": embed(trained.model, trained.tokenizer, passages)}
    lines = "".join(f"{json.dumps(text)}\n" for text in passages)
    (tmp_path / "in.jsonl").write_text(lines, "utf-8")
    paths = (trained.target, tmp_path / "in.jsonl", tmp_path / "out.npy")
    with pytest.raises(SystemExit) as done:
        main(["embed", *map(str, paths)])
    assert done.value.code == 0
    found["command"] = np.load(tmp_path / "out.npy")
    export_saved_model(trained.model, tmp_path / "1", trained.tokenizer)
    served = tf.saved_model.load(str(tmp_path / "1")).signatures["embed"]
    found["SavedModel"] = np.concatenate(
        [
            served(text=tf.constant(passages[i : i + 20]))["embedding"]
            for i in range(0, len(passages), 20)
        ]
    )
    expected = np.load(trained.source / "vectors.npy")
    assert expected.shape == (500, 384)
    for name, vectors in found.items():
        np.testing.assert_allclose(
            vectors, expected, rtol=0, atol=1e-5, err_msg=name
        )
