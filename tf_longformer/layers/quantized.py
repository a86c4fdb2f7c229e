"""Remembers which parts of a layer are quantized.

Keras's `quantize` changes the layers within a layer. When a file is loaded, a
layer of ours makes plain ones from its arguments, so that the file has to say
which of them were quantized.
"""

from __future__ import annotations

from typing import Any

import keras

from tf_longformer.keras_private import quantization_mode
from tf_longformer.keras_private import sublayers


def quantized_parts(layer: keras.layers.Layer) -> dict[str, str]:
    """Returns the modes of quantized layers within a layer, by their path.

    Args:
        layer: a built layer or model.

    Returns:
        Dict such as `{"encoder/layer_0/attention/query": "int8"}`.
    """
    prefix = f"{layer.path}/"
    return {
        part.path.removeprefix(prefix): quantization_mode(part)
        for part in sublayers(layer)
        if part.path and quantization_mode(part)
    }


def quantize_parts(layer: keras.layers.Layer, modes: dict[str, str]) -> None:
    """Quantizes layers within a layer.

    Args:
        layer: a built layer or model, not quantized.
        modes: as `quantized_parts` returns them.
    """
    prefix = f"{layer.path}/"
    for part in sublayers(layer):
        # Layers without weights, such as dropout, need not be built.
        path = part.path or ""
        if path.removeprefix(prefix) in modes:
            part.quantize(modes[path.removeprefix(prefix)])


class RemembersQuantization:
    """Mixin of `keras.layers.Layer`: saves what is quantized inside."""

    def get_build_config(self) -> dict[str, Any] | None:
        config = super().get_build_config()
        modes = quantized_parts(self) if self.built else {}
        return {**(config or {}), "quantized": modes} if modes else config

    def build_from_config(self, config: dict[str, Any]) -> None:
        config = dict(config)
        modes = config.pop("quantized", {})
        super().build_from_config(config)
        quantize_parts(self, modes)
