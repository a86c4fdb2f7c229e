"""The vocabulary, merges and added tokens, and the files that hold them."""

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from tf_longformer import _configuration_files as configuration_files

VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
TOKENIZER_FILE = "tokenizer.json"
_FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


@dataclasses.dataclass
class Vocabulary:
    """What a byte-level BPE tokenizer knows.

    Args:
        vocab: dict of tokens to ids, bytes spelt as `byte_level` does.
        merges: list of pairs of tokens, in the order of their rank.
        added: dict of ids to `AddedToken`, tokens that are found in the text
            before it is cut into words.
        add_prefix_space: bool or `None`, if the file says so.
        trim_offsets: the same.

    Raises:
        ValueError: if they don't fit together.
    """

    vocab: dict[str, int]
    merges: list[tuple[str, str]]
    added: dict[int, AddedToken] = dataclasses.field(default_factory=dict)
    add_prefix_space: bool | None = None
    trim_offsets: bool | None = None

    def __post_init__(self) -> None:
        _check_ids(self.vocab)
        _check_merges(self.merges, self.vocab)
        for index, token in self.added.items():
            known = self.vocab.get(token.content, index)
            if known != index:
                raise ValueError(
                    "An added token that is in the vocabulary must have its "
                    f"id there. Received: {token.content!r} with id {index}, "
                    f"and {known} in the vocabulary. The files are not of one "
                    "tokenizer."
                )


def _check_ids(vocab: Mapping[str, int]) -> None:
    for token, index in vocab.items():
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise ValueError(
                "The ids of a vocabulary must be whole numbers from 0. "
                f"Received: {index!r} for {token!r}."
            )
    if len(set(vocab.values())) < len(vocab):
        index, _ = Counter(vocab.values()).most_common(1)[0]
        twice = [token for token, found in vocab.items() if found == index]
        raise ValueError(
            "The tokens of a vocabulary must have ids of their own. "
            f"Received: id {index} for {twice}. Give each another one."
        )


def _check_merges(
    merges: list[tuple[str, str]], vocab: Mapping[str, int]
) -> None:
    for rank, (left, right) in enumerate(merges):
        for token in (left, right, left + right):
            if token not in vocab:
                raise ValueError(
                    "A merge must join two tokens of the vocabulary to one. "
                    f"Received: merge {rank}, {left!r} and {right!r}, but "
                    f"{token!r} is not in the vocabulary. The vocabulary and "
                    "the merges must be of one tokenizer."
                )


def from_values(vocab: Any, merges: Any) -> Vocabulary:
    """Returns a `Vocabulary` of a dict and pairs, as callers pass them.

    Args:
        vocab: mapping of tokens to ids.
        merges: iterable of pairs of tokens.

    Returns:
        `Vocabulary`.

    Raises:
        TypeError: for something else.
        ValueError: if they don't fit together.
    """
    if not isinstance(vocab, Mapping):
        raise TypeError(
            "A vocabulary must be a mapping of tokens to ids. Received: "
            f"{type(vocab).__name__}. For a file pass `vocab_file`."
        )
    pairs = []
    for merge in merges:
        if not isinstance(merge, list | tuple) or len(merge) != 2:
            raise TypeError(
                "Merges must be pairs of tokens. Received: "
                f"{merge!r} among them. Split a line, e.g. "
                "`tuple(line.split())`."
            )
        pairs.append((merge[0], merge[1]))
    return Vocabulary(dict(vocab), pairs)


def as_added_token(value: Any, **defaults: bool) -> AddedToken:
    """Returns an `AddedToken` of a string, a file's dict, or such a token.

    Args:
        value: str, mapping with `content`, or `AddedToken`.
        **defaults: flags for what doesn't have its own.

    Returns:
        `AddedToken`, a new one.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(value, AddedToken):
        flags = {name: getattr(value, name) for name in _FLAGS}
        return AddedToken(value.content, **{**flags, **_always(defaults)})
    if isinstance(value, Mapping) and isinstance(value.get("content"), str):
        flags = {name: bool(value[name]) for name in _FLAGS if name in value}
        return AddedToken(
            value["content"], **{**defaults, **flags, **_always(defaults)}
        )
    if isinstance(value, str):
        return AddedToken(value, **defaults)
    raise TypeError(
        "A token must be a string or an AddedToken. Received: "
        f"{value!r} of type {type(value).__name__}."
    )


def _always(defaults: Mapping[str, bool]) -> dict[str, bool]:
    """What a token that has a role is, whatever its file says: special."""
    return {"special": True} if defaults.get("special") else {}


def describe(token: AddedToken) -> dict[str, Any]:
    """Returns an added token as files have it."""
    return {"content": token.content} | {
        name: getattr(token, name) for name in _FLAGS
    }


def read_json(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a JSON file of a tokenizer; see `_configuration_files`."""
    return configuration_files.read_json(path, "A tokenizer's file")


