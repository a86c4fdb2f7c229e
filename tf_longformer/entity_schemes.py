"""Schemes of labels that mark entities: BIO, IOB1, BIOES and BILOU.

A label is a marker and a type (`B-PER`), or only a type. Markers stand in
either case. `decoding.py` reads the labels of a model with this module, and
everything that goes from entities to labels of words, and back, calls it.
"""

from __future__ import annotations

from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from typing import NamedTuple

# The markers of each scheme. In IOB1 `B-` only parts two entities of one type
# that touch; all other entities begin with `I-`.
SCHEMES = {"BIO": "BI", "IOB1": "BI", "BIOES": "BIES", "BILOU": "BILU"}
# Other names of them.
_SYNONYMS = {"IOB2": "BIO", "IOBES": "BIOES"}
# BILOU's last and unit are BIOES's end and single.
_CANONICAL = {"L": "E", "U": "S"}
_MARKERS = "BIELSU"
OUTSIDE = ("O", "o")
# The type where labels are markers alone, as seqeval calls it.
_NO_TYPE = "_"


class WordLabel(NamedTuple):
    """A label, read.

    Args:
        marker: str, `"B"`, `"I"`, `"E"` or `"S"`, the last two also for
            BILOU's `L` and `U`; `""` for a label without a marker.
        kind: str, the type; `"O"` or `"o"` for no entity.
    """

    marker: str
    kind: str

    @property
    def begins(self) -> bool:
        """Whether an entity begins here, even after one of the same type."""
        return self.marker in ("B", "S")

    @property
    def ends(self) -> bool:
        """Whether an entity ends here, even before one of the same type."""
        return self.marker in ("E", "S")

    @property
    def outside(self) -> bool:
        """Whether it is no entity's."""
        return self.kind in OUTSIDE


class EntitySpan(NamedTuple):
    """An entity: its type, its first word, and the one after its last."""

    kind: str
    start: int
    end: int


def canonical_scheme(scheme: str) -> str:
    """Returns the name of a scheme in `SCHEMES`.

    Raises:
        ValueError: for another name.
    """
    name = _SYNONYMS.get(scheme, scheme)
    if name not in SCHEMES:
        raise ValueError(
            f"A scheme must be one of {', '.join([*SCHEMES, *_SYNONYMS])}. "
            f"Received: {str(scheme)[:60]!r}. Name the one that labels follow."
        )
    return name


def read_labels(
    names: Iterable[str], has_markers: bool | None = None
) -> dict[str, WordLabel]:
    """Reads labels.

    Args:
        names: all labels that there are.
        has_markers: bool, whether they follow a scheme. By default they do
            if one has `B-` or `I-`, or all but `O` have `S-` or `U-`: with
            neither, `E-mail` is a type. Markers alone (`B`, `I` and `O`) are
            labels of the type `"_"`.

    Returns:
        Dict of `WordLabel` by name.
    """
    names = list(dict.fromkeys(names))
    inner = [name for name in names if name not in OUTSIDE]
    heads = {name[:2].upper() for name in inner}
    alone = {name.upper() for name in inner}
    if has_markers is not False and "B" in alone and alone <= set(_MARKERS):
        return {name: _read(name, f"{name}-{_NO_TYPE}") for name in names}
    if has_markers is None:
        has_markers = bool(
            heads & {"B-", "I-"} or (heads and heads <= {"S-", "U-"})
        )
    if not has_markers:
        return {name: WordLabel("", name) for name in names}
    return {name: _read(name, name) for name in names}


def _read(name: str, spelled: str) -> WordLabel:
    marker = spelled[:1].upper()
    if name in OUTSIDE or spelled[1:2] != "-" or marker not in _MARKERS:
        return WordLabel("", name)
    return WordLabel(_CANONICAL.get(marker, marker), spelled[2:])


