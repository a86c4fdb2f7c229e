"""Runs a masked language model of a folder; runs in an oracle's environment.

Usage: python mini_worker.py FOLDER TEXTS RESULTS

TEXTS is a list in JSON. RESULTS, a `.npz`, has for each text `ids_<number>`
and the `logits_<number>` of transformers' Auto classes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers


def main(folder: str, texts: str, results: str) -> None:
    """Writes what transformers makes of the texts."""
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model, info = transformers.AutoModelForMaskedLM.from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    for name in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if info[name]:
            raise ValueError(f"{name}: {info[name]}")
    found = {}
    for number, text in enumerate(json.loads(Path(texts).read_text("utf-8"))):
        ids = tokenizer(text)["input_ids"]
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0]
        found[f"ids_{number}"] = np.array(ids)
        found[f"logits_{number}"] = logits.numpy()
    np.savez(results, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
