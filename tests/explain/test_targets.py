"""What is explained is what the tasks say, for each head."""

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import make

from tf_longformer import tasks
from tf_longformer.checkpoints.vector_settings import VectorSettings
from tf_longformer.explain import explain
from tf_longformer.projections import Projection

pytestmark = pytest.mark.slow
TEXT = " ".join(LONG.split()[:14]) + ". " + " ".join(LONG.split()[14:20])


def run(head, tokenizer, text=TEXT, fields=None, **options):
    model = make(head, tokenizer, **(fields or {}))
    found = explain(model, tokenizer, text, occlusion=False, **options)
    return model, found.prediction, found


@pytest.mark.parametrize(
    "problem_type",
    ["single_label_classification", "multi_label_classification"],
)
def test_label(tokenizer, problem_type):
    fields = {"problem_type": problem_type, "max_position_embeddings": 99}
    model, prediction, found = run(
        "ForSequenceClassification", tokenizer, fields=fields
    )
    expected = tasks.classify(model, tokenizer, TEXT)
    assert prediction.name == expected[0]["label"]
    assert prediction.probability == pytest.approx(
        expected[0]["score"], rel=1e-4
    )
    assert [name for name, _ in prediction.candidates] == [
        one["label"] for one in expected
    ]
    assert found.is_global.tolist() == [True] + [False] * (
        len(found.window.ids) - 1
    )
    assert "the first token is global" in found.why_global
    # Another label, by its name.
    wanted = expected[-1]
    other = explain(
        model, tokenizer, TEXT, label=wanted["label"], occlusion=False
    )
    assert other.prediction.probability == pytest.approx(
        wanted["score"], rel=1e-4
    )
    with pytest.raises(ValueError, match="`label` must be a label of the"):
        explain(model, tokenizer, TEXT, label="none such")


def test_value(tokenizer):
    fields = {"problem_type": "regression", "num_labels": 1}
    fields["max_position_embeddings"] = 99
    model, prediction, _ = run(
        "ForSequenceClassification", tokenizer, fields=fields
    )
    (expected,) = tasks.classify(model, tokenizer, TEXT)
    assert prediction.unit == "value"
    assert prediction.probability is None
    assert prediction.score == pytest.approx(expected["score"], rel=1e-4)


def test_word(tokenizer):
    fields = {"max_position_embeddings": 99, "num_labels": None}
    fields["id2label"] = {0: "O", 1: "B-PER", 2: "B-LOC"}
    model, prediction, found = run(
        "ForTokenClassification", tokenizer, fields=fields, word="Oslo"
    )
    begin = TEXT.index("Oslo")
    place = int(np.argmax(found.window.offsets[:, 1] > begin))
    logits = model(found.window.ids).logits.numpy()[0, place]
    odds = np.exp(logits) / np.exp(logits).sum()
    assert prediction.name == ("O", "B-PER", "B-LOC")[odds.argmax()]
    assert prediction.probability == pytest.approx(odds.max(), rel=1e-4)
    start, end = prediction.span
    assert (start, end) == (TEXT.index("Oslo"), TEXT.index("Oslo") + 4)
    # The most certain entity, without a word.
    chosen = explain(model, tokenizer, TEXT, occlusion=False).prediction
    assert chosen.name != "O" or chosen.candidates[0][0] == "O"
    with pytest.raises(ValueError, match="`word` must be in the text"):
        explain(model, tokenizer, TEXT, word="nowhere")


def test_mask(tokenizer):
    text = TEXT.replace("fox", "<mask>", 1)
    fields = {"max_position_embeddings": 99}
    model, prediction, _ = run(
        "ForMaskedLM", tokenizer, text=text, fields=fields
    )
    expected = tasks.fill_mask(model, tokenizer, text)
    assert prediction.name == expected[0]["token_str"].strip()
    assert prediction.probability == pytest.approx(
        expected[0]["score"], rel=1e-3
    )
    assert text[slice(*prediction.span)].strip() == "<mask>"
    with pytest.raises(ValueError, match="must have a mask"):
        explain(model, tokenizer, TEXT)


@pytest.mark.parametrize("size", [99, 30])
def test_answer(tokenizer, size):
    """Also in one of several windows."""
    fields = {"max_position_embeddings": size}
    model, prediction, found = run(
        "ForQuestionAnswering",
        tokenizer,
        fields=fields,
        question="the dog",
    )
    expected = tasks.answer(model, tokenizer, "the dog", TEXT)
    assert prediction.name == expected["answer"].strip()
    assert prediction.probability == pytest.approx(expected["score"], rel=1e-3)
    assert TEXT[slice(*prediction.span)] == expected["answer"].strip()
    before = int(found.window.inside.argmax())
    assert found.is_global.sum() < before
    assert found.is_global[:2].all()
    with pytest.raises(ValueError, match="needs a question"):
        explain(model, tokenizer, TEXT)


def test_choice(tokenizer):
    fields = {"max_position_embeddings": 99}
    choices = ["a dog", "the small fox"]
    model, prediction, _ = run(
        "ForMultipleChoice", tokenizer, fields=fields, choices=choices
    )
    expected = tasks.choose(model, tokenizer, TEXT, choices)
    assert prediction.name == expected["answer"]
    assert dict(prediction.candidates)[expected["answer"]] == pytest.approx(
        expected["score"], rel=1e-4
    )
    with pytest.raises(ValueError, match="needs two choices"):
        explain(model, tokenizer, TEXT)


def test_likeness(tokenizer):
    fields = {"max_position_embeddings": 99}
    model, prediction, found = run(
        "Model", tokenizer, fields=fields, question="a dog"
    )
    one, other = tasks.embed(model, tokenizer, [TEXT, "a dog"])
    assert prediction.unit == "cosine"
    assert prediction.score == pytest.approx(float(one @ other), abs=1e-4)
    assert not found.is_global.any()
    # As the folder of sentence-transformers says that it was loaded from.
    kernel = np.random.default_rng(0).normal(size=(model.config.hidden_size, 7))
    given = (Projection(kernel, np.ones(7), "tanh"),)
    model.vector_settings = VectorSettings(("cls",), True, projections=given)
    prediction = explain(model, tokenizer, TEXT, question="a dog").prediction
    one, other = tasks.embed(
        model, tokenizer, [TEXT, "a dog"], "cls", projections=given
    )
    assert prediction.score == pytest.approx(float(one @ other), abs=1e-4)
    # Without a question there is nothing to rest on.
    alone = explain(model, tokenizer, TEXT, global_tokens="cls")
    assert alone.prediction is None
    assert alone.is_global.sum() == 1
    assert "As it was asked for" in alone.why_global


@pytest.mark.parametrize(
    "head",
    ["ForQuestionAnswering", "ForMultipleChoice"],
)
def test_occlusion_everywhere(tokenizer, head):
    """Each sentence is left out, but for what the number is read at."""
    model = make(head, tokenizer, max_position_embeddings=99)
    options = {"choices": ["a", "b"]}
    if head == "ForQuestionAnswering":
        options = {"question": "dog"}
    prediction = explain(model, tokenizer, TEXT, **options).prediction
    effects = [effect.occlusion for effect in prediction.effects]
    assert len(effects) == 2
    assert np.isfinite(effects).all()
    assert np.abs(effects).max() > 1e-5
