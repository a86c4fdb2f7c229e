"""Checks what callers pass (keywords, texts, ids) and unifies its form."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.errors import shown

# Keywords of old code, and what to pass instead.
_RENAMED = {
    "pad_to_max_length": "`padding='max_length'`",
    "truncation_strategy": "`truncation=...`, of the same values",
    "max_len": "`max_length`",
    "return_token_type_id": "`return_token_type_ids`",
    "batch_text_or_text_pairs": "the texts as the first argument",
}


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
        f"unknown {shown(sorted(unknown))}. "
        + (" ".join(fixes) or "Correct the name or leave it out.")
    )


def as_batch(
    text: Any, text_pair: Any, is_split_into_words: bool
) -> tuple[list[Any], bool]:
    """Brings the texts of a tokenizer's call into one form.

    `text` may also be a list of pairs. With `is_split_into_words` each text
    is a list of words.

    Returns:
        A list with a text or a tuple of two for each row, and whether the
        texts came in a list.

    Raises:
        TypeError: for anything that isn't text.
        ValueError: for first and second texts of unequal number.
    """
    single = _is_words if is_split_into_words else _is_text
    what = "a list of words" if is_split_into_words else "a string"
    if single(text):
        # As in transformers: an empty second text is none, but not in lists.
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
    return f"{_shorten(value, 40)} of type {type(value).__name__}"


def _shorten(value: Any, width: int) -> str:
    text = repr(value)
    return text if len(text) <= width else f"{text[:width]}..."


def to_lists(value: Any) -> Any:
    """Returns arrays and tensors, also those in lists, as nested lists."""
    if hasattr(value, "numpy"):
        value = value.numpy()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, list | tuple):
        # Long lists of ints are common: only the first item is looked at.
        if value and isinstance(value[0], int):
            return list(value)
        return [to_lists(item) for item in value]
    return value


def to_ids(value: Any) -> Any:
    """Returns an id, or nested lists of ids, of whatever holds integers."""
    try:
        return _to_integers(to_lists(value))
    except TypeError:
        raise TypeError(
            "Ids must be whole numbers, in lists, arrays or tensors. "
            f"Received: {_shorten(value, 60)}. Pass what a tokenizer gave as "
            "`input_ids`."
        ) from None


def _to_integers(ids: Any) -> Any:
    if isinstance(ids, str | bytes):
        raise TypeError("Text is iterable, but a letter is no id.")
    if isinstance(ids, Iterable):
        return [one if type(one) is int else _to_integers(one) for one in ids]
    return operator.index(ids)
