"""Wrong arguments: one clear message each; and texts that aren't Unicode."""

import numpy as np
import pytest
from tokenization.conftest import SMALL

from tf_longformer import LongformerTokenizer


@pytest.mark.parametrize(
    ("text", "call", "message"),
    [
        (3, {}, "must be a string"),
        (None, {}, "Replace missing texts"),
        (b"a", {}, "Decode it"),
        (np.array(["a"]), {}, "and several a list"),
        (["a", None], {}, "Replace missing texts"),
        (["a", 1.5], {}, "among them"),
        ([["a", "b", "c"]], {}, "is_split_into_words=True"),
        ("a", {"text_pair": 3}, "second text must be a string"),
        (["a"], {"text_pair": "b"}, "must be a list"),
        ("a", {"is_split_into_words": True}, "Split it into words"),
    ],
)
def test_texts(tokenizer, text, call, message):
    if call.get("is_split_into_words"):
        tokenizer = LongformerTokenizer(
            vocab=tokenizer.get_vocab(), add_prefix_space=True
        )
    with pytest.raises(TypeError, match=message) as info:
        tokenizer(text, **call)
    assert "Received: " in str(info.value)


def test_half_characters(tokenizer):
    """Surrogates, as bytes leave them that were read carelessly."""
    wanted = tokenizer("a?b", "?")
    call = {"return_offsets_mapping": True, "truncation": True}
    assert tokenizer("a\ud800b", "\udcff") == wanted
    found = tokenizer(["a\ud800b", "c"], max_length=4, stride=1, **call)
    assert found == tokenizer(["a?b", "c"], max_length=4, stride=1, **call)
    words = LongformerTokenizer.from_pretrained(SMALL, add_prefix_space=True)
    call["is_split_into_words"] = True
    assert words(["a", "\ud800"], ["c"], **call) == words(
        ["a", "?"], ["c"], **call
    )


LONG = "many words of a long text"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"text_pair": ["a", "b"], "text": ["a"]}, "as many second texts"),
        ({"padding": "longets"}, "`padding` must be"),
        ({"truncation": "first"}, "`truncation` must be"),
        ({"padding_side": "up"}, "`padding_side` must be"),
        ({"return_tensors": "pt"}, "take the arrays of 'np'"),
        ({"max_length": -1}, "`max_length` must be"),
        ({"max_length": 2.5}, "`max_length` must be"),
        ({"stride": True}, "`stride` must be"),
        ({"pad_to_multiple_of": 0}, "`pad_to_multiple_of` must be"),
        ({"truncation": True, "max_length": 1}, "leave room for the 2"),
        (
            {"truncation": True, "max_length": 3, "text_pair": "a"},
            "leave room for the 4",
        ),
        (
            {"truncation": True, "max_length": 6, "stride": 4},
            "a stride of at most 3",
        ),
        (
            {
                "truncation": True,
                "max_length": 6,
                "stride": 5,
                "add_special_tokens": False,
            },
            "`stride` must be smaller",
        ),
        (
            {"truncation": True, "max_length": 10, "stride": 5,
             "text_pair": LONG},
            "smaller than the tokens of a piece",
        ),
        (
            {"truncation": "only_second", "max_length": 6, "text_pair": LONG},
            "Use truncation='longest_first'",
        ),
        (
            {"truncation": "only_second", "max_length": 5},
            "needs pairs",
        ),
        (
            {"truncation": True, "max_length": 9, "padding": True,
             "pad_to_multiple_of": 4},
            "Use max_length=8",
        ),
        ({"is_split_into_words": True}, "`add_prefix_space=True`"),
    ],
)  # fmt: skip
def test_values(tokenizer, call, message):
    call = {"text": LONG, **call}
    with pytest.raises(ValueError, match=message) as info:
        tokenizer(**call)
    assert "Received: " in str(info.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"pad_to_max_length": True}, "pass `padding='max_length'`"),
        ({"truncation_strategy": "only_first"}, "pass `truncation=...`"),
        ({"trunctation": True}, "unknown \\['trunctation'\\]. Correct"),
    ],
)
@pytest.mark.parametrize("name", ["__call__", "encode", "encode_plus"])
def test_arguments_of_old_code(tokenizer, name, call, message):
    with pytest.raises(TypeError, match=message):
        getattr(tokenizer, name)("a", **call)


@pytest.mark.parametrize("ids", ["text", None, [1.5], [[0, "a"]]])
def test_what_are_no_ids(tokenizer, ids):
    for name in ("decode", "batch_decode", "convert_ids_to_tokens"):
        with pytest.raises(TypeError, match="must be whole numbers.*Received"):
            getattr(tokenizer, name)(ids)


def test_what_are_no_tokens(tokenizer):
    with pytest.raises(TypeError, match="use `convert_ids_to_tokens`"):
        tokenizer.convert_tokens_to_ids(3)
    with pytest.raises(TypeError, match="a string or an AddedToken"):
        tokenizer.add_tokens(3)
    with pytest.raises(TypeError, match="`tokenize` takes one text"):
        tokenizer.tokenize(["a", "b"])


def test_rows_of_several_lengths(tokenizer):
    with pytest.raises(ValueError, match="rows of 3 to 4"):
        tokenizer(["a", "a b"], return_tensors="np")


def test_no_pad_token(tokenizer):
    bare = LongformerTokenizer(vocab=tokenizer.get_vocab(), pad_token=None)
    assert bare.pad_token_id is None
    with pytest.raises(ValueError, match=r"needs a pad token"):
        bare(["a"], padding=True)


def test_padding(tokenizer):
    with pytest.raises(TypeError, match="must be a mapping"):
        tokenizer.pad([[0, 1]])
    with pytest.raises(ValueError, match="must have `input_ids`"):
        tokenizer.pad({"attention_mask": [1]})
    with pytest.raises(ValueError, match="as many rows"):
        tokenizer.pad({"input_ids": [[0], [1]], "labels": [[1]]})
    with pytest.raises(ValueError, match="the same inputs"):
        tokenizer.pad([{"input_ids": [0]}, {"input_ids": [0], "a": [1]}])


def test_two_lists_with_special_tokens(tokenizer):
    with pytest.raises(ValueError, match="are one list"):
        tokenizer.get_special_tokens_mask([0], [1], True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "needs vocab.json and merges.txt"),
        ({"vocab": {"a": 0, "b": 0}}, r"id 0 for \['a', 'b'\]"),
        ({"vocab": {"a": "0"}}, "whole numbers"),
        ({"vocab": {"a": 0}, "merges": [("a", "b")]}, "'b' is not in"),
        (
            {"vocab": {"a": 0, "b": 1}, "merges": [("a", "b")]},
            "'ab' is not",
        ),
        ({"vocab": ["a"]}, "a mapping of tokens to ids"),
        ({"vocab": {"a": 0}, "merges": ["a b"]}, "must be pairs of tokens"),
        ({"vocab": {"a": 0}, "padding_side": "x"}, "`padding_side`"),
        ({"vocab": {"a": 0}, "cls_token": None}, "need a `cls_token`"),
    ],
)
def test_making_one(arguments, message):
    errors = (ValueError, TypeError, FileNotFoundError)
    with pytest.raises(errors, match=message):
        LongformerTokenizer(**arguments)("a")


def test_a_token_that_is_none():
    with pytest.raises(TypeError, match="must be a string or an AddedToken"):
        LongformerTokenizer(vocab={"a": 0}, mask_token=3)
