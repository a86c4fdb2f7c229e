"""A model's forward pass, compiled once and used as long as it is right."""

from __future__ import annotations

import dataclasses
import weakref
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from tf_longformer.backend import common_size
from tf_longformer.backend import compile_inference
from tf_longformer.inputs.call_arguments import TENSORS
from tf_longformer.inputs.checks import check_values
from tf_longformer.keras_private import sublayers


@dataclasses.dataclass
class _Compiled:
    """A compiled forward pass, and what it was compiled from."""

    function: Callable
    variables: list[weakref.ref]
    facts: Any

    def is_right_for(self, model: Any, facts: Any) -> bool:
        """Returns whether compiling the model anew would change nothing.

        New values of weights are seen in any case. Quantization, LoRA and
        another vocabulary replace variables.
        """
        known = [variable() for variable in self.variables]
        return (
            self.facts == facts
            and len(known) == len(model.variables)
            and all(map(_is, known, model.variables))
        )


def _is(one: Any, other: Any) -> bool:
    return one is other


# What is in here dies with its model, which it therefore must not hold.
_COMPILED: weakref.WeakKeyDictionary[Any, _Compiled] = (
    weakref.WeakKeyDictionary()
)


def run_model(model: Any, inputs: dict[str, np.ndarray]) -> Any:
    """Returns the outputs of a model for a batch, without dropout.

    Args:
        model: the model; one that isn't Keras's is called as it is.
        inputs: int32 arrays `[batch, seq]` by name: `input_ids`,
            `attention_mask` and maybe more; or with `global_attention_mask`
            `[batch, choices, seq]`.

    Returns:
        The model's output class, of tensors `[batch, ...]`.

    Raises:
        ValueError: for ids that the model doesn't have, or rows that its
            default global tokens can't be found in.
    """
    if not isinstance(model, keras.Model) or model.run_eagerly:
        ids, more_inputs = inputs["input_ids"], dict(inputs)
        del more_inputs["input_ids"]
        return model(ids, **more_inputs, return_dict=True)
    flat = {**dict.fromkeys(TENSORS), **inputs}
    # Not every backend could raise these errors once the model is compiled.
    check_values(flat, model.config)
    if flat["global_attention_mask"] is None:
        global_mask = model.default_global_mask(flat)
        if global_mask is not None:
            global_mask = keras.ops.convert_to_numpy(global_mask)
            inputs = {**inputs, "global_attention_mask": global_mask}
    batch, *others = inputs["input_ids"].shape
    more = common_size(batch) - batch
    # Further rows repeat the last one.
    pads = [(0, more), *[(0, 0)] * len(others)]
    padded = [np.pad(x, pads, "edge") for x in inputs.values()]
    outputs = _compiled(model, tuple(inputs), len(pads))(*padded)
    if not more:
        return outputs
    return keras.tree.map_structure(lambda x: x[:batch], outputs)


def _compiled(model: Any, names: tuple[str, ...], rank: int) -> Callable:
    """Returns the compiled forward pass of a model as it is now."""
    layers = [model, *sublayers(model)]
    facts = (
        (names, rank),
        [layer.dtype_policy.name for layer in layers],
        model.config.to_dict(),
    )
    known = _COMPILED.get(model)
    if known is None or not known.is_right_for(model, facts):
        found = weakref.ref(model)

        def run(*inputs: Any) -> Any:
            return found()(
                dict(zip(names, inputs, strict=True)),
                output_attentions=False,
                output_hidden_states=False,
                return_dict=True,
            )

        variables = list(model.variables)
        function = compile_inference(run, variables, len(names), rank)
        known = _Compiled(function, [weakref.ref(v) for v in variables], facts)
        _COMPILED[model] = known
    return known.function
