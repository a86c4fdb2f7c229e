"""A string where a list is wanted is an error, never a list of letters."""

import pytest
from helpers.small_tokenizer import FOLDER
from helpers.tiny import make_model

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer.data.choices import encode_choices
from tf_longformer.data.collators import PaddingCollator
from tf_longformer.data.questions import decode_answers
from tf_longformer.data.questions import encode_questions
from tf_longformer.data.word_labels import align_labels
from tf_longformer.export.buckets import Buckets


def test_tokenizer():
    tokenizer = LongformerTokenizer.from_pretrained(FOLDER)
    before = tokenizer.get_config()
    vocab = tokenizer.get_vocab()
    for call in (
        lambda: LongformerTokenizer(
            vocab=vocab, additional_special_tokens="<a>"
        ),
        lambda: LongformerTokenizer(vocab=vocab, extra_special_tokens="<a>"),
        lambda: LongformerTokenizer(vocab=vocab, model_input_names="input_ids"),
        lambda: LongformerTokenizer(vocab=vocab, merges="a b"),
        lambda: LongformerTokenizer.from_pretrained(
            FOLDER, additional_special_tokens="<a>"
        ),
        lambda: tokenizer.add_special_tokens(
            {"additional_special_tokens": "<a>", "pad_token": "<new>"}
        ),
        lambda: tokenizer.add_special_tokens({"extra_special_tokens": "<a>"}),
        lambda: setattr(tokenizer, "additional_special_tokens", "<a>"),
        lambda: setattr(tokenizer, "extra_special_tokens", "<a>"),
        lambda: tokenizer.batch_encode_plus("some text"),
        lambda: tokenizer.convert_tokens_to_string("some"),
        lambda: tokenizer.train_new_from_iterator(
            ["a"], 300, new_special_tokens="<n>"
        ),
        lambda: LongformerTokenizer.train_from_iterator(
            ["a"], 300, additional_special_tokens="<a>"
        ),
        lambda: encode_choices(tokenizer, "ab", [["a"], ["b"]]),
        lambda: encode_choices(tokenizer, ["ab"], ["ab"]),
        lambda: encode_questions(tokenizer, "abc", "abc", max_length=9),
        lambda: decode_answers(None, "abc", [[0.0]], [[0.0]]),
        lambda: align_labels(tokenizer(["a"]), "12"),
        lambda: PaddingCollator(tokenizer, buckets="125"),
    ):
        with pytest.raises(TypeError, match="must be a list, not a string"):
            call()
    assert tokenizer.get_config() == before


def test_models_and_export():
    with pytest.raises(TypeError, match=r"e\.g\. \['query'\]"):
        make_model("Model").enable_lora(2, target_names="query")
    with pytest.raises(TypeError, match="`xla_lengths` must be a list"):
        Buckets.choose("125", None, 512)
    for name in ("architectures", "attention_window", "eos_token_id"):
        with pytest.raises(ValueError, match=f"{name}='12'"):
            LongformerConfig(**{name: "12"})
