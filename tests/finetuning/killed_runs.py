"""Kills runs of fine-tuning at random moments, and has them go on.

    python tests/finetuning/killed_runs.py FOLDER [KILLS [SEED]]

A run that is never killed is made first. Then others are, with `kill -9`, at
moments drawn from the whole run and from the moments at which files are
written, and are resumed until they end. All must end with the same bits. The
same file, called with `--run FOLDER OUTPUT`, is such a run.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

TESTS = Path(__file__).parents[1]
FILES = ("training_state.safetensors", "model.safetensors")


def run(folder: Path, output: Path) -> None:
    """Trains, or goes on, in this process."""
    import tensorflow as tf

    from tf_longformer.finetuning.arguments import Arguments
    from tf_longformer.finetuning.fine_tune import fine_tune

    # To trace such a model takes longer than to train it.
    tf.config.run_functions_eagerly(True)
    fine_tune(
        Arguments(
            task="masked-lm",
            model=str(folder / "source"),
            train=folder / "train.jsonl",
            eval=folder / "dev.jsonl",
            output=output,
            batch_size=4,
            accumulate=2,
            epochs=3,
            eval_steps=1,
            learning_rate=5e-3,
            deterministic=True,
            resume=True,
        ),
        verbose=0,
    )


def start(folder: Path, output: Path) -> subprocess.Popen:
    """Starts a process that does it."""
    paths = [str(TESTS), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.Popen(
        [sys.executable, __file__, "--run", str(folder), str(output)],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def wait(process: subprocess.Popen) -> None:
    """Waits for a run that must end by itself."""
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()[-2000:]


def kill(process: subprocess.Popen, after: float, watch: Path | None) -> bool:
    """Kills a run some seconds from now, or as soon as a file is begun.

    Returns whether it was still running.
    """
    end = time.monotonic() + after
    while time.monotonic() < end and process.poll() is None:
        time.sleep(0.001)
    while watch is not None and process.poll() is None:
        # A draft, or a folder of new files.
        if any(".tmp" in x.name or ".tf-" in x.name for x in _list(watch)):
            break
    running = process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return running


def _list(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def equal(one: Path, other: Path) -> bool:
    """Whether two runs have ended with the same bits."""
    for name in FILES:
        ours, theirs = (load_file(folder / name) for folder in (one, other))
        if ours.keys() != theirs.keys() or not all(
            np.array_equal(ours[key], theirs[key]) for key in ours
        ):
            return False
    return True


def check(folder: Path, kills: int, seed: int) -> int:
    """Makes all runs; returns how many kills met one that still ran."""
    from helpers import small_tasks

    small_tasks.write_model(folder / "source")
    small_tasks.write(folder / "train.jsonl", "masked-lm", 24, 0)
    small_tasks.write(folder / "dev.jsonl", "masked-lm", 8, 1)
    began = time.monotonic()
    whole = folder / "whole"
    wait(start(folder, whole))
    seconds = time.monotonic() - began
    rng = np.random.default_rng(seed)
    killed = 0
    for number in range(kills):
        output = folder / f"killed-{number}"
        process = start(folder, output)
        watch = output if number % 2 else None
        # Most of a run is to import and to trace.
        killed += kill(process, seconds * rng.uniform(0.5, 1.0), watch)
        wait(start(folder, output))
        same = equal(whole, output)
        print(f"kill {number + 1}: {'the same' if same else 'OTHER'} bits")
        assert same, output
    return killed


def main() -> None:
    sys.path.insert(0, str(TESTS))
    first, *rest = sys.argv[1:]
    if first == "--run":
        run(*map(Path, rest))
        return
    kills, seed = [*map(int, rest), *(30, 0)[len(rest) :]]
    Path(first).mkdir(parents=True, exist_ok=True)
    killed = check(Path(first), kills, seed)
    print(f"{killed} of {kills} runs were killed, and ended bit for bit")


if __name__ == "__main__":
    main()
