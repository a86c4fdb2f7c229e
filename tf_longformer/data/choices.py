"""Multiple choice: encodes each text with each of its choices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.data.any_tokenizer import check_strings
from tf_longformer.data.any_tokenizer import encode_texts
from tf_longformer.data.any_tokenizer import has_limit
from tf_longformer.data.global_masks import global_attention_mask
from tf_longformer.list_arguments import refuse_string


def encode_choices(
    tokenizer: Any,
    texts: Sequence[str],
    choices: Sequence[Sequence[str]],
    *,
    where: Any = "choices",
    truncation: Any = "only_first",
    padding: Any = True,
    **kwargs: Any,
) -> dict[str, np.ndarray]:
    """Encodes texts with their choices, for a multiple choice model.

    Args:
        tokenizer: `LongformerTokenizer`, or a fast one of transformers.
        texts: list of strings `[batch]`.
        choices: list of lists of strings `[batch, choices]`, as many for
            each text.
        where: global tokens, as of `global_attention_mask`. Defaults to
            `"choices"`.
        truncation: what is cut. Defaults to the text; without a
            `max_length` nothing is.
        padding: as of the tokenizer. Defaults to the longest row.
        **kwargs: further arguments of the tokenizer, such as `max_length`.

    Returns:
        Dict of int32 arrays `[batch, choices, seq]`: `input_ids`,
        `attention_mask`, `global_attention_mask`, and what else was asked
        for; `offset_mapping` is `[batch, choices, seq, 2]`.

    Raises:
        TypeError: for anything else than such lists.
        ValueError: if texts have unequal numbers of choices.
    """
    texts = check_strings("texts", texts)
    refuse_string("choices", choices)
    choices = [check_strings("choices", row) for row in choices]
    counts = {len(row) for row in choices}
    if len(texts) != len(choices) or len(counts) != 1 or 0 in counts:
        raise ValueError(
            "Each text must have the same number of choices. Received: "
            f"{len(texts)} texts, and {len(choices)} lists with "
            f"{sorted(counts)} choices. Fill up with '', or encode texts with "
            "other numbers apart."
        )
    (count,) = counts
    if kwargs.get("max_length") is None and not has_limit(tokenizer):
        truncation = False
    encoding = encode_texts(
        tokenizer,
        [text for text in texts for _ in range(count)],
        [choice for row in choices for choice in row],
        truncation=truncation,
        padding=padding,
        return_tensors="np",
        **kwargs,
    )
    arrays = dict(encoding)
    arrays["global_attention_mask"] = global_attention_mask(encoding, where)
    return {
        name: array.reshape(len(texts), count, *array.shape[1:]).astype("int32")
        for name, array in arrays.items()
    }
