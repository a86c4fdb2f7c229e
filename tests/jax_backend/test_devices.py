"""Several devices of JAX, by `keras.distribution`, do what one does."""

import importlib.util

import numpy as np
import pytest
from helpers import processes

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("jax") is None,
        reason="JAX is not installed: pip install '.[jax]'",
    ),
]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    results = tmp_path_factory.mktemp("devices") / "results.npz"
    processes.run(
        "jax_backend/devices_worker.py",
        results,
        KERAS_BACKEND="jax",
        JAX_PLATFORMS="cpu",
        XLA_FLAGS="--xla_force_host_platform_device_count=4",
    )
    return dict(np.load(results))


@pytest.mark.parametrize(
    ("head", "way"),
    [
        ("ForTokenClassification", "data"),
        ("ForTokenClassification", "model"),
        ("ForTokenClassification", "scanned"),
        ("ForMaskedLM", "model"),
    ],
)
def test_numbers_of_one_device(found, head, way):
    names = [
        name.removeprefix(f"{head}/one/")
        for name in found
        if name.startswith(f"{head}/one/")
    ]
    compared = 0
    for name in names:
        ours, theirs = (found[f"{head}/{x}/{name}"] for x in (way, "one"))
        if not name.startswith(("share/", "name/")):
            np.testing.assert_allclose(
                ours, theirs, rtol=1e-5, atol=2e-6, err_msg=name
            )
            compared += 1
    assert compared > 30
    if way == "data":
        shares = [v for k, v in found.items() if "/data/share/" in k]
        assert set(map(float, shares)) == {1.0}


@pytest.mark.parametrize("head", ["ForTokenClassification", "ForMaskedLM"])
def test_which_variables_are_divided(found, head):
    start = f"{head}/model/share/"
    shares = {
        str(found[key.replace("/share/", "/name/")]): float(found[key])
        for key in found
        if key.startswith(start)
    }
    halves = {name for name, share in shares.items() if share == 0.5}
    whole = {name for name, share in shares.items() if share == 1.0}
    assert len(halves) + len(whole) == len(shares)
    block = "longformer/encoder/layer_0"
    assert halves == {
        "longformer/embeddings/word_embeddings/embeddings",
        "longformer/embeddings/position_embeddings/embeddings",
        *(
            f"{block}/attention/{role}{kind}/{part}"
            for role in ("query", "key", "value")
            for kind in ("", "_global")
            for part in ("kernel", "bias")
        ),
        f"{block}/intermediate/kernel",
        f"{block}/intermediate/bias",
        f"{block}/attention_output/kernel",
        f"{block}/output/kernel",
    }
