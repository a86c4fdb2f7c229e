"""Which tokens are global: said in words, found in an encoding."""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.errors import shown

NAMES = ("none", "cls", "question", "choices")


class TokenRow(NamedTuple):
    """A row of an encoding, as a function that picks tokens sees it.

    Args:
        ids: int array `[seq]`.
        tokens: list of strings, in the vocabulary's spelling.
        sequence_ids: int array `[seq]`: 0, 1, and -1 for special tokens.
        word_ids: int array `[seq]`, -1 for special tokens.
        offsets: int array `[seq, 2]`, each token's characters in its text.
        attention_mask: int array `[seq]`.
    """

    ids: np.ndarray
    tokens: list[str]
    sequence_ids: np.ndarray
    word_ids: np.ndarray
    offsets: np.ndarray
    attention_mask: np.ndarray


def global_attention_mask(encoding: Any, *where: Any) -> np.ndarray:
    """Marks the tokens that attend to all and are attended to by all.

    Args:
        encoding: what a tokenizer's call returned.
        *where: one or more of these; a token is global if any of them says
            so. Defaults to `"cls"`.

            - `"none"`: no token;
            - `"cls"`: the first token, as sequence classification has it;
            - `"question"`: the first text and all before it, as question
              answering has it;
            - `"choices"`: the second text and all after it, as multiple
              choice has it;
            - an int or a set or list of ints: every token with such an id;
            - a list of spans `(start, end)` or `(start, end, text)`:
              characters of the first text (or of `text`, 0 or 1); for
              several rows a list of such lists, one for each row;
            - a function of a `TokenRow` that returns a bool for each token.

    Returns:
        int32 array of 0 and 1, shaped as `input_ids`. Padding is never
        global.

    Raises:
        TypeError: for an encoding that wasn't made by a call, or something
            else than the above.
        ValueError: for an unknown name, rows of several lengths, or spans
            for another number of rows.
    """
    rows, single = read_rows(encoding)
    lengths = {len(row.ids) for row in rows}
    if len(lengths) > 1:
        raise ValueError(
            "Rows must be of one length. Received: rows of "
            f"{min(lengths)} to {max(lengths)} tokens. Encode them with "
            "`padding=True`."
        )
    shape = (len(rows), max(lengths, default=0))
    mask = np.zeros(shape, bool)
    for one in where or ("cls",):
        choose = _chooser(one, len(rows), single)
        for number, row in enumerate(rows):
            mask[number] |= choose(number, row)
    for number, row in enumerate(rows):
        mask[number] &= row.attention_mask > 0
    result = mask.astype("int32")
    return result[0] if single else result


def read_rows(encoding: Any) -> tuple[list[TokenRow], bool]:
    """Returns the rows of an encoding, and whether it is a single one.

    Args:
        encoding: what a tokenizer's call returned.

    Returns:
        List of `TokenRow`, and whether `input_ids` have one axis only.

    Raises:
        TypeError: for anything else.
    """
    pieces = getattr(encoding, "encodings", None)
    if pieces is None:
        raise TypeError(
            "Texts and words are known of what a tokenizer's call returns. "
            f"Received: {type(encoding).__name__}. Pass that, before it "
            "becomes a dict."
        )
    rows = [
        TokenRow(
            np.asarray(one.ids, "int64"),
            one.tokens,
            _numbers(one.sequence_ids),
            _numbers(one.word_ids),
            np.asarray(one.offsets, "int64").reshape(-1, 2),
            np.asarray(one.attention_mask, "int64"),
        )
        for one in pieces
    ]
    return rows, np.ndim(encoding["input_ids"][0]) == 0 if rows else False


def _numbers(values: Sequence[int | None]) -> np.ndarray:
    return np.array([-1 if v is None else v for v in values], "int64")


def _chooser(
    where: Any, count: int, single: bool
) -> Callable[[int, TokenRow], np.ndarray]:
    """Returns the function that picks tokens, of a row's number and the row."""
    if isinstance(where, str):
        if where not in NAMES:
            raise ValueError(
                f"The name of global tokens must be one of {list(NAMES)}. "
                f"Received: {shown(where)}."
            )
        return lambda number, row: _by_name(where, row)
    if callable(where):
        return lambda number, row: _by_function(where, row)
    if isinstance(where, int | np.integer):
        where = [where]
    values = list(where) if isinstance(where, Iterable) else None
    if values is not None and all(
        isinstance(value, int | np.integer) for value in values
    ):
        return lambda number, row: np.isin(row.ids, values)
    if values is None or isinstance(where, Mapping):
        raise TypeError(
            "Global tokens must be a name, token ids, spans or a function. "
            f"Received: {shown(where)} of type {type(where).__name__}."
        )
    per_row = [values] if single else values
    if len(per_row) != count:
        raise ValueError(
            "There must be a list of spans for each row. Received: "
            f"{len(per_row)} for {count} rows. Use [] for a row without any."
        )
    return lambda number, row: _by_spans(per_row[number], row)


