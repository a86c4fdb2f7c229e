"""Batches, hidden tokens, labels of words, choices."""

import numpy as np
import pytest

from tf_longformer import MaskedLanguageModelCollator
from tf_longformer import PaddingCollator
from tf_longformer import align_labels
from tf_longformer import encode_choices

WORDS = ["the long document has many words"] * 40


def test_padding(tokenizer):
    rows = [
        {"input_ids": [0, 5, 2], "labels": [-100, 1, -100]},
        {"input_ids": [0, 2], "labels": [-100, -100]},
    ]
    batch = PaddingCollator(tokenizer, buckets=[2, 5])(rows)
    assert {name: a.dtype for name, a in batch.items()} == {
        name: np.int32 for name in ("input_ids", "attention_mask", "labels")
    }
    assert batch["input_ids"].tolist() == [[0, 5, 2, 1, 1], [0, 2, 1, 1, 1]]
    assert batch["labels"][0].tolist() == [-100, 1, -100, -100, -100]
    tokenizer.padding_side = "left"
    batch = PaddingCollator(tokenizer)(rows)
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [0, 1, 1]]
    assert batch["labels"][0].tolist() == [-100, 1, -100]
    labelled = [{"input_ids": [0, 2], "labels": 1}]
    assert PaddingCollator(tokenizer)(labelled)["labels"].tolist() == [1]


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        # The first row is as long as its ids.
        ([[0.5, 1.0, 0.0], [0.0, 0.0, 1.0]], np.float64),
        ([[1, 1, 0], [0, 0, 1]], np.int32),
        ([np.float32([1, 0]), np.float32([0, 1])], np.float32),
        ([0.25, 1.5], np.float64),
    ],
)
def test_labels_of_rows_stay_as_they_are(tokenizer, labels, dtype):
    rows = [
        {"input_ids": ids, "labels": label}
        for ids, label in zip(([0, 5, 2], [0, 5, 6, 2]), labels, strict=True)
    ]
    found = PaddingCollator(tokenizer, buckets=[7])(rows)["labels"]
    np.testing.assert_array_equal(found, np.array(labels))
    assert found.dtype == dtype


def test_what_tokenizers_return(tokenizer):
    collate = PaddingCollator(tokenizer)
    texts = ["a b c", "d"]
    expected = tokenizer(texts, padding=True, return_tensors="np")
    more = {
        "return_offsets_mapping": True,
        "return_length": True,
        "return_overflowing_tokens": True,
    }
    for encoded in (
        tokenizer(texts),
        tokenizer(texts, **more),
        tokenizer(texts, padding=True, return_tensors="tf"),
        [tokenizer(text) for text in texts],
        [tokenizer(text, return_tensors="np") for text in texts],
        [{**tokenizer(text), "text": text} for text in texts],
    ):
        batch = collate(encoded)
        assert {*batch} == {"input_ids", "attention_mask"}
        for name, array in batch.items():
            np.testing.assert_array_equal(array, expected[name])
    alone = collate(tokenizer("a b c"))
    np.testing.assert_array_equal(alone["input_ids"], expected["input_ids"][:1])
    for name in ("label", "label_ids", "labels"):
        rows = [{**tokenizer(t), name: n} for n, t in enumerate(texts)]
        assert collate(rows)["labels"].tolist() == [0, 1]
    # Pieces of one text are rows like others.
    pieces = tokenizer(
        ["a b c d e f"],
        truncation=True,
        max_length=5,
        return_overflowing_tokens=True,
    )
    assert len(collate(pieces)["input_ids"]) == len(pieces["input_ids"]) > 1
    hidden = MaskedLanguageModelCollator(tokenizer, whole_words=True)(pieces)
    assert {*hidden} == {"input_ids", "attention_mask", "labels"}


