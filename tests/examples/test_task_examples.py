"""The examples of the five tasks, on tiny models and tasks."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from helpers import small_tasks

import tf_longformer

pytestmark = pytest.mark.filterwarnings(
    # It says so of `tf.data`, where eager steps are asked for.
    "ignore:Even though the `tf.config:UserWarning"
)

FOLDER = Path(__file__).parents[2] / "examples"
# The task of each, what guessing gets, and by how much more it must get.
EXAMPLES = {
    "classify_texts": ("text-classification", "accuracy", 0.5, 0.3),
    "tag_words": ("token-classification", "f1", 0.0, 0.8),
    "answer_questions": ("question-answering", "exact_match", 10.0, 60.0),
    "choose_answers": ("multiple-choice", "accuracy", 1 / 3, 0.4),
    # Each of the words as likely as any other.
    "pretrain": ("masked-lm", "loss", np.log(len(small_tasks.WORDS)), -0.1),
}


def load(name):
    path = FOLDER / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def eagerly():
    """Tiny models cost more to trace than to train."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return small_tasks.write_model(tmp_path_factory.mktemp("source"))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_better_than_guessing(name, source, tmp_path, monkeypatch):
    task, metric, guessed, margin = EXAMPLES[name]
    train = small_tasks.write(tmp_path / "train.jsonl", task, 400, 0)
    dev = small_tasks.write(tmp_path / "dev.jsonl", task, 64, 1000)
    example = load(name)
    monkeypatch.setattr(example, "LEARNING_RATE", 5e-3)
    if name == "pretrain":
        monkeypatch.setattr(example, "TOKENS", 512)
        monkeypatch.setattr(example, "STAGES", 2)
        monkeypatch.setattr(example, "EPOCHS", 2)
    else:
        monkeypatch.setattr(example, "BATCH_SIZE", 16)
    output = tmp_path / "output"
    found = example.main(str(source), str(train), str(dev), str(output))
    assert found["examples"] == 64
    better = found[metric] - guessed
    assert better > margin if margin > 0 else better < margin, found


def test_any_place_of_an_answer_is_right():
    example = load("answer_questions")
    text = "Rome, and Rome; a Roman."
    answers = [{"text": "Rome", "answer_start": 0}]
    assert example.all_places(text, answers) == [(0, 4), (10, 14)]
    assert example.all_places(text, []) == []
    logits = np.log([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]])
    allowed = np.array([[0, 1, 0, 1], [1, 0, 0, 0]])
    loss = np.asarray(example.any_of(allowed, logits))
    np.testing.assert_allclose(loss, -np.log([0.6, 0.7]), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_pretraining_begins_from_nothing(source, tmp_path, monkeypatch):
    example = load("pretrain")
    train = small_tasks.write(tmp_path / "train.jsonl", "masked-lm", 16, 0)
    seen = []
    fit = example.TFLongformerForMaskedLM.fit

    def spy(model, data, **kwargs):
        rows = [x["input_ids"].shape[1] for x, _ in data]
        windows = [2 * radius for radius in model.config.radii]
        seen.append((windows, max(rows)))
        return fit(model, data, **kwargs)

    monkeypatch.setattr(example.TFLongformerForMaskedLM, "fit", spy)
    args = (str(source), str(train), str(train), str(tmp_path / "output"))
    example.main(*args, "--from-scratch")
    assert seen == [([2], 16), ([4], 32), ([8], 64)]
    old, new = (
        tf_longformer.TFLongformerForMaskedLM.from_pretrained(folder)
        for folder in (source, tmp_path / "output")
    )
    # What was learned from nothing is near to nothing of the source.
    before, after = (
        np.array(m.longformer.embeddings.word_embeddings.embeddings)
        for m in (old, new)
    )
    assert abs(np.corrcoef(before.ravel(), after.ravel())[0, 1]) < 0.5
    # Global tokens read as the others learned to.
    attention = new.longformer.encoder.layer[0].attention
    for name in ("query", "key", "value"):
        for local, of_global in zip(
            getattr(attention, name).get_weights(),
            getattr(attention, f"{name}_global").get_weights(),
            strict=True,
        ):
            np.testing.assert_array_equal(local, of_global)
