"""The main job from end to end, small."""

import json
import os
import subprocess
import sys

import pytest

from tf_longformer.quickstart.output import ENTRIES

SMALL = [
    "--documents=12",
    "--max-length=256",
    "--steps=6",
    "--vocab-size=400",
]


def _environment():
    """The user's, who hasn't set TensorFlow's log level."""
    inherited = dict(os.environ)
    inherited.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return inherited


def _quickstart(folder, *options):
    finished = subprocess.run(
        [
            sys.executable,
            "-c",
            "from tf_longformer.cli.app import main; main()",
            "quickstart",
            "--output=out",
            *options,
        ],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    report = json.loads((folder / "out" / "report.json").read_text())
    return finished, report


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("quickstart")
    return folder, *_quickstart(folder, *SMALL)


def test_no_step_is_left_out(small):
    _, finished, report = small
    assert list(report["accuracy"]) == [
        "majority class",
        "bag of words, whole document",
        "Longformer, 128 tokens",
        "Longformer, 256 tokens",
    ]
    assert report["corpus"]["held_out"] >= 2 * 4
    assert set(report["checks"]) == {"reloaded", "saved_model"}
    for text in (
        "median tokens",
        "document begins",
        "loaded again:",
        "run by TensorFlow alone:",
        "Everything lies in out",
    ):
        assert text in finished.stdout


def test_it_writes_its_folder_and_nothing_else(small):
    folder, _, _ = small
    assert [path.name for path in folder.iterdir()] == ["out"]
    assert {path.name for path in (folder / "out").iterdir()} == set(ENTRIES)


def test_nothing_but_the_report_is_on_the_terminal(small):
    _, finished, _ = small
    assert "WARNING" not in finished.stdout + finished.stderr
    assert "tensorflow/" not in finished.stderr


def test_the_snippet_that_it_ends_with_runs(small):
    folder, finished, _ = small
    lines = finished.stdout.split("\n")
    start = next(n for n, x in enumerate(lines) if "import pathlib" in x)
    end = next(n for n, x in enumerate(lines) if "print(model" in x)
    snippet = "\n".join(line[2:] for line in lines[start : end + 1])
    ran = subprocess.run(
        [sys.executable, "-c", snippet],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    projects = small[2]["corpus"]["projects"]
    assert ran.stdout.strip().split("\n")[-1] in projects


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_beats_the_majority_class_clearly(tmp_path, seed):
    _, report = _quickstart(tmp_path, f"--seed={seed}")
    accuracy = report["accuracy"]
    full = accuracy["Longformer, 2,048 tokens"]
    assert full >= accuracy["majority class"] + 0.3
    assert report["cost"]["peak_memory_gb"] < 4.0
