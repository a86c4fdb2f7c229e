"""Files of examples to train and to measure with, checked line by line.

An example of each task is a line of JSON, or a row of a CSV file:

| task | columns |
|---|---|
| `text-classification` | `text`, maybe `text_pair`; `label`: a name, a list of names, or a float |
| `token-classification` | `tokens` (words) and `labels` (a name each); or `text` and `entities`, spans of characters (see `read_entities`) |
| `question-answering` | `question`, `context`, `answers` as SQuAD has them; maybe `id` |
| `multiple-choice` | `prompt`, `choices`, `label` (the right one's number) |
| `masked-lm` | `text` |

What is a list or a dict in JSON is JSON text in a cell of a CSV file.
"""  # noqa: E501

from __future__ import annotations

import json
import math
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NamedTuple

from tf_longformer.data.entities import read_entities
from tf_longformer.data.questions import answer_characters
from tf_longformer.data.records import bad_line
from tf_longformer.data.records import read_records
from tf_longformer.entity_schemes import label_list
from tf_longformer.errors import BadExamples
from tf_longformer.errors import shown

# Columns of lists or dicts, which are JSON in a CSV file.
_STRUCTURED = {"label", "tokens", "labels", "entities", "answers", "choices"}

SINGLE_LABEL = "single_label_classification"
MULTI_LABEL = "multi_label_classification"
REGRESSION = "regression"
PROBLEM_TYPES = (SINGLE_LABEL, MULTI_LABEL, REGRESSION)


class Example(NamedTuple):
    """An example.

    Args:
        path: the file.
        line: int, the number of its first line in the file.
        fields: dict of what the line holds, by the names of the task's
            columns.
    """

    path: Path
    line: int
    fields: dict[str, Any]

    def fault(self, message: str) -> ValueError:
        """Returns an error that names the file and the line."""
        return bad_line(self.path, self.line, message)


class ExampleFormat(NamedTuple):
    """What the examples of a task hold.

    Args:
        required: names of columns that each line must have.
        optional: names of columns that it may have.
        read: function from the columns' values to an example's fields, which
            raises a `ValueError`.
    """

    required: tuple[str, ...]
    optional: tuple[str, ...]
    read: Callable[[dict[str, Any]], dict[str, Any]]


def read_examples(
    path: str | Path,
    task: str,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
) -> list[Example]:
    """Reads the examples of a task from a file, and checks each.

    Args:
        path: a file of JSON lines, or one that ends in `.csv`.
        task: str, such as `"text-classification"`.
        columns: dict from names of the task to names in the file, where they
            differ. Several joined by `+` are joined texts, with a space
            between; or, for `choices`, a choice each.
        limit: int, most examples that are read. Defaults to all.

    Returns:
        List of `Example`.

    Raises:
        BadExamples: for lines that are no examples, with file and line.
        OSError: if the file can't be read.
        ValueError: for an unknown task or column, or an empty file.
    """
    path = Path(path)
    read = example_reader(path, task, columns)
    examples: list[Example] = []
    faults: list[ValueError] = []
    for record in read_records(path, refused=faults.append):
        try:
            examples.append(Example(path, record.line, read(record.value)))
        except (TypeError, ValueError) as error:
            faults.append(bad_line(path, record.line, str(error)))
        if len(examples) == limit:
            break
    if faults:
        raise BadExamples(faults)
    if not examples:
        raise ValueError(
            f"A file must hold at least one example. Received: {path}, which "
            "is empty. Check the path."
        )
    return examples


def example_reader(
    path: Path, task: str, columns: Mapping[str, str] | None = None
) -> Callable[[Any], dict[str, Any]]:
    """Returns the function from a record of a file to an example's fields.

    It raises a `ValueError` for a record that is no example.

    Args:
        path: the file, whose cells are text if its name ends in `.csv`.
        task: str, as of `read_examples`.
        columns: dict, as of `read_examples`.

    Raises:
        ValueError: for an unknown task or column.
    """
    form = example_format(task)
    names = {name: name for name in (*form.required, *form.optional)}
    unknown = sorted(set(columns or ()) - set(names))
    if unknown:
        raise ValueError(
            f"The columns of {task} are {', '.join(names)}. Received: "
            f"{', '.join(unknown)}. Name one of them before the `=`."
        )
    names.update(columns or {})
    from_text = path.suffix.lower() == ".csv"
    return lambda record: form.read(_pick(record, names, form, from_text))


