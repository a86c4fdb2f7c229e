"""A new vocabulary for a pipeline, learned from texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from collections.abc import Mapping
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer
from tokenizers import pre_tokenizers
from tokenizers import trainers

from tf_longformer.tokenization import byte_level
from tf_longformer.tokenization.layout import check_integer

# The order of RoBERTa's ids: 0 to 3, as some roles share a token. The mask and
# further special tokens get the last ids, behind the vocabulary.
FIRST_ROLES = (
    "bos_token",
    "cls_token",
    "pad_token",
    "eos_token",
    "sep_token",
    "unk_token",
)
_TRAINERS = {
    "BPE": trainers.BpeTrainer,
    "Unigram": trainers.UnigramTrainer,
    "WordLevel": trainers.WordLevelTrainer,
    "WordPiece": trainers.WordPieceTrainer,
}


def train(
    content: Mapping[str, Any],
    texts: Iterable[str] | Iterable[list[str]],
    vocab_size: int,
    length: int | None,
    first: Iterable[AddedToken],
    last: int,
    renamed: Mapping[str, str],
    **trainer_arguments: Any,
) -> dict[str, Any]:
    """Learns a vocabulary and returns the pipeline with it.

    Args:
        content: the old pipeline, as `tokenizer.json` has it.
        texts: as of `LongformerTokenizer.train_from_iterator`.
        vocab_size: int.
        length: int, number of texts, or `None`.
        first: special tokens that get the first ids.
        last: int, special tokens that will be added behind the vocabulary.
        renamed: dict of special tokens to their new spelling.
        **trainer_arguments: of the library's trainer.
    """
    room = (check_integer("vocab_size", vocab_size, 0) or 0) - last
    if isinstance(texts, str | bytes):
        raise TypeError(
            "Texts must be an iterable of strings, or of lists of strings. "
            f"Received: a single {type(texts).__name__}. Pass `[text]`."
        )
    model, options = _emptied(content["model"], renamed)
    if byte_level.is_byte_level(content):
        # With all bytes in the vocabulary no text has an unknown part.
        options["initial_alphabet"] = pre_tokenizers.ByteLevel.alphabet()
    tokenizer = Tokenizer.from_str(
        json.dumps(
            {
                **content,
                "added_tokens": [],
                "post_processor": None,
                "model": model,
            }
        )
    )
    trainer = _TRAINERS[model["type"]](
        # Special tokens, and all bytes, are there in any case.
        vocab_size=max(room, 0),
        special_tokens=list({t.content: t for t in first}.values()),
        **{**options, **trainer_arguments},
    )
    tokenizer.train_from_iterator(texts, trainer=trainer, length=length)
    return {
        **json.loads(tokenizer.to_str()),
        "post_processor": _renumbered(
            content.get("post_processor"), renamed, tokenizer
        ),
    }


def _emptied(
    model: Mapping[str, Any], renamed: Mapping[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns a model without its vocabulary, and options of its trainer."""
    if model["type"] == "Unigram":
        number = model.get("unk_id")
        if number is None:
            return {**model, "vocab": []}, {}
        unknown = model["vocab"][number][0]
        unknown = renamed.get(unknown, unknown)
        empty = {**model, "unk_id": 0, "vocab": [[unknown, 0.0]]}
        return empty, {"unk_token": unknown}
    empty = {**model, "vocab": {}}
    if unknown := model.get("unk_token"):
        empty["unk_token"] = renamed.get(unknown, unknown)
    if model["type"] != "BPE":
        return empty, {}
    affixes = {
        name: model[name]
        for name in ("continuing_subword_prefix", "end_of_word_suffix")
        if model.get(name) is not None
    }
    return {**empty, "merges": []}, affixes


def _renumbered(
    state: Any, renamed: Mapping[str, str], tokenizer: Tokenizer
) -> Any:
    """Returns a post-processor with new spellings and new ids."""
    if state is None:
        return None
    state = dict(state)

    def renew(tokens: list[str]) -> tuple[list[str], list[int | None]]:
        new = [renamed.get(token, token) for token in tokens]
        return new, [tokenizer.token_to_id(token) for token in new]

    if state["type"] == "Sequence":
        state["processors"] = [
            _renumbered(part, renamed, tokenizer)
            for part in state["processors"]
        ]
    for place in ("cls", "sep"):
        if place in state:
            (token,), (index,) = renew(state[place][:1])
            state[place] = [token, index]
    if "special_tokens" in state:
        known = {}
        for name, special in state["special_tokens"].items():
            tokens, ids = renew(special["tokens"])
            known[name] = {**special, "tokens": tokens, "ids": ids}
        state["special_tokens"] = known
    return state
