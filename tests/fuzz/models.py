"""Models of all heads against the dense reference, and HF's where there is one.

Outputs, losses and gradients, of every way to call a model.
"""

from __future__ import annotations

import gc
import json
import os
import random
import subprocess
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from fuzz.layers import TOLERANCE
from fuzz.layers import compare
from fuzz.layers import slope
from fuzz.target import Target
from helpers.tiny import HEADS
from oracles import dense_heads
from oracles import dense_reference as reference

import tf_longformer
from tf_longformer import LongformerConfig
from tf_longformer.checkpoints import names
from tf_longformer.heads import HEADS as RECORDS

TESTS = Path(__file__).parents[1]
SEP = 2
WINDOWS = (2, 4, 6, 8, 10, 16, 24, 64, 66, 128, 2**20, 2**31, 2**40)
MASKS = ("absent", "ones", "right", "left", "holes", "an empty row")
GLOBALS = ("default", "none", "one", "uneven", "many", "all")
ACTIVATIONS = ("gelu", "gelu", "relu", "gelu_new", "silu")
PROBLEMS = (
    (1, None),
    (3, None),
    (5, "single_label_classification"),
    (3, "multi_label_classification"),
    (2, "regression"),
)
POSITIONS = "position_embeddings/embeddings"
PAIRS = ("ForQuestionAnswering", "ForMultipleChoice")
MOST_TOKENS = 140
# Of the slope of a loss.
SLACK = 1e-5


