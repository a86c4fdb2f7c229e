"""The mask of a head's global tokens where the caller names none.

Which tokens these are stands in the head's record, as a name
(`default_globals` in `tf_longformer.heads`). Here the name becomes a mask.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.backend import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.decoding import behind_separators
from tf_longformer.errors import shown


def default_global_mask(
    name: str, inputs: dict[str, Any], config: LongformerConfig
) -> Any:
    """Returns the mask of a head's default global tokens.

    Args:
        name: as `tf_longformer.global_attention_mask` has them: `"none"`;
            `"cls"`, the first token that isn't padding; of pairs
            `"question"`, all tokens before the first separator, or
            `"choices"`, all tokens after the separators between the texts.
        inputs: the model's inputs by name, `[batch, seq]`.
        config: the model's config.

    Returns:
        int32 tensor `[batch, seq]`, or `None` for no global tokens. A pair
        without `input_ids` has none. Nor has, in a graph, a row that should
        be a pair but isn't.

    Raises:
        ValueError: for an unknown name; for pairs, if the config has no
            separator or, in eager mode, a row has too few of them.
    """
    ids = inputs["input_ids"]
    if name == "none":
        return None
    if name == "cls":
        tokens = inputs["inputs_embeds"] if ids is None else ids
        return _first_token_mask(tokens, inputs["attention_mask"])
    if name in ("question", "choices"):
        if ids is None:
            warnings.warn(
                "Without `input_ids` the question can't be found, so that no "
                "token is global. Pass `global_attention_mask`.",
                stacklevel=2,
            )
            return None
        return _pair_mask(name, ids, config)
    raise ValueError(
        "`default_globals` of a head must be 'none', 'cls', 'question' or "
        f"'choices'. Received: {shown(name)}. Correct it, or override "
        "`default_global_mask` in the head's class."
    )


def _first_token_mask(tokens: Any, attention_mask: Any) -> Any:
    batch, seq = ops.shape(tokens)[:2]
    if attention_mask is None:
        first = ops.zeros((batch,), dtype="int32")
    else:
        first = ops.argmax(ops.cast(attention_mask, "int32"), axis=1)
    return ops.cast(ops.equal(_positions(seq), _column(first)), "int32")


def _pair_mask(name: str, ids: Any, config: LongformerConfig) -> Any:
    separator = config.sep_token_id
    if separator is None:
        raise ValueError(
            "The global tokens of a pair are found by its separators. "
            "Received: config.sep_token_id=None. Set it, or pass "
            "`global_attention_mask`."
        )
    separators = ops.cast(ops.equal(ids, separator), "int32")
    counts = ops.sum(separators, axis=1)
    # One more stands at the end.
    fewest = 3 if config.doubles_separator else 2
    if not is_traced(counts):
        _check_pairs(ops.convert_to_numpy(counts), fewest, separator)
    if name == "question":
        first = _column(ops.argmax(separators, axis=1))
        chosen = _positions(ops.shape(ids)[1]) < first
    else:
        chosen = behind_separators(separators, config)
    return ops.cast(chosen, "int32") * _column(counts >= fewest)


def _check_pairs(counts: np.ndarray, fewest: int, separator: int) -> None:
    short = np.flatnonzero(counts < fewest)
    if short.size:
        raise ValueError(
            f"Each row must be a pair with at least {fewest} "
            f"separators (id {separator}), from which its "
            f"global tokens are found. Received: {counts[short[0]]} in "
            f"row {short[0]}. Encode pairs, e.g. `tokenizer(question, "
            "context)`, or pass `global_attention_mask`."
        )


def _positions(seq: Any) -> Any:
    return ops.expand_dims(ops.arange(seq, dtype="int32"), 0)


def _column(rows: Any) -> Any:
    return ops.expand_dims(ops.cast(rows, "int32"), 1)
