"""WordPiece and Unigram: as the library's own pipelines, with the contract.

What transformers makes of such folders is in `oracles`.
"""

import copy
import json
import pickle

import pytest
from helpers.small_pipelines import TOKENS
from helpers.small_pipelines import unigram
from helpers.small_pipelines import wordpiece

from tf_longformer import LongformerTokenizer
from tf_longformer.data.questions import encode_questions

TEXTS = ["Hello, café's  the 中文 document", "a [MASK] [SEP]\tx😀", ""]
CALL = {"return_offsets_mapping": True, "return_special_tokens_mask": True}


def write(library, folder, **config):
    folder.mkdir(exist_ok=True)
    library.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(params=[wordpiece, unigram])
def library(request):
    return request.param()


@pytest.fixture
def tokenizer(library, tmp_path):
    return LongformerTokenizer.from_pretrained(write(library, tmp_path / "of"))


def test_calls(library, tokenizer):
    for rows in (TEXTS, [(TEXTS[0], text) for text in TEXTS]):
        found = tokenizer(rows, return_token_type_ids=True, **CALL)
        for row, one in enumerate(library.encode_batch(rows)):
            assert found["input_ids"][row] == one.ids
            assert found["token_type_ids"][row] == one.type_ids
            assert found["offset_mapping"][row] == one.offsets
            assert found["special_tokens_mask"][row] == one.special_tokens_mask
            assert found.word_ids(row) == one.word_ids
            for skipped in (False, True):
                text = library.decode(one.ids, skip_special_tokens=skipped)
                assert tokenizer.decode(one.ids, skipped) == text
    # Words need no prefix space, which is of byte-level BPE.
    words = TEXTS[0].split()
    found = tokenizer(words, is_split_into_words=True)["input_ids"]
    assert found == library.encode(words, is_pretokenized=True).ids


def test_rows_of_ids(library, tokenizer):
    a, b = (
        library.encode(text, add_special_tokens=False).ids for text in TEXTS[:2]
    )
    one, two = library.encode(TEXTS[0]), library.encode(*TEXTS[:2])
    build = tokenizer.build_inputs_with_special_tokens
    types = tokenizer.create_token_type_ids_from_sequences
    assert (build(a), build(a, b)) == (one.ids, two.ids)
    assert (types(a), types(a, b)) == (one.type_ids, two.type_ids)
    pair_ends = len(two.ids) - len(a) - len(b)
    assert tokenizer.num_special_tokens_to_add(pair=True) == pair_ends
    row = tokenizer.prepare_for_model(a, b, return_token_type_ids=True)
    assert row["input_ids"] == two.ids
    assert row["token_type_ids"] == two.type_ids
    cut = tokenizer(*TEXTS[:2], truncation="only_second", max_length=40)
    assert len(cut["input_ids"]) <= 40


def test_copies_and_folders(tokenizer, tmp_path):
    tokenizer.add_tokens("NEW")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<a>"]})
    tokenizer.model_max_length = 77
    tokenizer.save_pretrained(tmp_path / "saved")
    saved = LongformerTokenizer.from_pretrained(tmp_path / "saved")
    for other in (
        saved,
        LongformerTokenizer.from_config(tokenizer.get_config()),
        copy.deepcopy(tokenizer),
        pickle.loads(pickle.dumps(tokenizer)),
    ):
        assert other.get_config() == tokenizer.get_config()
        assert other([*TEXTS, "x NEW<a>"]) == tokenizer([*TEXTS, "x NEW<a>"])
    config = json.loads((tmp_path / "saved/tokenizer_config.json").read_text())
    names = {path.name for path in (tmp_path / "saved").iterdir()}
    if tokenizer.pipeline.kind.name == "WordPiece":
        assert config["tokenizer_class"] == "BertTokenizerFast"
        assert config["do_lower_case"] is True
        assert "vocab.txt" in names
        text = (tmp_path / "saved/vocab.txt").read_text("utf-8")
        assert text.splitlines() == TOKENS
    else:
        assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
        assert names.isdisjoint({"vocab.txt", "vocab.json", "merges.txt"})
        with pytest.raises(ValueError, match="Unigram. Save all with"):
            tokenizer.save_vocabulary(tmp_path)


def test_other_tokens_around_texts(tokenizer):
    tokenizer.add_special_tokens({"sep_token": "[END]"})
    tokenizer.cls_token = tokenizer.convert_ids_to_tokens(5)
    ids = tokenizer("a", "b")["input_ids"]
    end = tokenizer.convert_tokens_to_ids("[END]")
    assert ids[0] == 5
    assert ids[-1] == end
    assert ids.count(end) == tokenizer.num_special_tokens_to_add(pair=True) - 1
    tokenizer.sep_token = None
    assert tokenizer("a", "b")["input_ids"] == ids


