"""What the tasks refuse, and how they say so."""

import pytest
from tasks.small_texts import make

from tf_longformer.tasks import answer
from tf_longformer.tasks import classify
from tf_longformer.tasks import fill_mask
from tf_longformer.tasks import tag


def test_what_can_not_be(tokenizer):
    masked = make("ForMaskedLM", tokenizer)
    tagger = make("ForTokenClassification", tokenizer)
    asker = make("ForQuestionAnswering", tokenizer)
    with pytest.raises(TypeError, match="needs a TFLongformerForMaskedLM"):
        fill_mask(tagger, tokenizer, "a<mask>")
    with pytest.raises(TypeError, match="string or a list of strings"):
        tag(tagger, tokenizer, 3)
    with pytest.raises(ValueError, match="none in text 1"):
        fill_mask(masked, tokenizer, ["a<mask>", "a dog"])
    with pytest.raises(ValueError, match="2 questions, 1 documents"):
        answer(asker, tokenizer, ["a", "b"], "c")
    with pytest.raises(ValueError, match="at least 1"):
        answer(asker, tokenizer, "a", "b", top_k=0)
    with pytest.raises(ValueError, match="`top_k` must .* Received: -1"):
        fill_mask(masked, tokenizer, "a<mask>", top_k=-1)
    with pytest.raises(ValueError, match="`top_k` must .* Received: 0"):
        classify(
            make("ForSequenceClassification", tokenizer),
            tokenizer,
            "a",
            top_k=0,
        )
    with pytest.raises(ValueError, match="must be one of none, simple"):
        tag(tagger, tokenizer, "a dog", aggregation_strategy="last")
    with pytest.raises(ValueError, match="`batch_size`"):
        tag(tagger, tokenizer, "a dog", batch_size=0)
    with pytest.raises(ValueError, match=r"\[1, 35\]"):
        tag(tagger, tokenizer, "a dog", max_length=1000)
