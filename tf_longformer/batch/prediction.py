"""Predicts for all records of a file, in their order, in bounded memory."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from typing import Protocol

from tf_longformer.batch.result_formats import JsonLines
from tf_longformer.batch.result_formats import ResultFormat
from tf_longformer.batch.resumable_output import ResumableOutput
from tf_longformer.batch.rows import Row
from tf_longformer.batch.rows import batches
from tf_longformer.data.records import Record
from tf_longformer.data.records import bad_line
from tf_longformer.data.records import read_records

# Records are read, sorted by length and written in pieces of this size. A piece
# that is interrupted is done again.
PIECE_ROWS = 512
PIECE_BYTES = 32 * 2**20
# Results of a piece lie in memory up to this size, then on the disk.
_MOST_IN_MEMORY = 32 * 2**20
_GZIP = b"\x1f\x8b"


class Predictor(Protocol):
    """What turns records into results."""

    def settings(self) -> dict[str, Any]:
        """Returns, as JSON values, all that the results depend on."""

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
    result_format: ResultFormat | None = None,
) -> int:
    """Writes a result for each record of a file.

    Records are read in pieces, sorted by length, and go through the model in
    batches of like length; results come in the order of the records. The
    target appears when it is whole. Run again after an interruption, it goes
    on where it stopped, with the same batches, so that the result is the
    same.

    Args:
        predictor: `Predictor`.
        source: string or path, JSON lines or CSV.
        target: string or path of the file to write.
        batch_tokens: int, tokens of a batch with padding; a longer row is a
            batch alone. Defaults to `8192`.
        batch_rows: int, most rows of a batch. Defaults to `64`.
        overwrite: bool, whether an existing file is replaced. Defaults to
            `False`.
        progress: function that is called after each batch with the bytes of
            the source that are done, and the number of results. Defaults to
            none.
        result_format: `ResultFormat`. Defaults to JSON lines.

    Returns:
        The number of results.

    Raises:
        FileExistsError: there is a file at `target`.
        OSError: a file can't be read or written.
        ValueError: a record isn't what the model takes; the message has the
            number of its line. What came before it is kept for the next run.
            Or `target` can't be written, see `ResumableOutput`.
    """
    source, target = Path(source), Path(target)
    # Checked before anything is written.
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
    if result_format is None:
        result_format = JsonLines()
    header = result_format.header
    with ResumableOutput(
        target, source, settings, overwrite, header(0)
    ) as output:
        report(output.place.offset, output.rows)
        records = read_records(source, output.place)
        for piece in _pieces(records):
            rows = [_prepare(predictor, record, source) for record in piece]
            size = piece[-1].end.offset - output.place.offset
            with (
                tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY) as lines,
                tempfile.SpooledTemporaryFile(_MOST_IN_MEMORY) as ordered,
            ):
                # Where the result of each row begins, and how long it is.
                spans: list[tuple[int, int]] = [(0, 0)] * len(rows)
                done = 0
                for batch in batches(rows, batch_tokens, batch_rows):
                    chosen = [rows[index] for index in batch]
                    numbers = [piece[index].line for index in batch]
                    results = _run(predictor, chosen, numbers, source)
                    for index, result in zip(batch, results, strict=True):
                        start = lines.seek(0, os.SEEK_END)
                        result_format.write(lines, result)
                        spans[index] = start, lines.tell() - start
                    done += len(batch)
                    report(
                        output.place.offset + size * done // len(rows),
                        output.rows + done,
                    )
                for start, length in spans:
                    lines.seek(start)
                    ordered.write(lines.read(length))
                ordered.seek(0)
                output.append(ordered, len(rows), piece[-1].end)
            report(output.place.offset, output.rows)
        output.finish(header(output.rows))
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


def _run(
    predictor: Predictor,
    rows: Sequence[Row],
    lines: Sequence[int],
    source: Path,
) -> list[Mapping[str, Any]]:
    try:
        return predictor.run(rows)
    except ValueError:
        # The error doesn't say which row of the batch it is about. Run alone,
        # that row fails again.
        for row, line in zip(rows, lines, strict=True):
            try:
                predictor.run([row])
            except ValueError as error:
                raise bad_line(source, line, str(error)) from error
        raise


def fingerprint(model: Path, patterns: Iterable[str]) -> dict[str, list[int]]:
    """Returns what tells a model from the same one, saved again.

    Args:
        model: the model's folder or file.
        patterns: globs of the model's files in the folder, as the input and
            the output may lie there, too.

    Returns:
        Size and time of change by file; empty for an id of the hub.
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
