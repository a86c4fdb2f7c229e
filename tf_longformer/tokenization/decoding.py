"""Ids to text."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Sequence
from typing import Any

from tf_longformer.tokenization import tensors
from tf_longformer.tokenization.known_tokens import KnownTokens

# What the punctuation of old datasets looks like, and how it is written.
_CLEANED = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


class Decoding(KnownTokens):
    """The way back from ids to text."""

    clean_up_tokenization_spaces: bool

    def _join(self, tokens: Sequence[str]) -> str:
        """Returns the text of tokens."""
        raise NotImplementedError

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> Any:
        """Returns the text of ids.

        Args:
            token_ids: int, list of ints, array, or tensor; for rows of ids
                there is a list of texts.
            skip_special_tokens: bool. Defaults to `False`.
            clean_up_tokenization_spaces: bool, whether to remove spaces
                before punctuation. Defaults to the tokenizer's.
            spaces_between_special_tokens: accepted for old code, without
                effect, as in the fast tokenizer of transformers.

        Returns:
            str, or a list of them. Ids that there are not give nothing.

        Raises:
            TypeError: if the ids aren't whole numbers.
            ValueError: if one is negative, as -100 among labels.
        """
        ids = tensors.to_ids(token_ids)
        if isinstance(ids, list) and ids and isinstance(ids[0], list):
            return [
                self.decode(
                    row, skip_special_tokens, clean_up_tokenization_spaces
                )
                for row in ids
            ]
        if not isinstance(ids, list):
            ids = [ids]
        text = self._join(self._spell(ids, skip_special_tokens))
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        if clean_up_tokenization_spaces:
            return self.clean_up_tokenization(text)
        return text

    def batch_decode(
        self,
        sequences: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> list[str]:
        """Returns the texts of rows of ids, arguments as of `decode`."""
        rows = tensors.to_ids(sequences)
        return [
            self.decode(row, skip_special_tokens, clean_up_tokenization_spaces)
            for row in (rows if isinstance(rows, list) else [rows])
        ]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """Removes spaces before punctuation and English endings."""
        for before, after in _CLEANED:
            out_string = out_string.replace(before, after)
        return out_string

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Returns the text of tokens, as `tokenize` returned them."""
        return self._join(list(tokens))

    def _spell(
        self, ids: Iterable[int], skip_special_tokens: bool
    ) -> list[str]:
        """Returns the tokens of ids, without those that there are not."""
        ids = list(ids)
        if min(ids, default=0) < 0:
            raise ValueError(
                "Ids must be 0 or more to be decoded. Received: "
                f"{min(ids)}. Take out what labels ignore first, e.g. "
                "`np.where(labels < 0, tokenizer.pad_token_id, labels)`."
            )
        skipped = (
            {i for i, token in self._added.items() if token.special}
            if skip_special_tokens
            else ()
        )
        return [
            self._tokens[index]
            for index in ids
            if index in self._tokens and index not in skipped
        ]
