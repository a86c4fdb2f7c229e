"""LoRA in a model: low-rank updates of its matrices, and their adapters.

A layer with LoRA is Keras's: it adds `lora_alpha / lora_rank * a @ b` to its
matrix. What is read and written apart from the weights are PEFT's adapters
(`tf_longformer.checkpoints.adapters`).
"""

from __future__ import annotations

import os
from collections.abc import Collection
from collections.abc import Iterable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from tf_longformer import atomic
from tf_longformer import heads
from tf_longformer import hub
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import save
from tf_longformer.checkpoints.adapter_config import make_adapter_config
from tf_longformer.checkpoints.adapters import Adapter
from tf_longformer.checkpoints.adapters import write_adapter
from tf_longformer.checkpoints.files.tensor_file import FLOATS
from tf_longformer.checkpoints.names import Weight
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import shown
from tf_longformer.keras_private import sublayers
from tf_longformer.list_arguments import refuse_string
from tf_longformer.models.keras_methods import forget_compiled
from tf_longformer.models.keras_methods import has_trained


def enable_lora(
    model: Any, rank: int, target_names: Sequence[str], options: dict[str, Any]
) -> None:
    """Freezes the body but for low-rank updates of some of its layers."""
    refuse_string("target_names", target_names)
    parts = [part for part in sublayers(model.longformer) if part.weights]
    chosen = [
        part
        for part in parts
        if part.name in target_names and hasattr(part, "enable_lora")
    ]
    if not chosen:
        known = sorted({p.name for p in parts if hasattr(p, "enable_lora")})
        raise ValueError(
            f"`target_names` must name layers of {known}. Received: "
            f"{list(target_names)}. Correct the names."
        )
    for part in parts:
        # A part that holds others stays open for them.
        if part not in chosen and not sublayers(part):
            part.trainable = False
    for part in chosen:
        part.enable_lora(rank, **options)
        part.bias.trainable = False


def lora_updates(model: Any) -> dict[str, tuple[Any, Any, float]]:
    """Returns LoRA's two factors and scale, by our path of the matrix."""
    found = {}
    for layer in sublayers(model):
        if not getattr(layer, "lora_enabled", False):
            continue
        name = "kernel" if hasattr(layer, "lora_kernel_a") else "embeddings"
        path = f"{layer.path}/{name}".removeprefix(f"{model.path}/")
        found[path] = (
            getattr(layer, f"lora_{name}_a"),
            getattr(layer, f"lora_{name}_b"),
            layer.lora_alpha / layer.lora_rank,
        )
    return found


def plain_variables(model: Any) -> dict[str, Any]:
    """Returns variables by our path: no seeds, and no factors of LoRA."""
    factors = {
        id(factor)
        for *pair, _ in lora_updates(model).values()
        for factor in pair
    }
    return {
        variable.path.removeprefix(f"{model.path}/"): variable
        for variable in model.weights
        if "seed_generator" not in variable.path and id(variable) not in factors
    }


