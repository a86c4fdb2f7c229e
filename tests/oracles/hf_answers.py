"""Answers for HF PyTorch's Longformer; runs in an oracle's environment.

Reads lines of JSON, {"head": ..., "config": {...}, "folder": ...}; the folder
has `weights.npz` by HF's names and `inputs.npz`. Writes `outputs.npz` there and
a line: {} or {"error": ...}.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

OUTPUTS = (
    "last_hidden_state",
    "pooler_output",
    "logits",
    "start_logits",
    "end_logits",
)


def main() -> None:
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        answer: dict[str, str] = {}
        try:
            run(json.loads(line))
        except Exception:
            answer = {"error": traceback.format_exc()}
        print(json.dumps(answer), file=answers, flush=True)


def run(question: dict[str, Any]) -> None:
    folder = Path(question["folder"])
    config = transformers.LongformerConfig(**question["config"])
    model = getattr(transformers, f"Longformer{question['head']}")(config)
    with np.load(folder / "weights.npz") as file:
        weights = {name: torch.tensor(file[name]) for name in file.files}
    if question["head"] == "Model":
        weights = {n.removeprefix("longformer."): w for n, w in weights.items()}
    kept = model.load_state_dict(weights, strict=False)
    assert not kept.unexpected_keys, kept
    tied = {"lm_head.decoder.weight", "lm_head.decoder.bias", "lm_head.bias"}
    assert not set(kept.missing_keys) - tied, kept
    model = model.double().eval()
    with np.load(folder / "inputs.npz") as file:
        inputs = {}
        for name in file.files:
            value = torch.tensor(file[name])
            inputs[name] = (
                value.double() if value.is_floating_point() else value.long()
            )
    with torch.no_grad():
        outputs = model(**inputs, return_dict=True)
    arrays = {n: outputs[n].numpy() for n in OUTPUTS if n in outputs}
    np.savez(folder / "outputs.npz", **arrays)


if __name__ == "__main__":
    main()