class Fuzzed(Target):
    group = 40
    seconds = 600.0
    simplest = {
        "mode": ("eager",),
        "policy": ("float64", "float32"),
        "gradients": (False,),
        "labelled": (False,),
        "attentions": (False,),
        "embeds": (False,),
        "types": (False,),
        "positions": (False,),
        "head_mask": (False,),
        "batch": (1,),
        "masks": ("absent",),
        "globals_": ("none",),
        "mask_type": ("int32",),
        "seq": (1, 2, 4, 8, 16, 32),
        "seed": (0,),
    }

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        self.key: Any = None
        self.oracle: subprocess.Popen | None = None
        interpreter = os.environ.get("TF_LONGFORMER_ORACLE_4")
        if interpreter:
            self.oracle = subprocess.Popen(
                [interpreter, str(TESTS / "oracles/hf_answers.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": "", "OMP_NUM_THREADS": "1"},
                text=True,
            )

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        head = shared.choice(HEADS)
        mode = shared.choices(("eager", "graph", "xla"), (3, 2, 1))[0]
        policy = shared.choices(tuple(TOLERANCE), (3, 4, 1.5, 0.5, 1.5))[0]
        case: dict[str, Any] = {
            "head": head,
            "config": self._draw_config(head, shared),
            "mode": mode,
            "policy": policy,
            "gradients": policy == "float64" and shared.random() < 0.4,
            "labelled": head != "Model" and shared.random() < 0.6,
            "attentions": False,
            "embeds": shared.random() < 0.15,
            "types": shared.random() < 0.3,
            "positions": shared.random() < 0.2,
            "head_mask": shared.random() < 0.15,
            "mask_type": shared.choice(("int32", "int64", "bool", "uint8")),
        }
        case["gradients"] &= case["labelled"]
        # They have a place for each key that a window may hold.
        windows = case["config"]["attention_window"]
        narrow = isinstance(windows, list) or windows < 2**16
        case["attentions"] = narrow and shared.random() < 0.3
        # A graph has the arguments that it has, and XLA their shapes too.
        sizes = rng if mode == "eager" else shared
        case["masks"] = sizes.choice(MASKS)
        case["globals_"] = sizes.choice(GLOBALS)
        if mode == "graph":
            case["masks"] = case["masks"] == "absent" or rng.choice(MASKS[1:])
            if case["masks"] is True:
                case["masks"] = "absent"
            if case["globals_"] != "default":
                case["globals_"] = rng.choice(GLOBALS[1:])
        sizes = shared if mode == "xla" else rng
        case["batch"] = sizes.choices((0, 1, 2, 3), (1, 4, 4, 2))[0]
        case["choices"] = shared.randint(1, 3)
        case["seq"] = sizes.choice(
            (sizes.randint(1, 20), sizes.randint(1, MOST_TOKENS), 32, 33, 64)
        )
        return {**case, "seed": rng.randrange(2**31)}

    def _draw_config(self, head: str, rng: random.Random) -> dict[str, Any]:
        layers = rng.choice((1, 1, 2, 3))
        window = rng.choice(WINDOWS)
        heads = rng.randint(1, 4)
        labels, problem = rng.choice(PROBLEMS)
        fields: dict[str, Any] = {
            "attention_window": window
            if rng.random() < 0.5
            else [rng.choice(WINDOWS[:9]) for _ in range(layers)],
            "num_hidden_layers": layers,
            "num_attention_heads": heads,
            "hidden_size": heads * rng.randint(1, 5),
            "intermediate_size": rng.choice((1, 7, 13)),
            "hidden_act": rng.choice(ACTIVATIONS),
            "vocab_size": rng.choice((11, 61)),
            "type_vocab_size": rng.randint(1, 3),
            "pad_token_id": rng.choice((0, 1)),
            "sep_token_id": SEP,
            "layer_norm_eps": rng.choice((1e-5, 1e-12)),
            "max_position_embeddings": MOST_TOKENS + 2,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "tie_word_embeddings": rng.random() < 0.7,
        }
        # Few numbers that are nearly equal become anything when normalised.
        while fields["hidden_size"] < 6:
            fields["hidden_size"] += heads
        if head == "ForSequenceClassification":
            fields |= {"num_labels": labels, "problem_type": problem}
        if head == "ForTokenClassification":
            fields["num_labels"] = labels
        return fields

    def run(self, case: dict[str, Any]) -> str:
        self._make(case)
        rng = np.random.default_rng(case["seed"])
        weights = self._draw_weights(rng, case)
        inputs = self._draw_inputs(rng, case)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = self.call({n: tf.constant(v) for n, v in inputs.items()})
        config = {**self.config.to_dict(), **case["config"]}
        expected = dense_heads.forward(case["head"], weights, config, inputs)
        outcome = f"{case['mode']} {case['policy']}"
        if case["gradients"]:
            found, gradients = found
            if case["batch"]:
                self._check_gradients(
                    rng, case, config, weights, inputs, gradients
                )
            outcome = f"{case['mode']} gradients"
        self._compare(case, config, inputs, found, expected)
        if self.oracle and self._asks_oracle(case, inputs):
            self._ask_oracle(case, weights, inputs, expected)
            outcome += " and HF"
        return outcome

    def _make(self, case: dict[str, Any]) -> None:
        """Makes the group's model and how it is called."""
        each = {"seed", "batch", "seq", "masks", "globals_"}
        if case["mode"] == "xla":
            each = {"seed"}
        key = {name: v for name, v in case.items() if name not in each}
        if case["mode"] == "graph":
            key["masks"] = case["masks"] == "absent"
            key["globals_"] = case["globals_"] == "default"
        if key == self.key:
            return
        self.key = None
        keras.backend.clear_session()
        gc.collect()
        slots = case["seq"] if case["mode"] == "xla" else None
        self.config = LongformerConfig(**case["config"], attention_slots=slots)
        make = getattr(tf_longformer, f"TFLongformer{case['head']}")
        model = make(self.config, dtype=case["policy"])
        self.model = model
        record = RECORDS[f"Longformer{case['head']}"]
        self.weights = names.weights(self.config, record)
        self.variables = {
            variable.path.partition("/")[2]: variable
            for variable in model.variables
        }

        def call(inputs: dict[str, Any]) -> Any:
            outputs = model(
                **inputs,
                output_hidden_states=True,
                output_attentions=case["attentions"],
            )
            return dict(outputs.items())

        def call_with_gradients(inputs: dict[str, Any]) -> Any:
            with tf.GradientTape() as tape:
                outputs = call(inputs)
            values = {p: v.value for p, v in self.variables.items()}
            gradients = tape.gradient(
                outputs["loss"], values, unconnected_gradients="zero"
            )
            dense = tf.nest.map_structure(tf.convert_to_tensor, gradients)
            return outputs, dense

        made: Any = call_with_gradients if case["gradients"] else call
        if case["mode"] == "xla":
            made = tf.function(made, jit_compile=True)
        elif case["mode"] == "graph":
            made = self._in_graph(made, case)
        self.call, self.key = made, key

    def _in_graph(self, call: Any, case: dict[str, Any]) -> Any:
        """Returns the function traced once, of unknown shapes."""
        inputs = self._draw_inputs(np.random.default_rng(0), case)
        specs = {}
        for name, value in inputs.items():
            known = {"inputs_embeds": 1, "head_mask": 2}.get(name, 0)
            if name == "labels" and value.dtype.kind == "f":
                known = value.ndim - 1
            loose = value.ndim - known
            shape = [None] * loose + list(value.shape[loose:])
            specs[name] = tf.TensorSpec(shape, value.dtype)
        return tf.function(call, input_signature=[specs])

    def _draw_weights(
        self, rng: np.random.Generator, case: dict[str, Any]
    ) -> dict[str, np.ndarray]:
        """Gives the model weights, and returns them by HF's names."""
        compute = keras.DTypePolicy(case["policy"]).compute_dtype
        number = tf.as_dtype(compute).as_numpy_dtype
        found = {}
        for path, weight in self.weights.items():
            array = 0.4 * rng.standard_normal(weight.shape)
            if path.endswith("gamma"):
                array += 1
            # As it is rounded, where numbers are narrower.
            array = array.astype(number).astype("float64")
            self.variables[path].assign(array)
            for name in weight.torch[: None if "decoder" in path else 1]:
                found[name] = array.T if weight.transposed else array
        return found

    def _draw_inputs(
        self, rng: np.random.Generator, case: dict[str, Any]
    ) -> dict[str, np.ndarray]:
        config, head, seq = case["config"], case["head"], case["seq"]
        is_choice = head == "ForMultipleChoice"
        shape: tuple = (case["batch"], seq)
        if is_choice:
            shape = (case["batch"], case["choices"], seq)
        mask = np.ones(shape, int)
        for index in np.ndindex(shape[:-1]):
            padding = int(rng.integers(0, seq))
            if case["masks"] == "right":
                mask[index][seq - padding :] = 0
            elif case["masks"] == "left":
                mask[index][:padding] = 0
            elif case["masks"] == "holes":
                mask[index] = rng.random(seq) < 0.7
            elif case["masks"] == "an empty row" and not any(index):
                mask[index] = 0
        ids = rng.integers(SEP + 1, config["vocab_size"], shape)
        ids[mask == 0] = config["pad_token_id"]
        far = np.zeros(shape, int)
        for number, index in enumerate(np.ndindex(shape[:-1])):
            if seq >= 6:
                # A pair of texts.
                places = rng.permutation(np.arange(1, seq))[:3]
                ids[index][places] = SEP
            count = {
                "one": 1,
                "uneven": (3, 0, 18)[number % 3],
                "many": seq // 2,
                "all": seq,
            }.get(case["globals_"], 0)
            far[index][rng.permutation(seq)[:count]] = 1
        inputs: dict[str, np.ndarray] = {"input_ids": ids.astype("int32")}
        if case["masks"] != "absent":
            inputs["attention_mask"] = mask.astype(case["mask_type"])
        # Rows that are too short for a pair have no globals of their own.
        own = case["globals_"] == "default"
        pairs = head in PAIRS
        if not own or (pairs and (seq < 6 or case["embeds"])):
            if not (own and case["mode"] != "eager"):
                inputs["global_attention_mask"] = far.astype(case["mask_type"])
        if case["embeds"]:
            compute = keras.DTypePolicy(case["policy"]).compute_dtype
            number = tf.as_dtype(compute).as_numpy_dtype
            size = (*shape, config["hidden_size"])
            del inputs["input_ids"]
            inputs["inputs_embeds"] = rng.standard_normal(size).astype(number)
        if case["types"]:
            types = rng.integers(0, config["type_vocab_size"], shape)
            inputs["token_type_ids"] = types.astype("int32")
        if case["positions"]:
            places = rng.integers(0, MOST_TOKENS, shape)
            inputs["position_ids"] = places.astype("int32")
        if case["head_mask"]:
            size = (config["num_hidden_layers"], config["num_attention_heads"])
            factors = rng.choice([0.0, 0.5, 1.0, 2.0], size)
            inputs["head_mask"] = factors.astype("float32")
        if case["labelled"]:
            inputs |= self._draw_labels(rng, case, shape)
        return inputs

    def _draw_labels(
        self, rng: np.random.Generator, case: dict[str, Any], shape: tuple
    ) -> dict[str, np.ndarray]:
        config, head, batch = case["config"], case["head"], case["batch"]
        labels = config.get("num_labels", 2)
        if head == "ForQuestionAnswering":
            return {
                name: rng.integers(-1, shape[-1] + 2, batch).astype("int32")
                for name in ("start_positions", "end_positions")
            }
        if head == "ForMultipleChoice":
            drawn = rng.integers(0, shape[1], batch)
        elif head == "ForSequenceClassification":
            kind = config.get("problem_type")
            if kind == "multi_label_classification":
                drawn = rng.integers(0, 2, (batch, labels)).astype("float32")
                return {"labels": drawn}
            if kind == "regression" or labels == 1:
                size = (batch, labels) if labels > 1 else (batch,)
                drawn = rng.standard_normal(size).astype("float32")
                return {"labels": drawn}
            drawn = rng.integers(0, labels, batch)
        else:
            classes = config["vocab_size"] if head == "ForMaskedLM" else labels
            drawn = rng.integers(0, classes, shape)
            drawn[rng.random(shape) < 0.4] = dense_heads.IGNORED
        return {"labels": drawn.astype("int32")}

    def _compare(
        self,
        case: dict[str, Any],
        config: dict[str, Any],
        inputs: dict[str, np.ndarray],
        found: dict[str, Any],
        expected: dict[str, Any],
    ) -> None:
        expected = dict(expected)
        dense = expected.pop("attentions")
        tolerance = TOLERANCE[case["policy"]]
        if config["hidden_act"] == "gelu_new":
            # TensorFlow's own has a constant of float32.
            tolerance = max(tolerance, 1e-8)
        # Rounding adds up over layers.
        tolerance *= 5 * config["num_hidden_layers"]
        if case["attentions"]:
            expected |= self._attentions(case, config, inputs, dense)
        if "global_attentions" not in found:
            # Where there are none.
            for array in expected.pop("global_attentions", ()):
                assert array.size == 0
        names = f"{sorted(found)} and {sorted(expected)}"
        assert found.keys() == expected.keys(), names
        for name, theirs in expected.items():
            ours = found[name]
            if not isinstance(theirs, list):
                ours, theirs = [ours], [theirs]
            for number, pair in enumerate(zip(ours, theirs, strict=True)):
                compare(*map(np.asarray, pair), tolerance, f"{name} {number}")

    def _attentions(
        self,
        case: dict[str, Any],
        config: dict[str, Any],
        inputs: dict[str, np.ndarray],
        dense: list[np.ndarray],
    ) -> dict[str, list]:
        rows, seq = dense[0].shape[0], case["seq"]
        attended = inputs.get("attention_mask", np.ones((rows, seq), int))
        attended = attended.reshape(rows, seq).astype(int)
        far = inputs.get("global_attention_mask")
        ids = inputs.get("input_ids")
        without = far is None and not self._has_own_globals(case, ids)
        if far is None:
            far = dense_heads.default_globals(
                case["head"],
                None if ids is None else ids.reshape(rows, seq),
                (rows, seq),
                attended.argmax(axis=1),
                SEP,
            )
        far = far.reshape(rows, seq).astype(int)
        slots = int((attended * far).sum(axis=1).max(initial=0))
        if case["mode"] == "xla":
            slots = 0 if without else seq
        windows = config["attention_window"]
        if isinstance(windows, int):
            windows = [windows] * len(dense)
        pairs = [
            reference.hf_layout(one, attended, far, window // 2, slots)
            for one, window in zip(dense, windows, strict=True)
        ]
        attentions = {"attentions": [pair[0] for pair in pairs]}
        if not without:
            attentions["global_attentions"] = [pair[1] for pair in pairs]
        return attentions

    def _has_own_globals(self, case: dict[str, Any], ids: Any) -> bool:
        """Whether the head makes some token global that nobody names."""
        if case["head"] in PAIRS:
            return ids is not None
        return case["head"] == "ForSequenceClassification"

    def _check_gradients(
        self,
        rng: np.random.Generator,
        case: dict[str, Any],
        config: dict[str, Any],
        weights: dict[str, np.ndarray],
        inputs: dict[str, np.ndarray],
        gradients: dict[str, Any],
    ) -> None:
        """Compares the slope of the loss along a direction of all weights."""
        if config["hidden_act"] == "relu":
            return  # Finite differences step over its edge.
        ours = 0.0
        directions = {}
        for path, weight in self.weights.items():
            direction = rng.standard_normal(weight.shape)
            if path.endswith(("word_embeddings/embeddings", POSITIONS)):
                # As in PyTorch, the padding's row learns nothing from inputs.
                direction[config["pad_token_id"]] = 0
            gradient = np.asarray(gradients[path])
            assert np.isfinite(gradient).all(), path
            ours += float((gradient * direction).sum())
            for name in weight.torch:
                directions[name] = (
                    direction.T if weight.transposed else direction
                )

        def loss(step: float) -> float:
            moved = {
                name: array + step * directions[name]
                for name, array in weights.items()
            }
            outputs = dense_heads.forward(case["head"], moved, config, inputs)
            return outputs["loss"]

        theirs = slope(loss)
        gap = abs(ours - theirs)
        assert gap <= SLACK * (1 + abs(theirs)), f"slopes {ours} and {theirs}"

    def _asks_oracle(self, case: dict[str, Any], inputs: dict) -> bool:
        """Whether HF can do it and means the same."""
        windows = case["config"]["attention_window"]
        windows = windows if isinstance(windows, list) else [windows]
        return (
            case["policy"] in ("float32", "float64")
            and case["batch"] > 0
            and min(windows) > 2
            and max(windows) <= 128
            and not any(max(windows) % window for window in windows)
            # It reads and trains on padding.
            and case["masks"] in ("absent", "ones", "right")
            and case["globals_"] != "default"
            and not case["labelled"]
            # It pads them beyond its own table of positions.
            and not case["embeds"]
        )

    def _ask_oracle(
        self,
        case: dict[str, Any],
        weights: dict[str, np.ndarray],
        inputs: dict[str, np.ndarray],
        expected: dict[str, Any],
    ) -> None:
        assert self.oracle is not None
        assert self.oracle.stdin is not None
        assert self.oracle.stdout is not None
        folder = self.scratch / "hf"
        folder.mkdir(exist_ok=True)
        np.savez(folder / "weights.npz", **weights)
        np.savez(folder / "inputs.npz", **inputs)
        question = {"head": case["head"], "config": case["config"]}
        question["folder"] = str(folder)
        print(json.dumps(question), file=self.oracle.stdin, flush=True)
        answer = json.loads(self.oracle.stdout.readline())
        assert answer == {}, answer
        with np.load(folder / "outputs.npz") as file:
            for name in file.files:
                theirs = expected[name]
                compare(file[name], theirs, 2e-4, f"HF's {name}")
