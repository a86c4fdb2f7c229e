"""Reads PyTorch's pickles as data: tensors and plain containers.

A pickle is a program for a machine with a stack and a memo. This module runs
the instructions that PyTorch writes. It imports nothing, and calls nothing but
the functions in `_CALLS`.

Why not Python's own `pickle.Unpickler`? Its `find_class` can keep it from
importing, but it trusts the rest of the program:

- It makes its memo as large as the index that a program names, so that six
  bytes fill gigabytes.
- It hashes any key of a dict. A tuple that is nested deep enough ends the
  process; one that holds another twice, which holds another twice, and so on,
  keeps it busy for ever.
- It doesn't count steps.

Here the memo is a dict, keys are text or small numbers, and steps and bytes
are bounded, so that no file costs much time or memory.

Reference: the instructions as CPython's `pickletools` describes them
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any
from typing import BinaryIO
from typing import NamedTuple

from tf_longformer.checkpoints.files.tensor_file import MOST_DIMENSIONS

# A checkpoint of the large model takes 20,000 steps, with its optimizer's
# state 100,000.
_MOST_STEPS = 1_000_000
MOST_BYTES = 1 << 26
# Python's hash of a whole number is its remainder by 2**61 - 1. Larger keys of
# a dict could be chosen to have one hash, and each would be compared with all.
_LARGEST_KEY = 1 << 60
# No array has a side that is longer.
_LARGEST_SIZE = 1 << 63


class PickleError(Exception):
    """A pickle is damaged, or does what no file of tensors has to."""

    def __init__(self, what: str = "is damaged") -> None:
        super().__init__(f"its pickle {what}")


class Global(NamedTuple):
    """A name that a pickle refers to in a module; it is never imported."""

    module: str
    name: str


class Storage(NamedTuple):
    """The numbers that tensors are views of.

    Attributes:
        type_name: PyTorch's name of their type, such as `FloatStorage`.
        key: str, by which the file finds them.
        size: int, how many numbers there are.
        offset: int, with which number of those of `key` they begin.
    """

    type_name: str
    key: str
    size: int
    offset: int


class View(NamedTuple):
    """A tensor: a view of a storage; sizes are in numbers, not in bytes."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    type_name: str

    @property
    def extent(self) -> int:
        """How many numbers of the storage it spans, if it has any."""
        return 1 + sum(
            (size - 1) * stride
            for size, stride in zip(self.shape, self.strides, strict=True)
        )


