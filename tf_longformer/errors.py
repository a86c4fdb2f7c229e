"""Errors that callers may want to tell apart."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterable
from collections.abc import Sequence

# Lines of a list in a message.
_MOST_LINES = 3
# Lines of a file that are named, of those that are bad.
_MOST_FAULTS = 12
# Characters of what was received, in a message.
_MOST_SHOWN = 200
# Characters of a message about a checkpoint, whose names are a stranger's.
_LONGEST_MESSAGE = 3000
_shortened = reprlib.Repr()
_shortened.maxstring = _shortened.maxother = _MOST_SHOWN
_shortened.maxlist = _shortened.maxtuple = _shortened.maxset = 50
_shortened.maxdict = 50


class BadExamples(ValueError):
    """Lines of a file that are no examples; the message has a line for each.

    Args:
        faults: the errors, of which a dozen are named.
    """

    def __init__(self, faults: Sequence[ValueError]) -> None:
        lines = [str(fault) for fault in faults[:_MOST_FAULTS]]
        if len(faults) > _MOST_FAULTS:
            lines.append(f"and {len(faults) - _MOST_FAULTS} more.")
        super().__init__("\n".join(lines))


def shown(value: object) -> str:
    """Returns what was received as text for a message.

    It is the value's `repr`, or the beginning of it, and of a string its end
    too, where that has more than some 200 characters.
    """
    return cut(_shortened.repr(value))


def cut(text: str, most: int = _MOST_SHOWN) -> str:
    """Returns a text, or its beginning if it has more than `most` letters."""
    return text if len(text) <= most else f"{text[:most]}..."


def listed(names: Sequence[str], most: int = 5) -> str:
    """Returns some names for a message, each cut, and how many more there are.

    Args:
        names: names of weights, of files or the like.
        most: int, how many are named. Defaults to `5`.
    """
    text = ", ".join(cut(name) for name in names[:most])
    more = len(names) - most
    return f"{text} and {more} more" if more > 0 else text


def grouped(texts: Iterable[str]) -> list[str]:
    """Returns lines that name many weights: those of all blocks in one.

    Texts that differ only in their first number are one line with the
    numbers' range and their count. Lines beyond a few are counted, and long
    ones are cut.

    Args:
        texts: names of weights, which may have something added.
    """
    numbers: dict[str, list[int]] = {}
    for text in texts:
        # Longer numbers count no blocks, and Python may refuse to read them.
        number = re.search(r"(?<=[._])[0-9]{1,9}(?=[./])", text)
        if number is None:
            numbers.setdefault(text, [])
        else:
            pattern = f"{text[: number.start()]}{{}}{text[number.end() :]}"
            numbers.setdefault(pattern, []).append(int(number[0]))
    lines = []
    for pattern, found in numbers.items():
        if len(found) > 1:
            ends = f"{{{min(found)}..{max(found)}}}"
            lines.append(pattern.replace("{}", ends, 1) + f" x {len(found)}")
        else:
            lines.append(pattern.replace("{}", str(*found), 1))
    if len(lines) > _MOST_LINES:
        more = len(lines) - _MOST_LINES + 1
        lines = [*lines[: _MOST_LINES - 1], f"and {more} more like these"]
    return [cut(line) for line in lines]


class CheckpointError(ValueError):
    """A checkpoint can't be read, or does not fit the model.

    Args:
        message: what is wrong, and what to do. The middle of one that is
            longer than any of ours should be is left out.
        missing_keys: names that the model has and the file doesn't. Defaults
            to none.
        unexpected_keys: names that the file has and the model doesn't.
            Defaults to none.
        mismatched_keys: tuples of a name, the file's shape and the model's.
            Defaults to none.
    """

    def __init__(
        self,
        message: str,
        missing_keys: Sequence[str] = (),
        unexpected_keys: Sequence[str] = (),
        mismatched_keys: Sequence[
            tuple[str, tuple[int, ...], tuple[int, ...]]
        ] = (),
    ) -> None:
        if len(message) > _LONGEST_MESSAGE:
            half = _LONGEST_MESSAGE // 2
            message = f"{message[:half]} ... {message[-half:]}"
        super().__init__(message)
        self.missing_keys = list(missing_keys)
        self.unexpected_keys = list(unexpected_keys)
        self.mismatched_keys = list(mismatched_keys)


class NoShapesOfFloatsError(ValueError, NotImplementedError):
    """A model of ids can't be traced on a placeholder of floats.

    `keras.Sequential` makes such a placeholder where it has no `Input`. By the
    second base it learns that shapes aren't known, and calls its layers on
    the data only.
    """


class RequestError(ValueError):
    """A request to an exported model can't be answered.

    Args:
        message: the rule, what was received, what to send.
        status: int, the status of HTTP. Defaults to `400`.
        reason: a word for what was wrong, by which refusals are counted.
            Defaults to `"invalid"`.
    """

    def __init__(
        self, message: str, status: int = 400, reason: str = "invalid"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
