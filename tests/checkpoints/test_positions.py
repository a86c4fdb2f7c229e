"""Tables of position embeddings, copied to another length."""

import numpy as np
import pytest

from tf_longformer.checkpoints.positions import copied_positions


@pytest.mark.parametrize(
    ("reserved", "tokens", "rows"),
    [
        (2, 6, [0, 1, 2, 3, 4, 2, 3, 4]),  # a multiple
        (2, 7, [0, 1, 2, 3, 4, 2, 3, 4, 2]),
        (2, 3, [0, 1, 2, 3, 4]),  # as it is
        (2, 1, [0, 1, 2]),  # shorter
        (0, 6, [0, 1, 2, 3, 4, 0]),  # a BERT
        (4, 3, [0, 1, 2, 3, 4, 4, 4]),  # one row for a token
    ],
)
def test_rows_are_copied_in_turn(reserved, tokens, rows):
    table = np.arange(10, dtype="float16").reshape(5, 2)
    found = copied_positions(table, reserved, tokens)
    assert found.dtype == table.dtype
    np.testing.assert_array_equal(found, table[rows])


@pytest.mark.parametrize(("reserved", "tokens"), [(5, 3), (-1, 3), (2, 0)])
def test_a_row_is_needed(reserved, tokens):
    with pytest.raises(ValueError, match="5 rows, .*max_tokens="):
        copied_positions(np.zeros((5, 2)), reserved, tokens)
