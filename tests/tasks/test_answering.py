"""Answers to questions."""

import numpy as np
import pytest
from tasks.small_texts import SHORT
from tasks.small_texts import encode
from tasks.small_texts import make
from tasks.small_texts import scripted

from tf_longformer.tasks import answer


def test_answer_takes_the_best_span_of_all_windows(tokenizer):
    model = make("ForQuestionAnswering", tokenizer)
    start = np.zeros(len(tokenizer), "float32")
    end = start.copy()
    anna, berg = (
        tokenizer(word, add_special_tokens=False)["input_ids"][0]
        for word in (" Anna", " Berg")
    )
    start[anna], end[berg] = 9, 9
    words = ["the", "small", "fox"] * 8
    context = " ".join([*words, "Anna", "Berg", *words])
    fake = scripted(model, start_logits=start, end_logits=end)
    found = answer(fake, tokenizer, "the dog", context, max_length=24)
    assert found["answer"].strip() == "Anna Berg"
    assert context[found["start"] : found["end"]] == found["answer"]
    assert 0.9 < found["score"] <= 1
    several = answer(
        fake, tokenizer, ["the dog", "a"], [context] * 2, top_k=3, max_length=24
    )
    assert [len(row) for row in several] == [3, 3]
    assert several[0][0] == pytest.approx(found)
    scores = [item["score"] for item in several[1]]
    assert scores == sorted(scores, reverse=True)
    # Ends that lie before starts are no spans.
    turned = scripted(model, start_logits=end, end_logits=start)
    found = answer(turned, tokenizer, "the dog", context, max_length=24)
    assert found["score"] < 0.1
    # The first token: no answer.
    none = np.zeros(len(tokenizer), "float32")
    none[tokenizer.cls_token_id] = 9
    fake = scripted(model, start_logits=none, end_logits=none)
    found = answer(fake, tokenizer, "the dog", context, impossible=True)
    assert found["answer"] == ""
    assert found["score"] > 0.9


def test_answers_with_one_text_are_one(tokenizer):
    model = make("ForQuestionAnswering", tokenizer)
    scores = np.zeros(len(tokenizer), "float32")
    scores[tokenizer(" Oslo", add_special_tokens=False)["input_ids"][0]] = 99
    fake = scripted(model, start_logits=scores, end_logits=scores)
    context = "the Oslo dog near Oslo"
    found = answer(fake, tokenizer, "a", context, top_k=2, max_answer_len=1)
    # Each span has 1/2 * 1/2.
    assert [one["score"] for one in found] == [pytest.approx(0.5)]
    assert found[0]["start"] in (3, 4)
    # The best of two windows, whichever comes first: no sum, and not the one
    # where another answer is as probable.
    scores[tokenizer(" Anna", add_special_tokens=False)["input_ids"][0]] = 99
    for sides in (("Oslo", "Oslo Anna"), ("Anna Oslo", "Oslo")):
        context = f" {'dog ' * 14}".join(sides).join(["the ", " a"])
        found = answer(
            fake,
            tokenizer,
            "a",
            context,
            top_k=2,
            max_answer_len=1,
            max_length=17,
        )
        assert found[0]["answer"].strip() == "Oslo"
        assert found[0]["score"] == pytest.approx(1)
        assert found[1]["answer"].strip() == "Anna"
        assert found[1]["score"] == pytest.approx(0.25)


def test_answer_of_a_short_text(tokenizer):
    model = make("ForQuestionAnswering", tokenizer)
    encoding = encode(tokenizer, "a dog", SHORT)
    outputs = model(encoding)
    kept = np.array([s == 1 for s in encoding.sequence_ids(0)])
    kept[0] = True
    start, end = (
        np.where(kept, np.exp(logits.numpy()[0]), 0)
        for logits in (outputs.start_logits, outputs.end_logits)
    )
    joint = np.outer(start / start.sum(), end / end.sum())
    joint[0] = 0
    joint = np.triu(joint) - np.triu(joint, 15)
    first, last = np.unravel_index(joint.argmax(), joint.shape)
    found = answer(model, tokenizer, "a dog", SHORT)
    assert found["score"] == pytest.approx(joint.max(), rel=1e-4)
    assert found["start"] == encoding.token_to_chars(int(first)).start
    assert found["end"] == encoding.token_to_chars(int(last)).end


def test_answers_of_whole_words(tokenizer):
    model = make("ForQuestionAnswering", tokenizer)
    context = "the OsloOslo dog; Anna"
    encoding = tokenizer(context, add_special_tokens=False)
    words = np.array(encoding.word_ids())
    # The second token of a word of several.
    place = int(np.flatnonzero(words == 1)[1])
    scores = np.zeros(len(tokenizer), "float32")
    scores[encoding["input_ids"][place]] = 99
    fake = scripted(model, start_logits=scores, end_logits=scores)
    part = answer(fake, tokenizer, "a", context)
    whole = answer(fake, tokenizer, "a", context, align_to_words=True)
    assert part["answer"] != "OsloOslo"
    assert whole["answer"].strip() == "OsloOslo"
    assert context[whole["start"] : whole["end"]] == whole["answer"]
    several = answer(
        fake, tokenizer, "a", context, align_to_words=True, top_k=9
    )
    answers = [one["answer"] for one in several]
    assert len(set(answers)) == len(answers) > 1
