"""All-or-nothing writes: a reader finds the old files or the new ones.

It never finds some of each or half of one, also if the writer fails. There are
three ways. Which one to take depends on what is replaced and on who reads it:

- `replacing_file` replaces one file (`write_text` one of text). It is written
  beside the old one and renamed.
- `replacing_files` replaces several files of a folder in one step, even if the
  process is killed. Readers must ask `find` where a file is, and read several
  files within `of_one_save`.
- `replacing_entries` replaces files and whole folders, for readers that know
  nothing of this module, such as TensorFlow Serving. They are renamed one
  after another; if one can't be, all are put back. A process that is killed
  between two renames leaves some of each.

How `replacing_files` works: the new files are written to a folder of their
own, `.tf-longformer-<id>`, in the folder. Then a journal is written beside
it that says which names they take and which old files go. From this moment
on the folder has the new files: `find` reads the journal and finds them
where they are. They are moved to their names afterwards; if the process is
killed before that is done, the next writer does it.

A folder may come from a stranger, and so may its journal. So a journal may
only move files from a folder within to plain names in the folder, or in one
folder of it. None of these folders may be a link, nor may a file be one, of
either kind. If it says anything else, that is an error, and nothing is
touched.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO
from typing import NamedTuple
from typing import TypeVar

from tf_longformer import folders
from tf_longformer.errors import shown

JOURNAL = ".tf-longformer-journal.json"
_PREFIX = ".tf-longformer-"
_STAGING = re.compile(re.escape(_PREFIX) + r"[0-9a-f]{32}")
_DRAFT = re.compile(_STAGING.pattern + r"(\.[^.]*)*")
_LONGEST_JOURNAL = 1 << 24
_DEEPEST_NAME = 2
# A process that still writes has changed a file more lately than that.
_ABANDONED_SECONDS = 600
# How often files are read that are replaced meanwhile, and the pause between.
_MOST_READS = 50
_PAUSE_SECONDS = 0.05
# A folder that is just being replaced is met without its files once, not that
# often.
_MOST_ABSENCES = 5
# Times of files go on in steps of at most that.
_TICK_SECONDS = 0.01
# How long a writer waits for another one, and how often it looks.
_LOCK_SECONDS = 600
_LOCK_PAUSE_SECONDS = 0.1
# Of a disk, a user's share of it, and a file.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Result = TypeVar("Result")


def write_text(
    path: str | os.PathLike, text: str, draft: str | os.PathLike | None = None
) -> None:
    """Replaces a text file, in UTF-8; see `replacing_file`."""
    with replacing_file(path, draft) as new:
        new.write_text(text, "utf-8")


@contextlib.contextmanager
def replacing_file(
    path: str | os.PathLike, draft: str | os.PathLike | None = None
) -> Iterator[Path]:
    """Replaces a file; no reader sees half of it.

    Args:
        path: the file to make or to replace.
        draft: the file that is written first and then renamed, in the same
            folder. Defaults to a new name each time, with the extensions of
            `path`, so that two writers don't share one; what killed processes
            leave is removed by later ones. A caller that is the only writer
            passes a fixed name.

    Yields:
        `Path` of the draft, for the block to write.

    Raises:
        OSError: if it can't be written; the old file stays, and the error
            names it.
    """
    if draft is None:
        path = Path(path)
        _remove_abandoned(path.parent)
        draft = path.with_name(_new_name() + "".join(path.suffixes))
    new = Path(draft)
    # It may be a link, which must not be written through.
    new.unlink(missing_ok=True)
    try:
        yield new
        _flush(new)
        os.replace(new, path)
        _flush(new.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            new.unlink()
        _name_path(error, path)
        raise


def _name_path(error: BaseException, path: str | os.PathLike) -> None:
    """Has an error say which file or folder, as that of a full disk doesn't."""
    # One without a number has no place for a name.
    if isinstance(error, OSError) and error.errno is not None:
        error.filename = error.filename or os.fspath(path)


class Unsteady(ValueError):
    """Files are replaced all the time, so that none of one save are read."""


class Replaced(ValueError):
    """What a reader has just found is gone: `of_one_save` has it read again."""


