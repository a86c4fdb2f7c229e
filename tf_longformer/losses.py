"""The losses of Hugging Face's PyTorch heads.

Each function returns a sum and the weight that divides it, so that replicas
and accumulation steps with different numbers of labels can be added before
they are divided. Where every label is ignored both are zero, and so is
`mean` of them.
"""

from __future__ import annotations

from typing import Any

from keras import ops

from tf_longformer.vocabulary_loss import token_losses

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


def _at_least_float32(x: Any) -> Any:
    """Casts narrower types to float32, and leaves float64 as it is."""
    return x if x.dtype == "float64" else ops.cast(x, "float32")


def counted_classes(labels: Any, logits: Any) -> Any:
    """Returns which class numbers count.

    Args:
        labels: tensor of `logits`' shape without the last axis, or with one
            of one element in its place; or of anything else, such as one-hot.
        logits: float tensor `[..., classes]`.

    Returns:
        bool tensor of `logits`' shape without the last axis, or `None` where
        labels aren't class numbers.
    """
    if logits.shape[-1] == 1:
        # A number, such as a regression's.
        return None
    if len(labels.shape) == len(logits.shape):
        if labels.shape[-1] != 1:
            return None
        labels = ops.reshape(labels, ops.shape(logits)[:-1])
    return ops.not_equal(labels, IGNORE_INDEX)


def counted_positions(labels: Any, logits: Any) -> Any:
    """Returns which positions lie within the sequence, and so count.

    Args:
        labels: tensor `[batch]` or `[batch, 1]`.
        logits: float tensor `[batch, seq]`.

    Returns:
        bool tensor `[batch]`.
    """
    labels = ops.reshape(ops.cast(labels, "int32"), (-1,))
    return ops.logical_and(labels >= 0, labels < ops.shape(logits)[1])


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
    logits = _at_least_float32(logits)
    # In a graph of free shapes, labels of another size fail here; without the
    # reshape they would be broadcast.
    labels = ops.reshape(ops.cast(labels, "int32"), ops.shape(logits)[:-1])
    counted = ops.not_equal(labels, ignore_index)
    safe = ops.where(counted, labels, 0)
    # A gather: a one-hot of the vocabulary would be as large as the logits.
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


def vocabulary_cross_entropy(
    labels: Any, factors: tuple[Any, Any, Any], sample_weight: Any = None
) -> tuple[Any, Any]:
    """`cross_entropy` of `vocabulary_logits(*factors)`, which aren't made.

    Args:
        labels: integer tensor of as many elements as there are states.
        factors: states `[..., hidden]`, matrix and bias, as
            `vocabulary_loss.vocabulary_logits` takes them.
        sample_weight: tensor of the first axes of the states, or `None`.

    Returns:
        Sum of the losses and number of labels that count, scalars.
    """
    states, matrix, bias = factors
    shape = ops.shape(states)[:-1]
    labels = ops.reshape(ops.cast(labels, "int32"), shape)
    counted = ops.not_equal(labels, IGNORE_INDEX)
    losses = token_losses(
        ops.reshape(states, (-1, states.shape[-1])),
        matrix,
        bias,
        ops.reshape(ops.where(counted, labels, 0), (-1,)),
        ops.reshape(counted, (-1,)),
    )
    counts = ops.cast(counted, losses.dtype)
    return _weighted(ops.reshape(losses, shape), counts, sample_weight)


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
    logits = _at_least_float32(logits)
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
    logits = _at_least_float32(logits)
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
    inside = counted_positions(labels, logits)
    labels = ops.reshape(ops.cast(labels, "int32"), (-1,))
    labels = ops.where(inside, labels, IGNORE_INDEX)
    return cross_entropy(labels, logits, sample_weight)
