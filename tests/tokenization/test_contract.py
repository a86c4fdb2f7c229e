"""What the tokenizer promises beside the ids."""

import copy
import json
import pickle

import numpy as np
import pytest
from tokenization.conftest import SMALL
from tokenizers import AddedToken

from tf_longformer import BatchEncoding
from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast


def test_one_class_with_two_names(tokenizer):
    assert LongformerTokenizerFast is LongformerTokenizer is type(tokenizer)
    assert LongformerTokenizer.__name__ == "LongformerTokenizer"
    assert tokenizer.is_fast


def test_special_tokens(tokenizer):
    assert tokenizer.all_special_tokens == [
        *("<s>", "</s>", "<unk>", "<pad>", "<mask>")
    ]
    ids = [tokenizer.bos_token_id, tokenizer.pad_token_id]
    ids += [tokenizer.eos_token_id, tokenizer.unk_token_id]
    assert ids == [0, 1, 2, 3]
    assert tokenizer.mask_token_id == len(tokenizer) - 1 == 699
    assert tokenizer.vocab_size == 699
    tokenizer.pad_token = tokenizer.eos_token
    assert tokenizer.pad_token_id == 2
    assert tokenizer(["a b", "a"], padding=True)["input_ids"][1][-1] == 2
    with pytest.raises(ValueError, match="add_special_tokens"):
        tokenizer.sep_token = "[SEP]"


def test_roles_by_id(tokenizer):
    tokenizer.pad_token_id = 2
    assert tokenizer.pad_token == "</s>"
    for index in (99999, -1):
        with pytest.raises(ValueError, match="`pad_token_id` must be the id"):
            tokenizer.pad_token_id = index
    assert tokenizer.pad_token == "</s>"
    tokenizer.pad_token_id = None
    assert tokenizer.pad_token is None
    tokenizer.pad_token_id = tokenizer.pad_token_id


@pytest.mark.parametrize("name", ["sep_token", "cls_token", "unk_token"])
def test_a_role_without_a_token(tokenizer, tmp_path, name):
    """As in transformers: texts are framed as before."""
    wanted = tokenizer("a", "b")
    setattr(tokenizer, name, None)
    assert getattr(tokenizer, name) is None
    assert getattr(tokenizer, f"{name}_id") is None
    assert name not in tokenizer.special_tokens_map
    # Other roles can be set from then on.
    tokenizer.pad_token = "</s>"
    assert tokenizer.pad_token_id == 2
    tokenizer.save_pretrained(tmp_path)
    saved = LongformerTokenizer.from_pretrained(tmp_path)
    copied = LongformerTokenizer.from_config(tokenizer.get_config())
    for one in (tokenizer, saved, copied):
        assert one("a", "b") == wanted
        assert getattr(one, name) is None
        assert one.build_inputs_with_special_tokens([5]) == [0, 5, 2]
    setattr(tokenizer, name, "<mask>")
    assert (tokenizer("a", "b") == wanted) == (name == "unk_token")


def test_a_constructor_s_advice_helps(tokenizer):
    with pytest.raises(ValueError, match="at their defaults") as info:
        LongformerTokenizer(vocab=tokenizer.get_vocab(), sep_token=None)
    assert "add_special_tokens" not in str(info.value)


def test_additional_tokens_are_set(tokenizer, tmp_path):
    tokenizer.additional_special_tokens = ["<a>", "a"]
    assert tokenizer.additional_special_tokens == ["<a>", "a"]
    assert tokenizer.additional_special_tokens_ids[0] == 700
    assert tokenizer.tokenize("x<a>") == ["x", "<a>"]
    tokenizer.extra_special_tokens_ids = [10, 700]
    names = [tokenizer.convert_ids_to_tokens(10), "<a>"]
    assert tokenizer.extra_special_tokens == names
    assert tokenizer.all_special_tokens[-2:] == names
    tokenizer.save_pretrained(tmp_path)
    found = LongformerTokenizer.from_pretrained(tmp_path)
    assert found.additional_special_tokens_ids == [10, 700]
    with pytest.raises(ValueError, match="must be ids of tokens"):
        tokenizer.additional_special_tokens_ids = [99999]
    assert tokenizer.additional_special_tokens == names
    tokenizer.additional_special_tokens = None
    assert tokenizer.extra_special_tokens_ids == []


