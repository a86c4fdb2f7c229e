"""A file that appears when it is whole, and is continued until then."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any
from typing import BinaryIO

from tf_longformer.serving.records import Place

_BLOCK = 2**20


class ResumableOutput:
    """Results of the records of a file, written in pieces.

    Until all is there, the results lie in `NAME.partial`. What of them
    counts, and up to where the source is done, is in `NAME.partial.json`,
    which is replaced after each piece; whatever a killed process wrote after
    its last piece is cut off by the next one.

    Args:
        path: the file to write.
        source: the file that is read.
        settings: dict of JSON values that determine the results. Results of
            other settings aren't continued.
        overwrite: bool, whether to replace what is there: a whole file, or a
            partial one of other settings or another source.

    Attributes:
        place: `Place` up to which the source is done.
        rows: int, results so far.

    Raises:
        FileExistsError: there is a whole file.
        ValueError: there is a partial file of something else.
    """

    def __init__(
        self,
        path: Path,
        source: Path,
        settings: dict[str, Any],
        overwrite: bool,
    ) -> None:
        if path.is_dir() or (path.exists() and not overwrite):
            raise FileExistsError(
                "An existing file is replaced only on request. Received: "
                f"{path}. Give another path or ask to overwrite it."
            )
        self._path = path
        self._source = source
        self._settings = settings
        self._partial = path.with_name(f"{path.name}.partial")
        self._journal = path.with_name(f"{path.name}.partial.json")
        self._hash = hashlib.sha256()
        self.place = Place()
        self.rows = 0
        size = 0
        state = self._find_state(overwrite)
        if state is not None:
            self.place = Place(*state["place"])
            self.rows, size = state["rows"], state["size"]
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(self._partial, "ab")
        self._file.truncate(size)

    def __enter__(self) -> ResumableOutput:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._file.close()

    def append(self, lines: BinaryIO, rows: int, place: Place) -> None:
        """Adds a piece; from now on it counts.

        Args:
            lines: file of the results, at its start.
            rows: int, how many there are.
            place: `Place` of the source after the last record of it.
        """
        while block := lines.read(_BLOCK):
            self._file.write(block)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._read_source(place.offset)
        self.place = place
        self.rows += rows
        state = {
            "settings": self._settings,
            "place": list(place),
            "rows": self.rows,
            "size": os.fstat(self._file.fileno()).st_size,
            "source": self._hash.hexdigest(),
        }
        draft = self._journal.with_name(f"{self._journal.name}.new")
        with open(draft, "w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, self._journal)

    def finish(self) -> None:
        """Gives the file its name."""
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._partial, self._path)
        self._journal.unlink(missing_ok=True)

    def _find_state(self, overwrite: bool) -> dict[str, Any] | None:
        """Returns what an earlier run has left, if it can be continued."""
        if not self._partial.exists() or not self._journal.exists():
            return None
        try:
            state = json.loads(self._journal.read_text("utf-8"))
            offset, _ = state["place"]
            self._read_source(offset)
            reason = "it is of other options, or the model has changed"
            if state["settings"] == self._settings:
                reason = "the input has changed since"
                if state["source"] == self._hash.hexdigest():
                    reason = "it has lost lines"
                    if self._partial.stat().st_size >= state["size"]:
                        return state
        except (ValueError, LookupError, TypeError) as error:
            reason = f"its journal is damaged: {error}"
        self._hash = hashlib.sha256()
        if overwrite:
            return None
        raise ValueError(
            "Results are continued only as they were begun. Received: "
            f"{self._partial} ({reason}). Run it as before, remove that file, "
            "or ask to overwrite it."
        )

    def _read_source(self, end: int) -> None:
        """Hashes the source from where the last piece ended."""
        start = self.place.offset
        with open(self._source, "rb") as file:
            file.seek(start)
            while start < end:
                block = file.read(min(_BLOCK, end - start))
                if not block:
                    break
                self._hash.update(block)
                start += len(block)