def read_columns(texts: Sequence[str]) -> dict[str, str]:
    """Returns the columns that options `NAME=COLUMN` name.

    Raises:
        ValueError: for an option of another form.
    """
    columns = {}
    for text in texts:
        name, equals, column = text.partition("=")
        if not (name and equals and column):
            raise ValueError(
                f"A column must be NAME=COLUMN. Received: {text!r}. Write "
                "text=body, for example."
            )
        columns[name] = column
    return columns


def example_format(task: str) -> ExampleFormat:
    """Returns the record of a task.

    Raises:
        ValueError: for a name that is none.
    """
    if task not in FORMATS:
        raise ValueError(
            f"A task must be one of {', '.join(FORMATS)}. Received: "
            f"{shown(task)}."
        )
    return FORMATS[task]


def _pick(
    record: Any,
    names: Mapping[str, str],
    form: ExampleFormat,
    from_text: bool,
) -> dict[str, Any]:
    """Returns the columns of a record by the task's names."""
    if not isinstance(record, dict):
        raise ValueError(
            "A line must be a JSON object. Received: "
            f"{json.dumps(record)[:60]}. Write the columns by name."
        )
    given = {}
    for name, column in names.items():
        parts = [column] if column in record else column.split("+")
        missing = [part for part in parts if part not in record]
        if missing:
            if name in form.required or column != name:
                raise ValueError(
                    f"The column {shown(missing[0])} must be there. Received: "
                    f"{', '.join(map(repr, list(record)[:8]))}. Rename it, or "
                    f"say which one it is: --column {name}=..."
                )
            continue
        values = [record[part] for part in parts]
        if len(values) == 1:
            given[name] = values[0]
            if from_text and name in _STRUCTURED:
                given[name] = _from_cell(values[0])
        elif name == "choices":
            given[name] = values
        else:
            pairs = zip(parts, values, strict=True)
            texts = [_text(part, value) for part, value in pairs]
            given[name] = " ".join(text for text in texts if text)
    return given


def _from_cell(cell: str) -> Any:
    """Returns what a cell of a CSV file holds: JSON, if it looks like that."""
    if cell[:1] in ("[", "{"):
        try:
            return json.loads(cell)
        except ValueError:
            return cell
    return cell


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(
            f"{shown(name)} must be a text. Received: {_short(value)}. Quote "
            "it."
        )
    return value


def _filled_text(name: str, value: Any) -> str:
    if not _text(name, value).strip():
        raise ValueError(
            f"{shown(name)} must not be empty. Received: {shown(value)}. Leave "
            "the line out."
        )
    return value


def _short(value: Any) -> str:
    return f"{json.dumps(value, default=str)[:60]} ({type(value).__name__})"


def _integer(name: str, value: Any, count: int) -> int:
    """Returns a number from 0 up to `count`, also one written as text."""
    if isinstance(value, str) and value.strip().isdecimal():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(
            f"{shown(name)} must be an integer. Received: {_short(value)}. "
            "Count from 0."
        )
    if not 0 <= value < count:
        raise ValueError(
            f"{shown(name)} must lie in [0, {count}). Received: {value}. Count "
            "from 0."
        )
    return value


def _read_text_classification(given: dict[str, Any]) -> dict[str, Any]:
    fields = {"text": _filled_text("text", given["text"])}
    if "text_pair" in given:
        fields["text_pair"] = _text("text_pair", given["text_pair"])
    label = given["label"]
    for one in label if isinstance(label, list) else [label]:
        if (
            not isinstance(one, str | int | float)
            or one == ""
            or (isinstance(one, float) and not math.isfinite(one))
        ):
            raise ValueError(
                "'label' must be a name, a list of names, or a number. "
                f"Received: {_short(label)}. Correct it, or leave the line out."
            )
    fields["label"] = label
    return fields


