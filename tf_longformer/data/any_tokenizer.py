"""Encodes texts with our tokenizer or a fast one of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tf_longformer.list_arguments import refuse_string
from tf_longformer.tokenization import LongformerTokenizer
from tf_longformer.tokenization.layout import is_bounded

LIST_OF_STRINGS = "a list of strings"


def encode_texts(tokenizer: Any, *texts: Sequence[str], **kwargs: Any) -> Any:
    """Calls a tokenizer for lists of texts.

    Args:
        tokenizer: `LongformerTokenizer`, or a fast tokenizer of transformers.
        *texts: one list of strings, or two of pairs.
        **kwargs: arguments of the call.

    Returns:
        What the tokenizer's call returns, with `encodings`.

    Raises:
        TypeError: for a tokenizer that doesn't say where tokens come from, or
            no tokenizer at all.
        ValueError: for a text that a tokenizer of transformers can't take.
    """
    if not callable(tokenizer):
        raise TypeError(
            "`tokenizer` must be a tokenizer. Received: "
            f"{type(tokenizer).__name__}. Load it with "
            "`LongformerTokenizer.from_pretrained(folder)`."
        )
    ours = isinstance(tokenizer, LongformerTokenizer)
    if not ours:
        for of_one_side in texts:
            _refuse_surrogates(of_one_side)
    # A slow tokenizer of transformers would fail at the arguments.
    encoding = None
    if getattr(tokenizer, "is_fast", True):
        encoding = tokenizer(*map(list, texts), **kwargs)
    if getattr(encoding, "encodings", None) is None:
        raise TypeError(
            "The tokenizer must tell which characters a token stands for, as "
            "fast ones do. Received: a slow "
            f"{type(tokenizer).__name__}. Load it as "
            "`LongformerTokenizerFast`."
        )
    return encoding


def has_limit(tokenizer: Any) -> bool:
    """Returns whether `model_max_length` of a tokenizer bounds anything."""
    return is_bounded(tokenizer.model_max_length)


def _refuse_surrogates(texts: Sequence[Any]) -> None:
    for number, given in enumerate(texts):
        # A list of words is a text too.
        text = given if isinstance(given, str) else " ".join(given)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(
                "A text must not have a lone surrogate, half of a character. "
                f"Received: {text[error.start]!r} at character {error.start} "
                f"of text {number}. Replace it, e.g. by "
                "`text.encode('utf-8', 'replace').decode()`."
            ) from None


def check_strings(
    name: str, values: Any, rule: str = "a list of strings"
) -> list[str]:
    """Returns a list of strings as a list.

    Args:
        name: str, the argument's name.
        values: list, tuple, array or other sequence of strings.
        rule: str, what the argument must be, for the message.

    Raises:
        TypeError: for a string, which would be taken apart, or anything else.
    """
    if rule == LIST_OF_STRINGS:
        refuse_string(name, values)
    if hasattr(values, "tolist"):
        # An array, or a column of a table.
        values = values.tolist()
    received = _describe(values)
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        wrong = [value for value in values if not isinstance(value, str)]
        if not wrong:
            return list(values)
        received = f"a list with {_describe(wrong[0])}"
    raise TypeError(
        f"`{name}` must be {rule}. Received: {received}. Pass the texts "
        "themselves."
    )


def _describe(value: Any) -> str:
    return f"{repr(value)[:60]} of type {type(value).__name__}"
