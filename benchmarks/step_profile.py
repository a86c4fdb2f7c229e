"""Where the time of a training step goes, operation by operation.

Usage: python benchmarks/step_profile.py [--layers 2] [--tokens 4096]
           [--policy float32] [--keras-updates] [--table]

Times one step of `fit` of base width, window 512, with AdamW and dropout, by
TensorFlow's own profiler, after two steps that trace and warm up. Each
operation counts where it stands in the model and by what it does. Operations
that only call others are left out, and a thread that waits costs nothing here,
so that the sum is what all threads worked. With `--keras-updates` AdamW is
Keras's own, operation by operation. Results are kept in results/, and `--table`
prints what is kept there.
"""

from __future__ import annotations

import argparse
import os
import re
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import results

KIND = "profile of a step"
PRODUCTS = (
    *("MatMul", "_FusedMatMul", "FusedMatMul"),
    *("BatchMatMulV2", "_FusedBatchMatMulV2", "FusedBatchMatMulV2"),
)
# What moves numbers, and makes none.
COPIES = (
    "AddN",
    "BroadcastTo",
    "Cast",
    "ConcatV2",
    "Fill",
    "GatherV2",
    "InvertPermutation",
    "Pack",
    "Pad",
    "PadV2",
    "Reshape",
    "Slice",
    "Split",
    "StridedSlice",
    "StridedSliceGrad",
    "TensorListStack",
    "TensorListFromTensor",
    "TensorListGetItem",
    "TensorListSetItem",
    "Tile",
    "Transpose",
    "Unpack",
    "ZerosLike",
)
CALLS = (
    "Case",
    "If",
    "PartitionedCall",
    "StatefulPartitionedCall",
    "StatelessIf",
    "StatelessWhile",
    "While",
)
# Its name in the graph and its kind. oneDNN's are called after those that they
# replace; `A::B` are the runtime's own doings.
OPERATION = re.compile(r"([^:]*):(?:_Mkl(?:Native)?)?([A-Za-z_][^\s:]*)")
OPTIMIZER = "adam_w/"
# The compiled update of a weight.
COMPILED = "CpuExecutable::ExecuteAsyncOnStream"
GROUPS = (
    "dense products",
    "attention: products",
    "attention: softmax",
    "attention: element by element",
    "attention: copies",
    "outside: element by element",
    "outside: copies",
    "gradient of the tables",
    "AdamW",
)


def group_of(path: str, operation: str) -> str:
    """Returns where an operation counts.

    Args:
        path: its name in the graph.
        operation: its kind.
    """
    if path.startswith(OPTIMIZER):
        return "AdamW"
    if operation in ("UnsortedSegmentSum", "ResourceScatterAdd"):
        return "gradient of the tables"
    # The blocks of attention are made one after another.
    inside = "/while/" in path or "/map/" in path
    if operation in PRODUCTS:
        return "attention: products" if inside else "dense products"
    if "Softmax" in operation:
        return "attention: softmax"
    what = "copies" if operation in COPIES else "element by element"
    return f"{'attention' if inside else 'outside'}: {what}"


def make_step(layers: int, tokens: int, policy: str) -> Any:
    """Returns a function that makes a step of training."""
    import keras
    import numpy as np
    import worker

    from tf_longformer import LongformerConfig
    from tf_longformer import TFLongformerForSequenceClassification

    config = LongformerConfig(
        vocab_size=worker.VOCAB,
        num_hidden_layers=layers,
        attention_window=512,
        max_position_embeddings=tokens + 2,
        type_vocab_size=1,
    )
    model = TFLongformerForSequenceClassification(config, dtype=policy)
    model.compile(keras.optimizers.AdamW(3e-5))
    x = worker.inputs({"batch": 1, "seq": tokens})
    y = np.zeros(1, "int32")
    return lambda: model.train_on_batch(x, y)


def read_profile(folder: Path) -> tuple[Counter, Counter]:
    """Returns seconds and numbers of operations, by group and kind."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace()
    (file,) = folder.rglob("*.xplane.pb")
    space.ParseFromString(file.read_bytes())
    seconds, numbers = Counter(), Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if name == COMPILED:
                    name = f"{OPTIMIZER}:compiled"
                found = OPERATION.fullmatch(name)
                if found is None or found[2] in CALLS:
                    continue
                path, operation = found.groups()
                key = group_of(path, operation), operation
                seconds[key] += event.duration_ps / 1e12
                numbers[key] += 1
    return seconds, numbers


def measure(layers: int, tokens: int, policy: str) -> dict[str, Any]:
    """Returns the seconds of a step, and those of its operations."""
    import tensorflow as tf

    step = make_step(layers, tokens, policy)
    step()
    step()
    start = time.perf_counter()
    step()
    alone = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        start = time.perf_counter()
        step()
        profiled = time.perf_counter() - start
        tf.profiler.experimental.stop()
        seconds, numbers = read_profile(Path(folder))
    return {
        "step": alone,
        "step while profiled": profiled,
        "operations": [
            {
                "group": group,
                "operation": operation,
                "seconds": value,
                "number": numbers[group, operation],
            }
            for (group, operation), value in seconds.most_common()
        ],
    }


def table() -> str:
    """Returns what is kept, of all machines, as Markdown."""
    kept = {
        f"{machine}: {name}": found
        for machine, of_machine in results.machines().items()
        for name, found in of_machine.get(KIND, {}).items()
    }
    lines = []
    for name, found in kept.items():
        total = sum(one["seconds"] for one in found["operations"])
        lines += [
            f"{name}; a step {found['step']:.2f} s, while profiled "
            f"{found['step while profiled']:.2f} s:",
            "",
            "| operations | seconds | share | number | most of it |",
            "|---|---|---|---|---|",
        ]
        for group in GROUPS:
            of_group = [x for x in found["operations"] if x["group"] == group]
            own = sum(one["seconds"] for one in of_group)
            number = sum(one["number"] for one in of_group)
            most = ", ".join(
                f"{one['operation']} {one['seconds']:.2f}"
                for one in of_group[:4]
            )
            lines.append(
                f"| {group} | {own:.2f} | {own / total:.0%} | {number:,} "
                f"| {most} |"
            )
        lines += [f"| all | {total:.2f} | | | |", ""]
    return "\n".join(lines).rstrip()


def main() -> None:
    """Measures, keeps and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--policy", default="float32")
    parser.add_argument("--keras-updates", action="store_true")
    parser.add_argument("--table", action="store_true")
    arguments = parser.parse_args()
    if not arguments.table:
        layers, tokens = arguments.layers, arguments.tokens
        name = f"{layers} layers, {tokens:,} tokens, {arguments.policy}"
        if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "1":
            name += ", oneDNN"
        if arguments.keras_updates:
            from tf_longformer.training import compiled_adam

            compiled_adam._CLASSES = ()
            name += ", updates of Keras"
        found = measure(layers, tokens, arguments.policy)
        results.keep(KIND, name, found)
    print(table())


if __name__ == "__main__":
    main()
