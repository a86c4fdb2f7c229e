"""Entities as spans of characters: read, given to tokens, turned back, hidden.

```python
spans = [{"start": 0, "end": 9, "label": "PER"}]
encoding = tokenizer(text, return_offsets_mapping=True)
align_entities(encoding, text, spans, config.label2id)
# [-100, 1, 2, 0, 0, -100]
```

All tokens of an entity have a label, as an entity may begin or end within a
word. `tf_longformer.tasks.tag` turns them back where each token counts for
itself (`aggregation_strategy="simple"`).
"""

from __future__ import annotations

import itertools
import logging
import operator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.data.global_masks import TokenRow
from tf_longformer.data.global_masks import read_rows
from tf_longformer.data.windows import trim_span
from tf_longformer.data.word_labels import IGNORED
from tf_longformer.entity_schemes import EntitySpan
from tf_longformer.entity_schemes import entity_spans
from tf_longformer.entity_schemes import find_scheme
from tf_longformer.entity_schemes import read_labels
from tf_longformer.entity_schemes import spell_labels
from tf_longformer.errors import shown
from tf_longformer.list_arguments import refuse_string

logger = logging.getLogger("tf_longformer")

# What annotation tools, and `tf_longformer.tasks.tag`, call the three.
_STARTS, _ENDS = ("start", "start_offset"), ("end", "end_offset")
_LABELS = ("label", "labels", "entity_group", "entity")


def read_entities(
    text: str, entities: Any, document: str = "the document"
) -> list[EntitySpan]:
    """Reads the entities of a text as people and programs label them.

    Args:
        text: str.
        entities: list of spans: dicts with `start`, `end` and `label`
            (Prodigy, Hugging Face; doccano's `start_offset` and `end_offset`,
            Label Studio's list `labels`, also within `value`, and what
            `tag` returns are known too), or lists `[start, end, label]`
            (doccano, spaCy). Characters count from 0; `end` is the one after
            the last. A `text` beside them must be what stands there.
        document: str, what errors call the text. Defaults to
            `"the document"`.

    Returns:
        List of `EntitySpan` in order, without white space at their ends, each
        once.

    Raises:
        TypeError: for a string in the place of the list.
        ValueError: for what is no span, a span that isn't within the text or
            holds nothing but white space, and spans that overlap. The message
            has the document and the span.
    """
    refuse_string("entities", entities)
    found = {_read_span(text, one, document) for one in entities}
    spans = sorted(found, key=lambda span: (span.start, span.end, span.kind))
    for before, after in zip(spans, spans[1:], strict=False):
        if after.start < before.end:
            raise ValueError(
                "Entities must not overlap, as a token has one label. "
                f"Received: {_show(text, before)} and {_show(text, after)} in "
                f"{document}. Keep one of them."
            )
    return spans


def _read_span(text: str, one: Any, document: str) -> EntitySpan:
    written = None
    if isinstance(one, EntitySpan):
        label, start, end = one
    elif isinstance(one, Mapping):
        inner = one.get("value")
        fields = inner if isinstance(inner, Mapping) else one
        start, end, label = (
            next((fields[name] for name in names if name in fields), None)
            for names in (_STARTS, _ENDS, _LABELS)
        )
        written = fields.get("text")
        if isinstance(label, Sequence) and not isinstance(label, str):
            (label,) = label if len(label) == 1 else (None,)
    else:
        parts = [] if isinstance(one, str | bytes) else one
        start, end, label = parts if _is_triple(parts) else (None,) * 3
    places = []
    for value in (start, end):
        try:
            places.append(operator.index(value))
        except TypeError:
            places.append(-1)
    if not (isinstance(label, str) and label) or isinstance(start, bool):
        raise ValueError(
            "An entity must have a start, an end and one label. Received: "
            f"{str(one)[:100]} in {document}. Write {{'start': 0, 'end': 4, "
            "'label': 'PER'}, or [0, 4, 'PER']."
        )
    first, last = places
    if not 0 <= first < last <= len(text):
        raise ValueError(
            "An entity must lie within its text. Received: "
            f"{label} at characters {start} to {end} in {document}, which has "
            f"{len(text)}. Count characters, not bytes, from 0; the end is "
            "the one after the last."
        )
    if isinstance(written, str) and written != text[first:last]:
        raise ValueError(
            "An entity's text must stand at its characters. Received: "
            f"{written[:60]!r}, where {text[first:last][:60]!r} stands, at "
            f"{first} to {last} in {document}. Correct the offsets: some "
            "programs count UTF-16 units or bytes, or have changed line ends."
        )
    start, end = trim_span(text, first, last)
    if start == end:
        raise ValueError(
            "An entity must hold more than white space. Received: "
            f"{label} at characters {first} to {last} in {document}. Leave it "
            "out."
        )
    return EntitySpan(label, start, end)


