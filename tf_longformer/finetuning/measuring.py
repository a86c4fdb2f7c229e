"""Measures a model by examples, as the scorers of each task do."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Sequence
from functools import partial
from typing import Any
from typing import NamedTuple

import keras
import numpy as np

from tf_longformer import metrics
from tf_longformer.configuration.labels import label_names
from tf_longformer.data.batches import Batches
from tf_longformer.data.entities import entities_of_tokens
from tf_longformer.data.examples import MULTI_LABEL
from tf_longformer.data.examples import SINGLE_LABEL
from tf_longformer.data.examples import Example
from tf_longformer.data.features import Features
from tf_longformer.data.questions import QuestionFeatures
from tf_longformer.data.questions import decode_answers
from tf_longformer.data.word_labels import IGNORED
from tf_longformer.entity_schemes import EntitySpan
from tf_longformer.entity_schemes import entity_spans
from tf_longformer.entity_schemes import read_labels
from tf_longformer.finetuning.datasets import dataset_of

# Rows whose answers are decoded at once.
_AT_ONCE = 64
LOSS = "loss"

Outputs = dict[str, np.ndarray]


class Settings(NamedTuple):
    """How outputs become predictions.

    Args:
        max_answer_length: int, most tokens of an answer. Defaults to `30`.
        null_threshold: float, as of `decode_answers`. Defaults to `0` where
            some questions have no answer, and else to none.
    """

    max_answer_length: int = 30
    null_threshold: float | None = None


DEFAULT = Settings()


def measure(
    model: Any,
    task: str,
    batches: Batches,
    examples: Sequence[Example],
    settings: Settings = DEFAULT,
) -> dict[str, float]:
    """Measures a model.

    Args:
        model: the model of the task.
        task: str, such as `"question-answering"`.
        batches: `Batches` of the examples' rows, not shuffled.
        examples: list of `Example`.
        settings: `Settings`.

    Returns:
        Dict of floats: `loss`, and the metrics of the task's function in
        `tf_longformer.metrics`.
    """
    if task == "masked-lm":
        return _measure_masked_lm(model, batches)
    outputs, loss = _predict(model, batches)
    found = _SCORERS[task](model, batches.features, outputs, examples, settings)
    return {LOSS: loss, **found}


def _predict(model: Any, batches: Batches) -> tuple[list[Outputs], float]:
    """Returns the outputs of each row without its padding, and the loss."""
    found: list[Outputs] = [{} for _ in batches.features.rows]
    of_tokens = model.head_record.token_outputs
    names = of_tokens or (model.main_output,)
    totals: list[np.ndarray] = []
    for number, of_batch in _outputs_of_batches(model, batches, names):
        rows = batches.rows(number)
        inputs = batches.inputs(number)
        labels = {
            name: inputs[name] for name in model.label_names if name in inputs
        }
        tensors = keras.tree.map_structure(
            keras.ops.convert_to_tensor, [labels, of_batch]
        )
        terms = model.loss_terms(*tensors)
        totals.append(np.array([[float(x) for x in pair] for pair in terms]))
        real = inputs["attention_mask"] > 0
        for place, row in enumerate(rows):
            for name, values in of_batch.items():
                kept = real[place] if name in of_tokens else ...
                found[row][name] = values[place][kept]
    sums = np.sum(totals, axis=0)
    return found, float(np.mean(sums[:, 0] / np.maximum(sums[:, 1], 1)))


def _outputs_of_batches(
    model: Any, batches: Batches, names: Sequence[str]
) -> Iterator[tuple[int, Outputs]]:
    """Yields the number of each batch, and the model's outputs of it.

    Batches of a length are predicted together: Keras joins those of several
    lengths number by number, and bfloat16 not at all.
    """
    by_length: dict[int, list[int]] = {}
    for number in range(len(batches)):
        by_length.setdefault(batches.length(number), []).append(number)
    for numbers in by_length.values():
        inputs = partial(map, batches.inputs, numbers)
        outputs = model.predict(dataset_of(inputs, len(numbers)), verbose=0)
        start = 0
        for number in numbers:
            stop = start + len(batches.rows(number))
            yield (
                number,
                {
                    name: np.asarray(outputs[name][start:stop], "float32")
                    for name in names
                },
            )
            start = stop


def _measure_masked_lm(model: Any, batches: Batches) -> dict[str, float]:
    counts, characters = [], 0
    for number in range(len(batches)):
        inputs = batches.inputs(number)
        hidden = inputs["labels"] != IGNORED
        counts.append(int(hidden.sum()))
        for place, row in enumerate(batches.rows(number)):
            chosen = hidden[place][inputs["attention_mask"][place] > 0]
            characters += int(batches.features.places[row][chosen].sum())
    tokens = sum(counts)

    def generate() -> Iterator[Any]:
        # Keras's mean over rows becomes that over tokens. The logits of a
        # vocabulary don't leave the step.
        for number, (x, y) in enumerate(
            itertools.islice(batches.from_step(), len(counts))
        ):
            size = len(y)
            share = counts[number] * len(batches.features) / (tokens * size)
            yield x, y, np.full(size, share, "float32")

    if not tokens:
        raise ValueError(
            "Examples to measure with must have hidden tokens. Received: "
            f"none in {len(batches.features)} rows. Pass more text."
        )
    logs = model.evaluate(
        dataset_of(generate, len(counts)), verbose=0, return_dict=True
    )
    return metrics.masked_lm_metrics(
        float(logs[LOSS]) * tokens, tokens, max(characters, 1)
    )


def _by_example(
    features: Features, count: int, values: Sequence[Any]
) -> list[list[Any]]:
    """Groups a value of each row by the rows' examples."""
    groups: list[list[Any]] = [[] for _ in range(count)]
    for origin, value in zip(features.origins, values, strict=True):
        groups[origin].append(value)
    return groups


