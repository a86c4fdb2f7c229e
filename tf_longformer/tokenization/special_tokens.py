"""Tokens that have a role, and their ids."""

from __future__ import annotations

from typing import Any

DEFAULT_TOKENS = {
    "bos_token": "<s>",
    "eos_token": "</s>",
    "unk_token": "<unk>",
    "sep_token": "</s>",
    "pad_token": "<pad>",
    "cls_token": "<s>",
    "mask_token": "<mask>",
}
ROLES = tuple(DEFAULT_TOKENS)


class _Token:
    """A role's token, as a string or `None`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> str | None:
        return instance._roles[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        instance._set_role(self.name, value)


class _TokenId:
    """The id of a role's token, or `None`."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name.removesuffix("_id")

    def __get__(self, instance: Any, owner: type | None = None) -> int | None:
        token = instance._roles[self.name]
        return None if token is None else instance._token_to_id(token)

    def __set__(self, instance: Any, value: int | None) -> None:
        token = None
        if value is not None:
            token = instance.convert_ids_to_tokens(value)
            if token is None:
                raise ValueError(
                    f"`{self.name}_id` must be the id of a token. Received: "
                    f"{value!r}, where ids end at {len(instance) - 1}. Add "
                    "the token with `tokenizer.add_special_tokens` first."
                )
        setattr(instance, self.name, token)


class SpecialTokens:
    """The tokens of a tokenizer that have a role.

    Each can be set to a token of the vocabulary: `tokenizer.pad_token =
    tokenizer.eos_token`. `add_special_tokens` adds new ones.
    """

    _roles: dict[str, str | None]
    _additional: list[str]

    bos_token = _Token()
    eos_token = _Token()
    unk_token = _Token()
    sep_token = _Token()
    pad_token = _Token()
    cls_token = _Token()
    mask_token = _Token()
    bos_token_id = _TokenId()
    eos_token_id = _TokenId()
    unk_token_id = _TokenId()
    sep_token_id = _TokenId()
    pad_token_id = _TokenId()
    cls_token_id = _TokenId()
    mask_token_id = _TokenId()
    pad_token_type_id = 0

    def _token_to_id(self, token: str) -> int | None:
        raise NotImplementedError

    def _roles_changed(self) -> None:
        """Called after a role has got another token."""

    def _set_role(self, name: str, value: Any) -> None:
        content = getattr(value, "content", value)
        if content is not None:
            if not isinstance(content, str):
                raise TypeError(
                    f"`{name}` must be a string. Received: {value!r}."
                )
            if self._token_to_id(content) is None:
                raise ValueError(
                    f"`{name}` must be a token of the vocabulary. Received: "
                    f"{content!r}. Add it: `tokenizer.add_special_tokens("
                    f"{{{name!r}: {content!r}}})`."
                )
        self._roles[name] = content
        self._roles_changed()

    @property
    def additional_special_tokens(self) -> list[str]:
        """Special tokens without a role."""
        return list(self._additional)

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """Ids of the special tokens without a role."""
        return [self._known_id(token) for token in self._additional]

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        """Tokens by role; those without one are a list."""
        found: dict[str, Any] = {
            name: token for name, token in self._roles.items() if token
        }
        if self._additional:
            found["additional_special_tokens"] = list(self._additional)
        return found

    @property
    def all_special_tokens(self) -> list[str]:
        """All special tokens, each once, in the order of the roles."""
        tokens = [self._roles[name] for name in ROLES]
        return list(dict.fromkeys(t for t in tokens if t)) + [
            token for token in self._additional if token not in tokens
        ]

    @property
    def all_special_ids(self) -> list[int]:
        """Ids of `all_special_tokens`."""
        return [self._known_id(token) for token in self.all_special_tokens]

    def _known_id(self, token: str) -> int:
        index = self._token_to_id(token)
        if index is None:
            raise ValueError(
                f"A special token must be in the vocabulary. Received: "
                f"{token!r}, which isn't."
            )
        return index
