"""The reference path gives what the fast path gives."""

import numpy as np
import pytest

from tf_longformer import attention


@pytest.mark.parametrize("slots", [None, 23, 100])
@pytest.mark.parametrize("share", [None, 0.0, 0.2, 1.0])
@pytest.mark.parametrize("radius", [1, 3, 20, 2**16])
def test_the_paths_agree(radius, share, slots):
    rng = np.random.default_rng(radius)
    batch, heads, seq, depth = 2, 3, 23, 5
    mask = (rng.random((batch, seq)) < 0.8).astype("int32")
    is_global = None
    if share is not None:
        is_global = (rng.random((batch, seq)) < share).astype("int32")
    fast = attention.assign_roles(mask, is_global)
    assert not fast.reference
    roles = attention.assign_roles(
        mask, is_global, slots, reference_attention=True
    )
    assert roles.reference
    q, k, v, qg, kg, vg = rng.normal(size=(6, batch, heads, seq, depth)).astype(
        "float32"
    )
    expected = attention.windowed_attention(q, k, v, fast, radius)
    if is_global is not None:
        expected = attention.global_attention(expected, qg, kg, vg, fast)
    found = attention.attend_by_reference(
        q,
        k,
        v,
        lambda index: iter((attention.take_tokens(qg, index), kg, vg)),
        roles,
        radius,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
