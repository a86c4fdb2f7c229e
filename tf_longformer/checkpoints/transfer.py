"""Matches the names of a file with those that a model wants."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tf_longformer.checkpoints import names
from tf_longformer.errors import CheckpointError

Shape = tuple[int, ...]


@dataclasses.dataclass
class Matching:
    """How a file and a model fit.

    Attributes:
        found: the file's name by ours, PyTorch's with the body's prefix.
        missing: names that the model wants and the file does not have.
        unexpected: names of the file that the model has no place for.
        mismatched: name, the file's shape and the model's.
    """

    found: dict[str, str]
    missing: list[str]
    unexpected: list[str]
    mismatched: list[tuple[str, Shape, Shape]]

    @property
    def new_heads(self) -> list[str]:
        """Heads of which the file has nothing."""
        heads = {names.head_of(name) for name in self.missing} - {None}
        known = {names.head_of(n) for n in self.found}
        known |= {names.head_of(name) for name, _, _ in self.mismatched}
        return sorted(heads - known)

    @property
    def unused_heads(self) -> list[str]:
        """Heads of the file that the model does not have."""
        heads = {
            names.head_of(names.with_prefix(name)) for name in self.unexpected
        }
        return sorted(heads - {None} - {names.head_of(n) for n in self.found})


def match(wanted: Mapping[str, Shape], given: Mapping[str, Shape]) -> Matching:
    """Matches a file's names and shapes with a model's.

    Args:
        wanted: shapes by PyTorch name, with the body's prefix.
        given: shapes by the file's names.

    Returns:
        `Matching`.

    Raises:
        CheckpointError: if two names of the file stand for the same weight.
    """
    found: dict[str, str] = {}
    unexpected = []
    mismatched = []
    by_name: dict[str, str] = {}
    for name in given:
        full = names.with_prefix(name)
        if full in by_name:
            raise CheckpointError(
                "A file must have each weight once. Received: "
                f"{by_name[full]!r} and {name!r}. Remove one of them."
            )
        by_name[full] = name
    for full, name in by_name.items():
        if full in names.IGNORED:
            continue
        alias = names.ALIASES.get(full)
        if full not in wanted and alias in wanted:
            if alias in by_name:
                continue
            full = alias
        if full == "lm_head.decoder.weight" and full not in wanted:
            # The tied matrix again: the word embeddings are read instead.
            if "lm_head.bias" in wanted:
                continue
        if full not in wanted:
            unexpected.append(name)
        elif tuple(given[name]) != tuple(wanted[full]):
            mismatched.append((full, tuple(given[name]), tuple(wanted[full])))
        else:
            found[full] = name
    seen = {*found, *(name for name, _, _ in mismatched)}
    missing = [name for name in wanted if name not in seen]
    return Matching(found, missing, unexpected, mismatched)


def require_complete(
    matching: Matching, source: str, ignore_mismatched_sizes: bool
) -> None:
    """Raises unless the file fills the model but for a head.

    Args:
        matching: `Matching`.
        source: where the file is, for the message.
        ignore_mismatched_sizes: bool, whether weights of another shape may
            stay new.

    Raises:
        CheckpointError: with the three lists.
    """
    new, unused = matching.new_heads, matching.unused_heads
    missing = [n for n in matching.missing if names.head_of(n) not in new]
    unexpected = [
        n
        for n in matching.unexpected
        if names.head_of(names.with_prefix(n)) not in unused
    ]
    mismatched = [] if ignore_mismatched_sizes else matching.mismatched
    if not (missing or unexpected or mismatched):
        return
    lists = (
        ("missing", missing),
        ("unexpected", unexpected),
        (
            "mismatched",
            [
                f"{name} (file {theirs}, model {ours})"
                for name, theirs, ours in mismatched
            ],
        ),
    )
    text = "".join(
        f"\n  {title} ({len(items)}): {', '.join(items) or 'none'}"
        for title, items in lists
    )
    raise CheckpointError(
        "A checkpoint must fill the model completely; only a head may be "
        f"new. Received: {source} with{text}\nUse the config and the class "
        "that it was saved with, or `ignore_mismatched_sizes=True` where "
        "only sizes differ."
    )
