"""Matches the weights of a file with those that a model wants."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Iterator

import numpy as np

from tf_longformer.checkpoints import dialects
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.names import Shape
from tf_longformer.checkpoints.names import Weight
from tf_longformer.checkpoints.tensor_file import FLOATS
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError

_TYPES = "longformer.embeddings.token_type_embeddings.weight"
_DECODER = "lm_head.decoder.weight"


@dataclasses.dataclass
class Matching:
    """How a file and a model fit.

    Attributes:
        file: the `TensorFile`.
        found: pairs of a `Weight` and the file's name for it, each weight
            once.
        missing: weights that the model wants and the file does not have.
        unexpected: names of the file that the model has no place for.
        mismatched: weight, the file's shape and the model's, as in the file.
        copied: global projections that take the local ones' place.
        wrong: those of `unexpected` that no head explains.
    """

    file: TensorFile
    found: list[tuple[Weight, str]]
    missing: list[Weight]
    unexpected: list[str]
    mismatched: list[tuple[Weight, Shape, Shape]]
    copied: list[Weight]
    wrong: list[str]

    @property
    def new_parts(self) -> list[str]:
        """Parts of the model of which the file has nothing: a new head."""
        known = {weight.part for weight, _ in self.found}
        known |= {weight.part for weight, *_ in self.mismatched}
        new = {weight.part for weight in self.missing} - known - {"body"}
        return sorted(new)

    def read(
        self, besides: Collection[str] = ()
    ) -> Iterator[tuple[Weight, np.ndarray]]:
        """Yields weights and arrays in our layout, one at a time.

        Args:
            besides: our paths of weights to leave out. Defaults to none.

        Raises:
            CheckpointError: if the file can't be read.
        """
        for weight, name in self.found:
            if weight.path not in besides:
                yield weight, self.read_one(weight, name)

    def read_one(self, weight: Weight, name: str) -> np.ndarray:
        """Returns an array in our layout.

        Args:
            weight: a `Weight` that was found.
            name: the file's name for it.

        Raises:
            CheckpointError: if the file can't be read.
        """
        array = self.file.read(name)
        if self.file.dialect == dialects.PYTORCH and weight.transposed:
            array = array.T
        if array.shape != weight.shape:
            # One row of token types serves for all.
            array = np.broadcast_to(array, weight.shape)
        return array


def match(
    wanted: Iterable[Weight],
    file: TensorFile,
    config: LongformerConfig,
    roberta: bool = False,
) -> Matching:
    """Matches a file's names and shapes with a model's.

    Args:
        wanted: the weights of the model.
        file: `TensorFile`.
        config: `LongformerConfig`.
        roberta: bool, whether the configuration is one of a RoBERTa that was
            converted. Defaults to `False`.

    Returns:
        `Matching`.

    Raises:
        CheckpointError: if two names of the file stand for the same weight,
            or it holds no floats.
    """
    translation = dialects.translate(file.tensors, file.dialect, config)
    given = translation.names
    by_name = {weight.torch[0]: weight for weight in wanted}
    copied = []
    if translation.roberta or roberta:
        copied = _copy_projections(by_name, given)
    found, mismatched = [], []
    for full, weight in by_name.items():
        if full not in given:
            continue
        tensor = file.tensors[given[full]]
        torch = file.dialect == dialects.PYTORCH
        ours = weight.torch_shape if torch else weight.shape
        if tensor.shape != ours and not _fills_rows(full, tensor.shape, ours):
            mismatched.append((weight, tensor.shape, ours))
        elif tensor.dtype not in FLOATS:
            raise CheckpointError(
                "Weights must be stored as float64, float32, float16 or "
                f"bfloat16. Received: {given[full]!r} as {tensor.dtype} in "
                f"{file.path}. Use a checkpoint that isn't quantised."
            )
        else:
            found.append((weight, given[full]))
    missing = [w for full, w in by_name.items() if full not in given]
    extra = {full: n for full, n in given.items() if full not in by_name}
    if "lm_head.bias" in by_name:
        # The tied matrix again: the word embeddings are read instead.
        extra.pop(_DECODER, None)
    matching = Matching(
        file, found, missing, list(extra.values()), mismatched, copied, []
    )
    matching.wrong = _unexplained(extra, matching, config)
    return matching


def _copy_projections(
    by_name: dict[str, Weight], given: dict[str, str]
) -> list[Weight]:
    """Has a RoBERTa's projections stand for the global ones it lacks.

    Only where it has none at all: one that is missing has been lost.
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


def _fills_rows(full: str, theirs: Shape, ours: Shape) -> bool:
    """Whether one row of token types may stand for all of the model's."""
    return full == _TYPES and theirs == (1, *ours[1:])


def _unexplained(
    extra: dict[str, str], matching: Matching, config: LongformerConfig
) -> list[str]:
    """Returns the names that aren't those of a head beside the model's.

    Such are names in the body, and in a head of the model that the file
    has: they would have to be there.
    """
    parts = {weight.part for weight, _ in matching.found}
    parts |= {weight.part for weight, *_ in matching.mismatched}
    heads = {
        weight.torch[0].split(".", 1)[0]
        for weight, _ in matching.found
        if weight.part not in ("body", "pooler")
    }
    other = {
        weight.torch[0]
        for weight in names.catalogue(config)
        if weight.part not in {"body", *parts}
    }
    return [
        name
        for full, name in extra.items()
        if full not in other
        and (full.startswith(names.BODY) or full.split(".", 1)[0] in heads)
    ]


def require_complete(
    matching: Matching, ignore_mismatched_sizes: bool = False
) -> None:
    """Raises unless the file fills the model but for a head.

    Args:
        matching: `Matching`.
        ignore_mismatched_sizes: bool, whether weights of another shape may
            stay new. Defaults to `False`.

    Raises:
        CheckpointError: with the three lists.
    """
    new = matching.new_parts
    missing = [w.torch[0] for w in matching.missing if w.part not in new]
    mismatched = [
        (weight.torch[0], file, ours)
        for weight, file, ours in matching.mismatched
    ]
    if ignore_mismatched_sizes:
        mismatched = []
    if not (missing or matching.wrong or mismatched):
        return
    lists = (
        ("missing", missing),
        ("unexpected", matching.wrong),
        (
            "mismatched",
            [
                f"{n} (file {file}, model {ours})"
                for n, file, ours in mismatched
            ],
        ),
    )
    text = "".join(
        f"\n  {title} ({len(items)}): {', '.join(items) or 'none'}"
        for title, items in lists
    )
    raise CheckpointError(
        "A checkpoint must fill the model completely; only a head may be "
        f"new. Received: {matching.file.path} with{text}\nUse the config and "
        "the class that it was saved with, or `ignore_mismatched_sizes=True` "
        "where only sizes differ.",
        missing,
        matching.wrong,
        mismatched,
    )
