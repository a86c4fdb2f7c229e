"""The tokenizer on the Rust library `tokenizers`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer

from tf_longformer.tokenization import backend
from tf_longformer.tokenization import truncation
from tf_longformer.tokenization.arguments import Layout
from tf_longformer.tokenization.base import BaseLongformerTokenizer
from tf_longformer.tokenization.byte_level import join_bytes


class LongformerTokenizerFast(BaseLongformerTokenizer):
    __doc__ = (BaseLongformerTokenizer.__doc__ or "").replace(
        "What `LongformerTokenizer` and `LongformerTokenizerFast` share.",
        "A Longformer's tokenizer in Rust, many texts at once.",
    )

    is_fast = True
    _backend: Tokenizer
    _lock: threading.Lock

    def _build(self) -> None:
        self._lock = threading.Lock()
        self._backend = backend.build(self.vocabulary, self.add_prefix_space)
        self._roles_changed()

    def _added_changed(self, new: dict[int, AddedToken]) -> None:
        with self._lock:
            backend.add(self._backend, new)

    def _roles_changed(self) -> None:
        with self._lock:
            self._frame(self._backend)

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The `tokenizers.Tokenizer` that does the work."""
        return self._backend

    def _encode_rows(
        self,
        rows: Sequence[Any],
        add_special_tokens: bool,
        layout: Layout,
        is_split_into_words: bool,
    ) -> list[Any]:
        # Truncation and padding are settings of the backend, so that a call
        # from another thread must not come between.
        with self._lock:
            if layout.truncation is not None and layout.stride:
                self._check_pieces(
                    rows, add_special_tokens, layout, is_split_into_words
                )
            self._set_layout(layout)
            try:
                return self._backend.encode_batch(
                    rows,
                    is_pretokenized=is_split_into_words,
                    add_special_tokens=add_special_tokens,
                )
            # The library raises no class of its own.
            except Exception as error:
                raise _explain(error, layout) or error from None

    def _check_pieces(
        self,
        rows: Sequence[Any],
        add_special_tokens: bool,
        layout: Layout,
        is_split_into_words: bool,
    ) -> None:
        """Raises where the library would panic: pieces that don't advance.

        Of a pair each text has its own length, which must be known first.
        """
        pairs = [row for row in rows if isinstance(row, tuple)]
        if not pairs:
            return
        self._backend.no_truncation()
        self._backend.no_padding()
        texts = self._backend.encode_batch_fast(
            [text for pair in pairs for text in pair],
            is_pretokenized=is_split_into_words,
            add_special_tokens=False,
        )
        room = layout.max_length or 0
        if add_special_tokens:
            room -= self.num_special_tokens_to_add(pair=True)
        lengths = [len(text) for text in texts]
        for before in zip(lengths[::2], lengths[1::2], strict=True):
            kept = truncation.choose_lengths(
                layout.truncation or "", room, *before
            )
            for length, piece in zip(before, kept, strict=True):
                truncation.check_stride(layout.stride, length, piece)

    def _set_layout(self, layout: Layout) -> None:
        if layout.truncation is None:
            if self._backend.truncation is not None:
                self._backend.no_truncation()
        else:
            cutting = {
                "max_length": layout.max_length,
                "stride": layout.stride,
                "strategy": layout.truncation,
                "direction": layout.truncation_side,
            }
            if self._backend.truncation != cutting:
                self._backend.enable_truncation(**cutting)
        if layout.padding is None:
            if self._backend.padding is not None:
                self._backend.no_padding()
        else:
            fixed = layout.padding == "max_length"
            padding = {
                "length": layout.max_length if fixed else None,
                "pad_to_multiple_of": layout.pad_to_multiple_of,
                "pad_id": self.pad_token_id,
                "pad_token": self.pad_token,
                "pad_type_id": self.pad_token_type_id,
                "direction": layout.padding_side,
            }
            if self._backend.padding != padding:
                self._backend.enable_padding(**padding)

    def _join(self, tokens: Sequence[str]) -> str:
        if self.errors == "replace":
            return self._backend.decoder.decode(tokens)
        return join_bytes(tokens, self.errors)

    def __getstate__(self) -> dict[str, Any]:
        # A lock can't be copied, and each copy needs its own.
        return {k: v for k, v in self.__dict__.items() if k != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())


def _explain(error: BaseException, layout: Layout) -> ValueError | None:
    """Returns what to raise for an error of truncation, else `None`."""
    if "too short to respect" in str(error):
        return ValueError(
            "The text that is to be cut must be longer than what has to go. "
            f"Received: truncation={layout.truncation!r}, max_length="
            f"{layout.max_length}, and a row whose other text is too long. "
            "Use truncation='longest_first'."
        )
    if "Second sequence not provided" in str(error):
        return ValueError(
            "`truncation='only_second'` needs pairs. Received: a single "
            "text. Use truncation='only_first'."
        )
    return None
