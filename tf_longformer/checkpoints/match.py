"""Matches the weights of a file with those that a model wants."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from tf_longformer.checkpoints import dialects
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.files.tensor_file import FLOATS
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.names import Shape
from tf_longformer.checkpoints.names import Weight
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import grouped
from tf_longformer.errors import shown
from tf_longformer.families import FAMILIES
from tf_longformer.heads import Head

logger = logging.getLogger("tf_longformer")

# Token types that one row may stand for: encoders have one to four. A
# configuration may count any number, of which a model would be made.
_MOST_TOKEN_TYPES = 64


@dataclasses.dataclass
class Matching:
    """How a file and a model fit.

    Attributes:
        file: the `TensorFile`.
        found: pairs of a `Weight` and the file's name for it, each weight
            once.
        missing: weights that the model wants and the file does not have.
        unexpected: names of the file that the model has no place for.
        mismatched: for each weight of another shape: the weight, the file's
            shape, and the shape that it should have in the file.
        copied: weights for global tokens of a RoBERTa, which has none: those
            for local tokens are read instead.
        unexplained: those of `unexpected` that are of no other head either.
    """

    file: TensorFile
    found: list[tuple[Weight, str]]
    missing: list[Weight]
    unexpected: list[str]
    mismatched: list[tuple[Weight, Shape, Shape]]
    copied: list[Weight]
    unexplained: list[str] = dataclasses.field(default_factory=list)

    @property
    def known_parts(self) -> set[str]:
        """Parts of the model of which the file has at least one weight."""
        known = {weight.part for weight, _ in self.found}
        return known | {weight.part for weight, *_ in self.mismatched}

    @property
    def new_parts(self) -> list[str]:
        """Parts of the model of which the file has no weight: a new head."""
        missing = {weight.part for weight in self.missing}
        return sorted(missing - self.known_parts - {"body"})

    def read(
        self, besides: Collection[str] = ()
    ) -> Iterator[tuple[Weight, np.ndarray]]:
        """Yields weights and arrays in our layout, one at a time.

        Args:
            besides: our paths of weights to leave out. Defaults to none.
        """
        for weight, name in self.found:
            if weight.path not in besides:
                yield weight, self.read_one(weight, name)

    def read_one(self, weight: Weight, name: str) -> np.ndarray:
        """Returns a weight of `found` in our layout."""
        array = self.file.read(name)
        if self.file.dialect == dialects.PYTORCH and weight.transposed:
            array = array.T
        if array.shape != weight.shape:
            # The one row of token types stands for all of the model's.
            array = np.broadcast_to(array, weight.shape)
        return array

    def require_complete(
        self, ignore_mismatched_sizes: bool | None = None
    ) -> None:
        """Raises unless the file fills the model; only a head may be new.

        Args:
            ignore_mismatched_sizes: bool, whether weights of another shape
                may stay newly drawn. Defaults to `None`: they may not, and
                the caller has no such option.

        Raises:
            CheckpointError: with the three lists.
        """
        new = self.new_parts
        missing = [w.torch[0] for w in self.missing if w.part not in new]
        mismatched = [
            (weight.torch[0], file, ours)
            for weight, file, ours in self.mismatched
            if not ignore_mismatched_sizes
        ]
        if not (missing or self.unexplained or mismatched):
            return
        shapes = [
            f"{n} (file {file}, model {ours})" for n, file, ours in mismatched
        ]
        text = "".join(
            f"\n  {title} ({len(items)}): "
            + (",\n    ".join(grouped(items)) or "none")
            for title, items in (
                ("missing", missing),
                ("unexpected", self.unexplained),
                ("mismatched", shapes),
            )
        )
        unused = [n for n in self.unexpected if n not in self.unexplained]
        if missing and unused:
            # What is missing may be among them, under another name.
            text += f"\n  not used ({len(unused)}): "
            text += ",\n    ".join(grouped(unused))
        advice = "Use the config and the class that it was saved with"
        if ignore_mismatched_sizes is False and mismatched:
            advice += (
                ", or `ignore_mismatched_sizes=True` where only sizes differ"
            )
        raise CheckpointError(
            "A checkpoint must fill the model completely; only a head may be "
            f"new. Received: {self.file.path} with{text}\n{advice}. The "
            "error's `missing_keys` and its sisters have all names.",
            missing,
            self.unexplained,
            mismatched,
        )


def untie_what_differs(
    config: LongformerConfig, head: Head, file: TensorFile
) -> None:
    """Unties the output matrix in `config` if a file has one of its own.

    So does transformers 5. The output matrix of a masked language model that
    is tied is in files once, or twice with the same numbers.

    Raises:
        CheckpointError: if two names of the file stand for the same weight.
    """
    has_matrix = any(row.kind == "untied_matrix" for row in head.layers)
    if not (has_matrix and config.tie_word_embeddings):
        return
    given = dialects.translate(file.tensors, file.dialect, config).names
    words, decoder = given.get(names.WORDS), given.get(names.DECODER)
    if words and decoder and not file.are_equal(words, decoder):
        config.tie_word_embeddings = False
        logger.warning(
            "With `tie_word_embeddings` a file must have one matrix for words "
            "and outputs. Received: %s, where %s isn't %s. Both are used, "
            "untied; set `tie_word_embeddings=False` to say so.",
            file.path,
            shown(decoder),
            shown(words),
        )


def match(
    wanted: Iterable[Weight],
    file: TensorFile,
    config: LongformerConfig,
    model_type: str | None = None,
) -> Matching:
    """Matches a file's names and shapes with a model's.

    Args:
        wanted: the weights of the model.
        file: `TensorFile`.
        config: `LongformerConfig`.
        model_type: str, that of the `config.json`, which `config` no longer
            has. For one of `FAMILIES`, weights of local projections stand for
            those of global tokens, which it lacks. Defaults to none.

    Raises:
        CheckpointError: if two names of the file stand for the same weight,
            or it holds no floats.
    """
    translation = dialects.translate(file.tensors, file.dialect, config)
    given = translation.names
    by_name = {weight.torch[0]: weight for weight in wanted}
    copied = []
    if translation.roberta or str(model_type) in FAMILIES:
        copied = _copy_projections(by_name, given)
    found, mismatched = [], []
    for full, weight in by_name.items():
        if full not in given:
            continue
        tensor = file.tensors[given[full]]
        torch = file.dialect == dialects.PYTORCH
        ours = weight.torch_shape if torch else weight.shape
        # RoBERTa has one token type; its row stands for all of the model's.
        one_row = (
            full == names.TOKEN_TYPES
            and tensor.shape == (1, *ours[1:])
            and ours[0] <= _MOST_TOKEN_TYPES
        )
        if tensor.shape != ours and not one_row:
            mismatched.append((weight, tensor.shape, ours))
        elif tensor.dtype not in FLOATS:
            raise CheckpointError(
                "Weights must be stored as float64, float32, float16 or "
                f"bfloat16. Received: {shown(given[full])} as {tensor.dtype} "
                f"in {file.path}. Use a checkpoint that isn't quantised."
            )
        else:
            found.append((weight, given[full]))
    missing = [w for full, w in by_name.items() if full not in given]
    extra = {full: n for full, n in given.items() if full not in by_name}
    if "lm_head.bias" in by_name:
        # This is the word embeddings once more, which are read instead.
        extra.pop(names.DECODER, None)
    matching = Matching(
        file, found, missing, list(extra.values()), mismatched, copied
    )
    matching.unexplained = _find_unexplained(extra, matching, config)
    return matching


def require_layers(file: TensorFile, config: LongformerConfig) -> None:
    """Raises if a file can't have the layers that its configuration counts.

    It is asked before anything is made for each layer, as a configuration
    may count a million of them.

    Raises:
        CheckpointError: if there are fewer tensors than layers.
    """
    if config.num_hidden_layers > len(file.tensors):
        raise CheckpointError(
            "A checkpoint must have all layers of its configuration. "
            f"Received: num_hidden_layers={config.num_hidden_layers}, but "
            f"{len(file.tensors)} tensors in {file.path}. Use the "
            "configuration that it was saved with."
        )


def _copy_projections(
    by_name: dict[str, Weight], given: dict[str, str]
) -> list[Weight]:
    """Lets a RoBERTa's projections stand for those of global tokens.

    Adds them to `given`, and returns the weights that are copies. A RoBERTa
    has no projections of global tokens. A file that has some but not all has
    lost the others, and nothing is copied.
    """
    copies = {}
    for full in by_name:
        for name in names.GLOBAL_PROJECTIONS:
            if f".self.{name}." in full:
                if full in given:
                    return []
                local = name.removesuffix("_global")
                copies[full] = full.replace(f".{name}.", f".{local}.")
    copied = []
    for full, local in copies.items():
        if local in given:
            given[full] = given[local]
            copied.append(by_name[full])
    return copied


def _find_unexplained(
    extra: dict[str, str], matching: Matching, config: LongformerConfig
) -> list[str]:
    """Returns unexpected names that can't be those of another head.

    They are in the body, or in the head that the model and the file have in
    common, so that the model should have had a place for them.
    """
    parts = matching.known_parts
    heads = {
        weight.torch[0].split(".", 1)[0]
        for weight, _ in matching.found
        if weight.part not in ("body", "pooler")
    }
    of_other_heads = {
        weight.torch[0]
        for weight in names.weights_of_all_heads(config)
        if weight.part not in {"body", *parts}
    }
    return [
        name
        for full, name in extra.items()
        if full not in of_other_heads
        and (full.startswith(names.BODY) or full.split(".", 1)[0] in heads)
    ]
