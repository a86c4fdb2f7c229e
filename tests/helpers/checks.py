"""What holds for every layer and model, whatever it computes.

The functions take what makes the object and what goes into it; none knows a
concrete class. A model is one that returns a dict of tensors.
"""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

# Largest difference to float32, relative to the largest number.
TOLERANCE = {
    "float32": 1e-5,
    "mixed_float16": 2e-2,
    "mixed_bfloat16": 1e-1,
    "bfloat16": 1e-1,
}


def arrays(structure: Any) -> list[np.ndarray]:
    """Returns the leaves as NumPy arrays."""
    return [
        np.asarray(keras.ops.convert_to_numpy(leaf))
        for leaf in keras.tree.flatten(structure)
    ]


def difference(ours: Any, theirs: Any) -> float:
    """Returns the largest `max|a - b| / max|b|` of two equal structures."""
    ours, theirs = arrays(ours), arrays(theirs)
    assert [x.shape for x in ours] == [x.shape for x in theirs]
    found = [0.0]
    for a, b in zip(ours, theirs, strict=True):
        a, b = a.astype("float64"), b.astype("float64")
        assert np.isfinite(a).all()
        scale = max(np.abs(b).max(initial=0), 1e-30)
        found.append(np.abs(a - b).max(initial=0) / scale)
    return max(found)


def assert_equal(ours: Any, theirs: Any, tolerance: float = 1e-6) -> None:
    assert difference(ours, theirs) <= tolerance