def load_adapter(model: Any, adapter: Adapter) -> None:
    """Adds an adapter; see `TFLongformerPreTrainedModel.load_adapter`."""
    if lora_updates(model):
        raise ValueError(
            "A model takes one adapter. Received: one that has LoRA. Add it "
            "to the weights first: `save_pretrained`, then `from_pretrained`."
        )
    if has_trained(model):
        raise ValueError(
            "An adapter must be loaded before training: the optimizer keeps "
            "values for each weight. Received: a model that has trained. Save "
            "it, load it, load the adapter and compile it."
        )
    layers = {
        layer.path.removeprefix(f"{model.path}/"): layer
        for layer in sublayers(model)
        if hasattr(layer, "enable_lora")
    }
    variables = plain_variables(model)
    table = names.weights(model.config, heads.head_of(type(model)))
    weights = {weight.torch[0]: weight for weight in table.values()}
    wholes = {full: adapter.read_whole(full) for full in adapter.whole}
    _check_output_matrix(model, adapter, wholes)
    for full in wholes.keys() - weights.keys():
        # Of a subclass, if it is a weight of the model at all.
        weights[full] = names.added_weight(full.replace(".", "/"), ())
    factors = {full: adapter.factors(full) for full in adapter.updates}
    unfit = [
        f"{full} {update.shape}"
        for full, update in adapter.updates.items()
        if full not in weights
        or weights[full].torch_shape != update.shape
        or _layer_path(weights[full]) not in layers
    ]
    for full, array in wholes.items():
        if weights[full].transposed:
            wholes[full] = array.T
        variable = variables.get(weights[full].path)
        if variable is None or tuple(variable.shape) != wholes[full].shape:
            unfit.append(f"{full} {array.shape}")
        else:
            _require_floats(weights[full], variable)
    if unfit:
        raise CheckpointError(
            "An adapter must be for layers that the model has, of the same "
            f"shapes. Received: {adapter.where} for {', '.join(unfit)[:200]}, "
            f"and a {type(model).__name__} without. Use the class and the "
            "base that it was trained with."
        )
    # Only what the adapter has goes on training, as in PEFT.
    for variable in variables.values():
        variable.trainable = False
    for full, array in wholes.items():
        variable = variables[weights[full].path]
        variable.assign(save.cast(array, np.dtype(variable.dtype)))
        variable.trainable = True
    for full, (a, b) in factors.items():
        layer, update = (
            layers[_layer_path(weights[full])],
            adapter.updates[full],
        )
        layer.enable_lora(update.rank, lora_alpha=update.scale * update.rank)
        kind = "embeddings" if update.is_table else "kernel"
        getattr(layer, f"lora_{kind}_a").assign(a.astype("float32"))
        getattr(layer, f"lora_{kind}_b").assign(b.astype("float32"))
    forget_compiled(model)


def save_adapter(model: Any, save_directory: str | os.PathLike) -> None:
    """Saves an adapter; see `TFLongformerPreTrainedModel.save_adapter`."""
    updates = lora_updates(model)
    if not updates:
        raise ValueError(
            "A model must have LoRA to save an adapter. Received: a "
            f"{type(model).__name__} without. Call `enable_lora` and train "
            "it, or save all of it with `save_pretrained`."
        )
    folder = Path(save_directory)
    save.check_adapter_target(folder)
    head = heads.head_of(type(model))
    table = names.weights(model.config, head)
    foreign = sorted(updates.keys() - table.keys())
    if foreign:
        raise ValueError(
            "The layers with LoRA must be ones of transformers, to be saved "
            f"as PEFT's adapter. Received: LoRA of {shown(foreign)}. Save all "
            "of the model with `save_pretrained`."
        )
    # By our path of the matrix: what PyTorch calls the layer.
    layers = {path: _layer_name(table[path]) for path in updates}
    variables = plain_variables(model)
    weights = {
        path: table.get(path) or names.added_weight(path, ())
        for path in variables
    }
    trained = {path for path, x in variables.items() if x.trainable}
    # What PEFT can't save as one module: what it updates, or is tied.
    apart = set(layers.values())
    if _has_tied_head(model):
        apart.add(names.DECODER.rpartition(".")[0])
        changed = {weights[path].torch[0] for path in trained | {*updates}}
        if names.WORDS in changed:
            raise ValueError(
                "Word embeddings that the output is tied to can't be in an "
                "adapter, as PEFT would change those of the input alone. "
                "Received: word embeddings with LoRA, or trainable. Save all "
                "of the model with `save_pretrained`."
            )
    saved = {_module_name(weights[path], apart) for path in trained}
    arrays = _factor_arrays(updates, layers)
    for path, variable in variables.items():
        if _module_name(weights[path], apart) in saved:
            arrays |= _whole_arrays(weights[path], variable, layers.values())

    def in_class(name: str) -> str:
        return names.in_class(name, head.name)

    config = make_adapter_config(
        head.name,
        hub.PRESETS.get(model.name_or_path, model.name_or_path) or None,
        {
            in_class(layers[path]): (a.shape[1], scale * a.shape[1])
            for path, (a, _, scale) in updates.items()
        },
        [
            in_class(_layer_name(weight))
            for weight in table.values()
            if len(weight.shape) == 2
        ],
        saved=[in_class(x) for x in saved if not _is_around(x, apart)],
        biases=not saved.isdisjoint(layers.values()),
    )
    arrays = {in_class(name): array for name, array in arrays.items()}
    with atomic.replacing_files(folder) as replacement:
        write_adapter(replacement, config, arrays)


