"""The tokens that a tokenizer knows, and adding to them."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

from tokenizers import AddedToken

from tf_longformer.tokenization import tensors
from tf_longformer.tokenization import vocabulary
from tf_longformer.tokenization.special_tokens import ROLES
from tf_longformer.tokenization.special_tokens import SpecialTokens
from tf_longformer.tokenization.vocabulary import Vocabulary


class KnownTokens(SpecialTokens):
    """Tokens to ids and back."""

    _vocab: dict[str, int]
    _merges: list[tuple[str, str]]
    _added: dict[int, AddedToken]
    _ids: dict[str, int]
    _tokens: dict[int, str]

    def _set_tokens(
        self,
        found: Vocabulary,
        roles: Mapping[str, Any],
        additional: Iterable[Any],
    ) -> None:
        """Takes over a vocabulary and adds what its roles lack there."""
        self._vocab, self._merges = found.vocab, found.merges
        self._added = {}
        self._ids = dict(found.vocab)
        self._tokens = {index: token for token, index in found.vocab.items()}
        for index, token in sorted(found.added.items()):
            self._know(index, token)
        self._roles = {}
        for name in ROLES:
            self._roles[name] = self._role_token(name, roles[name])
        self._additional = []
        for value in additional:
            self._additional.append(self._special_token(value, {}))

    def _role_token(self, name: str, value: Any) -> str | None:
        if value is None:
            return None
        # A mask stands for a word with the space before it.
        return self._special_token(value, {"lstrip": name == "mask_token"})

    def _special_token(self, value: Any, flags: Mapping[str, bool]) -> str:
        """Makes a token a special one and returns its content."""
        defaults = {"normalized": False, **flags, "special": True}
        token = vocabulary.as_added_token(value, **defaults)
        known = self._added.get(self._ids.get(token.content, -1))
        if known is None or not isinstance(value, str):
            self._know(self._next_id(token.content), token)
        elif not known.special:
            # Of an `added_tokens.json`, which has no flags.
            self._know(self._ids[token.content], token)
        return token.content

    def _know(self, index: int, token: AddedToken) -> None:
        other = self._tokens.get(index, token.content)
        if other != token.content:
            raise ValueError(
                "Tokens must have ids of their own. Received: id "
                f"{index} for {other!r} and {token.content!r}. The files are "
                "not of one tokenizer."
            )
        self._added[index] = token
        self._ids[token.content] = index
        self._tokens[index] = token.content

    def _next_id(self, content: str) -> int:
        """Returns a token's id, for a new one that behind all others."""
        index = self._ids.get(content)
        if index is None:
            index = max(len(self._vocab), max(self._added, default=-1) + 1)
        return index

    @property
    def vocabulary(self) -> Vocabulary:
        """The vocabulary with its merges and added tokens."""
        return Vocabulary(self._vocab, self._merges, self._added)

    def _added_changed(self, new: dict[int, AddedToken]) -> None:
        """Called after tokens have been added."""

    @property
    def vocab_size(self) -> int:
        """Entries of the vocabulary, without those that were added."""
        return len(self._vocab)

    def __len__(self) -> int:
        """Entries of the vocabulary with those that were added."""
        return len(self._ids)

    def __bool__(self) -> bool:
        return True

    def get_vocab(self) -> dict[str, int]:
        """Returns all tokens with their ids."""
        return dict(self._ids)

    @property
    def vocab(self) -> dict[str, int]:
        """All tokens with their ids."""
        return self.get_vocab()

    def get_added_vocab(self) -> dict[str, int]:
        """Returns the tokens that are found whole, with their ids."""
        return {t.content: index for index, t in sorted(self._added.items())}

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """The tokens that are found whole, with their ids."""
        return self.get_added_vocab()

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """The tokens that are found whole, by their ids."""
        return dict(sorted(self._added.items()))

    def _token_to_id(self, token: str) -> int | None:
        return self._ids.get(token)

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Returns the id of a token, or of each of several.

        Args:
            tokens: str, or iterable of strings.

        Returns:
            int, or list of ints; that of `unk_token` for what isn't known.

        Raises:
            TypeError: for something else.
        """
        if isinstance(tokens, str):
            return self._ids.get(tokens, self.unk_token_id)
        if not isinstance(tokens, Iterable):
            raise TypeError(
                "Tokens must be a string or several strings. Received: "
                f"{tokens!r}. For ids use `convert_ids_to_tokens`."
            )
        unknown = self.unk_token_id
        return [self._ids.get(token, unknown) for token in tokens]

    def convert_ids_to_tokens(
        self, ids: Any, skip_special_tokens: bool = False
    ) -> Any:
        """Returns the token of an id, or of each of several.

        Args:
            ids: int, or iterable, array or tensor of ints.
            skip_special_tokens: bool, whether to leave out special tokens of
                several. Defaults to `False`.

        Returns:
            str, or list of strings; `None` for an id that there isn't.

        Raises:
            TypeError: if the ids aren't whole numbers.
        """
        numbers = tensors.to_ids(ids)
        if not isinstance(numbers, list):
            return self._tokens.get(numbers)
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [self._tokens.get(i) for i in numbers if i not in skipped]

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Adds tokens, which are then found in texts before anything else.

        Args:
            new_tokens: str, `AddedToken`, or a list of them.
            special_tokens: bool, whether decoding can skip them. Defaults to
                `False`.

        Returns:
            How many of them were new. Resize the model's embeddings to
            `len(tokenizer)`.

        Raises:
            TypeError: for what isn't a token.
        """
        if not isinstance(new_tokens, list | tuple):
            new_tokens = [new_tokens]
        defaults = {"special": True, "normalized": False}
        changed = {}
        for value in new_tokens:
            token = vocabulary.as_added_token(
                value, **(defaults if special_tokens else {})
            )
            index = self._next_id(token.content)
            if token.content and self._added.get(index) != token:
                self._know(index, token)
                changed[index] = token
        if changed:
            self._added_changed(changed)
        return len(changed)

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, Any],
        replace_additional_special_tokens: bool = True,
    ) -> int:
        """Gives roles new tokens, and adds those to the vocabulary.

        Args:
            special_tokens_dict: dict of roles (`"pad_token"`) to strings or
                `AddedToken`s; `"additional_special_tokens"` to a list.
            replace_additional_special_tokens: bool, whether that list takes
                the place of the old one. Defaults to `True`.

        Returns:
            How many tokens were new.

        Raises:
            TypeError: for what isn't a token.
            ValueError: for a role that there isn't.
        """
        unknown = sorted(
            set(special_tokens_dict) - {*ROLES, "additional_special_tokens"}
        )
        if unknown:
            raise ValueError(
                f"A special token must have one of the roles {list(ROLES)}, "
                "or be in `additional_special_tokens`. Received: "
                f"{unknown}. Correct the name."
            )
        named = {
            name: value
            for name, value in special_tokens_dict.items()
            if name in ROLES
        }
        extra: Sequence[Any] = special_tokens_dict.get(
            "additional_special_tokens", ()
        )
        count = self.add_tokens([*named.values(), *extra], special_tokens=True)
        for name, value in named.items():
            setattr(self, name, value)
        if "additional_special_tokens" in special_tokens_dict:
            old = [] if replace_additional_special_tokens else self._additional
            names = [getattr(value, "content", value) for value in extra]
            self._additional = list(dict.fromkeys([*old, *names]))
        return count
