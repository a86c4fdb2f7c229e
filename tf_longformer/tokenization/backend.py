"""The tokenizer of the `tokenizers` library: built, and trained."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from tokenizers import AddedToken
from tokenizers import Tokenizer
from tokenizers import decoders
from tokenizers import models
from tokenizers import pre_tokenizers
from tokenizers import processors
from tokenizers import trainers

from tf_longformer.tokenization.vocabulary import Vocabulary


def build(vocabulary: Vocabulary, add_prefix_space: bool) -> Tokenizer:
    """Builds a tokenizer that cuts and merges, without special tokens around.

    Args:
        vocabulary: `Vocabulary`.
        add_prefix_space: bool, whether a text gets a space before its first
            word.

    Returns:
        `tokenizers.Tokenizer`.

    Raises:
        ValueError: if the ids of the added tokens leave holes.
    """
    # The empty prefix and suffix are what RoBERTa's files have.
    tokenizer = Tokenizer(
        models.BPE(
            vocab=vocabulary.vocab,
            merges=vocabulary.merges,
            continuing_subword_prefix="",
            end_of_word_suffix="",
            fuse_unk=False,
        )
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=add_prefix_space
    )
    tokenizer.decoder = decoders.ByteLevel()
    add(tokenizer, vocabulary.added)
    return tokenizer


def add(tokenizer: Tokenizer, added: dict[int, AddedToken]) -> None:
    """Adds tokens with the ids that they must get.

    Args:
        tokenizer: `tokenizers.Tokenizer`.
        added: dict of ids to `AddedToken`.

    Raises:
        ValueError: if the ids leave holes.
    """
    tokenizer.add_tokens([token for _, token in sorted(added.items())])
    for index, token in added.items():
        given = tokenizer.token_to_id(token.content)
        if given != index:
            raise ValueError(
                "New tokens must follow the vocabulary without holes. "
                f"Received: {token.content!r} with id {index} where {given} "
                "comes next. The files are not of one tokenizer."
            )


def frame(
    tokenizer: Tokenizer,
    cls: tuple[str, int],
    sep: tuple[str, int],
    add_prefix_space: bool,
    trim_offsets: bool,
) -> None:
    """Sets the special tokens that stand around texts: `<s> A </s>`.

    Args:
        tokenizer: `tokenizers.Tokenizer`.
        cls: the first token and its id.
        sep: the separator and its id.
        add_prefix_space: bool.
        trim_offsets: bool, whether offsets leave out spaces.
    """
    tokenizer.post_processor = processors.RobertaProcessing(
        sep, cls, trim_offsets, add_prefix_space
    )


def train(
    texts: Iterable[str] | Iterable[list[str]],
    special_tokens: list[str],
    vocab_size: int,
    length: int | None,
    add_prefix_space: bool,
    **trainer_arguments: Any,
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Learns a vocabulary.

    Args:
        texts: texts, or lists of texts.
        special_tokens: list of strings, which get the first ids, in order.
        vocab_size: int, entries of the vocabulary with all of these.
        length: int, number of texts, for the progress bar; `None` if it
            isn't known.
        add_prefix_space: bool.
        **trainer_arguments: further arguments of
            `tokenizers.trainers.BpeTrainer`.

    Returns:
        The vocabulary and the merges.

    Raises:
        TypeError: if the texts are a single string, or not texts.
        ValueError: if `vocab_size` has no room for the bytes.
    """
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    least = len(alphabet) + len(special_tokens)
    if vocab_size < least:
        raise ValueError(
            f"A vocabulary must have room for {len(alphabet)} bytes and the "
            f"special tokens. Received: vocab_size={vocab_size}, where "
            f"{least} are needed beside those that come last. Use at least "
            "300."
        )
    if isinstance(texts, str | bytes):
        raise TypeError(
            "Texts must be an iterable of strings, or of lists of strings. "
            f"Received: a single {type(texts).__name__}. Pass `[text]`."
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(
        add_prefix_space=add_prefix_space
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=special_tokens,
        # All bytes, so that no text has an unknown part.
        initial_alphabet=alphabet,
        **trainer_arguments,
    )
    tokenizer.train_from_iterator(texts, trainer=trainer, length=length)
    model = json.loads(tokenizer.to_str())["model"]
    # Older versions write a merge as one string.
    pairs = [
        merge.split(" ") if isinstance(merge, str) else merge
        for merge in model["merges"]
    ]
    return model["vocab"], [(left, right) for left, right in pairs]