def _read_token_classification(given: dict[str, Any]) -> dict[str, Any]:
    if "tokens" in given and "labels" in given:
        return _read_words(given["tokens"], given["labels"])
    if "text" in given and "entities" in given:
        text = _filled_text("text", given["text"])
        entities = read_entities(text, given["entities"], "the line")
        return {"text": text, "entities": entities}
    raise ValueError(
        "A line must have 'tokens' and 'labels', or 'text' and 'entities'. "
        f"Received: {', '.join(map(repr, given)) or 'none of them'}. Rename "
        "them, or say which they are: --column tokens=..."
    )


def _read_words(words: Any, labels: Any) -> dict[str, Any]:
    for name, values in (("tokens", words), ("labels", labels)):
        kinds = (str,) if name == "tokens" else (str, int)
        if not isinstance(values, list) or not all(
            isinstance(value, kinds) for value in values
        ):
            raise ValueError(
                f"{shown(name)} must be a list of texts. Received: "
                f"{_short(values)}. Split the text into words."
            )
    if len(words) != len(labels) or not words:
        raise ValueError(
            "There must be a label for each word. Received: "
            f"{len(words)} words and {len(labels)} labels. Split both the "
            "same way."
        )
    empty = next((n for n, w in enumerate(words) if not w.strip()), None)
    if empty is not None:
        raise ValueError(
            f"A word must not be empty. Received: {shown(words[empty])}, word "
            f"{empty}. Leave it and its label out."
        )
    return {"tokens": words, "labels": [str(label) for label in labels]}


def _read_question_answering(given: dict[str, Any]) -> dict[str, Any]:
    context = _filled_text("context", given["context"])
    fields = {
        "question": _filled_text("question", given["question"]),
        "context": context,
        "answers": _read_answers(given.get("answers"), context),
    }
    if given.get("id") is not None:
        fields["id"] = str(given["id"])
    return fields


def _read_answers(answers: Any, context: str) -> list[dict[str, Any]]:
    """Returns SQuAD's answers as a list of dicts, whose characters fit."""
    if isinstance(answers, dict) and {"text", "answer_start"} <= set(answers):
        texts, starts = answers["text"], answers["answer_start"]
        if isinstance(texts, str):
            texts, starts = [texts], [starts]
        if isinstance(texts, list) and isinstance(starts, list):
            if len(texts) == len(starts):
                answers = [
                    {"text": text, "answer_start": start}
                    for text, start in zip(texts, starts, strict=True)
                ]
    if answers is None or answers == "":
        return []
    if not isinstance(answers, list):
        raise ValueError(
            "'answers' must be as SQuAD has them, with `text` and "
            f"`answer_start`. Received: {_short(answers)}. Write [] where "
            "there is no answer."
        )
    for answer in answers:
        if (
            not isinstance(answer, dict)
            or not isinstance(answer.get("text"), str)
            or type(answer.get("answer_start")) is not int
        ):
            raise ValueError(
                "An answer must have a `text`, and `answer_start` as an "
                f"integer. Received: {_short(answer)}. Count characters from 0."
            )
        answer_characters([answer], context)
    return answers


def _read_multiple_choice(given: dict[str, Any]) -> dict[str, Any]:
    choices = given["choices"]
    if not isinstance(choices, list) or len(choices) < 2:
        raise ValueError(
            "'choices' must be a list of two texts or more. Received: "
            f"{_short(choices)}. For a column each: --column choices=a+b+c"
        )
    return {
        "prompt": _text("prompt", given["prompt"]),
        "choices": [_text("choices", choice) for choice in choices],
        "label": _integer("label", given["label"], len(choices)),
    }


def _read_masked_lm(given: dict[str, Any]) -> dict[str, Any]:
    return {"text": _filled_text("text", given["text"])}


