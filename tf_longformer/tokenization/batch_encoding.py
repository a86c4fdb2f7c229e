"""What a tokenizer returns, as lists, arrays or tensors."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Mapping
from collections.abc import MutableMapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.errors import shown

_TENSOR_TYPES = ("np", "tf")


class CharSpan(NamedTuple):
    """Characters `start` up to but without `end` of a text."""

    start: int
    end: int


class TokenSpan(NamedTuple):
    """Tokens `start` up to but without `end` of a row."""

    start: int
    end: int


class BatchEncoding(UserDict):
    """A mapping of names to ids and masks, with the way back to the text.

    Values are reached as `encoding["input_ids"]` and `encoding.input_ids`.
    It goes into a model as it is, as `**encoding`, and as `dict(encoding)`.

    Methods such as `char_to_token` take an index into the first row, or a row
    and an index: `char_to_token(7)`, `char_to_token(row, 7)`. Where words and
    characters are counted, `sequence_index` is the text of a pair, 0 (the
    default) or 1. The methods need what a tokenizer's call returns; what
    `pad` returns has ids only.

    Args:
        data: mapping of names to values. Defaults to none.
        encoding: the rows' encodings, which know offsets and words. Defaults
            to `None`.
        tensor_type: `"np"` or `"tf"` to convert the values. Defaults to
            `None`, which keeps them.
        prepend_batch_axis: bool, whether to add a first axis of 1 in the
            conversion. Defaults to `False`.
        n_sequences: int, texts per row, 1 or 2. Defaults to what the first
            encoding says.

    Raises:
        ValueError: if the values can't be converted.

    Source: transformers' class of this name.
    """

    def __init__(
        self,
        data: Mapping[str, Any] | None = None,
        encoding: Any = None,
        tensor_type: str | None = None,
        prepend_batch_axis: bool = False,
        n_sequences: int | None = None,
    ) -> None:
        super().__init__(data)
        if encoding is not None and not isinstance(encoding, Sequence):
            encoding = [encoding]
        self._encodings: list[Any] | None = (
            None if encoding is None else list(encoding)
        )
        if n_sequences is None and encoding:
            n_sequences = encoding[0].n_sequences
        self._n_sequences = n_sequences
        self.convert_to_tensors(tensor_type, prepend_batch_axis)

    def __getitem__(self, key: Any) -> Any:
        """Returns a value, a row's encoding, or a slice of all values."""
        if isinstance(key, str):
            return self.data[key]
        if isinstance(key, slice):
            return {name: value[key] for name, value in self.data.items()}
        if isinstance(key, int) and self._encodings is not None:
            return self._encodings[key]
        raise KeyError(
            "A key must be a name, a slice, or, for what a tokenizer's call "
            f"returned, a row's number. Received: {shown(key)}."
        )

    def __getattr__(self, name: str) -> Any:
        # While a copy is being made there is no `data` yet; `self.data` would
        # come here again, without end.
        data = self.__dict__.get("data", {})
        if name in data:
            return data[name]
        raise AttributeError(
            f"{type(self).__name__!r} has no attribute {shown(name)}; its keys "
            f"are {list(data)}"
        )

    @property
    def encodings(self) -> list[Any] | None:
        """The rows' encodings, or `None`."""
        return self._encodings

    @property
    def is_fast(self) -> bool:
        """Whether there are encodings, so that all methods work."""
        return self._encodings is not None

    @property
    def n_sequences(self) -> int | None:
        """Texts per row: 1, 2, or `None` where it isn't known."""
        return self._n_sequences

    def convert_to_tensors(
        self, tensor_type: str | None = None, prepend_batch_axis: bool = False
    ) -> BatchEncoding:
        """Converts all values in place.

        Args:
            tensor_type: `"np"` or `"tf"`; `None` changes nothing.
            prepend_batch_axis: bool, whether to add a first axis of 1.
                Defaults to `False`.

        Returns:
            This object.

        Raises:
            ValueError: if rows are of several lengths.
        """
        kind = check_tensor_type(tensor_type)
        if kind is not None:
            if prepend_batch_axis:
                self.data = {key: [value] for key, value in self.data.items()}
            _convert(self.data, kind)
        return self

    def tokens(self, batch_index: int = 0) -> list[str]:
        """Returns the tokens of a row, in the vocabulary's spelling."""
        return self._row(batch_index).tokens

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """Returns each token's text: 0, 1, or `None` for special tokens."""
        return self._row(batch_index).sequence_ids

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """Returns each token's word within its text.

        Words are those that were passed (`is_split_into_words`), else what
        the tokenizer cuts the text into. Special tokens have `None`.
        """
        return self._row(batch_index).word_ids

    def token_to_sequence(
        self, batch_or_token_index: int, token_index: int | None = None
    ) -> int | None:
        """Returns the text of a token: 0, 1, or `None`."""
        row, index = self._locate(batch_or_token_index, token_index)
        return row.token_to_sequence(_from_end(index, len(row)))

    def token_to_word(
        self, batch_or_token_index: int, token_index: int | None = None
    ) -> int | None:
        """Returns the word of a token within its text, or `None`."""
        row, index = self._locate(batch_or_token_index, token_index)
        return row.token_to_word(_from_end(index, len(row)))

    def token_to_chars(
        self, batch_or_token_index: int, token_index: int | None = None
    ) -> CharSpan | None:
        """Returns a token's characters, or `None` for special tokens."""
        row, index = self._locate(batch_or_token_index, token_index)
        found = row.token_to_chars(_from_end(index, len(row)))
        return None if found is None else CharSpan(*found)

    def word_to_tokens(
        self,
        batch_or_word_index: int,
        word_index: int | None = None,
        sequence_index: int = 0,
    ) -> TokenSpan | None:
        """Returns a word's tokens, or `None` if there are none."""
        row, index = self._locate(batch_or_word_index, word_index)
        found = row.word_to_tokens(index, sequence_index)
        return None if found is None else TokenSpan(*found)

    def word_to_chars(
        self,
        batch_or_word_index: int,
        word_index: int | None = None,
        sequence_index: int = 0,
    ) -> CharSpan | None:
        """Returns a word's characters, or `None` if there are none."""
        row, index = self._locate(batch_or_word_index, word_index)
        found = row.word_to_chars(index, sequence_index)
        return None if found is None else CharSpan(*found)

    def char_to_token(
        self,
        batch_or_char_index: int,
        char_index: int | None = None,
        sequence_index: int = 0,
    ) -> int | None:
        """Returns the token of a character.

        `None` for a space that no token counts as its own (`trim_offsets`)
        and for what was cut off.
        """
        row, index = self._locate(batch_or_char_index, char_index)
        return row.char_to_token(index, sequence_index)

    def char_to_word(
        self,
        batch_or_char_index: int,
        char_index: int | None = None,
        sequence_index: int = 0,
    ) -> int | None:
        """Returns the word of a character, or `None` for a space."""
        row, index = self._locate(batch_or_char_index, char_index)
        return row.char_to_word(index, sequence_index)

    def _locate(self, first: int, second: int | None) -> tuple[Any, int]:
        if second is None:
            return self._row(0), first
        return self._row(first), second

    def _row(self, index: int) -> Any:
        if self._encodings is None:
            raise ValueError(
                "Offsets and words are known of what a tokenizer's call "
                f"returns. Received: {type(self).__name__} with "
                f"{list(self.data)} only. Ask before padding or converting "
                "by hand."
            )
        try:
            return self._encodings[index]
        except IndexError:
            raise IndexError(
                f"There are {len(self._encodings)} rows. Received: row {index}."
            ) from None


