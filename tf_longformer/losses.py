"""The losses of Hugging Face's PyTorch heads.

Each function returns a sum and the weight that divides it, so that replicas
and accumulation steps with different numbers of labels can be added before
they are divided. Where every label is ignored both are zero, and so is
`mean` of them.
"""

from __future__ import annotations

from typing import Any

from keras import ops

IGNORE_INDEX = -100


def mean(total: Any, weight: Any) -> Any:
    """Returns `total / weight`, and zero where the weight is zero."""
    some = weight > 0
    return ops.where(some, total, 0.0) / ops.where(some, weight, 1.0)


def _weighted(losses: Any, counts: Any, sample_weight: Any) -> tuple:
    """Sums losses and counts over all elements.

    `sample_weight` scales the losses and not the counts, as Keras's own
    losses have it.
    """
    if sample_weight is not None:
        weight = ops.cast(sample_weight, losses.dtype)
        rank = len(losses.shape)
        if any(size != 1 for size in weight.shape[rank:]):
            raise ValueError(
                "`sample_weight` must have the first axes of the labels, "
                f"here of {tuple(losses.shape)}. Received: shape "
                f"{tuple(weight.shape)}. Pass one weight for each row."
            )
        shape = ops.shape(weight)[:rank]
        shape += (1,) * (rank - len(shape))
        losses = losses * ops.reshape(weight, shape)
    return ops.sum(losses), ops.sum(counts)


def _wide(x: Any) -> Any:
    """Casts to float32, or leaves float64 alone."""
    return x if x.dtype == "float64" else ops.cast(x, "float32")


def cross_entropy(
    labels: Any,
    logits: Any,
    sample_weight: Any = None,
    ignore_index: int | Any = IGNORE_INDEX,
) -> tuple[Any, Any]:
    """Sparse cross entropy over the last axis.

    Args:
        labels: integer tensor of `logits`' shape without the last axis, or
            of as many elements.
        logits: float tensor `[..., classes]`.
        sample_weight: tensor of the first axes of `labels`, or `None`.
        ignore_index: label of elements that do not count. Defaults to
            `-100`.

    Returns:
        Sum of the losses and number of labels that count, scalars.
    """
    logits = _wide(logits)
    # In a graph whose shapes are free, labels of another size fail here
    # and are not broadcast.
    labels = ops.reshape(ops.cast(labels, "int32"), ops.shape(logits)[:-1])
    counted = ops.not_equal(labels, ignore_index)
    safe = ops.where(counted, labels, 0)
    # One label a row: picked by a gather, not by a one-hot of the vocabulary.
    picked = ops.squeeze(
        ops.take_along_axis(logits, ops.expand_dims(safe, -1), axis=-1), -1
    )
    losses = ops.logsumexp(logits, axis=-1) - picked
    counts = ops.cast(counted, losses.dtype)
    return _weighted(
        ops.where(counted, losses, ops.zeros_like(losses)),
        counts,
        sample_weight,
    )


def mean_squared_error(
    labels: Any, logits: Any, sample_weight: Any = None
) -> tuple[Any, Any]:
    """Squared error of every element.

    Args:
        labels: tensor of `logits`' shape.
        logits: float tensor.
        sample_weight: tensor of the first axes, or `None`.

    Returns:
        Sum of the losses and number of elements, scalars.
    """
    logits = _wide(logits)
    losses = ops.square(logits - ops.cast(labels, logits.dtype))
    return _weighted(losses, ops.ones_like(losses), sample_weight)


def binary_cross_entropy(
    labels: Any, logits: Any, sample_weight: Any = None
) -> tuple[Any, Any]:
    """Sigmoid cross entropy of every element.

    Args:
        labels: tensor of `logits`' shape, of values in [0, 1].
        logits: float tensor.
        sample_weight: tensor of the first axes, or `None`.

    Returns:
        Sum of the losses and number of elements, scalars.
    """
    logits = _wide(logits)
    labels = ops.cast(labels, logits.dtype)
    losses = ops.softplus(logits) - labels * logits
    return _weighted(losses, ops.ones_like(losses), sample_weight)


def span(
    labels: Any, logits: Any, sample_weight: Any = None
) -> tuple[Any, Any]:
    """Cross entropy of one end of an answer over the positions.

    Labels outside the sequence (at or past its end, or negative: where the
    answer lies in another window) do not count. HF counts negative ones as
    position 0.

    Args:
        labels: integer tensor `[batch]` or `[batch, 1]`.
        logits: float tensor `[batch, seq]`.
        sample_weight: tensor `[batch]`, or `None`.

    Returns:
        Sum of the losses and number of labels that count, scalars.
    """
    labels = ops.cast(labels, "int32")
    inside = ops.logical_and(labels >= 0, labels < ops.shape(logits)[1])
    labels = ops.where(inside, labels, IGNORE_INDEX)
    return cross_entropy(labels, logits, sample_weight)
