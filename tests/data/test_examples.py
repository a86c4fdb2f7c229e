"""Files of examples: what is read, and which lines are refused."""

import json

import pytest

from tf_longformer.data.examples import check_labels
from tf_longformer.data.examples import find_problem_type
from tf_longformer.data.examples import labels_of
from tf_longformer.data.examples import order_labels
from tf_longformer.data.examples import read_examples
from tf_longformer.errors import BadExamples


@pytest.fixture
def write(tmp_path):
    def write(*rows, name="examples.jsonl"):
        lines = [
            row if isinstance(row, str) else json.dumps(row) for row in rows
        ]
        (tmp_path / name).write_text("\n".join(lines) + "\n", "utf-8")
        return tmp_path / name

    return write


SQUAD = {
    "question": "who?",
    "context": "the cat sat",
    "answers": {"text": ["cat"], "answer_start": [4]},
}


@pytest.mark.parametrize(
    ("task", "row", "fields"),
    [
        (
            "text-classification",
            {"text": "a", "label": 1, "x": 0},
            {"label": 1},
        ),
        ("text-classification", {"text": "a", "label": []}, {"label": []}),
        (
            "token-classification",
            {"tokens": ["a", "b"], "labels": ["O", 3]},
            {"labels": ["O", "3"]},
        ),
        (
            "token-classification",
            {"text": "a b", "entities": [{"start": 2, "end": 3, "label": "X"}]},
            {"entities": [("X", 2, 3)]},
        ),
        (
            "question-answering",
            SQUAD,
            {"answers": [{"text": "cat", "answer_start": 4}]},
        ),
        (
            "question-answering",
            {**SQUAD, "answers": {"text": [], "answer_start": []}},
            {"answers": []},
        ),
        (
            "multiple-choice",
            {"prompt": "", "choices": ["a", "b"], "label": "1"},
            {"label": 1},
        ),
    ],
)
def test_a_line(write, task, row, fields):
    (example,) = read_examples(write(row), task)
    assert {name: example.fields[name] for name in fields} == fields


@pytest.mark.parametrize(
    ("task", "row", "message"),
    [
        ("text-classification", "{", "must be a JSON value"),
        ("text-classification", "[1]", "must be a JSON object"),
        ("text-classification", {"text": "a"}, "'label' must be there"),
        ("text-classification", {"text": " ", "label": 1}, "not be empty"),
        ("text-classification", {"text": 7, "label": 1}, "must be a text"),
        ("text-classification", {"text": "a", "label": None}, "null"),
        ("text-classification", '{"text": "a", "label": NaN}', "a number"),
        ("text-classification", {"text": "a", "label": [None]}, "a list"),
        ("token-classification", {"tokens": ["a"]}, "'tokens' and 'labels'"),
        (
            "token-classification",
            {"tokens": ["a"], "labels": []},
            "1 words and 0 labels",
        ),
        ("token-classification", {"tokens": "a", "labels": "O"}, "a list"),
        ("token-classification", {"tokens": [""], "labels": ["O"]}, "word 0"),
        (
            "token-classification",
            {"text": "ab", "entities": [{"start": 1, "end": 3, "label": "X"}]},
            "within its text. Received: X at characters 1",
        ),
        (
            "token-classification",
            {
                "text": "abc",
                "entities": [
                    {"start": 1, "end": 3, "label": "X"},
                    {"start": 0, "end": 2, "label": "Y"},
                ],
            },
            "must not overlap",
        ),
        (
            "question-answering",
            {**SQUAD, "answers": {"text": ["cat"], "answer_start": [5]}},
            "'cat' at 5",
        ),
        (
            "question-answering",
            {**SQUAD, "answers": [{"text": "cat"}]},
            "`answer_start` as an integer",
        ),
        ("question-answering", {**SQUAD, "answers": "cat"}, "as SQuAD has"),
        (
            "multiple-choice",
            {"prompt": "", "choices": ["a", "b"], "label": 2},
            "must lie in",
        ),
        (
            "multiple-choice",
            {"prompt": "", "choices": ["a"], "label": 0},
            "two texts or more",
        ),
        ("masked-lm", {"text": ""}, "must not be empty"),
    ],
)
def test_a_bad_line(write, task, row, message):
    with pytest.raises(BadExamples, match=message) as error:
        read_examples(write("", row), task)
    assert str(error.value).startswith(f"{write('', row)}, line 2: ")


def test_all_bad_lines_are_named_up_to_a_dozen(write):
    path = write({"text": "a", "label": 1}, *["{"] * 20)
    with pytest.raises(BadExamples) as error:
        read_examples(path, "text-classification")
    lines = str(error.value).split("\n")
    assert len(lines) == 13
    assert "line 2:" in lines[0]
    assert lines[-1] == "and 8 more."
    # What isn't read isn't refused.
    assert len(read_examples(path, "text-classification", limit=1)) == 1


def test_columns_of_csv(write):
    path = write(
        "story,question,a,b,right",
        '"Once, upon",Why?,x,y,1',
        '"[1]",,x,y',
        name="examples.csv",
    )
    columns = {
        "prompt": "story+question",
        "choices": "a+b",
        "label": "right",
    }
    with pytest.raises(BadExamples, match="line 3: A row must have the 5"):
        read_examples(path, "multiple-choice", columns)
    (example,) = read_examples(path, "multiple-choice", columns, limit=1)
    assert example.fields == {
        "prompt": "Once, upon Why?",
        "choices": ["x", "y"],
        "label": 1,
    }
    with pytest.raises(ValueError, match="'choices' must be there|--column"):
        read_examples(path, "multiple-choice")
    with pytest.raises(ValueError, match="columns of multiple-choice"):
        read_examples(path, "multiple-choice", {"texts": "a"})
    # What looks like JSON stays a text where a text is wanted.
    path = write("text,label", '[1],"[""p"", ""q""]"', name="several.csv")
    (example,) = read_examples(path, "text-classification")
    assert example.fields == {"text": "[1]", "label": ["p", "q"]}


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (["a", "b"], "single_label_classification"),
        ([0, 1, True], "single_label_classification"),
        (["1", "2"], "single_label_classification"),
        ([["a"], []], "multi_label_classification"),
        ([1, 0.5], "regression"),
        (["1", "-2.5e1"], "regression"),
    ],
)
def test_kinds_of_labels(write, labels, kind):
    path = write(*({"text": "a", "label": label} for label in labels))
    examples = read_examples(path, "text-classification")
    assert find_problem_type(examples) == kind


def test_labels(write):
    labels = ["10", 9, "10"]
    path = write(*({"text": "a", "label": label} for label in labels))
    examples = read_examples(path, "text-classification")
    names = order_labels([n for one in examples for n in labels_of(one)])
    assert names == ["9", "10"]
    check_labels(examples, names)
    with pytest.raises(BadExamples, match=r"line 2: A label.*Received: '9'"):
        check_labels(examples, ["10"])
    with pytest.raises(BadExamples, match=r"line 1: 'label' must be a list"):
        find_problem_type(examples, "multi_label_classification")
    assert order_labels(["I-X", "O", "B-X"]) == ["O", "B-X", "I-X"]
    span = {"start": 0, "end": 1, "label": "X"}
    path = write({"text": "ab", "entities": [span]})
    (example,) = read_examples(path, "token-classification")
    assert labels_of(example) == ["O", "B-X", "I-X"]
