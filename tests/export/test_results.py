"""What the graph makes of logits: texts, and shapes that are compiled."""

import types

import numpy as np
import pytest
import tensorflow as tf

from tf_longformer import LongformerConfig
from tf_longformer.export import results
from tf_longformer.export.buckets import Buckets
from tf_longformer.heads import HEADS

MASK, UNKNOWN = 9, 3


def make(name, **fields):
    """The results of a head, with a stand-in for a tokenizer."""
    tokenizer = types.SimpleNamespace(
        mask_token_id=MASK,
        unk_token_id=UNKNOWN,
        get_vocab=lambda: {"a": 0, "b": 1, "d": 3},
        decode=lambda ids: "abcd"[ids[0]],
    )
    config = LongformerConfig(attention_window=4, **fields)
    return getattr(results, name)(
        HEADS[f"LongformerFor{name}"], config, tokenizer, 2, 4
    )


@pytest.mark.parametrize(
    ("fields", "has_probabilities"),
    [
        ({"num_labels": 3}, True),
        (
            {"num_labels": 3, "problem_type": "multi_label_classification"},
            True,
        ),
        ({"num_labels": 3, "problem_type": "regression"}, False),
    ],
)
def test_labels(fields, has_probabilities):
    logits = tf.constant([[0.5, -1.0, 2.0]])
    found = make("SequenceClassification", **fields).of_ids(
        {"logits": logits}, None, None
    )
    names = ["LABEL_2", "LABEL_0", "LABEL_1"]
    assert [x.decode() for x in found["labels"][0].numpy()] == names
    assert ("probabilities" in found) == has_probabilities
    values = found["probabilities" if has_probabilities else "logits"]
    assert found["scores"][0].numpy().tolist() == [
        values[0, index] for index in (2, 0, 1)
    ]


def entities(texts, offsets, inside, labels, names):
    head = make("TokenClassification", id2label=dict(enumerate(names)))
    found = head.of_texts(
        {"logits": 9 * tf.one_hot(labels, len(names))},
        {
            "offset_mapping": tf.constant(offsets),
            "input_ids": tf.zeros(np.shape(inside), tf.int32),
            "sequence_ids": tf.where(inside, 0, -1),
        },
        [tf.constant(texts)],
    )
    return {
        name.removeprefix("entity_"): found[name].numpy().tolist()
        for name in found
        if name.startswith("entity_")
    }


def test_entities_are_texts():
    # Two tokens of one word, whose second is of no label that would count.
    spans = [[0, 0], [0, 1], [1, 3], [4, 7], [0, 0]]
    found = entities(
        ["é日本 <x>", "abc defg"],
        [spans, spans],
        [[False, True, True, True, False], [False] * 5],
        [[0, 1, 0, 2, 0], [1] * 5],
        ["O", "B-LOC", "U-PER"],
    )
    assert found["labels"] == [[b"LOC", b"PER"], [b"", b""]]
    words = [[word.decode() for word in row] for row in found["words"]]
    assert words == [["é日本", "<x>"], ["", ""]]
    assert found["starts"] == [[0, 4], [0, 0]]
    assert found["ends"] == [[3, 7], [0, 0]]
    assert found["scores"][1] == [0, 0]


def test_no_entities():
    found = entities([""], [[[0, 0]]], [[False]], [[0]], ["O", "X"])
    assert list(found.values()) == [[[]]] * 5


def test_masks():
    ids = [[0, MASK, 5, MASK, 2], [0, 5, 5, 5, 2], [MASK, 5, 5, 5, 2]]
    logits = np.random.default_rng(0).normal(0, 2, (3, 5, 4)).astype("float32")
    head = make("MaskedLM", vocab_size=4, pad_token_id=1)
    found = head.of_ids({"logits": tf.constant(logits)}, tf.constant(ids), None)
    assert found["mask_positions"].numpy().tolist() == [
        [1, 3],
        [-1, -1],
        [0, -1],
    ]
    best = np.argsort(-logits[0, 3])[:2]
    assert found["token_ids"][0, 1].numpy().tolist() == best.tolist()
    # The third id has no token.
    assert [x.decode() for x in found["tokens"][0, 1].numpy()] == [
        ["a", "b", "", "d"][index] for index in best
    ]
    assert found["tokens"].numpy()[1].tolist() == [[b"", b""]] * 2
    assert found["token_ids"][2, 1].numpy().tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("shape", "padded"),
    [
        ((1, 1), (1, 4)),
        ((1, 4), (1, 4)),
        ((2, 5), (3, 9)),
        ((3, 9), (3, 9)),
        ((1, 3, 5), (3, 9)),
    ],
)
def test_buckets(shape, padded):
    seen = []

    def compiled(ids, mask):
        seen.append(tuple(ids.shape))
        assert (mask.numpy() == (ids.numpy() != 1)).all()
        tokens = tf.cast(ids, tf.float32)
        return {"tokens": tokens, "rows": tf.reduce_sum(tokens, 1)}

    ids = np.arange(2, 2 + np.prod(shape)).reshape(shape).astype("int32")
    buckets = Buckets((4, 9), (1, 3))
    per_token = ("tokens",) if len(shape) == 2 else ()
    outputs = buckets.run(
        (
            compiled
            if len(shape) == 2
            else lambda *x: {"rows": compiled(*x)["rows"][:, None]}
        ),
        tf.constant(ids),
        tf.ones(shape, tf.int32),
        1,
        per_token,
    )
    assert seen == [padded]
    padding = padded[1] - shape[-1]
    np.testing.assert_allclose(outputs["rows"], ids.sum(-1) + padding)
    if per_token:
        np.testing.assert_allclose(outputs["tokens"], ids)


@pytest.mark.parametrize("shape", [(4, 4), (1, 10), (2, 2, 3)])
def test_past_the_buckets(shape):
    ids = tf.ones(shape, tf.int32)
    with pytest.raises(tf.errors.InvalidArgumentError, match="signature `xla`"):
        Buckets((4, 9), (1, 3)).run(None, ids, ids, 1, ())


def test_default_buckets():
    found = Buckets.choose(None, None, 4096)
    assert found == Buckets((512, 1024, 2048, 4096), (1, 8))
