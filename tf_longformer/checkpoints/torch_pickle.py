"""Reads PyTorch's pickles as data: tensors and plain containers.

A pickle is a program. This runs the part of the language that PyTorch
writes, on values that are made here: nothing is imported, and nothing called
but what `torch_objects.py` has. A memo is a dict, since an index is not a
size, and steps and bytes have a bound, so that a file of any content costs
little time and memory.

Reference: the instructions as CPython's `pickletools` describes them
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from typing import BinaryIO

from tf_longformer.checkpoints import torch_objects
from tf_longformer.checkpoints.torch_objects import Global
from tf_longformer.checkpoints.torch_objects import PickleError

# A checkpoint of the large model takes 20,000 steps, with its optimizer's
# state 100,000.
MOST_STEPS = 1_000_000
MOST_BYTES = 1 << 26


def load(file: BinaryIO) -> Any:
    """Runs one pickle of a file, up to its end.

    Args:
        file: binary file, which is left behind the pickle.

    Returns:
        Dicts, lists, tuples, text, numbers, `None`, and what
        `torch_objects.py` makes.

    Raises:
        PickleError: for anything else.
    """
    try:
        return _Machine(file).run()
    except (
        *(ArithmeticError, AttributeError, LookupError, TypeError, ValueError),
        struct.error,
    ) as error:
        raise PickleError(f"is damaged ({type(error).__name__})") from error


class _Machine:
    """The stack and the memo of one pickle."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.steps_left = MOST_STEPS
        self.bytes_left = MOST_BYTES

    def run(self) -> Any:
        while True:
            opcode = self.read(1)
            self.spend(1)
            if opcode == b".":
                (result,) = self.stack
                return result
            step = _STEPS.get(opcode)
            if step is None:
                raise PickleError(
                    f"has the instruction {opcode!r}, which no file of "
                    "tensors needs"
                )
            step(self)

    def spend(self, steps: int) -> None:
        self.steps_left -= steps
        if self.steps_left < 0:
            raise PickleError("is too long")

    # What follows an instruction.

    def read(self, count: int) -> bytes:
        self.bytes_left -= count
        if self.bytes_left < 0:
            raise PickleError("is too long")
        found = self.file.read(count)
        if len(found) != count:
            raise PickleError("ends too early")
        return found

    def integer(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.read(size), "little", signed=signed)

    def counted(self, size: int) -> bytes:
        return self.read(self.integer(size))

    def line(self) -> str:
        found = self.file.readline(1000)
        if not found.endswith(b"\n"):
            raise PickleError()
        return found[:-1].decode("utf-8")

    # What instructions do.

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_to_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise PickleError()
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def pop(self, count: int) -> tuple[Any, ...]:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise PickleError()
        del self.stack[-count:]
        return items

    def append(self, items: Any) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise PickleError("appends to no list")
        target.extend(items)

    def set_items(self, items: Any) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict):
            raise PickleError("sets items of no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            if not torch_objects.is_key(key):
                raise PickleError("has a key that is no text")
            target[key] = value

    def find(self, module: Any, name: Any) -> None:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise PickleError()
        found = Global(module, name)
        if not torch_objects.is_known(found):
            raise PickleError(
                f"refers to {module[:60]}.{name[:60]}, where only tensors and "
                "plain containers are read (with PyTorch, and if you trust "
                "the file, save `state_dict()` alone)"
            )
        self.push(found)

    def call(self) -> None:
        function, arguments = self.pop(2)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise PickleError("calls what is no container")
        if arguments and isinstance(arguments[0], (list, tuple)):
            self.spend(len(arguments[0]))
        self.push(torch_objects.CALLS[function](*arguments))

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]


_MARK = object()


def _pushes(read: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(read(machine))


def _text(size: int) -> Callable[[_Machine], None]:
    # Python 2's text may be of any encoding.
    return _pushes(lambda m: m.counted(size).decode("utf-8", "replace"))


_STEPS: dict[bytes, Callable[[_Machine], Any]] = {
    # Frames and the version.
    b"\x80": lambda m: m.read(1),
    b"\x95": lambda m: m.read(8),
    # The stack.
    b"(": lambda m: m.push(_MARK),
    b"0": lambda m: m.pop(1),
    b"1": lambda m: m.pop_to_mark(),
    b"2": lambda m: m.push(m.stack[-1]),
    # Constants and numbers.
    b"N": lambda m: m.push(None),
    b"\x88": lambda m: m.push(True),
    b"\x89": lambda m: m.push(False),
    b"J": _pushes(lambda m: m.integer(4, signed=True)),
    b"K": _pushes(lambda m: m.integer(1)),
    b"M": _pushes(lambda m: m.integer(2)),
    b"\x8a": _pushes(
        lambda m: int.from_bytes(m.counted(1), "little", signed=True)
    ),
    b"G": _pushes(lambda m: struct.unpack(">d", m.read(8))[0]),
    # Text and bytes.
    b"X": _text(4),
    b"\x8c": _text(1),
    b"\x8d": _text(8),
    b"U": _text(1),
    b"T": _text(4),
    b"B": _pushes(lambda m: m.counted(4)),
    b"C": _pushes(lambda m: m.counted(1)),
    # Containers; a set is read as a list.
    b"}": lambda m: m.push({}),
    b"]": lambda m: m.push([]),
    b"\x8f": lambda m: m.push([]),
    b")": lambda m: m.push(()),
    b"t": _pushes(lambda m: tuple(m.pop_to_mark())),
    b"l": _pushes(lambda m: m.pop_to_mark()),
    b"\x85": _pushes(lambda m: m.pop(1)),
    b"\x86": _pushes(lambda m: m.pop(2)),
    b"\x87": _pushes(lambda m: m.pop(3)),
    b"a": lambda m: m.append(m.pop(1)),
    b"e": lambda m: m.append(m.pop_to_mark()),
    b"\x90": lambda m: m.append(m.pop_to_mark()),
    b"s": lambda m: m.set_items(m.pop(2)),
    b"u": lambda m: m.set_items(m.pop_to_mark()),
    # The memo.
    b"q": lambda m: m.remember(m.integer(1)),
    b"r": lambda m: m.remember(m.integer(4)),
    b"\x94": lambda m: m.remember(len(m.memo)),
    b"h": _pushes(lambda m: m.memo[m.integer(1)]),
    b"j": _pushes(lambda m: m.memo[m.integer(4)]),
    # Names, calls, attributes (which nothing here has), storages.
    b"c": lambda m: m.find(m.line(), m.line()),
    b"\x93": lambda m: m.find(*m.pop(2)),
    b"R": lambda m: m.call(),
    b"\x81": lambda m: m.call(),
    b"b": lambda m: m.pop(1),
    b"Q": _pushes(lambda m: torch_objects.storage(*m.pop(1))),
}
