"""The folder that a quickstart writes: whole, or as it was."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tf_longformer import atomic
from tf_longformer.errors import shown

# All that a quickstart writes.
REPORT = "report.json"
DOCUMENTS = "documents.jsonl"
HELD_OUT = "held_out.jsonl"
PAGE = "explain.html"
ENTRIES = ("model", "savedmodel", DOCUMENTS, HELD_OUT, PAGE, REPORT)


@contextlib.contextmanager
def filled_output(output: Path, overwrite: bool) -> Iterator[Path]:
    """Lends a folder whose content moves to `output` when the block ends.

    If the block fails or is interrupted, `output` stays as it was. Other
    files in `output` are never touched.

    Args:
        output: `Path`.
        overwrite: bool. Whether to write into a folder that holds something
            else than an earlier quickstart.

    Yields:
        `Path` of the folder to fill with some of `ENTRIES`.

    Raises:
        ValueError: `output` is a file, or holds other things and `overwrite`
            is false.
    """
    output = output.absolute()

    def check() -> None:
        _check_output(output, overwrite)

    check()
    with atomic.replacing_entries(output, ENTRIES, output, check) as folder:
        yield folder


def _check_output(output: Path, overwrite: bool) -> None:
    if output.exists() and not output.is_dir():
        raise ValueError(
            f"The output must be a folder. Received: {output}, which is a "
            "file. Choose another with --output."
        )
    if overwrite or not output.is_dir():
        return
    found = sorted(entry.name for entry in output.iterdir())
    others = [name for name in found if name not in ENTRIES]
    if found and (others or REPORT not in found):
        raise ValueError(
            "The output folder must be empty, new, or an earlier quickstart. "
            f"Received: {output}, which holds {shown((others or found)[0])}. "
            "Choose another with --output, or add --overwrite to replace "
            f"{', '.join(ENTRIES)} in it and leave the rest."
        )
