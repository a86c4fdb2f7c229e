"""Writes and opens LoRA adapters with PEFT; runs in an oracle's environment.

Usage: python adapter_worker.py write FOLDER
       python adapter_worker.py open FOLDER

`write` makes a folder for each of `CASES`: `base`, a tiny model as
transformers saves it, `adapter`, a trained adapter as PEFT saves it, and
`expected.npz`, inputs and what PEFT's model returns for them. `open` opens
each folder that has a `case.json` {"class": ..., "base": ..., "inputs": ...},
an adapter for that base, with PEFT, and writes the outputs to `peft.npz`.
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers
from outputs_worker import outputs_of
from outputs_worker import read_inputs

CONFIG = {
    "attention_window": [4, 8],
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "hidden_size": 6,
    "intermediate_size": 7,
    "vocab_size": 13,
    "max_position_embeddings": 17,
    "type_vocab_size": 2,
    "initializer_range": 0.3,
}
QUERY_VALUE = ["query", "value", "query_global", "value_global"]
# By name: HF's class, fields of its config, and PEFT's config.
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "sequence": (
        "LongformerForSequenceClassification",
        {"num_labels": 5},
        {"task_type": "SEQ_CLS", "r": 3, "target_modules": QUERY_VALUE},
    ),
    # Ranks and scales by pattern.
    "tokens": (
        "LongformerForTokenClassification",
        {"num_labels": 3},
        {
            "task_type": "TOKEN_CLS",
            "r": 2,
            "lora_alpha": 5,
            "use_rslora": True,
            "target_modules": [*QUERY_VALUE, "dense"],
            "rank_pattern": {"query": 3, "layer.1.output.dense": 4},
            "alpha_pattern": {r".*\.layer\.0\..*value": 11},
        },
    ),
    # Layers by an expression, and biases.
    "answers": (
        "LongformerForQuestionAnswering",
        {},
        {
            "task_type": "QUESTION_ANS",
            "r": 2,
            "lora_alpha": 6,
            "bias": "lora_only",
            "target_modules": r".*\.layer\.\d\..*(self\.key|output\.dense)",
            "exclude_modules": ["attention.output.dense"],
        },
    ),
    # A head that is no longer tied, and all biases.
    "words": (
        "LongformerForMaskedLM",
        {},
        {
            "r": 2,
            "bias": "all",
            "target_modules": ["query"],
            "layers_to_transform": [1],
            "modules_to_save": ["lm_head"],
        },
    ),
    "tables": (
        "LongformerForMaskedLM",
        {},
        {
            "r": 2,
            "lora_alpha": 7,
            "target_modules": [
                *("word_embeddings", "position_embeddings", "lm_head.dense"),
            ],
        },
    ),
    # A head that was never tied, and layers of it.
    "untied": (
        "LongformerForMaskedLM",
        {"tie_word_embeddings": False},
        {
            "r": 2,
            "target_modules": ["word_embeddings", "lm_head.decoder"],
            "ensure_weight_tying": True,
            "modules_to_save": ["intermediate.dense"],
        },
    ),
    "bare": (
        "LongformerModel",
        {},
        {
            "task_type": "FEATURE_EXTRACTION",
            "r": 1,
            "lora_alpha": 3,
            "target_modules": ["dense"],
            "fan_in_fan_out": True,
        },
    ),
    "choices": (
        "LongformerForMultipleChoice",
        {},
        {
            "r": 2,
            "target_modules": ["key", "token_type_embeddings"],
            "modules_to_save": ["classifier", "output.LayerNorm"],
        },
    ),
}
# As `adapter_model.bin`.
PICKLED = "answers"


def main(task: str, folder: Path) -> None:
    """Runs a task."""
    transformers.logging.set_verbosity_error()
    warnings.simplefilter("ignore")
    torch.set_num_threads(2)
    if task == "write":
        for seed, name in enumerate(CASES):
            write_case(folder / name, name, seed)
        return
    for file in sorted(folder.rglob("case.json")):
        case = json.loads(file.read_text("utf-8"))
        model = getattr(transformers, case["class"]).from_pretrained(
            case["base"], **case.get("config", {})
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model = peft.PeftModel.from_pretrained(model, str(file.parent))
        inputs = read_inputs(case["inputs"])
        np.savez(file.parent / "peft.npz", **adapted_outputs(model, inputs))
        messages = [str(warning.message) for warning in caught]
        (file.parent / "warnings.json").write_text(json.dumps(messages))


def write_case(folder: Path, name: str, seed: int) -> None:
    """Writes a base, an adapter and what they give together."""
    class_name, fields, options = CASES[name]
    torch.manual_seed(seed)
    config = transformers.LongformerConfig(**CONFIG, **fields)
    model_class = getattr(transformers, class_name)
    model_class(config).save_pretrained(folder / "base")
    model = peft.get_peft_model(
        model_class.from_pretrained(folder / "base"), peft.LoraConfig(**options)
    )
    for parameter in model.parameters():
        if parameter.requires_grad:
            with torch.no_grad():
                parameter.add_(0.5 * torch.randn_like(parameter))
    model.save_pretrained(
        str(folder / "adapter"), safe_serialization=name != PICKLED
    )
    inputs = draw_inputs(class_name, np.random.default_rng(seed))
    outputs = adapted_outputs(model, inputs)
    np.savez(folder / "inputs.npz", **inputs)
    np.savez(folder / "expected.npz", **outputs)


def draw_inputs(
    class_name: str, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Draws ids and masks, padding and separators included."""
    shape = (2, 2, 11) if "Choice" in class_name else (2, 11)
    ids = rng.integers(4, CONFIG["vocab_size"], shape)
    ids[..., 3] = ids[..., 4] = ids[..., 8] = 2
    mask = np.ones(shape, "int64")
    ids[0, ..., 9:], mask[0, ..., 9:] = 1, 0
    return {
        "input_ids": ids,
        "attention_mask": mask,
        "token_type_ids": rng.integers(0, 2, shape),
        "global_attention_mask": rng.integers(0, 2, shape),
    }


def adapted_outputs(
    model: Any, inputs: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Returns what a model with an adapter gives, by name."""
    # Not by PEFT's own call, which drops `token_type_ids` for answers.
    return outputs_of(model.get_base_model(), inputs)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
