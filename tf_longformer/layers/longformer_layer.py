"""What the layers and models of this package have in common."""

from __future__ import annotations

import functools
from typing import Any

import keras

from tf_longformer.layers.quantized import RemembersQuantization


class KerasContract:
    """Mixin of layers and models: what Keras asks of one beside its call.

    `build` of a built layer does nothing: a user's layer builds those within
    it, and our models are built from the start. What comes out depends on
    flags too, so that its spec is found by calling the layer.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        layer = super().__new__(cls, *args, **kwargs)
        # Around what Keras has wrapped `build` in, which sets the layer's path.
        build = layer.build

        @functools.wraps(build)
        def build_once(*args: Any, **kwargs: Any) -> None:
            if not layer.built:
                build(*args, **kwargs)

        layer.build = build_once
        return layer

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        return _Call(self).compute_output_spec(*args, **kwargs)


class LongformerLayer(KerasContract, RemembersQuantization, keras.layers.Layer):
    """Base of the layers."""


class _Call(keras.Operation):
    """A call of a layer, with all that `call` alone lacks.

    Keras builds a layer and casts its inputs before it calls `call`.
    """

    def __init__(self, layer: keras.layers.Layer):
        super().__init__(name=layer.name)
        self._layer = layer

    def call(self, *args: Any, **kwargs: Any) -> Any:
        return self._layer(*args, **kwargs)
