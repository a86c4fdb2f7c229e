"""Tokenizers with what transformers' fast ones have, and nothing of ours."""

from collections import UserDict

from tokenizers import Tokenizer
from tokenizers import decoders
from tokenizers import models
from tokenizers import pre_tokenizers
from tokenizers import processors


class OtherEncoding(UserDict):
    def __init__(self, data, encodings):
        super().__init__(data)
        self.encodings = encodings


class OtherTokenizer:
    """Wraps a tokenizer of the `tokenizers` library."""

    is_fast = True
    model_max_length = 512
    unk_token_id, cls_token_id, sep_token_id = 0, 1, 2
    pad_token_id = 0

    def __init__(self, backend):
        self.backend_tokenizer = backend

    def __call__(
        self,
        texts,
        pairs=None,
        truncation=False,
        max_length=None,
        stride=0,
        return_overflowing_tokens=False,
    ):
        self.backend_tokenizer.no_truncation()
        if truncation:
            self.backend_tokenizer.enable_truncation(
                max_length, stride=stride, strategy=truncation
            )
        rows = list(zip(texts, pairs, strict=True)) if pairs else list(texts)
        first = self.backend_tokenizer.encode_batch(rows)
        data = {"input_ids": [], "overflow_to_sample_mapping": []}
        every = []
        for number, row in enumerate(first):
            for piece in [row, *row.overflowing]:
                every.append(piece)
                data["input_ids"].append(piece.ids)
                data["overflow_to_sample_mapping"].append(number)
        return OtherEncoding(data, every)

    def get_vocab(self):
        return self.backend_tokenizer.get_vocab()

    def convert_ids_to_tokens(self, ids):
        return [self.backend_tokenizer.id_to_token(index) for index in ids]

    def convert_tokens_to_string(self, tokens):
        return self.backend_tokenizer.decoder.decode(tokens)


def wordpiece(pieces):
    """Makes a WordPiece tokenizer of tokens, of which 1 and 2 go around."""
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    made = Tokenizer(models.WordPiece(vocabulary, unk_token=pieces[0]))
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.decoder = decoders.WordPiece(cleanup=False)
    made.post_processor = processors.BertProcessing(
        (pieces[2], 2), (pieces[1], 1)
    )
    return made