class Replacement:
    """New files of a folder, while they are written.

    Attributes:
        path: the folder to write them to, under the names that they take.
            A file may lie in a folder of it.
        removed: names of old files that are removed when the new ones come.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.removed: set[str] = set()


# By the folder, what this thread is writing.
_OPEN: ContextVar[Mapping[Path, Replacement]] = ContextVar(
    "_OPEN", default=MappingProxyType({})
)


@contextlib.contextmanager
def replacing_files(folder: Path) -> Iterator[Replacement]:
    """Replaces files of a folder, for readers that ask `find`.

    The folder has the new files when the block ends. If the block raises, or
    the process is killed, it has the old ones. Two writers follow one
    another, where the system has locks of folders (POSIX). What is written
    to the same folder within the block belongs to it: several saves are one.

    Args:
        folder: the folder, made where it is missing.

    Yields:
        `Replacement`, for files only, right in the folder or in folders of
        it: no links.

    Raises:
        FileExistsError: if the folder is a file.
        OSError: if the block can't write; the error names a file or the
            folder.
        TimeoutError: if another process writes to the folder for minutes.
        ValueError: if the folder has a journal that can't be one of ours.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(
            "`save_directory` must be a folder. Received: the file "
            f"{shown(str(folder))}. Pass another path."
        )
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    key = folder.resolve()
    outer = _OPEN.get()
    if key in outer:
        yield outer[key]
        return
    try:
        with locked(folder):
            yield from _replacing_files(folder, key)
    except BaseException as error:
        if is_new:
            # If it is empty still.
            with contextlib.suppress(OSError):
                folder.rmdir()
        if isinstance(error, OSError) and error.errno in _NO_ROOM:
            raise OSError(
                error.errno,
                f"New files must have room in their folder ({error.strerror}). "
                "What was there before is as it was. Make room, or save "
                "elsewhere",
                str(folder),
            ) from error
        raise


def _replacing_files(folder: Path, key: Path) -> Iterator[Replacement]:
    finish(folder)
    _remove_abandoned(folder)
    staging = folder / _new_name()
    staging.mkdir()
    try:
        replacement = Replacement(staging)
        token = _OPEN.set({**_OPEN.get(), key: replacement})
        try:
            yield replacement
        finally:
            _OPEN.reset(token)
        names = sorted(_names_within(staging))
        removed = sorted(replacement.removed - set(names))
        _check_places(folder, _Journal(staging, names, removed))
        for name in names:
            _flush(staging / name)
        for parent in {(staging / name).parent for name in names} | {staging}:
            _flush(parent)
        journal = {"staging": staging.name, "names": names, "removed": removed}
        draft = staging / JOURNAL
        draft.write_text(json.dumps(journal), "utf-8")
        _flush(draft)
        os.replace(draft, folder / JOURNAL)
    except BaseException as error:
        _name_path(error, folder)
        # Once the journal is in its place the new files count, and stay for
        # the next writer to move.
        if not (folder / JOURNAL).exists():
            shutil.rmtree(staging, ignore_errors=True)
        raise
    finish(folder)


def _names_within(staging: Path) -> Iterator[str]:
    """Yields the names of new files, with those of folders before them."""
    for path in staging.iterdir():
        is_folder = path.is_dir() and not path.is_symlink()
        for file in path.iterdir() if is_folder else [path]:
            yield file.relative_to(staging).as_posix()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keeps writers out of a folder; one that is killed lets go of it.

    Raises:
        OSError: if the folder can't be opened.
        TimeoutError: if another process writes to it for minutes.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        end = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(
                        "A folder is written by one process at a time. "
                        f"Received: {folder}, which another one is writing "
                        "to. Save to a folder of its own, or end the other."
                    ) from None
                time.sleep(_LOCK_PAUSE_SECONDS)
            except OSError:
                # A file system without locks.
                break
        yield
    finally:
        os.close(handle)


