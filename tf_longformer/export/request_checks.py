"""Checks of requests to a SavedModel, as assertions in its graph.

XLA drops assertions, so that these run before what XLA compiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_longformer.configuration import LongformerConfig


def check_ids(
    inputs: dict[str, Any], config: LongformerConfig
) -> dict[str, Any]:
    """Checks the ids and masks of a request.

    Args:
        inputs: dict of integer tensors `[batch, seq]` or
            `[batch, choices, seq]`: `input_ids` and masks.
        config: the model's config.

    Returns:
        Dict of int32 tensors, which wait for the checks.

    Raises:
        InvalidArgumentError: when it runs, if a rule is broken.
    """
    ids = inputs["input_ids"]
    shape = tf.shape(ids)
    rules = [
        (
            tf.reduce_min(shape) > 0,
            "A request must have at least one row, and each row at least one "
            "token. Send `input_ids` such as [[0, 100, 2]]. Received shape:",
            shape,
        ),
        (
            tf.reduce_all((ids >= 0) & (ids < config.vocab_size)),
            f"Each id in `input_ids` must lie in [0, {config.vocab_size}). "
            "Send ids of the tokenizer that belongs to this model. Received:",
            ids,
        ),
    ]
    for name, mask in inputs.items():
        if name == "input_ids":
            continue
        same = tf.reduce_all(tf.equal(tf.shape(mask), shape))
        meaning = "a token" if name == "attention_mask" else "a global token"
        rules += [
            (
                same,
                f"`{name}` must have the shape of `input_ids`. Send a number "
                "for each id. Received shape:",
                tf.shape(mask),
            ),
            (
                tf.reduce_all((mask == 0) | (mask == 1)),
                f"`{name}` must hold 0 and 1. Send 1 for {meaning}, and 0 "
                "for others. Received:",
                mask,
            ),
        ]
    real = tf.cast(ids != config.pad_token_id, tf.int32)
    rules.append(_length_rule(tf.reduce_sum(real, -1), config, "row"))
    return {
        name: tf.cast(value, tf.int32)
        for name, value in require(inputs, *rules).items()
    }


def check_texts(texts: dict[str, Any]) -> dict[str, Any]:
    """Checks that there are texts, and that they are UTF-8.

    Args:
        texts: dict of string tensors.

    Returns:
        Dict of the same, which wait for the checks.

    Raises:
        InvalidArgumentError: when it runs, if a rule is broken.
    """
    rules = []
    first = next(iter(texts))
    number = tf.shape(texts[first])[0]
    for name, value in texts.items():
        rules += [
            (
                tf.size(value) > 0,
                f"`{name}` must hold at least one text. Send a list of "
                "strings. Received shape:",
                tf.shape(value),
            ),
            (
                tf.equal(tf.shape(value)[0], number),
                f"`{name}` must have an entry for each `{first}`. Send as "
                "many of both. Received:",
                tf.stack([tf.shape(value)[0], number]),
            ),
            (
                tf.reduce_all(
                    tf.strings.unicode_transcode(
                        value, "UTF-8", "UTF-8", errors="replace"
                    )
                    == value
                ),
                f"`{name}` must be UTF-8. Encode the text as UTF-8 before "
                "sending it. Received (rows):",
                number,
            ),
        ]
    return require(texts, *rules)


def check_fewest(
    texts: dict[str, Any],
    fewest_tokens: Callable[..., Any],
    config: LongformerConfig,
) -> dict[str, Any]:
    """Checks the lengths of texts as far as it can be done without cutting.

    Args:
        texts: dict of string tensors.
        fewest_tokens: function of such a tensor `[rows]`, how many tokens
            texts have at least.
        config: the model's config.

    Returns:
        Dict of the same texts, which wait for the checks.

    Raises:
        InvalidArgumentError: when it runs, if the rule is broken.
    """
    return require(
        texts,
        *(
            _length_rule(fewest_tokens(tf.reshape(value, [-1])), config, "text")
            for value in texts.values()
        ),
    )


def check_lengths(
    encoded: dict[str, Any], config: LongformerConfig
) -> dict[str, Any]:
    """Checks that texts have no more tokens than the model has positions.

    Args:
        encoded: dict of tensors, the encoded texts, with an
            `attention_mask` of shape `[..., seq]`.
        config: the model's config.

    Returns:
        Dict of the same, which wait for the check.

    Raises:
        InvalidArgumentError: when it runs, if the rule is broken.
    """
    counts = tf.reduce_sum(encoded["attention_mask"], -1)
    return require(encoded, _length_rule(counts, config, "text"))


def require(
    values: dict[str, Any], *rules: tuple[Any, str, Any]
) -> dict[str, Any]:
    """Returns tensors that wait until rules have been checked.

    All that could fail where a rule is broken must be computed from what is
    returned here; otherwise another error might come first.

    Args:
        values: dict of tensors.
        *rules: tuples of a bool scalar, which must be true, a sentence, and a
            tensor to show. The error is that of the first broken rule.
    """
    done: list[Any] = []
    for condition, sentence, shown in rules:
        with tf.control_dependencies(done):
            done = [
                tf.debugging.Assert(condition, [sentence, shown], summarize=8)
            ]
    with tf.control_dependencies(done):
        return {name: tf.identity(value) for name, value in values.items()}


def _length_rule(
    counts: Any, config: LongformerConfig, what: str
) -> tuple[Any, str, Any]:
    limit = config.max_tokens
    return (
        tf.reduce_all(counts <= limit),
        f"A {what} must not have more than {limit} tokens, special tokens "
        "included. Cut it, or send it in parts that are rows of their own. "
        "Received (tokens):",
        counts,
    )
