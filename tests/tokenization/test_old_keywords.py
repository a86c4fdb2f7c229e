"""Arguments that code for transformers passes to tokenizers."""

import json

import numpy as np
import pytest
from tokenization.conftest import SMALL

from tf_longformer import LongformerTokenizer


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


def test_lower_case(tokenizer):
    vocab = tokenizer.get_vocab()
    assert LongformerTokenizer(vocab=vocab, do_lower_case=False)(
        "A"
    ) == tokenizer("A")
    for make in (
        lambda: LongformerTokenizer(vocab=vocab, do_lower_case=True),
        lambda: LongformerTokenizer.from_pretrained(SMALL, do_lower_case=True),
    ):
        with pytest.raises(TypeError, match=r"do_lower_case=True.*lower\(\)"):
            make()
    with pytest.raises(TypeError, match="nothing=1. Correct the name"):
        LongformerTokenizer(vocab=vocab, nothing=1)


def test_keywords_of_loading(tokenizer):
    for value in (True, False):
        loaded = LongformerTokenizer.from_pretrained(
            SMALL, use_fast=value, trust_remote_code=value
        )
        assert loaded("a b") == tokenizer("a b")
        assert loaded.get_config() == tokenizer.get_config()


def test_keywords_of_saving(tokenizer, tmp_path):
    tokenizer.save_pretrained(
        tmp_path, legacy_format=None, filename_prefix=None, push_to_hub=False
    )
    assert LongformerTokenizer.from_pretrained(tmp_path)("a b") == tokenizer(
        "a b"
    )
    for keywords, message in (
        ({"push_to_hub": True}, r"Call `push_to_hub\(repo_id\)`"),
        ({"legacy_format": False}, "legacy_format=False. Leave it out"),
        ({"filename_prefix": "a"}, "`save_vocabulary"),
        ({"folder": "a"}, "folder='a'. Correct the name"),
    ):
        with pytest.raises(TypeError, match=message):
            tokenizer.save_pretrained(tmp_path / "new", **keywords)
    assert not (tmp_path / "new").exists()


def test_files_of_other_folders(tokenizer, tmp_path):
    prefixed = LongformerTokenizer.from_pretrained(SMALL)
    prefixed.add_tokens("NEW")
    prefixed.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer.json"
    found = LongformerTokenizer.from_pretrained(SMALL, tokenizer_file=path)
    assert found.tokenize("NEW") == ["NEW"]
    names = {name: tmp_path / name for name in ("vocab.json", "merges.txt")}
    other = LongformerTokenizer.from_pretrained(
        SMALL, vocab_file=names["vocab.json"], merges_file=names["merges.txt"]
    )
    assert other("NEW") == tokenizer("NEW")
    for options in ({"tokenizer_file": None}, {"from_slow": True}):
        loaded = LongformerTokenizer.from_pretrained(SMALL, **options)
        assert loaded.get_config() == tokenizer.get_config()
    assert LongformerTokenizer(tokenizer_file=path, from_slow=True).tokenize(
        "NEW"
    ) == ["NEW"]


def test_max_len(tmp_path, tokenizer):
    tokenizer.save_pretrained(tmp_path)
    path = tmp_path / "tokenizer_config.json"
    config = json.loads(path.read_text("utf-8"))
    del config["model_max_length"]
    path.write_text(json.dumps({**config, "max_len": 16}))
    found = LongformerTokenizer.from_pretrained(tmp_path)
    assert found.model_max_length == 16
    assert len(found("a " * 99, truncation=True)["input_ids"]) == 16
    found = LongformerTokenizer.from_pretrained(tmp_path, max_len=8)
    assert found.model_max_length == 8
    path.write_text(
        json.dumps({**config, "max_len": 16, "model_max_length": 20})
    )
    found = LongformerTokenizer.from_pretrained(tmp_path)
    assert found.model_max_length == 20
    assert "max_len" not in found.init_kwargs


def test_what_it_was_made_with(tokenizer):
    found = tokenizer.init_kwargs
    assert found["name_or_path"] == str(SMALL)
    assert (found["mask_token"], found["errors"]) == ("<mask>", "replace")
    assert found["model_input_names"] == ["input_ids", "attention_mask"]


PREPARED = [
    ({}, {"input_ids": [0, 4, 5, 6, 10, 2], "attention_mask": [1] * 6}),
    (
        {"pair_ids": [7, 8, 9], "truncation": True, "max_length": 7},
        {"input_ids": [0, 4, 5, 2, 2, 7, 2], "attention_mask": [1] * 7},
    ),
    (
        {"padding": "max_length", "max_length": 8},
        {
            "input_ids": [0, 4, 5, 6, 10, 2, 1, 1],
            "attention_mask": [1] * 6 + [0] * 2,
        },
    ),
    (
        {
            "max_length": 4,
            "truncation": True,
            "stride": 1,
            "return_overflowing_tokens": True,
        },
        {
            "overflowing_tokens": [5, 6, 10],
            "num_truncated_tokens": 2,
            "input_ids": [0, 4, 5, 2],
            "attention_mask": [1] * 4,
        },
    ),
    (
        {"add_special_tokens": False, "return_length": True},
        {
            "input_ids": [4, 5, 6, 10],
            "attention_mask": [1] * 4,
            "length": 4,
        },
    ),
]


@pytest.mark.parametrize(("call", "wanted"), PREPARED)
def test_ids_to_rows(tokenizer, call, wanted):
    """The values are those of transformers 4.57.1."""
    assert dict(tokenizer.prepare_for_model([4, 5, 6, 10], **call)) == wanted


def test_ids_to_rows_in_arrays(tokenizer):
    for axis, shape in ((False, (6,)), (True, (1, 6))):
        found = tokenizer.prepare_for_model(
            np.array([4, 5, 6, 10]),
            return_tensors="np",
            prepend_batch_axis=axis,
            return_special_tokens_mask=True,
        )
        assert found["input_ids"].shape == shape
        assert found["special_tokens_mask"].sum() == 2
    with pytest.raises(ValueError, match="Use truncation='longest_first'"):
        tokenizer.prepare_for_model(
            [4, 5], [6, 7], truncation="only_second", max_length=5
        )
    with pytest.raises(ValueError, match="isn't of one text"):
        tokenizer.prepare_for_model(
            [4, 5],
            [6, 7],
            truncation=True,
            max_length=5,
            return_overflowing_tokens=True,
        )


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
