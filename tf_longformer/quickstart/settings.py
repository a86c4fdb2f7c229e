"""How large a quickstart is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tf_longformer.quickstart.corpus import MIN_TOKENS

# What the long model is compared with: the same model, reading this much.
SHORT_LENGTH = 128


@dataclass(frozen=True)
class Settings:
    """The options of the quickstart.

    Args:
        output: `Path`. The folder that is written.
        seed: int. Chooses documents, split, weights and order. Defaults to
            `0`.
        documents: int. Most documents per project, train and held-out
            together. Defaults to `100`.
        min_tokens: int. Words and marks of the shortest document. Defaults
            to `1000`.
        max_length: int. Tokens of a document that the long model reads.
            Defaults to `2048`.
        steps: int. Training steps of each model. Defaults to `240`.
        vocab_size: int. Entries of the tokenizer. Defaults to `4000`.
        overwrite: bool. Whether to write into a folder that holds something
            else than an earlier quickstart. Defaults to `False`.
    """

    output: Path
    seed: int = 0
    documents: int = 100
    min_tokens: int = MIN_TOKENS
    max_length: int = 2048
    steps: int = 240
    vocab_size: int = 4000
    overwrite: bool = False
