"""How much memory a model will take, before it takes it."""

from __future__ import annotations

import dataclasses

from tf_longformer.configuration import LongformerConfig

_MIB = 2**20
# Numbers of a token that are alive at once, in units of the width of the
# hidden states and of the feed-forward part. Counted from the layers and set
# right by measurements (benchmarks/README.md).
_FORWARD = (9.0, 2.0)
_KEPT = (16.0, 6.0)
_KEPT_CHECKPOINTED = (1.0, 0.0)
_BACKWARD = (30.0, 4.0)
# Training holds weights, gradients, and Adam's two moments.
_TRAINING_COPIES = 4
_BYTES = {"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2}


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

    def per_token(factors: tuple[float, float]) -> float:
        return (factors[0] * hidden + factors[1] * inner) * _BYTES[compute]

    tokens = batch * length
    copies = _TRAINING_COPIES if training else 1
    kept = 0.0
    working = per_token(_FORWARD)
    if training:
        kept_of_one = per_token(_KEPT)
        kept = config.num_hidden_layers * kept_of_one
        working = per_token(_BACKWARD)
        if checkpointing:
            kept = config.num_hidden_layers * per_token(_KEPT_CHECKPOINTED)
            working += kept_of_one
    return MemoryEstimate(
        runtime=600 * _MIB,
        weights=copies * stored * count_parameters(config),
        kept=int(tokens * kept),
        working=int(tokens * working),
    )


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
