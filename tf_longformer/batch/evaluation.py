"""Measures a model by a file of examples, with what predicts for files.

Each example becomes a line with what the model says and what is right, in a
file that can be read, and resumed; the metrics are those of all its lines.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import NamedTuple

from tf_longformer import metrics
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.prediction import predict_file
from tf_longformer.batch.rows import BYTES_OF_TOKEN
from tf_longformer.batch.rows import Row
from tf_longformer.batch.saved_model_predictor import SavedModelPredictor
from tf_longformer.configuration.labels import label_names
from tf_longformer.data.entities import read_entities
from tf_longformer.data.examples import MULTI_LABEL
from tf_longformer.data.examples import REGRESSION
from tf_longformer.data.examples import example_reader
from tf_longformer.data.windows import trim_span
from tf_longformer.entity_schemes import entity_spans
from tf_longformer.entity_schemes import read_labels
from tf_longformer.tasks import tag_words
from tf_longformer.tasks.answering import find_answers
from tf_longformer.tasks.masked_losses import masked_losses

# Stands for an infinite difference, which JSON doesn't have.
_MOST = 1e6


class Settings(NamedTuple):
    """How predictions are made and scored.

    Args:
        columns: dict from names of the task's columns to those of the file.
        max_answer_length: int, most tokens of an answer. Defaults to `30`.
        null_threshold: float, of the logarithm of the probability of no
            answer over that of the best one: above it there is none. Defaults
            to `0` where some questions have no answer, and else to none.
        strict: bool, as of `entity_metrics`. Defaults to `False`.
        scheme: str, as of `entity_metrics`. Defaults to what labels show.
        aggregation: str, as `aggregation_strategy` of `tag`. Defaults to the
            config's.
        stride: int, tokens that windows share. Defaults to the task's.
        max_length: int, tokens of a window. Defaults to the model's limit.
        probability: float, share of tokens that are hidden. Defaults to
            `0.15`.
        seed: int, of which tokens are hidden. Defaults to `0`.
    """

    columns: Mapping[str, str] = {}
    max_answer_length: int = 30
    null_threshold: float | None = None
    strict: bool = False
    scheme: str | None = None
    aggregation: str | None = None
    stride: int | None = None
    max_length: int | None = None
    probability: float = 0.15
    seed: int = 0


Fields = dict[str, Any]
Line = dict[str, Any]
AnyPredictor = CheckpointPredictor | SavedModelPredictor


def evaluate_file(
    predictor: AnyPredictor,
    source: str | Path,
    settings: Settings | None = None,
    predictions: str | Path | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Measures a model by a file of examples.

    Documents past the model's limit are cut into windows as the functions of
    `tf_longformer.tasks` do it.

    Args:
        predictor: `CheckpointPredictor`, or a `SavedModelPredictor` for
            texts.
        source: the file, as of `tf_longformer.data.examples`.
        settings: `Settings`.
        predictions: a file to write, with a line for each example. Defaults
            to one that isn't kept.
        **options: further arguments of `predict_file`.

    Returns:
        Dict with `task`, `examples` (their number), and the metrics of the
        task's function in `tf_longformer.metrics`.

    Raises:
        ValueError: for a model without a task, settings that it doesn't have,
            or a line that is no example, with its number.
        OSError: as of `predict_file`.
    """
    evaluator = Evaluator(predictor, Path(source), settings or Settings())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "predictions" if predictions is None else None
        target = path or Path(predictions or "")
        count = predict_file(evaluator, source, target, **options)
        if not count:
            raise ValueError(
                "A file must hold at least one example. Received: "
                f"{source}, which is empty. Check the path."
            )
        found = evaluator.score(target)
    return {"task": evaluator.task, "examples": count, **found}


class _Example(NamedTuple):
    """An example, whose kind runs it, with the row that goes to a model."""

    kind: _Kind
    row: Row
    fields: Fields