def seeded(make: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Makes an object whose weights are the same every time."""
    keras.utils.set_random_seed(3)
    return make(*args, **kwargs)


def symbolic(inputs: dict[str, np.ndarray]) -> dict[str, Any]:
    """Returns Keras inputs like arrays, of any batch and length."""
    return {
        name: keras.Input(
            (None,) * (value.ndim - 1)
            if value.dtype.kind != "f"
            else (None, *value.shape[2:]),
            dtype=value.dtype.name,
            name=name,
        )
        for name, value in inputs.items()
    }


def all_layers(layer: keras.layers.Layer) -> list[keras.layers.Layer]:
    return list(layer._flatten_layers())


def stateless_values(model: keras.Model) -> tuple[list[Any], list[Any]]:
    """Returns what `stateless_call` takes: values to train, and the others."""
    trained, others = model.trainable_variables, model.non_trainable_variables
    return [v.value for v in trained], [v.value for v in others]


def check_configuration(make: Callable[[], Any]) -> None:
    """`get_config` is JSON and makes an equal object."""
    made = make()
    config = made.get_config()
    assert json.loads(json.dumps(config)) == json.loads(
        json.dumps(type(made).from_config(config).get_config())
    )


def check_layer(
    make: Callable[..., Any], inputs: dict[str, np.ndarray], folder: Path
) -> None:
    """Checks a layer: config, shapes, weights, functional use, policies.

    Args:
        make: makes the layer; takes `dtype`.
        inputs: its tensors by argument name.
        folder: an empty folder.
    """
    check_configuration(make)
    layer = seeded(make)
    variables = symbolic(inputs)
    # This builds the layer, as a call does.
    spec = layer.compute_output_spec(**variables)
    outputs = layer(**variables)
    model = keras.Model(variables, outputs)
    eager = layer(**inputs)
    for a, b, c in zip(
        keras.tree.flatten(outputs),
        keras.tree.flatten(eager),
        keras.tree.flatten(spec),
        strict=True,
    ):
        assert a.shape[-1] == b.shape[-1] == c.shape[-1]
        assert len(a.shape) == len(b.shape)
    assert layer.built
    weights = [id(weight) for weight in layer.weights]
    path = layer.path
    with keras.name_scope("another"):
        layer.build((7, 7, 7))
    assert [id(weight) for weight in layer.weights] == weights
    assert layer.path == path
    assert layer.count_params() == sum(w.numpy().size for w in layer.weights)
    assert_equal(model(inputs), eager)
    # Once more with a row and a position less.
    fewer = {
        name: value[1:, 1:] if value.ndim > 1 else value
        for name, value in inputs.items()
    }
    assert_equal(model(fewer), layer(**fewer))
    path = folder / "model.keras"
    model.save(path)
    assert_equal(keras.models.load_model(path)(inputs), eager, 0)
    for policy in ("mixed_bfloat16", "mixed_float16"):
        other = seeded(make, dtype=policy)
        if policy == "mixed_float16":
            for x in keras.tree.flatten(other.compute_output_spec(**variables)):
                assert x.dtype == "float16"
        check_policy(other, policy, other(**inputs), eager)


def check_policy(
    layer: keras.layers.Layer,
    policy: str,
    outputs: Any,
    expected: Any,
) -> None:
    """Checks that a policy reaches everything and costs only precision."""
    expected_dtype = keras.DTypePolicy(policy).compute_dtype
    for output in keras.tree.flatten(outputs):
        assert keras.backend.standardize_dtype(output.dtype) == expected_dtype
    for part in all_layers(layer):
        assert part.dtype_policy.name == policy, part.path
    assert difference(outputs, expected) < TOLERANCE[policy]


def check_outputs(model: Any, inputs: dict[str, np.ndarray]) -> None:
    """Checks that outputs survive all that Keras does with them."""
    eager = model(inputs)
    by_name = model(**inputs)
    nested = tf.nest.map_structure(lambda x: x + 0, eager)
    mapped = keras.tree.map_structure(lambda x: x + 0, eager)
    predicted = model.predict(inputs, batch_size=3, verbose=0)
    variables = symbolic(inputs)
    outputs = model(variables)
    functional = keras.Model(variables, outputs)
    for other in (by_name, nested, mapped, predicted):
        assert type(other) is type(eager)
        assert list(other) == list(eager)
        assert_equal(other, eager, 1e-5)
    assert type(outputs) is type(eager)
    assert_equal(functional(inputs), eager, 1e-5)
    for other in (
        pickle.loads(pickle.dumps(predicted)),
        copy.deepcopy(predicted),
    ):
        assert type(other) is type(predicted)
        assert_equal(other, predicted, 0)
    as_tuple = model(inputs, return_dict=False)
    assert type(as_tuple) is tuple
    assert_equal(list(as_tuple), list(eager.to_tuple()), 0)
    assert eager[0] is next(iter(eager.values()))


def check_saving(
    make: Callable[[], Any],
    inputs: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    folder: Path,
) -> None:
    """Checks `.keras` with the optimizer's state, weights, configuration."""
    check_configuration(make)
    model = seeded(make)
    model.compile(keras.optimizers.AdamW(1e-2), run_eagerly=True)
    data = {**inputs, **labels}
    model.fit(data, verbose=0)
    model.save(folder / "model.keras")
    loaded = keras.models.load_model(folder / "model.keras")
    assert_equal(loaded(inputs), model(inputs), 0)
    assert_equal(loaded.optimizer.variables, model.optimizer.variables, 0)
    histories = [
        m.fit(data, shuffle=False, verbose=0).history for m in (loaded, model)
    ]
    assert histories[0] == histories[1]
    assert_equal(loaded.trainable_weights, model.trainable_weights, 0)
    path = folder / "model.weights.h5"
    model.save_weights(path)
    other = make()
    other.load_weights(path)
    assert_equal(other(inputs), model(inputs), 0)


def check_fit(
    make: Callable[[], Any],
    inputs: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    **compiled: Any,
) -> list[float]:
    """Checks that training lowers the loss; returns the losses.

    Args:
        make: makes the model.
        inputs: tensors by name.
        labels: the same.
        **compiled: further arguments of `compile`.
    """
    model = seeded(make)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), **compiled)
    data = {**inputs, **labels}
    history = model.fit(
        data, batch_size=2, epochs=2, shuffle=False, verbose=0
    ).history["loss"]
    assert np.isfinite(history).all()
    assert history[1] < history[0]
    final = model.evaluate(data, batch_size=4, verbose=0)
    assert np.isfinite(final)
    return [*history, final]
