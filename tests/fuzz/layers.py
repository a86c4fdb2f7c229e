"""Self-attention as a layer, against the dense reference in float64."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from attention.dense_checks import gradients_of
from fuzz.target import Target
from oracles import dense_reference as reference
from oracles.problems import GLOBALS
from oracles.problems import MASKS
from oracles.problems import PROJECTIONS
from oracles.problems import Problem
from oracles.problems import make_problem

from tf_longformer import TFLongformerSelfAttention

# Largest difference relative to the largest number, by policy.
TOLERANCE = {
    "float64": 1e-11,
    "float32": 2e-5,
    "mixed_bfloat16": 1e-1,
    "bfloat16": 1e-1,
    "mixed_float16": 2e-2,
}
POLICIES = tuple(TOLERANCE)
MASK_TYPES = ("int32", "int64", "bool", "uint8", "float32")
# Twice these are windows: about the blocks, and wider than any text.
RADII = (1, 2, 3, 5, 7, 8, 12, 16, 31, 32, 33, 48, 64, 70, 2**16, 2**30)


def slope(score: Callable[[float], float], step: float = 3e-5) -> float:
    """Returns the derivative at 0, up to the step's fourth power."""
    near = score(step) - score(-step)
    far = score(2 * step) - score(-2 * step)
    return (8 * near - far) / (12 * step)


def compare(
    ours: Any, expected: np.ndarray, tolerance: float, name: str
) -> None:
    ours = np.asarray(ours).astype("float64")
    shapes = f"{ours.shape} and {expected.shape}"
    assert ours.shape == expected.shape, f"{name}: shapes {shapes}"
    assert np.isfinite(ours).all(), f"{name} isn't finite"
    gap = np.abs(ours - expected).max(initial=0)
    largest = np.abs(expected).max(initial=1)
    assert gap <= tolerance * largest, f"{name}: {gap} of {largest}"


