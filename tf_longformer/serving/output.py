"""A file that appears when it is whole, and is continued until then."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any
from typing import BinaryIO

from tf_longformer.serving.records import Place

if sys.platform != "win32":
    import fcntl

_BLOCK = 2**20


class ResumableOutput:
    """Results of the records of a file, written in pieces.

    Until all is there, the results lie in `NAME.partial`. What of them
    counts, and up to where the source is done, is in `NAME.partial.json`,
    which is replaced after each piece; whatever a killed process wrote after
    its last piece is cut off by the next one. While it is open no other
    process can open it; on Windows nobody looks.

    Args:
        path: the file to write. Of a link, the file that it leads to.
        source: the file that is read.
        settings: dict of JSON values that determine the results. Results of
            other settings aren't continued.
        overwrite: bool, whether to replace what is there: a whole file, or a
            partial one of other settings, of another source or of another
            program.

    Attributes:
        place: `Place` up to which the source is done.
        rows: int, results so far.

    Raises:
        FileExistsError: there is a whole file.
        ValueError: there is a partial file of something else, or one that
            another process writes; the source is one of the files to write,
            or one of these can't be replaced.
    """

    def __init__(
        self,
        path: Path,
        source: Path,
        settings: dict[str, Any],
        overwrite: bool,
    ) -> None:
        # Before links are followed, as those of /dev lead nowhere by name.
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
        for own in (path, self._partial, self._journal, self._draft):
            _check_regular(own)
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
            # Another run may just have finished it.
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
        # Before there are results, which are known as ours by their journal.
        self._write_journal(size)
        self._file.truncate(size)

    def __enter__(self) -> ResumableOutput:
        return self

    def __exit__(self, *exception: Any) -> None:
        if not self.rows and not self._file.closed:
            # There is nothing to go on with.
            self._journal.unlink(missing_ok=True)
            self._remove_partial()
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
        self._write_journal(os.fstat(self._file.fileno()).st_size)

    def finish(self) -> None:
        """Gives the file its name."""
        os.fsync(self._file.fileno())
        if sys.platform == "win32":
            self._file.close()
        # Before the lock goes, else another run might begin with it.
        os.replace(self._partial, self._path)
        self._journal.unlink(missing_ok=True)
        self._file.close()

    def _remove_partial(self) -> None:
        if sys.platform == "win32":
            # It doesn't remove open files.
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
        """Keeps other processes from the file, until this one lets go."""
        if sys.platform == "win32":
            return
        mine = False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # What was opened may have been renamed before it was locked.
            mine = os.path.samestat(
                os.fstat(self._file.fileno()), self._partial.stat()
            )
        except (BlockingIOError, FileNotFoundError):
            pass
        except OSError:
            # Some file systems have no locks.
            return
        if not mine:
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
        with open(self._draft, "w", encoding="utf-8") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self._draft, self._journal)

    def _find_state(self) -> dict[str, Any] | None:
        """Returns what an earlier run has left, if it can be continued."""
        present = os.fstat(self._file.fileno()).st_size
        if not present and not self._journal.exists():
            return None
        try:
            state = json.loads(self._journal.read_text("utf-8"))
            offset, _ = state["place"]
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
        except (ValueError, LookupError, TypeError) as error:
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
