"""What people pass to a tokenizer, checked and in one form."""

from __future__ import annotations

import dataclasses
import logging
import operator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

logger = logging.getLogger("tf_longformer")

PADDINGS = ("longest", "max_length", "do_not_pad")
TRUNCATIONS = (
    "longest_first",
    "only_first",
    "only_second",
    "do_not_truncate",
)
# What a tokenizer's files say where no length is set.
VERY_LARGE = int(1e30)
_UNBOUNDED = int(1e20)


# What old code passes, and what to pass instead.
_RENAMED = {
    "pad_to_max_length": "`padding='max_length'`",
    "truncation_strategy": "`truncation=...`, of the same values",
    "max_len": "`max_length`",
    "return_token_type_id": "`return_token_type_ids`",
    "batch_text_or_text_pairs": "the texts as the first argument",
}


@dataclasses.dataclass(frozen=True)
class Layout:
    """How rows are cut and filled up.

    Args:
        padding: `None`, `"longest"` or `"max_length"`.
        truncation: `None`, `"longest_first"`, `"only_first"` or
            `"only_second"`.
        max_length: int, or `None` if neither needs it.
        stride: int, tokens that overlapping pieces share.
        pad_to_multiple_of: int or `None`.
        padding_side: `"left"` or `"right"`.
        truncation_side: the same.
    """

    padding: str | None
    truncation: str | None
    max_length: int | None
    stride: int
    pad_to_multiple_of: int | None
    padding_side: str
    truncation_side: str


def choose_layout(
    padding: Any,
    truncation: Any,
    max_length: int | None,
    stride: int,
    pad_to_multiple_of: int | None,
    padding_side: str,
    truncation_side: str,
    model_max_length: int,
    has_pad_token: bool,
) -> Layout:
    """Turns the arguments of a call into a `Layout`.

    Args:
        padding: bool, or one of `PADDINGS`.
        truncation: bool, `None`, or one of `TRUNCATIONS`.
        max_length: int or `None`.
        stride: int.
        pad_to_multiple_of: int or `None`.
        padding_side: `"left"` or `"right"`.
        truncation_side: `"left"` or `"right"`.
        model_max_length: int, in place of `max_length` where there is none.
        has_pad_token: bool.

    Returns:
        `Layout`.

    Raises:
        ValueError: if an argument isn't one of its values, or they don't go
            together.
    """
    check_side("padding_side", padding_side)
    check_side("truncation_side", truncation_side)
    max_length = _whole("max_length", max_length, 0)
    multiple = _whole("pad_to_multiple_of", pad_to_multiple_of, 1)
    stride = _whole("stride", stride, 0) or 0
    if max_length is not None and padding is False and truncation is None:
        truncation = "longest_first"
    cut = _strategy("truncation", truncation, TRUNCATIONS)
    fill = _strategy("padding", padding, PADDINGS)
    if max_length is None and (cut is not None or fill == "max_length"):
        if is_bounded(model_max_length):
            max_length = model_max_length
        else:
            logger.warning(
                "There is no `max_length`, and the tokenizer has no "
                "`model_max_length`: %s is left out.",
                "truncation" if cut is not None else "padding",
            )
            cut = None
            fill = None if fill == "max_length" else fill
    if fill is not None and not has_pad_token:
        raise ValueError(
            "Padding needs a pad token. Received: a tokenizer without one. "
            "Set it, e.g. `tokenizer.pad_token = tokenizer.eos_token`."
        )
    if (
        multiple is not None
        and cut is not None
        and fill is not None
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
        fill, cut, max_length, stride, multiple, padding_side, truncation_side
    )


def refuse_unknown(unknown: Mapping[str, Any]) -> None:
    """Raises a `TypeError` for arguments that a call doesn't have."""
    if not unknown:
        return
    fixes = [
        f"Instead of `{name}` pass {_RENAMED[name]}."
        for name in unknown
        if name in _RENAMED
    ]
    raise TypeError(
        "A tokenizer must be called with arguments that it has. Received: "
        f"unknown {sorted(unknown)}. "
        + (" ".join(fixes) or "Correct the name or leave it out.")
    )


def is_bounded(length: int) -> bool:
    """Whether a `model_max_length` says anything."""
    return length < _UNBOUNDED


