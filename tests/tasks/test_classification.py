"""Labels of documents."""

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import SHORT
from tasks.small_texts import encode
from tasks.small_texts import make
from tasks.small_texts import windows_by_hand

from tf_longformer import LongformerTokenizerFast
from tf_longformer.tasks import classify


def test_classify_a_short_text(tokenizer):
    model = make(
        "ForSequenceClassification",
        tokenizer,
        num_labels=None,
        id2label={0: "good", 1: "bad", 2: "ugly"},
    )
    logits = model(encode(tokenizer, SHORT)).logits.numpy()[0]
    expected = np.exp(logits) / np.exp(logits).sum()
    results = classify(model, tokenizer, SHORT)
    assert [item["label"] for item in results] == [
        ("good", "bad", "ugly")[i] for i in np.argsort(-expected)
    ]
    scores = [item["score"] for item in results]
    np.testing.assert_allclose(scores, -np.sort(-expected), rtol=1e-5)
    both = classify(model, tokenizer, [SHORT, "a dog"], top_k=1)
    assert both[0][0]["score"] == pytest.approx(scores[0], rel=1e-5)
    assert len(both[1]) == 1


def test_pairs_with_token_types(tmp_path):
    """As HF's pipeline: the tokenizer's types, where a model tells them."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefgh"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    bert = LongformerTokenizerFast.from_pretrained(tmp_path)
    bert.model_max_length = 12
    special = {"pad_token_id": 0, "eos_token_id": None, "sep_token_id": 3}
    for types in (1, 2):
        model = make(
            "ForSequenceClassification", bert, type_vocab_size=types, **special
        )

        def scores(encoding, model=model, types=types):
            inputs = dict(encoding)
            if types == 1:
                del inputs["token_type_ids"]
            logits = model(inputs).logits.numpy().mean(0)
            return np.exp(logits) / np.exp(logits).sum()

        expected = scores(encode(bert, ["a b"], ["c d e"]))
        (first, _, _) = classify(model, bert, "a b", text_pair="c d e")
        assert first["score"] == pytest.approx(expected.max(), rel=1e-5)
        # Windows of the second text, each with the first.
        long = "c d e f g h a b c d e f g h"
        parts = ["c d e f g h a", "b c d e f g h"]
        expected = scores(encode(bert, ["a b"] * 2, parts))
        found = classify(model, bert, ["a b"], text_pair=[long])
        assert found[0][0]["score"] == pytest.approx(expected.max(), rel=1e-5)
    with pytest.raises(ValueError, match="1 texts, 2 in `text_pair`"):
        classify(model, bert, ["a"], text_pair=["b", "c"])


def test_classify_as_many_labels_as_tokens(tokenizer):
    model = make("ForSequenceClassification", tokenizer)
    alone = classify(model, tokenizer, "")
    assert len(alone) == 3
    both = classify(model, tokenizer, ["", "a"])
    assert [item["label"] for item in both[0]] == [i["label"] for i in alone]
    np.testing.assert_allclose(
        [item["score"] for item in both[0]],
        [item["score"] for item in alone],
        rtol=1e-4,
    )


@pytest.mark.parametrize(
    ("problem_type", "labels"),
    [
        ("single_label_classification", 3),
        ("multi_label_classification", 3),
        ("regression", 2),
        (None, 1),
    ],
)
def test_classify_pools_the_logits_of_windows(tokenizer, problem_type, labels):
    model = make(
        "ForSequenceClassification",
        tokenizer,
        problem_type=problem_type,
        num_labels=labels,
    )
    _, rows = windows_by_hand(tokenizer, LONG, 15, 0)
    logits = np.mean(
        [model([0, *ids, 2]).logits.numpy()[0] for _, ids in rows], axis=0
    )
    expected = {
        "single_label_classification": np.exp(logits) / np.exp(logits).sum(),
        "multi_label_classification": 1 / (1 + np.exp(-logits)),
    }.get(problem_type, logits)
    results = classify(model, tokenizer, LONG, max_length=17, batch_size=3)
    by_label = {item["label"]: item["score"] for item in results}
    np.testing.assert_allclose(
        [by_label[f"LABEL_{i}"] for i in range(labels)], expected, rtol=1e-4
    )
