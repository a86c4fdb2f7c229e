"""Random models and inputs for the comparison with HF.

Which mask meets which global tokens, head and length is laid out so that all
pairs occur; only numbers are drawn. What HF can't do is left out: windows of
2 and windows that don't divide the largest, default global masks without ids.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
from drawing import ANSWERING
from drawing import BASE
from drawing import CHOICE
from drawing import MASKED_LM
from drawing import SEP
from drawing import SEQUENCE
from drawing import TOKENS
from drawing import draw_config
from drawing import draw_globals
from drawing import draw_ids
from drawing import draw_labels
from drawing import draw_mask
from drawing import plain
from layout import roll

# Heads with the fields of their config.
KINDS: tuple[tuple[str, dict[str, Any]], ...] = (
    (BASE, {}),
    (MASKED_LM, {}),
    (ANSWERING, {}),
    (SEQUENCE, {"num_labels": 1}),
    (SEQUENCE, {"num_labels": 3, "problem_type": "regression"}),
    (SEQUENCE, {"num_labels": 5}),
    (
        SEQUENCE,
        {"num_labels": 3, "problem_type": "multi_label_classification"},
    ),
    (TOKENS, {"num_labels": 7}),
    (CHOICE, {}),
)
UNTIED = (MASKED_LM, {"tie_word_embeddings": False})
MASKS = ("none", "right", "left", "holes")
GLOBALS = ("default", "zero", "one", "uneven", "many", "all")
# Masks and global tokens of the training cases.
TRAINING = (
    ("right", "uneven"),
    ("holes", "many"),
    ("none", "default"),
    ("right", "zero"),
    ("none", "all"),
    ("holes", "one"),
    ("right", "zero"),
    ("holes", "default"),
)
LENGTHS = (37, 1, 64, 23, 70, 16, 5, 33)


@dataclasses.dataclass
class Case:
    """A model and its inputs.

    Attributes:
        name: of the folder.
        head: HF's class name without `Longformer`.
        config: fields of the config.
        inputs: arrays by argument.
        seed: of the weights.
        deviation: standard deviation of the weights.
        train: settings of SGD, or `None`.
        padded_left: whether some row begins with padding.
        attentions: whether they are wanted from HF; at true size they are
            too large.
    """

    name: str
    head: str
    config: dict[str, Any]
    inputs: dict[str, np.ndarray]
    seed: int
    deviation: float
    train: dict[str, Any] | None = None
    padded_left: bool = False
    attentions: bool = True

    @property
    def reads_first_token(self) -> bool:
        """Whether all of the head hangs on the first token."""
        return self.head in (SEQUENCE, CHOICE)

    def hf_inputs(self) -> dict[str, np.ndarray]:
        """What HF gets.

        Its classifiers read position 0, be it padding; ours read the first
        token. Rows padded on the left are therefore turned for those heads.
        """
        if not (self.padded_left and self.reads_first_token):
            return self.inputs
        shift = self.padding()
        return {
            name: roll(value, -shift)
            if name not in ("labels", "head_mask")
            else value
            for name, value in self.inputs.items()
        }

    def padding(self) -> np.ndarray:
        """Padding on the left of each row, `[batch]` or `[batch, choices]`."""
        return np.argmax(self.inputs["attention_mask"], axis=-1)

    def write(self, root: Path) -> None:
        """Writes the case as `hf_worker.py` reads it."""
        folder = root / self.name
        folder.mkdir(parents=True)
        np.savez(folder / "inputs.npz", **self.hf_inputs())
        fields = dataclasses.asdict(self)
        del fields["inputs"]
        text = json.dumps({"task": "run", **fields})
        (folder / "case.json").write_text(text, "utf-8")


def forward_cases() -> list[Case]:
    """Four cases a head, of all kinds of masks and inputs."""
    return [
        draw_case(number, *KINDS[number % len(KINDS)])
        for number in range(4 * len(KINDS))
    ]


def untied_case() -> Case:
    """A masked language model with an output matrix of its own."""
    head, fields = UNTIED
    return draw_case(301, head, fields, seq=21, embeds=False, head_mask=False)


def training_cases() -> list[Case]:
    """A case a head for gradients and steps, without dropout."""
    cases = []
    for number, (head, fields) in enumerate(KINDS[1:]):
        case = draw_case(
            100 + number,
            head,
            {
                **fields,
                "hidden_dropout_prob": 0.0,
                "attention_probs_dropout_prob": 0.0,
                "attention_window": ([4, 8], 6)[number % 2],
                "num_hidden_layers": 2,
            },
            seq=(37, 21)[number % 2],
            masks=TRAINING[number][0],
            globals_=TRAINING[number][1],
            embeds=False,
            head_mask=False,
        )
        case.train = {"learning_rate": 0.02, "momentum": 0.9, "steps": 3}
        cases.append(case)
    return cases


def true_size_case() -> Case:
    """The configuration of longformer-base-4096 on 4,096 tokens."""
    rng = np.random.default_rng(0)
    seq = 4096
    config = {
        "attention_window": [512] * 12,
        "vocab_size": 50265,
        "max_position_embeddings": seq + 2,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    }
    ids = rng.integers(SEP + 1, config["vocab_size"], (1, seq))
    mask = np.ones_like(ids)
    ids[:, -123:], mask[:, -123:] = 1, 0
    far = np.zeros_like(ids)
    # More than one chunk of them, some in padding, one far out.
    far[:, [0, 1, 2, 511, 2048, 3971, 3972, 3973, 4095]] = 1
    far[:, 20:34] = 1
    return Case(
        name="true-size",
        head=BASE,
        config=config,
        inputs={
            "input_ids": ids,
            "attention_mask": mask,
            "global_attention_mask": far,
        },
        seed=0,
        # Scores grow with the width: these deviate by about 1.5.
        deviation=0.045,
        attentions=False,
    )


def draw_case(
    number: int,
    head: str,
    fields: dict[str, Any],
    seq: int | None = None,
    masks: str | None = None,
    globals_: str | None = None,
    embeds: bool | None = None,
    head_mask: bool | None = None,
) -> Case:
    """Draws a case; its number decides what isn't given."""
    rng = np.random.default_rng(1000 + number)
    masks = masks or MASKS[number % 4]
    globals_ = globals_ or GLOBALS[(5 * (number // 4) + number % 4) % 6]
    seq = seq or LENGTHS[(number + number // 8) % len(LENGTHS)]
    if embeds is None:
        embeds = number % 5 == 3
    if embeds and globals_ == "default" and head == SEQUENCE:
        embeds = False
    pairs = head in (ANSWERING, CHOICE)
    if pairs:
        seq = max(seq, 9)
    config = draw_config(number, rng, fields)
    rows = (2, 2 + number % 2) if head == CHOICE else (2 + number % 2,)
    attended = draw_mask(rng, masks, (*rows, seq), pairs)
    ids = draw_ids(rng, config, attended, masks, pairs)
    inputs: dict[str, np.ndarray] = {}
    if embeds:
        shape = (*ids.shape, config["hidden_size"])
        inputs["inputs_embeds"] = rng.standard_normal(shape)
    else:
        inputs["input_ids"] = ids
    if masks != "none":
        inputs["attention_mask"] = attended
    if globals_ != "default":
        inputs["global_attention_mask"] = draw_globals(
            rng, globals_, (*rows, seq)
        )
    # Counted positions of embeddings include the padding on the left.
    if number % 4 == 1 or (embeds and masks == "left"):
        inputs["position_ids"] = rng.integers(
            0, config["max_position_embeddings"], ids.shape
        )
    if config["type_vocab_size"] > 1 and number % 3:
        inputs["token_type_ids"] = rng.integers(0, 2, ids.shape)
    if head_mask is None:
        head_mask = number % 6 == 4
    if head_mask:
        layers = config["num_hidden_layers"]
        factors = rng.choice(
            [0.0, 0.5, 1.0], (layers, config["num_attention_heads"])
        )
        # A head is left, so that rows of zeros still tell the globals.
        factors[:, 0] = 0.5
        inputs["head_mask"] = factors
    inputs.update(draw_labels(rng, head, config, attended))
    windows = "x".join(map(str, np.ravel(config["attention_window"])))
    return Case(
        name=f"{number:03d}-{head}-{masks}-{globals_}-{seq}-{windows}",
        head=head,
        config=config,
        inputs={name: plain(value) for name, value in inputs.items()},
        seed=number,
        deviation=float(rng.uniform(0.25, 0.5)),
        padded_left=masks == "left",
    )