def find_scheme(names: Collection[str]) -> str:
    """Returns the scheme of labels: BIO, BIOES or BILOU.

    IOB1 has the labels of BIO, and is never found.

    Raises:
        ValueError: if they aren't of one of the three.
    """
    labels = read_labels(names)
    found = {name[0].upper() for name in names if not labels[name].outside}
    bare = [
        name
        for name, label in labels.items()
        if not label.outside and not label.marker
    ]
    for scheme in ("BIO", "BIOES", "BILOU"):
        if not bare and found <= set(SCHEMES[scheme]):
            return scheme
    raise ValueError(
        "Labels must follow BIO, BIOES or BILOU. Received: "
        f"{str(sorted(names))[:200]}. Correct them, or leave out what asks for "
        "a scheme."
    )


def entity_spans(labels: Sequence[WordLabel]) -> list[EntitySpan]:
    """Returns the entities of a text's words, in order.

    Words in a row are one entity if their labels are of one type, unless a
    label says that a new entity begins or that the last one has ended. This
    is seqeval's default reading, and that of `tf_longformer.tasks.tag`.
    """
    spans: list[EntitySpan] = []
    before = WordLabel("", OUTSIDE[0])
    for place, label in enumerate(labels):
        if label.outside:
            before = label
            continue
        goes_on = (
            not (label.begins or before.ends or before.outside)
            and before.kind == label.kind
        )
        start = spans.pop().start if goes_on else place
        spans.append(EntitySpan(label.kind, start, place + 1))
        before = label
    return spans


def strict_entity_spans(
    labels: Sequence[WordLabel], scheme: str
) -> list[EntitySpan]:
    """Returns the entities whose labels follow a scheme to the letter.

    In BIO an entity begins with `B-`, in BIOES and BILOU it also ends with
    the marker of an end. Labels that don't add up to an entity are none. This
    is seqeval's strict mode.
    """
    closed = scheme in ("BIOES", "BILOU")
    outside = WordLabel("", OUTSIDE[0])
    spans: list[EntitySpan] = []
    place, before = 0, outside
    while place < len(labels):
        label = labels[place]
        end = place + 1
        if _may_begin(before, label, scheme):
            while end < len(labels) and _goes_on(labels[end - 1], labels[end]):
                end += 1
            last = labels[end - 1]
            after = labels[end] if end < len(labels) else outside
            if scheme == "IOB1":
                # A `B-` stands between entities of one type only.
                parted = last.marker == after.marker == "B"
                whole = not parted or after.kind == last.kind
            else:
                whole = last.ends if closed else True
            if whole:
                spans.append(EntitySpan(label.kind, place, end))
        place, before = end, labels[end - 1]
    return spans


def _may_begin(before: WordLabel, label: WordLabel, scheme: str) -> bool:
    if label.outside:
        return False
    if scheme != "IOB1":
        return label.begins
    same = before.kind == label.kind
    if label.marker == "B":
        return same and before.marker in ("B", "I")
    return before.marker != "I" or not same


def _goes_on(before: WordLabel, label: WordLabel) -> bool:
    return (
        before.marker in ("B", "I")
        and label.marker in ("I", "E")
        and before.kind == label.kind
    )


def spell_labels(kind: str, words: int, scheme: str | None) -> list[WordLabel]:
    """Returns the labels of an entity's words.

    Args:
        kind: str, its type.
        words: int, how many they are.
        scheme: str, a name in `SCHEMES` but IOB1, where labels depend on the
            word before; `None` for labels that are types.
    """
    if scheme is None:
        return [WordLabel("", kind)] * words
    markers = ["B", *"I" * (words - 1)]
    if scheme in ("BIOES", "BILOU"):
        markers[-1] = "S" if words == 1 else "E"
    return [WordLabel(marker, kind) for marker in markers]


def label_list(types: Iterable[str], scheme: str = "BIO") -> list[str]:
    """Returns the labels of a model that finds entities: `O`, `B-LOC`, ...

    Args:
        types: strings, the types of entities. Their order is kept.
        scheme: str, as of `canonical_scheme`. Defaults to `"BIO"`.
    """
    markers = SCHEMES[canonical_scheme(scheme)]
    return ["O", *(f"{m}-{kind}" for kind in types for m in markers)]
