"""What a checkpoint is, and what would load from it, without a backend."""

from __future__ import annotations

import dataclasses

from tf_longformer.checkpoints import dialects
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import transfer
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.tensor_file import TensorFile
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError


@dataclasses.dataclass
class Fit:
    """What loading a checkpoint into a class would come to.

    Attributes:
        loads: bool, whether it would load.
        new: parts that would be newly drawn.
        unused: names of the file that the class has no use for.
        missing: names that the file would have to have.
        unexpected: names that the model would have to have.
        mismatched: names, the file's shapes and the model's.
    """

    loads: bool
    new: list[str]
    unused: list[str]
    missing: list[str]
    unexpected: list[str]
    mismatched: list[tuple[str, names.Shape, names.Shape]]


@dataclasses.dataclass
class Description:
    """A checkpoint.

    Attributes:
        where: str, the folder, the file or the id.
        file: str, what was read of it.
        format: str, such as `"safetensors"`.
        dialect: str, whose names it has.
        head: str, the class that it was saved from; `None` where the names
            are of none.
        parameters: int, numbers in all tensors.
        nbytes: int, their bytes.
        dtypes: tensors by their type.
        config: fields of the `LongformerConfig`.
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
    config: dict[str, object]
    fits: dict[str, Fit]


def describe(location: Location) -> Description:
    """Describes a checkpoint, of which the headers are read.

    Args:
        location: `Location`.

    Raises:
        CheckpointError: if it is damaged.
        OSError: if there is no configuration.
        ValueError: if that is not a Longformer's.
    """
    fields = location.config_fields()
    config = LongformerConfig.from_dict(fields)
    file = location.open()
    roberta = fields.get("model_type") == "roberta"
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
        config={
            **config.to_dict(),
            "attention_window": [2 * radius for radius in config.radii],
            "max_tokens": config.max_tokens,
        },
        fits={
            f"TF{head}": _fit(head, file, config, roberta)
            for head in names.HEADS
        },
    )


def find_head(file: TensorFile, config: LongformerConfig) -> str | None:
    """Returns the class that a file was saved from.

    The configuration says it, unless it is of another kind of model; then
    the names do.

    Args:
        file: `TensorFile`.
        config: `LongformerConfig`.

    Raises:
        CheckpointError: if two names stand for the same weight.
    """
    for name in config.architectures or ():
        head = name.removeprefix("TF")
        if head in names.HEADS:
            return head
    translation = dialects.translate(file.tensors, file.dialect, config)
    shapes = {}
    for full, name in translation.names.items():
        shape = file.tensors[name].shape
        swap = file.dialect != dialects.PYTORCH and len(shape) == 2
        shapes[full] = shape[::-1] if swap else shape
    return names.head_of(shapes)


def _fit(
    head: str, file: TensorFile, config: LongformerConfig, roberta: bool
) -> Fit:
    wanted = names.weights(config, names.HEADS[head]).values()
    matching = transfer.match(wanted, file, config, roberta)
    new, unused = matching.new_parts, matching.unexpected
    try:
        transfer.require_complete(matching)
    except CheckpointError as error:
        return Fit(
            False,
            new,
            unused,
            error.missing_keys,
            error.unexpected_keys,
            error.mismatched_keys,
        )
    return Fit(True, new, unused, [], [], [])
