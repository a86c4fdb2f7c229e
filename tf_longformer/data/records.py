"""Reads the records of a file, each with the place where it ends."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import BinaryIO
from typing import NamedTuple

# A file with a longer line isn't one of records.
LONGEST_LINE = 64 * 2**20


class Place(NamedTuple):
    """Where a record ends.

    Attributes:
        offset: int, bytes of the file up to there.
        line: int, lines up to there.
    """

    offset: int = 0
    line: int = 0


BEGIN = Place()


class Record(NamedTuple):
    """One record.

    Attributes:
        value: what JSON held; for CSV a dict of strings.
        line: int, the number of its first line, from 1.
        size: int, its bytes.
        end: `Place`.
    """

    value: Any
    line: int
    size: int
    end: Place


class Lines:
    """Lines of a file as text, counted.

    Args:
        file: the open file, at `place`.
        path: its path, for messages.
        place: `Place` to begin at.
    """

    def __init__(self, file: BinaryIO, path: Path, place: Place) -> None:
        self.place = place
        self._file = file
        self._path = path

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(LONGEST_LINE + 1):
            self.place = Place(
                self.place.offset + len(line), self.place.line + 1
            )
            if len(line) > LONGEST_LINE:
                raise bad_line(
                    self._path,
                    self.place.line,
                    f"A line must have at most {LONGEST_LINE} bytes. This one "
                    "has more. Cut the document.",
                )
            try:
                # Without the byte order mark that some editors write.
                coding = "utf-8-sig" if self.place.line == 1 else "utf-8"
                yield line.decode(coding)
            except UnicodeDecodeError as error:
                raise bad_line(
                    self._path,
                    self.place.line,
                    "A file must be UTF-8. Received: other bytes at byte "
                    f"{error.start} of the line. Encode it as UTF-8.",
                ) from error


def read_records(
    path: Path,
    start: Place = BEGIN,
    refused: Callable[[ValueError], None] | None = None,
) -> Iterator[Record]:
    """Reads a file of records, one after the other.

    Args:
        path: a file that ends in `.csv`, whose first line names the columns,
            or one of JSON lines. Empty lines are skipped.
        start: `Place` where a record begins. Defaults to the file's begin.
        refused: function that is called with the error of a line that is no
            record, after which the next one is read where that is possible.
            Defaults to raising it.

    Yields:
        `Record`.

    Raises:
        ValueError: a line that is no record, with its number.
    """
    refuse = _raise if refused is None else refused
    with open(path, "rb") as file:
        if path.suffix.lower() == ".csv":
            yield from _read_csv(file, path, start, refuse)
            return
        file.seek(start.offset)
        lines = Lines(file, path, start)
        before = start.offset
        for text in lines:
            if text.strip():
                try:
                    value = _parse(text, path, lines.place.line)
                except ValueError as error:
                    refuse(error)
                else:
                    size = lines.place.offset - before
                    yield Record(value, lines.place.line, size, lines.place)
            before = lines.place.offset


def _raise(error: ValueError) -> None:
    raise error


def _parse(text: str, path: Path, line: int) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error).partition(": line ")[0]
        raise bad_line(
            path,
            line,
            f"Each line must be a JSON value. Received: {text.strip()[:40]!r} "
            f"({reason}). Write one object a line.",
        ) from error


def _read_csv(
    file: BinaryIO,
    path: Path,
    start: Place,
    refuse: Callable[[ValueError], None],
) -> Iterator[Record]:
    previous = csv.field_size_limit(LONGEST_LINE)
    before = Place()
    try:
        header = Lines(file, path, before)
        names = next(csv.reader(iter(header), strict=True), [])
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise bad_line(
                path,
                1,
                "The first line must name each column once. Received: "
                f"{', '.join(twice)} more than once. Rename them.",
            )
        if not start.offset:
            start = header.place
        file.seek(start.offset)
        lines = Lines(file, path, start)
        before = start
        for row in csv.reader(iter(lines), strict=True):
            if row:
                if len(row) == len(names):
                    yield Record(
                        dict(zip(names, row, strict=True)),
                        before.line + 1,
                        lines.place.offset - before.offset,
                        lines.place,
                    )
                else:
                    message = (
                        f"A row must have the {len(names)} columns of the "
                        f"first line. Received: {len(row)}. Quote what holds "
                        "commas or line ends."
                    )
                    refuse(bad_line(path, before.line + 1, message))
            before = lines.place
    except csv.Error as error:
        raise bad_line(
            path,
            before.line + 1,
            f"The file must be CSV. Received: a row that isn't ({error}). "
            "Quote what holds commas, quotes or line ends, and end lines with "
            "a line feed.",
        ) from error
    finally:
        csv.field_size_limit(previous)


def bad_line(path: Path, line: int, message: str) -> ValueError:
    """Returns the error of a line.

    Args:
        path: the file.
        line: int, its number from 1.
        message: string, the rule, what was received, what to do.
    """
    return ValueError(f"{path}, line {line}: {message}")
