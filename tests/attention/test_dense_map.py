"""`to_dense_attention`: a hand-made case, and what it refuses.

`test_against_dense.py` compares it with the dense reference.
"""

import numpy as np
import pytest

from tf_longformer import to_dense_attention


def example():
    """One head, three tokens, a window of 2; token 1 is global."""
    # Columns: the global token, then offsets -1, 0, 1.
    local = np.array([[[[0.4, 0, 0.6, 0], [0, 0, 0, 0], [0.3, 0, 0.7, 0]]]])
    far = np.array([[[[0.2], [0.5], [0.3]]]])
    return local, far, np.array([[0, 1, 0]])


def test_example():
    dense = to_dense_attention(*example())
    expected = [[0.6, 0.4, 0], [0.2, 0.5, 0.3], [0, 0.3, 0.7]]
    np.testing.assert_allclose(dense[0, 0], expected)


def test_without_globals():
    local = np.array([[[[0, 0.6, 0.4], [0.1, 0.9, 0]]]])
    dense = to_dense_attention(local)
    np.testing.assert_allclose(dense[0, 0], [[0.6, 0.4], [0.1, 0.9]])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a, f, m: (a[0], f, m), r"\[batch, heads, seq, slots"),
        (lambda a, f, m: (a, f, None), "belong together"),
        (lambda a, f, m: (a, None, m), "belong together"),
        (lambda a, f, m: (a, f[:, :, :2], m), "Pass the same element"),
        (lambda a, f, m: (a, f, m[0]), r"must be \[batch, seq\] = \(1, 3\)"),
        (lambda a, f, m: (a, f, m + 1), "1 slots"),
    ],
)
def test_what_does_not_fit(change, message):
    with pytest.raises(ValueError, match=message):
        to_dense_attention(*change(*example()))
