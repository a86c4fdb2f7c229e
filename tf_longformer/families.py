"""One record a family: encoders that become Longformers, and their names.

The layers of these encoders compute what a Longformer's do where every token
is in the window of every other. What differs are names, and from where
positions are counted. A further family is a record. Nothing here imports a
backend.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

# The activation of a Longformer's language modelling head, by any name.
_GELU = ("gelu", "gelu_python")
_CLASS = re.compile(r".*?(Model|LMHeadModel|For[A-Z]\w*)")


@dataclasses.dataclass(frozen=True)
class Family:
    """How a kind of encoder differs from a Longformer.

    Attributes:
        body: str, the prefix of its body's names, without a dot.
        tokenizer: str, its class in transformers, for a folder that doesn't
            name one.
        counts_from_pad: bool, whether positions are counted from
            `pad_token_id + 1`, as a Longformer's. Else it is from 0. Defaults
            to `False`.
        fields: names of fields of its `config.json`, and a Longformer's.
        defaults: fields that its `config.json` need not have.
        layers: names of layers in its files, and a Longformer's. The longer
            ones come first.
        lm_head: the same for the language modelling head.
        classifier: the same, for a head for sequence classification alone.
        heads: kinds of heads that aren't called as a Longformer's, and which
            of a Longformer's they are; `Model` where it has none that
            computes the same.
        lm_head_has_hidden_act: bool, whether the language modelling head has
            the layers' activation. A Longformer's has `"gelu"` always.
            Defaults to `False`.
    """

    body: str
    tokenizer: str
    counts_from_pad: bool = False
    fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, object] = dataclasses.field(default_factory=dict)
    layers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lm_head: Mapping[str, str] = dataclasses.field(default_factory=dict)
    classifier: Mapping[str, str] = dataclasses.field(default_factory=dict)
    heads: Mapping[str, str] = dataclasses.field(default_factory=dict)
    lm_head_has_hidden_act: bool = False

    def has_lm_head(self, hidden_act: object) -> bool:
        """Whether a Longformer's language modelling head computes the same.

        Args:
            hidden_act: str, the activation of the layers.
        """
        return hidden_act in _GELU or not self.lm_head_has_hidden_act

    def head_of(self, architecture: str, hidden_act: object) -> str:
        """Returns the Longformer's class that has the head of another class.

        Args:
            architecture: str, such as `"BertForMaskedLM"`.
            hidden_act: str, the activation of the layers.
        """
        found = _CLASS.fullmatch(architecture)
        kind = found[1] if found else ""
        kind = self.heads.get(kind, kind)
        if kind == "ForMaskedLM" and not self.has_lm_head(hidden_act):
            kind = "Model"
        return f"Longformer{kind}"


_FROM_0 = {"pad_token_id": 0, "bos_token_id": None, "eos_token_id": None}
_CAUSAL = {"LMHeadModel": "ForMaskedLM", "ForCausalLM": "ForMaskedLM"}
# Their heads have an activation that a Longformer's hasn't.
_OWN_CLASSIFIERS = {
    "ForSequenceClassification": "Model",
    "ForMultipleChoice": "Model",
}


def _roberta(tokenizer: str) -> Family:
    return Family(
        body="roberta",
        tokenizer=tokenizer,
        counts_from_pad=True,
        heads=_CAUSAL,
    )


# By `model_type`.
FAMILIES: dict[str, Family] = {
    "roberta": _roberta("RobertaTokenizer"),
    "xlm-roberta": _roberta("XLMRobertaTokenizer"),
    "camembert": _roberta("CamembertTokenizer"),
    "bert": Family(
        body="bert",
        tokenizer="BertTokenizer",
        defaults=_FROM_0,
        lm_head={
            "cls.predictions.transform.dense": "lm_head.dense",
            "cls.predictions.transform.LayerNorm": "lm_head.layer_norm",
            "cls.predictions": "lm_head",
        },
        # A Longformer's classifier is the pooler and the classifier of this.
        classifier={
            "pooler.dense": "classifier.dense",
            "classifier": "classifier.out_proj",
        },
        heads={
            **_CAUSAL,
            "ForPreTraining": "ForMaskedLM",
            "ForNextSentencePrediction": "Model",
        },
        lm_head_has_hidden_act=True,
    ),
    "distilbert": Family(
        body="distilbert",
        tokenizer="DistilBertTokenizer",
        fields={
            "dim": "hidden_size",
            "n_layers": "num_hidden_layers",
            "n_heads": "num_attention_heads",
            "hidden_dim": "intermediate_size",
            "activation": "hidden_act",
            "dropout": "hidden_dropout_prob",
            "attention_dropout": "attention_probs_dropout_prob",
        },
        defaults={
            **_FROM_0,
            "num_hidden_layers": 6,
            "type_vocab_size": 1,
            "layer_norm_eps": 1e-12,
        },
        layers={
            "transformer.layer": "encoder.layer",
            "attention.q_lin": "attention.self.query",
            "attention.k_lin": "attention.self.key",
            "attention.v_lin": "attention.self.value",
            "attention.out_lin": "attention.output.dense",
            "sa_layer_norm": "attention.output.LayerNorm",
            "ffn.lin1": "intermediate.dense",
            "ffn.lin2": "output.dense",
            "output_layer_norm": "output.LayerNorm",
        },
        lm_head={
            "vocab_transform": "lm_head.dense",
            "vocab_layer_norm": "lm_head.layer_norm",
            "vocab_projector": "lm_head.decoder",
        },
        heads=_OWN_CLASSIFIERS,
        lm_head_has_hidden_act=True,
    ),
    "electra": Family(
        body="electra",
        tokenizer="ElectraTokenizer",
        defaults={
            **_FROM_0,
            "embedding_size": 128,
            "hidden_size": 256,
            "num_attention_heads": 4,
            "intermediate_size": 1024,
        },
        lm_head={
            "generator_predictions.dense": "lm_head.dense",
            "generator_predictions.LayerNorm": "lm_head.layer_norm",
            "generator_lm_head": "lm_head.decoder",
        },
        heads={**_OWN_CLASSIFIERS, "ForPreTraining": "Model"},
    ),
}

_RELATIVE = "its positions are relative, and a Longformer has a table of them"
_ROTARY = "its positions are rotary, and a Longformer has a table of them"
_SHARED = "its layers share their weights"
# The kinds of models with a decoder.
DECODERS = ("t5", "bart", "mbart", "led")
# Why others can't become a Longformer, by `model_type`.
REFUSED = {
    "mpnet": _RELATIVE,
    "deberta": _RELATIVE,
    "deberta-v2": _RELATIVE,
    "xlnet": _RELATIVE,
    "funnel": _RELATIVE,
    "roformer": _ROTARY,
    "modernbert": _ROTARY,
    "nomic_bert": _ROTARY,
    "eurobert": _ROTARY,
    "esm": _ROTARY,
    "albert": _SHARED,
    **dict.fromkeys(DECODERS, "it has a decoder"),
}
