"""Scripts as people write them, with the import changed and no more.

Each runs here, eagerly; the oracle runs the same file with transformers' own
classes, and all that a script returns must be equal.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import checks
from helpers import tiny
from helpers.small_tokenizer import FOLDER as TOKENIZER
from patterns import scripts

from tf_longformer import LongformerTokenizerFast

# What saves and loads graphs, or trains for several epochs, takes its time.
SLOW = ("callbacks.", "keras_three.", "serving.")


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Path:
    """Folders of all heads, as `allenai/longformer-base-4096` has files."""
    root = tmp_path_factory.mktemp("hub")
    tokenizer = LongformerTokenizerFast.from_pretrained(TOKENIZER)
    for head in tiny.HEADS:
        model = checks.seeded(
            tiny.make_model,
            head,
            vocab_size=700,
            hidden_size=16,
            max_position_embeddings=130,
            num_hidden_layers=2,
            initializer_range=0.2,
        )
        model.save_pretrained(root / head, "h5")
        tokenizer.save_pretrained(root / head)
        if head == "Model":
            model.save_pretrained(root / "Pytorch")
            tokenizer.save_pretrained(root / "Pytorch")
    return root


@pytest.fixture(scope="module")
def theirs(hub, tmp_path_factory) -> Path:
    """What transformers 4 returns from the same scripts."""
    interpreter = os.environ.get("TF_LONGFORMER_ORACLE_4")
    if not interpreter:
        pytest.skip(
            "TF_LONGFORMER_ORACLE_4 doesn't name the interpreter of an "
            "environment with transformers 4"
        )
    results = tmp_path_factory.mktemp("theirs")
    done = subprocess.run(
        [interpreter, scripts.__file__, str(hub), str(results)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert done.returncode == 0, done.stderr
    return results


def all_scripts() -> list:
    return [
        pytest.param(
            name, marks=[pytest.mark.slow] if name.startswith(SLOW) else []
        )
        for name in scripts.names()
    ]


@pytest.fixture(autouse=True, scope="module")
def _no_old_graphs():
    yield
    keras.backend.clear_session()


# Of shuffled datasets, of layers without a part in the loss, and of much else
# that scripts do.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("name", all_scripts())
def test_script(name, hub, tmp_path):
    results = scripts.run(name, hub, tmp_path)
    assert all(np.isfinite(array).all() for array in results.values())


@pytest.mark.oracle
@pytest.mark.parametrize("name", all_scripts())
def test_script_of_transformers(name, hub, theirs, tmp_path):
    if name.startswith(scripts.ONLY_HERE):
        pytest.skip("transformers has no counterpart")
    failure = theirs / f"{name}.txt"
    assert not failure.exists(), failure.read_text("utf-8")
    with np.load(theirs / f"{name}.npz") as file:
        wanted = {key: file[key] for key in file.files}
    ours = scripts.run(name, hub, tmp_path)
    assert ours.keys() == wanted.keys()
    gaps = {key: checks.difference(ours[key], wanted[key]) for key in wanted}
    assert max(gaps.values()) <= 1e-5, gaps
