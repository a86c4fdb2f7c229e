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
    several = decode_answers(
        features, [CONTEXT, "a b"], *logits, null_threshold=0.0, top_k=3
    )
    assert [row[0] for row in several] == found
    assert [len(row) for row in several] == [3, 3]
    for row in several:
        places = [(one.start, one.end) for one in row]
        assert len(set(places)) == len(places)
    scores = [answer.score for answer in several[0]]
    assert scores == sorted(scores, reverse=True)
    assert several[1][1].text
    with pytest.raises(ValueError, match="`top_k` must"):
        decode_answers(features, [CONTEXT, "a b"], *logits, top_k=0)
    always = decode_answers(features, [CONTEXT, "a b"], *logits)
    assert always[1].text
    assert always[1].null_score == 10.0
    with pytest.raises(ValueError, match="the shape of `input_ids`"):
        decode_answers(features, [CONTEXT, "a b"], logits[0][:1], logits[1])


def test_the_most_probable_answer_of_all_pieces(tokenizer):
    """Larger logits say nothing where those of a whole piece are large."""
    features = encode_questions(
        tokenizer, ["who?"], [CONTEXT], max_length=40, stride=14
    )
    pieces, seq = features.inputs["input_ids"].shape
    assert pieces > 1
    logits = np.zeros((pieces, seq))
    # The first piece has a larger sum, the last one the clearer answer.
    places = [np.flatnonzero(o[:, 0] >= 0)[3] for o in features.offsets]
    logits[0] = 20
    logits[0, places[0]] = 21
    logits[-1, places[-1]] = 15
    (found,) = decode_answers(features, [CONTEXT], logits, logits)
    assert found.start == features.offsets[-1][places[-1], 0]
    assert found.score == 30
    # With probabilities that are 0 in float32, the larger sum.
    logits[:, 0] = 200
    (found,) = decode_answers(features, [CONTEXT], logits, logits)
    assert found.score == 42


def test_answers_of_squad(tokenizer):
    contexts = ["a b c"] * 7
    given = [
        {"text": ["b", "c"], "answer_start": [2, 4]},
        {"text": np.array(["b"]), "answer_start": np.array([2])},
        [{"text": "b", "answer_start": 2}, {"text": "c", "answer_start": 4}],
        {"text": "b", "answer_start": 2},
        {"text": [], "answer_start": []},
        [],
        None,
    ]
    places = [(2, 3)] * 4 + [None] * 3
    for ours, theirs in zip(
        *(
            encode_questions(
                tokenizer, ["q"] * 7, contexts, max_length=20, answers=answers
            ).inputs.values()
            for answers in (given, places)
        ),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_bad_input(tokenizer):
    for questions, contexts in (("q", ["a"]), (["q"], "a"), ([None], ["a"])):
        with pytest.raises(TypeError, match="must be a list"):
            encode_questions(tokenizer, questions, contexts, max_length=20)
    with pytest.raises(ValueError, match="1 questions, 2 contexts"):
        encode_questions(tokenizer, ["q"], ["a", "b"], max_length=20)
    for answers, message in (
        ([{"text": ["c"], "answer_start": [0]}], "'c' at 0"),
        ([{"text": ["c"]}], "must have `text` and `answer_start`"),
        ([(0, 99)], "characters"),
        ([(3, 3)], "characters"),
        ([], "an answer or None"),
    ):
        with pytest.raises(ValueError, match=message):
            encode_questions(
                tokenizer, ["q"], ["a b"], max_length=20, answers=answers
            )