def _score_texts(
    model: Any,
    features: Features,
    outputs: list[Outputs],
    examples: Sequence[Example],
    settings: Settings,
) -> dict[str, float]:
    logits = [row["logits"] for row in outputs]
    labels = [row["labels"] for row in features.rows]
    groups = _by_example(features, len(examples), logits)
    means = np.array([np.mean(group, axis=0) for group in groups])
    expected = _by_example(features, len(examples), labels)
    kind = model.config.problem_type or SINGLE_LABEL
    more = {"threshold": 0.0} if kind == MULTI_LABEL else {}
    return metrics.text_classification_metrics(
        means, np.array([group[0] for group in expected]), kind, **more
    )


def _score_words(
    model: Any,
    features: Features,
    outputs: list[Outputs],
    examples: Sequence[Example],
    settings: Settings,
) -> dict[str, float]:
    names = label_names(model.config)
    shares: list[dict[Any, Any]] = [{} for _ in examples]
    for row, places, origin in zip(
        outputs, features.places, features.origins, strict=True
    ):
        logits = row["logits"].astype("float64")
        logits = np.exp(logits - logits.max(-1, keepdims=True))
        logits /= logits.sum(-1, keepdims=True)
        # The same word or token may stand in two windows.
        for place, share in zip(places.tolist(), logits, strict=True):
            key = tuple(place) if isinstance(place, list) else (place,)
            if key[0] >= 0:
                shares[origin][key] = shares[origin].get(key, 0) + share
    predicted = [
        {key: names[int(np.argmax(total))] for key, total in of_one.items()}
        for of_one in shares
    ]
    if not any("entities" in example.fields for example in examples):
        words = [example.fields["labels"] for example in examples]
        # A word that no token stands for is in no entity.
        return metrics.entity_metrics(
            [
                [found.get((word,), "O") for word in range(len(labels))]
                for found, labels in zip(predicted, words, strict=True)
            ],
            words,
        )
    pairs = [
        _spans(example, found)
        for example, found in zip(examples, predicted, strict=True)
    ]
    return metrics.span_metrics(*zip(*pairs, strict=True))


def _spans(
    example: Example, found: dict[Any, str]
) -> tuple[list[EntitySpan], list[EntitySpan]]:
    """Returns the entities that were found in an example, and the right ones.

    Of a text they are spans of characters, of words such of words.
    """
    fields = example.fields
    if "entities" in fields:
        places = sorted(found)
        labels = [found[place] for place in places]
        text = fields["text"]
        ours = entities_of_tokens(text, np.array(places).reshape(-1, 2), labels)
        return ours, fields["entities"]
    right = fields["labels"]
    ours = [found.get((word,), "O") for word in range(len(right))]
    read = read_labels({*ours, *right})
    spans = [entity_spans([read[name] for name in x]) for x in (ours, right)]
    return spans[0], spans[1]


def _score_answers(
    model: Any,
    features: Features,
    outputs: list[Outputs],
    examples: Sequence[Example],
    settings: Settings,
) -> dict[str, float]:
    right = [
        [answer["text"] for answer in example.fields["answers"]]
        for example in examples
    ]
    threshold = settings.null_threshold
    if threshold is None and not all(right):
        threshold = 0.0
    predictions: dict[str, str] = {}
    nulls: dict[str, float] = {}
    rows_of = _by_example(features, len(examples), range(len(features)))
    for begin in range(0, len(examples), _AT_ONCE):
        numbers = range(begin, min(begin + _AT_ONCE, len(examples)))
        rows = list(itertools.chain(*(rows_of[n] for n in numbers)))
        origins = [features.origins[row] - begin for row in rows]
        length = max(len(features.places[row]) for row in rows)

        def pad(values: Sequence[np.ndarray], fill: float) -> np.ndarray:
            first = values[0]
            shape = (len(values), length, *first.shape[1:])  # noqa: B023
            padded = np.full(shape, fill, first.dtype)
            for row, value in zip(padded, values, strict=True):
                row[: len(value)] = value
            return padded

        mask = pad([features.rows[row]["attention_mask"] for row in rows], 0)
        found = decode_answers(
            QuestionFeatures(
                {"attention_mask": mask},
                np.array(origins),
                pad([features.places[row] for row in rows], -1),
            ),
            [examples[n].fields["context"] for n in numbers],
            *(
                pad([outputs[row][name] for row in rows], 0)
                for name in ("start_logits", "end_logits")
            ),
            max_answer_tokens=settings.max_answer_length,
            null_threshold=threshold,
        )
        for number, answer in zip(numbers, found, strict=True):
            predictions[str(number)] = answer.text
            nulls[str(number)] = float(
                np.clip(answer.null_score - answer.score, -1e6, 1e6)
            )
    references = {str(n): texts for n, texts in enumerate(right)}
    return metrics.question_answering_metrics(
        predictions, references, None if threshold is None else nulls
    )


def _score_choices(
    model: Any,
    features: Features,
    outputs: list[Outputs],
    examples: Sequence[Example],
    settings: Settings,
) -> dict[str, float]:
    return metrics.multiple_choice_metrics(
        [row["logits"] for row in outputs],
        [int(row["labels"]) for row in features.rows],
    )


_SCORERS: dict[str, Callable[..., dict[str, float]]] = {
    "text-classification": _score_texts,
    "token-classification": _score_words,
    "question-answering": _score_answers,
    "multiple-choice": _score_choices,
}
