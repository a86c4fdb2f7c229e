"""Byte-level BPE, the kind of tokenizer that RoBERTa and Longformer have."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from tf_longformer.errors import shown

# How the vocabulary spells bytes, as GPT-2's does: visible characters of
# Latin-1 stand for themselves, the other bytes are the characters from 256 on.
# So no token holds a space or a control character.
_VISIBLE = {*range(33, 127), *range(161, 173), *range(174, 256)}
_OTHERS = [byte for byte in range(256) if byte not in _VISIBLE]
BYTE_LETTERS: list[str] = [
    chr(byte) if byte in _VISIBLE else chr(256 + _OTHERS.index(byte))
    for byte in range(256)
]
_BYTES = {letter: byte for byte, letter in enumerate(BYTE_LETTERS)}

# The regular expression of the library's ByteLevel, which files may also spell
# out in a pre-tokenizer of its own.
_WORDS = {
    "type": "Split",
    "pattern": {
        "Regex": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+"
        r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    },
    "behavior": "Isolated",
    "invert": False,
}
_STEP = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}


def make_pipeline(
    vocab: Mapping[str, int], merges: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """Returns RoBERTa's pipeline, as `tokenizer.json` has it, without a frame.

    The frame, `<s>` and `</s>` around texts, is of the tokenizer's roles.
    """
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": _STEP,
        "post_processor": None,
        "decoder": {**_STEP, "add_prefix_space": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            # Empty, not none, as in RoBERTa's files.
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": dict(vocab),
            "merges": [list(pair) for pair in merges],
        },
    }


def make_frame(cls: tuple[str, int], sep: tuple[str, int]) -> dict[str, Any]:
    """Returns what makes rows `<s> A </s>` and `<s> A </s></s> B </s>`."""
    return {
        "type": "RobertaProcessing",
        "sep": list(sep),
        "cls": list(cls),
        "trim_offsets": True,
        "add_prefix_space": False,
    }


def with_settings(
    content: Mapping[str, Any], add_prefix_space: bool, trim_offsets: bool
) -> dict[str, Any]:
    """Returns a pipeline with these settings, where it has them."""
    prefix = {"add_prefix_space": add_prefix_space}
    return {
        **content,
        "pre_tokenizer": _updated(content.get("pre_tokenizer"), prefix),
        "post_processor": _updated(
            content.get("post_processor"),
            {**prefix, "trim_offsets": trim_offsets},
        ),
    }


def _updated(component: Any, settings: Mapping[str, Any]) -> Any:
    """Sets values of a component and of those within it."""
    if isinstance(component, list):
        return [_updated(part, settings) for part in component]
    if not isinstance(component, Mapping):
        return component
    if component.get("type") == "Sequence":
        return {n: _updated(part, settings) for n, part in component.items()}
    known = {n: v for n, v in settings.items() if n in component}
    return {**component, **known}


def steps(component: Any) -> list[dict[str, Any]]:
    """Returns the steps of a pipeline's component, out of any `Sequence`s."""
    if not isinstance(component, Mapping):
        return []
    if component.get("type") != "Sequence":
        return [dict(component)]
    parts = next(v for v in component.values() if isinstance(v, list))
    return [step for part in parts for step in steps(part)]


def is_byte_level(content: Mapping[str, Any]) -> bool:
    """Whether a pipeline's model is BPE of bytes."""
    before = steps(content.get("pre_tokenizer"))
    return content["model"].get("type") == "BPE" and any(
        step["type"] == "ByteLevel" for step in before
    )


def cuts_as_roberta(content: Mapping[str, Any]) -> bool:
    """Whether a pipeline cuts texts as RoBERTa's does.

    Its `tokenizer.json` may say so in other words.
    """
    *split, last = steps(content.get("pre_tokenizer")) or [{}]
    model = content["model"]
    return (
        is_byte_level(content)
        and not steps(content.get("normalizer"))
        and last.get("type") == "ByteLevel"
        and (
            split == [_WORDS]
            if not last.get("use_regex", True)
            else split in ([], [_WORDS])
        )
        and not any(
            model.get(name)
            for name in (
                "continuing_subword_prefix",
                "end_of_word_suffix",
                "dropout",
                "byte_fallback",
            )
        )
    )


def merges_of(model: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the merges of BPE in the order of their ranks, each once.

    Raises a `ValueError` for one that isn't a pair.
    """
    merges = model.get("merges")
    if not isinstance(merges, list | tuple):
        raise ValueError(
            "BPE must have a list of merges. Received: "
            f"{type(merges).__name__}. Save or fetch the tokenizer again."
        )
    pairs = []
    for merge in merges:
        # Older versions of the library write a merge as one string.
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if (
            not isinstance(pair, list | tuple)
            or len(pair) != 2
            or not isinstance(pair[0], str)
            or not isinstance(pair[1], str)
        ):
            raise ValueError(
                f"A merge must be two tokens. Received: {shown(merge)}. Save "
                "or fetch the tokenizer again."
            )
        pairs.append((pair[0], pair[1]))
    return without_repeats(pairs)


def without_repeats(merges: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Returns each merge once: as in the library, at its last place."""
    return list(dict.fromkeys(reversed(merges)))[::-1]


def join_bytes(tokens: Iterable[str], errors: str) -> str:
    """Returns the text of tokens; `errors` as of `bytes.decode`.

    A token with characters that aren't `BYTE_LETTERS`, as an added one may
    have, stands for itself.
    """
    joined = bytearray()
    for token in tokens:
        try:
            joined += bytes([_BYTES[letter] for letter in token])
        except KeyError:
            joined += token.encode("utf-8", "replace")
    return joined.decode("utf-8", errors)