def _is_triple(value: Any) -> bool:
    return isinstance(value, Sequence) and len(value) == 3


def align_entities(
    encoding: Any,
    texts: str | Sequence[str],
    entities: Sequence[Any],
    label2id: Mapping[str, int],
    ignored: int = IGNORED,
    stride: int | None = None,
) -> Any:
    """Gives entities, spans of characters, to tokens as their labels.

    Every token that has a character of an entity gets a label of it. An entity
    that begins or ends within a token therefore has all of it; how many do
    is said in a warning.

    Args:
        encoding: what a tokenizer's call for the texts returned. Rows that
            are pieces of one text (`overflow_to_sample_mapping`) get the
            labels of the whole text's tokens.
        texts: the same texts, a string or a list.
        entities: the list of a text's entities, as `read_entities` takes it;
            for several texts a list of such lists.
        label2id: dict from labels to ids, such as `config.label2id`, which
            says the scheme: BIO, BIOES, BILOU, or types alone.
        ignored: int, for special tokens and padding. Defaults to `-100`,
            which the loss leaves out.
        stride: int, tokens that the pieces of a text share, as the tokenizer
            was told. Defaults to what the pieces show.

    Returns:
        List of ints for a single text, else a list of lists; an int32 array
        if the encoding holds arrays or tensors.

    Raises:
        TypeError: for an encoding that wasn't made by a call.
        ValueError: for entities that `read_entities` refuses, a label that
            `label2id` lacks, or an entity none of whose characters has a
            token of its own. The message has the document and the span.
    """
    rows, single = read_rows(encoding)
    if single != isinstance(texts, str):
        raise ValueError(
            "`texts` must be those of the encoding. Received: "
            f"{str(texts)[:60]!r} with {len(rows)} rows. Pass the same."
        )
    documents = [texts] if isinstance(texts, str) else list(texts)
    spans = [entities] if single else list(entities)
    if len(spans) != len(documents):
        raise ValueError(
            "There must be a list of entities for each text. Received: "
            f"{len(spans)} for {len(documents)}. Pass [] for a text without."
        )
    origins = encoding.get("overflow_to_sample_mapping", range(len(rows)))
    of_text: list[list[int]] = [[] for _ in documents]
    for number, origin in enumerate(origins):
        of_text[int(origin)].append(number)
    ids, scheme = _label_ids(label2id)
    if stride is None:
        stride = _find_stride([[rows[row] for row in x] for x in of_text])
    labels = [np.array([], "int64")] * len(rows)
    widened: list[str] = []
    for number, (text, mine) in enumerate(zip(documents, of_text, strict=True)):
        name = "the document" if single else f"document {number}"
        read = read_entities(text, spans[number], name)
        offsets, places = _join_rows([rows[row] for row in mine], stride)
        cut_off = bool(mine) and bool(encoding.encodings[mine[-1]].overflowing)
        tokens = np.full(len(offsets), ids["O"])
        taken = np.zeros(len(offsets), bool)
        for span in read:
            inside = np.flatnonzero(_inside(offsets, span) & ~taken)
            if not inside.size:
                beyond = not len(offsets) or span.start >= offsets[-1, 1]
                if cut_off and beyond:
                    continue
                raise ValueError(
                    "An entity must have a token of its own. Received: "
                    f"{_show(text, span)} in {name}, which has none. Leave "
                    "it out, or stretch it."
                )
            spelled = spell_labels(span.kind, len(inside), scheme)
            if not ids.keys() >= set(spelled):
                raise ValueError(
                    "`label2id` must have all labels of an entity. Received: "
                    f"{_show(text, span)} in {name}, and "
                    f"{str(list(label2id))[:100]}. Add its labels."
                )
            tokens[inside] = [ids[label] for label in spelled]
            taken[inside] = True
            first, last = offsets[inside[0], 0], offsets[inside[-1], 1]
            found = trim_span(text, int(first), int(last))
            ends = min(span.end, offsets[-1, 1]) if cut_off else span.end
            if found != (span.start, ends):
                widened.append(f"{_show(text, span)} in {name}")
        for row, place in zip(mine, places, strict=True):
            # The last one is for tokens that aren't of the text.
            labels[row] = np.append(tokens, ignored)[place]
    if widened:
        logger.warning(
            "Entities should begin and end where tokens do. Received: %d that "
            "don't, and are taken for whole tokens, the first %s.",
            len(widened),
            widened[0],
        )
    if hasattr(encoding["input_ids"], "shape"):
        return np.asarray(labels, "int32")
    lists = [row.tolist() for row in labels]
    return lists[0] if single else lists


