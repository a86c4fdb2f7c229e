"""The roles of special tokens, and their attributes of a tokenizer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken

from tf_longformer.errors import shown

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
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


class RoleToken:
    """A role's token, as a string or `None`; it can be set to another one."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> str | None:
        return instance._roles[self.name]

    def __set__(self, instance: Any, value: Any) -> None:
        instance._set_role(self.name, value)


class RoleTokenId:
    """The id of a role's token, or `None`; it can be set to another one."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.role = name.removesuffix("_id")

    def __get__(self, instance: Any, owner: type | None = None) -> int | None:
        token = instance._roles[self.role]
        return instance.pipeline.id_of(token)

    def __set__(self, instance: Any, value: int | None) -> None:
        token = None
        if value is not None:
            token = instance.convert_ids_to_tokens(value)
            if token is None:
                raise ValueError(
                    f"`{self.role}_id` must be the id of a token. Received: "
                    f"{shown(value)}, where ids end at {len(instance) - 1}. "
                    "Add the token with `tokenizer.add_special_tokens` first."
                )
        setattr(instance, self.role, token)


def as_added_token(value: Any, **defaults: bool) -> AddedToken:
    """Returns an `AddedToken` of a string, a file's dict, or such a token.

    `defaults` are flags where the value has none of its own.
    """
    if isinstance(value, str):
        return _added_token(value, defaults)
    if isinstance(value, AddedToken):
        value = describe(value)
    if not isinstance(value, Mapping) or not isinstance(
        value.get("content"), str
    ):
        raise TypeError(
            "A token must be a string or an AddedToken. Received: "
            f"{shown(value)} of type {type(value).__name__}."
        )
    flags = {name: bool(value[name]) for name in _FLAGS if name in value}
    if defaults.get("special"):
        # A token that gets a role is special, whatever its file says.
        flags["special"] = True
    return _added_token(value["content"], {**defaults, **flags})


def _added_token(content: str, flags: Mapping[str, bool]) -> AddedToken:
    try:
        return AddedToken(content, **flags)
    except UnicodeEncodeError:
        raise ValueError(
            "A token must not have a lone surrogate, half of a character. "
            f"Received: {shown(content)}. Correct the text or the file."
        ) from None


def describe(token: AddedToken) -> dict[str, Any]:
    """Returns an added token as files have it."""
    return {"content": token.content} | {
        name: getattr(token, name) for name in _FLAGS
    }
