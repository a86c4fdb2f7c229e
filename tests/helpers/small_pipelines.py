"""Small pipelines of WordPiece and Unigram, of the library's own parts."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer
from tokenizers import decoders
from tokenizers import models
from tokenizers import normalizers
from tokenizers import pre_tokenizers
from tokenizers import processors

LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789é中文!,.'"
WORDS = "hello wörld café the long document Hello".split()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
TOKENS = [
    *SPECIAL,
    *LETTERS,
    *(f"##{letter}" for letter in LETTERS),
    *WORDS,
]


def wordpiece(**settings: Any) -> Tokenizer:
    """BERT's pipeline, made by hand."""
    vocab = {token: index for index, token in enumerate(TOKENS)}
    library = Tokenizer(models.WordPiece(vocab, unk_token="[UNK]"))
    library.normalizer = normalizers.BertNormalizer(**settings)
    library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    library.decoder = decoders.WordPiece()
    library.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    library.add_special_tokens(SPECIAL)
    return library


def unigram() -> Tokenizer:
    """XLM-RoBERTa's pipeline, made by hand."""
    pieces = [(t, 0.0) for t in ("<s>", "<pad>", "</s>", "<unk>")]
    pieces += [("▁", -2.0), *((letter, -4.0) for letter in LETTERS)]
    pieces += [(f"▁{word}", -6.0) for word in WORDS]
    library = Tokenizer(models.Unigram(pieces, unk_id=3))
    library.normalizer = normalizers.NFKC()
    library.pre_tokenizer = pre_tokenizers.Metaspace()
    library.decoder = decoders.Metaspace()
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    library.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", "<mask>"])
    return library
