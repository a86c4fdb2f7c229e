"""The configuration of a Longformer, and its file."""

from tf_longformer.configuration.config import LongformerConfig

__all__ = ["LongformerConfig"]