def test_tokens_with_names(tokenizer, tmp_path):
    """Of version 5, where a dict names them."""
    found = LongformerTokenizer.from_pretrained(
        SMALL, extra_special_tokens={"image_token": "<img>"}
    )
    found.save_pretrained(tmp_path)
    config = LongformerTokenizer.from_config(found.get_config())
    for one in (
        found,
        LongformerTokenizer.from_pretrained(tmp_path),
        config,
        copy.deepcopy(found),
    ):
        assert (one.image_token, one.image_token_id) == ("<img>", 700)
        assert one.special_tokens_map["image_token"] == "<img>"
        assert one.all_special_ids[-1] == 700
        with pytest.raises(AttributeError, match="no attribute 'video_token'"):
            _ = one.video_token
    path = tmp_path / "tokenizer_config.json"
    named = json.loads(path.read_text("utf-8"))
    named["model_specific_special_tokens"] = named.pop("extra_special_tokens")
    path.write_text(json.dumps(named))
    found = LongformerTokenizer.from_pretrained(tmp_path)
    assert found.image_token_id == 700
    found.add_special_tokens({"extra_special_tokens": ["<b>"]})
    found.add_special_tokens(
        {"extra_special_tokens": ["<c>"]}, replace_extra_special_tokens=False
    )
    assert found.additional_special_tokens == ["<b>", "<c>"]


def test_special_tokens_that_are_cut(tokenizer, tmp_path):
    text = "a <mask> NEW <s>"
    tokenizer.add_tokens("NEW")
    whole = tokenizer.tokenize(text)
    cut = ["a", "Ġ", "<", "mask", ">", "Ġ", "NEW", "Ġ", "<", "s", ">"]
    assert tokenizer.tokenize(text, split_special_tokens=True) == cut
    assert tokenizer.tokenize(text) == whole
    tokenizer.split_special_tokens = True
    tokenizer.save_pretrained(tmp_path)
    for one in (tokenizer, LongformerTokenizer.from_pretrained(tmp_path)):
        assert one.tokenize(text) == cut
        assert one(text, split_special_tokens=False).tokens()[1:-1] == whole


def test_new_special_tokens_stand_around_texts(tokenizer):
    new = {"sep_token": "[SEP]", "additional_special_tokens": ["<a>", "<b>"]}
    assert tokenizer.add_special_tokens(new) == 3
    assert tokenizer.sep_token_id == 700
    assert tokenizer.additional_special_tokens_ids == [701, 702]
    ids = tokenizer("<a>", "[SEP]<b>")["input_ids"]
    assert ids == [0, 701, 700, 700, 700, 702, 700]
    assert tokenizer.decode(ids, skip_special_tokens=True) == ""
    assert tokenizer.add_special_tokens({"cls_token": "<s>"}) == 0
    with pytest.raises(ValueError, match="roles"):
        tokenizer.add_special_tokens({"end_token": "x"})


def test_added_tokens(tokenizer):
    size = len(tokenizer)
    assert tokenizer.add_tokens(["NEW", "NEW", "", "a"]) == 2
    assert len(tokenizer) == size + 1
    assert tokenizer.get_added_vocab()["NEW"] == size
    assert tokenizer.tokenize("xNEWx") == ["x", "NEW", "x"]
    # The same again, with other flags.
    assert tokenizer.add_tokens(AddedToken("NEW", lstrip=True)) == 1
    assert tokenizer.tokenize("x NEWx") == ["x", " NEW", "x"]
    assert tokenizer.add_tokens("SPECIAL", special_tokens=True) == 1
    assert tokenizer.decode([size, size + 1], True) == "NEW"


