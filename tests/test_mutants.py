"""Faults that the tests must notice, put into a copy of the package.

Each is what someone could write by mistake. The copy is tested by a fast part
of the tests, once as it is, which must pass, and once with each fault, which
must fail.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent
PACKAGE = TESTS.parent / "tf_longformer"
COPIED = (
    "checks.py",
    "golden",
    "models",
    "oracles",
    "preprocessing",
    "tokenization",
    "test_attention_blocks.py",
    "test_attention_reference.py",
    "test_golden.py",
)
ATTENTION = "test_attention_reference.py::test_eager"
BLOCKS = "test_attention_blocks.py::test_blocks"
GRADIENTS = "test_attention_reference.py::test_gradients"
WEIGHTS = "test_golden.py::test_every_bias_lies_with_its_matrix"
TEXTS = "tokenization/test_golden_texts.py::test_small"
MERGES = "tokenization/test_agreement.py::test_merges_in_any_order"
GRAPH = "preprocessing/test_text_preprocessor.py::test_merges_in_any_order"
# Makes sure that it is the copy; a failure need not be made smaller.
CONFTEST = """
import pathlib
import hypothesis
import tf_longformer

here = pathlib.Path(__file__).parent
assert pathlib.Path(tf_longformer.__file__).parent.parent == here.parent
phases = [hypothesis.Phase.explicit, hypothesis.Phase.generate]
hypothesis.settings.register_profile("mutants", deadline=None, phases=phases)
hypothesis.settings.load_profile("mutants")
"""
# Name, file, what it says, what the mutant says, the tests that see it.
MUTANTS = (
    (
        "the window's left edge is off by one",
        "ops/band.py",
        "ops.abs(offset) <= band.radius",
        "(offset <= band.radius) & (offset > -band.radius)",
        ATTENTION,
    ),
    (
        "the window's right edge is off by one",
        "ops/band.py",
        "ops.abs(offset) <= band.radius",
        "(offset < band.radius) & (offset >= -band.radius)",
        ATTENTION,
    ),
    (
        "the last global token is dropped",
        "ops/chunks.py",
        "used = start + lanes < ops.expand_dims(plan.count, 1)",
        "used = start + lanes < ops.expand_dims(plan.count, 1) - 1",
        BLOCKS,
    ),
    (
        "global tokens beyond the first chunk are dropped",
        "ops/chunks.py",
        "chunks = ceil_div(plan.most - GLOBAL_COLUMNS, GLOBAL_CHUNK)",
        "chunks = ceil_div(plan.most - GLOBAL_CHUNK, GLOBAL_CHUNK)",
        BLOCKS,
    ),
    (
        "a global token counts in the window too",
        "ops/plan.py",
        "local_key = ops.logical_and(attended, ops.logical_not(is_global))",
        "local_key = attended",
        BLOCKS,
    ),
    (
        "padding is seen through the window",
        "ops/plan.py",
        "local_key = ops.logical_and(attended, ops.logical_not(is_global))",
        "local_key = ops.logical_not(is_global)",
        ATTENTION,
    ),
    (
        "padding is seen by global tokens",
        "ops/global_rows.py",
        "ops.where(attended, 0.0, MASKED_SCORE)",
        "ops.where(attended, 0.0, 0.0)",
        ATTENTION,
    ),
    (
        "global padding stays global",
        "ops/plan.py",
        "    is_global = ops.logical_and(\n"
        '        attended, ops.cast(global_attention_mask, "bool")\n'
        "    )\n",
        '    is_global = ops.cast(global_attention_mask, "bool")\n',
        ATTENTION,
    ),
    (
        "the gradient forgets the softmax's mean",
        "ops/local_gradient.py",
        "weights * (weights_gradient - delta)",
        "weights * weights_gradient",
        GRADIENTS,
    ),
    (
        "the gradient of global keys is lost",
        "ops/local_gradient.py",
        "return gradient + place_tokens(ops.sum(columns, axis=0), work.plan)",
        "return gradient",
        BLOCKS,
    ),
    (
        "the key's bias is swapped with key_global's",
        "checkpoints/names.py",
        'tuple(f"{torch}.{name}" for name in kind.torch),',
        """tuple(
                f"{torch}_global.bias"
                if f"{torch}.{name}".endswith(".key.bias")
                else f"{torch.removesuffix('_global')}.bias"
                if f"{torch}.{name}".endswith(".key_global.bias")
                else f"{torch}.{name}"
                for name in kind.torch
            ),""",
        WEIGHTS,
    ),
    (
        "of several spaces none belongs to the next word",
        "tokenization/characters.py",
        "|[{space}]+(?![^{space}])|",
        "|",
        TEXTS,
    ),
    (
        "pieces of a pair come in another order",
        "tokenization/encoding.py",
        "            for left in self.overflowing\n"
        "            for right in (other, *other.overflowing)\n",
        "            for right in (other, *other.overflowing)\n"
        "            for left in self.overflowing\n",
        TEXTS,
    ),
    (
        "a merge that another one overtook is made all the same",
        "tokenization/merging.py",
        "if found is None or found[1] != joined:",
        "if found is None:",
        MERGES,
    ),
    (
        "in the graph all of several equal pairs are merged at once",
        "preprocessing/graph_merges.py",
        "& ((place - tf.gather(run_place, run)) % 2 == 0)",
        "",
        GRAPH,
    ),
)


def run_tests(folder: Path, test: str) -> subprocess.CompletedProcess:
    """Runs a part of the tests on the copy."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-x", "-q"),
            *("-p", "no:cacheprovider", "-c", str(folder / "empty.ini")),
            *("--rootdir", str(folder), str(folder / "tests" / test)),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
    )


@pytest.fixture
def copy(tmp_path) -> Path:
    """A folder with the package and the tests that it is tested by."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, tmp_path / "tf_longformer", ignore=ignored)
    tests = tmp_path / "tests"
    tests.mkdir()
    for name in COPIED:
        if (TESTS / name).is_dir():
            shutil.copytree(TESTS / name, tests / name, ignore=ignored)
        else:
            shutil.copyfile(TESTS / name, tests / name)
    (tests / "conftest.py").write_text(CONFTEST, "utf-8")
    (tmp_path / "empty.ini").write_text("[pytest]\n", "utf-8")
    return tmp_path


@pytest.mark.parametrize("test", sorted({mutant[4] for mutant in MUTANTS}))
def test_the_copy_passes_as_it_is(copy, test):
    done = run_tests(copy, test)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("file", "right", "wrong", "test"),
    [mutant[1:] for mutant in MUTANTS],
    ids=[mutant[0] for mutant in MUTANTS],
)
def test_mutant_is_noticed(copy, file, right, wrong, test):
    path = copy / "tf_longformer" / file
    source = path.read_text("utf-8")
    # Where the code has moved on, the mutant must follow.
    assert source.count(right) == 1
    path.write_text(source.replace(right, wrong), "utf-8")
    done = run_tests(copy, test)
    # 1 says that tests failed; 2 and more, that they did not run.
    assert done.returncode == 1, done.stdout + done.stderr
    assert "AssertionError" in done.stdout
