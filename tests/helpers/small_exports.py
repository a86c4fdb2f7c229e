"""Small models of all heads with a tokenizer, requests, and right answers."""

from __future__ import annotations

from functools import cache

import keras
import numpy as np
import tensorflow as tf
from helpers import small_tokenizer
from helpers.tiny import HEADS as HEADS
from helpers.tiny import make_model

from tf_longformer import LongformerTokenizerFast

VOCABULARY = small_tokenizer.FOLDER
# The window's borders are at 5 tokens, those of a block at 128.
WINDOW = 4
LIMIT = 133
SHAPES = ((1, 1), (2, 5), (3, 6), (1, 128), (2, 129), (1, LIMIT))
PAD, SEP = 1, 2
TOLERANCE = 1e-4
NAMES = ("input_ids", "attention_mask", "global_attention_mask")
# Each within the limit; with all that a tokenizer may stumble over.
HOSTILE = (
    "",
    " ",
    "A dog <mask>.",
    "  two  spaces\t\n\r\n and lines  ",
    "<s> special </s></s> tokens <pad> inside <mask></s>",
    "é ǅ ß 日本語 한국어 \u0301 combining",
    "😀 👩\u200d👩\u200d👧 emoji \U0001d7d8",
    "nul \x00 and \x85 and \u2028 and \ufeff bom \ufffd",
    "\ufeffbom first",
    "'s it's we'll they're I'M",
    "x" * 60,
    "1234567890 ¾ Ⅷ ٣",
)


@cache
def tokenizer():
    return LongformerTokenizerFast.from_pretrained(VOCABULARY)


def make(head, seed=0, **fields):
    keras.utils.set_random_seed(seed)
    if head == "ForTokenClassification":
        names = ["O", "B-PER", "I-PER", "LOC"]
        fields["id2label"] = dict(enumerate(names))
        fields["num_labels"] = len(names)
    return make_model(
        head,
        **{
            "vocab_size": max(tokenizer().get_vocab().values()) + 1,
            "attention_window": WINDOW,
            "max_position_embeddings": LIMIT + PAD + 1,
            **fields,
        },
    )


def ids(model, batch, seq, with_globals=False):
    """Pairs of texts where there is room, with padding on both sides."""
    rng = np.random.default_rng(1000 * batch + seq)
    shape = (batch, seq) if model.input_rank == 2 else (batch, 2, seq)
    tokens = rng.integers(5, 600, shape)
    tokens[..., 0] = 0
    if seq > 5:
        tokens[..., [2, 3, seq - 1]] = SEP
    mask = np.ones_like(tokens)
    if batch > 1 and seq > 5:
        mask[0, ..., -1:] = 0
        tokens[0, ..., -2:] = SEP, PAD
        mask[1, ..., :1] = 0
        tokens[1, ..., :1] = PAD
    inputs = {"input_ids": tokens, "attention_mask": mask}
    if with_globals:
        inputs["global_attention_mask"] = rng.random(shape) < 0.3
    return {name: value.astype("int32") for name, value in inputs.items()}


def texts(head):
    """Returns requests for the signature `text`, by the names of inputs."""
    first = list(HOSTILE)
    if head == "ForQuestionAnswering":
        return [{"question": first, "context": first[3:] + first[:3]}]
    if head == "ForMultipleChoice":
        pairs = list(zip(first[5:] + first[:5], first[::-1], strict=True))
        return [{"prompt": first, "choices": [list(pair) for pair in pairs]}]
    if head == "ForMaskedLM":
        first = [text + " <mask>" for text in first]
    return [{"text": first}, {"text": first[5:6]}]


def encode(head, request):
    """Returns what the tokenizer makes of a request."""
    known = tokenizer()
    call = {"padding": True, "return_tensors": "np"}
    if head == "ForQuestionAnswering":
        return known(request["question"], request["context"], **call)
    if head != "ForMultipleChoice":
        return known(request["text"], **call)
    rows = [
        (prompt, choice)
        for prompt, choices in zip(*request.values(), strict=True)
        for choice in choices
    ]
    encoding = known(*map(list, zip(*rows, strict=True)), **call)
    count = len(request["prompt"])
    return {
        name: encoding[name].reshape(count, 2, -1)
        for name in ("input_ids", "attention_mask")
    }


class Reference:
    """The Keras model itself, in a graph: in eager mode it refuses rows of
    one text where a head wants pairs."""

    def __init__(self, model):
        # One trace for all shapes.
        spec = tf.TensorSpec([None] * model.input_rank, tf.int32)

        def call(inputs):
            return dict(model(**inputs, return_dict=True).items())

        self._calls = {
            names: tf.function(
                call, input_signature=[dict.fromkeys(names, spec)]
            )
            for names in (NAMES[:2], NAMES)
        }

    def __call__(self, inputs):
        names = NAMES if NAMES[2] in inputs else NAMES[:2]
        outputs = self._calls[names](
            {name: tf.constant(inputs[name], tf.int32) for name in names}
        )
        return {name: value.numpy() for name, value in outputs.items()}


def assert_close(found, expected, names=None):
    """Compares outputs by name, relative to the largest number of each."""
    for name in expected if names is None else names:
        a, b = np.asarray(found[name]), np.asarray(expected[name])
        assert a.shape == b.shape, name
        gap = np.max(np.abs(a - b), initial=0)
        # False for NaN too.
        assert gap <= TOLERANCE * np.max(np.abs(b), initial=1e-30), name


class Exported:
    """A model, its folder, and the signatures in it."""

    def __init__(self, head, model, folder):
        self.head, self.model, self.folder = head, model, folder
        self.signatures = tf.saved_model.load(str(folder)).signatures
        self.reference = Reference(model)

    def __call__(self, signature, inputs):
        outputs = self.signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        return {name: value.numpy() for name, value in outputs.items()}
