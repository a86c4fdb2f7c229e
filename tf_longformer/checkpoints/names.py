"""One table of what our weights are called in the files of others.

A row names a part of the model, here and in PyTorch, and what kind of part it
is, which tells the weights in it. `{n}` stands for the number of a layer. The
table is read in both directions.
"""

from __future__ import annotations

import re
from typing import NamedTuple

# Ours, PyTorch's, and whether the matrix is transposed in between.
DENSE = (("kernel", "weight", True), ("bias", "bias", False))
NORM = (("gamma", "weight", False), ("beta", "bias", False))
EMBEDDING = (("embeddings", "weight", False),)

BODY = "longformer/"

_LAYER = "longformer/encoder/layer_{n}/"
_TORCH_LAYER = "longformer.encoder.layer.{n}."

MODULES: tuple[tuple[str, str, tuple], ...] = (
    *(
        (
            f"longformer/embeddings/{table}_embeddings",
            f"longformer.embeddings.{table}_embeddings",
            EMBEDDING,
        )
        for table in ("word", "position", "token_type")
    ),
    ("longformer/embeddings/norm", "longformer.embeddings.LayerNorm", NORM),
    *(
        (
            f"{_LAYER}attention/{name}",
            f"{_TORCH_LAYER}attention.self.{name}",
            DENSE,
        )
        for name in (
            "query",
            "key",
            "value",
            "query_global",
            "key_global",
            "value_global",
        )
    ),
    (
        f"{_LAYER}attention_output",
        f"{_TORCH_LAYER}attention.output.dense",
        DENSE,
    ),
    (
        f"{_LAYER}attention_norm",
        f"{_TORCH_LAYER}attention.output.LayerNorm",
        NORM,
    ),
    (f"{_LAYER}intermediate", f"{_TORCH_LAYER}intermediate.dense", DENSE),
    (f"{_LAYER}output", f"{_TORCH_LAYER}output.dense", DENSE),
    (f"{_LAYER}output_norm", f"{_TORCH_LAYER}output.LayerNorm", NORM),
    ("longformer/pooler/dense", "longformer.pooler.dense", DENSE),
    ("lm_head/dense", "lm_head.dense", DENSE),
    ("lm_head/norm", "lm_head.layer_norm", NORM),
    ("lm_head", "lm_head", (("bias", "bias", False),)),
    ("lm_head", "lm_head.decoder", (("decoder", "weight", False),)),
    ("qa_outputs", "qa_outputs", DENSE),
    ("classifier/dense", "classifier.dense", DENSE),
    ("classifier/out_proj", "classifier.out_proj", DENSE),
    ("classifier", "classifier", DENSE),
)

# Parts that a file may lack, or have beyond the model: a new head is new.
HEADS = ("lm_head", "qa_outputs", "classifier", "longformer.pooler")

# Names that say the same as another: PyTorch ties the two.
ALIASES = {"lm_head.decoder.bias": "lm_head.bias"}

# Buffers of old files that hold no weight.
IGNORED = ("longformer.embeddings.position_ids",)


class TorchName(NamedTuple):
    """A weight's name in a PyTorch file, and whether it is transposed."""

    name: str
    transposed: bool


def _build_patterns() -> list[tuple[re.Pattern, str, bool]]:
    patterns = []
    for ours, torch, weights in MODULES:
        for our_weight, torch_weight, transposed in weights:
            pattern = re.escape(f"{ours}/{our_weight}")
            pattern = pattern.replace(r"\{n\}", r"(?P<n>\d+)")
            patterns.append(
                (
                    re.compile(pattern),
                    f"{torch}.{torch_weight}",
                    transposed,
                )
            )
    return patterns


_PATTERNS = _build_patterns()


def to_torch(path: str) -> TorchName:
    """Returns what PyTorch calls a weight, with the body's prefix.

    Args:
        path: our path within the model, such as
            `longformer/encoder/layer_0/attention/query/kernel`.

    Returns:
        `TorchName`.

    Raises:
        KeyError: if the table does not have the path.
    """
    for pattern, name, transposed in _PATTERNS:
        match = pattern.fullmatch(path)
        if match:
            return TorchName(name.format(**match.groupdict()), transposed)
    raise KeyError(path)


def head_of(name: str) -> str | None:
    """Returns the head that a PyTorch name (with prefix) is part of."""
    for head in HEADS:
        if name == head or name.startswith(f"{head}."):
            return head
    return None


def with_prefix(name: str) -> str:
    """Returns a file's name with the body's prefix.

    Files of the bare model leave it out, those of the heads have it.
    """
    top = name.split(".", 1)[0]
    return f"longformer.{name}" if top in _BARE else name


_BARE = ("embeddings", "encoder", "pooler")
