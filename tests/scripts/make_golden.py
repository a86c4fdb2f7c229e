"""Makes the golden files of `tests/golden`; runs where torch is.

Usage, in an environment with transformers 4.57.1 (tests/oracles has the
requirements):

    python tests/scripts/make_golden.py

Each folder has a tiny model of HF PyTorch as it saves it, its inputs, and
what it gives for them: all outputs (in our layout of attentions) and the
norms of the loss's gradients.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "oracles"))

import cases  # noqa: E402
import drawing  # noqa: E402
import hf_worker  # noqa: E402
import layout  # noqa: E402

CONFIG = {
    "attention_window": [4, 8],
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "hidden_size": 15,
    "intermediate_size": 19,
    "vocab_size": 53,
    "max_position_embeddings": 61,
    "type_vocab_size": 2,
    "pad_token_id": 1,
    "hidden_act": "gelu",
    "layer_norm_eps": 1e-5,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
# Folder, head, fields of the config, global tokens.
MODELS = (
    ("model", drawing.BASE, {}, "uneven"),
    ("masked_lm", drawing.MASKED_LM, {}, "uneven"),
    ("question_answering", drawing.ANSWERING, {}, "default"),
    ("regression", drawing.SEQUENCE, {"num_labels": 1}, "uneven"),
    ("single_label", drawing.SEQUENCE, {"num_labels": 5}, "default"),
    (
        "multi_label",
        drawing.SEQUENCE,
        {"num_labels": 3, "problem_type": "multi_label_classification"},
        "many",
    ),
    ("token_classification", drawing.TOKENS, {"num_labels": 7}, "uneven"),
    ("multiple_choice", drawing.CHOICE, {}, "default"),
)


def main() -> None:
    """Writes all folders."""
    for number, (name, head, fields, globals_) in enumerate(MODELS):
        case = cases.draw_case(
            201 + number,
            head,
            {**CONFIG, **fields},
            # Rows of choices are many.
            seq=31 if head == drawing.CHOICE else 41,
            masks="right",
            globals_=globals_,
            embeds=False,
            head_mask=False,
        )
        with tempfile.TemporaryDirectory() as folder:
            case.write(Path(folder))
            hf_worker.main(Path(folder))
            collect(case, Path(folder) / case.name, TESTS / "golden" / name)


def collect(case: cases.Case, source: Path, target: Path) -> None:
    """Copies what the worker wrote."""
    if target.exists():
        shutil.rmtree(target)
    target.mkdir(parents=True)
    out = source / f"hf{hf_worker.VERSION}"
    for file in ("config.json", "model.safetensors"):
        shutil.copyfile(out / "model" / file, target / file)
    np.savez_compressed(target / "inputs.npz", **case.inputs)
    outputs = layout.load_arrays(out / "outputs.npz")
    np.savez_compressed(
        target / "outputs.npz", **layout.in_our_layout(case, outputs)
    )
    if "loss" in outputs:
        gradients = layout.load_arrays(out / "gradients.npz")
        norms = {
            name: float(np.linalg.norm(gradient))
            for name, gradient in sorted(gradients.items())
        }
        text = json.dumps(norms, indent=2) + "\n"
        (target / "gradient_norms.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
