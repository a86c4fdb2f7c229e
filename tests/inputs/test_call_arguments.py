"""What people pass to a model, and what they are told."""

from collections import UserDict

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf_longformer.inputs.call_arguments import as_tensor
from tf_longformer.inputs.call_arguments import gather_arguments

IDS = np.array([[4, 5]])


def gather(first=None, mask=None, *extra, **keywords):
    return gather_arguments("Model", ("labels",), first, mask, extra, keywords)


@pytest.mark.parametrize("make", [dict, UserDict])
def test_a_mapping_is_taken_apart(make):
    found = gather(make(input_ids=[[1, 2]], labels=[3], token_type_ids=None))
    assert sorted(found) == ["input_ids", "labels"]
    np.testing.assert_array_equal(found["input_ids"], [[1, 2]])
    np.testing.assert_array_equal(found["labels"], [3])


@pytest.mark.parametrize("make", [list, tuple])
@pytest.mark.parametrize(
    "tensor", [tf.constant, np.asarray, lambda x: keras.KerasTensor(x.shape)]
)
def test_two_tensors_are_ids_and_mask(make, tensor):
    ids, mask = tensor(IDS), tensor(np.ones_like(IDS))
    found = gather(make([ids, mask]), training=True)
    assert sorted(found) == ["attention_mask", "input_ids", "training"]
    assert tuple(found["input_ids"].shape) == (1, 2)
    if not isinstance(ids, keras.KerasTensor):
        np.testing.assert_array_equal(found["input_ids"], IDS)
        np.testing.assert_array_equal(found["attention_mask"], mask)
    assert list(gather(make([ids]))) == ["input_ids"]
    assert list(gather(make([ids, None]))) == ["input_ids"]


def test_two_positions_and_keywords():
    found = gather([[1]], [[0]], global_attention_mask=[[1]], training=True)
    assert sorted(found) == [
        "attention_mask",
        "global_attention_mask",
        "input_ids",
        "training",
    ]
    assert found["training"] is True


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([4, 5], [[4, 5]]),
        ((4, 5), [[4, 5]]),
        ([[4], [5]], [[4], [5]]),
        ([np.array([4, 5])], None),
    ],
)
def test_lists_of_ids_and_of_rows(value, expected):
    found = as_tensor("input_ids", value)
    np.testing.assert_array_equal(
        found, [[4, 5]] if expected is None else expected
    )
    assert found.dtype == np.int32


def test_wide_integers_become_int32_where_they_fit():
    assert as_tensor("input_ids", np.array([7])).dtype == np.int32
    # The range check is to see it, not what remains of it.
    assert as_tensor("input_ids", np.array([2**40]))[0] == 2**40


def test_tensors_stay():
    x = tf.constant([[1]], "int64")
    assert as_tensor("input_ids", x) is x
    symbol = keras.KerasTensor((None, 3))
    assert as_tensor("input_ids", symbol) is symbol


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: gather([[1]], [[1]], [[1]]), TypeError, "3 positional"),
        (lambda: gather({"ids": [[1]]}), TypeError, r"unknown \['ids'\]"),
        (lambda: gather([[1]], token_types=1), TypeError, "token_types"),
        (
            lambda: gather({"input_ids": [[1]]}, input_ids=[[1]]),
            TypeError,
            "given once",
        ),
        (
            lambda: gather([tf.ones((1, 2))] * 3),
            TypeError,
            "a list of 3 tensors.*by keyword.*global_attention_mask=",
        ),
        (
            lambda: gather([IDS, IDS], attention_mask=IDS),
            TypeError,
            r"given once.*\['attention_mask'\]",
        ),
        (
            lambda: gather(attention_mask=[tf.ones(2), tf.ones(2)]),
            TypeError,
            "as `attention_mask` must hold.*2 tensors. Stack",
        ),
        (
            lambda: gather(tf.ragged.constant([[1, 2], [3]])),
            ValueError,
            r"of `input_ids` must.*RaggedTensor.*to_tensor\(",
        ),
        (lambda: gather([[1, 2], [3]]), ValueError, "ragged list.*padding="),
        (lambda: gather(["a text"]), ValueError, "must hold numbers"),
        (lambda: gather(np.array(["a"])), ValueError, "with a tokenizer"),
    ],
)
def test_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
