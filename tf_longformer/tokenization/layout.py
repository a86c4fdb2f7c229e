"""Padding and truncation: which strategies there are and what they do."""

from __future__ import annotations

import dataclasses
import logging
import math
import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING
from typing import Any

import numpy as np

from tf_longformer.errors import shown
from tf_longformer.tokenization import text_arguments

if TYPE_CHECKING:
    from tf_longformer.tokenization.tokenizer import LongformerTokenizer

logger = logging.getLogger("tf_longformer")

PADDINGS = ("longest", "max_length", "do_not_pad")
TRUNCATIONS = (
    "longest_first",
    "only_first",
    "only_second",
    "do_not_truncate",
)
# transformers writes this number to files where no `model_max_length` is set,
# and takes every number beyond `_UNBOUNDED` for none.
NO_MAX_LENGTH = int(1e30)
_UNBOUNDED = int(1e20)
# What `pad` fills up the inputs other than `input_ids` with.
_FILLINGS = {
    "attention_mask": 0,
    "token_type_ids": 0,
    "special_tokens_mask": 1,
    "global_attention_mask": 0,
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How the rows of a call are truncated and padded.

    The fields are named after the arguments of a tokenizer's call. `padding`
    and `truncation` are names of strategies, `None` for none; `max_length` is
    `None` where neither needs it.
    """

    padding: str | None
    truncation: str | None
    max_length: int | None
    stride: int
    pad_to_multiple_of: int | None
    padding_side: str
    truncation_side: str


def choose_layout(
    tokenizer: LongformerTokenizer,
    padding: Any,
    truncation: Any,
    max_length: int | None,
    stride: int,
    pad_to_multiple_of: int | None,
    padding_side: str | None,
) -> Layout:
    """Turns a call's arguments and a tokenizer's settings into a `Layout`.

    Raises a `ValueError` if an argument isn't one of its values, or they
    don't go together.
    """
    padding_side = padding_side or tokenizer.padding_side
    check_side("padding_side", padding_side)
    check_side("truncation_side", tokenizer.truncation_side)
    max_length = check_integer("max_length", max_length, 0)
    multiple = check_integer("pad_to_multiple_of", pad_to_multiple_of, 1)
    stride = check_integer("stride", stride, 0) or 0
    if max_length is not None and padding is False and truncation is None:
        truncation = "longest_first"
    truncation = _name_strategy("truncation", truncation, TRUNCATIONS)
    padding = _name_strategy("padding", padding, PADDINGS)
    if max_length is None and (
        truncation is not None or padding == "max_length"
    ):
        if tokenizer.is_bounded:
            max_length = tokenizer.model_max_length
        else:
            logger.warning(
                "There is no `max_length`, and the tokenizer has no "
                "`model_max_length`: %s is left out.",
                "truncation" if truncation is not None else "padding",
            )
            truncation = None
            padding = None if padding == "max_length" else padding
    if padding is not None and tokenizer.pad_token_id is None:
        raise ValueError(
            "Padding needs a pad token. Received: a tokenizer without one. "
            "Set it, e.g. `tokenizer.pad_token = tokenizer.eos_token`."
        )
    if (
        multiple is not None
        and truncation is not None
        and padding is not None
        and max_length is not None
        and max_length % multiple
    ):
        raise ValueError(
            "With truncation and padding, `max_length` must be a multiple of "
            f"`pad_to_multiple_of`. Received: max_length={max_length}, "
            f"pad_to_multiple_of={multiple}. Use max_length="
            f"{max_length - max_length % multiple}."
        )
    return Layout(
        padding,
        truncation,
        max_length,
        stride,
        multiple,
        padding_side,
        tokenizer.truncation_side,
    )


def is_bounded(model_max_length: int) -> bool:
    """Whether a `model_max_length` is a real bound."""
    return model_max_length < _UNBOUNDED


def check_side(name: str, side: Any) -> None:
    """Raises a `ValueError` unless `side` is `"left"` or `"right"`."""
    if side not in ("left", "right"):
        raise ValueError(
            f"`{name}` must be 'left' or 'right'. Received: {shown(side)}."
        )


def read_max_length(value: Any) -> int:
    """Returns a tokenizer's `model_max_length`, of a number or its digits."""
    if value is None or value == math.inf:
        return NO_MAX_LENGTH
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(
            "`model_max_length` must be a number of tokens. Received: "
            f"{shown(value)}."
        ) from None


def check_room(layout: Layout, special_tokens: int) -> None:
    """Raises a `ValueError` if `max_length` is too small.

    A row must have room for its special tokens, and a piece of a long text
    must be longer than the stride: else the next piece would begin at the
    same place again.
    """
    if layout.truncation is None or layout.max_length is None:
        return
    room = layout.max_length - special_tokens
    if room < 0:
        raise ValueError(
            f"`max_length` must leave room for the {special_tokens} special "
            f"tokens. Received: max_length={layout.max_length}. Use at least "
            f"{special_tokens}, or `add_special_tokens=False`."
        )
    longest = room - 1
    if not special_tokens:
        # The library's check of the stride counts two special tokens even
        # where a call adds none.
        longest = min(longest, layout.max_length - 2)
    if layout.stride and layout.stride > longest:
        raise ValueError(
            "`stride` must be smaller than the tokens of a piece, "
            "`max_length` without the special tokens. Received: stride="
            f"{layout.stride}, max_length={layout.max_length}. Use a stride "
            f"of at most {max(longest, 0)}."
        )


def kept_lengths(
    strategy: str, room: int, first: Any, second: Any, xp: Any = np
) -> tuple[Any, Any]:
    """Returns how many tokens of each pair's two texts truncation keeps.

    Args:
        strategy: `"longest_first"`, `"only_first"` or `"only_second"`.
        room: int, tokens that both may have together.
        first: integers `[rows]`, tokens of the first texts.
        second: integers `[rows]`, tokens of the second texts.
        xp: `numpy` for arrays or `tensorflow` for tensors. Defaults to
            `numpy`.

    Returns:
        Integers `[rows]` for the first and for the second texts. With
        `"only_first"` and `"only_second"` they are 0 or less where the text
        to cut is too short.
    """
    excess = xp.maximum(first + second - room, 0)
    if strategy != "longest_first":
        # With no room at all the library keeps nothing of either text.
        if room == 0:
            first = xp.where(excess > 0, 0, first)
            second = xp.where(excess > 0, 0, second)
            return first, second
        if strategy == "only_first":
            return first - excess, second
        return first, second - excess
    # The longer text is cut to what the shorter one leaves of the room, but
    # not below the shorter one. Where that isn't enough, each gets half.
    short = xp.minimum(first, second)
    long = xp.where(short > room, short, xp.maximum(short, room - short))
    halved = short + long > room
    short = xp.where(halved, room // 2, short)
    long = xp.where(halved, room // 2 + room % 2, long)
    first_is_long = first > second
    fits = excess == 0
    return (
        xp.where(fits, first, xp.where(first_is_long, long, short)),
        xp.where(fits, second, xp.where(first_is_long, short, long)),
    )


def truncate_ids(
    texts: list[list[int]],
    layout: Layout,
    special_tokens: int,
    with_overflowing: bool,
) -> tuple[list[list[int]], list[int]]:
    """Cuts one or two texts of ids to the room that special tokens leave.

    Returns the texts, and what was cut off with the stride before it. Raises a
    `ValueError` if they can't be cut as asked. As in transformers, of a pair
    cut by `"longest_first"` both texts lose tokens in turn once they are of
    one length, the second one first.
    """
    strategy, lengths = layout.truncation, [len(text) for text in texts]
    if strategy is None or layout.max_length is None:
        return texts, []
    excess = sum(lengths) + special_tokens - layout.max_length
    if excess <= 0:
        return texts, []
    if len(texts) == 1 or strategy != "longest_first":
        number = 1 if strategy == "only_second" else 0
        lost = [excess if n == number else 0 for n in range(len(texts))]
        if number >= len(texts) or (
            lengths[number] <= excess and len(texts) > 1
        ):
            raise ValueError(
                "The text that is to be cut must be longer than what has to "
                f"go. Received: truncation={shown(strategy)}, max_length="
                f"{layout.max_length}, and texts of {lengths} tokens. Use "
                "truncation='longest_first'."
            )
    elif with_overflowing:
        raise ValueError(
            "What is cut off a pair by 'longest_first' isn't of one text. "
            "Received: return_overflowing_tokens=True. Use "
            "truncation='only_first' or 'only_second'."
        )
    else:
        longer = min(abs(lengths[0] - lengths[1]), excess)
        lost = [(excess - longer) // 2, (excess - longer + 1) // 2]
        lost[lengths[0] < lengths[1]] += longer
    kept, overflowing = [], []
    for text, count in zip(texts, lost, strict=True):
        size, window = len(text), min(len(text), count + layout.stride)
        if layout.truncation_side == "left":
            kept.append(text[count:])
            overflowing += text[:window] if count else []
        else:
            kept.append(text[: size - count])
            overflowing += text[size - window :] if count else []
    return kept, overflowing


def check_stride_of_pairs(
    layout: Layout, room: int, first: np.ndarray, second: np.ndarray
) -> None:
    """Raises a `ValueError` where a stride is as long as a piece of a text.

    The arguments are those of `kept_lengths`.
    """
    kept = kept_lengths(layout.truncation or "", room, first, second)
    for lengths, pieces in zip((first, second), kept, strict=True):
        wrong = (0 < pieces) & (pieces < lengths) & (pieces <= layout.stride)
        for row in np.flatnonzero(wrong)[:1]:
            raise ValueError(
                "`stride` must be smaller than the tokens of a piece. "
                f"Received: stride={layout.stride} where a text of "
                f"{lengths[row]} tokens is cut into pieces of {pieces[row]}. "
                "Use a smaller stride, or, for pairs, "
                "truncation='only_second'."
            )


def pad_rows(
    inputs: Any,
    layout: Layout,
    pad_token_id: int | None,
    with_attention_mask: bool,
) -> tuple[dict[str, Any], bool]:
    """Fills up `input_ids` and the masks beside them, for `tokenizer.pad`.

    Returns:
        A dict of lists, and whether arrays or tensors were given.

    Raises:
        TypeError: if the inputs aren't a mapping of names to a row or to
            rows, or a list of mappings.
        ValueError: if `input_ids` are missing, or rows are of unequal number.
    """
    data = _as_mapping(inputs)
    first = data["input_ids"]
    arrays = hasattr(first, "shape") or (
        isinstance(first, list | tuple)
        and any(hasattr(row, "shape") and np.ndim(row) for row in first)
    )
    data = {
        name: text_arguments.to_lists(value) for name, value in data.items()
    }
    ids = data["input_ids"]
    single = bool(ids) and not isinstance(ids[0], list)
    if single:
        data = {name: [value] for name, value in data.items()}
    rows = data["input_ids"]
    if with_attention_mask and "attention_mask" not in data:
        data["attention_mask"] = [[1] * len(row) for row in rows]
    for name, value in data.items():
        if len(value) != len(rows):
            raise ValueError(
                "All inputs must have as many rows as `input_ids`, "
                f"{len(rows)}. Received: {len(value)} of `{name}`. Leave it "
                "out, or give each row its own."
            )
    length = _padded_length([len(row) for row in rows], layout)
    for name, filling in {"input_ids": pad_token_id, **_FILLINGS}.items():
        if name in data and length is not None:
            data[name] = [
                _fill(row, filling, length, layout.padding_side)
                for row in data[name]
            ]
    if single:
        data = {name: value[0] for name, value in data.items()}
    return data, arrays


def _padded_length(lengths: list[int], layout: Layout) -> int | None:
    """Returns the length that rows get, `None` where they keep their own."""
    if layout.padding is None or not lengths:
        return None
    if layout.padding == "longest":
        length = max(lengths)
    else:
        length = layout.max_length or 0
    multiple = layout.pad_to_multiple_of or 1
    return -(-length // multiple) * multiple


def _fill(row: list[Any], filling: Any, length: int, side: str) -> list[Any]:
    more = [filling] * (length - len(row))
    return [*more, *row] if side == "left" else [*row, *more]


def _as_mapping(inputs: Any) -> dict[str, Any]:
    if isinstance(inputs, list | tuple) and inputs:
        if all(isinstance(one, Mapping) for one in inputs):
            names = list(inputs[0])
            uneven = [one for one in inputs if set(one) != set(names)]
            if uneven:
                raise ValueError(
                    "All rows must have the same inputs. Received: "
                    f"{shown(sorted(names))} and {shown(sorted(uneven[0]))}. "
                    "Add or remove what differs."
                )
            inputs = {name: [one[name] for one in inputs] for name in names}
    if not isinstance(inputs, Mapping):
        raise TypeError(
            "Rows to pad must be a mapping, or a list of mappings, with "
            f"`input_ids`. Received: {type(inputs).__name__}. Pass what the "
            "tokenizer returned."
        )
    if "input_ids" not in inputs:
        raise ValueError(
            "Rows to pad must have `input_ids`. Received: "
            f"{shown(sorted(inputs))}. Pass what the tokenizer returned."
        )
    return dict(inputs)


def _name_strategy(
    name: str, value: Any, values: tuple[str, ...]
) -> str | None:
    """Returns the strategy's name, `None` for the one that does nothing."""
    # transformers has enumerations whose values are these names.
    value = getattr(value, "value", value)
    if value is True:
        return values[0]
    if value is None or value is False or value == values[-1]:
        return None
    if value not in values:
        raise ValueError(
            f"`{name}` must be a bool or one of {list(values)}. Received: "
            f"{shown(value)}."
        )
    return value


def check_integer(name: str, value: Any, least: int) -> int | None:
    """Returns an integer, `None` for `None`; a `ValueError` for others."""
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. Received: "
            f"{shown(value)}."
        )
    return number
