"""Remembers which parts of a model are frozen.

A model makes its layers anew from its own config, so that what was set on
them has to be written down.
"""

from __future__ import annotations

from collections.abc import Collection

import keras

from tf_longformer.compat import sublayers


def frozen_parts(layer: keras.layers.Layer) -> list[str]:
    """Returns the paths of layers within a layer that aren't trainable.

    With LoRA there are none, as files hold a plain layer in its place.

    Args:
        layer: a built layer or model.

    Returns:
        List such as `["longformer/embeddings"]`, sorted.
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


def freeze_parts(layer: keras.layers.Layer, frozen: Collection[str]) -> None:
    """Makes layers within a layer trainable or not.

    Args:
        layer: a built layer or model.
        frozen: as `frozen_parts` returns them.
    """
    # A layer comes before those within it, which it sets too.
    for part in sublayers(layer):
        if part.path:
            path = part.path.removeprefix(f"{layer.path}/")
            if part.trainable == (path in frozen):
                part.trainable = path not in frozen
