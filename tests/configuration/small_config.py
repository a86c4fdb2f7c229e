"""A small configuration, and one that went through JSON."""

import json

from tf_longformer import LongformerConfig

SMALL = {
    "attention_window": [4, 8],
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "vocab_size": 50,
}


def reread(config, use_diff=True):
    return LongformerConfig.from_dict(
        json.loads(config.to_json_string(use_diff=use_diff))
    )
