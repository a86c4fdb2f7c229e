"""How much memory a model will take, before it takes it."""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from pathlib import Path

from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import shown

# What Keras, TensorFlow and their thread pools take, before any weight.
_RUNTIME = 680 * 2**20
# How many numbers a token has in memory at once: so many times the hidden size
# and so many times the intermediate size. Fitted to measurements on the CPU
# (benchmarks/README.md).
_FORWARD = (6.0, 1.0)
_KEPT = (12.5, 1.0)
_KEPT_CHECKPOINTED = (2.0, 0.0)
_BACKWARD = (20.0, 3.0)
# Weights, gradients and Adam's two moments.
_TRAINING_COPIES = 4
# The dense gradient of the word embeddings takes so many times their size, and
# where Keras itself updates the weights, this share of all copies comes on top.
_TABLES = 1.5
_UPDATE = 0.42
_BYTES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}
# Bytes of a number under mixed policies, on average: attention's gradients and
# the norms are float32 under every policy, the rest has 2 bytes.
_MIXED_TRAINING_BYTES = 2.6


@dataclasses.dataclass(frozen=True)
class MemoryEstimate:
    """Bytes by what they are for.

    Attributes:
        runtime: the interpreter with Keras and TensorFlow.
        weights: the weights; in training also gradients and Adam's moments.
        kept: what training keeps of the forward pass for the backward pass.
        working: what is alive in the widest place of a pass.
    """

    runtime: int
    weights: int
    kept: int
    working: int

    @property
    def total(self) -> int:
        """All of it: the peak of the process."""
        return self.runtime + self.weights + self.kept + self.working


def estimate_memory(
    config: LongformerConfig,
    batch: int = 1,
    length: int = 4096,
    training: bool = False,
    policy: str = "float32",
    checkpointing: bool = False,
) -> MemoryEstimate:
    """Estimates a process's peak memory on the CPU.

    Args:
        config: `LongformerConfig`.
        batch: int, rows. Defaults to `1`.
        length: int, tokens of a row. Defaults to `4096`.
        training: bool, whether `fit` is meant, with Adam or AdamW, or one
            forward pass. Defaults to `False`.
        policy: str, Keras's dtype policy: `"float32"`, `"mixed_bfloat16"`
            and the like. Defaults to `"float32"`.
        checkpointing: bool, whether training recomputes the layers.
            Defaults to `False`.

    Returns:
        `MemoryEstimate`, within a fifth of what was measured.

    Raises:
        ValueError: if the policy is not known, or a size is below 1.
    """
    for name, value in (("batch", batch), ("length", length)):
        if value < 1:
            raise ValueError(
                f"`{name}` must be at least 1. Received: {name}={value}. "
                "Pass the size of one batch."
            )
    compute = policy.removeprefix("mixed_")
    if compute not in _BYTES:
        raise ValueError(
            "`policy` must name a dtype policy of Keras. Received: "
            f"policy={shown(policy)}. Use one of "
            f"{sorted(_BYTES)}, or mixed_float16 or mixed_bfloat16."
        )
    stored = 4 if policy.startswith("mixed_") else _BYTES[compute]
    hidden, inner = config.hidden_size, config.intermediate_size

    size = float(_BYTES[compute])
    if training and policy.startswith("mixed_"):
        size = _MIXED_TRAINING_BYTES
    tokens = batch * length

    def activations(factors: tuple[float, float]) -> int:
        return int((factors[0] * hidden + factors[1] * inner) * size * tokens)

    weights = stored * count_parameters(config)
    table = stored * config.vocab_size * hidden
    if not training:
        # Creating the word embeddings takes another 1.5 times their size.
        return MemoryEstimate(
            _RUNTIME, weights, 0, int(1.5 * table) + activations(_FORWARD)
        )
    layers = config.num_hidden_layers
    working = activations(_BACKWARD)
    if checkpointing:
        kept = layers * activations(_KEPT_CHECKPOINTED)
        working += activations(_KEPT)
    else:
        kept = layers * activations(_KEPT)
    weights *= _TRAINING_COPIES
    # As in `tf_longformer.training.compiled_adam`.
    is_compiled = sys.platform == "linux" and (
        policy == "float32" or policy.startswith("mixed_")
    )
    if not is_compiled:
        # What was kept is free again when the weights are updated.
        working = max(working, int(_UPDATE * weights) - kept)
    working += int(_TABLES * table)
    return MemoryEstimate(_RUNTIME, weights, kept, working)


def count_parameters(config: LongformerConfig) -> int:
    """Returns how many weights a model without a head has.

    Args:
        config: `LongformerConfig`.
    """
    hidden, inner = config.hidden_size, config.intermediate_size
    rows = (
        config.vocab_size
        + config.max_position_embeddings
        + config.type_vocab_size
    )
    # Seven square projections (query, key and value, local and global, and
    # the output), two feed-forward products, scales and offsets of two norms.
    layer = (
        7 * (hidden + 1) * hidden
        + (hidden + 1) * inner
        + (inner + 1) * hidden
        + 4 * hidden
    )
    return (rows + 2) * hidden + config.num_hidden_layers * layer


def require_memory(config: LongformerConfig, dtype: str) -> None:
    """Raises if a model's weights alone are larger than the machine's memory.

    Args:
        config: `LongformerConfig`.
        dtype: str, the type of the weights.

    Raises:
        ValueError: with what they would take.
    """
    weights = _BYTES.get(dtype, 4) * count_parameters(config)
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows; unknown names
        return
    if weights > memory:
        sizes = ", ".join(
            f"{name}={getattr(config, name)}"
            for name in (
                "vocab_size",
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "max_position_embeddings",
                "type_vocab_size",
            )
        )
        raise ValueError(
            "A model must fit into the machine's memory. Received: a "
            f"configuration whose weights take {weights / 2**30:,.0f} GiB, on "
            f"a machine of {memory / 2**30:,.0f} GiB. Check {sizes}."
        )


def peak_bytes() -> int | None:
    """Returns the largest resident size that this process has had.

    Returns:
        int, in bytes; `None` where the system doesn't say.
    """
    try:
        # On Linux `getrusage` also counts the peak of the parent before this
        # process was started; `VmHWM` doesn't.
        status = Path("/proc/self/status").read_text("utf-8")
        return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])
    except (OSError, IndexError):
        pass
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
