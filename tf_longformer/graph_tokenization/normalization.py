"""A normalizer of the `tokenizers` library, in TensorFlow's graph.

What it does to each code point is asked of the library: it has Unicode tables
of its own, of several versions, which other libraries don't share.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import json
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from tokenizers import normalizers

from tf_longformer.graph_tokenization.code_points import COUNT
from tf_longformer.graph_tokenization.code_points import CodePointTable
from tf_longformer.graph_tokenization.words import Characters
from tf_longformer.graph_tokenization.words import repeat_places

# These change each character without a look at the others, but that NFD puts
# marks behind a letter in order.
TYPES = ("BertNormalizer", "Lowercase", "StripAccents", "NFD")
_NFD = {"type": "NFD"}
# No normalizer changes it, and NFD moves nothing past it.
_BETWEEN = "\u1200"
_PAGE = 256
# In a `Stage`'s table a character's new spelling is its place in `spelled`
# times this, and its length.
_LENGTHS = 8


@dataclasses.dataclass(frozen=True)
class Stage:
    """Steps of a normalizer that go through a text at once.

    Args:
        table: `CodePointTable`, where in `spelled` each code point's new
            spelling is and how long; 0 where it stays as it is.
        spelled: int32, code points.
        classes: `CodePointTable`, the combining class by which marks are then
            put in order, 0 for what isn't moved; `None` where none are.
    """

    table: CodePointTable
    spelled: np.ndarray
    classes: CodePointTable | None


def build_stages(steps: Iterable[Mapping[str, Any]]) -> list[Stage]:
    """Returns the stages of a normalizer's steps, as `tokenizer.json` has them.

    Their types are of `TYPES`.
    """
    # NFD ends a stage: the order of marks depends on marks that are taken away
    # afterwards. So does lower case: of a letter that becomes a letter and a
    # mark, NFD moves the mark as one that stood there before.
    parts: list[list[Mapping[str, Any]]] = [[]]
    for step in itertools.chain.from_iterable(map(_split, steps)):
        parts[-1].append(step)
        if step == _NFD or _lowers(step):
            parts.append([])
    return [_build_stage(json.dumps(part)) for part in parts if part]


def _lowers(step: Mapping[str, Any]) -> bool:
    return step["type"] == "Lowercase" or step.get("lowercase", False)


def _split(step: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Returns BERT's normalizer as steps of which NFD is one."""
    if step["type"] != "BertNormalizer":
        return [step]
    lowercase, strip = step["lowercase"], step["strip_accents"]
    if not (lowercase if strip is None else strip):
        return [step]
    before = {**step, "strip_accents": False, "lowercase": False}
    behind = {"clean_text": False, "handle_chinese_chars": False}
    return [before, _NFD, {**step, **behind, "strip_accents": True}]


@functools.lru_cache(maxsize=16)
def _build_stage(part: str) -> Stage:
    """Returns the stage of steps, a list in JSON."""
    steps = json.loads(part)
    made = [
        getattr(normalizers, step.pop("type"))(**step)
        for step in json.loads(part)
    ]
    numbers, spelled = np.zeros(COUNT, "int32"), [0]
    for code, new in ask(normalizers.Sequence(made)).items():
        numbers[code] = len(spelled) * _LENGTHS + len(new)
        spelled += map(ord, new)
    return Stage(
        CodePointTable.of_values(numbers),
        np.array(spelled, "int32"),
        _find_classes() if steps[-1] == _NFD else None,
    )


def ask(normalizer: normalizers.Normalizer) -> dict[int, str]:
    """Returns the code points that a normalizer changes, and to what."""
    found = {}
    for start in range(0, COUNT, _PAGE):
        if 0xD800 <= start < 0xE000:
            continue
        page = list(map(chr, range(start, start + _PAGE)))
        together = "".join(page)
        if normalizer.normalize_str(together) == together:
            continue
        new = normalizer.normalize_str(_BETWEEN.join(page)).split(_BETWEEN)
        if len(new) > _PAGE:
            new = [normalizer.normalize_str(letter) for letter in page]
        for old, text in zip(page, new, strict=True):
            if old != text:
                found[ord(old)] = text
    return found


