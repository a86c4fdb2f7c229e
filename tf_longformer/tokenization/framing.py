"""Special tokens around ids: `<s> A </s>` and `<s> A </s></s> B </s>`."""

from __future__ import annotations

from tf_longformer.tokenization import arguments
from tf_longformer.tokenization.known_tokens import KnownTokens


class Framing(KnownTokens):
    """What is known of rows without encoding a text."""

    model_max_length: int

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Returns how many special tokens a row gets: 2, a pair 4."""
        return 4 if pair else 2

    @property
    def is_bounded(self) -> bool:
        """Whether `model_max_length` bounds anything."""
        return arguments.is_bounded(self.model_max_length)

    @property
    def max_len_single_sentence(self) -> int:
        """Tokens of a text that has room in `model_max_length`."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self) -> int:
        """Tokens of both texts that have room in `model_max_length`."""
        return self.model_max_length - self.num_special_tokens_to_add(True)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Puts special tokens around ids: `<s> A </s></s> B </s>`.

        Args:
            token_ids_0: list of ints.
            token_ids_1: list of ints, of the second text. Defaults to none.

        Returns:
            List of ints.
        """
        cls = self._known_id(self.cls_token or "")
        sep = self._known_id(self.sep_token or "")
        row = [cls, *token_ids_0, sep]
        return row if token_ids_1 is None else [*row, sep, *token_ids_1, sep]

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Returns zeros, one for each token with the special tokens."""
        return [0] * len(
            self.build_inputs_with_special_tokens(token_ids_0, token_ids_1)
        )

    def get_special_tokens_mask(
        self,
        token_ids_0: list[int],
        token_ids_1: list[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Returns 1 for special tokens and 0 for others.

        Args:
            token_ids_0: list of ints.
            token_ids_1: list of ints, of the second text. Defaults to none.
            already_has_special_tokens: bool, whether the ids have them
                already; else the mask is of what
                `build_inputs_with_special_tokens` makes. Defaults to
                `False`.

        Returns:
            List of ints.

        Raises:
            ValueError: for a second text that would already be in the first.
        """
        if already_has_special_tokens:
            if token_ids_1 is not None:
                raise ValueError(
                    "Ids that have their special tokens are one list. "
                    "Received: a second one. Leave it out."
                )
            special = set(self.all_special_ids)
            return [int(index in special) for index in token_ids_0]
        row = [1, *[0] * len(token_ids_0), 1]
        if token_ids_1 is None:
            return row
        return [*row, 1, *[0] * len(token_ids_1), 1]