class Fuzzed(Target):
    group = 60
    seconds = 300.0
    simplest = {
        "mode": ("eager",),
        "policy": ("float64", "float32"),
        "mask_type": ("int32",),
        "head_mask": (False,),
        "attentions": (False,),
        "gradients": (False,),
        "batch": (1,),
        "heads": (1,),
        "head_dim": (1,),
        "masks": ("ones",),
        "globals_": ("none", "one"),
        "radius": (1,),
        "seq": (1, 2, 4, 8, 16, 32),
        "seed": (0,),
    }

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self.key: Any = None

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        mode = shared.choices(("eager", "graph", "xla"), (3, 2, 1))[0]
        policy = shared.choices(POLICIES, (4, 4, 2, 1, 2))[0]
        case: dict[str, Any] = {
            "mode": mode,
            "policy": policy,
            "radius": shared.choice(RADII),
            "heads": shared.randint(1, 3),
            "head_dim": shared.randint(1, 5),
            "attentions": False,
            "head_mask": shared.random() < 0.2,
            "mask_type": shared.choice(MASK_TYPES),
            "gradients": policy == "float64" and shared.random() < 0.3,
        }
        # Attentions have a place for each key that a window may hold.
        case["attentions"] = case["radius"] < 2**16 and shared.random() < 0.3
        # XLA compiles for each shape.
        sizes = shared if mode == "xla" else rng
        case["batch"] = sizes.choices((0, 1, 2, 3), (1, 4, 4, 2))[0]
        case["seq"] = sizes.choice(
            (sizes.randint(1, 24), sizes.randint(1, 130), 31, 32, 33, 64, 65)
        )
        return {
            **case,
            "masks": rng.choice(MASKS),
            "globals_": rng.choice(GLOBALS),
            "seed": rng.randrange(2**31),
        }

    def run(self, case: dict[str, Any]) -> str:
        self._make(case)
        problem = make_problem(
            **{
                name: case[name]
                for name in (
                    *("seed", "radius", "seq", "masks", "globals_"),
                    *("batch", "heads", "head_dim"),
                )
            }
        )
        policy = case["policy"]
        compute = keras.DTypePolicy(policy).compute_dtype
        if "16" in policy:
            # As they come to the layer: their rounding isn't its own.
            number = tf.as_dtype(compute).as_numpy_dtype
            for name, array in problem.weights.items():
                array = array if name.endswith("bias") else array * 0.5
                problem.weights[name] = array.astype(number).astype("float64")
            problem.x = problem.x.astype(number).astype("float64")
        for name in PROJECTIONS:
            projection = getattr(self.layer, name)
            projection.kernel.assign(problem.weights[f"{name}.weight"].T)
            projection.bias.assign(problem.weights[f"{name}.bias"])
        if case["gradients"]:
            self._check_gradients(problem)
            return f"{case['mode']} gradients"
        factors = None
        if case["head_mask"]:
            rng = np.random.default_rng(case["seed"])
            factors = rng.choice([0.0, 0.5, 1.0, 2.0], case["heads"])
        masks = (problem.attended, problem.is_global)
        found = self.call(
            tf.constant(problem.x, compute),
            *(tf.constant(mask.astype(case["mask_type"])) for mask in masks),
            *([] if factors is None else [tf.constant(factors, compute)]),
        )
        expected = [*self._expected(problem, factors, case)]
        if not case["attentions"]:
            found, expected = [found], expected[:1]
        names = ("context", "attentions", "global_attentions")
        for name, ours, theirs in zip(names, found, expected, strict=False):
            compare(ours, theirs, TOLERANCE[policy], name)
        context = np.asarray(found[0]).astype("float64")
        assert not context[problem.attended == 0].any()
        return f"{case['mode']} {policy}"

    def _check_gradients(self, problem: Problem) -> None:
        """Compares the slope along a direction in each of the arguments."""
        rng = np.random.default_rng(0)
        upstream = rng.standard_normal(problem.x.shape)
        gradients = self.call(
            tf.constant(problem.x),
            tf.constant(problem.attended),
            tf.constant(problem.is_global),
            tf.constant(upstream),
        )
        for name, gradient in gradients.items():
            value = problem.x if name == "x" else problem.weights[name]
            direction = rng.standard_normal(value.shape)

            def score(
                step: float,
                name: str = name,
                value: np.ndarray = value,
                direction: np.ndarray = direction,
            ) -> float:
                moved = value + step * direction
                if name == "x":
                    context, _ = problem.expected(x=moved)
                else:
                    weights = {**problem.weights, name: moved}
                    context, _ = problem.expected(weights=weights)
                return float((context * upstream).sum())

            theirs = slope(score)
            gradient = np.asarray(gradient)
            assert np.isfinite(gradient).all()
            if name.endswith(".weight"):
                gradient = gradient.T
            ours = float((gradient * direction).sum())
            gap = abs(ours - theirs)
            most = 1e-6 * (1 + abs(theirs)) + 1e-9 * np.abs(upstream).sum()
            assert gap <= most, f"{name}: slopes {ours} and {theirs}"

    def _expected(self, problem: Problem, factors: Any, case: dict) -> tuple:
        context, dense = reference.self_attention(
            problem.x,
            problem.weights,
            problem.heads,
            problem.radius,
            problem.attended,
            problem.is_global,
            factors,
        )
        if not case["attentions"]:
            return context, None, None
        used = (problem.attended * problem.is_global).sum(axis=1)
        slots = case["seq"] if case["mode"] == "xla" else used.max(initial=0)
        local, far = reference.hf_layout(
            dense,
            problem.attended,
            problem.is_global,
            problem.radius,
            int(slots),
        )
        return context, local, far

    def _make(self, case: dict[str, Any]) -> None:
        """Makes the group's layer and how it is called."""
        names = ("mode", "policy", "radius", "heads", "head_dim")
        names += ("attentions", "head_mask", "mask_type", "gradients")
        if case["mode"] == "xla":
            names += ("batch", "seq")
        key = [case[name] for name in names]
        if key == self.key:
            return
        self.key = None
        keras.backend.clear_session()
        gc.collect()
        layer = TFLongformerSelfAttention(
            num_heads=case["heads"],
            attention_window=2 * case["radius"],
            dropout=0.0,
            attention_slots=case["seq"] if case["mode"] == "xla" else None,
            dtype=case["policy"],
        )
        hidden = case["heads"] * case["head_dim"]
        layer.build((None, None, hidden))
        compute = keras.DTypePolicy(case["policy"]).compute_dtype
        x = tf.TensorSpec([None, None, hidden], compute)
        mask = tf.TensorSpec([None, None], case["mask_type"])
        specs = [x, mask, mask]
        if case["gradients"]:
            mask = tf.TensorSpec([None, None], "int32")
            specs = [x, mask, mask, x]
            call: Any = gradients_of(layer)
        else:
            if case["head_mask"]:
                specs.append(tf.TensorSpec([case["heads"]], compute))

            def call(*inputs: Any) -> Any:
                return layer(*inputs, output_attentions=case["attentions"])

        if case["mode"] == "graph":
            call = tf.function(call, input_signature=specs)
        elif case["mode"] == "xla":
            call = tf.function(call, jit_compile=True)
        self.layer, self.call, self.key = layer, call, key