class Evaluator:
    """A `Predictor` for examples: results have `expected`, what is right.

    Args:
        predictor: as of `evaluate_file`.
        source: the file.
        settings: `Settings`.

    Attributes:
        task: str, such as `"text-classification"`.
    """

    def __init__(
        self, predictor: AnyPredictor, source: Path, settings: Settings
    ) -> None:
        is_checkpoint = isinstance(predictor, CheckpointPredictor)
        kinds = [
            kind
            for kind in _KINDS
            if kind.result == predictor.result
            and (is_checkpoint or not kind.needs_model)
        ]
        if not kinds:
            raise ValueError(
                "A model to measure must have learned one of "
                f"{', '.join(dict.fromkeys(kind.task for kind in _KINDS))}, "
                "and an exported one must take text, and not fill masks in. "
                "Received: another. Give a checkpoint with a head."
            )
        windows = {"stride", "max_length", "aggregation"}
        given = [x for x in windows if getattr(settings, x) is not None]
        if given and not is_checkpoint:
            raise ValueError(
                "An exported model has windows and words of its own. Received: "
                f"{', '.join(sorted(given))}. Leave them out, or give a "
                "checkpoint."
            )
        self.task = kinds[0].task
        self._predictor = predictor
        self._settings = settings
        self._kinds = [kind(predictor, settings) for kind in kinds]
        self._read = example_reader(source, self.task, settings.columns)

    def settings(self) -> dict[str, Any]:
        """See `Predictor`."""
        columns = dict(self._settings.columns)
        how = {**self._settings._asdict(), "columns": columns}
        return {**self._predictor.settings(), "evaluation": how}

    def prepare(self, value: Any) -> Row:
        """See `Predictor`."""
        fields = self._read(value)
        kind = next(kind for kind in self._kinds if kind.takes(fields))
        fields = kind.complete(fields)
        row = kind.row(fields)
        example = _Example(kind, row, fields)
        # Words and texts never share a batch.
        return row._replace(
            inputs=example, group=(type(kind).__name__, row.group)
        )

    def run(self, rows: Sequence[Row]) -> list[Line]:
        """See `Predictor`."""
        examples: list[_Example] = [row.inputs for row in rows]
        kind = examples[0].kind
        results = kind.run(examples)
        return [
            kind.line(result, example.fields)
            for result, example in zip(results, examples, strict=True)
        ]

    def score(self, path: Path) -> dict[str, float]:
        """Returns the metrics of a file of results, which isn't empty."""
        first = next(_lines(path))
        kind = next(kind for kind in self._kinds if kind.wrote(first))
        if not all(map(kind.wrote, _lines(path))):
            raise ValueError(
                "Examples of a file must be all words or all texts. Received: "
                "both. Measure them apart."
            )
        return kind.score(_lines(path))


