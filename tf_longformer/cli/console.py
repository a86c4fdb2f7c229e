"""What all commands share: where they write and how they fail."""

from __future__ import annotations

import importlib
import os
import sys
import traceback

from rich.console import Console
from rich.markup import escape

BAD_INPUT = 2
FAILED = 1
INTERRUPTED = 130

console = Console(highlight=False)
error_console = Console(stderr=True, highlight=False)


def import_backend(keras: bool = True) -> None:
    """Imports Keras and TensorFlow without their start-up messages.

    Some of them come before TensorFlow reads its own log level, so that the
    process's standard error is shut while it is imported. Whoever sets
    `TF_CPP_MIN_LOG_LEVEL` sees them.

    Args:
        keras: bool, whether Keras is needed. Defaults to `True`.

    Raises:
        ImportError: one of them isn't installed; the message names the
            extra that brings it.
    """
    silent = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    if silent:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    stderr = os.dup(2)
    try:
        if silent:
            with open(os.devnull, "w", encoding="utf-8") as nowhere:
                os.dup2(nowhere.fileno(), 2)
        if keras:
            importlib.import_module("keras")
        importlib.import_module("tensorflow")
    except ModuleNotFoundError as error:
        raise ImportError(
            "This command needs TensorFlow and Keras. Received: "
            f"{error}. Install them: pip install 'tf-longformer[cpu]', or "
            "[gpu] for NVIDIA cards."
        ) from error
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


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
    line = escape(" ".join(message.split()))
    # Without any argument the parser has shown the help instead.
    if line:
        error_console.print(f"[red]error:[/red] {line}", soft_wrap=True)
    return code
