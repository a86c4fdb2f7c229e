"""`tf-longformer predict`: what people read, of checkpoints and of exports."""

import json

import numpy as np
import pytest
from helpers.tiny import make_model

from tf_longformer import LongformerTokenizerFast
from tf_longformer import export_saved_model
from tf_longformer.batch.readable_results import read_outputs
from tf_longformer.data.entities import hide_entities
from tf_longformer.entity_schemes import label_list
from tf_longformer.tasks import choose
from tf_longformer.tasks import tag

RECORDS = {
    "ForSequenceClassification": {"text": "na\u00efve dog"},
    "ForTokenClassification": {"text": "\ta  dog \U0001f600 of\u00a0Oslo\r\n"},
    "ForQuestionAnswering": {"question": "who?", "context": "a dog of Oslo"},
    "ForMultipleChoice": {"prompt": "why?", "choices": ["a dog", "Oslo"]},
    "ForMaskedLM": {"text": "a <mask> of <mask>"},
}
SPANS = {"token-classification": {"aggregation_strategy": "simple"}}


@pytest.fixture(scope="module")
def tokenizer():
    return LongformerTokenizerFast.train_from_iterator(
        ["a dog of Oslo"] * 9, vocab_size=280, show_progress=False
    )


def make(head, tokenizer):
    fields = {"vocab_size": len(tokenizer), "max_position_embeddings": 102}
    if head == "ForTokenClassification":
        names = label_list(["LOC", "PER"], "BIOES")
        fields |= {"num_labels": None, "id2label": dict(enumerate(names))}
        fields |= {"task_specific_params": SPANS}
    return make_model(head, **fields)


def predict(run, model, record, folder, *options):
    source, target = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text(json.dumps(record) + "\n", "utf-8")
    code, _, err = run(model, source, target, "--overwrite", *options)
    assert (code, err) == (0, "")
    return json.loads(target.read_text("utf-8"))


def test_entities_and_choices_of_a_checkpoint(tokenizer, tmp_path, run):
    for head, result in (
        ("ForTokenClassification", "entities"),
        ("ForMultipleChoice", "choice"),
    ):
        model, record = make(head, tokenizer), RECORDS[head]
        model.save_pretrained(tmp_path / head)
        tokenizer.save_pretrained(tmp_path / head)
        found = predict(run, tmp_path / head, record, tmp_path)
        task = tag if result == "entities" else choose
        expected = task(model, tokenizer, *record.values())
        for one, other in zip(
            *(
                x if result == "entities" else [x]
                for x in (expected, found[result])
            ),
            strict=True,
        ):
            assert other == {
                name: pytest.approx(value, 1e-4)
                if name.startswith("score")
                else value
                for name, value in one.items()
            }
        if head == "ForMultipleChoice":
            options = (tmp_path / head, tmp_path / "in.jsonl", tmp_path / "x")
            assert "token classification" in run(*options, "--redact")[2]
            assert "Add --redact" in run(*options, "--types", "LOC")[2]
            continue
        assert found["entities"]
        text = record["text"]
        kinds = sorted({one["entity_group"] for one in expected})
        hidden = predict(
            run, tmp_path / head, record, tmp_path, "--redact",
            "--types", kinds[0], "--replacement", "#",
        )  # fmt: skip
        assert (
            hidden["text"]
            == hide_entities(text, expected, kinds[0], replacement="#")["text"]
        )
        assert len(hidden["text"]) == len(text)
        options = (tmp_path / head, tmp_path / "in.jsonl", tmp_path / "x")
        bad = run(*options, "--redact", "--types", "LOC,NAME")
        assert bad[0] == 2
        assert "finds: LOC, PER. Received: NAME" in bad[2]
        assert not (tmp_path / "x").exists()
        bad = run(*options, "--redact", "--replacement", "{0}")
        assert "a character, or a text" in bad[2]
        # Tokens one by one, as the vocabulary spells them.
        one_by_one = predict(
            run, tmp_path / head, record, tmp_path, "--aggregation", "none"
        )
        assert "index" in one_by_one["entities"][0]


# Of the others, results that are put together of what is tested elsewhere.
@pytest.mark.slow
@pytest.mark.parametrize(
    "head",
    ["ForTokenClassification", "ForQuestionAnswering", "ForMultipleChoice"],
)
def test_an_export_writes_what_its_checkpoint_does(
    tokenizer, tmp_path, run, head
):
    model, record = make(head, tokenizer), RECORDS[head]
    model.save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    export_saved_model(model, tmp_path / "export/1", tokenizer, top_k=5)
    theirs = predict(run, tmp_path / "model", record, tmp_path)
    ours = predict(run, tmp_path / "export", record, tmp_path)
    assert set(ours) == set(theirs)
    (name,) = ours
    one, other = ours[name], theirs[name]
    if name == "answer":
        # All that the export was made for; the best is the checkpoint's.
        one = one[0]
    compare(one, other)
    if name == "entities":
        assert one
        hidden = predict(run, tmp_path / "export", record, tmp_path, "--redact")
        assert hidden["text"] == hide_entities(record["text"], other)["text"]
        assert "[" in hidden["text"]
    raw = predict(
        run, tmp_path / "export", record, tmp_path, "--signature", "text"
    )
    assert "logits" in raw or "start_logits" in raw or "mask_logits" in raw


def compare(one, other):
    """Equal but for rounding; the export has no `sequence`."""
    if isinstance(one, list):
        for pair in zip(one, other, strict=True):
            compare(*pair)
    elif isinstance(one, dict):
        assert set(other) - set(one) <= {"sequence"}
        for name in set(one) - {"word"}:
            compare(one[name], other[name])
    elif isinstance(one, float):
        assert one == pytest.approx(other, abs=1e-4)
    else:
        assert one == other


def test_places_without_a_result_are_left_out():
    arrays = {
        "entity_labels": [b"PER", b""],
        "entity_scores": [0.5, 0.0],
        "entity_words": [b"Anna", b""],
        "entity_starts": [3, 0],
        "entity_ends": [7, 0],
    }
    arrays = {name: np.array(values) for name, values in arrays.items()}
    assert read_outputs(arrays)["entities"] == [
        {
            "entity_group": "PER",
            "score": 0.5,
            "word": "Anna",
            "start": 3,
            "end": 7,
        }
    ]
    arrays = {
        "answers": np.array([b"", b""]),
        "scores": np.zeros(2),
        "starts": np.zeros(2, int),
        "ends": np.zeros(2, int),
        "no_answer_scores": np.array(0.75),
    }
    assert read_outputs(arrays)["answer"] == [
        {"score": 0.75, "start": 0, "end": 0, "answer": ""}
    ]
    assert read_outputs({"last_hidden_state": np.zeros((2, 3))}) is None
