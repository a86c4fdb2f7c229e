"""Results of all records of a file, in their order and in bounded memory."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from collections.abc import Hashable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import BinaryIO
from typing import NamedTuple
from typing import Protocol

import numpy as np

from tf_longformer.serving.output import ResumableOutput
from tf_longformer.serving.records import Record
from tf_longformer.serving.records import bad_line
from tf_longformer.serving.records import read_records
from tf_longformer.serving.tensors import to_lists

# What is sorted by length at a time, and done again if it is interrupted.
PIECE_ROWS = 512
PIECE_BYTES = 32 * 2**20
# Results of a piece lie on the disk if they are larger.
_IN_MEMORY = 32 * 2**20
_GZIP = b"\x1f\x8b"


class Row(NamedTuple):
    """A record as a model takes it.

    Attributes:
        inputs: whatever the predictor made of the record.
        length: int, tokens, or a guess at them.
        group: rows of another group can't be in its batch.
        alone: bool, whether no other row can.
    """

    inputs: Any
    length: int
    group: Hashable = None
    alone: bool = False


class Predictor(Protocol):
    """What turns records into results."""

    def settings(self) -> dict[str, Any]:
        """Returns JSON values that determine the results."""

    def prepare(self, value: Any) -> Row:
        """Checks what a record holds. Raises `ValueError`."""

    def run(self, rows: Sequence[Row]) -> list[Mapping[str, Any]]:
        """Returns arrays and JSON values by name, for each row.

        Raises `ValueError`.
        """


def predict_file(
    predictor: Predictor,
    source: str | os.PathLike,
    target: str | os.PathLike,
    *,
    batch_tokens: int = 8192,
    batch_rows: int = 64,
    overwrite: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Writes a line of JSON for each record of a file.

    Records are read in pieces, sorted by length, and go through the model in
    batches of like length; the lines come in the order of the records. The
    target appears when it is whole. Run again after an interruption, it goes
    on where it stopped, with the same batches, so that the result is the
    same.

    Args:
        predictor: `Predictor`.
        source: string or path, JSON lines or CSV.
        target: string or path of the JSON lines to write.
        batch_tokens: int, tokens of a batch with padding; a longer row is a
            batch alone. Defaults to `8192`.
        batch_rows: int, most rows of a batch. Defaults to `64`.
        overwrite: bool, whether an existing file is replaced. Defaults to
            `False`.
        progress: function that is called after each batch with the bytes of
            the source that are done, and the number of results. Defaults to
            none.

    Returns:
        The number of lines.

    Raises:
        FileExistsError: there is a file at `target`.
        OSError: a file can't be read or written.
        ValueError: a record isn't what the model takes; the message has the
            number of its line. What came before it is kept for the next run.
            Or `target` can't be written, see `ResumableOutput`.
    """
    source, target = Path(source), Path(target)
    # Before anything is written.
    with open(source, "rb") as file:
        if file.read(len(_GZIP)) == _GZIP:
            raise ValueError(
                f"The input must be text. Received: {source}, which is packed "
                "by gzip. Unpack it first: gunzip."
            )
    settings = {
        **predictor.settings(),
        "batch_tokens": batch_tokens,
        "batch_rows": batch_rows,
    }
    report = progress or (lambda offset, rows: None)
    with ResumableOutput(target, source, settings, overwrite) as output:
        report(output.place.offset, output.rows)
        records = read_records(source, output.place)
        for piece in _pieces(records):
            rows = [_prepare(predictor, record, source) for record in piece]
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as lines:
                spans: list[tuple[int, int]] = [(0, 0)] * len(rows)
                done = 0
                for batch in _batches(rows, batch_tokens, batch_rows):
                    chosen = [rows[index] for index in batch]
                    where = [piece[index].line for index in batch]
                    results = _run(predictor, chosen, where, source)
                    for index, result in zip(batch, results, strict=True):
                        spans[index] = _write(lines, result)
                    done += len(batch)
                    size = piece[-1].end.offset - output.place.offset
                    report(
                        output.place.offset + size * done // len(rows),
                        output.rows + done,
                    )
                with tempfile.SpooledTemporaryFile(_IN_MEMORY) as ordered:
                    for start, size in spans:
                        lines.seek(start)
                        ordered.write(lines.read(size))
                    ordered.seek(0)
                    output.append(ordered, len(rows), piece[-1].end)
            report(output.place.offset, output.rows)
        output.finish()
        return output.rows


def _pieces(records: Iterator[Record]) -> Iterator[list[Record]]:
    piece: list[Record] = []
    size = 0
    for record in records:
        piece.append(record)
        size += record.size
        if len(piece) == PIECE_ROWS or size >= PIECE_BYTES:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece


def _prepare(predictor: Predictor, record: Record, source: Path) -> Row:
    try:
        return predictor.prepare(record.value)
    except ValueError as error:
        raise bad_line(source, record.line, str(error)) from error


def _batches(
    rows: Sequence[Row], most_tokens: int, most_rows: int
) -> Iterator[list[int]]:
    """Returns places of rows of one group and like length."""
    groups: dict[Hashable, list[int]] = {}
    for index, row in enumerate(rows):
        groups.setdefault(row.group, []).append(index)
    for places in groups.values():
        batch: list[int] = []
        # The longest is the first and says how many fit.
        for index in sorted(places, key=lambda i: (-rows[i].length, i)):
            fits = (len(batch) + 1) * rows[(batch or [index])[0]].length
            full = fits > most_tokens or len(batch) == most_rows
            if batch and (full or rows[index].alone):
                yield batch
                batch = []
            batch.append(index)
        yield batch


def _run(
    predictor: Predictor,
    rows: Sequence[Row],
    lines: Sequence[int],
    source: Path,
) -> list[Mapping[str, Any]]:
    try:
        return predictor.run(rows)
    except ValueError:
        # To say which row it was; one must fail alone, too.
        for row, line in zip(rows, lines, strict=True):
            try:
                predictor.run([row])
            except ValueError as error:
                raise bad_line(source, line, str(error)) from error
        raise


def _write(file: BinaryIO, result: Mapping[str, Any]) -> tuple[int, int]:
    start = file.seek(0, os.SEEK_END)
    before = b"{"
    for name, value in result.items():
        file.write(before + _json(name) + b": ")
        before = b", "
        if isinstance(value, np.ndarray) and value.ndim > 1 and value.size:
            # The logits of a document can be larger as lists than the memory.
            for index, part in enumerate(value):
                file.write(b", " if index else b"[")
                file.write(_json(to_lists(part, name)))
            file.write(b"]")
        elif isinstance(value, np.ndarray):
            file.write(_json(to_lists(value, name)))
        else:
            file.write(_json(value))
    file.write(b"}\n")
    return start, file.tell() - start


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def identity(model: Path, patterns: Iterable[str]) -> dict[str, list[int]]:
    """Returns what changes when a model is saved again.

    Args:
        model: the model's folder or file.
        patterns: strings, globs of what the model is made of in its folder.
            Input and output may lie there too.

    Returns:
        Dict of size and time of change, by file; empty if it is elsewhere.
    """
    paths = {model}
    if model.is_dir():
        paths = {path for glob in patterns for path in model.glob(glob)}
    return {
        str(path.relative_to(model)): [stat.st_size, stat.st_mtime_ns]
        for path in sorted(paths)
        if path.is_file()
        for stat in (path.stat(),)
    }
