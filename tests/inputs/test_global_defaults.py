"""The heads' own global tokens, row by row."""

import numpy as np
import pytest
import tensorflow as tf

from tf_longformer.inputs.global_defaults import choices_mask
from tf_longformer.inputs.global_defaults import first_token_mask
from tf_longformer.inputs.global_defaults import question_mask

SEP = 2
# <s> q q </s></s> c c </s>, and the same padded on the left.
PAIR = [0, 7, 8, 2, 2, 9, 9, 2, 1]
LEFT = [1, 0, 7, 8, 2, 2, 9, 9, 2]
# A separator inside the text of the context.
FOUR = [0, 7, 2, 2, 9, 2, 9, 2, 1]
# No pair: `<s> a </s> b </s>`.
TWO = [0, 7, 8, 2, 9, 9, 2, 1, 1]


def run(function, mode, *arguments):
    if mode == "eager":
        return np.asarray(function(*arguments))
    compiled = tf.function(function, jit_compile=mode == "xla")
    return np.asarray(compiled(*arguments))


MODES = pytest.mark.parametrize("mode", ["eager", "graph", "xla"])


@MODES
@pytest.mark.parametrize(
    ("row", "question", "choices"),
    [
        (PAIR, [1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1, 1, 1, 1]),
        (LEFT, [1, 1, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 1, 1]),
        (FOUR, [1, 1, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1, 1, 1]),
        (TWO, [0] * 9, [0] * 9),
    ],
)
def test_pairs(mode, row, question, choices):
    """Each row for itself: 2 + 4 separators are not 3 + 3."""
    ids = tf.constant([row, PAIR])
    found = run(lambda ids: question_mask(ids, SEP), mode, ids)
    np.testing.assert_array_equal(found[0], question)
    np.testing.assert_array_equal(found[1], [1, 1, 1, 0, 0, 0, 0, 0, 0])
    found = run(lambda ids: choices_mask(ids, SEP), mode, ids)
    np.testing.assert_array_equal(found[0], choices)


@MODES
def test_first_token(mode):
    ids = tf.ones((3, 4), "int32")
    found = run(first_token_mask, mode, ids)
    np.testing.assert_array_equal(found, [[1, 0, 0, 0]] * 3)
    mask = tf.constant([[1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]])
    found = run(first_token_mask, mode, ids, mask)
    np.testing.assert_array_equal(
        found, [[1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
    )