def test_training(library, tokenizer):
    texts = ["the long document hello café"] * 20
    found = tokenizer.train_new_from_iterator(
        texts,
        vocab_size=60,
        new_special_tokens=["<n>"],
        special_tokens_map={tokenizer.mask_token: "[M]"},
        show_progress=False,
    )
    assert found.pipeline.kind.name == tokenizer.pipeline.kind.name
    first = [t.content for t in tokenizer.pipeline.added.values()]
    first[first.index(tokenizer.mask_token)] = "[M]"
    assert found.convert_ids_to_tokens(range(6)) == [*first, "<n>"]
    assert found.mask_token == "[M]"
    single = found("hello")["input_ids"]
    assert single[0] == found.cls_token_id
    assert single[-1] == found.sep_token_id
    assert found.decode(single, skip_special_tokens=True) == "hello"


def test_a_vocabulary_of_bert_alone(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text("".join(f"{token}\n" for token in TOKENS), "utf-8")
    for config, settings in (
        ({}, {}),
        ({"do_lower_case": False}, {"lowercase": False}),
        (
            {
                "do_lower_case": False,
                "strip_accents": True,
                "tokenize_chinese_chars": False,
                "tokenizer_class": "BertTokenizer",
            },
            {
                "lowercase": False,
                "strip_accents": True,
                "handle_chinese_chars": False,
            },
        ),
    ):
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
        found = LongformerTokenizer.from_pretrained(tmp_path)
        rows = wordpiece(**settings).encode_batch(TEXTS)
        assert found(TEXTS)["input_ids"] == [row.ids for row in rows]
        config.pop("tokenizer_class", None)
        alone = LongformerTokenizer(path, **config)
        assert alone(TEXTS) == found(TEXTS)
    assert found.mask_token == "[MASK]"
    assert found.bos_token is None
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertJapaneseTokenizer"})
    )
    with pytest.raises(ValueError, match="must be the vocabulary of BERT's"):
        LongformerTokenizer.from_pretrained(tmp_path)


def test_settings_of_berts_classes(tmp_path):
    """As in transformers: a class has its defaults, a mere pipeline none."""
    cased = wordpiece(lowercase=False)
    for name, lowered in (("BertTokenizer", True), (None, False)):
        folder = write(cased, tmp_path / str(name), tokenizer_class=name)
        found = LongformerTokenizer.from_pretrained(folder)
        wanted = wordpiece(lowercase=lowered).encode(TEXTS[0]).ids
        assert found(TEXTS[0])["input_ids"] == wanted
        kept = LongformerTokenizer.from_pretrained(folder, do_lower_case=False)
        assert kept(TEXTS[0])["input_ids"] == cased.encode(TEXTS[0]).ids
    # Another class doesn't know these arguments; old ones change nothing.
    for name, lowered in (("PreTrainedTokenizerFast", False), (None, True)):
        folder = write(
            cased,
            tmp_path / f"{name}-with",
            tokenizer_class=name,
            do_lower_case=True,
            strip_accents=None,
            do_basic_tokenize=False,
            never_split=["hello"],
        )
        found = LongformerTokenizer.from_pretrained(folder)
        wanted = wordpiece(lowercase=lowered).encode(TEXTS[0]).ids
        assert found(TEXTS[0])["input_ids"] == wanted
    # The class is the model's, where the tokenizer's config names none.
    folder = write(cased, tmp_path / "of a model", tokenizer_class=None)
    (folder / "config.json").write_text('{"model_type": "bert"}')
    found = LongformerTokenizer.from_pretrained(folder)
    lowered = wordpiece(lowercase=True).encode(TEXTS[0]).ids
    assert found(TEXTS[0])["input_ids"] == lowered
    folder = write(cased, tmp_path / "d", tokenizer_class="DistilBertTokenizer")
    found = LongformerTokenizer.from_pretrained(folder)
    assert list(found("a")) == ["input_ids", "attention_mask"]
    for one in (found, LongformerTokenizer(tokenizer_object=cased)):
        assert one.cls_token == "[CLS]"
    with pytest.raises(TypeError, match=r"do_lower_case=True.*lower\(\)"):
        LongformerTokenizer(tokenizer_object=unigram(), do_lower_case=True)


def test_questions_keep_their_token_types():
    tokenizer = LongformerTokenizer(tokenizer_object=wordpiece())
    pair = "hello", "the long document"
    inputs = encode_questions(tokenizer, *zip(pair), max_length=40).inputs
    wanted = tokenizer(*pair)["token_type_ids"]
    assert inputs["token_type_ids"].tolist() == [wanted]
    assert 1 in wanted


def test_a_model_of_sentencepiece_alone(tmp_path):
    (tmp_path / "sentencepiece.bpe.model").touch()
    for make in (
        lambda: LongformerTokenizer.from_pretrained(tmp_path),
        lambda: LongformerTokenizer(tmp_path / "sentencepiece.bpe.model"),
    ):
        with pytest.raises(ValueError, match="Have transformers write tok"):
            make()
