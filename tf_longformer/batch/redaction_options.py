"""How found entities are taken out of texts, where that is asked for."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from tf_longformer.data.entities import fill_replacement


class Redaction(NamedTuple):
    """Which entities are replaced, and by what.

    Args:
        types: types of entities. Defaults to `None`: all.
        min_score: float, below which an entity stays. Defaults to `0.0`.
        replacement: str, as of `tf_longformer.tasks.redact`. Defaults to
            `"[{label}]"`.
    """

    types: tuple[str, ...] | None = None
    min_score: float = 0.0
    replacement: str = "[{label}]"

    def check(self, finds_entities: bool, known: Collection[str] = ()) -> None:
        """Checks, before anything is written, that a model can do it.

        Args:
            finds_entities: bool, whether the model is one that does.
            known: the types that it finds. Defaults to any.

        Raises:
            ValueError: if it can't.
        """
        if not finds_entities:
            raise ValueError(
                "Entities are found by token classification of texts. "
                "Received: another model, or another signature. Leave the "
                "redaction out."
            )
        fill_replacement(self.replacement, "", 1)
        unknown = sorted(set(self.types or ()) - set(known))
        if known and unknown:
            raise ValueError(
                "Types to redact must be of those that the model finds: "
                f"{', '.join(known)}. Received: {', '.join(unknown)}. Correct "
                "the spelling."
            )
