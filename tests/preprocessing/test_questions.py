"""Answers to tokens and back."""

import numpy as np
import pytest

from tf_longformer import decode_answers
from tf_longformer import encode_questions

CONTEXT = "Ångström met Wörter in a long document; nobody knows when or why."


def test_every_answer_comes_back(tokenizer):
    """For each word as the answer: the tokens that are marked spell it."""
    places = [(at, at + len(w)) for w in CONTEXT.split()
              for at in [CONTEXT.index(w)]]  # fmt: skip
    features = encode_questions(
        tokenizer,
        ["who </s> when?"] * len(places),
        [CONTEXT] * len(places),
        max_length=40,
        stride=8,
        answers=places,
    )
    inputs = features.inputs
    starts, ends = inputs["start_positions"], inputs["end_positions"]
    found = starts > 0
    assert not found.all()
    assert {a.dtype for a in inputs.values()} == {np.dtype("int32")}
    assert inputs["global_attention_mask"][:, 0].all()
    for example, place in enumerate(places):
        mine = found & (features.examples == example)
        assert mine.any()
        for piece in np.flatnonzero(mine):
            spans = features.offsets[piece]
            first = spans[starts[piece], 0]
            assert first <= place[0] < spans[starts[piece], 1]
            assert spans[ends[piece], 0] < place[1] <= spans[ends[piece], 1]


@pytest.mark.parametrize("side", ["left", "right"])
def test_decoding(tokenizer, side):
    tokenizer.padding_side = side
    at = CONTEXT.index("nobody knows")
    answers = [(at, at + len("nobody knows")), None]
    features = encode_questions(
        tokenizer,
        ["who?", "where?"],
        [CONTEXT, "a b"],
        max_length=40,
        stride=14,
        answers=answers,
    )
    shape = features.inputs["input_ids"].shape
    rows = np.arange(shape[0])
    logits = []
    for name in ("start_positions", "end_positions"):
        scores = np.full(shape, -5.0)
        scores[rows, features.inputs[name]] = 5.0
        logits.append(scores)
    found = decode_answers(
        features, [CONTEXT, "a b"], *logits, null_threshold=0.0
    )
    assert [answer.text for answer in found] == ["nobody knows", ""]
    assert (found[0].start, found[0].end) == answers[0]
    assert found[0].score == 10.0
    always = decode_answers(features, [CONTEXT, "a b"], *logits)
    assert always[1].text
    assert always[1].null_score == 10.0
    with pytest.raises(ValueError, match="the shape of `input_ids`"):
        decode_answers(features, [CONTEXT, "a b"], logits[0][:1], logits[1])


def test_bad_input(tokenizer):
    for answers, message in (
        ([(0, 99)], "characters"),
        ([(3, 3)], "characters"),
        ([], "an answer or None"),
    ):
        with pytest.raises(ValueError, match=message):
            encode_questions(
                tokenizer, ["q"], ["a b"], max_length=20, answers=answers
            )
