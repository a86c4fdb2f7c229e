"""Cuts rows to a length, with what was cut off as pieces that overlap."""

from __future__ import annotations

from tf_longformer.tokenization.encoding import Encoding


def choose_lengths(
    strategy: str, max_length: int, first: int, second: int | None
) -> tuple[int, int]:
    """Decides how many tokens of each text stay.

    Args:
        strategy: `"longest_first"`, `"only_first"` or `"only_second"`.
        max_length: int, tokens of both together.
        first: int, tokens of the first text.
        second: int, tokens of the second, or `None` without one.

    Returns:
        Two ints.

    Raises:
        ValueError: if the text that is to be cut is too short for it.
    """
    other = second or 0
    excess = first + other - max_length
    if excess <= 0:
        return first, other
    if max_length == 0:
        return 0, 0
    if strategy == "longest_first":
        if second is None:
            return max_length, 0
        short, long = sorted((first, second))
        # Only the longer one is cut, at most down to the other's length;
        # from there on they share what there is.
        long = short if short > max_length else max(short, max_length - short)
        if short + long > max_length:
            short = max_length // 2
            long = short + max_length % 2
        return (short, long) if first <= second else (long, short)
    if strategy == "only_second" and second is None:
        raise ValueError(
            "`truncation='only_second'` needs pairs. Received: a single "
            "text. Use truncation='only_first'."
        )
    length = first if strategy == "only_first" else other
    if length <= excess:
        raise ValueError(
            "The text that is to be cut must be longer than what has to go. "
            f"Received: truncation={strategy!r} with texts of {first} and "
            f"{other} tokens where {max_length} have room. Use "
            "truncation='longest_first'."
        )
    if strategy == "only_first":
        return first - excess, other
    return first, other - excess


def check_stride(stride: int, length: int, kept: int) -> None:
    """Raises a `ValueError` if the pieces of a cut text don't advance."""
    if 0 < kept < length and stride >= kept:
        raise ValueError(
            "`stride` must be smaller than the tokens of a piece. Received: "
            f"stride={stride} where a text of {length} tokens is cut into "
            f"pieces of {kept}. Use a smaller stride, or, for pairs, "
            "truncation='only_second'."
        )


def cut(encoding: Encoding, length: int, stride: int, side: str) -> Encoding:
    """Returns the first piece of a row, with the others behind it.

    Args:
        encoding: `Encoding`.
        length: int, tokens of a piece.
        stride: int, tokens that a piece shares with the one before.
        side: `"right"` cuts the end off, `"left"` the beginning.

    Returns:
        `Encoding`.

    Raises:
        ValueError: if the pieces don't advance.
    """
    count = len(encoding)
    if length >= count:
        return encoding
    if length == 0:
        empty = encoding.part(0, 0)
        empty.overflowing = [encoding]
        return empty
    check_stride(stride, count, length)
    step = length - stride
    # Every piece but the last has its full length.
    pieces = 1 + -(-(count - length) // step)
    spans = []
    for number in range(pieces):
        if side == "right":
            start = number * step
            spans.append((start, min(start + length, count)))
        else:
            end = count - number * step
            spans.append((max(end - length, 0), end))
    first, *others = (encoding.part(*span) for span in spans)
    first.overflowing = others
    return first
