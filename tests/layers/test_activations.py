"""Activations, by the numbers of transformers."""

import keras
import numpy as np
import pytest

from tf_longformer.layers.activations import ACTIVATIONS
from tf_longformer.layers.activations import get_activation

POINTS = [-12.0, -2.5, -0.3, 0.7, 3.0, 12.0]
# `ACT2FN[name]` of transformers 4.57.1 and 5.23.0 at these, in float64.
WANTED = {
    "gelu": [-0.0, -0.01552416, -0.1146266, 0.5306254, 2.99595, 12.0],
    "gelu_10": [-0.0, -0.01552416, -0.1146266, 0.5306254, 2.99595, 10.0],
    "gelu_accurate": [-0.0, -0.01508427, -0.1146291, 0.5305701, 2.996363, 12.0],
    "gelu_fast": [-0.0, -0.01508427, -0.1146291, 0.5305701, 2.996363, 12.0],
    "gelu_new": [-0.0, -0.01508427, -0.1146291, 0.5305701, 2.996363, 12.0],
    "gelu_python": [-0.0, -0.01552416, -0.1146266, 0.5306254, 2.99595, 12.0],
    "gelu_python_tanh": [
        -0.0,
        -0.01508427,
        -0.1146291,
        0.5305701,
        2.996363,
        12.0,
    ],
    "gelu_pytorch_tanh": [
        -0.0,
        -0.01508427,
        -0.1146291,
        0.5305701,
        2.996363,
        12.0,
    ],
    "laplace": [0.0, 0.0, 0.0001784234, 0.4899503, 1.0, 1.0],
    "leaky_relu": [-0.12, -0.025, -0.003, 0.7, 3.0, 12.0],
    "linear": [-12.0, -2.5, -0.3, 0.7, 3.0, 12.0],
    "mish": [-7.373032e-05, -0.1968162, -0.1511332, 0.5611484, 2.986535, 12.0],
    "quick_gelu": [
        -1.618642e-08,
        -0.03498617,
        -0.1125159,
        0.536894,
        2.981929,
        12.0,
    ],
    "relu": [0.0, 0.0, 0.0, 0.7, 3.0, 12.0],
    "relu2": [0.0, 0.0, 0.0, 0.49, 9.0, 144.0],
    "relu6": [0.0, 0.0, 0.0, 0.7, 3.0, 6.0],
    "sigmoid": [
        6.144175e-06,
        0.07585818,
        0.4255575,
        0.6681878,
        0.9525741,
        0.9999939,
    ],
    "silu": [
        -7.37301e-05,
        -0.1896455,
        -0.1276672,
        0.4677314,
        2.857722,
        11.99993,
    ],
    "swish": [
        -7.37301e-05,
        -0.1896455,
        -0.1276672,
        0.4677314,
        2.857722,
        11.99993,
    ],
    "tanh": [-1.0, -0.9866143, -0.2913126, 0.6043678, 0.9950548, 1.0],
}


def test_all_are_here():
    assert set(WANTED) == set(ACTIVATIONS)


@pytest.mark.parametrize("name", WANTED)
def test_numbers(name):
    x = keras.ops.convert_to_tensor(POINTS, "float32")
    found = get_activation(name)(x)
    np.testing.assert_allclose(found, WANTED[name], rtol=1e-5, atol=1e-6)


def test_no_such_activation():
    with pytest.raises(ValueError, match="Received: hidden_act='prelu'"):
        get_activation("prelu")
