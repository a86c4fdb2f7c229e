"""Models that were changed, saved, and opened by transformers.

Name the interpreters of environments with transformers 4 and 5 in
TF_LONGFORMER_ORACLE_4 and TF_LONGFORMER_ORACLE_5.
"""

from __future__ import annotations

import json

import comparison
import numpy as np
import pytest
from helpers import checks
from helpers import tiny

pytestmark = pytest.mark.oracle

CHANGES = {
    "longer": lambda model: model.extend_positions(83),
    "shorter": lambda model: model.extend_positions(11),
    "window": lambda model: model.set_attention_window(4),
    "windows": lambda model: model.set_attention_window([4, 12]),
    "vocabulary": lambda model: model.resize_token_embeddings(71),
    "all": lambda model: (
        model.resize_token_embeddings(50),
        model.set_attention_window([6, 4]),
        model.extend_positions(70),
    ),
}


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """A folder for each head and change, and what our model gives."""
    expected = {}
    root = tmp_path_factory.mktemp("changes")
    for head in tiny.HEADS:
        for change, apply in CHANGES.items():
            model = checks.seeded(tiny.make_model, head, num_hidden_layers=2)
            apply(model)
            folder = root / head / change
            model.save_pretrained(folder)
            inputs = draw_inputs(head, model.config.max_tokens)
            np.savez(folder / "inputs.npz", **inputs)
            case = {
                "class": f"Longformer{head}",
                "inputs": str(folder / "inputs.npz"),
            }
            (folder / "case.json").write_text(json.dumps(case), "utf-8")
            expected[folder] = dict(model(inputs))
        loaded = type(model).from_pretrained(folder)
        checks.assert_equal(dict(loaded(inputs)), expected[folder], 0)
    return root, expected


def draw_inputs(head, length):
    rng = np.random.default_rng(0)
    shape = (2, 2, length) if "Choice" in head else (2, length)
    ids = rng.integers(5, 50, shape)
    ids[..., 3] = ids[..., 4] = ids[..., 9] = tiny.SEP
    return {
        "input_ids": ids,
        "global_attention_mask": rng.integers(0, 2, shape),
    }


@pytest.mark.parametrize("version", [4, 5])
def test_round_trips_after_changes(version, changed):
    root, expected = changed
    comparison.run_oracle(version, root, script="outputs_worker")
    for folder, ours in expected.items():
        report = json.loads((folder / "hf.json").read_text("utf-8"))
        assert not any(report.values()), (folder, report)
        with np.load(folder / "hf.npz") as theirs:
            wanted = {name: theirs[name] for name in ours}
        assert checks.difference(ours, wanted) < 1e-5, folder
