"""Byte-pair encoding of one word."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from collections.abc import Sequence

# Words of a text repeat, but most of those that do are short.
_CACHED_WORDS = 1 << 16
_CACHED_LENGTH = 32


class Merger:
    """Joins the bytes of a word to tokens.

    The pair with the lowest rank is merged first, the leftmost of equal ones
    (Sennrich et al., arXiv 1508.07909). A heap finds it, so that a word of n
    bytes takes n log n steps.

    Args:
        vocab: mapping of tokens to ids.
        merges: list of pairs of tokens by rank.
        letters: the 256 tokens of single bytes. A byte whose token isn't in
            the vocabulary has no part in the result.
    """

    def __init__(
        self,
        vocab: Mapping[str, int],
        merges: Sequence[tuple[str, str]],
        letters: Sequence[str],
    ) -> None:
        self._byte_ids = [vocab.get(letter) for letter in letters]
        # (left, right) to (rank, joined).
        self._merges = {
            (vocab[left], vocab[right]): (rank, vocab[left + right])
            for rank, (left, right) in enumerate(merges)
        }
        self._cache: dict[bytes, tuple[tuple[int, ...], tuple[int, ...]]] = {}

    def merge(self, word: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Returns a word's ids, and the byte that each begins with.

        Args:
            word: its UTF-8 bytes.

        Returns:
            Two tuples of ints of the same length. The second has one entry
            more, the end of the last token.
        """
        found = self._cache.get(word)
        if found is None:
            found = self._merge(word)
            if len(word) <= _CACHED_LENGTH and len(self._cache) < _CACHED_WORDS:
                self._cache[word] = found
        return found

    def _merge(self, word: bytes) -> tuple[tuple[int, ...], tuple[int, ...]]:
        known = [
            (index, start)
            for start, byte in enumerate(word)
            if (index := self._byte_ids[byte]) is not None
        ]
        ids: list[int] = [index for index, _ in known]
        starts = [start for _, start in known]
        count = len(ids)
        # A chain of what is left: the neighbours of each; `alive` is 0 where
        # a token has become the right part of another.
        before = list(range(-1, count - 1))
        after = list(range(1, count + 1))
        alive = [True] * count
        merges = self._merges
        heap = []
        for place in range(count - 1):
            found = merges.get((ids[place], ids[place + 1]))
            if found is not None:
                heap.append((found[0], place, found[1]))
        heapq.heapify(heap)
        while heap:
            _, place, joined = heapq.heappop(heap)
            right = after[place]
            if not alive[place] or right >= count:
                continue
            found = merges.get((ids[place], ids[right]))
            # Something else may have come between since it was put there.
            if found is None or found[1] != joined:
                continue
            ids[place] = joined
            alive[right] = False
            following = after[place] = after[right]
            if following < count:
                before[following] = place
                found = merges.get((joined, ids[following]))
                if found is not None:
                    heapq.heappush(heap, (found[0], place, found[1]))
            left = before[place]
            if left >= 0:
                found = merges.get((ids[left], joined))
                if found is not None:
                    heapq.heappush(heap, (found[0], left, found[1]))
        kept = [place for place in range(count) if alive[place]]
        return (
            tuple(ids[place] for place in kept),
            (*(starts[place] for place in kept), len(word)),
        )
