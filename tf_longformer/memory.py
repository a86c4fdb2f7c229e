"""How much memory a model will take, before it takes it."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

from tf_longformer.configuration import LongformerConfig

# What Keras, TensorFlow and their thread pools take, before any weight.
_RUNTIME = 680 * 2**20
# Numbers of a token that are alive at once, in units of the width of the
# hidden states and of the feed-forward part: set right by measurements on the
# CPU (benchmarks/README.md).
_FORWARD = (6.0, 1.0)
_KEPT = (12.5, 1.0)
_KEPT_CHECKPOINTED = (2.0, 0.0)
_BACKWARD = (20.0, 3.0)
# Weights, gradients and Adam's two moments. The update itself, at the end,
# takes a share of them again, and the largest table's gradient is dense.
_TRAINING_COPIES = 4
_UPDATE = 0.42
_TABLES = 2
_BYTES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}
# Attention's gradients and the norms are float32 under every policy.
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
            f"policy={policy!r}. Use one of "
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
        # Creating the largest table takes one and a half of it.
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
    # What was kept is free again when the weights are updated.
    working = max(working, int(_UPDATE * weights) - kept)
    return MemoryEstimate(_RUNTIME, weights, kept, working + _TABLES * table)


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
    # Six projections and the output's, the two products within, and the
    # gains and offsets of two norms.
    layer = (
        7 * (hidden + 1) * hidden
        + (hidden + 1) * inner
        + (inner + 1) * hidden
        + 4 * hidden
    )
    return (rows + 2) * hidden + config.num_hidden_layers * layer


def peak_bytes() -> int | None:
    """Returns the largest resident size that this process has had.

    Returns:
        int, in bytes; `None` where the system doesn't say.
    """
    try:
        # Linux's counter of `getrusage` goes on from the process that has
        # started this one; this one does not.
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