def load(file: BinaryIO) -> Any:
    """Runs the pickle at a file's position, which is then behind it.

    Returns:
        Dicts, lists, tuples, text, numbers, `None`, `Global`s and `View`s.

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


# The functions that a pickle may call. They trust none of their arguments.


def _view(
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    requires_grad: Any = None,
    hooks: Any = None,
    dtype: Any = None,
    *rest: Any,
) -> View:
    if not isinstance(storage, Storage):
        raise PickleError("has a tensor without a storage")
    if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS:
        raise PickleError("has a tensor of no shape")
    _check_sizes(offset, *shape, *strides)
    # Only the third version has the type here; else it is the storage's.
    named = dtype if isinstance(dtype, Global) else None
    type_name = named.name if named else storage.type_name
    return View(storage, offset, tuple(shape), tuple(strides), type_name)


def _parameter(view: Any, *rest: Any) -> View:
    if not isinstance(view, View):
        raise PickleError("has a parameter of no tensor")
    return view


def _mapping(*arguments: Any) -> dict[Any, Any]:
    # Python 2 passes the items; otherwise they follow as instructions. The
    # factory of a `defaultdict` isn't needed.
    pairs = arguments[0] if arguments else ()
    return _set_items({}, pairs if isinstance(pairs, list) else ())


def _sequence(items: Any = (), *rest: Any) -> Any:
    return items if isinstance(items, (list, tuple)) else ()


def _device(*where: Any) -> str:
    return "device"


_CALLS: dict[tuple[str, str], Callable[..., Any]] = {
    ("torch._utils", "_rebuild_tensor"): _view,
    ("torch._utils", "_rebuild_tensor_v2"): _view,
    ("torch._utils", "_rebuild_tensor_v3"): _view,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "device"): _device,
    ("torch", "Size"): _sequence,
    ("builtins", "set"): _sequence,
    ("builtins", "list"): _sequence,
    ("builtins", "tuple"): _sequence,
    ("__builtin__", "set"): _sequence,
    ("collections", "OrderedDict"): _mapping,
    ("collections", "defaultdict"): _mapping,
    ("collections", "Counter"): _mapping,
    ("argparse", "Namespace"): _mapping,
    # The hyperparameters in Lightning's checkpoints.
    ("pytorch_lightning.utilities.parsing", "AttributeDict"): _mapping,
    ("lightning.pytorch.utilities.parsing", "AttributeDict"): _mapping,
    ("lightning_fabric.utilities.data", "AttributeDict"): _mapping,
    ("lightning.fabric.utilities.data", "AttributeDict"): _mapping,
}
# Names in `torch` that are values and not called, such as `torch.float32`.
# Those that end in `Storage` are values, too.
_VALUES = frozenset(
    "float64 double float32 float float16 half bfloat16 int64 long int32 int "
    "int16 short int8 uint8 bool complex64 complex128 float8_e4m3fn "
    "float8_e5m2 uint16 uint32 uint64".split()
)


def _find(module: Any, name: Any) -> Global:
    """Returns a name that a pickle refers to, if that is allowed."""
    if not (isinstance(module, str) and isinstance(name, str)):
        raise PickleError()
    is_value = module in ("torch", "torch.storage") and (
        name in _VALUES or name.endswith("Storage")
    )
    if not is_value and (module, name) not in _CALLS:
        raise PickleError(
            f"refers to {module[:60]}.{name[:60]}, where only tensors and "
            "plain containers are read (with PyTorch, and if you trust "
            "the file, save `state_dict()` alone)"
        )
    return Global(module, name)


def _storage(parts: Any) -> Storage:
    """Returns the storage that a persistent id names."""
    if not isinstance(parts, tuple) or len(parts) not in (5, 6):
        raise PickleError("names an object outside of it that is no storage")
    kind, what, key, _, size, *view = parts
    if kind != "storage" or not isinstance(what, Global) or not _is_key(key):
        raise PickleError("names an object outside of it that is no storage")
    offset = 0
    if view and view[0] is not None:
        _, offset, size = view[0]
    _check_sizes(offset, size)
    return Storage(what.name, str(key), size, offset)


def _check_sizes(*values: Any) -> None:
    for value in values:
        if not isinstance(value, int) or not 0 <= value < _LARGEST_SIZE:
            raise PickleError("has a size that is none")


def _is_key(value: Any) -> bool:
    if isinstance(value, int):
        return abs(value) < _LARGEST_KEY
    return value is None or isinstance(value, (str, float))


def _set_items(target: Any, pairs: Any) -> dict[Any, Any]:
    if not isinstance(target, dict):
        raise PickleError("sets items of no dict")
    for key, value in pairs:
        if not _is_key(key):
            raise PickleError("has a key that is no text and no small number")
        target[key] = value
    return target


_MARK = object()


class _Machine:
    """Runs one pickle; errors of a damaged one are of any kind, see `load`."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.steps_left = _MOST_STEPS
        self.bytes_left = MOST_BYTES

    def run(self) -> Any:
        while True:
            opcode = self.read(1)
            self.spend(1)
            if opcode == b".":
                (result,) = self.stack
                return result
            step = _INSTRUCTIONS.get(opcode)
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

    # Reading of what follows an instruction in the file.

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

    def pop(self, count: int) -> tuple[Any, ...]:
        items = tuple(self.stack[-count:])
        if len(items) != count:
            raise PickleError()
        del self.stack[-count:]
        return items

    def pop_to_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise PickleError()
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def append(self, items: Any) -> None:
        if not isinstance(self.stack[-1], list):
            raise PickleError("appends to no list")
        self.stack[-1].extend(items)

    def set_items(self, items: Any) -> None:
        pairs = zip(items[::2], items[1::2], strict=True)
        _set_items(self.stack[-1], pairs)

    def call(self) -> None:
        function, arguments = self.pop(2)
        if not isinstance(function, Global) or not isinstance(arguments, tuple):
            raise PickleError("calls what is no container")
        if arguments and isinstance(arguments[0], (list, tuple)):
            self.spend(len(arguments[0]))
        self.push(_CALLS[function](*arguments))

    def remember(self, index: int) -> None:
        self.memo[index] = self.stack[-1]


def _pushes(read: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.push(read(machine))


def _text(size: int) -> Callable[[_Machine], None]:
    # Python 2's text may be of any encoding.
    return _pushes(lambda m: m.counted(size).decode("utf-8", "replace"))


_INSTRUCTIONS: dict[bytes, Callable[[_Machine], Any]] = {
    # The version and the sizes of frames, which are skipped.
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
    # Names, calls, the setting of attributes (which is skipped), storages.
    b"c": _pushes(lambda m: _find(m.line(), m.line())),
    b"\x93": _pushes(lambda m: _find(*m.pop(2))),
    b"R": lambda m: m.call(),
    b"\x81": lambda m: m.call(),
    b"b": lambda m: m.pop(1),
    b"Q": _pushes(lambda m: _storage(*m.pop(1))),
}
