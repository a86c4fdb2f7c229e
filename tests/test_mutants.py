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
    "golden",
    "helpers",
    "models",
    "oracles",
    "attention",
    "data",
    "graph_tokenization",
    "tokenization",
    "test_golden.py",
)
ATTENTION = "attention/test_against_dense.py::test_eager"
BLOCKS = "attention/test_windowed.py::test_blocks"
GRADIENTS = "attention/test_against_dense.py::test_gradients"
WEIGHTS = "test_golden.py::test_every_bias_lies_with_its_matrix"
TEXTS = "tokenization/test_golden_texts.py::test_small"
WORDS = "graph_tokenization/test_text_preprocessor.py::test_any_text"
GRAPH = "graph_tokenization/test_text_preprocessor.py::test_merges_in_any_order"
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
        "attention/blocking.py",
        "ops.abs(offset) <= blocking.radius",
        "(offset <= blocking.radius) & (offset > -blocking.radius)",
        ATTENTION,
    ),
    (
        "the window's right edge is off by one",
        "attention/blocking.py",
        "ops.abs(offset) <= blocking.radius",
        "(offset < blocking.radius) & (offset >= -blocking.radius)",
        ATTENTION,
    ),
    (
        "the last global token is dropped",
        "attention/roles.py",
        "slot_used=number < ops.expand_dims(num_globals, 1),",
        "slot_used=number < ops.expand_dims(num_globals, 1) - 1,",
        BLOCKS,
    ),
    (
        "global tokens beyond the first chunk are dropped",
        "attention/blocking.py",
        "chunks = ceil_div(roles.max_globals - GLOBAL_COLUMNS, GLOBAL_CHUNK)",
        "chunks = ceil_div(roles.max_globals - GLOBAL_CHUNK, GLOBAL_CHUNK)",
        BLOCKS,
    ),
    (
        "a global token counts in the window too",
        "attention/blocking.py",
        "key_scores = added_scores(roles.is_local)",
        "key_scores = added_scores(roles.attended)",
        BLOCKS,
    ),
    (
        "padding is seen through the window",
        "attention/blocking.py",
        "key_scores = added_scores(roles.is_local)",
        "key_scores = added_scores(ops.logical_not(roles.is_global))",
        ATTENTION,
    ),
    (
        "padding is seen by global tokens",
        "attention/globals.py",
        "added = per_key(added_scores(roles.attended))",
        "added = per_key(0.0 * added_scores(roles.attended))",
        ATTENTION,
    ),
    (
        "global padding stays global",
        "attention/roles.py",
        "    is_global = ops.logical_and(\n"
        '        attended, ops.cast(global_attention_mask, "bool")\n'
        "    )\n",
        '    is_global = ops.cast(global_attention_mask, "bool")\n',
        ATTENTION,
    ),
    (
        "the gradient forgets the softmax's mean",
        "attention/windowed_gradient.py",
        "weights * (weights_gradient - delta)",
        "weights * weights_gradient",
        GRADIENTS,
    ),
    (
        "the gradient of global keys is lost",
        "attention/windowed_gradient.py",
        "return gradient + place_slots(ops.sum(columns, axis=0), roles)",
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
        "graph_tokenization/words.py",
        "~after_space | before_word",
        "~after_space",
        WORDS,
    ),
    (
        "rows are padded on the side that is cut",
        "tokenization/pipeline.py",
        '"direction": layout.padding_side',
        '"direction": layout.truncation_side',
        TEXTS,
    ),
    (
        "in the graph a merge doesn't wait for one that it makes possible",
        "graph_tokenization/merges.py",
        "if np.any(table.waits):",
        "if False:",
        GRAPH,
    ),
    (
        "in the graph all of several equal pairs are merged at once",
        "graph_tokenization/merges.py",
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
