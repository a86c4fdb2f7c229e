"""The pictures are what the script draws, and what models do."""

import sys

import numpy as np
from helpers.docs_pages import ROOT
from helpers.docs_pages import load_script
from helpers.docs_pages import read

from tf_longformer import LongformerConfig
from tf_longformer import TFLongformerModel
from tf_longformer import to_dense_attention

script = load_script("draw_patterns")


def test_pictures_are_those_that_the_script_draws():
    there = {path.name for path in (ROOT / "docs/pictures").glob("*.svg")}
    assert there >= set(script.PICTURES)
    for name, draw in script.PICTURES.items():
        assert read(f"docs/pictures/{name}") == draw(), name


def test_the_pattern_is_the_models():
    globals_ = (0, 21)
    model = TFLongformerModel(
        LongformerConfig(
            vocab_size=50,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=1,
            intermediate_size=8,
            attention_window=8,
            max_position_embeddings=64,
        )
    )
    mask = np.zeros((1, 36), "int32")
    mask[0, globals_] = 1
    ids = np.full((1, 36), 7, "int32")
    outputs = model(ids, global_attention_mask=mask, output_attentions=True)
    dense = to_dense_attention(
        outputs.attentions[0], outputs.global_attentions[0], mask
    )
    for query in range(36):
        for key in range(36):
            seen = script.kind(query, key, 4, globals_) != "none"
            assert (dense[0, 0, query, key] > 0) == seen


def test_the_readme_has_the_measured_figures(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import results

    assert results.figures() in read("README.md")
    sys.modules.pop("results")