def test_padding_of_choices(tokenizer):
    collate = PaddingCollator(tokenizer)
    rows = [{"input_ids": [[0, 5, 2], [0, 6, 2]], "label": 1}] * 2
    batch = collate(rows)
    assert batch["input_ids"].shape == (2, 2, 3)
    assert batch["labels"].tolist() == [1, 1]
    # Choices of several lengths are padded, to a bucket where there are some.
    rows[1] = {"input_ids": [[0, 5, 2], [0, 2]], "label": 0}
    batch = PaddingCollator(tokenizer, buckets=[5])(rows)
    assert batch["input_ids"].shape == (2, 2, 5)
    assert batch["input_ids"][1, 1].tolist() == [0, 2, 1, 1, 1]
    assert batch["attention_mask"].sum(-1).tolist() == [[3, 3], [3, 2]]
    assert batch["labels"].tolist() == [1, 0]
    rows[1] = {"input_ids": [[0, 2]] * 3, "label": 1}
    with pytest.raises(ValueError, match="same number of choices"):
        collate(rows)


def test_padding_of_bad_input(tokenizer):
    collate = PaddingCollator(tokenizer, buckets=[2])
    with pytest.raises(ValueError, match="as many for each example"):
        collate([{"input_ids": [0], "labels": row} for row in ([1.0], [1, 0])])
    with pytest.raises(ValueError, match="an empty list"):
        collate([])
    with pytest.raises(ValueError, match="mapping with `input_ids`"):
        collate([{"text": "a"}])
    with pytest.raises(ValueError, match="mapping with `input_ids`"):
        collate(["a b"])
    with pytest.raises(TypeError, match="must be a list"):
        collate("a b")
    with pytest.raises(TypeError, match="`buckets` must be a list"):
        PaddingCollator(tokenizer, buckets="128")
    with pytest.raises(ValueError, match="of 'lengths' for 2 rows"):
        collate({"input_ids": [[0], [2]], "lengths": [1]})
    with pytest.raises(ValueError, match="longer than the largest bucket"):
        collate([{"input_ids": [0, 5, 2]}])
    with pytest.raises(ValueError, match="1 of 2 without"):
        collate([{"input_ids": [0], "labels": 1}, {"input_ids": [0]}])
    with pytest.raises(ValueError, match="increasing order"):
        PaddingCollator(tokenizer, buckets=[4, 2])


@pytest.mark.parametrize("whole_words", [False, True])
@pytest.mark.parametrize("side", ["left", "right"])
def test_hiding(tokenizer, whole_words, side):
    tokenizer.padding_side = side
    encoding = tokenizer([*WORDS, "a <mask> b </s>"])
    collate = MaskedLanguageModelCollator(
        tokenizer, whole_words=whole_words, seed=3
    )
    batch = collate(encoding)
    whole = tokenizer.pad(encoding, return_tensors="np")["input_ids"]
    chosen = batch["labels"] != -100
    special = np.isin(whole, tokenizer.all_special_ids)
    assert not (chosen & special).any()
    np.testing.assert_array_equal(batch["labels"][chosen], whole[chosen])
    np.testing.assert_array_equal(batch["input_ids"][~chosen], whole[~chosen])
    assert 0.08 < chosen.sum() / (~special).sum() < 0.23
    found = batch["input_ids"][chosen]
    hidden = (found == tokenizer.mask_token_id).mean()
    same = (found == whole[chosen]).mean()
    assert 0.65 < hidden < 0.93
    assert 0.02 < same < 0.25
    others = found[(found != tokenizer.mask_token_id)]
    assert not np.isin(others, tokenizer.all_special_ids).any()
    again = MaskedLanguageModelCollator(
        tokenizer, whole_words=whole_words, seed=3
    )
    for name, array in again(encoding).items():
        np.testing.assert_array_equal(array, batch[name])
    assert (collate(encoding)["labels"] != batch["labels"]).any()


def test_whole_words_are_whole(tokenizer):
    text = "unhyphenated antidisestablishment words"
    encoding = tokenizer([text] * 50, padding=True)
    collate = MaskedLanguageModelCollator(
        tokenizer, probability=0.5, whole_words=True
    )
    chosen = collate(encoding)["labels"] != -100
    words = np.array([-1 if w is None else w for w in encoding.word_ids()])
    assert np.sum(words == 1) > 2
    for word in range(3):
        inside = chosen[:, words == word]
        assert (inside.all(1) == inside.any(1)).all()
    assert 30 < chosen[:, words >= 0].mean() * 100 < 70


