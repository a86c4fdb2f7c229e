"""Measures what loading takes; runs in a process of its own.

Usage: python measure_memory.py FOLDER CLASS

Prints, in bytes, the weights, the largest of them, and the most memory that
the process took beyond what its libraries had taken before.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile

import tf_longformer
from tf_longformer import memory


def most() -> int:
    return memory.peak_bytes() or 0


def main(folder: str, name: str) -> None:
    cls = getattr(tf_longformer, name)
    with tempfile.TemporaryDirectory() as small:
        # What the libraries allocate for themselves.
        config = tf_longformer.LongformerConfig(
            attention_window=4,
            num_hidden_layers=1,
            num_attention_heads=1,
            hidden_size=4,
            intermediate_size=4,
            vocab_size=5,
            max_position_embeddings=9,
        )
        cls(config).save_pretrained(small)
        cls.from_pretrained(small)
    before = most()
    model = cls.from_pretrained(folder)
    after = most()
    sizes = [4 * math.prod(weight.shape) for weight in model.weights]
    print(
        json.dumps(
            {
                "weights": sum(sizes),
                "largest": max(sizes),
                "taken": after - before,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