def lock_file(file: BinaryIO, path: Path) -> bool:
    """Keeps other processes from a file until it is closed.

    A process that is killed lets go of it. Windows and some file systems have
    no such locks; there it does nothing.

    Args:
        file: the open file.
        path: the path by which it was opened.

    Returns:
        Whether the file is this process's: no other one has locked it, or has
        renamed or removed it since it was opened.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except (BlockingIOError, FileNotFoundError):
        return False
    except OSError:
        # A file system without locks.
        return True


def find(folder: Path, name: str, is_named: bool = False) -> Path | None:
    """Returns where a file of a folder is, or `None` if it has none.

    Args:
        folder: a folder that `replacing_files` may have written to.
        name: the file's name.
        is_named: bool, whether a person has named the file itself, and not
            only its folder: then it may be a link to anything. Defaults to
            `False`.

    Raises:
        ValueError: if the folder has a journal that can't be one of ours, or
            the file is a link that `folders.find_file` refuses.
    """
    journal = _read_journal(folder)
    if journal is not None:
        if name in journal.names and (journal.staging / name).is_file():
            return journal.staging / name
        if name in journal.removed:
            return None
    if is_named:
        return folder / name if (folder / name).is_file() else None
    return folders.find_file(folder, name)


def of_one_save(
    find: Callable[[str], Path | None], read: Callable[..., Result]
) -> Result:
    """Reads files of one save, also while others are being written.

    It reads again if a file that was found has been replaced meanwhile.

    Args:
        find: function from a file's name to its path, or to `None`.
        read: function of such a function, which reads the files that it
            finds. What it opens and reads later is of the same save. It
            raises `Replaced` if what was there a moment ago isn't.

    Returns:
        What `read` returns.

    Raises:
        Unsteady: if files are replaced all the time.
    """
    seen: dict[str, _State] = {}

    def note(name: str) -> Path | None:
        path = find(name)
        seen[name] = _state(path)
        return path

    def is_steady() -> bool:
        try:
            return all(_state(find(name)) == seen[name] for name in seen)
        except (OSError, ValueError):
            return False

    for attempt in range(_MOST_READS):
        seen.clear()
        try:
            result = read(note)
        except Replaced:
            pass
        except (OSError, ValueError):
            # A file that is being written to looks the same for a moment.
            time.sleep(_TICK_SECONDS)
            absent = not any(seen.values()) and attempt < _MOST_ABSENCES
            if is_steady() and not absent:
                raise
        else:
            if is_steady():
                return result
        time.sleep(_PAUSE_SECONDS)
    raise Unsteady(
        "The files of a folder must be those of one save. Received: "
        f"{', '.join(seen) or 'files'}, which another process replaced during "
        f"each of {_MOST_READS} attempts to read them. Read a copy, or save "
        "less often."
    )


def finish(folder: Path) -> None:
    """Moves new files to their names, if a killed process hasn't.

    Args:
        folder: a folder that `replacing_files` may have written to.

    Raises:
        ValueError: if the folder has a journal that can't be one of ours;
            nothing is touched.
    """
    journal = _read_journal(folder)
    if journal is None:
        return
    for name in journal.names:
        # A file that is no longer there has been moved already.
        with contextlib.suppress(FileNotFoundError):
            (folder / name).parent.mkdir(exist_ok=True)
            os.replace(journal.staging / name, folder / name)
    for name in journal.removed:
        (folder / name).unlink(missing_ok=True)
    _flush(folder)
    (folder / JOURNAL).unlink(missing_ok=True)
    shutil.rmtree(journal.staging, ignore_errors=True)


@contextlib.contextmanager
def replacing_entries(
    folder: Path,
    names: Sequence[str],
    beside: Path,
    check: Callable[[], None],
) -> Iterator[Path]:
    """Replaces files and folders in a folder, for any reader.

    If the block or one of the renames fails or is interrupted, `folder` gets
    back what it had. A process that is killed between two renames leaves the
    old entries in the hidden folder. Links are replaced, and not followed.

    Args:
        folder: the folder, made at the end if it is missing.
        names: the entries that are replaced, or removed where the block
            makes none of that name.
        check: function that raises if they may not be replaced. It is called
            when the block has ended, and no other process is replacing them.
        beside: a path beside which the new entries are written, in a hidden
            folder that is called after it. Its parents are made.

    Yields:
        `Path` of an empty folder for the new entries.
    """
    beside.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{beside.name}-", dir=beside.parent))
    new, old = work / "new", work / "old"
    moves: list[tuple[Path, Path]] = []
    try:
        new.mkdir()
        old.mkdir()
        yield new
        folder.mkdir(exist_ok=True)
        with locked(folder):
            check()
            for name in names:
                for source, target in (
                    (folder / name, old / name),
                    (new / name, folder / name),
                ):
                    if os.path.lexists(source):
                        moves.append((source, target))
                        source.rename(target)
    except BaseException:
        for source, target in reversed(moves):
            # The last rename may not have happened.
            if not os.path.lexists(source):
                target.rename(source)
        # Not in a `finally`: if putting back fails, the old entries are still
        # in here.
        shutil.rmtree(work, ignore_errors=True)
        raise
    shutil.rmtree(work, ignore_errors=True)


# A file's path, and what changes when it is written or replaced.
_State = tuple[Path, int, int, int, int] | None


def _state(path: Path | None) -> _State:
    if path is None:
        return None
    try:
        status = path.stat()
    except OSError:
        return None
    # A copy may have the old one's time of change and its place on the disk.
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return path, status.st_ino, status.st_size, *times


class _Journal(NamedTuple):
    """Where new files lie, their names, and old files to remove."""

    staging: Path
    names: list[str]
    removed: list[str]


def _read_journal(folder: Path) -> _Journal | None:
    """Returns the journal of a folder, if any, once it is checked."""
    path = folder / JOURNAL
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            raise ValueError("it is a link or a folder")
        if status.st_size > _LONGEST_JOURNAL:
            raise ValueError("it is too long")
        content = json.loads(folders.read_text(path))
        staging = content["staging"]
        names, removed = content["names"], content["removed"]
        if not (
            isinstance(staging, str)
            and _STAGING.fullmatch(staging)
            and isinstance(names, list)
            and isinstance(removed, list)
        ):
            raise ValueError("it holds something else")
        journal = _Journal(folder / staging, names, removed)
        _check_places(folder, journal)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as e:
        raise ValueError(
            f"The journal of a folder must be whole. Received: {path} ({e}). "
            "Remove it if the folder comes from elsewhere; save the model "
            "again."
        ) from e
    return journal


def _check_places(folder: Path, journal: _Journal) -> None:
    """Raises if moving or removing files would reach beyond the folder."""
    for name in (*journal.names, *journal.removed):
        if not _is_name_of_a_file(name):
            raise ValueError(f"{name!r:.99} in it is no name of a file")
    staging = journal.staging.name
    names = (*journal.names, *journal.removed)
    parents = {*map(os.path.dirname, names)} - {""}
    for within in (
        journal.staging,
        *(folder / parent for parent in parents),
        *(journal.staging / parent for parent in parents),
    ):
        if not folders.is_own_folder_or_missing(within):
            raise ValueError(f"its folder {within.name} is a link, or none")
    for name in journal.names:
        path = journal.staging / name
        # A file that is no longer there has been moved already.
        if not folders.is_own_file_or_missing(path):
            raise ValueError(f"its {staging}/{name} is no file of its own")
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            raise ValueError(f"it replaces {name}, which is a folder")


def _is_name_of_a_file(name: object) -> bool:
    """Whether a name is plain, with at most one of a folder before it."""
    parts = name.split("/") if isinstance(name, str) else []
    return (
        0 < len(parts) <= _DEEPEST_NAME
        and all(map(folders.is_plain_name, parts))
        and not parts[0].casefold().startswith(_PREFIX)
    )


def _new_name() -> str:
    """Returns a name that no other writer has, and that tells whose it is."""
    return f"{_PREFIX}{os.urandom(16).hex()}"


def _remove_abandoned(folder: Path) -> None:
    """Removes unfinished new files of processes that were killed."""
    # A folder that can't be listed may be one to write to all the same; and
    # what another process is removing is no concern of ours.
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if not _DRAFT.fullmatch(path.name) or path.is_symlink():
                continue
            if path.is_file() and _is_abandoned([path]):
                path.unlink()
            elif _STAGING.fullmatch(path.name) and path.is_dir():
                if _is_abandoned([path, *path.iterdir()]):
                    shutil.rmtree(path, ignore_errors=True)


def _is_abandoned(paths: list[Path]) -> bool:
    changed = max(path.lstat().st_mtime for path in paths)
    return time.time() - changed > _ABANDONED_SECONDS


def _flush(path: Path) -> None:
    """Waits until a file, or a folder's list of names, is on the disk."""
    if os.name == "nt" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
