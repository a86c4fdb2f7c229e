"""Entities, scored as seqeval scores them."""

from __future__ import annotations

import collections
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from tf_longformer.entity_schemes import SCHEMES
from tf_longformer.entity_schemes import WordLabel
from tf_longformer.entity_schemes import canonical_scheme
from tf_longformer.entity_schemes import entity_spans
from tf_longformer.entity_schemes import find_scheme
from tf_longformer.entity_schemes import read_labels
from tf_longformer.entity_schemes import strict_entity_spans
from tf_longformer.list_arguments import refuse_string


def entity_metrics(
    predicted: Sequence[Sequence[str]],
    expected: Sequence[Sequence[str]],
    *,
    strict: bool = False,
    scheme: str | None = None,
) -> dict[str, float]:
    """Compares the entities of labelled words, as seqeval does.

    An entity is right if its type, its first and its last word are.

    Args:
        predicted: list of a list of labels for each document, one a word.
        expected: the same, the right ones.
        strict: bool. Words in a row with labels of one type are an entity,
            however their markers follow one another (seqeval's default); with
            `True` only what follows the scheme to the letter (its
            `mode="strict"`). Defaults to `False`.
        scheme: str, `"BIO"` (`"IOB2"`), `"IOB1"`, `"BIOES"` (`"IOBES"`) or
            `"BILOU"`. Defaults to what the labels show, never IOB1. Labels
            without markers are types.

    Returns:
        Dict with `precision`, `recall` and `f1` of all entities, `accuracy`
        of the words' labels, and for each type, as transformers' scripts name
        them, `TYPE_precision`, `TYPE_recall`, `TYPE_f1` and `TYPE_number`
        (how many there should be). What would be divided by 0 is 0.

    Raises:
        TypeError: for anything else than such lists.
        ValueError: if documents or words are of unequal number, there are
            none at all, or labels don't follow the scheme.
    """
    refuse_string("predicted", predicted)
    refuse_string("expected", expected)
    _check_numbers("documents", len(predicted), len(expected))
    for number, pair in enumerate(zip(predicted, expected, strict=True)):
        for name, row in zip(("predicted", "expected"), pair, strict=True):
            refuse_string(f"{name}[{number}]", row)
        ours, theirs = map(len, pair)
        _check_numbers(f"labels of document {number}", ours, theirs)
    words = sum(map(len, expected))
    if not words:
        raise ValueError(
            "There must be at least one word. Received: none in "
            f"{len(expected)} documents."
        )
    names = {name for rows in (predicted, expected) for r in rows for name in r}
    if scheme is not None:
        scheme = canonical_scheme(scheme)
        _check_scheme(names, scheme)
    elif strict:
        scheme = find_scheme(names)
    labels = read_labels(names, None if scheme is None else True)

    def spans(row: Sequence[str]) -> Collection[Any]:
        read: list[WordLabel] = [labels[name] for name in row]
        if strict and scheme is not None:
            return strict_entity_spans(read, scheme)
        return entity_spans(read)

    metrics = span_metrics(map(spans, predicted), map(spans, expected))
    right = sum(
        one == other
        for ours, theirs in zip(predicted, expected, strict=True)
        for one, other in zip(ours, theirs, strict=True)
    )
    overall = {
        name: metrics.pop(name) for name in ("precision", "recall", "f1")
    }
    return {**overall, "accuracy": right / words, **metrics}


def span_metrics(
    predicted: Iterable[Collection[tuple[str, int, int]]],
    expected: Iterable[Collection[tuple[str, int, int]]],
) -> dict[str, float]:
    """Compares entities as spans.

    An entity is right if its type and both its ends are.

    Args:
        predicted: for each document its entities, tuples of the type, and the
            first and the last place in the document: words or characters.
        expected: the same, the right ones.

    Returns:
        Dict as of `entity_metrics`, without `accuracy`.

    Raises:
        ValueError: if documents are of unequal number.
    """
    found, wanted, right = (collections.Counter[str]() for _ in range(3))
    pairs = zip(map(set, predicted), map(set, expected), strict=True)
    for ours, theirs in pairs:
        found.update(span[0] for span in ours)
        wanted.update(span[0] for span in theirs)
        right.update(span[0] for span in ours & theirs)
    metrics = _scores(right.total(), found.total(), wanted.total())
    for kind in sorted({*found, *wanted}):
        of_kind = _scores(right[kind], found[kind], wanted[kind])
        metrics |= {f"{kind}_{name}": of_kind[name] for name in of_kind}
        metrics[f"{kind}_number"] = wanted[kind]
    return metrics


def _scores(right: int, found: int, wanted: int) -> dict[str, float]:
    return {
        "precision": right / found if found else 0.0,
        "recall": right / wanted if wanted else 0.0,
        "f1": 2 * right / (found + wanted) if found + wanted else 0.0,
    }


def _check_numbers(what: str, ours: int, theirs: int) -> None:
    if ours != theirs:
        raise ValueError(
            f"There must be as many predicted as expected {what}. Received: "
            f"{ours} predicted, {theirs} expected. Label the same words."
        )


def _check_scheme(names: Collection[str], scheme: str) -> None:
    labels = read_labels(names, True)
    wrong = sorted(
        name
        for name, label in labels.items()
        if not label.outside
        and (not label.marker or name[0].upper() not in SCHEMES[scheme])
    )
    if wrong:
        raise ValueError(
            f"Labels of {scheme} must be O, or begin with one of "
            f"{', '.join(f'{marker}-' for marker in SCHEMES[scheme])}. "
            f"Received: {str(wrong)[:200]}. Name another scheme, or leave it "
            "out."
        )
