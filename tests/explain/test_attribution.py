"""Both ways name the sentence that is known to decide."""

import numpy as np
import pytest
from explain.conftest import SENTENCES
from explain.conftest import TEXT

from tf_longformer.data.windows import cut_into_windows
from tf_longformer.explain import explain
from tf_longformer.explain.attribution import find_parts


def test_both_ways_name_the_sentence_that_decides(explained):
    prediction = explained.prediction
    found = [TEXT[e.start : e.end] for e in prediction.effects]
    assert [" ".join(text.split()) for text in found] == SENTENCES
    for way in ("occlusion", "gradient"):
        effects = [getattr(effect, way) for effect in prediction.effects]
        assert np.argmax(effects) == 2, way
        # All others only thin it out.
        assert max(effects[:2] + effects[3:]) < 0, way
    # Each `§` speaks for it, and no other token does.
    tokens = np.array(explained.tokens)
    speaks = prediction.gradient > 0
    assert set(tokens[speaks & explained.window.inside]) <= {"§", " §"}
    assert speaks.sum() == 3


def test_occlusion_is_a_document_without_the_sentence(
    explained, known_model, tokenizer
):
    """Known numbers: the model has neither positions nor order."""
    prediction = explained.prediction

    def log_odds(text):
        logits = known_model(tokenizer(text, return_tensors="np")).logits[0]
        return float(logits[1] - logits[0])

    assert prediction.score == pytest.approx(log_odds(TEXT), rel=1e-4)
    for number, effect in enumerate(prediction.effects):
        rest = [s for i, s in enumerate(SENTENCES) if i != number]
        # The spaces between sentences are tokens as well.
        without = "  ".join(rest)
        assert effect.score_without == pytest.approx(
            log_odds(without), rel=0.05, abs=0.05
        )
        assert effect.occlusion == pytest.approx(
            prediction.score - effect.score_without, rel=1e-5
        )


@pytest.mark.slow
def test_without_occlusion(explained, known_model, tokenizer):
    again = explain(known_model, tokenizer, TEXT, label="gold", occlusion=False)
    for one, other in zip(
        again.prediction.effects, explained.prediction.effects, strict=True
    ):
        assert one.occlusion is one.score_without is None
        assert one.gradient == pytest.approx(other.gradient, abs=1e-6)


@pytest.mark.parametrize("most", [1, 3, 64])
def test_parts_cover_all_tokens(tokenizer, most):
    # A long piece without a full stop, between short ones.
    text = f"{TEXT} {'the small fox ' * 60} end. One more."
    (window,), _ = cut_into_windows(
        tokenizer, [text], max_length=2000, stride=0
    )
    parts = find_parts(text, window, most)
    inside = np.flatnonzero(window.inside)
    assert parts[0].first == inside[0]
    assert parts[-1].last == inside[-1] + 1
    for one, other in zip(parts, parts[1:], strict=False):
        assert one.last == other.first
        # Words stay whole.
        assert window.words[one.last - 1] != window.words[other.first]
    assert len(parts) <= most
    if most == 64:
        assert max(part.last - part.first for part in parts) <= 64 + 1
        texts = [
            text[window.offsets[p.first, 0] : window.offsets[p.last - 1, 1]]
            for p in parts
        ]
        assert [t.strip() for t in texts[:4]] == SENTENCES[:4]
        assert texts[-1].strip() == "One more."


def test_short_sentences_stay_where_there_is_room(tokenizer):
    text = "He left. The small red fox saw a dog of old Anna Berg. " * 20
    (window,), _ = cut_into_windows(
        tokenizer, [text], max_length=2000, stride=0
    )
    assert len(find_parts(text, window, 64)) >= 40
    assert len(find_parts(text, window, 30)) <= 30


def test_a_model_that_computes_nan_is_refused(known_model, tokenizer):
    kernel = known_model.longformer.encoder.blocks[0].intermediate.kernel
    before = kernel.numpy()
    kernel.assign(before * np.nan)
    try:
        with pytest.raises(ValueError, match="NaN or infinity"):
            explain(known_model, tokenizer, TEXT)
    finally:
        kernel.assign(before)


def test_a_document_without_a_token_is_refused(known_model, tokenizer):
    with pytest.raises(ValueError, match="`text` must have a token"):
        explain(known_model, tokenizer, "")
    with pytest.raises(TypeError, match="one document"):
        explain(known_model, tokenizer, ["a", "b"])
    with pytest.raises(ValueError, match="`max_sentences` must be at least 1"):
        explain(known_model, tokenizer, "a", max_sentences=0)
