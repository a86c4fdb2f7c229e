"""What holds of every text, and of merges that no training would make."""

import functools
import itertools

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from tokenization.conftest import SMALL
from tokenization.strategies import TEXTS
from tokenization.strategies import calls

from tf_longformer import LongformerTokenizer


@functools.cache
def make(**options):
    return LongformerTokenizer.from_pretrained(SMALL, **options)


@given(TEXTS)
@settings(max_examples=40)
def test_nothing_is_lost(text):
    """Decoding gives back every text without tokens that take spaces."""
    tokenizer = make()
    if "<mask>" not in text:
        ids = tokenizer.encode(text, add_special_tokens=False)
        assert tokenizer.decode(ids) == text


@given(TEXTS)
@settings(max_examples=40)
def test_offsets_are_of_the_text(text):
    """Untrimmed, the characters of all tokens are all characters."""
    encoding = make(trim_offsets=False)(
        text, add_special_tokens=False, return_offsets_mapping=True
    )
    spans = encoding["offset_mapping"]
    covered = {n for start, end in spans for n in range(start, end)}
    assert covered == set(range(len(text)))
    for token, (start, end) in enumerate(spans):
        words = {encoding.char_to_word(n) for n in range(start, end)}
        assert words == {encoding.token_to_word(token)}


@given(calls())
@settings(max_examples=40)
def test_pieces_of_a_row(call):
    """Every row of a call has its `max_length`, and says where it is from."""
    call = {"text_pair": None, **call}
    call |= {"truncation": "longest_first", "max_length": 24, "stride": 0}
    call |= {"return_overflowing_tokens": True, "return_length": True}
    encoding = make()(**call)
    assert all(length <= 24 for length in encoding["length"])
    texts = call["text"] if isinstance(call["text"], list) else [call["text"]]
    origins = encoding["overflow_to_sample_mapping"]
    assert origins == sorted(origins)
    assert {*origins} == {*range(len(texts))}
    assert len(origins) == len(encoding["input_ids"])


@given(st.lists(st.integers(0, 720), max_size=20), st.booleans())
@settings(max_examples=40)
def test_decoding_any_ids(ids, skip):
    """The library's decoder and Python's give the same text."""
    ignoring, replacing = make(errors="ignore"), make()
    text = replacing.decode(ids, skip)
    if "\ufffd" not in text:
        assert ignoring.decode(ids, skip) == text
    assert ignoring.decode(ids, skip) == text.replace("\ufffd", "")


@pytest.mark.parametrize(
    "merges",
    [
        ["ab c", "b c", "a b", "a bc", "d d", "abc dd", "b c"],
        # One that is overtaken: its right part has gone into another.
        ["b c", "a b", "a bc", "c d", "bc d"],
    ],
)
def test_merges_in_any_order(merges):
    """Lower ranks made late, or a merge twice, of which the last counts."""
    letters = "abcd"
    vocab = {letter: n for n, letter in enumerate(letters)}
    merges = [tuple(merge.split()) for merge in merges]
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    tokenizer = LongformerTokenizer(vocab=vocab, merges=merges)
    ranks = {pair: rank for rank, pair in enumerate(merges)}

    def merge(text):
        """The leftmost pair of the lowest rank, one after the other."""
        tokens = list(text)
        while found := [
            (ranks[pair], place)
            for place, pair in enumerate(itertools.pairwise(tokens))
            if pair in ranks
        ]:
            _, place = min(found)
            tokens[place : place + 2] = ["".join(tokens[place : place + 2])]
        return tokens

    @given(st.text(letters, max_size=12))
    def check(text):
        assert tokenizer.tokenize(text) == merge(text)

    check()


def test_bytes_without_a_token_are_dropped():
    tokenizer = LongformerTokenizer(
        vocab={"a": 0, "b": 1, "ab": 2}, merges=[("a", "b")]
    )
    found = {text: tokenizer.tokenize(text) for text in ("ab", "axb", "xyz")}
    assert found == {"ab": ["ab"], "axb": ["ab"], "xyz": []}


def test_a_very_long_word():
    """Of 100,000 letters, in a second or so."""
    tokenizer = make()
    word = "thelongformer" * 8000
    assert tokenizer.decode(tokenizer.encode(word), True) == word