FORMATS = {
    "text-classification": ExampleFormat(
        ("text", "label"), ("text_pair",), _read_text_classification
    ),
    "token-classification": ExampleFormat(
        (),
        ("tokens", "labels", "text", "entities"),
        _read_token_classification,
    ),
    "question-answering": ExampleFormat(
        ("question", "context"), ("answers", "id"), _read_question_answering
    ),
    "multiple-choice": ExampleFormat(
        ("prompt", "choices", "label"), (), _read_multiple_choice
    ),
    "masked-lm": ExampleFormat(("text",), (), _read_masked_lm),
}


def find_problem_type(
    examples: Sequence[Example], problem_type: str | None = None
) -> str:
    """Returns the kind of classification that labels are for.

    Lists of names are labels of which several may hold; numbers with a
    fraction somewhere are a regression; all else is one label each.

    Args:
        examples: of text classification.
        problem_type: a name of `PROBLEM_TYPES`. Defaults to what the labels
            look like.

    Raises:
        BadExamples: for labels that aren't of that kind, with file and line.
        ValueError: for another kind.
    """
    if problem_type is not None and problem_type not in PROBLEM_TYPES:
        raise ValueError(
            f"A problem type must be one of {', '.join(PROBLEM_TYPES)}. "
            f"Received: {shown(problem_type)}."
        )
    if problem_type is None:
        labels = [example.fields["label"] for example in examples]
        lists = sum(isinstance(label, list) for label in labels)
        if 2 * lists > len(labels):
            problem_type = MULTI_LABEL
        elif all(map(_is_number, labels)) and any(map(_is_fraction, labels)):
            problem_type = REGRESSION
        else:
            problem_type = SINGLE_LABEL
    accepts, rule = {
        SINGLE_LABEL: (
            lambda label: not isinstance(label, list | float),
            "a name",
        ),
        MULTI_LABEL: (lambda label: isinstance(label, list), "a list of names"),
        REGRESSION: (_is_number, "a number"),
    }[problem_type]
    faults = [
        example.fault(
            f"'label' must be {rule}, as of {problem_type}. Received: "
            f"{_short(example.fields['label'])}. Write all labels alike, or "
            "name another problem type.",
        )
        for example in examples
        if not accepts(example.fields["label"])
    ]
    if faults:
        raise BadExamples(faults)
    return problem_type


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | list):
        return False
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _is_fraction(value: Any) -> bool:
    """Whether a number is a float, also one written as text."""
    return isinstance(value, float) or (
        isinstance(value, str) and not value.strip().lstrip("+-").isdecimal()
    )


def labels_of(example: Example) -> list[str]:
    """Returns the names of the classes that an example has, as text.

    Entities given by characters have the labels of BIO, which BIOES and BILOU
    have too.
    """
    fields = example.fields
    if "entities" in fields:
        return label_list([span.kind for span in fields["entities"]])
    label = fields.get("labels", fields.get("label", []))
    return [str(one) for one in (label if isinstance(label, list) else [label])]


def order_labels(names: Sequence[str]) -> list[str]:
    """Returns names once each, in an order that doesn't depend on the lines.

    Numbers stand in their order, `O` before all entities.
    """
    unique = sorted(set(names), key=lambda name: (name != "O", name))
    if all(name.isdecimal() for name in unique):
        unique.sort(key=int)
    return unique


def check_labels(examples: Sequence[Example], names: Sequence[str]) -> None:
    """Checks that a model with these labels can be measured by examples.

    Raises:
        BadExamples: for a label that isn't among them, with file and line.
    """
    known = set(names)
    faults = []
    for example in examples:
        unknown = [name for name in labels_of(example) if name not in known]
        if unknown:
            message = (
                "A label must be one that the model was trained with: "
                f"{', '.join(names)[:120]}. Received: {unknown[0][:60]!r}. Add "
                "examples of it to the file of training, or leave it out."
            )
            faults.append(example.fault(message))
    if faults:
        raise BadExamples(faults)