def test_hiding_of_bad_input(tokenizer):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        MaskedLanguageModelCollator(tokenizer, probability=2)
    collate = MaskedLanguageModelCollator(tokenizer, whole_words=True)
    with pytest.raises(ValueError, match="must be known"):
        collate([{"input_ids": [0, 5, 2]}])
    bare = type(tokenizer)(vocab={"a": 0}, mask_token=None)
    with pytest.raises(ValueError, match="needs a mask token"):
        MaskedLanguageModelCollator(bare)


def test_labels_of_words(tokenizer):
    words = ["a", "antidisestablishment", "b"]
    encoding = tokenizer(words, is_split_into_words=True)
    count = len(encoding["input_ids"]) - 4
    assert count > 1
    first = align_labels(encoding, [7, 8, 9])
    assert first == [-100, 7, 8, *[-100] * (count - 1), 9, -100]
    every = align_labels(encoding, [7, 8, 9], label_all_tokens=True)
    assert every == [-100, 7, *[8] * count, 9, -100]


def test_labels_of_pieces(tokenizer):
    """Each word's label is given once, also where it is cut in two."""
    words = ["a", "antidisestablishment", "b", "antidisestablishment"]
    encoding = tokenizer(
        [words, words[:2]],
        is_split_into_words=True,
        truncation=True,
        max_length=6,
        return_overflowing_tokens=True,
        padding=True,
        return_tensors="np",
    )
    labels = align_labels(encoding, [[1, 2, 3, 4], [5, 6]])
    assert labels.shape == encoding["input_ids"].shape
    assert labels[labels != -100].tolist() == [1, 2, 3, 4, 5, 6]


def test_labels_that_are_strings(tokenizer):
    encoding = tokenizer([["a", "b"], ["c"]], is_split_into_words=True)
    names = [["B-X", "O"], ["O"]]
    found = align_labels(encoding, names, label2id={"O": 0, "B-X": 4})
    assert found == [[-100, 4, 0, -100], [-100, 0, -100]]
    with pytest.raises(ValueError, match="'B-X', and none. Pass `label2id"):
        align_labels(encoding, names)
    with pytest.raises(ValueError, match="'B-X', and {'O': 0}"):
        align_labels(encoding, names, label2id={"O": 0})
    for wrong in ("OO", ["BO", "O"], [[0.5, 1.0], [0]]):
        with pytest.raises(TypeError, match="`word_labels` must|must be ints"):
            align_labels(encoding, wrong, label2id={"O": 0, "B": 1})


def test_labels_of_bad_input(tokenizer):
    encoding = tokenizer([["a", "b"]], is_split_into_words=True)
    with pytest.raises(ValueError, match="a label for each word"):
        align_labels(encoding, [[1]])
    with pytest.raises(ValueError, match="labels for each text"):
        align_labels(encoding, [])


def test_choices(tokenizer):
    arrays = encode_choices(
        tokenizer, ["a b c", "d"], [["e", "f g"], ["v", "w"]], max_length=8
    )
    assert {a.shape for a in arrays.values()} == {(2, 2, 8)}
    assert arrays["input_ids"].dtype == np.int32
    row = tokenizer("a b", "f g")["input_ids"]
    assert arrays["input_ids"][0, 1].tolist() == row
    assert arrays["global_attention_mask"][0, 1].tolist() == [0] * 5 + [1] * 3
    more = encode_choices(
        tokenizer, ["a b", "d"], [["e", "f g"]] * 2, return_offsets_mapping=True
    )
    expected = tokenizer("a b", "f g", return_offsets_mapping=True)
    assert more["offset_mapping"].shape == (2, 2, 8, 2)
    assert more["offset_mapping"][0, 1].tolist() == [
        [*span] for span in expected["offset_mapping"]
    ]
    with pytest.raises(ValueError, match="same number of choices"):
        encode_choices(tokenizer, ["a"], [["x"], ["y"]])
    for texts, choices in (("ab", [["x"]] * 2), (["a"], ["xy"]), (["a"], "x")):
        with pytest.raises(TypeError, match="must be a list"):
            encode_choices(tokenizer, texts, choices)
