"""New vocabularies of the user's texts."""

import pytest
from tokenizers import AddedToken

TEXTS = ["the long document " * 20, "another long text, longer " * 20]


def test_from_texts(kind):
    found = kind.train_from_iterator(TEXTS, vocab_size=300, show_progress=False)
    assert found.all_special_ids == [0, 2, 3, 1, len(found) - 1]
    assert found.get_vocab()["<pad>"] == 1
    assert 260 < len(found) <= 300
    assert found.decode(found.encode("日本 any text"), True) == "日本 any text"
    assert len(found.tokenize(" long document")) == 2
    assert found.tokenize("a <mask>")[-1] == " <mask>"


def test_both_kinds_learn_the_same(kind):
    from tf_longformer import LongformerTokenizerFast

    texts = [TEXTS, TEXTS[:1]]
    one, two = (
        each.train_from_iterator(texts, 290, show_progress=False)
        for each in (kind, LongformerTokenizerFast)
    )
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


@pytest.mark.parametrize(
    ("texts", "size", "error", "message"),
    [
        ("one text", 300, TypeError, r"Pass `\[text\]`"),
        (TEXTS, 100, ValueError, "room for 256 bytes"),
        ([1, 2], 300, TypeError, "."),
    ],
)
def test_bad_input(kind, texts, size, error, message):
    with pytest.raises(error, match=message):
        kind.train_from_iterator(texts, size, show_progress=False)