class _Kind:
    """A kind of examples: how they are run, and scored."""

    task, result = "", ""
    # Whether only a checkpoint can run them.
    needs_model = False
    # Arguments that the task's function has, and their names in `Settings`.
    arguments: Mapping[str, str] = {}

    def __init__(self, predictor: AnyPredictor, settings: Settings) -> None:
        self.predictor, self.settings = predictor, settings
        self.options = {
            name: getattr(settings, setting)
            for name, setting in self.arguments.items()
            if getattr(settings, setting) is not None
        }
        if isinstance(predictor, CheckpointPredictor):
            self.model, self.tokenizer = predictor.model, predictor.tokenizer
            if not self.needs_model:
                predictor.options = self.options
        else:
            self.model = self.tokenizer = None

    def takes(self, fields: Fields) -> bool:
        """Returns whether an example is of this kind."""
        return True

    def wrote(self, line: Line) -> bool:
        """Returns whether a line of results is of this kind."""
        return True

    def complete(self, fields: Fields) -> Fields:
        """Returns the fields as they are needed."""
        return fields

    def row(self, fields: Fields) -> Row:
        """Returns what `run` runs."""
        if not self.needs_model:
            return self.predictor.prepare(fields)
        if self.tokenizer is None:
            raise ValueError(
                "A checkpoint must have a tokenizer to take texts. Received: "
                "one without. Save the tokenizer there."
            )
        texts = [x for x in fields.values() if isinstance(x, str)]
        texts += fields.get("tokens", [])
        size = sum(len(text.encode("utf-8", "replace")) for text in texts)
        return Row(None, size // BYTES_OF_TOKEN + 1)

    def run(self, examples: Sequence[_Example]) -> list[Line]:
        """Returns what the model says of examples."""
        return self.predictor.run([example.row for example in examples])

    def line(self, result: Line, fields: Fields) -> Line:
        """Returns the line of an example."""
        return {**result, "expected": fields["label"]}

    def score(self, lines: Iterator[Line]) -> dict[str, float]:
        """Returns the metrics of lines."""
        raise NotImplementedError

    def name_label(self, label: Any, known: Sequence[str]) -> str:
        """Returns a label's name, which may stand as a number in the file."""
        name = str(label)
        if name not in known and name.isdecimal():
            names = [] if self.model is None else label_names(self.model.config)
            inside = int(name) < len(names)
            name = names[int(name)] if inside else f"LABEL_{name}"
        if name not in known:
            raise ValueError(
                "A label must be one that the model has: "
                f"{', '.join(sorted(known))[:200]}. Received: "
                f"{str(label)[:60]!r}. Give examples of what it has learned."
            )
        return name


class _Texts(_Kind):
    task, result = "text-classification", "labels"
    arguments = {"stride": "stride", "max_length": "max_length"}

    def row(self, fields: Fields) -> Row:
        if self.model is None and "text_pair" in fields:
            raise ValueError(
                "An exported model takes no pairs of texts. Received: "
                "text_pair. Give a checkpoint."
            )
        return super().row(fields)

    def line(self, result: Line, fields: Fields) -> Line:
        label = fields["label"]
        known = [one["label"] for one in result["labels"]]
        kind = None if self.model is None else self.model.config.problem_type
        several = isinstance(label, list)
        if kind == MULTI_LABEL and not several:
            label, several = [label], True
        if kind == REGRESSION or (len(known) == 1 and not several):
            try:
                expected: Any = float(label)
            except (TypeError, ValueError):
                raise ValueError(
                    "A model of one value is measured by numbers. Received: "
                    f"the label {str(label)[:60]!r}. Give examples of what it "
                    "has learned."
                ) from None
        elif several:
            if kind != MULTI_LABEL and self.model is not None:
                raise ValueError(
                    "The model says one label of a text. Received: a list, "
                    f"{str(label)[:60]}. Give examples of what it has learned."
                )
            expected = [self.name_label(one, known) for one in label]
        else:
            expected = self.name_label(label, known)
        return {**result, "expected": expected}

    def score(self, lines: Iterator[Line]) -> dict[str, float]:
        rows = [(line["labels"], line["expected"]) for line in lines]
        labels, right = rows[0]
        wanted: list[Any] = [expected for _, expected in rows]
        if isinstance(right, float):
            values = [labels[0]["score"] for labels, _ in rows]
            return metrics.text_classification_metrics(
                values, wanted, REGRESSION
            )
        names = sorted(one["label"] for one in labels)
        if isinstance(right, list):
            scores = [{x["label"]: x["score"] for x in row} for row, _ in rows]
            return metrics.text_classification_metrics(
                [[of_row[name] for name in names] for of_row in scores],
                [[name in of_row for name in names] for of_row in wanted],
                MULTI_LABEL,
            )
        return metrics.text_classification_metrics(
            [names.index(labels[0]["label"]) for labels, _ in rows],
            [names.index(name) for name in wanted],
        )


class _Words(_Kind):
    task, result = "token-classification", "entities"
    arguments = {"stride": "stride", "max_length": "max_length"}
    needs_model = True

    def takes(self, fields: Fields) -> bool:
        return "tokens" in fields

    def wrote(self, line: Line) -> bool:
        return "labels" in line

    def run(self, examples: Sequence[_Example]) -> list[Line]:
        words = [example.fields["tokens"] for example in examples]
        options = {**self.options, "batch_size": len(examples)}
        found = tag_words(self.model, self.tokenizer, words, **options)
        return [{"labels": labels} for labels in found]

    def line(self, result: Line, fields: Fields) -> Line:
        known = label_names(self.model.config)
        expected = [self.name_label(x, known) for x in fields["labels"]]
        return {**result, "expected": expected}

    def score(self, lines: Iterator[Line]) -> dict[str, float]:
        rows = [(line["labels"], line["expected"]) for line in lines]
        predicted, expected = zip(*rows, strict=True)
        return metrics.entity_metrics(
            predicted,
            expected,
            strict=self.settings.strict,
            scheme=self.settings.scheme,
        )


class _Spans(_Kind):
    task, result = "token-classification", "entities"
    arguments = {
        "stride": "stride",
        "max_length": "max_length",
        "aggregation_strategy": "aggregation",
    }

    def __init__(self, predictor: AnyPredictor, settings: Settings) -> None:
        if settings.aggregation == "none":
            raise ValueError(
                "Entities are measured, not tokens. Received: the aggregation "
                "none. Name another, such as simple."
            )
        super().__init__(predictor, settings)

    def wrote(self, line: Line) -> bool:
        return "entities" in line

    def complete(self, fields: Fields) -> Fields:
        if "tokens" in fields:
            fields = _join_words(fields)
        spans = read_entities(fields["text"], fields["entities"], "the line")
        return {"text": fields["text"], "entities": spans}

    def line(self, result: Line, fields: Fields) -> Line:
        expected = [
            {"entity_group": span.kind, "start": span.start, "end": span.end}
            for span in fields["entities"]
        ]
        found = []
        for one in result["entities"]:
            # As those of the file are read.
            start, end = trim_span(fields["text"], one["start"], one["end"])
            if start < end:
                found.append({**one, "start": start, "end": end})
        return {"entities": found, "expected": expected}

    def score(self, lines: Iterator[Line]) -> dict[str, float]:
        pairs = [
            [
                [(x["entity_group"], x["start"], x["end"]) for x in line[name]]
                for name in ("entities", "expected")
            ]
            for line in lines
        ]
        return metrics.span_metrics(*zip(*pairs, strict=True))


class _Questions(_Kind):
    """Of an export the best answer; of a checkpoint also that there is none."""

    task, result = "question-answering", "answer"

    def line(self, result: Line, fields: Fields) -> Line:
        answer = result["answer"]
        if isinstance(answer, list):
            result = {**result, "answer": answer[0]}
        key = {"id": fields["id"]} if "id" in fields else {}
        expected = [one["text"] for one in fields["answers"]]
        return {**key, **result, "expected": expected}

    def score(self, lines: Iterator[Line]) -> dict[str, float]:
        texts, right, nulls = {}, {}, {}
        for number, line in enumerate(lines):
            key = str(number)
            texts[key], right[key] = line["answer"]["answer"], line["expected"]
            if "no_answer_score" in line:
                nulls[key] = line["no_answer_score"]
        threshold = self.settings.null_threshold
        if threshold is None and not all(right.values()):
            threshold = 0.0
        if threshold is None or not nulls:
            return metrics.question_answering_metrics(texts, right)
        kept = {
            key: "" if nulls[key] > threshold else text
            for key, text in texts.items()
        }
        best = metrics.question_answering_metrics(texts, right, nulls)
        best = {x: best[x] for x in best if x.startswith("best_")}
        return {**metrics.question_answering_metrics(kept, right), **best}


class _QuestionsOfCheckpoint(_Questions):
    arguments = {"stride": "stride", "max_length": "max_length"}
    needs_model = True

    def run(self, examples: Sequence[_Example]) -> list[Line]:
        found = find_answers(
            self.model,
            self.tokenizer,
            [example.fields["question"] for example in examples],
            [example.fields["context"] for example in examples],
            top_k=1,
            max_answer_len=self.settings.max_answer_length,
            batch_size=len(examples),
            **self.options,
        )
        nothing = {"score": 0.0, "start": 0, "end": 0, "answer": ""}
        lines = []
        for answers, none in found:
            best = max(answers, key=lambda one: one["score"], default=nothing)
            ratio = _log(none) - _log(best["score"])
            lines.append({"answer": best, "no_answer_score": ratio})
        return lines


class _Choices(_Kind):
    task, result = "multiple-choice", "choice"
    arguments = {"max_length": "max_length"}

    def score(self, lines: Iterator[Line]) -> dict[str, float]:
        pairs = [(line["choice"]["choice"], line["expected"]) for line in lines]
        return metrics.multiple_choice_metrics(*zip(*pairs, strict=True))


class _Masked(_Kind):
    task, result = "masked-lm", "tokens"
    arguments = {"max_length": "max_length"}
    needs_model = True

    def run(self, examples: Sequence[_Example]) -> list[Line]:
        return masked_losses(
            self.model,
            self.tokenizer,
            [example.fields["text"] for example in examples],
            self.settings.probability,
            self.settings.seed,
            batch_size=len(examples),
            **self.options,
        )

    def line(self, result: Line, fields: Fields) -> Line:
        return result

    def score(self, lines: Iterator[Line]) -> dict[str, float]:
        sums = {"loss_sum": 0.0, "tokens": 0, "characters": 0}
        for line in lines:
            sums = {name: sums[name] + line[name] for name in sums}
        return metrics.masked_lm_metrics(**sums)


# The first that takes an example has it.
_KINDS: tuple[type[_Kind], ...] = (
    *(_Texts, _Words, _Spans, _QuestionsOfCheckpoint, _Questions),
    *(_Choices, _Masked),
)


def _lines(path: Path) -> Iterator[Line]:
    with open(path, encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def _log(probability: float) -> float:
    return math.log(probability) if probability > 0 else -_MOST


def _join_words(fields: Fields) -> Fields:
    """Returns a document of words as a text with spans of characters."""
    places, length = [], 0
    for word in fields["tokens"]:
        places.append((length, length + len(word)))
        length += len(word) + 1
    read = read_labels(fields["labels"])
    spans = entity_spans([read[name] for name in fields["labels"]])
    found = [
        span._replace(start=places[span.start][0], end=places[span.end - 1][1])
        for span in spans
    ]
    return {"text": " ".join(fields["tokens"]), "entities": found}
