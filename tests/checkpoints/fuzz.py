"""Loads damaged copies of a checkpoint; runs in a process of its own.

Usage: python fuzz.py FOLDER HEAD COUNT SEED

The process has a bound on its memory, and no backend. Prints how many copies
were rejected and how many loaded (numbers may change unseen). Anything but
our error ends it.
"""

from __future__ import annotations

import json
import random
import resource
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from checkpoints import files  # noqa: E402

from tf_longformer.checkpoints import hdf5_listing  # noqa: E402
from tf_longformer.errors import CheckpointError  # noqa: E402

# Beside the checkpoint's few kilobytes: what the libraries take.
MEMORY = 2 << 30
ABSURD = (0, 1, 0x7F, 0xFF, 0x80, 0x40)


def damage(data: bytes, rng: random.Random) -> bytes:
    """Returns a file with something wrong."""
    kind = rng.randrange(7)
    place = rng.randrange(max(1, len(data)))
    # Heads of files are what decides on sizes.
    if rng.random() < 0.5:
        place = rng.randrange(max(1, min(len(data), 2048)))
    if kind == 0:
        return data[:place]
    if kind == 1:
        flipped = bytearray(data)
        for _ in range(rng.randint(1, 8)):
            flipped[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        return bytes(flipped)
    if kind == 2:
        width = rng.choice((1, 2, 4, 8))
        wild = bytes(rng.choice(ABSURD) for _ in range(width))
        return data[:place] + wild + data[place + width :]
    if kind == 3:
        length = rng.randint(1, 64)
        return data[:place] + data[place + length :]
    if kind == 4:
        other = rng.randrange(len(data))
        piece = data[other : other + rng.randint(1, 256)]
        return data[:place] + piece + data[place:]
    if kind == 5:
        noise = rng.randbytes(rng.randint(1, 32))
        return data[:place] + noise + data[place + len(noise) :]
    digits = [i for i, b in enumerate(data[:4096]) if 48 <= b < 58]
    if not digits:
        return data[:place]
    at = rng.choice(digits)
    return data[:at] + rng.choice((b"9" * 18, b"-1", b"1e9")) + data[at + 1 :]


def load(folder: Path, head: str) -> str:
    """Loads a checkpoint; a weight that loads has the model's shape."""
    try:
        _, arrays = files.load(folder, head)
    except CheckpointError:
        return "rejected"
    except (ValueError, OSError) as error:
        # A config that isn't one; the files of weights have one error.
        if "onfig" in str(error) or "Longformer" in str(error):
            return "rejected"
        raise
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    return "loaded"


def main(source: Path, head: str, count: int, seed: int) -> None:
    """Loads `count` copies, each with one damaged file."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    hdf5_listing.SECONDS = 2
    rng = random.Random(seed)
    names = sorted(
        path.name for path in source.iterdir() if path.name != "config.json"
    )
    results = {"rejected": 0, "loaded": 0}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(count):
            folder = Path(scratch) / str(number)
            shutil.copytree(source, folder)
            path = folder / rng.choice(names)
            for _ in range(rng.choice((1, 1, 2))):
                path.write_bytes(damage(path.read_bytes() or b"\0", rng))
            try:
                results[load(folder, head)] += 1
            except BaseException:
                print("failed:", seed, number, path.name, file=sys.stderr)
                raise
            shutil.rmtree(folder)
    print(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
