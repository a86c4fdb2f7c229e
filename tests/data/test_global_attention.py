"""Global tokens, said in words."""

import numpy as np
import pytest

from tf_longformer import LongformerConfig
from tf_longformer import describe_attention
from tf_longformer import global_attention_mask
from tf_longformer.data.global_masks import NAMES
from tf_longformer.inputs.default_globals import default_global_mask

# Separators in the texts must not be taken for the row's own.
PAIR = ["a</s>b", "c"], ["d</s></s>e", "f g"]


def chosen(encoding, mask, row):
    tokens = np.array(encoding.tokens(row))
    return [token.strip("Ġ ") for token in tokens[np.asarray(mask[row]) > 0]]


@pytest.mark.parametrize("side", ["left", "right"])
def test_names(tokenizer, side):
    encoding = tokenizer(*PAIR, padding=True, padding_side=side)

    def tokens(*where):
        mask = global_attention_mask(encoding, *where)
        assert mask.dtype == np.int32
        assert mask.shape == np.shape(encoding["input_ids"])
        return [chosen(encoding, mask, row) for row in range(2)]

    assert tokens("none") == [[], []]
    assert tokens() == tokens("cls") == [["<s>"], ["<s>"]]
    assert tokens("question") == [["<s>", "a", "</s>", "b"], ["<s>", "c"]]
    second = ["d", "</s>", "</s>", "e", "</s>"]
    assert tokens("choices") == [second, ["f", "g", "</s>"]]
    both = tokens("question", "choices")
    assert both == [["<s>", "a", "</s>", "b", *second],
                    ["<s>", "c", "f", "g", "</s>"]]  # fmt: skip


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("name", NAMES)
def test_names_are_those_of_the_models(tokenizer, name, side):
    """Two evaluations, of texts and of ids alone, mean the same tokens."""
    encoding = tokenizer(
        ["a b", "c"],
        ["d", "e f g"],
        padding=True,
        padding_side=side,
        return_tensors="np",
    )
    config = LongformerConfig(
        vocab_size=len(tokenizer), sep_token_id=tokenizer.sep_token_id
    )
    inputs = {"inputs_embeds": None, **encoding}
    found = default_global_mask(name, inputs, config)
    mask = global_attention_mask(encoding, name)
    found = np.zeros_like(mask) if found is None else np.asarray(found)
    # Of ids alone padding may be marked; the model leaves it out itself.
    found = found * encoding["attention_mask"]
    np.testing.assert_array_equal(mask, found)


def test_what_else(tokenizer):
    encoding = tokenizer(*PAIR, padding=True)
    sep = tokenizer.sep_token_id

    def tokens(where):
        mask = global_attention_mask(encoding, where)
        return [chosen(encoding, mask, row) for row in range(2)]

    assert tokens(sep) == tokens({sep}) == tokens([np.int64(sep)])
    assert tokens(sep) == [["</s>"] * 6, ["</s>"] * 3]
    assert tokens([[(0, 1), (0, 1, 1)], [(2, 3, 1)]]) == [["a", "d"], ["g"]]
    assert tokens(lambda row: row.word_ids == 1)[1] == ["g"]


def test_pairs_of_nothing(tokenizer):
    encoding = tokenizer(["a", ""], ["", "b"], padding=True)
    mask = global_attention_mask(encoding, "choices")
    assert mask.tolist() == [[0, 0, 0, 0, 1], [0, 0, 0, 1, 1]]
    mask = global_attention_mask(encoding, "question")
    assert mask.tolist() == [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]]


def test_a_single_row(tokenizer):
    encoding = tokenizer("a b c")
    assert global_attention_mask(encoding, [(2, 5)]).tolist() == [0, 0, 1, 1, 0]
    assert global_attention_mask(encoding, "choices").sum() == 0


def test_description(tokenizer):
    encoding = tokenizer("a b c d e", "f", padding="max_length", max_length=12)
    mask = global_attention_mask(encoding, "cls")
    text = describe_attention(encoding, mask, attention_window=2)
    assert "Row 0: 10 tokens and 2 of padding." in text
    assert "1 global: '<s>'. They see all 10 tokens" in text
    assert "9 local: each sees itself and up to 1 tokens" in text
    # 9 local tokens with 2 neighbours each but for the ends, and the global
    # one to and from all.
    assert f"{25 + 9 + 10} pairs" in text
    text = describe_attention(encoding, mask * 0, attention_window=512)
    assert "every token sees its window only" in text
    assert "100 pairs" in text
    assert "full attention would have 100 (100.0%)" in text
    every = np.ones_like(mask)
    assert "and 2 more" in describe_attention(encoding, every)
    assert "wide" in describe_attention(encoding, every, attention_window=4)


@pytest.mark.parametrize(
    ("where", "error", "message"),
    [
        ("title", ValueError, "must be one of"),
        (1.5, TypeError, "a name, token ids, spans or a function"),
        ([[(0, 1)]], ValueError, "a list of spans for each row"),
        ([[(0,)], []], TypeError, "A span must be"),
        (lambda row: [1], ValueError, "a bool for each token"),
    ],
)
def test_bad_input(tokenizer, where, error, message):
    encoding = tokenizer(["a", "b"])
    with pytest.raises(error, match=message):
        global_attention_mask(encoding, where)


def test_bad_encodings(tokenizer):
    with pytest.raises(TypeError, match="before it becomes a dict"):
        global_attention_mask({"input_ids": [[0]]})
    with pytest.raises(ValueError, match="rows of 3 to 4 tokens"):
        global_attention_mask(tokenizer(["a", "a b"]))
    with pytest.raises(ValueError, match="the shape of `input_ids`"):
        describe_attention(tokenizer(["a"]), [[1]])
