"""A tokenizer, a model whose answers are known, and hostile text."""

import numpy as np
import pytest
from tasks.small_texts import LONG
from tasks.small_texts import WORDS

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer.data.windows import cut_into_windows
from tf_longformer.explain import Effect
from tf_longformer.explain import Explanation
from tf_longformer.explain import Prediction
from tf_longformer.explain import explain
from tf_longformer.explain.attention_summary import summarize_layer

HOSTILE = (
    "</script><script>alert(1)</script> <!-- ]]> & \"quoted\" 'single'. "
    "A bidi \u202eoverride\u202c, a NUL \x00, a bell \x07 and \ufeff. "
    "\u2028 Line. {{data}} {{script}} `${alert(2)}` \\u003c. "
    "\U0001f600 and \ud83d alone, and \udc00 too. \u5927\u5bb6\u597d\u3002"
)


SENTENCES = [
    "the small red fox saw a dog.",
    "of old Anna Berg near Oslo!",
    "the dog § saw § the § fox.",
    "a small dog near the old fox?",
    "red red red.",
]
TEXT = "  ".join(SENTENCES)


@pytest.fixture(scope="session")
def tokenizer():
    made = LongformerTokenizerFast.train_from_iterator(
        [LONG, " ".join(WORDS)], vocab_size=320
    )
    made.model_max_length = 10**9
    return made


@pytest.fixture(scope="session")
def explained(known_model, tokenizer):
    """The sentences, explained: the third decides."""
    return explain(known_model, tokenizer, TEXT, label="gold")


@pytest.fixture(scope="session")
def invent(tokenizer):
    """Makes an explanation of a text without a model, of drawn numbers."""

    def make(text, title="", layers=2, heads=3, window=8):
        (found,), _ = cut_into_windows(
            tokenizer, [text], max_length=10**6, stride=0
        )
        tokens = len(found.ids)
        rng = np.random.default_rng(tokens)
        is_global = np.arange(tokens) == 0
        passage = max(1, tokens // 20)

        def draw(*shape):
            return rng.dirichlet([0.3] * shape[-1], shape[:-1])

        places = np.arange(tokens)[:, None] + np.arange(-1, window + 1)
        places -= window // 2
        there = (places >= 0) & (places < tokens)
        # The first column is that of the global token.
        there[:, 0] = True

        summaries = [
            summarize_layer(
                [(draw(tokens, window + 2) * there, draw(1, tokens).T)] * heads,
                window,
                passage,
                ~is_global,
            )
            for _ in range(layers)
        ]
        middle = tokens // 2
        effects = [
            Effect(
                *(int(found.offsets[first, 0]), int(found.offsets[last, 1])),
                (first, last + 1),
                *(0.5 - first, 0.25 + first, -first),
            )
            for first, last in ((1, middle), (middle + 1, tokens - 2))
        ]
        prediction = Prediction(
            *("label", title or "gold", 0.5, "log-odds"),
            [("gold", 0.62), ("lead", 0.38)],
            None,
            effects,
            rng.normal(size=tokens).astype("float32"),
        )
        pieces = [text[a:b] if a >= 0 else "<x>" for a, b in found.offsets]
        return Explanation(
            *(text, title, "invented", "TFLongformerModel", found, pieces),
            *(is_global, "As drawn, one token is global.", passage),
            *(summaries, tokens - 2, prediction),
        )

    return make


@pytest.fixture(scope="session")
def known_model(tokenizer):
    """A classifier that says "gold" the more `§` there are in a text.

    Each word is one direction of the hidden states, `§` another. The only
    layer has the global token average all words, and the head reads the
    direction of `§` from it.
    """
    config = LongformerConfig(
        vocab_size=len(tokenizer),
        hidden_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=2,
        attention_window=4,
        max_position_embeddings=600,
        type_vocab_size=1,
        id2label={0: "lead", 1: "gold"},
    )
    model = TFLongformerForSequenceClassification(config)
    for weight in model.weights:
        weight.assign(np.zeros(weight.shape))
    body = model.longformer
    block = body.encoder.blocks[0]
    for norm in (
        body.embeddings.norm,
        block.attention_norm,
        block.output_norm,
    ):
        norm.gamma.assign(np.ones(4))
    table = np.tile([1.0, -1.0, 1.0, -1.0], (len(tokenizer), 1))
    table[tokenizer("§", add_special_tokens=False)["input_ids"][-1]] *= [
        *(1, 1, -1, -1),
    ]
    body.embeddings.word_embeddings.embeddings.assign(table)
    for dense in (
        block.attention.value_global,
        block.attention_output,
        model.classifier.dense,
    ):
        dense.kernel.assign(np.eye(4))
    out = np.zeros((4, 2))
    out[2, 1] = -9
    out[3, 1] = 9
    model.classifier.out_proj.kernel.assign(out)
    return model
