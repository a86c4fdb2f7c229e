from types import SimpleNamespace

import numpy as np
import pytest

from tf_longformer.quickstart.batches import random_crops

TOKENIZER = SimpleNamespace(
    pad_token_id=1, bos_token_id=0, eos_token_id=2, mask_token_id=4
)
# Ids tell the document (hundreds) and the place (units).
DOCUMENTS = [
    list(range(100, 140)),
    list(range(200, 203)),
    list(range(300, 308)),
]


def _crops(masked_fraction):
    return random_crops(
        DOCUMENTS, [7, 8, 9], 12, 10, TOKENIZER, 0, masked_fraction
    )


@pytest.fixture
def crops():
    return _crops(0.0)


def test_crops_are_passages_between_special_tokens(crops):
    assert crops["input_ids"].shape == (12, 10)
    for ids, mask, label in zip(*crops.values(), strict=True):
        tokens = ids[mask == 1]
        np.testing.assert_array_equal(ids[mask == 0], 1)
        assert tokens[0] == 0
        assert tokens[-1] == 2
        passage = tokens[1:-1].tolist()
        document = DOCUMENTS[label - 7]
        assert len(passage) == min(len(document), 8)
        start = document.index(passage[0])
        assert passage == document[start : start + len(passage)]


def test_crops_visit_every_document_equally_often(crops):
    assert np.bincount(crops["labels"])[7:].tolist() == [4, 4, 4]


def test_crops_of_a_long_document_differ(crops):
    starts = crops["input_ids"][crops["labels"] == 7, 1]
    assert len(set(starts.tolist())) > 1


def test_crops_reach_the_last_token():
    crops = random_crops(
        [list(range(100, 110))], [0], 200, 6, TOKENIZER, seed=0
    )
    assert crops["input_ids"].max() == 109
    assert 100 in crops["input_ids"]


def test_masks_hide_document_tokens_only():
    ids = _crops(1.0)["input_ids"]
    assert set(np.unique(ids)) == {0, 1, 2, 4}
    assert (ids[:, 0] == 0).all()
    masked = np.mean(
        random_crops(
            [list(range(100, 1100))], [0], 20, 1002, TOKENIZER, seed=0
        )["input_ids"]
        == 4
    )
    assert 0.13 < masked < 0.17
