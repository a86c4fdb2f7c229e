"""How much more than the model loading takes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tf_longformer import LongformerConfig
from tf_longformer import atomic
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import save
from tf_longformer.heads import BARE
from tf_longformer.heads import HEADS

SCRIPT = Path(__file__).with_name("measure_memory.py")
# The model at the size of the large one, 1.7 GB.
LARGE = {
    "vocab_size": 50265,
    "max_position_embeddings": 4098,
    "type_vocab_size": 1,
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
}


@pytest.mark.slow
def test_the_large_model(tmp_path):
    config = LongformerConfig(**LARGE)
    weights = names.weights(config, HEADS[BARE])
    source = save.Source(
        BARE,
        list(weights.values()),
        dict.fromkeys(weights, np.dtype("float32")),
        lambda weight: np.full(weight.shape, 0.5, "float32"),
    )
    target = save.check_target(tmp_path, "safetensors")
    with atomic.replacing_files(tmp_path) as replacement:
        save.write(replacement, target, source)
        config.save_pretrained(replacement.path)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), str(tmp_path), "TFLongformerModel"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["taken"] < found["weights"] + found["largest"], found
