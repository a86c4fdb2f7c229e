"""The table of a configuration's fields, and what must hold between them.

Each field has its name, type, default, rule and meaning here and nowhere
else. The constructor, its checks, the docstring and what a `config.json`
holds follow from the table. The rules themselves are in `rules`.
"""

from __future__ import annotations

import dataclasses
import functools
from dataclasses import InitVar
from typing import Any

from tf_longformer.configuration import rules
from tf_longformer.configuration.rules import Rule
from tf_longformer.errors import shown


def _field(
    default: Any, rule: Rule, meaning: str, written: str = "always"
) -> Any:
    """Returns a row; `written` says when a file has the field."""
    metadata = {"rule": rule, "meaning": meaning, "written": written}
    return dataclasses.field(default=default, metadata=metadata)


# A field of every model in transformers, which writes it unless it has its
# default.
_shared = functools.partial(_field, written="unless at its default")
# A field that a new config in transformers doesn't have.
_extra = functools.partial(_field, written="unless None")


@dataclasses.dataclass(eq=False, repr=False)
class ConfigFields:
    """Type, default, rule and meaning of every field, in a row each."""

    attention_window: int | list[int] = _field(
        512,
        rules.WINDOWS,
        "How many neighbours a token sees, half of them on either side. Even; "
        "a list has one per layer.",
    )
    _: dataclasses.KW_ONLY
    sep_token_id: int | None = _field(
        2,
        rules.TOKEN_ID,
        "The separator, by which the default global tokens of pairs are found.",
    )
    pad_token_id: int = _field(
        1,
        rules.ANYTHING,  # Its rule needs `vocab_size`: see `_check_together`.
        "The padding token. Positions of tokens start at `pad_token_id + 1`.",
    )
    bos_token_id: int | None = _field(0, rules.TOKEN_ID, "The first token.")
    eos_token_id: int | list[int] | None = _field(
        2,
        rules.TOKEN_IDS,
        "The last token, or a list of ids that may be it.",
    )
    vocab_size: int = _field(
        30522, rules.SIZE, "Rows of the word embeddings: ids are below it."
    )
    hidden_size: int = _field(
        768,
        rules.SIZE,
        "Width of the hidden states, a multiple of `num_attention_heads`.",
    )
    num_hidden_layers: int = _field(12, rules.SIZE, "Blocks of the encoder.")
    num_attention_heads: int = _field(12, rules.SIZE, "Heads of each block.")
    intermediate_size: int = _field(
        3072, rules.SIZE, "Width inside the feed-forward part."
    )
    hidden_act: str = _field(
        "gelu",
        rules.ACTIVATION,
        "Activation of the feed-forward part, by the name that transformers "
        'gives it; `"gelu"` is the exact one.',
    )
    hidden_dropout_prob: float = _field(
        0.1, rules.PROBABILITY, "Dropout of hidden states, in [0, 1)."
    )
    attention_probs_dropout_prob: float = _field(
        0.1, rules.PROBABILITY, "Dropout of attention, in [0, 1)."
    )
    max_position_embeddings: int = _field(
        512,
        rules.SIZE,
        "Rows of the position table, of which the first `pad_token_id + 1` "
        "aren't for tokens: see `max_tokens`.",
    )
    type_vocab_size: int = _field(
        2, rules.SIZE, "Rows of the token type embeddings."
    )
    initializer_range: float = _field(
        0.02, rules.NOT_NEGATIVE, "Standard deviation of new weights."
    )
    layer_norm_eps: float = _field(
        1e-12, rules.POSITIVE, "Added to the variance by layer norms."
    )
    onnx_export: bool = _field(
        False, rules.FLAG, "Kept for transformers, without effect here."
    )
    tie_word_embeddings: bool = _field(
        True,
        rules.FLAG,
        "Whether the masked language model's output projection is the word "
        "embedding.",
    )
    attention_slots: int | None = _extra(
        None,
        rules.SLOTS,
        "Columns that returned attentions have for global tokens under XLA, "
        "where they can't depend on the input. Not a field of transformers; "
        "written only when set.",
    )
    num_labels: InitVar[int | None] = _field(
        None,
        rules.NUM_LABELS,
        "Outputs of a classification head; makes `id2label` and `label2id`. "
        "Without any of the three there are 2.",
    )
    id2label: dict[int, str] | None = _shared(
        None,
        rules.NAMES_BY_ID,
        "Names of the labels by their ids; an id may be a string of digits.",
    )
    label2id: dict[str, int] | None = _shared(
        None,
        rules.IDS_BY_NAME,
        "The inverse of `id2label`, which wins where they disagree. Stays "
        "`None` when only `id2label` is given, as in transformers. Given "
        "alone it makes `id2label`; transformers would ignore it.",
    )
    problem_type: str | None = _shared(
        None,
        rules.PROBLEM_TYPE,
        '`"regression"`, `"single_label_classification"` or '
        '`"multi_label_classification"`; `None` leaves it to the labels.',
    )
    output_attentions: bool | None = _shared(
        False,
        rules.NULLABLE_FLAG,
        "Whether models return attentions, where a call doesn't say.",
    )
    output_hidden_states: bool | None = _shared(
        False,
        rules.NULLABLE_FLAG,
        "Whether models return all hidden states, where a call doesn't say.",
    )
    return_dict: bool | None = _shared(
        True, rules.NULLABLE_FLAG, "`False` has models return tuples."
    )
    chunk_size_feed_forward: int | None = _shared(
        0, rules.CHUNK_SIZE, "Kept for transformers, without effect here."
    )
    is_encoder_decoder: bool = _shared(
        False, rules.FLAG, "Kept for transformers."
    )
    architectures: list[str] | None = _shared(
        None,
        rules.NAMES,
        "Class names of the models whose weights lie beside the file.",
    )
    dtype: str | None = _shared(
        None,
        rules.DTYPE,
        "Type of the stored weights; `torch_dtype` is an older name of it.",
    )
    transformers_version: str | None = _extra(
        None,
        rules.VERSION,
        "The version that wrote the file that was read.",
    )


