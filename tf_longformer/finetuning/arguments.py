"""The arguments of a run: one field each, of which the command is made."""

from __future__ import annotations

import dataclasses
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import Literal

from tf_longformer.errors import shown
from tf_longformer.json_files import read_json

# Those of `data.examples`, which a command's help must do without.
TASK_NAMES = (
    "text-classification",
    "token-classification",
    "question-answering",
    "multiple-choice",
    "masked-lm",
)


def _option(default: Any, help: str, **limits: Any) -> Any:
    """Makes a field with what the command says about it."""
    return dataclasses.field(
        default=default, metadata={"help": help, "limits": limits}
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Arguments:
    """Arguments of `fine_tune`; the help of each is its metadata.

    Raises:
        TypeError: for a value of another type.
        ValueError: for one out of range.
    """

    task: str = _option("", "What to train the model for.")
    model: str = _option(
        "",
        "Folder, mini, or id of the hub: a Longformer; or, with --max-tokens "
        "or --attention-window, another encoder, such as a BERT.",
    )
    train: Path | None = _option(
        None, "Examples to train with: JSON lines, or .csv."
    )
    eval: Path | None = _option(
        None, "Examples to measure with. Without them the last weights stay."
    )
    output: Path | None = _option(None, "Folder for the best model and all.")
    column: tuple[str, ...] = _option(
        (),
        "Name of a column, as NAME=COLUMN; of several joined by +, as "
        "choices=a+b+c. May be repeated.",
    )
    problem_type: (
        Literal[
            "single_label_classification",
            "multi_label_classification",
            "regression",
        ]
        | None
    ) = _option(None, "Of text classification; what labels look like.")
    max_train_samples: int | None = _option(
        None, "Most examples to train with.", min=1
    )
    max_eval_samples: int | None = _option(
        None, "Most examples to measure with.", min=1
    )
    max_length: int | None = _option(
        None, "Most tokens of a row; the model's limit.", min=3
    )
    doc_stride: int | None = _option(
        None,
        "Tokens that two windows of a longer document share. Answers and "
        "tokens: 128; texts: longer ones are cut off, unless this is given.",
        min=0,
    )
    global_attention: Literal["none", "cls", "question", "choices"] | None = (
        _option(None, "Tokens that attend to all; those of the task.")
    )
    max_tokens: int | None = _option(
        None, "Give the model room for texts of that many tokens.", min=3
    )
    attention_window: int | None = _option(
        None, "Tokens that each sees, both sides together.", min=2
    )
    from_scratch: bool = _option(
        False, "Draw new weights: only config and tokenizer are read."
    )
    batch_size: int = _option(8, "Rows of a batch, of all replicas.", min=1)
    eval_batch_size: int | None = _option(
        None, "The same to measure with; as to train with.", min=1
    )
    accumulate: int = _option(
        1, "Batches whose gradients make one step.", min=1
    )
    epochs: float = _option(3.0, "Passes over the examples.", min=0)
    steps: int | None = _option(None, "Steps, instead of passes.", min=1)
    eval_steps: int | None = _option(
        None,
        "Steps after which the model is measured and the state is saved; a "
        "pass.",
        min=1,
    )
    learning_rate: float = _option(3e-5, "The highest learning rate.", min=0)
    warmup: float = _option(
        0.1, "Steps in which it rises: a share below 1, or their number.", min=0
    )
    schedule: Literal["linear", "cosine", "constant"] = _option(
        "linear", "How it goes on."
    )
    weight_decay: float = _option(0.01, "Decay of kernels.", min=0)
    clip_norm: float = _option(
        1.0, "Largest norm of all gradients; 0 for no limit.", min=0
    )
    policy: str = _option("float32", "Keras's dtype policy: mixed_bfloat16.")
    xla: bool = _option(False, "Compile with XLA.")
    checkpointing: bool = _option(
        False, "Recompute layers in the backward pass: less memory."
    )
    lora_rank: int | None = _option(
        None, "Train low-rank updates of that rank, and the head.", min=1
    )
    freeze_embeddings: bool = _option(False, "Train no embeddings.")
    mask_probability: float = _option(
        0.15, "Share of hidden tokens, of masked-lm.", min=0, max=1
    )
    max_answer_length: int = _option(30, "Most tokens of an answer.", min=1)
    null_threshold: float | None = _option(
        None,
        "How much better no answer must score than the best; 0 where some "
        "questions have none.",
    )
    metric: str | None = _option(
        None, "What the best model is best at; the task's first one."
    )
    patience: int | None = _option(
        None, "Stop after that many measurements without a better one.", min=1
    )
    seed: int = _option(0, "Of new weights, order, masks, dropout.", min=0)
    deterministic: bool = _option(
        False,
        "Only operations that give the same bits each time, without XLA; from "
        "then on for the whole process.",
    )
    strategy: Literal["mirrored", "multiworker"] | None = _option(
        None,
        "Train on all devices of the machine (mirrored), or in several "
        "processes that TF_CONFIG names (multiworker).",
    )
    tensorboard: bool = _option(False, "Write logs for TensorBoard.")
    resume: bool = _option(
        False, "Go on where a run with the same arguments was ended."
    )
    overwrite: bool = _option(
        False, "Begin anew in an output folder that isn't empty."
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = _check(field, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
        missing = [
            name
            for name in ("task", "model", "train", "output")
            if not getattr(self, name)
        ]
        if missing:
            raise ValueError(
                "A run needs a task, a model, a file to train with and an "
                f"output. Received: no {', '.join(missing)}. Pass them, or a "
                "file that has them as --config."
            )

    @property
    def columns(self) -> dict[str, str]:
        """The names of columns, by the task's names."""
        pairs = {}
        for text in self.column:
            name, equals, column = text.partition("=")
            if not (name and equals and column):
                raise ValueError(
                    "A column must be NAME=COLUMN. Received: "
                    f"{shown(text)}. Write text=body, for example."
                )
            pairs[name] = column
        return pairs

    def to_json(self) -> dict[str, Any]:
        """Returns what a configuration file would hold."""
        values = dataclasses.asdict(self)
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in values.items()
        }


# What may differ when a run is resumed.
RESUMABLE = {"resume", "overwrite", "output", "tensorboard", "eval_batch_size"}


def kind_of(field: dataclasses.Field) -> tuple[Any, bool]:
    """Returns a field's type, and whether it may be `None`."""
    hint = typing.get_type_hints(Arguments)[field.name]
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is (
        typing.Union
    ):
        (kind,) = (x for x in typing.get_args(hint) if x is not type(None))
        return kind, True
    return hint, False


def _check(field: dataclasses.Field, value: Any) -> Any:
    """Returns a value as its field has it, or raises."""
    kind, optional = kind_of(field)
    limits = field.metadata.get("limits", {})
    if value is None and optional:
        return None
    if typing.get_origin(kind) is tuple:
        if isinstance(value, Mapping):
            value = [f"{name}={column}" for name, column in value.items()]
        if not isinstance(value, str) and all(
            isinstance(one, str) for one in value
        ):
            return tuple(value)
        expected = "a list of texts"
    elif typing.get_origin(kind) is Literal:
        if value in typing.get_args(kind):
            return value
        expected = f"one of {', '.join(typing.get_args(kind))}"
    elif kind is Path:
        if isinstance(value, str | Path) and str(value):
            return Path(value)
        expected = "a path"
    elif kind is float:
        if isinstance(value, int | float) and not isinstance(value, bool):
            if limits.get("min", value) <= value <= limits.get("max", value):
                return float(value)
        expected = f"a number{_range(limits)}"
    elif kind is int:
        if type(value) is int and value >= limits.get("min", value):
            return value
        expected = f"an integer{_range(limits)}"
    else:
        if isinstance(value, kind):
            return value
        expected = {str: "a text", bool: "true or false"}[kind]
    raise ValueError(
        f"`{field.name}` must be {expected}. Received: {str(value)[:60]!r}."
    )


def _range(limits: Mapping[str, Any]) -> str:
    words = {"min": "of at least", "max": "and at most"}
    return "".join(f" {words[key]} {limits[key]}" for key in limits)


def read_arguments(path: Path) -> dict[str, Any]:
    """Reads arguments from a file.

    Args:
        path: a JSON object, or TOML (Python 3.11 and later), with the names
            of the fields; `-` may stand for `_`.

    Raises:
        OSError: if the file can't be read.
        ValueError: if it is neither, or names what is no argument.
    """
    if path.suffix.lower() == ".toml":
        if sys.version_info < (3, 11):
            raise ValueError(
                "TOML is read by Python 3.11 and later. Received: "
                f"{path}. Write JSON."
            )
        import tomllib

        try:
            values = tomllib.loads(path.read_text("utf-8-sig"))
        except ValueError as error:
            raise ValueError(
                f"A configuration must be TOML. Received: {path}, where: "
                f"{error}."
            ) from None
    else:
        values = read_json(path, "A configuration (JSON, or .toml)")
    values = {name.replace("-", "_"): value for name, value in values.items()}
    known = {field.name for field in dataclasses.fields(Arguments)}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ValueError(
            f"A configuration must hold arguments. Received: {path} with "
            f"{', '.join(unknown)[:200]}. They are {', '.join(sorted(known))}."
        )
    return values
