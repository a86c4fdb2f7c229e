"""The file that training goes on from, whole and damaged."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from tf_longformer.errors import CheckpointError
from tf_longformer.finetuning.learning_curve import draw_learning_curve
from tf_longformer.finetuning.training_state import FILE_NAME
from tf_longformer.finetuning.training_state import read_facts

FACTS = {
    "step": 4,
    "best": None,
    "waited": 0,
    "metrics": {"loss": 0.5, "perplexity": float("inf")},
    "history": [{"step": 2, "loss": 1.5}, {"step": 4, "loss": 0.5}],
    "arguments": {"seed": 0},
}
# By the fact's name.
WRONG = [
    *[("step", value) for value in (-1, True, 2.0, "4", None, 10**30)],
    *[("best", value) for value in ("0.5", [0.5], {}, -(10**25))],
    *[("waited", value) for value in (None, 1.5, -1)],
    *[("metrics", value) for value in (None, [], {"f1": "0.5"}, {"\n": 1.0})],
    *[
        ("history", value)
        for value in (
            {},
            [3],
            [{"loss": 1.0}],
            [{"step": 2, "loss": None}],
            [{"step": "2", "loss": 1.0}],
            [{"step": 2, "\ud800": 1.0}],
        )
    ],
    *[("arguments", value) for value in (None, [], "seed")],
]


def write(folder, text):
    path = folder / FILE_NAME
    metadata = None if text is None else {"facts": text}
    save_file({"model.0": np.zeros(2, "float32")}, path, metadata)
    return path


def assert_refused(path, match):
    with pytest.raises(CheckpointError, match=match) as error:
        read_facts(path)
    for part in ("state of a run", path.name, "--overwrite"):
        assert part in str(error.value)
    assert len(str(error.value)) < 700


def test_facts(tmp_path):
    assert read_facts(write(tmp_path, json.dumps(FACTS))) == FACTS


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_fact(tmp_path, name, value):
    path = write(tmp_path, json.dumps({**FACTS, name: value}))
    assert_refused(path, f"lacks or has a wrong {name}\\.")


@pytest.mark.parametrize("name", FACTS)
def test_a_missing_fact(tmp_path, name):
    path = write(
        tmp_path, json.dumps({n: x for n, x in FACTS.items() if n != name})
    )
    assert_refused(path, f"lacks or has a wrong {name}\\.")


@pytest.mark.parametrize(
    "text",
    [None, "", "{", "[]", "null", "[" * 100_000, "9" * 5000],
    ids=["no facts", "empty", "cut", "list", "null", "nested", "number"],
)
def test_no_facts(tmp_path, text):
    assert_refused(write(tmp_path, text), "can't be read")


def test_a_file_that_is_cut_off(tmp_path):
    path = write(tmp_path, json.dumps(FACTS))
    path.write_bytes(path.read_bytes()[:-3])
    assert_refused(path, "can't be read")


@pytest.mark.parametrize("value", [0.0, 2.5, -1e300, 1e300, float("inf")])
def test_a_curve_of_one_value(value):
    """A perplexity may be larger than what 0.5 makes a difference to."""
    assert "<polyline" in draw_learning_curve([{"step": 1, "loss": value}])
