"""Long texts in windows: pieces that overlap, each with special tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import numpy as np

from tf_longformer.data.any_tokenizer import encode_texts


class Window(NamedTuple):
    """A piece of a text.

    Args:
        text: int, which of the texts it is of.
        ids: list of ints, its token ids, special tokens and the question
            included.
        offsets: int array `[seq, 2]`, characters of each token in its text;
            -1 for tokens that aren't of it.
        words: int array `[seq]`, the word of each token, as the tokenizer
            cuts its text into words; -1 likewise.
        first: int, the place of its first token among the text's tokens.
        types: list of ints, its token types; all 0 where the tokenizer
            doesn't name `token_type_ids` among a model's inputs.
    """

    text: int
    ids: list[int]
    offsets: np.ndarray
    words: np.ndarray
    first: int
    types: list[int]

    @property
    def inside(self) -> np.ndarray:
        """Bool `[seq]`, tokens of the text."""
        return self.offsets[:, 0] >= 0

    @property
    def last(self) -> int:
        """The place after its last token among the text's tokens."""
        return self.first + int(self.inside.sum())


def trim_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Returns the ends of a span without the white space at them.

    Of white space alone nothing is left, at `end`.
    """
    part = text[start:end]
    begin = end - len(part.lstrip())
    return begin, max(begin, start + len(part.rstrip()))


def cut_into_windows(
    tokenizer: Any,
    texts: Sequence[str],
    *,
    max_length: int,
    stride: int,
    questions: Sequence[str] | None = None,
    **kwargs: Any,
) -> tuple[list[Window], Any]:
    """Encodes texts, those that are too long as several windows.

    Args:
        tokenizer: `LongformerTokenizer`, or a fast one of transformers.
        texts: strings.
        max_length: int, most tokens of a window, special tokens and the
            question included.
        stride: int, tokens that a window shares with the one before.
        questions: strings, one for each text, that stand before each of its
            windows. Defaults to none.
        **kwargs: further arguments of the tokenizer, such as `padding`.

    Returns:
        The windows, text after text and in order, and the tokenizer's
        encoding, of which each window is a row.
    """
    cut_text = 0 if questions is None else 1
    parts = [texts] if questions is None else [questions, texts]
    encoding = encode_texts(
        tokenizer,
        *parts,
        truncation="only_second" if cut_text else "only_first",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=True,
        **kwargs,
    )
    windows: list[Window] = []
    has_types = "token_type_ids" in getattr(tokenizer, "model_input_names", ())
    origins = np.asarray(encoding["overflow_to_sample_mapping"]).tolist()
    for text, row in zip(origins, encoding.encodings, strict=True):
        inside = np.array([number == cut_text for number in row.sequence_ids])
        offsets = np.asarray(row.offsets, "int64").reshape(-1, 2)
        offsets = np.where(inside[:, None], offsets, -1)
        words = [-1 if word is None else word for word in row.word_ids]
        words = np.where(inside, np.array(words, "int64"), -1)
        same_text = windows and windows[-1].text == text
        if same_text and isinstance(texts[text], str) and inside.any():
            # A tokenizer that adds a space before the text takes the one at a
            # window's start for it.
            place = int(inside.argmax())
            start, end = offsets[place].tolist()
            offsets[place, 0] = trim_span(texts[text], start, end)[0]
        first = windows[-1].last - stride if same_text else 0
        ids = list(row.ids)
        types = list(row.type_ids) if has_types else [0] * len(ids)
        windows.append(Window(text, ids, offsets, words, first, types))
    return windows, encoding
