"""Says what a checkpoint is, and which classes could load it.

It is what `tf-longformer info` prints. No backend is needed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.doctor import problems_of
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.find_head import find_head
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.match import match
from tf_longformer.checkpoints.other_encoders import as_longformer
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.heads import HEADS


@dataclasses.dataclass
class Fit:
    """What would happen if a checkpoint were loaded into a class.

    Attributes:
        loads: bool, whether it would load.
        new: parts of the model that would be newly initialized.
        unused: names in the file that the class has no place for.
        missing: names that the file lacks, so that it doesn't load.
        unexpected: names that the class lacks, so that it doesn't load.
        mismatched: names, the file's shapes and the model's.
    """

    loads: bool
    new: list[str]
    unused: list[str]
    missing: list[str] = dataclasses.field(default_factory=list)
    unexpected: list[str] = dataclasses.field(default_factory=list)
    mismatched: list[tuple[str, names.Shape, names.Shape]] = dataclasses.field(
        default_factory=list
    )


@dataclasses.dataclass
class Description:
    """What a checkpoint is.

    Attributes:
        where: str, the folder, the file or the id of the hub.
        file: str, the name of the file of weights, or of its index.
        format: str, such as `"safetensors"`.
        dialect: str, whose names the weights have; see `dialects.py`.
        head: str, the class that it was saved from; `None` where the weights
            are of no Longformer.
        parameters: int, how many numbers all tensors have together.
        nbytes: int, how many bytes they take.
        dtypes: how many tensors are of each type.
        adapter: str, which adapter is added to the weights; `None` without.
        config: fields of the `LongformerConfig`.
        problems: what would go wrong with it, in sentences.
        fits: `Fit` by the name of our class.
    """

    where: str
    file: str
    format: str
    dialect: str
    head: str | None
    parameters: int
    nbytes: int
    dtypes: dict[str, int]
    adapter: str | None
    config: dict[str, object]
    problems: list[str]
    fits: dict[str, Fit]


def describe(location: Location) -> Description:
    """Describes a checkpoint; of the weights only headers are read.

    Args:
        location: `Location`.

    Raises:
        CheckpointError: if it is damaged.
        OSError: if there is no configuration.
        ValueError: if that is not a Longformer's.
    """
    return location.of_one_save(_describe)


def _describe(location: Location) -> Description:
    fields, open_file = location.read()
    config = LongformerConfig.from_dict(fields)
    file = as_longformer(open_file(config), config, fields)
    tensors = file.tensors.values()
    dtypes: dict[str, int] = {}
    for tensor in tensors:
        dtypes[str(tensor.dtype)] = dtypes.get(str(tensor.dtype), 0) + 1
    return Description(
        where=location.where,
        file=file.path.name,
        format=file.format,
        dialect=file.dialect,
        head=find_head(file, config),
        parameters=sum(tensor.size for tensor in tensors),
        nbytes=sum(tensor.nbytes for tensor in tensors),
        dtypes=dtypes,
        adapter=location.adapter.summary if location.adapter else None,
        config={
            **config.to_dict(),
            "attention_window": [2 * radius for radius in config.radii],
            "max_tokens": config.max_tokens,
        },
        problems=problems_of(location, fields, open_file),
        fits={
            f"TF{head}": _fit(head, file, config, fields.get("model_type"))
            for head in HEADS
        },
    )


def _fit(
    head: str, file: TensorFile, config: LongformerConfig, model_type: Any
) -> Fit:
    wanted = names.weights(config, HEADS[head]).values()
    matching = match(wanted, file, config, model_type)
    new, unused = matching.new_parts, matching.unexpected
    try:
        matching.require_complete()
    except CheckpointError as error:
        return Fit(
            False,
            new,
            unused,
            error.missing_keys,
            error.unexpected_keys,
            error.mismatched_keys,
        )
    return Fit(True, new, unused)