def _from_end(index: int, length: int) -> int:
    return index + length if index < 0 else index


def check_tensor_type(kind: Any) -> str | None:
    """Returns `"np"`, `"tf"` or `None`; a `ValueError` for anything else."""
    kind = getattr(kind, "value", kind)
    if kind is not None and kind not in _TENSOR_TYPES:
        raise ValueError(
            "`return_tensors` must be 'np', 'tf' or None. Received: "
            f"{shown(kind)}. Other libraries take the arrays of 'np'."
        )
    return kind


def _convert(data: MutableMapping[str, Any], kind: str) -> None:
    """Replaces nested lists of numbers by arrays or tensors, in place."""
    for name, value in data.items():
        try:
            array = np.asarray(value)
        except ValueError:
            array = None
        if array is None or array.dtype.kind not in "biuf":
            raise ValueError(
                f"The rows of `{name}` must be of one length to become a "
                "tensor. Received: "
                f"{_describe(value)}. Pad and truncate, e.g. "
                "`tokenizer(texts, padding=True, truncation=True, "
                "max_length=4096)`."
            )
        if array.size == 0:
            # NumPy reads an empty list as floats.
            array = array.astype(np.int64)
        data[name] = array if kind == "np" else _to_tensorflow(array)


def _to_tensorflow(array: np.ndarray) -> Any:
    try:
        import tensorflow as tf
    except ImportError as error:
        raise ImportError(
            "`return_tensors='tf'` needs TensorFlow. Received: "
            f"{type(error).__name__}: {error}. Install it with pip install "
            "'tf-longformer[cpu]', or use 'np'."
        ) from error
    wide = array.dtype == np.int64
    return tf.convert_to_tensor(array.astype(np.int32) if wide else array)


def _describe(value: Any) -> str:
    try:
        lengths = sorted({len(row) for row in value})
    except TypeError:
        return f"{type(value).__name__}"
    return f"rows of {lengths[0]} to {lengths[-1]}"
