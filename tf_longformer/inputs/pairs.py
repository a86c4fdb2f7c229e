"""Default global tokens of pairs, with the check that a row is one."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.compat import is_traced
from tf_longformer.configuration import LongformerConfig
from tf_longformer.inputs.global_defaults import PAIR_SEPARATORS
from tf_longformer.inputs.global_defaults import count_separators


def default_pair_mask(
    input_ids: Any,
    config: LongformerConfig,
    make_mask: Callable[[Any, int], Any],
) -> Any:
    """Returns `make_mask` of pairs.

    Args:
        input_ids: integer tensor `[batch, seq]`, or `None`.
        config: the model's config.
        make_mask: `question_mask` or `choices_mask`.

    Returns:
        int32 tensor `[batch, seq]`, or `None` without ids.

    Raises:
        ValueError: if the config has no separator; in eager mode, if a row
            has too few.
    """
    if input_ids is None:
        warnings.warn(
            "Without `input_ids` the question can't be found, so that no "
            "token is global. Pass `global_attention_mask`.",
            stacklevel=2,
        )
        return None
    if config.sep_token_id is None:
        raise ValueError(
            "The global tokens of a pair are found by its separators. "
            "Received: config.sep_token_id=None. Set it, or pass "
            "`global_attention_mask`."
        )
    counts = count_separators(input_ids, config.sep_token_id)
    if not is_traced(counts):
        counts = ops.convert_to_numpy(counts)
        short = np.flatnonzero(counts < PAIR_SEPARATORS)
        if short.size:
            raise ValueError(
                f"Each row must be a pair with at least {PAIR_SEPARATORS} "
                f"separators (id {config.sep_token_id}), from which its "
                f"global tokens are found. Received: {counts[short[0]]} in "
                f"row {short[0]}. Encode pairs, e.g. `tokenizer(question, "
                "context)`, or pass `global_attention_mask`."
            )
    return make_mask(input_ids, config.sep_token_id)
