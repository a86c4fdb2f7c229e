"""A model's variables by what they are called in checkpoints."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

import numpy as np
from keras import ops

from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import saving
from tf_longformer.checkpoints.names import Weight
from tf_longformer.compat import sublayers


class NamedVariable(NamedTuple):
    """A row of the table of names and the variable that it is about."""

    weight: Weight
    variable: Any

    def assign(self, array: np.ndarray) -> None:
        """Assigns an array of any float type.

        Args:
            array: array of the variable's shape.
        """
        self.variable.assign(saving.cast(array, np.dtype(self.variable.dtype)))


def head_of(model_class: type) -> str:
    """Returns HF's name of a model's class, also for a subclass of ours."""
    for cls in model_class.__mro__:
        name = cls.__name__.removeprefix("TF")
        if cls.__module__.startswith("tf_longformer.") and name in names.HEADS:
            return name
    raise ValueError(
        "A model that is loaded or saved must be one of the TFLongformer... "
        f"classes, or a subclass. Received: {model_class.__name__}. Subclass "
        "`TFLongformerModel`, for example."
    )


def named_variables(model: Any) -> dict[str, NamedVariable]:
    """Returns a model's weights by our path.

    Those that a subclass has added are among them, seeds of dropout and the
    factors of LoRA aren't.

    Args:
        model: one of our models.

    Raises:
        ValueError: if layers were quantised.
    """
    table = names.weights(model.config, names.HEADS[head_of(type(model))])
    modules = {path.rpartition("/")[0] for path in table}
    found = {}
    factors = {id(x) for *pair, _ in _updates(model).values() for x in pair}
    for variable in model.weights:
        if "seed_generator" in variable.path or id(variable) in factors:
            continue
        path = variable.path.removeprefix(f"{model.path}/")
        weight = table.get(path)
        if weight is None and path.rpartition("/")[0] in modules:
            raise ValueError(
                "A model's own weights must be plain floats to be loaded or "
                f"saved as a checkpoint. Received: the variable {path!r} of "
                "a layer that was quantised. Use Keras's `save` and "
                "`save_weights`."
            )
        if weight is None:
            weight = names.own_weight(path, tuple(variable.shape))
        found[path] = NamedVariable(weight, variable)
    return found


def _updates(model: Any) -> dict[str, tuple[Any, Any, float]]:
    """Returns what LoRA adds to matrices: two factors and a scale each."""
    found = {}
    for part in sublayers(model):
        if not getattr(part, "lora_enabled", False):
            continue
        name = "kernel" if hasattr(part, "lora_kernel_a") else "embeddings"
        path = f"{part.path}/{name}".removeprefix(f"{model.path}/")
        found[path] = (
            getattr(part, f"lora_{name}_a"),
            getattr(part, f"lora_{name}_b"),
            part.lora_alpha / part.lora_rank,
        )
    return found


def source_of(model: Any, dtype: np.dtype | None) -> saving.Source:
    """Returns a model's weights as they are to be written, LoRA merged.

    Args:
        model: one of our models.
        dtype: type of the file; `None` for that of each variable.
    """
    variables = named_variables(model)
    updates = _updates(model)

    def get(weight: Weight) -> np.ndarray:
        array = ops.convert_to_numpy(variables[weight.path].variable)
        if weight.path not in updates:
            return array
        *factors, scale = updates[weight.path]
        # Not narrower than float32, whatever the factors are stored in.
        wide = np.promote_types(array.dtype, np.float32)
        a, b = (ops.convert_to_numpy(x).astype(wide) for x in factors)
        return array + scale * (a @ b)

    return saving.Source(
        head_of(type(model)),
        [weight for weight, _ in variables.values()],
        {
            path: dtype or np.dtype(variable.dtype)
            for path, (_, variable) in variables.items()
        },
        get,
    )
