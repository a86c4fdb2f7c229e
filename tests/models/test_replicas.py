"""Two replicas do what one device does, of one process or of two."""

import numpy as np
import pytest
from helpers import processes
from models.replicas_worker import CASES

pytestmark = pytest.mark.slow
SCRIPT = "models/replicas_worker.py"
# Of two processes those that differ: one label a row or token, or several
# outputs, and Keras's own losses.
OF_WORKERS = ("ForTokenClassification", "own loss:ForQuestionAnswering")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    results = tmp_path_factory.mktemp("replicas") / "results.npz"
    processes.run(SCRIPT, results)
    found = dict(np.load(results))
    assert found["replicas"] == 2
    return found


@pytest.fixture(scope="module")
def found_by_workers(tmp_path_factory):
    results = tmp_path_factory.mktemp("workers") / "results.npz"
    done = processes.run_workers(SCRIPT, results, ",".join(OF_WORKERS))
    assert [status for status, _ in done] == [0, 0], done
    found = dict(np.load(results))
    assert found["replicas"] == 2
    return found


@pytest.mark.parametrize("case", CASES)
def test_numbers_of_one_device(case, found):
    """Replicas differ in their numbers of labels and of rows; one has none."""
    compare(case, found, found, atol=4e-6)


@pytest.mark.parametrize("case", OF_WORKERS)
def test_numbers_of_two_processes(case, found, found_by_workers):
    """The same, of workers that each have one replica."""
    compare(case, found, found_by_workers, atol=1e-6)


def compare(case, found, found_by_two, atol):
    start = f"{case}/one/"
    names = [key.removeprefix(start) for key in found if key.startswith(start)]
    assert any(name.endswith("/loss") for name in names)
    assert any(name.endswith("accuracy") for name in names)
    largest = max(
        (
            np.abs(found[start + name]).max()
            for name in names
            if "weight/" in name
        ),
        default=0.0,
    )
    for name in names:
        scale = largest if name.startswith("weight/") else 1.0
        np.testing.assert_allclose(
            found_by_two[f"{case}/two/{name}"],
            found[start + name],
            rtol=1e-5,
            # Rounding of two steps of training, of what is of order one.
            atol=atol * scale,
            err_msg=name,
        )
