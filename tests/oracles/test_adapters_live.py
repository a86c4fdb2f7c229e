"""Adapters that PEFT writes, through us, and into it again.

Name the interpreter of an environment with transformers 5 and PEFT in
TF_LONGFORMER_ORACLE_5.
"""

from __future__ import annotations

import json
import os
import subprocess

import comparison
import numpy as np
import pytest
from helpers import checks
from helpers import tiny

import tf_longformer

pytestmark = pytest.mark.oracle

# What may be trained beside the queries and values: of all heads, and more.
MORE = {
    "ForMaskedLM": lambda model: model.lm_head.dense.enable_lora(1),
    "ForSequenceClassification": lambda m: m.classifier.dense.enable_lora(1),
    "ForTokenClassification": lambda model: model.classifier.enable_lora(1),
}


def arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def add_case(folder, name, case):
    """Has PEFT open an adapter."""
    case = {
        "class": name,
        "base": str(case / "base"),
        "inputs": str(case / "inputs.npz"),
    }
    (folder / "case.json").write_text(json.dumps(case), "utf-8")


def require_peft():
    """Skips in an environment from before PEFT was required."""
    interpreter = os.environ.get("TF_LONGFORMER_ORACLE_5")
    command = [interpreter, "-c", "import peft"]
    if interpreter and subprocess.run(command, capture_output=True).returncode:
        pytest.skip(
            "TF_LONGFORMER_ORACLE_5 has no PEFT: make it anew from "
            "tests/oracles/requirements-transformers-5.txt"
        )


def test_peft_opens_what_we_save(tmp_path):
    require_peft()
    comparison.run_oracle(5, "write", tmp_path, script="adapter_worker")
    written = sorted(path for path in tmp_path.iterdir())
    assert len(written) == 8
    expected = {}
    for case in written:
        text = (case / "base/config.json").read_text("utf-8")
        name = json.loads(text)["architectures"][0]
        cls = getattr(tf_longformer, f"TF{name}")
        wanted = arrays(case / "expected.npz")
        found = cls.from_pretrained(case / "adapter")(
            arrays(case / "inputs.npz")
        )
        checks.assert_equal({n: found[n] for n in wanted}, wanted, 1e-5)
        if name == "LongformerForMaskedLM":
            continue
        model = cls.from_pretrained(case / "base")
        model.load_adapter(case / "adapter")
        model.save_adapter(case / "ours")
        add_case(case / "ours", name, case)
        expected[case / "ours"] = wanted
    for head in tiny.HEADS:
        for more in (False, True):
            case = tmp_path / f"{head}-{more}"
            checks.seeded(tiny.make_model, head).save_pretrained(case / "base")
            cls = getattr(tf_longformer, f"TFLongformer{head}")
            model = cls.from_pretrained(case / "base")
            train(model, head if more else None)
            model.save_adapter(case / "ours")
            inputs = tiny.make_inputs(head)
            np.savez(case / "inputs.npz", **inputs)
            add_case(case / "ours", f"Longformer{head}", case)
            expected[case / "ours"] = dict(model(inputs))
    comparison.run_oracle(5, "open", tmp_path, script="adapter_worker")
    for folder, wanted in expected.items():
        found = arrays(folder / "peft.npz")
        checks.assert_equal({n: found[n] for n in wanted}, dict(wanted), 1e-5)
        text = (folder / "warnings.json").read_text("utf-8")
        assert "missing" not in text, folder


def train(model, head):
    """Enables LoRA, and changes all that is trainable."""
    model.enable_lora(2, lora_alpha=3)
    if head is not None:
        model.longformer.embeddings.norm.trainable = True
        block = model.longformer.encoder.blocks[0]
        block.attention.query.bias.trainable = True
        block.intermediate.enable_lora(3)
        MORE.get(head, lambda model: None)(model)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign_add(rng.normal(0, 0.3, weight.shape))
