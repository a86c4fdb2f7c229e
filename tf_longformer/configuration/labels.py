"""The label fields of a configuration: names, maps, and how they fit together.

`id2label` is the one that counts. `num_labels` is its length, and `label2id`
its inverse or `None`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tf_longformer.configuration import rules
from tf_longformer.configuration.fields import ConfigFields
from tf_longformer.errors import shown

logger = logging.getLogger("tf_longformer")


def label_names(config: ConfigFields) -> list[str]:
    """Returns the labels in the order of the logits.

    An id that `id2label` lacks is called `LABEL_<id>`.
    """
    names = config.id2label or {}
    return [str(names.get(i, f"LABEL_{i}")) for i in range(len(names))]


def generic_maps(num_labels: int) -> dict[str, dict[Any, Any]]:
    """Returns `id2label` and `label2id` with the names `LABEL_0`, ..."""
    rules.NUM_LABELS.check("num_labels", num_labels)
    names = [f"LABEL_{index}" for index in range(num_labels)]
    return {
        "id2label": dict(enumerate(names)),
        "label2id": {name: index for index, name in enumerate(names)},
    }


def complete_maps(
    num_labels: int | None,
    id2label: Mapping[Any, str] | None,
    label2id: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Returns both maps, made from those of the three that are given."""
    if id2label is None and label2id is None:
        return generic_maps(2 if num_labels is None else num_labels)
    if id2label is None:
        rules.IDS_BY_NAME.check("label2id", label2id)
        ids = label2id or {}
        id2label = {rules.as_id(index): label for label, index in ids.items()}
    if num_labels is not None:
        rules.NUM_LABELS.check("num_labels", num_labels)
        rules.NAMES_BY_ID.check("id2label", id2label)
        if num_labels != len(id2label):
            raise ValueError(
                "`num_labels` must be the number of entries of `id2label`. "
                f"Received: num_labels={num_labels}, "
                f"id2label={shown(id2label)}. Leave one of them out."
            )
    return {"id2label": id2label, "label2id": label2id}


def without_stale_maps(
    fields: Mapping[str, Any], overrides: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns a file's fields without the labels that overrides replace."""
    if "id2label" in overrides or "label2id" in overrides:
        stale = {"num_labels", "id2label", "label2id"}
    elif "num_labels" in overrides:
        stale = {"num_labels"}
        if overrides["num_labels"] != len(fields.get("id2label") or ()):
            stale |= {"id2label", "label2id"}
    else:
        stale = set()
    return {name: fields[name] for name in fields if name not in stale}


def settle(config: ConfigFields) -> None:
    """Has `id2label` win over a `label2id` that disagrees with it.

    transformers writes and reads such files, and looks at `id2label` alone.
    """
    names, ids = config.id2label, config.label2id
    if not (rules.NAMES_BY_ID.accepts(names) and isinstance(ids, Mapping)):
        return
    if names and not _is_inverse(names, ids):
        config.label2id = {str(name): index for index, name in names.items()}
        logger.warning(
            "`label2id` must be the inverse of `id2label`. Received: "
            "id2label=%.200r, label2id=%.200r. `id2label` counts, and "
            "`label2id` was made of it; correct one of them.",
            names,
            dict(ids),
        )


def check(config: ConfigFields) -> None:
    """Checks that the label fields, each right by itself, fit together."""
    single_label = config.problem_type == "single_label_classification"
    if single_label and len(config.id2label or {}) == 1:
        raise ValueError(
            "`problem_type='single_label_classification'` needs "
            "num_labels of 2 or more. Received: num_labels=1. Pass "
            "num_labels=2, or problem_type='regression'."
        )


def _is_inverse(names: Mapping[int, str], ids: Mapping[Any, Any]) -> bool:
    # A program that renames `id2label` alone leaves the generated names in
    # `label2id`. transformers accepts that, so these names aren't compared.
    if all(label == f"LABEL_{index}" for label, index in ids.items()):
        return True
    # Compared as text: a label that is a number becomes text where it is a
    # key in JSON, which it is in `label2id` only.
    forward = {index: str(label) for index, label in names.items()}
    backward = {str(label): rules.as_id(i) for label, i in ids.items()}
    return set(backward) == set(forward.values()) and all(
        rules.is_int(index) and forward.get(index) == label
        for label, index in backward.items()
    )
