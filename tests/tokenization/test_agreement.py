"""The tokenizer in Python and the one in Rust give the same, always."""

import functools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from oracles.tokenizer_oracle import observe
from tokenization.strategies import TEXTS
from tokenization.strategies import calls
from tokenizers import AddedToken

from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast

SMALL = Path(__file__).parents[1] / "golden/tokenizer/small"
ADDED = [
    AddedToken("NEW"),
    AddedToken("new word", rstrip=True, single_word=True),
    AddedToken("é", lstrip=True, rstrip=True, normalized=False),
    AddedToken("abc"),
    AddedToken("bcd", normalized=False, lstrip=True),
    AddedToken("\n"),
]


@functools.cache
def both(prefix, trim, side, added=True):
    made = []
    for kind in (LongformerTokenizerFast, LongformerTokenizer):
        tokenizer = kind.from_pretrained(
            SMALL,
            add_prefix_space=prefix,
            trim_offsets=trim,
            truncation_side=side,
        )
        if added:
            tokenizer.add_tokens(ADDED)
        made.append(tokenizer)
    return made


SETTINGS = st.tuples(
    st.booleans(), st.booleans(), st.sampled_from(["left", "right"])
)


@given(SETTINGS, calls())
@settings(max_examples=60)
def test_texts(chosen, call):
    fast, slow = both(*chosen)
    assert observe(slow, call) == observe(fast, call)


@given(st.booleans(), st.sampled_from(["left", "right"]), calls(words=True))
@settings(max_examples=40)
def test_words(trim, side, call):
    fast, slow = both(True, trim, side)
    assert observe(slow, call) == observe(fast, call)


@given(st.lists(st.integers(0, 720), max_size=20), st.booleans())
@settings(max_examples=40)
def test_decoding_any_ids(ids, skip):
    fast, slow = both(False, True, "right")
    assert slow.decode(ids, skip) == fast.decode(ids, skip)
    assert slow.convert_ids_to_tokens(ids) == fast.convert_ids_to_tokens(ids)


@given(TEXTS)
@settings(max_examples=40)
def test_nothing_is_lost(text):
    """Without stripping tokens, decoding gives back every text."""
    for tokenizer in both(False, True, "right", added=False):
        if "<mask>" not in text:
            ids = tokenizer.encode(text, add_special_tokens=False)
            assert tokenizer.decode(ids) == text


@pytest.mark.parametrize(
    "text", ["é \n bcd", "é é", "é  é bcd", " bcd  bcd ", "new word  abc"]
)
def test_added_tokens_that_want_the_same_spaces(text):
    fast, slow = both(False, True, "right")
    call = {"text": text, "return_offsets_mapping": True}
    assert observe(slow, call) == observe(fast, call)


@pytest.mark.parametrize(
    "merges",
    [
        ["ab c", "b c", "a b", "a bc", "d d", "abc dd", "b c"],
        # One that is overtaken: its right part has gone into another.
        ["b c", "a b", "a bc", "c d", "bc d"],
    ],
)
def test_merges_in_any_order(merges):
    """Lists that no training would make: lower ranks made late, twice."""
    letters = "abcd"
    vocab = {letter: n for n, letter in enumerate(letters)}
    merges = [tuple(merge.split()) for merge in merges]
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    fast, slow = (
        kind(vocab=vocab, merges=merges)
        for kind in (LongformerTokenizerFast, LongformerTokenizer)
    )

    @given(st.text(letters, max_size=12))
    def check(text):
        assert slow.encode(text) == fast.encode(text)

    check()


def test_bytes_without_a_token_are_dropped():
    fast, slow = (
        kind(vocab={"a": 0, "b": 1, "ab": 2}, merges=[("a", "b")])
        for kind in (LongformerTokenizerFast, LongformerTokenizer)
    )
    for text in ("ab", "axb", "xyz", "a b"):
        assert slow.encode(text) == fast.encode(text)


def test_a_very_long_word():
    """Linear in practice: a word of 100,000 letters in a second or so."""
    fast, slow = both(False, True, "right")
    word = "thelongformer" * 8000
    assert slow.encode(word) == fast.encode(word)
