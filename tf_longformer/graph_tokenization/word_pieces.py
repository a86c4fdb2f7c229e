"""WordPiece, in TensorFlow's graph."""

from __future__ import annotations

from typing import Any

from tf_longformer.graph_tokenization import normalization
from tf_longformer.graph_tokenization import pre_tokenization
from tf_longformer.graph_tokenization.longest_match import build_piece_table
from tf_longformer.graph_tokenization.longest_match import match_words
from tf_longformer.graph_tokenization.words import Characters
from tf_longformer.graph_tokenization.words import WordTokens
from tf_longformer.graph_tokenization.words import build_character_table
from tf_longformer.tokenization import LongformerTokenizer
from tf_longformer.tokenization.byte_level import steps


class WordPieces:
    """What BERT's pipeline, or one like it, does with a text.

    Args:
        tokenizer: `LongformerTokenizer` of WordPiece.

    Attributes:
        characters: `CodePointTable` of characters' flags.

    Raises:
        ValueError: for a normalizer or a pre-tokenizer that looks at more than
            single characters, and for a vocabulary without the token of
            unknown words.
    """

    def __init__(self, tokenizer: LongformerTokenizer) -> None:
        content = tokenizer.pipeline.describe()
        normalizer = steps(content["normalizer"])
        pre_tokenizer = steps(content["pre_tokenizer"])
        model = content["model"]
        unknown = model["unk_token"]
        problem = None
        if not all(s["type"] in normalization.TYPES for s in normalizer):
            problem = f"its normalizer must be of {list(normalization.TYPES)}"
        elif not pre_tokenization.can_split(pre_tokenizer):
            problem = (
                f"its pre-tokenizer must be of {list(pre_tokenization.TYPES)} "
                "and cut at spaces"
            )
        elif unknown not in model["vocab"]:
            problem = f"its vocabulary must have its unk_token, {unknown!r}"
        if problem is not None:
            received = [step["type"] for step in [*normalizer, *pre_tokenizer]]
            raise ValueError(
                f"WordPiece can be in a graph, but {problem}. Received: "
                f"{', '.join(received)[:150]}. Tokenize outside of the graph, "
                "and pass ids (--no-text)."
            )
        self._stages = normalization.build_stages(normalizer)
        self._table = build_piece_table(
            model["vocab"], model["continuing_subword_prefix"]
        )
        self._longest_word = model["max_input_chars_per_word"]
        self._unknown = model["vocab"][unknown]
        self.characters = build_character_table(
            pre_tokenization.find_classes(pre_tokenizer)
        )

    def normalize(self, chars: Characters) -> Characters:
        """Returns the characters as the normalizer changes them."""
        for stage in self._stages:
            chars = normalization.normalize(chars, stage)
        return chars._replace(flags=self.characters.gather(chars.codes))

    def split(self, chars: Characters) -> tuple[Characters, Any]:
        """Returns the characters of words, and which of them begin one."""
        return pre_tokenization.split(chars)

    def encode(self, words: Any) -> WordTokens:
        """Returns the tokens of words, a string tensor; in characters."""
        return match_words(
            words, self._table, self._longest_word, self._unknown
        )

    def find_characters(
        self, chars: Characters, low: Any, begins: Any, ends: Any
    ) -> tuple[Any, Any]:
        """Returns where tokens begin and end, among all characters.

        `low` is where their words begin, `begins` and `ends` are in these.
        """
        return low + begins, low + ends

    def count_spaces(self, *_: Any) -> None:
        """Returns `None`: words have no spaces around them."""