def read_merges(path: str | os.PathLike) -> list[tuple[str, str]]:
    """Reads a `merges.txt`.

    Args:
        path: its path.

    Returns:
        List of pairs of tokens.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if a line isn't a pair.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            "A tokenizer's file must exist. Received: "
            f"{os.fspath(path)!r}. Check the path."
        ) from None
    except ValueError as error:
        raise ValueError(
            "Merges must be text in UTF-8. Received: "
            f"{os.fspath(path)!r}, where: {error}. Fetch it again."
        ) from None
    merges = []
    for number, line in enumerate(text.split("\n")):
        line = line.removesuffix("\r")
        if not line or (number == 0 and line.startswith("#version")):
            continue
        parts = line.split(" ")
        if len(parts) != 2 or not all(parts):
            raise ValueError(
                "A line of merges must be two tokens with a space between. "
                f"Received: {line!r} in line {number + 1} of "
                f"{os.fspath(path)!r}. Fetch it again."
            )
        merges.append((parts[0], parts[1]))
    return merges


def write_merges(merges: list[tuple[str, str]]) -> str:
    """Returns the text of a `merges.txt`."""
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges)]
    return "\n".join(lines) + "\n"


def read_tokenizer_file(path: str | os.PathLike) -> Vocabulary:
    """Reads a `tokenizer.json` of a byte-level BPE tokenizer.

    Args:
        path: its path.

    Returns:
        `Vocabulary`.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it is of another kind, or isn't well formed.
    """
    content = read_json(path)
    model = content.get("model")
    if not isinstance(model, Mapping):
        model = {}
    before = content.get("pre_tokenizer") or {}
    after = content.get("post_processor") or {}
    _check_kind(path, content, model, before, after)
    merges = []
    for merge in model.get("merges", []):
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if len(pair) != 2:
            raise ValueError(
                "A merge must be two tokens. Received: "
                f"{merge!r} in {os.fspath(path)!r}. Save or fetch it again."
            )
        merges.append((pair[0], pair[1]))
    return Vocabulary(
        vocab=dict(model["vocab"]),
        merges=merges,
        added={
            token["id"]: as_added_token(token)
            for token in content.get("added_tokens", [])
        },
        add_prefix_space=before.get("add_prefix_space"),
        trim_offsets=after.get("trim_offsets"),
    )


def _check_kind(
    path: Any, content: Any, model: Any, before: Any, after: Any
) -> None:
    """Raises unless the file says what RoBERTa's says."""
    # Old files leave out the model's type.
    found = {
        "model.type": model.get("type", "BPE" if "merges" in model else None),
        "normalizer": content.get("normalizer"),
        "pre_tokenizer.type": before.get("type"),
        "pre_tokenizer.use_regex": before.get("use_regex", True),
        "post_processor.type": after.get("type", "RobertaProcessing"),
        "model.continuing_subword_prefix": (
            model.get("continuing_subword_prefix") or None
        ),
        "model.end_of_word_suffix": model.get("end_of_word_suffix") or None,
        "model.dropout": model.get("dropout") or None,
        "model.byte_fallback": model.get("byte_fallback", False),
        "model.ignore_merges": model.get("ignore_merges", False),
    }
    wanted = {
        "model.type": "BPE",
        "normalizer": None,
        "pre_tokenizer.type": "ByteLevel",
        "pre_tokenizer.use_regex": True,
        "post_processor.type": "RobertaProcessing",
        "model.continuing_subword_prefix": None,
        "model.end_of_word_suffix": None,
        "model.dropout": None,
        "model.byte_fallback": False,
        "model.ignore_merges": False,
    }
    wrong = {
        name: found[name] for name in wanted if found[name] != wanted[name]
    }
    if wrong:
        name = next(iter(wrong))
        raise ValueError(
            "A Longformer's tokenizer must be byte-level BPE as RoBERTa's, "
            f"with {name}={wanted[name]!r}. Received: {name}="
            f"{wrong[name]!r} in {os.fspath(path)!r}. Use the tokenizer of a "
            "Longformer or RoBERTa checkpoint."
        )
    if not isinstance(model.get("vocab"), Mapping):
        raise ValueError(
            "A tokenizer's file must hold a vocabulary. Received: "
            f"{os.fspath(path)!r} without `model.vocab`. Save or fetch it "
            "again."
        )
