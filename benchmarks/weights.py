"""Writes a folder of random weights that all peers load.

Usage: python weights.py FOLDER LAYERS WINDOW POSITIONS CLASS
"""

from __future__ import annotations

import sys

import tf_longformer


def main(
    folder: str, layers: str, window: str, positions: str, name: str
) -> None:
    """Saves a model of base width."""
    config = tf_longformer.LongformerConfig(
        vocab_size=50265,
        num_hidden_layers=int(layers),
        attention_window=int(window),
        max_position_embeddings=int(positions),
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    getattr(tf_longformer, name)(config).save_pretrained(folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
