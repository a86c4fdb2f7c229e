"""WordPiece in the graph gives what the tokenizer gives."""

import itertools
import json

import numpy as np
import pytest
import tensorflow as tf
from graph_tokenization.conftest import EVERYTHING
from graph_tokenization.conftest import expected
from helpers import small_pipelines
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from tokenization.strategies import PIECES
from tokenizers import AddedToken
from tokenizers import Tokenizer
from tokenizers import models
from tokenizers import normalizers
from tokenizers import pre_tokenizers
from tokenizers import processors

from tf_longformer import LongformerTextPreprocessor
from tf_longformer import LongformerTokenizer
from tf_longformer.graph_tokenization.word_pieces import WordPieces
from tf_longformer.graph_tokenization.words import read_characters

ADDED = [
    AddedToken("NEW"),
    AddedToken("new word", rstrip=True, single_word=True),
    AddedToken("Café", single_word=True),
    AddedToken("é", lstrip=True, rstrip=True, normalized=False),
    AddedToken("\u0323\u0301", normalized=False),
    AddedToken("abc"),
    AddedToken("bcd", normalized=False),
    AddedToken("文", single_word=True, normalized=False),
]
# Marks of several classes, in no order, some of which no normalizer takes away
# or that take others apart; letters that become two, and others' control
# characters.
MARKS = [
    *"\u0301\u0323\u0334\u0345\u0344\u302e\u0901\u0f71\u0f73\u05b0",
    *"\U0001d165\U0001d16d\U0001d15e\U0001d160\u1e9b\u1ec7\u0958각",
    *"İıΣςẞßǅ中文豈\u3400\U00020000\x0b\x0c\u200e\ue000#$+<=>^`|~¡§«",
    *("café", "Hello", "document", "##a", "[MASK]", "[CLS]", "wörld."),
]
TEXT = st.lists(st.sampled_from(PIECES + MARKS), max_size=25).map("".join)
TEXTS = st.one_of(st.text(max_size=20), TEXT)
ROWS = st.lists(st.tuples(TEXTS, TEXTS), min_size=20, max_size=40)


def make(library=None, added=ADDED, **arguments):
    tokenizer = LongformerTokenizer(
        tokenizer_object=library or small_pipelines.wordpiece(), **arguments
    )
    tokenizer.add_tokens(list(added))
    return tokenizer


def check(tokenizer, rows, layer=None, where="question", **call):
    """Compares all of a layer's outputs, of single texts and of pairs."""
    layer = layer or LongformerTextPreprocessor(
        tokenizer, global_attention=where, **call, **EVERYTHING
    )
    first, second = map(list, zip(*rows, strict=True))
    for texts in ((first,), (first, second)):
        found = layer(*texts)
        wanted = expected(
            tokenizer, first, *(texts[1:] or [None]), where, **call
        )
        assert set(found) == set(wanted)
        for name, value in wanted.items():
            np.testing.assert_array_equal(found[name], value, name)


def draw_rows(count):
    """Rows that are the same at each run."""
    rng = np.random.default_rng(0)
    pieces = PIECES + MARKS
    texts = [
        "".join(pieces[i] for i in rng.integers(len(pieces), size=25))
        for _ in range(2 * count)
    ]
    return list(zip(texts[:count], texts[count:], strict=True))


def test_pairs_with_added_tokens():
    check(make(), [("", ""), (" \u0301", "a"), *draw_rows(60)])


@pytest.mark.slow
def test_any_text():
    tokenizer = make()
    layer = LongformerTextPreprocessor(
        tokenizer, global_attention="question", **EVERYTHING
    )

    @given(ROWS)
    @settings(max_examples=20)
    def check_rows(rows):
        check(tokenizer, rows, layer)

    check_rows()


CASED = {"strip_accents": False, "lowercase": False}


def test_cut_rows_of_cased_text():
    tokenizer = make(
        small_pipelines.wordpiece(clean_text=False, **CASED),
        truncation_side="left",
        padding_side="left",
    )
    rows = [("İ\u0323\u0301 a" * 9, "Hello, é " * n) for n in range(9)]
    call = {"max_length": 12, "truncation": "longest_first"}
    check(tokenizer, rows, where="choices", **call)


@pytest.mark.slow
@pytest.mark.parametrize("clean_text", [True, False])
@pytest.mark.parametrize("handle_chinese_chars", [True, False])
def test_every_option(clean_text, handle_chinese_chars):
    for strip, lower in itertools.product((True, False, None), (True, False)):
        library = small_pipelines.wordpiece(
            clean_text=clean_text,
            handle_chinese_chars=handle_chinese_chars,
            strip_accents=strip,
            lowercase=lower,
        )
        check(make(library), draw_rows(100))


NORMALIZERS = [
    None,
    normalizers.NFD(),
    normalizers.Sequence(
        [
            normalizers.NFD(),
            normalizers.Lowercase(),
            normalizers.StripAccents(),
        ]
    ),
    # Letters are taken apart behind lower case, and twice.
    normalizers.Sequence(
        [
            normalizers.Lowercase(),
            normalizers.Sequence([normalizers.NFD()]),
            normalizers.BertNormalizer(),
            normalizers.NFD(),
        ]
    ),
    normalizers.Sequence([normalizers.Lowercase(), normalizers.NFD()]),
    normalizers.Sequence(
        [
            normalizers.BertNormalizer(strip_accents=False),
            normalizers.NFD(),
        ]
    ),
]
SPLITTERS = [
    pre_tokenizers.Whitespace(),
    pre_tokenizers.WhitespaceSplit(),
    pre_tokenizers.Sequence(
        [pre_tokenizers.Punctuation("isolated"), pre_tokenizers.Whitespace()]
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(NORMALIZERS)))
def test_other_pipelines(number):
    for splitter in SPLITTERS:
        library = small_pipelines.wordpiece()
        library.normalizer = NORMALIZERS[number]
        library.pre_tokenizer = splitter
        check(make(library), draw_rows(100))