def _label_ids(
    label2id: Mapping[str, int],
) -> tuple[dict[Any, int], str | None]:
    """Returns the ids of labels, and their scheme; `"O"` is that of none."""
    read = read_labels(label2id or {})
    outside = [name for name in read if read[name].outside]
    if not outside:
        raise ValueError(
            "`label2id` must have a label for no entity, 'O'. Received: "
            f"{str(list(read))[:100]}. Add it."
        )
    ids: dict[Any, int] = {read[name]: i for name, i in label2id.items()}
    has_markers = any(label.marker for label in read.values())
    scheme = find_scheme(label2id) if has_markers else None
    return {**ids, "O": label2id[outside[0]]}, scheme


def _join_rows(
    rows: Sequence[TokenRow], stride: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Joins the rows of a text, each of which shares tokens with the next.

    Returns the offsets `[tokens, 2]` of the text's tokens, and for each row
    where its tokens are among them; -1 for tokens that aren't of the text.
    """
    offsets = np.zeros((0, 2), "int64")
    places = []
    for row in rows:
        inside = row.sequence_ids == 0
        shared = stride if places else 0
        place = np.full(len(inside), -1)
        place[inside] = len(offsets) - shared + np.arange(inside.sum())
        places.append(place)
        offsets = np.concatenate([offsets, row.offsets[inside][shared:]])
    return offsets, places


def _find_stride(of_text: Sequence[Sequence[TokenRow]]) -> int:
    """Returns how many tokens each row shares with the one before.

    It is one number for all texts. Of a row's first token the offsets may be
    others: with `add_prefix_space` it has the space before it too.
    """
    pairs = []
    for rows in of_text:
        marked = [
            np.column_stack([row.ids, row.offsets])[row.sequence_ids == 0]
            for row in rows
        ]
        pairs += itertools.pairwise(marked)
    longest = min((len(row) for pair in pairs for row in pair), default=0)
    for stride in range(longest, 0, -1):
        if all(_agree(*pair, stride) for pair in pairs):
            return stride
    return 0


def _agree(before: np.ndarray, here: np.ndarray, stride: int) -> bool:
    """Returns whether the last tokens of one row are the next one's first."""
    (one, other), shared = (before[-stride], here[0]), before[1 - stride :]
    if one[0] != other[0] or not (
        one[2] == other[2] or one[1] == one[2] and other[1] == other[2]
    ):
        return False
    return stride == 1 or bool((shared == here[1:stride]).all())


def _inside(offsets: np.ndarray, span: EntitySpan) -> np.ndarray:
    """Returns which tokens have a character of a span.

    A token without any, such as of white space, has one if it stands between
    two that have.
    """
    starts, ends = offsets.T
    return (starts < span.end) & (ends > span.start)


def entities_of_tokens(
    text: str, offsets: Any, labels: Sequence[str | None]
) -> list[EntitySpan]:
    """Turns labels of tokens back into entities.

    Args:
        text: str.
        offsets: ints `[tokens, 2]`, the characters of each token.
        labels: list of the label of each token; `None` where there is none,
            as for special tokens.

    Returns:
        List of `EntitySpan` in order, without white space at their ends.
    """
    kept = [place for place, name in enumerate(labels) if name is not None]
    names = [name for name in labels if name is not None]
    read = read_labels(names)
    found = []
    for kind, first, last in entity_spans([read[name] for name in names]):
        start, end = (
            int(offsets[kept[first]][0]),
            int(offsets[kept[last - 1]][1]),
        )
        start, end = trim_span(text, start, end)
        if start < end:
            found.append(EntitySpan(kind, start, end))
    return found


def hide_entities(
    text: str,
    found: Sequence[Mapping[str, Any]],
    types: str | Sequence[str] | None = None,
    min_score: float = 0.0,
    replacement: str = "[{label}]",
) -> dict[str, Any]:
    """Replaces entities in a text.

    Args:
        text: str.
        found: the text's entities, as `tf_longformer.tasks.tag` returns them.
        types: types that are replaced. Defaults to all.
        min_score: float, below which an entity stays. Defaults to `0.0`.
        replacement: str, see `tf_longformer.tasks.redact`.

    Returns:
        Dict with `text` and `entities`, as of that function.

    Raises:
        ValueError: for another replacement.
    """
    chosen = [types] if isinstance(types, str) else types
    hidden: list[dict[str, Any]] = []
    for one in sorted(found, key=lambda one: (one["start"], one["end"])):
        kind, score = one["entity_group"], one["score"]
        start, end = trim_span(text, one["start"], one["end"])
        wanted = chosen is None or kind in chosen
        if start == end or not wanted or score < min_score:
            continue
        last = hidden[-1] if hidden else None
        if last is not None and start < last["end"]:
            # Tokens may share a character, such as an emoji of four bytes.
            last["end"] = max(end, last["end"])
            continue
        hidden.append(
            {"entity_group": kind, "score": score, "start": start, "end": end}
        )
    pieces, done, length = [], 0, 0
    for one in hidden:
        kept = text[done : one["start"]]
        label, size = one["entity_group"], one["end"] - one["start"]
        pieces += [kept, fill_replacement(replacement, label, size)]
        done = one["end"]
        one["new_start"] = length + len(kept)
        one["new_end"] = length = one["new_start"] + len(pieces[-1])
    return {"text": "".join([*pieces, text[done:]]), "entities": hidden}


def fill_replacement(template: str, label: str, size: int) -> str:
    """Returns what takes the place of an entity of `size` characters."""
    if len(template) == 1:
        return template * size
    try:
        return template.format(label=label)
    except (LookupError, ValueError, AttributeError) as error:
        raise ValueError(
            "A replacement must be a character, or a text in which {label} may "
            f"stand. Received: {template[:60]!r} ({shown(error)}). Double "
            "other braces."
        ) from None


def _show(text: str, span: EntitySpan) -> str:
    return (
        f"{span.kind} at characters {span.start} to {span.end} "
        f"({text[span.start : span.end][:40]!r})"
    )
