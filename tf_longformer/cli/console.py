"""What all commands share: where they write, how they fail, what they take."""

from __future__ import annotations

import contextlib
import importlib
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from tf_longformer.errors import BadExamples

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130
# TensorFlow's variable for the least severe message that it prints.
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# What TensorFlow prints when it is imported, as a pattern for beginnings of
# lines: notes and warnings, with what belongs to them, and notes that it calls
# errors: that CUDA's libraries are there twice, and what some CPUs lack.
_START_UP = (
    r"WARNING: All log messages before absl::InitializeLog"
    r"|[IW]\d{4} [\d:.]+ +\d+ \S+:\d+\]"
    r"|\d{4}-\d\d-\d\d [\d:.]+: [IW] "
    r"|To enable the following instructions: "
    r"|.*Unable to register cu\w+ factory: "
    r"|.*computation placer already registered"
    r"|.*oneDNN supports DT_INT64 only on platforms with"
)
_PASS_ON = """
import re, sys
start_up = re.compile(sys.argv[1].encode())
for line in sys.stdin.buffer:
    if not start_up.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
"""
_LONGEST_WAIT = 5

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)

# Where a checkpoint is.
CheckpointName = Annotated[
    str,
    typer.Argument(
        help="A folder, a file of weights, mini, or an id of the hub."
    ),
]
Revision = Annotated[
    str | None, typer.Option(help="Branch, tag or commit, on the hub.")
]
Subfolder = Annotated[str, typer.Option(help="Folder within the folder.")]
Source = Annotated[
    Path,
    typer.Argument(
        metavar="INPUT",
        help="JSON lines, or a file of columns that ends in .csv.",
    ),
]
BatchTokens = Annotated[
    int, typer.Option(min=1, help="Most tokens of a batch, with padding.")
]
BatchRows = Annotated[int, typer.Option(min=1, help="Most records of a batch.")]
Overwrite = Annotated[
    bool,
    typer.Option(
        "--overwrite",
        help="Replace the output, or one that was begun otherwise.",
    ),
]


def say(text: str) -> None:
    """Prints a line as it is, however long and whatever brackets it has."""
    console.print(text, markup=False, soft_wrap=True)


def import_backend(keras: bool = True, untouched: bool = False) -> None:
    """Imports Keras and TensorFlow without their start-up messages.

    With `--verbose` they are shown. Errors always are, also one that ends
    the process.

    Args:
        keras: bool, whether Keras is needed. Defaults to `True`.
        untouched: bool, whether TensorFlow must not compute anything yet, for
            processes that are to train together. Defaults to `False`.

    Raises:
        ImportError: one of them isn't installed; the message names the
            extra that brings it.
    """
    # Of later messages errors alone.
    os.environ.setdefault(LOG_LEVEL, "2")
    try:
        with _without_start_up_messages():
            backend = "tensorflow"
            if keras:
                backend = importlib.import_module("keras").backend.backend()
            tf = importlib.import_module("tensorflow")
            if backend == "tensorflow" and not untouched:
                # The first one says on some CPUs that it is slower.
                with tf.device("CPU:0"):
                    tf.transpose(tf.zeros([2, 2], "int64"))
    except ModuleNotFoundError as error:
        raise ImportError(
            "This command needs TensorFlow and Keras. Received: "
            f"{error}. Install them: pip install 'tf-longformer[cpu]', or "
            "[gpu] for NVIDIA cards."
        ) from error


@contextlib.contextmanager
def _without_start_up_messages() -> Iterator[None]:
    """Has another process drop them from the standard error.

    TensorFlow prints some before it reads its log level. Another process
    passes the rest on even if this one is ended by native code.
    """
    if os.environ.get(LOG_LEVEL) == "0" or not sys.executable:
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    reader = subprocess.Popen(
        [sys.executable, "-IS", "-c", _PASS_ON, _START_UP],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        # An interruption is for this process; the other ends with it.
        start_new_session=True,
    )
    try:
        if reader.stdin is not None:
            os.dup2(reader.stdin.fileno(), 2)
            reader.stdin.close()
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)
        with contextlib.suppress(subprocess.TimeoutExpired):
            reader.wait(_LONGEST_WAIT)


def report_error(error: BaseException, debug: bool) -> int:
    """Says in one line on standard error what went wrong.

    Args:
        error: the exception that ended the command. `ValueError`, `OSError`,
            `ImportError` (a missing extra) and the command line parser's own
            errors are the user's to mend; anything else is a mistake of
            ours.
        debug: bool. Whether to show the traceback first.

    Returns:
        The exit code, `2` for bad input and `1` for anything else.
    """
    if debug:
        traceback.print_exception(error)
    # The parser's own errors know how to say what was wrong.
    describe = getattr(error, "format_message", None)
    if describe is not None:
        message, code = describe(), BAD_INPUT
    elif isinstance(error, OSError) and error.filename is not None:
        message, code = f"{error.strerror}: {error.filename}", BAD_INPUT
    elif isinstance(error, (ValueError, OSError, ImportError)):
        message, code = str(error), BAD_INPUT
    else:
        message = f"{type(error).__name__}: {error}"
        if not debug:
            message += " (run again with --debug to see where)"
        code = FAILED
    # One line; of examples one for each that is bad.
    parts = [message]
    if isinstance(error, BadExamples):
        parts = message.splitlines()
    line = escape("\n".join(" ".join(part.split()) for part in parts))
    # Without any argument the parser has shown the help instead.
    if line:
        error_console.print(f"[red]error:[/red] {line}", soft_wrap=True)
    return code
