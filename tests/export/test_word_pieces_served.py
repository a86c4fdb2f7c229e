"""Texts of a BERT's tokenizer to an exported model, token types included."""

import os
import sys

import numpy as np
import pytest
import tensorflow as tf
from export.test_consumers import run_consumer
from helpers import small_exports as small
from helpers import small_pipelines
from helpers.tiny import make_model

from tf_longformer import LongformerTokenizer
from tf_longformer.export import export_saved_model

NAMES = ("input_ids", "token_type_ids", "attention_mask")


def make(head, **fields):
    tokenizer = LongformerTokenizer(
        tokenizer_object=small_pipelines.wordpiece()
    )
    model = make_model(
        head,
        **{
            "vocab_size": len(tokenizer),
            "type_vocab_size": 2,
            "pad_token_id": 0,
            "sep_token_id": 3,
            "max_position_embeddings": small.LIMIT,
            **fields,
        },
    )
    return model, tokenizer


def requests(head):
    """The requests of all heads, in this tokenizer's words."""
    marks = [("<mask>", "[MASK]"), ("<s>", "[CLS]"), ("</s>", "[SEP]")]

    def spelled(value):
        if isinstance(value, list):
            return list(map(spelled, value))
        for old, new in marks:
            value = value.replace(old, new)
        return value

    return [
        {name: spelled(texts) for name, texts in request.items()}
        for request in small.texts(head)
    ]


def run_model(model, tokenizer, request):
    """What the model makes of what the tokenizer makes of a request."""
    first, *second = request.values()
    count = len(first)
    if model.input_rank == 3:
        first = [text for text in first for _ in range(2)]
        second = [[choice for pair in second[0] for choice in pair]]
    encoding = tokenizer(first, *second, padding=True, return_tensors="np")
    inputs = {name: encoding[name] for name in NAMES}
    if model.config.type_vocab_size == 1:
        del inputs["token_type_ids"]
    if model.input_rank == 3:
        inputs = {n: x.reshape(count, 2, -1) for n, x in inputs.items()}
    outputs = model(inputs)
    return {name: value.numpy() for name, value in outputs.items()}


def check(found, expected):
    names = set(expected) & set(found)
    assert names or "mask_logits" in found
    small.assert_close(found, expected, names)


@pytest.mark.parametrize("types", [2, pytest.param(1, marks=pytest.mark.slow)])
def test_pairs(types, tmp_path):
    model, tokenizer = make("ForQuestionAnswering", type_vocab_size=types)
    export_saved_model(model, tmp_path / "1", tokenizer, warmup_requests=False)
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    request = {
        "question": ["The café?", ""],
        "context": ["Hello, café's 中文 document.", "a"],
    }
    expected = run_model(model, tokenizer, request)
    found = signatures["text"](
        **{name: tf.constant(texts) for name, texts in request.items()}
    )
    check(found, expected)
    # Answers are of the second text, from ids too.
    assert found["answers"][1, 0] == b"a"
    encoding = tokenizer(*request.values(), padding=True, return_tensors="np")
    ids = {
        name: tf.constant(encoding[name], tf.int32)
        for name in ("input_ids", "attention_mask")
    }
    served = signatures["serving_default"](**ids)
    np.testing.assert_array_equal(served["start_tokens"][1, :2], [2, -1])


@pytest.mark.slow
@pytest.mark.parametrize("head", small.HEADS)
def test_every_head_where_tensorflow_is_alone(head, tmp_path):
    model, tokenizer = make(head)
    folder = export_saved_model(model, tmp_path / "1", tokenizer)
    wanted = requests(head)
    expected = [run_model(model, tokenizer, request) for request in wanted]
    sent = [("text", request) for request in wanted]
    pythons = [sys.executable, os.environ.get("TF_LONGFORMER_ORACLE_SERVING")]
    for number, python in enumerate(filter(None, pythons)):
        scratch = tmp_path / f"answers{number}"
        scratch.mkdir()
        answers = run_consumer("plain", folder, sent, scratch, python)
        for found, outputs in zip(answers, expected, strict=True):
            check(found, outputs)
