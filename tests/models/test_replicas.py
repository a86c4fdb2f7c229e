"""Two replicas under `MirroredStrategy` do what one device does."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "head", ["ForTokenClassification", "ForQuestionAnswering"]
)
def test_numbers_of_one_device(head, tmp_path):
    """Rows have different numbers of labels, and so have the replicas."""
    paths = [str(TESTS), str(TESTS.parent), os.environ.get("PYTHONPATH", "")]
    results = tmp_path / "results.npz"
    done = subprocess.run(
        [sys.executable, TESTS / "models/replicas_worker.py", results, head],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found = dict(np.load(results))
    assert found.pop("replicas") == 2
    names = [name[4:] for name in found if name.startswith("one/")]
    assert "losses" in names
    assert len(names) > 20
    largest = max(
        np.abs(found[f"one/{name}"]).max()
        for name in names
        if "weight/" in name
    )
    for name in names:
        scale = largest if name.startswith("weight/") else 1.0
        np.testing.assert_allclose(
            found[f"two/{name}"],
            found[f"one/{name}"],
            rtol=1e-5,
            atol=1e-6 * scale,
            err_msg=name,
        )
