"""Text to ids and back, without a backend."""

from tf_longformer.tokenization.batch_encoding import BatchEncoding
from tf_longformer.tokenization.tokenizer import LongformerTokenizer
from tf_longformer.tokenization.tokenizer import LongformerTokenizerFast

__all__ = ["BatchEncoding", "LongformerTokenizer", "LongformerTokenizerFast"]
