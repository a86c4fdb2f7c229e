"""transformers 5 opens the folder of `mini`: the same ids, the same logits."""

from __future__ import annotations

import json
from pathlib import Path

import comparison
import numpy as np
import pytest

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import presets

pytestmark = pytest.mark.oracle
TEXTS = [
    "The dog sat by the <mask>.",
    "It was a bright cold day\nin April; naïve 日本 2,024 times. " * 30,
]


def test_transformers_opens_it(tmp_path):
    folder = Path(presets.__file__).with_name("mini")
    (tmp_path / "texts.json").write_text(json.dumps(TEXTS), "utf-8")
    results = tmp_path / "results.npz"
    comparison.run_oracle(
        5, folder, tmp_path / "texts.json", results, script="mini_worker"
    )
    tokenizer = LongformerTokenizerFast.from_pretrained("mini")
    model = TFLongformerForMaskedLM.from_pretrained("mini")
    with np.load(results) as theirs:
        for number, text in enumerate(TEXTS):
            ids = tokenizer(text)["input_ids"]
            assert ids == theirs[f"ids_{number}"].tolist()
            expected = theirs[f"logits_{number}"]
            found = np.asarray(model(np.array([ids])).logits)[0]
            largest = np.abs(expected).max()
            np.testing.assert_allclose(found, expected, atol=1e-4 * largest)
