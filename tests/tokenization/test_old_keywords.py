"""Arguments that code for transformers passes to tokenizers."""

import numpy as np
import pytest
from tokenization.conftest import SMALL


def test_what_labels_ignore_is_no_id(tokenizer):
    labels = np.array([[10, -100, 11], [12, 13, -100]])
    for call in (tokenizer.decode, tokenizer.batch_decode):
        with pytest.raises(ValueError, match=r"Received: -100.*np\.where"):
            call(labels)
    with pytest.raises(ValueError, match="Received: -1"):
        tokenizer.decode(-1)
    fixed = np.where(labels < 0, tokenizer.pad_token_id, labels)
    texts = tokenizer.batch_decode(fixed, skip_special_tokens=True)
    assert texts == [tokenizer.decode([10, 11]), tokenizer.decode([12, 13])]
    # Others that there are not give nothing, as before.
    assert tokenizer.decode([10, 99999]) == tokenizer.decode([10])


def test_spaces_between_special_tokens(tokenizer):
    ids = tokenizer("a b")["input_ids"]
    for value in (True, False):
        options = {"spaces_between_special_tokens": value}
        assert tokenizer.decode(ids, **options) == "<s>a b</s>"
        assert tokenizer.batch_decode([ids], **options) == ["<s>a b</s>"]


def test_lower_case(kind, tokenizer):
    vocab = tokenizer.get_vocab()
    assert kind(vocab=vocab, do_lower_case=False)("A") == tokenizer("A")
    for make in (
        lambda: kind(vocab=vocab, do_lower_case=True),
        lambda: kind.from_pretrained(SMALL, do_lower_case=True),
    ):
        with pytest.raises(TypeError, match=r"do_lower_case=True.*lower\(\)"):
            make()
    with pytest.raises(TypeError, match="nothing=1. Correct the name"):
        kind(vocab=vocab, nothing=1)


def test_keywords_of_loading(kind, tokenizer):
    for value in (True, False):
        loaded = kind.from_pretrained(
            SMALL, use_fast=value, trust_remote_code=value
        )
        assert loaded("a b") == tokenizer("a b")
        assert loaded.get_config() == tokenizer.get_config()


def test_keywords_of_saving(kind, tokenizer, tmp_path):
    tokenizer.save_pretrained(
        tmp_path, legacy_format=None, filename_prefix=None, push_to_hub=False
    )
    assert kind.from_pretrained(tmp_path)("a b") == tokenizer("a b")
    for keywords, message in (
        ({"push_to_hub": True}, r"Call `push_to_hub\(repo_id\)`"),
        ({"legacy_format": False}, "legacy_format=False. Leave it out"),
        ({"filename_prefix": "a"}, "`save_vocabulary"),
        ({"folder": "a"}, "folder='a'. Correct the name"),
    ):
        with pytest.raises(TypeError, match=message):
            tokenizer.save_pretrained(tmp_path / "new", **keywords)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("tensors", [None, "np"])
def test_targets(tokenizer, tensors):
    texts, targets = ["a b", "c"], ["b", "c d e"]
    options = {"truncation": True, "max_length": 4, "padding": "max_length"}
    for text, target in ((texts, targets), (texts[0], targets[1])):
        found = tokenizer(
            text, text_target=target, return_tensors=tensors, **options
        )
        assert list(found) == ["input_ids", "attention_mask", "labels"]
        for name, given in (("input_ids", text), ("labels", target)):
            wanted = tokenizer(given, return_tensors=tensors, **options)
            np.testing.assert_array_equal(found[name], wanted["input_ids"])
    assert tokenizer(text_target=targets) == tokenizer(targets)
    pairs = tokenizer("a", "b", text_target="c", text_pair_target="d")
    assert pairs["labels"] == tokenizer("c", "d")["input_ids"]
    with pytest.raises(TypeError, match="A text must be a string"):
        tokenizer()
