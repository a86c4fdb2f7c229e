"""Texts without the entities that are found in them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_longformer.configuration.labels import label_names
from tf_longformer.data.entities import hide_entities
from tf_longformer.decoding import EntityLabels
from tf_longformer.decoding import entity_strategy
from tf_longformer.tasks import steps
from tf_longformer.tasks.tagging import tag


def redact(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    types: str | Sequence[str] | None = None,
    min_score: float = 0.0,
    replacement: str = "[{label}]",
    **options: Any,
) -> Any:
    """Replaces entities in documents of any length, such as names.

    All other characters stay as they are, white space too.

    Args:
        model: `TFLongformerForTokenClassification`.
        tokenizer: its tokenizer, or a fast one of transformers.
        texts: a string or a list of strings.
        types: types of entities (`"NAME"`) that are replaced. Defaults to
            all.
        min_score: float, below which an entity stays. Defaults to `0.0`.
        replacement: str, what stands in an entity's place; `{label}` in it is
            its type. A single character takes the place of each of its
            characters, so that places stay. Defaults to `"[{label}]"`.
        **options: further arguments of `tag`.

    Returns:
        Dict with the `text` that is left, and `entities`, a list of dicts:
        `entity_group`, `score`, the characters `start` and `end` of the text
        that was given, `new_start` and `new_end` of the one that is left. For
        a list of texts a list of such.

    Raises:
        TypeError: for another model, or texts that are none.
        ValueError: for a type that the model doesn't have, another
            replacement, or what `tag` raises.
    """
    rows, single = steps.as_list("texts", texts)
    given = options.pop("aggregation_strategy", None)
    strategy = entity_strategy(model.config, given)
    # With "none" the types would be labels, a token an entity.
    options["aggregation_strategy"] = strategy.replace("none", "simple")
    check_types(types, EntityLabels.read(label_names(model.config)).types)
    hidden = [
        hide_entities(text, found, types, min_score, replacement)
        for text, found in zip(
            rows, tag(model, tokenizer, rows, **options), strict=True
        )
    ]
    return hidden[0] if single else hidden


def check_types(types: Any, known: Sequence[str]) -> None:
    """Raises a `ValueError` for a type of entity that a model doesn't find."""
    if types is None:
        return
    unknown = sorted(set(steps.as_list("types", types)[0]) - set(known))
    if unknown:
        raise ValueError(
            f"`types` must be of those that the model finds: "
            f"{', '.join(known)}. Received: {', '.join(unknown)}. Correct the "
            "spelling."
        )