def test_tokens_and_ids(tokenizer):
    tokens = tokenizer.tokenize("a <mask> wörd")
    ids = tokenizer.convert_tokens_to_ids(tokens[:1] + ["nothing"])
    assert ids == [tokenizer.get_vocab()["a"], 3]
    assert tokenizer.convert_tokens_to_ids("nothing") == 3
    assert tokenizer.convert_ids_to_tokens([0, 5000]) == ["<s>", None]
    assert tokenizer.convert_ids_to_tokens(0) == "<s>"
    assert tokenizer.convert_ids_to_tokens([0, ids[0]], True) == ["a"]
    words = tokenizer.tokenize(" wörd")
    assert tokenizer.convert_tokens_to_string(words) == " wörd"


def test_rows_of_special_tokens(tokenizer):
    a, b = [10, 11], [12]
    single = tokenizer.build_inputs_with_special_tokens(a)
    pair = tokenizer.build_inputs_with_special_tokens(a, b)
    assert (single, pair) == ([0, 10, 11, 2], [0, 10, 11, 2, 2, 12, 2])
    mask = tokenizer.get_special_tokens_mask
    assert mask(a) == [1, 0, 0, 1]
    assert mask(a, b) == [1, 0, 0, 1, 1, 0, 1]
    assert mask(pair, already_has_special_tokens=True) == mask(a, b)
    types = tokenizer.create_token_type_ids_from_sequences(a, b)
    assert types == [0] * 7
    assert tokenizer.num_special_tokens_to_add() == 2
    assert tokenizer.num_special_tokens_to_add(pair=True) == 4


def test_decoding(tokenizer):
    ids = tokenizer("it 's , ok ?")["input_ids"]
    assert tokenizer.decode(ids, True) == "it 's , ok ?"
    cleaned = tokenizer.decode(
        ids, skip_special_tokens=True, clean_up_tokenization_spaces=True
    )
    assert cleaned == "it's, ok?"
    rows = np.array([ids, ids])
    assert tokenizer.batch_decode(rows, True) == ["it 's , ok ?"] * 2
    assert tokenizer.decode(rows, True) == ["it 's , ok ?"] * 2
    assert tokenizer.decode(0) == "<s>"
    assert tokenizer.decode([]) == ""


def test_bytes_that_are_no_text(tokenizer):
    half = tokenizer.tokenize("é")[:1]
    assert tokenizer.convert_tokens_to_string(half) == "\ufffd"
    for errors, text in (("ignore", ""), ("backslashreplace", r"\xc3")):
        other = LongformerTokenizer.from_pretrained(SMALL, errors=errors)
        assert other.convert_tokens_to_string(half) == text
        # An added token stands for itself, whatever its letters.
        other.add_tokens(" new word")
        assert other.decode(other.encode("é new word."), True) == "é new word."
    strict = LongformerTokenizer.from_pretrained(SMALL, errors="strict")
    with pytest.raises(UnicodeDecodeError):
        strict.convert_tokens_to_string(half)


def test_tensors(tokenizer):
    tf = pytest.importorskip("tensorflow")
    arrays = tokenizer(["a b", "c"], padding=True, return_tensors="np")
    assert arrays.input_ids.dtype == np.int64
    found = tokenizer("a b", return_tensors="tf")["input_ids"]
    assert found.dtype == tf.int32
    assert found.shape[0] == 1
    assert tokenizer([], return_tensors="np")["input_ids"].shape == (0,)
    assert tokenizer([])["input_ids"] == []


def test_encoding_as_a_mapping(tokenizer):
    encoding = tokenizer(["a b", "c d e"], return_offsets_mapping=True)
    assert isinstance(encoding, BatchEncoding)
    assert list(encoding) == ["input_ids", "attention_mask", "offset_mapping"]
    assert encoding.input_ids is encoding["input_ids"]
    assert encoding[1].ids == encoding["input_ids"][1]
    assert encoding[:1] == {k: v[:1] for k, v in encoding.items()}
    with pytest.raises(AttributeError, match="its keys"):
        _ = encoding.labels
    with pytest.raises(KeyError, match="row's number"):
        _ = BatchEncoding({"input_ids": [1]})[0]
    with pytest.raises(ValueError, match="tokenizer's call"):
        BatchEncoding({"input_ids": [1]}).word_ids()
    with pytest.raises(IndexError, match="2 rows"):
        encoding.word_ids(2)
    encoding["labels"] = [0, 1]
    for made in (pickle.loads(pickle.dumps(encoding)), copy.deepcopy(encoding)):
        assert made == encoding
        assert made.word_ids(1) == encoding.word_ids(1)


