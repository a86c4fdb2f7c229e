"""A new vocabulary from texts."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from tokenizers import AddedToken

from tf_longformer.tokenization import backend
from tf_longformer.tokenization import vocabulary
from tf_longformer.tokenization.pretrained import SETTINGS
from tf_longformer.tokenization.pretrained import PretrainedTokenizer
from tf_longformer.tokenization.special_tokens import DEFAULT_TOKENS
from tf_longformer.tokenization.vocabulary import Vocabulary

T = TypeVar("T", bound="Training")


class Training(PretrainedTokenizer):
    """Learning of a vocabulary."""

    @classmethod
    def train_from_iterator(
        cls: type[T],
        texts: Iterable[str] | Iterable[list[str]],
        vocab_size: int,
        min_frequency: int = 2,
        show_progress: bool = True,
        length: int | None = None,
        **settings: Any,
    ) -> T:
        """Learns a new vocabulary from texts.

        The special tokens have the ids that RoBERTa's have: `<s>` 0, `<pad>`
        1, `</s>` 2, `<unk>` 3, and `<mask>` the last.

        Args:
            texts: iterable of texts, or of lists of texts.
            vocab_size: int, entries with the 256 bytes and special tokens.
            min_frequency: int, how often a pair must occur to be merged.
                Defaults to `2`.
            show_progress: bool. Defaults to `True`.
            length: int, number of texts, for the progress bar. Defaults to
                none.
            **settings: arguments of the class.

        Returns:
            The tokenizer.

        Raises:
            TypeError: if the texts are a single string, or not texts.
            ValueError: if `vocab_size` has no room for the bytes.
        """
        return cls._train(
            texts,
            vocab_size,
            length,
            settings,
            {"min_frequency": min_frequency, "show_progress": show_progress},
        )

    @classmethod
    def _train(
        cls: type[T],
        texts: Any,
        vocab_size: int,
        length: int | None,
        settings: Mapping[str, Any],
        trainer_arguments: Mapping[str, Any],
    ) -> T:
        roles = {**DEFAULT_TOKENS, **settings}
        extra = roles.get("additional_special_tokens") or ()
        # The order of RoBERTa's ids. The mask and further ones come last,
        # behind the vocabulary.
        first = [
            vocabulary.as_added_token(roles[name]).content
            for name in ("bos_token", "cls_token", "pad_token", "eos_token")
            + ("sep_token", "unk_token")
            if roles[name] is not None
        ]
        behind = len(extra) + (roles["mask_token"] is not None)
        vocab, merges = backend.train(
            texts,
            list(dict.fromkeys(first)),
            vocab_size - behind,
            length,
            bool(settings.get("add_prefix_space")),
            **trainer_arguments,
        )
        return cls(vocab=Vocabulary(vocab, merges), **settings)

    def train_new_from_iterator(
        self: T,
        text_iterator: Iterable[str] | Iterable[list[str]],
        vocab_size: int,
        length: int | None = None,
        new_special_tokens: Sequence[Any] | None = None,
        special_tokens_map: Mapping[str, str] | None = None,
        show_progress: bool = True,
        **trainer_arguments: Any,
    ) -> T:
        """Learns a new vocabulary; settings and roles are this tokenizer's.

        Args:
            text_iterator: iterable of texts, or of lists of texts.
            vocab_size: int, entries with the 256 bytes and special tokens.
            length: int, number of texts, for the progress bar. Defaults to
                none.
            new_special_tokens: list of further special tokens. Defaults to
                none.
            special_tokens_map: dict of special tokens to their new spelling.
                Defaults to none.
            show_progress: bool. Defaults to `True`.
            **trainer_arguments: further arguments of
                `tokenizers.trainers.BpeTrainer`, such as `min_frequency`.

        Returns:
            A new tokenizer.

        Raises:
            TypeError: if the texts are a single string, or not texts.
            ValueError: if `vocab_size` has no room for the bytes.
        """
        renamed = dict(special_tokens_map or {})
        settings = {name: getattr(self, name) for name in SETTINGS}
        settings |= {
            name: self._renamed(token, renamed)
            for name, token in self._roles.items()
        }
        settings["additional_special_tokens"] = [
            *(self._renamed(token, renamed) for token in self._additional),
            *(new_special_tokens or ()),
        ]
        return self._train(
            text_iterator,
            vocab_size,
            length,
            settings,
            {"show_progress": show_progress, **trainer_arguments},
        )

    def _renamed(
        self, token: str | None, renamed: Mapping[str, str]
    ) -> AddedToken | None:
        if token is None:
            return None
        flags = vocabulary.describe(self._added[self._known_id(token)])
        return vocabulary.as_added_token(
            {**flags, "content": renamed.get(token, token)}
        )