def _factor_arrays(
    updates: dict[str, tuple[Any, Any, float]], layers: dict[str, str]
) -> dict[str, np.ndarray]:
    """Returns the factors as PEFT has them, by its names."""
    found = {}
    for path, factors in updates.items():
        is_table = path.endswith("/embeddings")
        kind = "lora_embedding_{}" if is_table else "lora_{}.weight"
        for letter, factor in zip("AB", factors[:2], strict=True):
            name = f"{layers[path]}.{kind.format(letter)}"
            found[name] = ops.convert_to_numpy(factor).T
    return found


def _whole_arrays(
    weight: Weight, variable: Any, updated: Iterable[str]
) -> dict[str, np.ndarray]:
    """Returns a weight that is saved as it is, by PEFT's names."""
    layer = _layer_name(weight)
    is_bias = weight.torch[0].endswith(".bias")
    if layer in updated and not is_bias:
        return {}
    _require_floats(weight, variable)
    array = ops.convert_to_numpy(variable)
    if layer in updated:
        return {f"{layer}.base_layer.bias": array}
    array = array.T if weight.transposed else array
    # Not under the names that only old files have.
    old = (".gamma", ".beta")
    return {name: array for name in weight.torch if not name.endswith(old)}


def _require_floats(weight: Weight, variable: Any) -> None:
    """Raises for a whole weight of an adapter in a quantized layer."""
    if np.dtype(variable.dtype) not in FLOATS:
        raise ValueError(
            "Weights that an adapter holds whole must be floats in the model. "
            f"Received: {weight.path!r} as {variable.dtype}, of a layer that "
            "was quantized. Load the adapter before, or freeze the layer, and "
            "quantize others."
        )


def _layer_path(weight: Weight) -> str:
    """Returns our path of a weight's layer."""
    return weight.path.rpartition("/")[0]


def _layer_name(weight: Weight) -> str:
    """Returns PyTorch's name of a weight's layer."""
    return weight.torch[0].rpartition(".")[0]


def _module_name(weight: Weight, apart: Collection[str]) -> str:
    """Returns what of the model is saved whole if this weight is trained.

    It is its head; or its layer, in the body or beside what stays apart.
    """
    layer = _layer_name(weight)
    top = layer.partition(".")[0]
    in_body = f"{top}." == names.BODY
    return layer if in_body or _is_around(top, apart) else top


def _is_around(module: str, apart: Collection[str]) -> bool:
    """Whether a module is one of those that stay apart, or holds one."""
    return any(f"{name}.".startswith(f"{module}.") for name in apart)


def _has_tied_head(model: Any) -> bool:
    """Whether the word embeddings are the output matrix too."""
    return getattr(getattr(model, "lm_head", None), "tied", False)


def _check_output_matrix(
    model: Any, adapter: Adapter, wholes: dict[str, np.ndarray]
) -> None:
    """Raises if the model ties its output matrix, and the adapter doesn't.

    Drops the matrix of an adapter where it is the word embeddings.
    """
    if not _has_tied_head(model):
        return
    table = ops.convert_to_numpy(model.get_input_embeddings().embeddings)
    matrix = wholes.get(names.DECODER)
    if matrix is not None and np.array_equal(matrix, table):
        del wholes[names.DECODER]
    elif adapter.unties:
        raise CheckpointError(
            "An adapter must leave the output matrix tied to the word "
            f"embeddings where the model does. Received: {adapter.where}, "
            "which changes one of the two. Load its folder with "
            "`from_pretrained`, which unties them."
        )
