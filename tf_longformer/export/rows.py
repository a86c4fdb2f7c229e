"""What a client wants of logits: labels, choices, tokens for masks.

The same as `tf_longformer.tasks` makes of them, in TensorFlow's graph.
"""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_longformer._configuration_labels import label_names
from tf_longformer.configuration import LongformerConfig


def is_regression(config: LongformerConfig) -> bool:
    """Returns whether the logits of rows are values and no scores."""
    kind = config.problem_type
    return kind == "regression" or (kind is None and config.num_labels == 1)


def rank_labels(logits: Any, config: LongformerConfig) -> dict[str, Any]:
    """Orders the labels of each row, the best first.

    Args:
        logits: float32 `[batch, labels]`.
        config: the model's config.

    Returns:
        Dict of `probabilities` (but for regression), and of `labels` and
        `scores`, both `[batch, labels]` and the best first.
    """
    results = {}
    scores = logits
    if not is_regression(config):
        several = config.problem_type == "multi_label_classification"
        scores = tf.sigmoid(logits) if several else tf.nn.softmax(logits)
        results["probabilities"] = scores
    order = tf.argsort(scores, direction="DESCENDING", stable=True)
    results["labels"] = tf.gather(tf.constant(label_names(config)), order)
    results["scores"] = tf.gather(scores, order, batch_dims=1)
    return results


def label_tokens(logits: Any, config: LongformerConfig) -> dict[str, Any]:
    """Names the label of each token.

    Args:
        logits: float32 `[batch, seq, labels]`.
        config: the model's config.

    Returns:
        Dict of `probabilities` `[batch, seq, labels]`, and `labels` and
        `scores` `[batch, seq]`.
    """
    probabilities = tf.nn.softmax(logits)
    best = tf.argmax(logits, -1, tf.int32)
    return {
        "probabilities": probabilities,
        "labels": tf.gather(tf.constant(label_names(config)), best),
        "scores": tf.reduce_max(probabilities, -1),
    }


def choose(logits: Any) -> dict[str, Any]:
    """Returns probabilities `[batch, choices]` and the best `choice`."""
    return {
        "probabilities": tf.nn.softmax(logits),
        "choice": tf.argmax(logits, -1, tf.int32),
    }


def find_masks(ids: Any, mask_token_id: int) -> Any:
    """Returns where the masks are.

    Args:
        ids: int32 `[batch, seq]`.
        mask_token_id: int.

    Returns:
        int32 `[batch, masks]`, as many as the row with most of them has, in
        order; -1 fills up.
    """
    is_mask = ids == mask_token_id
    seq = tf.shape(ids)[1]
    places = tf.where(is_mask, tf.range(seq)[None], seq)
    most = tf.reduce_max(tf.reduce_sum(tf.cast(is_mask, tf.int32), 1))
    first = tf.sort(places, axis=1)[:, :most]
    return tf.where(first < seq, first, -1)


def fill_masks(
    logits: Any, positions: Any, tokens: list[str], top_k: int
) -> dict[str, Any]:
    """Finds the best tokens for masks.

    Args:
        logits: float32 `[batch, masks, vocabulary]`.
        positions: int32 `[batch, masks]`, -1 where there is no mask.
        tokens: list of strings, the text of each id.
        top_k: int, tokens of a mask.

    Returns:
        Dict of `token_ids`, `tokens` and `scores` `[batch, masks, top_k]`,
        the best first; -1, `""` and 0 where there is no mask.
    """
    scores, ids = tf.math.top_k(tf.nn.softmax(logits), top_k)
    there = positions[:, :, None] >= 0
    texts = tf.gather(tf.constant(tokens), ids)
    return {
        "token_ids": tf.where(there, ids, -1),
        "tokens": tf.where(there, texts, ""),
        "scores": tf.where(there, scores, 0.0),
    }


def take_positions(values: Any, positions: Any) -> Any:
    """Gathers `[batch, n, d]` of `[batch, seq, d]`; -1 takes the first."""
    return tf.gather(values, tf.maximum(positions, 0), batch_dims=1)
