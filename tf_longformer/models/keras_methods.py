"""A model in Keras's files, exports and compiled functions."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable
from collections.abc import Collection
from pathlib import Path
from typing import Any

import keras

from tf_longformer import atomic
from tf_longformer.backend import has_only_cpus
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import shown
from tf_longformer.keras_private import sublayers
from tf_longformer.layers.quantized import quantize_parts
from tf_longformer.layers.quantized import quantized_parts

# Version of what `get_config` returns; changes when its meaning changes.
FORMAT = 1


def get_config(model: Any, layer_config: dict[str, Any]) -> dict[str, Any]:
    """Returns what `from_config` makes an equal model from.

    Args:
        model: the model.
        layer_config: what Keras's own `Layer.get_config` returns of it.
    """
    fields = model.config.to_dict()
    config = {**layer_config, "format": FORMAT, "config": fields}
    changed = {
        "quantized": quantized_parts(model),
        "frozen": _frozen_parts(model),
    }
    return {**config, **{k: v for k, v in changed.items() if v}}


def warn_of_logits(loss: Any) -> None:
    """Warns where a loss of `compile` takes probabilities, not our logits.

    Args:
        loss: a loss or its name, or a list or dict of them.
    """
    for given in keras.tree.flatten(loss):
        if given is None:
            continue
        known = keras.losses.get(given)
        if isinstance(known, keras.losses.Loss):
            options = known.get_config()
        else:
            parameters = inspect.signature(known).parameters.values()
            options = {option.name: option.default for option in parameters}
        if options.get("from_logits") is False:
            warnings.warn(
                "The model returns logits, but the loss takes probabilities. "
                f"Received: loss={shown(given)}. Pass e.g. "
                "`keras.losses.SparseCategoricalCrossentropy("
                "from_logits=True)`, or no loss: the head has its own.",
                stacklevel=3,
            )


def warn_of_xla(jit_compile: bool) -> None:
    """Warns where XLA was asked for, and there is nothing but a CPU for it.

    Args:
        jit_compile: bool, what Keras has made of the argument of `compile`.
    """
    if jit_compile and has_only_cpus():
        warnings.warn(
            "On a CPU a step takes XLA 1.3 to 1.6 times as long as it takes "
            "TensorFlow's own operations, and the first one much longer. "
            "Received: jit_compile=True. Leave it out: Keras turns XLA on "
            "where there is a GPU.",
            stacklevel=3,
        )


def from_config(model_class: type, config: Any) -> Any:
    """Makes a model from what `get_config` returned."""
    config = dict(config)
    written = config.pop("format", None)
    if written != FORMAT:
        raise ValueError(
            f"A saved {model_class.__name__} must have the format {FORMAT}. "
            f"Received: format {written}, of another version of "
            "tf_longformer. Load it with that version and pass it on by "
            "`save_pretrained`, whose format stays."
        )
    modes, frozen = config.pop("quantized", {}), config.pop("frozen", ())
    fields = LongformerConfig.from_dict(config.pop("config"))
    model = model_class(fields, **config)
    quantize_parts(model, modes)
    if frozen:
        _freeze_parts(model, frozen)
    return model


def has_trained(model: Any) -> bool:
    """Whether the optimizer keeps values for each weight."""
    optimizer = getattr(model, "optimizer", None)
    return bool(optimizer and optimizer.built)


def forget_compiled(model: Any) -> None:
    """What is compiled already would go on as the model was."""
    model.train_function = model.test_function = model.predict_function = None


def input_signature(model: Any) -> list[dict[str, keras.InputSpec]]:
    """Returns the inputs of an export, of any batch and length."""
    shape = (None,) * model.input_rank
    names = ("input_ids", "attention_mask", "global_attention_mask")
    return [
        {
            name: keras.InputSpec(shape=shape, dtype="int32", name=name)
            for name in names
        }
    ]


def check_file(filepath: Any, options: dict[str, Any]) -> None:
    """Checks that Keras's `save` can write a file of this name.

    Args:
        filepath: where to write.
        options: the keywords of the call. A `save_format` that the name has
            too, as code for Keras 2 passes it, is taken out.
    """
    name, form = str(filepath), options.get("save_format")
    if name.startswith("hf://"):
        return
    known = {".keras": ("keras", "keras_v3"), ".h5": ("h5",)}
    suffix = os.path.splitext(name)[1]
    if suffix in known and form in (None, *known[suffix]):
        options.pop("save_format", None)
        return
    given = f", save_format={shown(form)}" if form else ""
    raise ValueError(
        "`save` writes one file, whose name ends in `.keras`. Received: "
        f"filepath={shown(name)}{given}. Call "
        "`model.save('model.keras')`; `model.export(folder)` for a SavedModel; "
        "or `model.save_pretrained(folder)` for `from_pretrained`, also of "
        "transformers."
    )


def save_whole(
    filepath: Any, overwrite: bool, write: Callable[[Any], None]
) -> None:
    """Has Keras write a file that appears when it is whole.

    Args:
        filepath: where to write. Of a link, the file that it leads to is
            replaced.
        overwrite: whether an old file is replaced; else Keras asks.
        write: function of the path that writes the file, in Keras's place.
    """
    is_local = isinstance(filepath, str | os.PathLike) and (
        "://" not in os.fspath(filepath)
    )
    path = Path(os.path.realpath(filepath)) if is_local else Path()
    if (
        not path.name.endswith((".keras", ".h5"))
        or (path.exists() and not (overwrite and path.is_file()))
        or not path.parent.is_dir()
    ):
        # It isn't one file, or Keras has a question or an error.
        write(filepath)
        return
    # The draft has the same extensions, by which Keras goes.
    with atomic.replacing_file(path) as draft:
        write(draft)


class ForOtherRuntimes(keras.Model):
    """A model whose attention takes the reference path.

    Keras's exporters call what they export, with inputs and nothing else.

    Args:
        model: the model, whose weights it has.
    """

    def __init__(self, model: Any):
        super().__init__(
            name=model.name, dtype=model.dtype_policy, autocast=False
        )
        self.model = model
        self.built = True

    def call(
        self, input_ids: Any = None, attention_mask: Any = None, **kwargs: Any
    ) -> Any:
        kwargs["training"] = False
        return self.model(
            input_ids, attention_mask, reference_attention=True, **kwargs
        )


def _frozen_parts(layer: keras.layers.Layer) -> list[str]:
    """Returns the paths of layers within a layer that aren't trainable.

    With LoRA there are none, as files hold a plain layer in its place.
    """
    parts = sublayers(layer)
    if any(getattr(part, "lora_enabled", False) for part in parts):
        return []
    return sorted(
        part.path.removeprefix(f"{layer.path}/")
        for part in parts
        # Layers without weights, such as dropout, need not be built.
        if part.path and not part.trainable
    )


def _freeze_parts(layer: keras.layers.Layer, frozen: Collection[str]) -> None:
    """Makes the layers of these paths untrainable, and all others trainable."""
    # A layer comes before those within it, which it sets too.
    for part in sublayers(layer):
        if part.path:
            path = part.path.removeprefix(f"{layer.path}/")
            if part.trainable == (path in frozen):
                part.trainable = path not in frozen
