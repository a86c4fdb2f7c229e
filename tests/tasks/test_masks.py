"""Words for masks."""

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import encode
from tasks.small_texts import make
from tasks.small_texts import windows_by_hand

from tf_longformer.tasks import fill_mask


def test_fill_mask(tokenizer):
    model = make("ForMaskedLM", tokenizer)
    text = "the small<mask> saw a dog"
    encoding = encode(tokenizer, text)
    place = encoding["input_ids"][0].tolist().index(tokenizer.mask_token_id)
    logits = model(encoding).logits.numpy()[0, place]
    best = np.argsort(-logits)[:3]
    found = fill_mask(model, tokenizer, text, top_k=3)
    assert [item["token"] for item in found] == best.tolist()
    scores = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(
        [item["score"] for item in found], scores[best], rtol=1e-4
    )
    for item in found:
        assert item["token_str"] == tokenizer.decode([item["token"]])
        assert item["sequence"].startswith("the small")
        assert item["sequence"].endswith(" saw a dog")
        assert "<mask>" not in item["sequence"]
    two = fill_mask(model, tokenizer, "a<mask> saw<mask>", top_k=2)
    assert [len(masks) for masks in two] == [2, 2]
    assert two[0][0]["sequence"].count("<mask>") == 1
    rows = fill_mask(model, tokenizer, [text, "a<mask>"], top_k=1)
    assert rows[0][0]["token"] == best[0]


def test_fill_mask_uses_the_window_with_most_around(tokenizer):
    model = make("ForMaskedLM", tokenizer)
    ids, rows = windows_by_hand(tokenizer, LONG, 15, 7)
    place = 14
    ids[place] = tokenizer.mask_token_id
    text = tokenizer.decode(ids)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == ids
    # The second window has it in its middle, the first at its end.
    assert rows[1][0] == 8
    row = [0, *ids[8:23], 2]
    logits = model(row).logits.numpy()[0, 1 + place - 8]
    found = fill_mask(model, tokenizer, text, stride=7, max_length=17)
    best = np.argsort(-logits)[:5]
    assert [item["token"] for item in found] == best.tolist()
    assert len(found[0]["sequence"]) > len(text) // 2


def test_fill_mask_among_targets(tokenizer, caplog):
    model = make("ForMaskedLM", tokenizer)
    text = "the small<mask> saw"
    every = fill_mask(model, tokenizer, text, top_k=len(tokenizer))
    scores = {item["token"]: item["score"] for item in every}
    # As the vocabulary spells it; a text, whose first token counts; again.
    targets = ["\u0120dog", " foxdog", "\u0120dog"]
    found = fill_mask(model, tokenizer, text, targets=targets)
    assert "' foxdog' isn't a token" in caplog.text
    ids = [
        tokenizer(word, add_special_tokens=False)["input_ids"][0]
        for word in (" dog", " fox")
    ]
    ids.sort(key=lambda index: -scores[index])
    assert [item["token"] for item in found] == ids
    assert [item["score"] for item in found] == pytest.approx(
        [scores[index] for index in ids], rel=1e-5
    )
    assert fill_mask(model, tokenizer, text, targets=targets, top_k=1) == [
        found[0]
    ]
    with pytest.raises(ValueError, match="at least one token"):
        fill_mask(model, tokenizer, text, targets="")