def test_the_way_back_to_the_text(tokenizer):
    encoding = tokenizer("Hello world", "two words")
    last = len(encoding.tokens()) - 2
    assert encoding.sequence_ids()[last] == 1
    assert encoding.char_to_token(0) == 1
    assert encoding.char_to_token(0, 5, sequence_index=1) == last
    assert encoding.token_to_chars(-2).end == 9
    assert encoding.token_to_chars(-2) == encoding.token_to_chars(0, last)
    assert encoding.token_to_chars(0) is None
    assert encoding.token_to_word(-2) == 1
    assert encoding.token_to_sequence(0, 0) is None
    assert encoding.word_to_chars(1, sequence_index=1) == (4, 9)
    assert encoding.word_to_tokens(9) is None
    assert encoding.char_to_word(6) == 1


def test_padding_later(tokenizer):
    rows = [
        {"input_ids": [0, 5, 2], "global_attention_mask": [1, 0, 0]},
        {"input_ids": [0, 2], "global_attention_mask": [1, 0]},
    ]
    found = tokenizer.pad(rows)
    assert found["input_ids"] == [[0, 5, 2], [0, 2, 1]]
    assert found["attention_mask"] == [[1, 1, 1], [1, 1, 0]]
    assert found["global_attention_mask"] == [[1, 0, 0], [1, 0, 0]]
    found = tokenizer.pad(
        {"input_ids": [0, 2]},
        padding="max_length",
        max_length=3,
        pad_to_multiple_of=4,
        padding_side="left",
        return_tensors="np",
    )
    np.testing.assert_array_equal(found["input_ids"], [1, 1, 0, 2])
    arrays = [np.array([0, 5, 2]), np.array([0, 2])]
    assert tokenizer.pad({"input_ids": arrays})["input_ids"].shape == (2, 3)
    assert tokenizer.pad({"input_ids": []})["input_ids"] == []


def test_copies(tokenizer):
    tokenizer.add_tokens("NEW")
    for made in (
        copy.deepcopy(tokenizer),
        pickle.loads(pickle.dumps(tokenizer)),
        type(tokenizer).from_config(tokenizer.get_config()),
    ):
        assert made("a NEW <mask>") == tokenizer("a NEW <mask>")
        made.add_tokens("OTHER")
        assert len(made) == len(tokenizer) + 1
    assert bool(tokenizer)
    assert "vocab_size=699" in repr(tokenizer)


def test_calls_of_several_threads(tokenizer):
    from concurrent.futures import ThreadPoolExecutor

    def call(length):
        ids = tokenizer("a b c d e f g h", truncation=True, max_length=length)
        return len(ids["input_ids"])

    with ThreadPoolExecutor(4) as pool:
        lengths = [3, 5, 7, 9] * 50
        assert list(pool.map(call, lengths)) == lengths


def test_old_names(tokenizer):
    one = tokenizer.encode_plus("a", "b")
    assert tokenizer.batch_encode_plus([("a", "b")])["input_ids"] == [
        one["input_ids"]
    ]
    assert tokenizer.encode("a", "b") == one["input_ids"]


def test_max_length_of_the_model(tokenizer, caplog):
    bounded = LongformerTokenizer(
        vocab=tokenizer.get_vocab(), model_max_length=4
    )
    assert bounded.max_len_single_sentence == 2
    assert bounded.max_len_sentences_pair == 0
    assert len(bounded("abcdefgh", truncation=True)["input_ids"]) == 4
    bounded("abcdefgh")
    bounded("abcdefgh")
    assert len([m for m in caplog.messages if "more than" in m]) == 1
    caplog.clear()
    assert len(tokenizer("abcdefgh", truncation=True)["input_ids"]) > 4
    assert "no `model_max_length`" in caplog.text
