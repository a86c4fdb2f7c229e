"""What is kept of a layer's attention: numbers by passage, and strong links.

A document is cut into passages of equally many tokens. Whatever is said of a
passage as one that attends is the mean over its local tokens, and as one that
is attended to the sum over its tokens: of a head, each passage gives away 1.
All arrays are NumPy's, float32 where nothing else is said.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Any

import numpy as np

# Strongest links that are found for each token of a head.
LINKS = 6
# Strongest keys that are named for a global token.
KEYS = 12
# Global tokens that are looked at one by one.
MOST_GLOBALS = 64
# Most numbers of the layers' maps of passages together. The finest of these
# numbers of passages is taken that stays below it.
_MAP_NUMBERS = 120_000
_PASSAGES = (128, 96, 64, 48, 32)


@dataclasses.dataclass
class LayerSummary:
    """One layer's attention.

    `H` stands for heads, `P` for passages, `n` for tokens; `G` for the global
    tokens that are looked at one by one, the first `MOST_GLOBALS` of them.

    Attributes:
        window: int, tokens of the window on both sides together.
        band: `[H, P, 2 * reach + 1]`, what a passage gives to the local tokens
            of the passages around it, from `reach` before to `reach` after.
        to_globals: `[H, P]`, what a passage gives to all global tokens.
        offsets: `[H, 2 * bins - 1]`, what a local token gives to tokens by
            their distance, mean over tokens: see `distance_bins`.
        mean_to_globals: `[n]`, what each token gives to the global tokens,
            mean over heads.
        link_columns: int32 `[H + 1, n, LINKS]`, the columns of HF's layout
            that get most, best first; last of the mean over heads.
        link_weights: `[H + 1, n, LINKS]`, what they get.
        from_globals: `[H, P]`, what a passage gets from a global token, mean
            over global tokens; `None` without them, as are the others below.
        global_keys: int32 `[H, KEYS]`, tokens that get most from a global
            token, in the mean over these, best first.
        global_key_weights: `[H, KEYS]`, what they get.
        each_global: `[G, P]`, what a passage gets from each global token,
            mean over heads.
        each_global_keys: int32 `[G, KEYS]`, tokens that get most from it.
        each_global_key_weights: `[G, KEYS]`, what they get.
    """

    window: int
    band: np.ndarray
    to_globals: np.ndarray
    offsets: np.ndarray
    mean_to_globals: np.ndarray
    link_columns: np.ndarray
    link_weights: np.ndarray
    from_globals: np.ndarray | None = None
    global_keys: np.ndarray | None = None
    global_key_weights: np.ndarray | None = None
    each_global: np.ndarray | None = None
    each_global_keys: np.ndarray | None = None
    each_global_key_weights: np.ndarray | None = None


def passage_size(tokens: int, windows: Iterable[int], heads: int) -> int:
    """Returns how many tokens a passage has, for a map of bounded size.

    Args:
        tokens: int, the document's.
        windows: the layers' windows.
        heads: int, of a layer.
    """
    windows = list(windows)
    for passages in _PASSAGES:
        size = max(1, -(-tokens // passages))
        count = -(-tokens // size)
        widths = [2 * _reach(w // 2, size, count) + 1 for w in windows]
        if sum(widths) * heads * count <= _MAP_NUMBERS:
            break
    return size


def distance_bins(radius: int) -> np.ndarray:
    """Returns the bin of each offset from `-radius` to `radius`.

    The middle bin is the token itself. Beside it are those 1 away, then 2 to
    3, 4 to 7 and so on, before the token on the left.
    """
    offsets = np.arange(-radius, radius + 1)
    sizes = np.floor(np.log2(np.maximum(np.abs(offsets), 1))).astype(int) + 1
    bins = np.sign(offsets) * sizes
    return bins - bins[0]


def summarize_layer(
    heads: Iterable[tuple[np.ndarray, np.ndarray | None]],
    window: int,
    passage: int,
    is_local: np.ndarray,
) -> LayerSummary:
    """Summarizes the attention of one row, head by head.

    Args:
        heads: for each head the local probabilities `[n, slots + window + 1]`
            and the global ones `[n, slots]` (or `None`), in HF's layout.
        window: int, of the layer.
        passage: int, tokens of a passage.
        is_local: bool `[n]`, tokens that are neither global nor padding.
    """
    local_tokens = _Passages(is_local, passage)
    bins = distance_bins(window // 2)
    columns: list[dict[str, np.ndarray]] = []
    mean: Any = 0
    each: Any = 0
    for local, global_ in heads:
        slots = local.shape[1] - window - 1
        band = local[:, slots:]
        given = local[:, :slots].sum(axis=1)
        found, weights = _strongest(local, LINKS)
        one = {
            "band": local_tokens.band(band),
            "to_globals": local_tokens.mean(given),
            "offsets": np.bincount(
                bins, band.sum(axis=0), minlength=bins[-1] + 1
            )
            / max(1, is_local.sum()),
            "link_columns": found,
            "link_weights": weights,
        }
        mean = mean + local
        if global_ is not None and slots:
            average = global_.mean(axis=1)
            found, weights = _strongest(average[None], KEYS)
            one["from_globals"] = _sums(average, passage)
            one["global_keys"] = found[0]
            one["global_key_weights"] = weights[0]
            each = each + global_[:, :MOST_GLOBALS].T
        columns.append(one)
    count = len(columns)
    mean = mean / count
    found, weights = _strongest(mean, LINKS)
    columns.append({"link_columns": found, "link_weights": weights})
    stacked = {
        name: _stack([one[name] for one in columns if name in one])
        for name in columns[0]
    }
    stacked["mean_to_globals"] = mean[:, :slots].sum(axis=1)
    if np.ndim(each):
        each = each / count
        found, weights = _strongest(each, KEYS)
        stacked["each_global"] = np.stack([_sums(x, passage) for x in each])
        stacked["each_global_keys"] = found
        stacked["each_global_key_weights"] = weights
    return LayerSummary(window=window, **stacked)


def _stack(arrays: list[np.ndarray]) -> np.ndarray:
    stacked = np.stack(arrays)
    return stacked if stacked.dtype == "int32" else stacked.astype("float32")


def _reach(radius: int, size: int, count: int) -> int:
    """Returns how many passages a window reaches to, on one side."""
    return min(-(-radius // size), count - 1)


def _sums(values: np.ndarray, size: int) -> np.ndarray:
    """Adds up `[n]` by passages."""
    return np.add.reduceat(values, np.arange(0, len(values), size))


def _strongest(rows: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the places of the largest of each row, and the values.

    Both are `[rows, most]`; where a row is shorter, places and values 0 fill
    the rest.
    """
    number = min(most, rows.shape[1])
    places = np.argpartition(rows, -number, axis=1)[:, -number:]
    values = np.take_along_axis(rows, places, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    filling = [(0, 0), (0, most - number)]
    return (
        np.pad(np.take_along_axis(places, order, 1), filling).astype("int32"),
        np.pad(np.take_along_axis(values, order, 1), filling),
    )


class _Passages:
    """Means over the local tokens of each passage."""

    def __init__(self, is_local: np.ndarray, size: int):
        self._is_local = is_local
        self._size = size
        self._counts = np.maximum(_sums(is_local.astype(float), size), 1)

    def mean(self, values: np.ndarray) -> np.ndarray:
        """Returns `[P]` of `[n]`; what isn't local doesn't count."""
        kept = np.where(self._is_local, values, 0)
        return _sums(kept, self._size) / self._counts

    def band(self, band: np.ndarray) -> np.ndarray:
        """Returns `[P, 2 * reach + 1]` of a window's `[n, window + 1]`."""
        tokens, width = band.shape
        radius = width // 2
        size = self._size
        reach = _reach(radius, size, len(self._counts))
        # The sum over a passage's keys is a difference of running sums.
        running = np.zeros((tokens, width + 1))
        np.cumsum(band, axis=1, out=running[:, 1:])
        place = np.arange(tokens)
        # Where the passages begin, in the window of each token.
        begins = (
            (place // size)[:, None] + np.arange(-reach, reach + 2)
        ) * size - (place - radius)[:, None]
        sums = np.diff(
            np.take_along_axis(running, begins.clip(0, width), axis=1), axis=1
        )
        return np.stack([self.mean(column) for column in sums.T], axis=1)
