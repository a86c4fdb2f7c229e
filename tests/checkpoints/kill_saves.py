"""Kills processes that replace a checkpoint; runs without a backend.

Usage: python kill_saves.py OLD NEW SCRATCH COUNT SEED

OLD and NEW are checkpoints that differ in config and weights, SCRATCH an
empty folder. Prints how often the folder held the old one and the new one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkpoints import files  # noqa: E402

from tf_longformer.checkpoints import conversion  # noqa: E402
from tf_longformer.checkpoints.locate import locate  # noqa: E402

HEAD = "ForTokenClassification"
SHARDS = ("5GB", "2KB")


def contents(folder: Path) -> dict:
    _, arrays = files.load(folder, HEAD)
    return {path: array.tobytes() for path, array in arrays.items()}


def save(source: Path, folder: Path, shards: str) -> None:
    conversion.convert(locate(source), folder, max_shard_size=shards)


def main(old: Path, new: Path, scratch: Path, count: int, seed: int) -> None:
    rng = random.Random(seed)
    versions = [old, new]
    states = [contents(version) for version in versions]
    folder = scratch / "saved"
    save(old, folder, SHARDS[0])
    start = time.perf_counter()
    save(new, scratch / "timed", SHARDS[1])
    longest = time.perf_counter() - start
    held = 0
    # How long a save takes depends on what else the machine does, so the
    # moments follow: later after a save that was killed, earlier after one
    # that came through.
    results = {"old": 0, "new": 0}
    for _ in range(count):
        shards = rng.choice(SHARDS)
        child = os.fork()
        if child == 0:
            save(versions[1 - held], folder, shards)
            os._exit(0)
        time.sleep(rng.uniform(0, 1.5 * longest))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        longest *= 1.25 if os.WIFSIGNALED(status) else 0.8
        found = contents(folder)
        assert found in states, "neither the old one nor the new one"
        now = states.index(found)
        results["old" if now == held else "new"] += 1
        held = now
    # What was left half-written does no harm.
    save(versions[1 - held], folder, SHARDS[0])
    assert contents(folder) == states[1 - held]
    print(json.dumps(results))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), int(sys.argv[4]), int(sys.argv[5]))
