"""What the label fields of a `LongformerConfig` may hold.

`id2label` decides; `num_labels` is its length, and `label2id` its inverse or
`None`. Nothing here imports a backend.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeGuard

if TYPE_CHECKING:
    from tf_longformer.configuration import LongformerConfig

PROBLEM_TYPES = (
    "regression",
    "single_label_classification",
    "multi_label_classification",
)


def check(config: LongformerConfig) -> None:
    """Checks the label maps, `num_labels` and `problem_type`.

    Args:
        config: A `LongformerConfig`.

    Raises:
        ValueError: at the first field that breaks a rule.
    """
    _check_maps(config)
    _check_problem_type(config)


def check_num_labels(num_labels: Any) -> None:
    """Checks a number of labels before label maps are made from it.

    Args:
        num_labels: The number that was asked for.

    Raises:
        ValueError: if it isn't a whole number of 1 or more.
    """
    if not _is_int(num_labels) or num_labels < 1:
        raise ValueError(
            "`num_labels` must be an integer of 1 or more. "
            f"Received: num_labels={num_labels!r}. Pass the number of "
            "outputs of the head (1 for a regression)."
        )


def invert(label2id: Any) -> dict[Any, str] | None:
    """Returns the `id2label` of a `label2id`, or `None` if it has none."""
    try:
        return {label_id(index): label for label, index in label2id.items()}
    except (AttributeError, TypeError):
        return None


def label_names(config: LongformerConfig) -> list[str]:
    """Returns the labels in the order of the logits.

    Args:
        config: A `LongformerConfig`. An id that its `id2label` lacks is
            called `LABEL_<id>`.
    """
    names = config.id2label or {}
    return [
        str(names.get(index, f"LABEL_{index}"))
        for index in range(config.num_labels)
    ]


def _is_int(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_maps(config: LongformerConfig) -> None:
    names, ids = config.id2label, config.label2id
    if ids is not None and (
        not isinstance(ids, Mapping)
        or not all(_is_int(label_id(index)) for index in ids.values())
    ):
        raise ValueError(
            "`label2id` must map labels to ids. Received: "
            f"label2id={ids!r}. Pass for example {{'no': 0, 'yes': 1}}."
        )
    if (
        not isinstance(names, dict)
        or not names
        or not all(_is_int(key) and key >= 0 for key in names)
        or not all(isinstance(name, (str, int)) for name in names.values())
    ):
        raise ValueError(
            "`id2label` must map ids (0, 1, ...) to labels and hold at "
            f"least one. Received: id2label={names!r}. Pass for example "
            "{0: 'no', 1: 'yes'}, or `num_labels`."
        )
    if ids is None:
        return
    # Whoever renames `id2label` alone leaves the generated names behind in
    # `label2id`, as with transformers; they contradict nothing.
    if all(label == f"LABEL_{index}" for label, index in ids.items()):
        return
    # By their text: labels that are numbers become keys in JSON, so text, on
    # one side only.
    forward = {index: str(label) for index, label in names.items()}
    backward = {str(label): label_id(index) for label, index in ids.items()}
    agree = set(backward) == set(forward.values()) and all(
        forward.get(index) == label for label, index in backward.items()
    )
    if not agree:
        raise ValueError(
            "`label2id` must be the inverse of `id2label`. Received: "
            f"id2label={names!r}, label2id={dict(ids)!r}. Correct one of "
            "them, or set `label2id` to None."
        )


def label_id(index: Any) -> Any:
    """Returns an id as an `int`: in files it may be text."""
    return int(index) if str(index).isdecimal() else index


def _check_problem_type(config: LongformerConfig) -> None:
    kind = config.problem_type
    if kind is not None and kind not in PROBLEM_TYPES:
        raise ValueError(
            "`problem_type` must be None or one of "
            f"{', '.join(PROBLEM_TYPES)}. Received: problem_type={kind!r}. "
            "Leave it out to have the labels decide."
        )
    if kind == "single_label_classification" and config.num_labels == 1:
        raise ValueError(
            "`problem_type='single_label_classification'` needs "
            "num_labels of 2 or more. Received: num_labels=1. Pass "
            "num_labels=2, or problem_type='regression'."
        )