def make_pieces(tokens, **options):
    """A tokenizer of a few pieces, without special tokens around texts."""
    vocab = {token: index for index, token in enumerate(["[UNK]", *tokens])}
    library = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]", **options))
    library.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    library.post_processor = processors.TemplateProcessing(
        single="$A", pair="$A $B:1", special_tokens=[]
    )
    return LongformerTokenizer(tokenizer_object=library, pad_token="[UNK]")


@pytest.mark.parametrize(
    ("prefix", "limit"), [("##", 100), ("", 6), ("@@é", 4)]
)
def test_longest_matches(prefix, limit):
    """Every word of two letters, where most tokens are another's beginning."""
    inside = ["a", "ab", "bba", "abab", "#", "é"]
    tokens = ["a", "b", "ab", "abb", "ba", prefix, *map(prefix.__add__, inside)]
    tokenizer = make_pieces(
        dict.fromkeys(filter(None, tokens)),
        continuing_subword_prefix=prefix,
        max_input_chars_per_word=limit,
    )
    words = [
        "".join(letters)
        for size in range(8)
        for letters in itertools.product("ab", repeat=size)
    ]
    words += ["ab##a #", "##ab", "@@éab aé", "a" * 99, "xa", "é", prefix]
    check(tokenizer, [(word, f"{word} ab") for word in words])


def test_a_long_word_among_many():
    tokenizer = make_pieces(
        ["a", "##a", "b", "##bb"], max_input_chars_per_word=10**6
    )
    # The library takes the cube of a word's length.
    texts = ["a" * 700, "b bb bbb " * 1_000]
    found = LongformerTextPreprocessor(tokenizer)(texts)
    wanted = tokenizer(texts, padding=True)["input_ids"]
    np.testing.assert_array_equal(found["input_ids"], wanted)


def test_bytes_and_shapes():
    tokenizer = make(added=())
    call = {"max_length": 8, "padding": "max_length"}
    layer = LongformerTextPreprocessor(tokenizer, **call)
    texts = [b"a\xff b", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"a\x00b", b""]
    decoded = [text.decode("utf-8", "replace") for text in texts]
    wanted = tokenizer(decoded, **call)
    found = layer(tf.constant(texts))
    np.testing.assert_array_equal(found["input_ids"], wanted["input_ids"])
    both = layer([["a"], ["b"]], [["é", "y z", "w"], ["中文", "v", ""]])
    assert both["token_type_ids"].shape == (2, 3, 8)
    row = tokenizer("b", "v", **call)
    for name, value in row.items():
        assert both[name][1, 1].numpy().tolist() == value
    assert layer(tf.zeros([0], tf.string))["input_ids"].shape == (0, 8)
    again = LongformerTextPreprocessor.from_config(layer.get_config())
    assert again(["Héllo"])["input_ids"].numpy().tolist() == [
        tokenizer("Héllo", **call)["input_ids"]
    ]
    without = LongformerTextPreprocessor(tokenizer, return_token_type_ids=False)
    assert "token_type_ids" not in without(["a"])


def _with(**parts):
    content = json.loads(small_pipelines.wordpiece().to_str())
    content["model"].update(parts.pop("model", {}))
    return {**content, **parts}


PUNCTUATION = {"type": "Punctuation", "behavior": "Isolated"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            json.loads(small_pipelines.unigram().to_str()),
            "must be byte-level BPE or WordPiece. Received: Unigram",
        ),
        (_with(normalizer={"type": "NFKC"}), "its normalizer must be of"),
        (_with(pre_tokenizer=None), "its pre-tokenizer must be of"),
        (
            _with(
                pre_tokenizer={"type": "Punctuation", "behavior": "Isolated"}
            ),
            "and cut at spaces. Received: BertNormalizer, Punctuation",
        ),
        (_with(model={"unk_token": "?"}), "must have its unk_token, '?'"),
    ],
)
def test_what_a_graph_has_not(content, message):
    tokenizer = LongformerTokenizer(tokenizer_object=content)
    with pytest.raises(ValueError, match=message):
        LongformerTextPreprocessor(tokenizer)


CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
STEP = 1 << 15
# Within a word, beside spaces, and between marks of other classes.
CONTEXT = "a{0}b {0}\u0323{0}\u0301 "


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"clean_text": False, "strip_accents": True, "lowercase": False}],
)
def test_every_character(options):
    library = small_pipelines.wordpiece(**options)
    graph = WordPieces(make(library, added=()))
    for start in range(0, len(CODES), STEP):
        codes = CODES[start : start + STEP]
        text = "".join(CONTEXT.format(chr(code)) for code in codes)
        chars = graph.normalize(read_characters([text], graph.characters))
        normal = library.normalizer.normalize_str(text)
        wanted = np.frombuffer(normal.encode("utf-32-le"), "int32")
        which = f"of {start:X} and on"
        np.testing.assert_array_equal(chars.codes, wanted, which)
        chars, starts = graph.split(chars)
        cut = library.pre_tokenizer.pre_tokenize_str(normal)
        kept = "".join(word for word, _ in cut)
        kept = np.frombuffer(kept.encode("utf-32-le"), "int32")
        np.testing.assert_array_equal(chars.codes, kept, which)
        begins = np.cumsum([0, *(len(word) for word, _ in cut)])[:-1]
        np.testing.assert_array_equal(np.flatnonzero(starts), begins, which)
