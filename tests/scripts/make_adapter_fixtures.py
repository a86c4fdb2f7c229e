"""Makes `tests/checkpoints/adapters.tar.xz`; runs where PEFT is.

Usage, in an environment with the requirements of transformers 5
(tests/oracles has them):

    python tests/scripts/make_adapter_fixtures.py

The archive has the cases of `tests/oracles/adapter_worker.py`.
"""

from __future__ import annotations

import sys
import tarfile
import tempfile
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "oracles"))

import adapter_worker  # noqa: E402


def main() -> None:
    """Writes the archive."""
    with tempfile.TemporaryDirectory() as folder:
        adapter_worker.main("write", Path(folder))
        for path in Path(folder).rglob("README.md"):
            path.unlink()
        target = TESTS / "checkpoints" / "adapters.tar.xz"
        with tarfile.open(target, "w:xz") as archive:
            for path in sorted(Path(folder).iterdir()):
                archive.add(path, path.name)


if __name__ == "__main__":
    main()
