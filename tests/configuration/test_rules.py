"""`LongformerConfig`: what it refuses, and in which words."""

import re

import numpy as np
import pytest

from tf_longformer import LongformerConfig

# (rule, fix): configs that break the rule. Of each, the first field is the
# one that the message must show.
BAD = {
    ("even integers above 0", "pass 2 * n"): [
        {"attention_window": 7},
        {"attention_window": 0},
        {"attention_window": [4, -2], "num_hidden_layers": 2},
        {"attention_window": [4, True], "num_hidden_layers": 2},
        {"attention_window": True},
        {"attention_window": 4.0},
        {"attention_window": "512"},
        {"attention_window": None},
    ],
    ("one per layer. Received: a list of 3", "Pass 2 windows"): [
        {"num_hidden_layers": 2, "attention_window": [4, 4, 4]},
    ],
    ("one per layer. Received: a list of 0", "Pass 2 windows"): [
        {"num_hidden_layers": 2, "attention_window": []},
    ],
    ("multiple of `num_attention_heads`", "Change one of the two"): [
        {"hidden_size": 10, "num_attention_heads": 3},
        {"num_attention_heads": 7, "hidden_size": 10},
    ],
    ("an integer in [0, vocab_size)", "Pass the tokenizer's pad id"): [
        {"pad_token_id": 50, "vocab_size": 50},
        {"vocab_size": 50, "pad_token_id": 50},
        {"pad_token_id": -1},
        {"pad_token_id": None},
        {"pad_token_id": True},
    ],
    ("None or an integer of 0 or more", "Pass the tokenizer's id"): [
        {"sep_token_id": "</s>"},
        {"bos_token_id": -1},
        {"eos_token_id": [2, -1]},
        {"sep_token_id": [2]},
    ],
    ("above pad_token_id + 1", "For n tokens pass n + 4"): [
        {"max_position_embeddings": 4, "pad_token_id": 3},
        {"pad_token_id": 3, "max_position_embeddings": 4},
    ],
    ("a number in [0, 1)", "Pass 0.0 for no dropout"): [
        {"hidden_dropout_prob": 1.0},
        {"attention_probs_dropout_prob": -0.1},
        {"hidden_dropout_prob": False},
        {"hidden_dropout_prob": None},
        {"attention_probs_dropout_prob": "0.1"},
        {"attention_probs_dropout_prob": float("nan")},
    ],
    ("None or a string", "Leave it out."): [
        {"transformers_version": float("nan")},
        {"transformers_version": [4, 57]},
    ],
    ("a finite number above 0", "Leave it out for the default"): [
        {"layer_norm_eps": 0.0},
        {"layer_norm_eps": float("inf")},
    ],
    ("a finite number of 0 or more", "Leave it out for the default"): [
        {"initializer_range": -0.02},
        {"initializer_range": True},
    ],
    ("the name of an activation", "Use one of gelu, "): [
        {"hidden_act": "gelo"},
        {"hidden_act": "prelu"},
        {"hidden_act": [abs]},
        {"hidden_act": None},
    ],
    ("must be True or False", "Pass a boolean"): [
        {"tie_word_embeddings": 1},
        {"onnx_export": None},
        {"return_dict": "false"},
        {"output_attentions": 0},
    ],
    ("an integer of 0 or more", "Pass a whole number"): [
        {"chunk_size_feed_forward": -1},
    ],
    ("None or an integer of 0 or more", "number of global tokens"): [
        {"attention_slots": -1},
        {"attention_slots": 4.0},
        {"attention_slots": False},
    ],
    ("None or one of float16", "Leave it out"): [
        {"dtype": "float31"},
        {"dtype": ["float32"]},
    ],
    ("one of regression, single_label_classification", "Leave it out"): [
        {"problem_type": "classification"},
        {"problem_type": ["regression"]},
    ],
    ("num_labels of 2 or more", "problem_type='regression'"): [
        {"num_labels": 1, "problem_type": "single_label_classification"},
    ],
    ("an integer of 1 or more", "Pass the number of outputs"): [
        {"num_labels": "3"},
        {"num_labels": 0},
        {"num_labels": True, "id2label": {0: "a"}},
    ],
    ("number of entries of `id2label`", "Leave one of them out"): [
        {"num_labels": 3, "id2label": {0: "a", 1: "b"}},
        {"id2label": {0: "a", 1: "b"}, "num_labels": 1},
    ],
    ("must map ids (0, 1, ...) to labels", "{0: 'no', 1: 'yes'}"): [
        {"id2label": ["a", "b"]},
        {"id2label": {}},
        {"id2label": {"a": 0}},
        {"id2label": {-1: "a"}},
        {"id2label": {0: None}},
        {"id2label": {0: "a", "0": "b"}},
        {"id2label": {0: "a", 1.7: "b"}},
    ],
    ("must map labels to ids", "{'no': 0, 'yes': 1}"): [
        {"label2id": ["a"]},
        {"label2id": {"a": [1]}},
    ],
    ("must be empty", "before the pruning"): [
        {"pruned_heads": {"0": [1]}},
    ],
    ("must be 'longformer'", "Leave it out"): [{"model_type": "bert"}],
    ("can't have the name of a method", "Rename it"): [{"to_dict": 1}],
}
SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
)
BAD["must be an integer of 1 or more", "whole number, without quotes"] = [
    {size: wrong}
    for size in SIZES
    for wrong in (0, -3, 8.0, "8", True, None, [8])
]


class TestRules:
    @pytest.mark.parametrize(
        ("rule", "fix", "fields"),
        [(*words, fields) for words in BAD for fields in BAD[words]],
    )
    def test_messages(self, rule, fix, fields):
        with pytest.raises(ValueError, match=re.escape(rule)) as error:
            LongformerConfig(**fields)
        received, _, rest = (
            str(error.value).partition("Received: ")[2].partition(". ")
        )
        name, value = next(iter(fields.items()))
        assert f"{name}={value!r}" in received
        assert fix in rest

    @pytest.mark.parametrize(
        "fields",
        [{"attention_window": 7}, {"hidden_size": 7}, {"id2label": {}}],
    )
    def test_changed_attributes_are_checked_again(self, fields, tmp_path):
        config = LongformerConfig()
        config.save_pretrained(tmp_path)
        before = (tmp_path / "config.json").read_bytes()
        config.update(fields)
        with pytest.raises(ValueError, match="Received: "):
            config.validate()
        with pytest.raises(ValueError, match="Received: "):
            config.save_pretrained(tmp_path)
        assert (tmp_path / "config.json").read_bytes() == before

    def test_edges_that_are_allowed(self):
        LongformerConfig(pad_token_id=0, max_position_embeddings=2)
        LongformerConfig(vocab_size=2, pad_token_id=1)
        LongformerConfig(attention_window=2, hidden_dropout_prob=0)
        LongformerConfig(sep_token_id=None, bos_token_id=None)
        LongformerConfig(eos_token_id=[2, 3], return_dict=None)
        LongformerConfig(problem_type="regression", num_labels=1)

    def test_numbers_of_numpy_are_those_of_python(self):
        config = LongformerConfig(
            hidden_dropout_prob=np.float32(0.5),
            vocab_size=np.int64(7),
            id2label={np.int64(0): "a", "1": "b"},
        )
        assert type(config.hidden_dropout_prob) is float
        assert type(config.vocab_size) is int
        assert config.id2label == {0: "a", 1: "b"}
