"""Runs HF PyTorch's Longformer; runs in an oracle's environment.

Usage: python hf_worker.py FOLDER

Each folder in FOLDER with a `case.json` is a case. Of task "run":

    case.json       {"task": "run", "head": "ForMaskedLM", "config": {...},
                    "seed": 3, "deviation": 0.2, "attentions": true,
                    "train": null or
                    {"learning_rate": 0.1, "momentum": 0.9, "steps": 3}}
    inputs.npz      arguments of the model by name, labels too

for which this writes, to the folder `hfN` in the case's, N the major version:

    model/          what `save_pretrained` writes of the model as drawn
    outputs.npz     every output; elements of tuples as `hidden_states.0`
    gradients.npz   of the loss, by the parameters' names; with labels
    steps.npz       the parameters after the steps of SGD; with `train`
    losses.npz      the losses of 50 steps by SGD and by AdamW; with `train`

Of task "open": {"task": "open", "head": ..., "folder": "relative folder"},
for which this writes `hfN.json`: what loading the folder reported, and
which tensors of the loaded model are not, bit by bit, those of the file.

Weights are drawn by NumPy, by name, so that every version has the same.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors.numpy import load_file

LABELS = ("labels", "start_positions", "end_positions")
VERSION = int(transformers.__version__.split(".")[0])


def main(folder: Path) -> None:
    """Works off all cases in `folder`."""
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(2)
    for file in sorted(folder.glob("*/case.json")):
        case = json.loads(file.read_text("utf-8"))
        if case["task"] == "open":
            open_folder(file.parent, case)
        else:
            run_case(file.parent, case)


def run_case(folder: Path, case: dict[str, Any]) -> None:
    """Runs a case of task "run"."""
    with np.load(folder / "inputs.npz") as file:
        inputs = {name: torch.tensor(file[name]) for name in file.files}
    if VERSION >= 5 and "head_mask" in inputs:
        return
    config = transformers.LongformerConfig(**case["config"])
    model = getattr(transformers, f"Longformer{case['head']}")(config).eval()
    draw_weights(model, case["seed"], case["deviation"])
    out = folder / f"hf{VERSION}"
    model.save_pretrained(out / "model", safe_serialization=True)
    with torch.set_grad_enabled(any(name in LABELS for name in inputs)):
        outputs = run_model(model, inputs, case["attentions"])
    np.savez(out / "outputs.npz", **flatten(outputs))
    if "loss" not in outputs:
        return
    outputs["loss"].backward()
    np.savez(out / "gradients.npz", **gradients(model))
    if case["train"]:
        np.savez(out / "steps.npz", **steps(model, inputs, **case["train"]))
        losses = {}
        for name in ("sgd", "adamw"):
            draw_weights(model, case["seed"], case["deviation"])
            losses[name] = loss_curve(model, inputs, name)
        np.savez(out / "losses.npz", **losses)


def draw_weights(model: Any, seed: int, deviation: float) -> None:
    """Draws weights for which attention is far from uniform.

    No bias is zero and no layer norm is one.
    """
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            array = deviation * rng.standard_normal(tuple(parameter.shape))
            if name.endswith(("LayerNorm.weight", "layer_norm.weight")):
                array = 1 + array
            parameter.copy_(torch.tensor(array, dtype=torch.float32))


def run_model(
    model: Any, inputs: dict[str, Any], attentions: bool = False
) -> Any:
    """Returns all outputs, the attentions where they are wanted."""
    return model(
        **inputs,
        output_attentions=attentions,
        output_hidden_states=True,
        return_dict=True,
    )


def flatten(outputs: Any) -> dict[str, np.ndarray]:
    """Returns the outputs as arrays by name."""
    arrays = {}
    for name, value in outputs.items():
        if isinstance(value, tuple):
            for index, element in enumerate(value):
                arrays[f"{name}.{index}"] = element.detach().numpy()
        else:
            arrays[name] = value.detach().numpy()
    return arrays


def gradients(model: Any) -> dict[str, np.ndarray]:
    """Returns the gradients by name; zero where the loss has no use for one."""
    return {
        name: np.zeros(tuple(parameter.shape), np.float32)
        if parameter.grad is None
        else parameter.grad.numpy().copy()
        for name, parameter in model.named_parameters()
    }


def steps(
    model: Any,
    inputs: dict[str, Any],
    learning_rate: float,
    momentum: float,
    steps: int,
) -> dict[str, np.ndarray]:
    """Takes steps of SGD on the same batch; returns the parameters."""
    optimizer = torch.optim.SGD(
        model.parameters(), lr=learning_rate, momentum=momentum
    )
    for _ in range(steps):
        optimizer.zero_grad()
        run_model(model, inputs)["loss"].backward()
        optimizer.step()
    return {
        name: parameter.detach().numpy().copy()
        for name, parameter in model.named_parameters()
    }


def loss_curve(model: Any, inputs: dict[str, Any], name: str) -> np.ndarray:
    """Returns the losses of 50 steps on the same batch; kernels decay."""
    if name == "sgd":
        optimizer = torch.optim.SGD(model.parameters(), 2e-3, momentum=0.9)
    else:
        kernels, others = [], []
        for path, parameter in model.named_parameters():
            apart = ("embeddings", "norm", "bias")
            is_other = any(part in path.lower() for part in apart)
            (others if is_other else kernels).append(parameter)
        groups = [
            {"params": kernels, "weight_decay": 0.01},
            {"params": others, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, 5e-5, eps=1e-12)
    losses = []
    for _ in range(50):
        optimizer.zero_grad()
        loss = run_model(model, inputs)["loss"]
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return np.array(losses)


def open_folder(folder: Path, case: dict[str, Any]) -> None:
    """Runs a case of task "open"."""
    path = folder / case["folder"]
    model, info = getattr(
        transformers, f"Longformer{case['head']}"
    ).from_pretrained(path, output_loading_info=True)
    saved = load_file(path / "model.safetensors")
    loaded = {n: t.detach().numpy() for n, t in model.state_dict().items()}
    # PyTorch's names of tensors that the file has under another; whether it
    # misses one it says itself.
    tied = {"lm_head.decoder.bias"}
    if model.config.tie_word_embeddings:
        tied.add("lm_head.decoder.weight")
    report = {
        "class": type(model).__name__,
        "version": transformers.__version__,
        "missing": sorted(set(info["missing_keys"])),
        "unexpected": sorted(set(info["unexpected_keys"])),
        "mismatched": [str(item) for item in info["mismatched_keys"]],
        "absent": sorted(set(loaded) - set(saved) - tied),
        "different": sorted(
            name
            for name, array in saved.items()
            if name not in loaded
            or loaded[name].dtype != array.dtype
            or loaded[name].tobytes() != array.tobytes()
        ),
        "tied": [
            name
            for name, source in (
                ("lm_head.decoder.bias", "lm_head.bias"),
                (
                    "lm_head.decoder.weight",
                    "longformer.embeddings.word_embeddings.weight",
                ),
            )
            if name in loaded and np.array_equal(loaded[name], saved[source])
        ],
        "count": len(saved),
    }
    (folder / f"hf{VERSION}.json").write_text(json.dumps(report), "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