def _by_name(name: str, row: TokenRow) -> np.ndarray:
    if name == "none":
        return np.zeros(len(row.ids), bool)
    first = np.flatnonzero(row.attention_mask)[:1]
    places = np.arange(len(row.ids))
    if name == "cls":
        return np.isin(places, first)
    # The last token before the separators: `<s>` where the first text is empty.
    question = np.flatnonzero(row.sequence_ids == 0)
    end = question[-1] if question.size else np.max(first, initial=-1)
    if name == "question":
        return places <= end
    choice = np.flatnonzero(row.sequence_ids == 1)
    if choice.size:
        return places >= choice[0]
    # Of an empty one, the separator at its end; a missing one has nothing.
    behind = np.flatnonzero((places > end) & (row.attention_mask > 0))
    return np.isin(places, behind[-1:]) & (behind.size > 1)


def _by_function(function: Callable, row: TokenRow) -> np.ndarray:
    chosen = np.asarray(function(row))
    if chosen.shape != row.ids.shape:
        raise ValueError(
            "A function of global tokens must return a bool for each token. "
            f"Received: shape {chosen.shape} for {len(row.ids)} tokens."
        )
    return chosen.astype(bool)


def _by_spans(spans: Iterable[Any], row: TokenRow) -> np.ndarray:
    chosen = np.zeros(len(row.ids), bool)
    for span in spans:
        try:
            start, end, text = span if len(span) == 3 else (*span, 0)
        except (TypeError, ValueError):
            raise TypeError(
                "A span must be (start, end) or (start, end, text). "
                f"Received: {shown(span)}. For several rows pass a list of "
                "spans for each."
            ) from None
        chosen |= (
            (row.sequence_ids == text)
            & (row.offsets[:, 0] < end)
            & (row.offsets[:, 1] > start)
        )
    return chosen


def describe_attention(
    encoding: Any, mask: Any, attention_window: int = 512, most: int = 8
) -> str:
    """Says in words which tokens see what, and what it costs.

    Args:
        encoding: what a tokenizer's call returned.
        mask: array of 0 and 1, as `global_attention_mask` returns.
        attention_window: int, tokens of the window, both sides together.
            Defaults to `512`.
        most: int, how many global tokens are named for each row. Defaults to
            `8`.

    Returns:
        str of several lines.

    Raises:
        TypeError: for an encoding that wasn't made by a call.
        ValueError: if the mask has another shape.
    """
    rows, single = read_rows(encoding)
    masks = np.asarray(mask)
    masks = masks[None] if single else masks
    if masks.ndim != 2 or [len(m) for m in masks] != [len(r.ids) for r in rows]:
        raise ValueError(
            "The mask must have the shape of `input_ids`. Received: shape "
            f"{np.shape(mask)}. Make it with `global_attention_mask`."
        )
    lines = []
    radius = attention_window // 2
    for number, (row, chosen) in enumerate(zip(rows, masks, strict=True)):
        real = row.attention_mask > 0
        tokens = int(real.sum())
        places = np.flatnonzero(real & (chosen > 0))
        count = len(places)
        local = tokens - count
        windowed = _window_pairs(np.flatnonzero(real), places, radius)
        pairs = windowed + local * count + count * tokens
        padding, globals_seen = "", ""
        who_sees_what = "every token sees its window only."
        if tokens < len(real):
            padding = f" and {len(real) - tokens} of padding"
        if count:
            globals_seen = f", and the {count} global"
            named = ", ".join(repr(row.tokens[i]) for i in places[:most])
            if count > most:
                named += f" and {count - most} more"
            who_sees_what = (
                f"{named}. They see all {tokens} tokens, and all tokens see "
                "them."
            )
        lines += [
            f"Row {number}: {tokens} tokens{padding}.",
            f"  {count} global: {who_sees_what}",
            f"  {local} local: each sees itself and up to {radius} tokens on "
            f"either side{globals_seen}.",
            f"  Cost: {pairs:,} pairs of tokens for each head and layer; "
            f"full attention would have {tokens * tokens:,} "
            f"({_percent(pairs, tokens * tokens)}).",
        ]
        if count > attention_window:
            lines.append(
                "  There are more global tokens than the window is wide: a "
                "larger window may cost less."
            )
    return "\n".join(lines)


def _window_pairs(real: np.ndarray, places: np.ndarray, radius: int) -> int:
    """Counts pairs of a local token and a local token of its window."""
    local = np.setdiff1d(real, places)
    begins = np.searchsorted(local, local - radius, "left")
    ends = np.searchsorted(local, local + radius, "right")
    return int((ends - begins).sum())


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "0%"