@functools.cache
def _find_classes() -> CodePointTable:
    """Returns numbers that are ordered as Unicode's combining classes are."""
    nfd = normalizers.NFD().normalize_str

    def ask_order(pairs: Iterable[tuple[str, str]]) -> list[bool]:
        """Whether NFD turns pairs around."""
        pairs = list(pairs)
        text = _BETWEEN.join(first + second for first, second in pairs)
        found = nfd(text).split(_BETWEEN)
        return [
            new == second + first
            for new, (first, second) in zip(found, pairs, strict=True)
        ]

    marks = [
        letter
        for letter in map(chr, ask(normalizers.StripAccents()))
        if nfd(letter) == letter
    ]
    # Of the lowest class and of the highest one: each mark that isn't of class
    # 0 changes places with one of them.
    low, high = "\u0334", "\u0345"
    moved = [
        before or behind
        for before, behind in zip(
            ask_order((mark, low) for mark in marks),
            ask_order((high, mark) for mark in marks),
            strict=True,
        )
    ]
    # All in one text become ordered.
    ordered = nfd("".join(itertools.compress(marks, moved)))
    rises = ask_order((b, a) for a, b in itertools.pairwise(ordered))
    classes = np.zeros(COUNT, "int32")
    for mark, number in zip(
        ordered, itertools.accumulate([1, *rises]), strict=True
    ):
        classes[ord(mark)] = number
    return CodePointTable.of_values(classes)


def normalize(chars: Characters, stage: Stage) -> Characters:
    """Applies a stage to all characters that aren't of added tokens.

    A new character has the origin of the one that it was made of. Flags are
    those of the old ones.
    """
    number = tf.where(chars.added < 0, stage.table.gather(chars.codes), 0)
    lengths = tf.where(number == 0, 1, number % _LENGTHS)
    places = repeat_places(lengths)
    within = tf.range(tf.size(places)) - tf.gather(
        tf.cumsum(lengths, exclusive=True), places
    )
    number = tf.gather(number, places)
    piece = tf.gather(tf.cumsum(tf.cast(chars.cuts, tf.int32)), places)
    chars = Characters(*(tf.gather(array, places) for array in chars))
    chars = chars._replace(
        codes=tf.where(
            number == 0,
            chars.codes,
            tf.gather(stage.spelled, number // _LENGTHS + within),
        ),
        # What a piece began with may be gone.
        cuts=tf.concat([[True], piece[1:] != piece[:-1]], 0)[: tf.size(piece)],
    )
    if stage.classes is None:
        return chars
    return _order_marks(chars, within == 0, stage.classes)


def _order_marks(
    chars: Characters, begins: Any, classes: CodePointTable
) -> Characters:
    """Puts marks that follow one another in the order of their classes.

    `begins` says which characters are the first, or the only one, that was made
    of an old character. As in the library, a mark that isn't has the origin of
    what then stands before it, and the others have theirs one after the other.
    """
    # Below there are no marks.
    possible = (chars.codes >= 0x300) & (chars.added < 0)
    marks = tf.cast(tf.where(possible)[:, 0], tf.int32)
    kind = classes.gather(tf.gather(chars.codes, marks))
    marks, kind = (tf.boolean_mask(a, kind > 0) for a in (marks, kind))
    size = tf.size(marks)
    starts = tf.concat([[True], marks[1:] != marks[:-1] + 1], 0)[:size]
    starts |= tf.gather(chars.cuts, marks)
    run = tf.cumsum(tf.cast(starts, tf.int32)) - 1
    # Keys that are all different, so that equal classes stay as they are.
    count = tf.cast(size, tf.int64)
    key = tf.cast(run, tf.int64) * 256 + tf.cast(kind, tf.int64)
    key = key * count + tf.range(count)
    moved = tf.gather(marks, tf.argsort(key))
    # Those that were first made of an old character, in turn.
    first = tf.boolean_mask(marks, tf.gather(begins, marks))
    first = tf.concat([[-1], first], 0)
    turn = tf.gather(
        first, tf.cumsum(tf.cast(tf.gather(begins, moved), tf.int32))
    )
    run_place = tf.gather(tf.boolean_mask(marks, starts), run)
    owner = tf.where(turn >= run_place, turn, run_place - 1)
    origin = tf.gather(chars.origins, tf.maximum(owner, 0))
    places = marks[:, None]
    return chars._replace(
        codes=tf.tensor_scatter_nd_update(
            chars.codes, places, tf.gather(chars.codes, moved)
        ),
        origins=tf.tensor_scatter_nd_update(chars.origins, places, origin),
    )
