"""Framing of a sequence into overlapping pieces, and its adjoint.

Shapes are static wherever the input's are, and no copy is ever skewed.
Frames are one gather: `benchmarks/frame.py` compares it with slices that are
concatenated and with `keras.ops.extract_sequences`.

The idea of meeting blocks of queries with concatenated neighbouring blocks
of keys is that of LongT5's local attention (flaxformer, `tensor_utils.py`).
"""

from __future__ import annotations

from typing import Any

from keras import ops


def ceil_div(numerator: Any, denominator: Any) -> Any:
    """Returns `numerator / denominator` rounded up (ints or tensors)."""
    return (numerator + denominator - 1) // denominator


def pad_axis(x: Any, before: Any, after: Any, axis: int, value: Any = 0) -> Any:
    """Pads one axis of `x` with `value`, by ints or scalar tensors."""
    rank = len(x.shape)
    paddings = [(0, 0)] * rank
    paddings[axis % rank] = (before, after)
    if value == 0 and x.dtype != "bool":
        return ops.pad(x, paddings)
    return ops.pad(x, paddings, constant_values=value)


def slice_axis(x: Any, start: Any, stop: Any, axis: int) -> Any:
    """Returns `x[..., start:stop, ...]` along `axis`."""
    leading = (slice(None),) * (axis % len(x.shape))
    return x[leading + (slice(start, stop),)]


def _replace_axes(x: Any, axis: int, count: int, sizes: tuple) -> Any:
    """Reshapes `count` axes of `x` from `axis` on into `sizes`."""
    shape = ops.shape(x)
    return ops.reshape(x, shape[:axis] + sizes + shape[axis + count :])


def frame(
    signal: Any,
    frame_length: int,
    frame_step: int,
    pad_end: bool = False,
    pad_value: float = 0,
    axis: int = -1,
) -> Any:
    """Cuts `axis` into frames of `frame_length`, one every `frame_step`.

    The meaning is that of `tf.signal.frame`, here for every Keras backend:
    `frame(x, 4, 2)` of `[0, 1, 2, 3, 4, 5, 6]` is
    `[[0, 1, 2, 3], [2, 3, 4, 5]]`, and with `pad_end=True` also
    `[4, 5, 6, 0]` and `[6, 0, 0, 0]`.

    Args:
        signal: tensor `[..., samples, ...]` of rank 1 or more.
        frame_length: int >= 1, the samples of one frame.
        frame_step: int >= 1, the samples between the starts of two frames.
        pad_end: bool. Whether frames may reach past the end, which is
            filled with `pad_value`; otherwise a last part that does not
            fill a frame is dropped. Defaults to `False`.
        pad_value: number that fills the end. Defaults to `0`.
        axis: int, the axis to cut. Defaults to `-1`.

    Returns:
        Tensor `[..., frames, frame_length, ...]` with `frames` =
        `ceil(samples / frame_step)` where `pad_end`, otherwise
        `max(0, 1 + (samples - frame_length) // frame_step)`.

    Raises:
        ValueError: if a length or step is not a positive int, or `axis` is
            outside the rank of `signal`.
    """
    for name, value in (
        ("frame_length", frame_length),
        ("frame_step", frame_step),
    ):
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise ValueError(
                f"`{name}` must be an int of at least 1. "
                f"Received: {name}={value!r}. Pass how many samples it spans."
            )
    signal = ops.convert_to_tensor(signal)
    rank = len(signal.shape)
    if not -rank <= axis < rank:
        raise ValueError(
            f"`axis` must lie in [-{rank}, {rank}) for a signal of rank "
            f"{rank}. Received: axis={axis}. Name an axis that it has."
        )
    axis %= rank
    samples = ops.shape(signal)[axis]
    if pad_end:
        frames = ceil_div(samples, frame_step)
    else:
        frames = at_least_zero(1 + (samples - frame_length) // frame_step)
    needed = (frames - 1) * frame_step + frame_length
    missing = at_least_zero(needed - samples)
    signal = pad_axis(signal, 0, missing, axis, pad_value)
    starts = ops.expand_dims(ops.arange(frames, dtype="int32"), 1) * frame_step
    index = starts + ops.arange(frame_length, dtype="int32")
    return ops.take(signal, index, axis=axis)


def at_least_zero(size: Any) -> Any:
    return max(size, 0) if isinstance(size, int) else ops.maximum(size, 0)


def overlap_add(frames: Any, frame_step: int, axis: int = -2) -> Any:
    """Adds overlapping frames back into a sequence: the adjoint of `frame`.

    Args:
        frames: tensor `[..., frames, frame_length, ...]`.
        frame_step: int >= 1, as given to `frame`.
        axis: int, the axis of `frames` (that of `frame_length` follows
            it). Defaults to `-2`.

    Returns:
        Tensor `[..., (frames - 1) * frame_step + frame_length, ...]`, or
        empty along that axis when there are no frames and `frame_length`
        is at most `frame_step`.
    """
    axis %= len(frames.shape)
    count = ops.shape(frames)[axis]
    frame_length = frames.shape[axis + 1]
    parts = -(-frame_length // frame_step)
    frames = pad_axis(
        frames, 0, parts * frame_step - frame_length, axis=axis + 1
    )
    # [..., frames + parts - 1, frame_step, ...], one shift a part
    steps = 0
    for j in range(parts):
        part = slice_axis(
            frames, j * frame_step, (j + 1) * frame_step, axis + 1
        )
        steps = steps + pad_axis(part, j, parts - 1 - j, axis)
    samples = _replace_axes(steps, axis, 2, ((count + parts - 1) * frame_step,))
    return slice_axis(samples, 0, (count - 1) * frame_step + frame_length, axis)
