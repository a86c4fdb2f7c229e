"""The tokenizer on the Rust library `tokenizers`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer

from tf_longformer.tokenization import backend
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
        self._backend = backend.build(self._vocabulary(), self.add_prefix_space)
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
            self._set_layout(layout)
            try:
                return self._backend.encode_batch(
                    rows,
                    is_pretokenized=is_split_into_words,
                    add_special_tokens=add_special_tokens,
                )
            # A panic of Rust's is no Exception, and has no public name.
            except BaseException as error:
                raise _explain(error, layout) or error from None

    def _set_layout(self, layout: Layout) -> None:
        if layout.truncation is None:
            if self._backend.truncation is not None:
                self._backend.no_truncation()
        else:
            truncation = {
                "max_length": layout.max_length,
                "stride": layout.stride,
                "strategy": layout.truncation,
                "direction": layout.truncation_side,
            }
            if self._backend.truncation != truncation:
                self._backend.enable_truncation(**truncation)
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
    if "`stride` must be strictly less" in str(error):
        return ValueError(
            "`stride` must be smaller than the tokens of a piece. Received: "
            f"stride={layout.stride}, max_length={layout.max_length}, and a "
            "pair whose texts get less room each. Use a smaller stride, or "
            "truncation='only_second'."
        )
    return None
