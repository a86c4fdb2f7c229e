"""How the variables of the models are laid out over several devices.

For Keras's JAX backend: `keras.distribution` has no meaning on TensorFlow,
whose strategies are another thing.
"""

from __future__ import annotations

import keras

from tf_longformer.errors import shown

# Whose outputs are parts of what a token is: heads, and the wide vectors
# between the two layers of a block.
_BY_OUTPUT = r".*/(attention/(query|key|value)(_global)?|intermediate)"
# Which take those parts, and whose outputs are summed over devices.
_BY_INPUT = r".*/(attention_output|layer_\d+/output)"
_TABLES = r".*/(word|position)_embeddings"


def make_layout_map(
    device_mesh: keras.distribution.DeviceMesh, axis: str = "model"
) -> keras.distribution.LayoutMap:
    """Makes the layouts that divide any of the models among devices.

    Of each block of layers every device has some of the heads and a part of
    the wide layer (as in Megatron-LM, arXiv 1909.08053), and of embeddings
    some of the columns. All other variables are on each device.

    ```python
    devices = keras.distribution.list_devices()
    mesh = keras.distribution.DeviceMesh(
        (len(devices) // 2, 2), ("batch", "model"), devices
    )
    keras.distribution.set_distribution(
        keras.distribution.ModelParallel(
            layout_map=make_layout_map(mesh), batch_dim_name="batch"
        )
    )
    model = TFLongformerForMaskedLM.from_pretrained(folder)
    ```

    Args:
        device_mesh: `keras.distribution.DeviceMesh`.
        axis: str, the axis of the mesh that they are divided over. Its size
            has to divide the config's `hidden_size` and `intermediate_size`;
            where it divides `num_attention_heads`, no head is cut in two.
            Defaults to `"model"`.

    Returns:
        `keras.distribution.LayoutMap`, which may be added to.

    Raises:
        ValueError: if the mesh has no such axis.
    """
    if axis not in device_mesh.axis_names:
        raise ValueError(
            "`axis` must be one of the mesh's axes, which are "
            f"{', '.join(device_mesh.axis_names)}. Received: {shown(axis)}. "
            "Name the one that variables are divided over."
        )
    layouts = keras.distribution.LayoutMap(device_mesh)
    layouts[f"{_BY_OUTPUT}/kernel"] = (None, axis)
    layouts[f"{_BY_OUTPUT}/bias"] = (axis,)
    layouts[f"{_BY_INPUT}/kernel"] = (axis, None)
    layouts[f"{_TABLES}/embeddings"] = (None, axis)
    return layouts
