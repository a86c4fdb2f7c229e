"""What a tokenizer knows, as arrays that a graph can gather from."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import takewhile
from typing import Any

import numpy as np

from tf_longformer.tokenization import characters
from tf_longformer.tokenization import unicode_ranges
from tf_longformer.tokenization.byte_level import LETTERS

OTHER, LETTER, NUMBER, SPACE = range(4)
CLASS_BITS = 3
STRIPPED_BIT = 4
WORD_BIT = 8

_PAGE = 256
_CODES = 0x110000


@dataclasses.dataclass(frozen=True)
class CharacterTable:
    """Classes of all code points, in pages of which most are the same.

    Args:
        pages: int32 `[4352]`, the page of a code point's upper bits.
        classes: int32 `[pages * 256]`: the class in `CLASS_BITS`, then
            `STRIPPED_BIT` and `WORD_BIT`.
    """

    pages: np.ndarray
    classes: np.ndarray


def build_character_table() -> CharacterTable:
    """Returns the table of `unicode_ranges`."""
    table = np.zeros(_CODES, "int32")
    for ranges, value in (
        (unicode_ranges.LETTERS, LETTER),
        (unicode_ranges.NUMBERS, NUMBER),
        (unicode_ranges.SPACES, SPACE),
        (unicode_ranges.STRIPPED, STRIPPED_BIT),
        (unicode_ranges.WORD, WORD_BIT),
    ):
        for first, last in characters.parse(ranges):
            table[first : last + 1] |= value
    distinct, pages = np.unique(
        table.reshape(-1, _PAGE), axis=0, return_inverse=True
    )
    return CharacterTable(
        pages.reshape(-1).astype("int32"), distinct.reshape(-1)
    )


@dataclasses.dataclass(frozen=True)
class MergeTable:
    """Finds a pair's merge with three gathers.

    The rows of a sparse matrix, indexed by the left token, lie over one
    another in one array, each moved so far that no two entries meet
    (Tarjan and Yao, 1979). A pair is at `moved[left] + right`; `left` tells
    whether the entry there is its own.

    Args:
        moved: int32 `[vocabulary]`.
        entries: int32, ranks of merges; `len(left) - 1` where there is none.
        left: int32 `[merges + 1]`, the left token of each; -1 at the end.
        joined: int32 `[merges + 1]`, the token that it makes.
        waits: bool `[merges + 1]`, whether it can make a pair of lower
            rank, so that only one place can be merged at a time.
        byte_ids: int32 `[256]`, tokens of single bytes; -1 for none.
        longest: int, bytes of the longest token that a merge makes.
    """

    moved: np.ndarray
    entries: np.ndarray
    left: np.ndarray
    joined: np.ndarray
    waits: np.ndarray
    byte_ids: np.ndarray
    longest: int


def build_merge_table(
    vocab: Mapping[str, int], merges: list[tuple[str, str]]
) -> MergeTable:
    """Returns the table of merges.

    Args:
        vocab: dict of tokens to ids.
        merges: list of pairs of tokens by rank.

    Returns:
        `MergeTable`.
    """
    size = max(vocab.values(), default=0) + 1
    # Of a merge that is there twice the last one counts.
    ranks = {
        (vocab[left], vocab[right]): rank
        for rank, (left, right) in enumerate(merges)
    }
    rows: dict[int, list[int]] = {}
    for left, right in ranks:
        rows.setdefault(left, []).append(right)
    # At a quarter full, a row finds its place after a few tries, the long
    # ones while there is still nothing.
    width = 1 << max(10, int(np.ceil(np.log2(4 * len(ranks) + 1))))
    entries = np.full(width + size, len(merges), "int32")
    moved = np.zeros(size, "int32")
    places = np.random.default_rng(0)
    for left, rights in sorted(rows.items(), key=lambda row: -len(row[1])):
        columns = np.array(rights)
        place = 0
        while np.any(entries[place + columns] != len(merges)):
            place = int(places.integers(width))
        moved[left] = place
        entries[place + columns] = [ranks[left, right] for right in rights]
    lefts = [vocab[left] for left, _ in merges]
    joined = [vocab[left + right] for left, right in merges]
    return MergeTable(
        moved=moved,
        entries=entries,
        left=np.array([*lefts, -1], "int32"),
        joined=np.array([*joined, 0], "int32"),
        waits=_find_waiting(ranks, joined),
        byte_ids=np.array(
            [vocab.get(letter, -1) for letter in LETTERS], "int32"
        ),
        longest=max((len(a + b) for a, b in merges), default=1),
    )


def _find_waiting(
    ranks: Mapping[tuple[int, int], int], joined: list[int]
) -> np.ndarray:
    """Which merges make a token that is in a pair of lower rank."""
    lowest: dict[int, int] = {}
    for pair, rank in ranks.items():
        for token in pair:
            lowest[token] = min(rank, lowest.get(token, rank))
    waits = [lowest.get(new, rank) < rank for rank, new in enumerate(joined)]
    return np.array([*waits, False])


@dataclasses.dataclass(frozen=True)
class AddedGroup:
    """Added tokens that are looked for in one pass.

    Args:
        codes: int32 `[tokens, longest]`, code points, -1 behind the end.
        lengths: int32 `[tokens]`.
        ids: int32 `[tokens]`.
        lstrip: bool `[tokens]`.
        rstrip: bool `[tokens]`.
        single_word: bool `[tokens]`.
        first: list of ints, the code points that one can begin with.
        can_overlap: bool, whether two matches may share characters.
    """

    codes: np.ndarray
    lengths: np.ndarray
    ids: np.ndarray
    lstrip: np.ndarray
    rstrip: np.ndarray
    single_word: np.ndarray
    first: list[int]
    can_overlap: bool


def build_added_groups(added: Mapping[int, Any]) -> list[AddedGroup]:
    """Returns the groups of a tokenizer's added tokens.

    Args:
        added: dict of ids to `AddedToken`.

    Returns:
        List of `AddedGroup`: those that aren't normalized, then the others.

    Raises:
        ValueError: if a token takes the spaces behind it, and another one
            begins with a space.
    """
    spaces = characters.stripped()
    strips = [t.content for t in added.values() if t.rstrip]
    begins = [
        t.content
        for t in added.values()
        if t.content and t.content[0] in spaces
    ]
    if strips and begins:
        raise ValueError(
            "In a graph, a token that takes the spaces behind it can't be "
            "beside one that begins with a space. Received: "
            f"{strips[0]!r} with `rstrip` and {begins[0]!r}. Leave out the "
            "flag or the space."
        )
    groups = []
    for normalized in (False, True):
        tokens = [
            (index, token)
            for index, token in added.items()
            if token.normalized == normalized and token.content
        ]
        if not tokens:
            continue
        texts = [token.content for _, token in tokens]
        longest = max(map(len, texts))
        rows = [
            [*map(ord, text), *[-1] * (longest - len(text))] for text in texts
        ]
        groups.append(
            AddedGroup(
                codes=np.array(rows, "int32"),
                lengths=np.array([len(text) for text in texts], "int32"),
                ids=np.array([index for index, _ in tokens], "int32"),
                lstrip=np.array([token.lstrip for _, token in tokens]),
                rstrip=np.array([token.rstrip for _, token in tokens]),
                single_word=np.array([t.single_word for _, t in tokens]),
                first=sorted({ord(text[0]) for text in texts}),
                can_overlap=_can_overlap(texts),
            )
        )
    return groups


def _can_overlap(texts: list[str]) -> bool:
    """Whether one text can begin inside another, or inside itself."""
    return any(
        first[place:].startswith(second) or second.startswith(first[place:])
        for first in texts
        for second in texts
        for place in range(1, len(first))
    )


def build_space_counts(tokens: Mapping[int, str]) -> np.ndarray:
    """Returns the spaces that each token begins and ends with.

    Args:
        tokens: dict of ids to tokens, in the vocabulary's spelling.

    Returns:
        int32 array `[ids, 2]`.
    """
    space = LETTERS[ord(" ")]
    counts = np.zeros((max(tokens, default=0) + 1, 2), "int32")
    for index, token in tokens.items():
        if token[:1] == space or token[-1:] == space:
            counts[index] = [
                len(list(takewhile(space.__eq__, letters)))
                for letters in (token, reversed(token))
            ]
    return counts
