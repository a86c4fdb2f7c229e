"""Who attends to whom, on examples small enough to read."""

import numpy as np

from tf_longformer.attention import assign_roles
from tf_longformer.attention.scores import MASKED_SCORE


def test_roles():
    attended = [[1, 1, 1, 1, 0], [0, 1, 1, 1, 1]]
    marked = [[0, 1, 0, 1, 1], [1, 0, 0, 0, 0]]
    roles = assign_roles(np.array(attended), np.array(marked))
    # Global tokens that are padding are dropped, as in HF.
    np.testing.assert_array_equal(
        roles.is_global, [[0, 1, 0, 1, 0], [0, 0, 0, 0, 0]]
    )
    np.testing.assert_array_equal(roles.num_globals, [2, 0])
    assert int(roles.max_globals) == 2
    np.testing.assert_array_equal(roles.global_first_order[0, :2], [1, 3])
    ranks = np.asarray(roles.slot)
    assert (ranks[0, 1], ranks[0, 3]) == (0, 1)


def test_no_globals_is_known_beforehand():
    roles = assign_roles(np.ones((2, 3)), None)
    assert roles.max_globals is None
    assert not np.asarray(roles.is_global).any()


def test_masked_score_is_one_number():
    """A sum of two stays finite, and casting does not change it."""
    assert float(np.float32(MASKED_SCORE)) == MASKED_SCORE
    assert np.isfinite(np.float32(MASKED_SCORE) + np.float32(MASKED_SCORE))
