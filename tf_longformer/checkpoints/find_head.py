"""Which class a checkpoint is for: the one named, or the one it was saved from.

Classes are named as HF's, by the keys of `HEADS`.
"""

from __future__ import annotations

from collections.abc import Mapping

from tf_longformer.checkpoints import dialects
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.match import require_layers
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import shown
from tf_longformer.heads import BARE
from tf_longformer.heads import HEADS


def head_named(name: str) -> str:
    """Returns the class that a caller names, such as `"ForMaskedLM"`.

    `Longformer` or `TFLongformer` may stand before.

    Raises:
        ValueError: if there is no such class.
    """
    plain = name.removeprefix("TF").removeprefix("Longformer")
    if f"Longformer{plain}" not in HEADS:
        raise ValueError(
            f"`head` must be one of {', '.join(HEADS)}. Received: "
            f"{shown(name)}. Leave it out for the one that was saved."
        )
    return f"Longformer{plain}"


def find_head(file: TensorFile, config: LongformerConfig) -> str | None:
    """Returns the class that a file was saved from.

    The configuration says it. If it doesn't, or names a class of another
    kind of model, the names of the weights say it.

    Returns:
        A key of `HEADS`; `None` where the weights are of no Longformer.

    Raises:
        CheckpointError: if two names stand for the same weight, or the
            file has fewer tensors than the configuration layers.
    """
    require_layers(file, config)
    for name in config.architectures or ():
        head = name.removeprefix("TF")
        if head in HEADS:
            return head
    translation = dialects.translate(file.tensors, file.dialect, config)
    torch_shapes = {}
    for torch_name, name in translation.names.items():
        shape = file.tensors[name].shape
        is_transposed = file.dialect != dialects.PYTORCH and len(shape) == 2
        torch_shapes[torch_name] = shape[::-1] if is_transposed else shape
    return _recognise(torch_shapes)


def _recognise(torch_shapes: Mapping[str, names.Shape]) -> str | None:
    """Returns the class whose head the weights have, by PyTorch's names."""
    has_pooler = f"{names.torch_name(names.POOLER)}.weight" in torch_shapes
    candidates: list[tuple[bool, bool, int, str]] = []
    for number, head in enumerate(HEADS.values()):
        kernels = {
            name: row.sizes[-1]
            for row in head.layers
            if (name := f"{names.torch_name(row)}.weight") in torch_shapes
        }
        if kernels and has_pooler >= head.has_pooler:
            # Two classifiers share a name, and differ in their outputs.
            sizes_fit = all(
                not isinstance(size, int) or torch_shapes[name][:1] == (size,)
                for name, size in kernels.items()
            )
            candidates.append((sizes_fit, head.has_pooler, number, head.name))
    if candidates:
        return max(candidates)[-1]
    has_body = any(name.startswith(names.BODY) for name in torch_shapes)
    return BARE if has_body else None
