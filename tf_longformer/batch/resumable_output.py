"""The file of results, which appears when it is whole, and can be resumed."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any
from typing import BinaryIO

from tf_longformer import atomic
from tf_longformer import folders
from tf_longformer.data.records import Place

_BLOCK = 2**20


class ResumableOutput:
    """Results of the records of a file, written in pieces.

    Until all is there, the results lie in `NAME.partial`. A journal,
    `NAME.partial.json`, says how many of its bytes count and up to where the
    source is done. It is replaced after each piece; what a killed process
    wrote after that is cut off by the next one. While the output is open, a
    lock keeps other processes from it, except on Windows, which has no such
    locks.

    Args:
        path: the file to write; for a link, the file that it leads to.
        source: the file that is read.
        settings: dict of JSON values that the results depend on. Results of
            other settings aren't continued.
        overwrite: bool, whether to replace what is there: a whole file, or a
            partial one of other settings, of another source or of another
            program.
        header: bytes that the file begins with until `finish` is given
            others. Defaults to none.

    Attributes:
        place: `Place` up to which the source is done.
        rows: int, results so far.

    Raises:
        FileExistsError: there is a whole file.
        ValueError: there is a partial file of something else, or one that
            another process writes; the source is one of the files to write,
            or one of these can't be replaced, or is a link.
    """

    def __init__(
        self,
        path: Path,
        source: Path,
        settings: dict[str, Any],
        overwrite: bool,
        header: bytes = b"",
    ) -> None:
        # Before links are followed: a link such as /dev/stdout leads to a name
        # that isn't a path.
        _check_regular(path)
        path = Path(os.path.realpath(path))
        self._path = path
        self._source = source
        self._settings = settings
        self._overwrite = overwrite
        self._partial = path.with_name(f"{path.name}.partial")
        self._journal = path.with_name(f"{path.name}.partial.json")
        self._draft = path.with_name(f"{path.name}.partial.json.new")
        self._hash = hashlib.sha256()
        self.place = Place()
        self.rows = 0
        _check_regular(path)
        others = (self._partial, self._journal, self._draft)
        for own in others:
            _check_own(own)
        for own in (path, *others):
            if own.exists() and own.samefile(source):
                raise ValueError(
                    "The results must have a file of their own. Received: "
                    f"{path}, for which {own.name} is written, and that is "
                    "the input. Give another path."
                )
        self._check_free()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: BinaryIO = open(self._partial, "ab")
        try:
            self._lock()
        except BaseException:
            self._file.close()
            raise
        try:
            # Again, as another run may just have finished the file.
            self._check_free()
            state = self._find_state()
        except BaseException:
            if not os.fstat(self._file.fileno()).st_size:
                self._remove_partial()
            self._file.close()
            raise
        size = 0
        if state is not None:
            self.place = Place(*state["place"])
            self.rows, size = state["rows"], state["size"]
        # The journal first: a partial file without one is taken for another
        # program's.
        self._write_journal(size)
        self._file.truncate(size)
        if not size:
            self._file.write(header)

    def __enter__(self) -> ResumableOutput:
        return self

    def __exit__(self, *exception: Any) -> None:
        if not self.rows and not self._file.closed:
            # Nothing to resume is left behind.
            self._journal.unlink(missing_ok=True)
            self._remove_partial()
        self._file.close()

    def append(self, lines: BinaryIO, rows: int, place: Place) -> None:
        """Adds a piece, which is not done again after an interruption.

        Args:
            lines: file of the results, at its start.
            rows: int, how many results there are.
            place: `Place` in the source after the last record of the piece.
        """
        while block := lines.read(_BLOCK):
            self._file.write(block)
        self._file.flush()
        os.fsync(self._file.fileno())
        self._read_source(place.offset)
        self.place = place
        self.rows += rows
        self._write_journal(os.fstat(self._file.fileno()).st_size)

    def finish(self, header: bytes = b"") -> None:
        """Gives the file its name, and a header in the place of the first."""
        self._file.flush()
        # A second time, as what is open can only be appended to.
        with open(self._partial, "r+b") as file:
            file.write(header)
        os.fsync(self._file.fileno())
        if sys.platform == "win32":
            self._file.close()
        # Closed after it is renamed: with the lock gone, another run could
        # open it.
        os.replace(self._partial, self._path)
        self._journal.unlink(missing_ok=True)
        self._file.close()

    def _remove_partial(self) -> None:
        if sys.platform == "win32":
            # Windows doesn't remove open files.
            self._file.close()
        self._partial.unlink(missing_ok=True)

    def _check_free(self) -> None:
        if self._path.exists() and not self._overwrite:
            raise FileExistsError(
                "An existing file is replaced only on request. Received: "
                f"{self._path}. Give another path or ask to overwrite it "
                "(--overwrite)."
            )

    def _lock(self) -> None:
        """Locks the file until it is closed."""
        if not atomic.lock_file(self._file, self._partial):
            raise ValueError(
                "A file can be written by one run at a time. Received: "
                f"{self._path}, which another one is writing. Wait for that, "
                "or give another path."
            )

    def _write_journal(self, size: int) -> None:
        state = {
            "settings": self._settings,
            "place": list(self.place),
            "rows": self.rows,
            "size": size,
            "source": self._hash.hexdigest(),
        }
        atomic.write_text(self._journal, json.dumps(state), self._draft)

    def _find_state(self) -> dict[str, Any] | None:
        """Returns what an earlier run has left, if it can be continued."""
        present = os.fstat(self._file.fileno()).st_size
        if not present and not self._journal.exists():
            return None
        try:
            state = json.loads(folders.read_text(self._journal))
            offset, _ = state["place"]
            if not all(
                type(count) is int and count >= 0
                for count in (*state["place"], state["rows"], state["size"])
            ):
                raise ValueError("it counts otherwise")
            if not present or not state["rows"]:
                return None
            self._read_source(offset)
            reason = "it is of other options, or the model has changed"
            if state["settings"] == self._settings:
                reason = "the input has changed since"
                if state["source"] == self._hash.hexdigest():
                    reason = "it has lost lines"
                    if present >= state["size"]:
                        return state
        except FileNotFoundError:
            reason = "its journal isn't beside it; is it another program's?"
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            reason = f"its journal is damaged: {error}"
        self._hash = hashlib.sha256()
        if self._overwrite:
            return None
        raise ValueError(
            "Results are continued only as they were begun. Received: "
            f"{self._partial} ({reason}). Run it as before, remove that file, "
            "or ask to overwrite it (--overwrite)."
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


def _check_regular(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise ValueError(
            "Results are written to a regular file. Received: "
            f"{path}, which is a folder, a pipe or a device. Give another "
            "path."
        )


def _check_own(path: Path) -> None:
    """Raises if what is written to on the way isn't a file of its own.

    The folder may be a stranger's, who put a link there.
    """
    if not folders.is_own_file_or_missing(path):
        raise ValueError(
            "Until results are whole they are written to a file of its own. "
            f"Received: {path}, which is a link, or no file. Remove it, or "
            "give another path."
        )
