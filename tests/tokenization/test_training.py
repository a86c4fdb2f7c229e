"""New vocabularies of the user's texts."""

import pytest
from tokenizers import AddedToken

from tf_longformer import LongformerTokenizer

TEXTS = ["the long document " * 20, "another long text, longer " * 20]


def test_from_texts():
    found = LongformerTokenizer.train_from_iterator(
        TEXTS, vocab_size=300, show_progress=False
    )
    assert found.all_special_ids == [0, 2, 3, 1, len(found) - 1]
    assert found.get_vocab()["<pad>"] == 1
    assert 260 < len(found) <= 300
    assert found.decode(found.encode("日本 any text"), True) == "日本 any text"
    assert len(found.tokenize(" long document")) == 2
    assert found.tokenize("a <mask>")[-1] == " <mask>"


def test_from_lists_of_texts():
    options = {"vocab_size": 290, "show_progress": False}
    one = LongformerTokenizer.train_from_iterator([TEXTS, TEXTS[:1]], **options)
    flat = [*TEXTS, TEXTS[0]]
    two = LongformerTokenizer.train_from_iterator(iter(flat), **options)
    assert one.get_config() == two.get_config()


def test_from_another_tokenizer(tokenizer):
    tokenizer.model_max_length = 77
    tokenizer.padding_side = "left"
    found = tokenizer.train_new_from_iterator(
        iter(TEXTS),
        vocab_size=310,
        length=2,
        new_special_tokens=["<a>", AddedToken("<b>", lstrip=True)],
        special_tokens_map={"<mask>": "[MASK]"},
        min_frequency=3,
        show_progress=False,
    )
    assert type(found) is type(tokenizer)
    assert (found.model_max_length, found.padding_side) == (77, "left")
    assert found.mask_token == "[MASK]"
    assert found.tokenize("x [MASK] <b>") == ["x", " [MASK]", " <b>"]
    assert len(found.additional_special_tokens) == 2
    assert len(found) <= 310


def test_a_size_below_that_of_the_alphabet(tokenizer):
    """As in transformers: all bytes are there, and the special tokens."""
    options = {"show_progress": False, "new_special_tokens": ["<n>"]}
    for size in (0, 100, 262):
        found = tokenizer.train_new_from_iterator(TEXTS, size, **options)
        assert len(found) == 256 + 5 + 1
        assert found.decode(found.encode("日本"), True) == "日本"


@pytest.mark.parametrize(
    ("texts", "size", "error", "message"),
    [
        ("one text", 300, TypeError, r"Pass `\[text\]`"),
        (TEXTS, "300", ValueError, "`vocab_size` must be an integer"),
        ([1, 2], 300, TypeError, "."),
    ],
)
def test_bad_input(texts, size, error, message):
    with pytest.raises(error, match=message):
        LongformerTokenizer.train_from_iterator(
            texts, size, show_progress=False
        )
