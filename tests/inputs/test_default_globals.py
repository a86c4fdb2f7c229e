"""The heads' own global tokens, row by row."""

import numpy as np
import pytest
import tensorflow as tf
from inputs.small_models import IDS
from inputs.small_models import make

from tf_longformer import LongformerConfig
from tf_longformer.inputs.default_globals import default_global_mask

CONFIG = LongformerConfig()
# <s> q q </s></s> c c </s>, and the same padded on the left.
PAIR = [0, 7, 8, 2, 2, 9, 9, 2, 1]
LEFT = [1, 0, 7, 8, 2, 2, 9, 9, 2]
# A separator inside the text of the context.
FOUR = [0, 7, 2, 2, 9, 2, 9, 2, 1]
# No pair: `<s> a </s> b </s>`.
TWO = [0, 7, 8, 2, 9, 9, 2, 1, 1]


def run(name, mode, ids, attention_mask=None, config=CONFIG):
    def call(ids, attention_mask):
        inputs = {"input_ids": ids, "attention_mask": attention_mask}
        return default_global_mask(name, inputs, config)

    if mode != "eager":
        call = tf.function(call, jit_compile=mode == "xla")
    return np.asarray(call(ids, attention_mask))


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
    if mode == "eager" and row is TWO:
        with pytest.raises(ValueError, match="3 separators.*2 in row 0"):
            run("question", mode, ids)
        return
    found = run("question", mode, ids)
    np.testing.assert_array_equal(found[0], question)
    np.testing.assert_array_equal(found[1], [1, 1, 1, 0, 0, 0, 0, 0, 0])
    found = run("choices", mode, ids)
    np.testing.assert_array_equal(found[0], choices)


@MODES
def test_pairs_of_a_bert(mode):
    """One separator in the middle, where it isn't the end of a text too."""
    bert = LongformerConfig(pad_token_id=0, eos_token_id=None, sep_token_id=2)
    # [CLS] q q [SEP] c c [SEP] [PAD], padded on the left, and a separator
    # that a text has; then `</s></s>` under a config that lacks the end.
    rows = [
        ([3, 7, 8, 2, 9, 9, 2, 0], 0, 3, 4),
        ([0, 3, 7, 8, 2, 9, 9, 2], 0, 4, 5),
        ([3, 7, 2, 9, 2, 9, 2, 0], 0, 2, 3),
        ([3, 7, 2, 2, 9, 9, 2, 0], 0, 2, 4),
    ]
    ids = tf.constant([row for row, *_ in rows])
    question = run("question", mode, ids, config=bert)
    choices = run("choices", mode, ids, config=bert)
    for number, (_, first, end, begin) in enumerate(rows):
        assert np.flatnonzero(question[number]).tolist() == [*range(first, end)]
        assert np.flatnonzero(choices[number]).tolist() == [*range(begin, 8)]
    no_pair = tf.constant([[3, 7, 7, 7, 7, 7, 2, 0]])
    if mode == "eager":
        with pytest.raises(ValueError, match="2 separators.*1 in row 0"):
            run("question", mode, no_pair, config=bert)
    else:
        assert not run("question", mode, no_pair, config=bert).any()


@MODES
def test_first_token(mode):
    ids = tf.ones((3, 4), "int32")
    found = run("cls", mode, ids)
    np.testing.assert_array_equal(found, [[1, 0, 0, 0]] * 3)
    mask = tf.constant([[1, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 0]])
    found = run("cls", mode, ids, mask)
    np.testing.assert_array_equal(
        found, [[1, 0, 0, 0], [0, 0, 1, 0], [1, 0, 0, 0]]
    )


def test_a_name_that_is_none():
    with pytest.raises(ValueError, match="'choices'. Received: 'all'"):
        default_global_mask("all", {"input_ids": tf.ones((1, 2))}, CONFIG)


def test_pairs_without_a_separator():
    model = make("ForQuestionAnswering", sep_token_id=None)
    with pytest.raises(ValueError, match="config.sep_token_id=None"):
        model(IDS)
    assert model(IDS, global_attention_mask=np.zeros_like(IDS))


@pytest.mark.parametrize("name", ["ForQuestionAnswering", "ForMultipleChoice"])
def test_rows_that_are_no_pair(name):
    model = make(name)
    pair, other = [0, 5, 2, 2, 6, 2, 6, 2], [0, 5, 6, 2, 6, 7, 7, 2]
    ids = np.array([pair, other])
    if name == "ForMultipleChoice":
        ids = ids[None]
    with pytest.raises(ValueError, match="2 in row 1.*`global_attention_mask`"):
        model(ids)
    # A graph can't know: that row has no global tokens.
    graph = tf.function(lambda ids: model(ids))(ids)
    mask = np.zeros_like(ids)
    mask.reshape(2, -1)[0] = (
        [1, 1, 0, 0, 0, 0, 0, 0]
        if name == "ForQuestionAnswering"
        else [0, 0, 0, 0, 1, 1, 1, 1]
    )
    for found, expected in zip(
        graph.to_tuple(),
        model(ids, global_attention_mask=mask).to_tuple(),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
