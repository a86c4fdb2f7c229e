"""Times the model on a GPU, through Keras's JAX backend, beside PyTorch's.

Usage: python benchmarks/gpu.py [--only NAME...]

In an environment that has this package, JAX for the GPU, PyTorch for it and
transformers. Each peer is a process of its own, one after the other: they
share the GPU's memory, and nothing else is on it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ["KERAS_BACKEND"] = "jax"
# Peak memory would be what JAX takes beforehand.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import numpy as np
import results
from worker import inputs

CASE = {"layers": 12, "seq": 4096, "batch": 8, "window": 512, "globals": 1}
WARM_UP, ROUNDS = 3, 10

NO_DROPOUT = {"fields": {"attention_probs_dropout_prob": 0.0}}
# name -> (work, {label: (peer, changes)})
COMPARISONS = {
    "forward": (
        "forward",
        {
            "ours": ("ours", {}),
            "ours, scanned": ("ours", {"scan_layers": True}),
            "ours, flash": ("ours", {"flash_attention": True}),
            "HF PyTorch": ("hf_torch", {}),
            "HF PyTorch, float32": ("hf_torch", {"policy": "float32"}),
        },
    ),
    "fit": (
        "fit",
        {
            "ours": ("ours", {}),
            "ours, scanned": ("ours", {"scan_layers": True}),
            "ours, checkpointing": ("ours", {"checkpointing": True}),
            "HF PyTorch": ("hf_torch", {}),
            "HF PyTorch, checkpointing": ("hf_torch", {"checkpointing": True}),
            # Flash attention knows no dropout of the probabilities.
            "ours, no attention dropout": ("ours", NO_DROPOUT),
            "ours, flash, no attention dropout": (
                "ours",
                {"flash_attention": True, **NO_DROPOUT},
            ),
            "HF PyTorch, no attention dropout": ("hf_torch", NO_DROPOUT),
        },
    ),
}


# Each returns a call that waits for its result, and what tells peak memory.


def ours(case: dict) -> tuple[Callable, Callable]:
    import jax
    import keras

    keras.config.set_dtype_policy(case["policy"])
    from tf_longformer import TFLongformerForSequenceClassification
    from tf_longformer import TFLongformerModel

    def peak() -> int:
        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"]

    def speed_up(model: Any) -> None:
        model.scan_layers = case.get("scan_layers", False)
        model.flash_attention = case.get("flash_attention", False)

    x = inputs(case)
    if case["work"] == "fit":
        model = TFLongformerForSequenceClassification.from_pretrained(
            case["folder"], **case.get("fields", {})
        )
        if case.get("checkpointing"):
            model.gradient_checkpointing_enable()
        speed_up(model)
        model.compile(keras.optimizers.AdamW(3e-5))
        y = np.zeros(case["batch"], "int32")
        return lambda: model.train_on_batch(x, y), peak
    model = TFLongformerModel.from_pretrained(case["folder"])
    speed_up(model)
    x = jax.device_put(x)
    weights, others = (
        [variable.value for variable in variables]
        for variables in (
            model.trainable_variables,
            model.non_trainable_variables,
        )
    )

    @jax.jit
    def call(weights: list, others: list, x: dict) -> Any:
        outputs, _ = model.stateless_call(weights, others, x)
        return outputs.last_hidden_state

    return lambda: call(weights, others, x).block_until_ready(), peak


def hf_torch(case: dict) -> tuple[Callable, Callable]:
    import torch
    from transformers import AutoModelForSequenceClassification
    from transformers import LongformerModel

    low = case["policy"] == "mixed_bfloat16"
    x = {
        name: torch.tensor(array, dtype=torch.long, device="cuda")
        for name, array in inputs(case).items()
    }
    if case["work"] == "fit":
        model = AutoModelForSequenceClassification.from_pretrained(
            case["folder"], **case.get("fields", {})
        ).cuda()
        model.train()
        if case.get("checkpointing"):
            model.gradient_checkpointing_enable()
        optimizer = torch.optim.AdamW(model.parameters(), 3e-5, fused=True)
        labels = torch.zeros(case["batch"], dtype=torch.long, device="cuda")

        def step() -> float:
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.bfloat16, enabled=low):
                loss = model(**x, labels=labels).loss
            loss.backward()
            optimizer.step()
            return loss.item()

        return step, torch.cuda.max_memory_allocated
    model = LongformerModel.from_pretrained(case["folder"]).eval().cuda()
    if low:
        model = model.to(torch.bfloat16)

    def call() -> Any:
        with torch.no_grad():
            output = model(**x).last_hidden_state
        torch.cuda.synchronize()
        return output

    return call, torch.cuda.max_memory_allocated


def run_peer(peer: str, case: dict) -> None:
    """Prints seconds and peak memory as the last line."""
    call, peak = {"ours": ours, "hf_torch": hf_torch}[peer](case)
    seconds = []
    for _ in range(WARM_UP + ROUNDS):
        start = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - start)
    answer = {
        "median": statistics.median(seconds[WARM_UP:]),
        "first": seconds[0],
        "seconds": seconds[WARM_UP:],
        "peak": peak(),
    }
    if case["work"] == "forward":
        if peer == "hf_torch":
            result = result.float().cpu()
        np.save(case["output"], np.asarray(result, "float32"))
    print(json.dumps(answer), flush=True)


def start(file: str, *arguments: str) -> str:
    """Runs a file of this folder in a process, returns what it prints."""
    result = subprocess.run(
        [sys.executable, Path(__file__).with_name(file), *arguments],
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise RuntimeError(result.stderr[-2000:])
    return result.stdout


def compare(name: str, case: dict, folder: Path) -> dict:
    """Runs the peers of a comparison, one after the other."""
    work, members = COMPARISONS[name]
    result, outputs = {}, {}
    for label, (peer, changes) in members.items():
        output = folder / f"{len(outputs)}.npy"
        changed = {"policy": "mixed_bfloat16", **case, "work": work, **changes}
        changed["output"] = str(output)
        try:
            printed = start(
                "gpu.py", "--peer", peer, "--case", json.dumps(changed)
            )
        except RuntimeError as error:
            result[label] = None
            print(f"{name}: {label} does not run: {error}", flush=True)
            continue
        result[label] = json.loads(printed.splitlines()[-1])
        outputs[label] = output
        print(
            f"{name}: {label}: {result[label]['median']:.4f} s, first call "
            f"{result[label]['first']:.0f} s, "
            f"{result[label]['peak'] / 2**30:.1f} GiB",
            flush=True,
        )
    exact = outputs.pop("HF PyTorch, float32", None)
    if exact is not None:
        # At attended tokens, root mean squares.
        real = case["seq"] - case["seq"] // 32
        expected = np.load(exact)[:, :real]
        result["gap to float32"] = {
            label: float(
                np.linalg.norm(np.load(file)[:, :real] - expected)
                / np.linalg.norm(expected)
            )
            for label, file in outputs.items()
        }
        print(name, "gap to float32:", result["gap to float32"], flush=True)
    return result


def machine() -> dict:
    """Versions of what was measured, and the GPU."""
    names = ("jax", "keras", "torch", "transformers")
    return {
        "versions": {name: importlib.metadata.version(name) for name in names},
        "gpu": subprocess.check_output(
            ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"],
            text=True,
        ).strip(),
    }


def main() -> None:
    """Runs what is asked for and merges it into the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=list(COMPARISONS))
    parser.add_argument("--peer", help=argparse.SUPPRESS)
    parser.add_argument("--case", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        return run_peer(arguments.peer, arguments.case)
    with tempfile.TemporaryDirectory() as folder:
        case = {**CASE, "folder": f"{folder}/weights"}
        start(
            "weights.py",
            case["folder"],
            *(str(case[name]) for name in ("layers", "window")),
            str(case["seq"] + 2),
            "TFLongformerForSequenceClassification",
        )
        for name in arguments.only or COMPARISONS:
            result = compare(name, case, Path(folder))
            results.keep("gpu", name, result, machine())


if __name__ == "__main__":
    main()
