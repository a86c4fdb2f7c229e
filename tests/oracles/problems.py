"""Inputs of self-attention of all kinds, for hypothesis and by hand."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import strategies as st
from oracles import dense_reference as reference

PROJECTIONS = (
    "query",
    "key",
    "value",
    "query_global",
    "key_global",
    "value_global",
)
MASKS = ("ones", "right", "left", "holes", "an empty row")
GLOBALS = ("none", "one", "two", "17", "half", "all", "uneven")


@dataclasses.dataclass
class Problem:
    """Inputs of self-attention, and weights by the reference's names."""

    x: np.ndarray
    weights: dict[str, np.ndarray]
    heads: int
    radius: int
    attended: np.ndarray
    is_global: np.ndarray

    def expected(self, **changes: Any) -> tuple[np.ndarray, np.ndarray]:
        """Returns the reference's context and map of probabilities."""
        problem = dataclasses.replace(self, **changes)
        return reference.self_attention(
            problem.x,
            problem.weights,
            problem.heads,
            problem.radius,
            problem.attended,
            problem.is_global,
        )

    @property
    def slots(self) -> int:
        return int((self.attended * self.is_global).sum(axis=1).max())


def make_problem(
    seed: int,
    radius: int,
    seq: int,
    masks: str = "ones",
    globals_: str = "none",
    batch: int = 2,
    heads: int = 3,
    head_dim: int = 2,
) -> Problem:
    """Draws numbers for a problem of that kind."""
    rng = np.random.default_rng(seed)
    hidden = heads * head_dim
    weights = {}
    for name in PROJECTIONS:
        weights[f"{name}.weight"] = rng.standard_normal((hidden, hidden))
        weights[f"{name}.bias"] = rng.standard_normal(hidden)
    attended = np.ones((batch, seq), "int32")
    is_global = np.zeros((batch, seq), "int32")
    for row in range(batch):
        padding = int(rng.integers(0, seq))
        if masks == "right":
            attended[row, seq - padding :] = 0
        elif masks == "left":
            attended[row, :padding] = 0
        elif masks == "holes":
            attended[row, rng.random(seq) < 0.3] = 0
        elif masks == "an empty row" and row == 0:
            attended[row] = 0
        count = {
            "none": 0,
            "one": 1,
            "two": 2,
            "17": 17,
            "half": seq // 2,
            "all": seq,
            "uneven": (3, 0, 18)[row % 3],
        }[globals_]
        is_global[row, rng.permutation(seq)[:count]] = 1
    x = rng.standard_normal((batch, seq, hidden))
    return Problem(x, weights, heads, radius, attended, is_global)


@st.composite
def problems(draw: Any, radius: int | None = None) -> Problem:
    """Problems of all kinds; blocks are 32 queries and up."""
    return make_problem(
        seed=draw(st.integers(0, 2**31)),
        radius=radius or draw(st.integers(1, 12) | st.integers(30, 70)),
        seq=draw(st.integers(1, 100) | st.sampled_from([31, 32, 33, 64, 65])),
        masks=draw(st.sampled_from(MASKS)),
        globals_=draw(st.sampled_from(GLOBALS)),
        batch=draw(st.integers(1, 3)),
        heads=draw(st.integers(1, 3)) if radius is None else 3,
        head_dim=draw(st.integers(1, 4)) if radius is None else 2,
    )
