"""The numbers of passages and the strongest links, against dense maps."""

import numpy as np
import pytest

from tf_longformer import to_dense_attention
from tf_longformer.explain.attention_summary import KEYS
from tf_longformer.explain.attention_summary import LINKS
from tf_longformer.explain.attention_summary import distance_bins
from tf_longformer.explain.attention_summary import passage_size
from tf_longformer.explain.attention_summary import summarize_layer

HEADS = 3


def draw(tokens, window, is_global):
    """Draws probabilities in HF's layout, with what must be zero zero."""
    rng = np.random.default_rng(5)
    slots = int(is_global.sum())
    local = rng.random((HEADS, tokens, slots + window + 1)).astype("float32")
    keys = np.arange(tokens)[:, None] + np.arange(window + 1) - window // 2
    outside = (keys < 0) | (keys >= tokens)
    outside |= is_global[keys.clip(0, tokens - 1)]
    local[:, :, slots:][:, outside] = 0
    local /= local.sum(axis=2, keepdims=True)
    local[:, is_global] = 0
    global_ = rng.random((HEADS, tokens, slots)).astype("float32")
    return local, global_ / global_.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("tokens", "window", "passage", "places"),
    [
        (47, 8, 5, [0, 1, 13]),
        (47, 30, 4, []),
        (23, 64, 7, [22]),
        (13, 2, 1, range(0, 13, 2)),
        (5, 4, 9, [0]),
    ],
)
def test_against_dense(tokens, window, passage, places):
    is_global = np.isin(np.arange(tokens), list(places))
    local, global_ = draw(tokens, window, is_global)
    found = summarize_layer(
        zip(local, global_ if is_global.any() else [None] * 3, strict=True),
        window,
        passage,
        ~is_global,
    )
    if is_global.any():
        dense = to_dense_attention(local[None], global_[None], is_global[None])
    else:
        dense = to_dense_attention(local[None])
    dense = dense[0].astype("float64")
    blocks = np.arange(tokens) // passage
    count = blocks[-1] + 1
    reach = found.band.shape[2] // 2
    for head in range(HEADS):
        for here in range(count):
            rows = dense[head][(blocks == here) & ~is_global]
            means = rows.mean(axis=0) if len(rows) else np.zeros(tokens)
            expected = np.zeros(2 * reach + 1)
            for offset in range(-reach, reach + 1):
                there = (blocks == here + offset) & ~is_global
                expected[offset + reach] = means[there].sum()
            np.testing.assert_allclose(
                found.band[head, here], expected, atol=1e-6
            )
            # Nothing is out of reach.
            to_globals = found.to_globals[head, here]
            assert to_globals == pytest.approx(means[is_global].sum(), abs=1e-6)
            total = expected.sum() + to_globals
            assert total == pytest.approx(float(len(rows) > 0), abs=1e-5)
    offsets = np.arange(tokens)[None] - np.arange(tokens)[:, None]
    radius = window // 2
    bins = distance_bins(radius)[offsets.clip(-radius, radius) + radius]
    to_local = np.where(~is_global, dense, 0)[:, ~is_global]
    for number in range(found.offsets.shape[1]):
        share = to_local * (bins[~is_global] == number)
        np.testing.assert_allclose(
            found.offsets[:, number],
            share.sum(axis=(1, 2)) / (~is_global).sum(),
            atol=1e-6,
        )
    check_links(found, local, dense, is_global, window)
    if is_global.any():
        check_globals(found, dense[:, is_global], blocks)


def check_links(found, local, dense, is_global, window):
    """Columns stand for the tokens with the largest shares."""
    slots = int(is_global.sum())
    globals_ = np.flatnonzero(is_global)
    tokens = len(is_global)
    all_heads = [*dense, dense.mean(axis=0)]
    for columns, weights, map_ in zip(
        found.link_columns, found.link_weights, all_heads, strict=True
    ):
        for token in np.flatnonzero(~is_global):
            expected = -np.sort(-map_[token])[:LINKS]
            given = weights[token][: len(expected)]
            np.testing.assert_allclose(given, expected, atol=1e-6)
            for column, weight in zip(
                columns[token], weights[token], strict=True
            ):
                if weight > 0:
                    place = token + column - slots - window // 2
                    if column < slots:
                        place = globals_[column]
                    assert 0 <= place < tokens
                    assert map_[token, place] == pytest.approx(weight, abs=1e-6)
    np.testing.assert_allclose(
        found.mean_to_globals[~is_global],
        all_heads[-1][~is_global][:, is_global].sum(axis=1),
        atol=1e-6,
    )


def check_globals(found, rows, blocks):
    """`rows` are the dense rows of global tokens, `[heads, globals, seq]`."""

    def by_passage(values):
        return np.bincount(blocks, values)

    for head, mean in enumerate(rows.mean(axis=1)):
        np.testing.assert_allclose(
            found.from_globals[head], by_passage(mean), atol=1e-6
        )
        best = -np.sort(-mean)[:KEYS]
        weights = found.global_key_weights[head][: len(best)]
        np.testing.assert_allclose(weights, best, atol=1e-6)
        places = found.global_keys[head][: len(best)]
        np.testing.assert_allclose(mean[places], best, atol=1e-6)
    for number, mean in enumerate(rows.mean(axis=0)):
        np.testing.assert_allclose(
            found.each_global[number], by_passage(mean), atol=1e-6
        )
        keys = found.each_global_keys[number]
        weights = found.each_global_key_weights[number]
        used = weights > 0
        np.testing.assert_allclose(mean[keys[used]], weights[used], atol=1e-6)


def test_distances():
    assert distance_bins(4).tolist() == [0, 1, 1, 2, 3, 4, 5, 5, 6]
    assert distance_bins(1).tolist() == [0, 1, 2]


def test_passages_are_as_fine_as_the_map_may_be():
    assert passage_size(4096, [128] * 6, 12) == 32
    # A window of 512 tokens has more passages beside each.
    assert passage_size(4096, [512] * 12, 12) == 64
    assert passage_size(16384, [512] * 24, 16) == 256
    assert passage_size(100, [128] * 6, 12) == 3
    assert passage_size(100, [8] * 6, 12) == 1
    assert passage_size(1, [2], 1) == 1