_ROWS: dict[str, dataclasses.Field] = ConfigFields.__dataclass_fields__
# All but `num_labels`, which isn't stored: it is the length of `id2label`.
_STORED = dataclasses.fields(ConfigFields)

NAMES = frozenset(_ROWS)
LEFT_OUT_AT_DEFAULT, LEFT_OUT_IF_NONE = (
    frozenset(row.name for row in _STORED if row.metadata["written"] == when)
    for when in ("unless at its default", "unless None")
)


def convert(name: str, value: Any) -> Any:
    """Returns a value that was given for a field in the form that is stored."""
    if name in _ROWS:
        return _ROWS[name].metadata["rule"].convert(value)
    return rules.as_plain(value)


def check(config: ConfigFields) -> None:
    """Checks every field by its rule, then how the fields fit together."""
    for row in _STORED:
        row.metadata["rule"].check(row.name, getattr(config, row.name))
    _check_together(config)


def describe(indent: int) -> str:
    """Returns the section "Args" of the docstring of `LongformerConfig`."""
    lines = ["Args:"]
    for name, row in _ROWS.items():
        type_name = str(row.type)
        if type_name.startswith("InitVar["):
            type_name = type_name[len("InitVar[") : -1]
        meaning, default = row.metadata["meaning"], row.default
        text = f"{name}: {type_name}. {meaning} Defaults to `{default!r}`."
        lines.append("   ")
        # Wrapped here, since importing `textwrap` takes milliseconds.
        for word in text.split():
            if len(lines[-1]) + len(word) >= 79 - indent:
                lines.append(" " * 7)
            lines[-1] += f" {word}"
    return f"\n{' ' * indent}".join(lines)


def _check_together(config: ConfigFields) -> None:
    heads, hidden = config.num_attention_heads, config.hidden_size
    if hidden % heads:
        raise ValueError(
            "`hidden_size` must be a multiple of `num_attention_heads`. "
            f"Received: hidden_size={hidden}, num_attention_heads={heads}. "
            "Change one of the two."
        )
    window, layers = config.attention_window, config.num_hidden_layers
    if isinstance(window, list) and len(window) != layers:
        raise ValueError(
            "`attention_window` must be one integer or a list of one per "
            f"layer. Received: a list of {len(window)}, with "
            f"num_hidden_layers={layers}. Pass {layers} windows, or one "
            "integer for all layers."
        )
    pad = config.pad_token_id
    if not rules.is_int(pad) or not 0 <= pad < config.vocab_size:
        raise ValueError(
            "`pad_token_id` must be an integer in [0, vocab_size). "
            f"Received: pad_token_id={shown(pad)}, "
            f"vocab_size={config.vocab_size}. Pass the tokenizer's pad id."
        )
    if config.max_position_embeddings <= pad + 1:
        raise ValueError(
            "`max_position_embeddings` must be above pad_token_id + 1, "
            "since positions are counted from there. Received: "
            f"max_position_embeddings={config.max_position_embeddings}, "
            f"pad_token_id={pad}. For n tokens pass n + {pad + 1}."
        )
    pruned = getattr(config, "pruned_heads", None)
    if pruned:
        raise ValueError(
            "`pruned_heads` must be empty: pruned checkpoints aren't "
            f"supported. Received: pruned_heads={shown(pruned)}. "
            "Use the checkpoint from before the pruning."
        )