def check_room(layout: Layout, added: int) -> None:
    """Checks that a row has room for special tokens and for a stride.

    Args:
        layout: `Layout`.
        added: int, special tokens of a row.

    Raises:
        ValueError: if truncation can't keep to `max_length`, or the pieces
            would not advance.
    """
    if layout.truncation is None or layout.max_length is None:
        return
    room = layout.max_length - added
    if room < 0:
        raise ValueError(
            f"`max_length` must leave room for the {added} special tokens. "
            f"Received: max_length={layout.max_length}. Use at least {added}, "
            "or `add_special_tokens=False`."
        )
    # Without special tokens the library still reckons with two of them.
    most = room - 1 if added else min(room - 1, layout.max_length - 2)
    if layout.stride and layout.stride > most:
        raise ValueError(
            "`stride` must be smaller than the tokens of a piece, "
            "`max_length` without the special tokens. Received: stride="
            f"{layout.stride}, max_length={layout.max_length}. Use a stride "
            f"of at most {max(most, 0)}."
        )


def check_side(name: str, side: Any) -> None:
    """Raises a `ValueError` unless `side` is `"left"` or `"right"`."""
    if side not in ("left", "right"):
        raise ValueError(
            f"`{name}` must be 'left' or 'right'. Received: {side!r}."
        )


def _strategy(name: str, value: Any, values: tuple[str, ...]) -> str | None:
    """Returns the strategy's name, `None` for the one that does nothing."""
    value = getattr(value, "value", value)
    if value is True:
        return values[0]
    if value is None or value is False or value == values[-1]:
        return None
    if value not in values:
        raise ValueError(
            f"`{name}` must be a bool or one of {list(values)}. Received: "
            f"{value!r}."
        )
    return value


def _whole(name: str, value: Any, least: int) -> int | None:
    if value is None:
        return None
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool) or number < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. Received: "
            f"{value!r}."
        )
    return number


def as_batch(
    text: Any, text_pair: Any, is_split_into_words: bool
) -> tuple[list[Any], bool]:
    """Brings texts and pairs into one form.

    Args:
        text: a string, or a list of strings; with `is_split_into_words` a
            list of words, or a list of such lists.
        text_pair: the same for the second texts, or `None`. A list of pairs
            as `text` is taken for pairs too.
        is_split_into_words: bool.

    Returns:
        A list with a text or a tuple of two for each row, and whether
        several rows were given.

    Raises:
        TypeError: for anything that isn't text.
        ValueError: for first and second texts of unequal number.
    """
    single = _is_words if is_split_into_words else _is_text
    what = "a list of words" if is_split_into_words else "a string"
    if single(text):
        # As the reference has it, an empty second text is none here.
        if text_pair is None or (not text_pair and single(text_pair)):
            return [text], False
        if not single(text_pair):
            raise TypeError(
                f"The second text must be {what} as the first is. Received: "
                f"{_show(text_pair)}. Pass two lists for several pairs."
            )
        return [(text, text_pair)], False
    if not isinstance(text, list | tuple):
        raise TypeError(
            f"A text must be {what}, and several a list. Received: "
            f"{_show(text)}. {_advice(text, is_split_into_words)}"
        )
    if text_pair is None:
        rows = [
            tuple(row)
            if not single(row) and isinstance(row, list | tuple)
            else row
            for row in text
        ]
    elif single(text_pair) or not isinstance(text_pair, list | tuple):
        raise TypeError(
            "The second texts must be a list as the first are. Received: "
            f"{_show(text_pair)}. Repeat it, e.g. `[pair] * len(texts)`."
        )
    elif len(text) != len(text_pair):
        raise ValueError(
            "There must be as many second texts as first ones. Received: "
            f"{len(text)} and {len(text_pair)}. Pass lists of one length."
        )
    else:
        rows = list(zip(text, text_pair, strict=True))
    for row in rows:
        _check_row(row, single, what, is_split_into_words)
    return rows, True


def _check_row(row: Any, single: Any, what: str, words: bool) -> None:
    if single(row):
        return
    if isinstance(row, tuple) and len(row) == 2:
        wrong = next((text for text in row if not single(text)), None)
        if wrong is None:
            return
        row = wrong
    raise TypeError(
        f"Each text must be {what}. Received: {_show(row)} among them. "
        f"{_advice(row, words)}"
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_words(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(
        isinstance(word, str) for word in value
    )


def _advice(value: Any, words: bool) -> str:
    if isinstance(value, bytes):
        return "Decode it, e.g. `text.decode('utf-8')`."
    if words and isinstance(value, str):
        return "Split it into words, or leave out `is_split_into_words`."
    if not words and isinstance(value, Sequence):
        return "Lists of words need `is_split_into_words=True`."
    if value is None or isinstance(value, float):
        return "Replace missing texts, e.g. by ''."
    return "Turn it into strings, e.g. `[str(text) for text in texts]`."


def _show(value: Any) -> str:
    text = repr(value)
    short = text if len(text) <= 40 else f"{text[:40]}..."
    return f"{short} of type {type(value).__name__}"
