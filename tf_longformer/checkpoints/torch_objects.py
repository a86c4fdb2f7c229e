"""What a PyTorch pickle may refer to, and what it becomes here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

from tf_longformer.checkpoints.tensor_file import MOST_DIMENSIONS


class PickleError(Exception):
    """A pickle is damaged, or does what no file of tensors has to."""

    def __init__(self, what: str = "is damaged") -> None:
        super().__init__(f"its pickle {what}")


class Global(NamedTuple):
    """A name of Python's that a pickle refers to. It is never imported."""

    module: str
    name: str


class Storage(NamedTuple):
    """Numbers that tensors are views of.

    Attributes:
        type_name: PyTorch's, such as `FloatStorage`.
        key: str, where the file keeps them.
        size: int, how many there are.
        offset: int, where in the storage of that key they begin.
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


# Containers that are read as plain dicts; the last three hold the
# hyperparameters in Lightning's checkpoints.
_DICTS = (
    Global("collections", "OrderedDict"),
    Global("collections", "defaultdict"),
    Global("collections", "Counter"),
    Global("argparse", "Namespace"),
    Global("pytorch_lightning.utilities.parsing", "AttributeDict"),
    Global("lightning.pytorch.utilities.parsing", "AttributeDict"),
    Global("lightning_fabric.utilities.data", "AttributeDict"),
    Global("lightning.fabric.utilities.data", "AttributeDict"),
)
_SEQUENCES = (
    Global("torch", "Size"),
    Global("builtins", "set"),
    Global("builtins", "list"),
    Global("builtins", "tuple"),
    Global("__builtin__", "set"),
)
# Names that are values: `torch.float32`, `torch.FloatStorage`.
_VALUES = frozenset(
    "float64 double float32 float float16 half bfloat16 int64 long int32 int "
    "int16 short int8 uint8 bool complex64 complex128 float8_e4m3fn "
    "float8_e5m2 uint16 uint32 uint64".split()
)


def whole(*values: Any) -> None:
    """Raises unless all values are sizes."""
    for value in values:
        if not isinstance(value, int) or value < 0:
            raise PickleError("has a size that is none")


def is_key(value: Any) -> bool:
    """Whether a dict may have the key: a deep tuple could not be hashed."""
    return value is None or isinstance(value, (str, int, float))


def is_known(found: Global) -> bool:
    """Whether a pickle may refer to a name."""
    if found in CALLS:
        return True
    if found.module not in ("torch", "torch.storage"):
        return False
    return found.name in _VALUES or found.name.endswith("Storage")


def storage(parts: Any) -> Storage:
    """Returns the storage that a persistent id names."""
    if not isinstance(parts, tuple) or len(parts) not in (5, 6):
        raise PickleError("names an object outside of it that is no storage")
    kind, what, key, _, size, *view = parts
    known = kind == "storage" and isinstance(what, Global) and is_key(key)
    if not known:
        raise PickleError("names an object outside of it that is no storage")
    offset = 0
    if view and view[0] is not None:
        _, offset, size = view[0]
    whole(offset, size)
    return Storage(what.name, str(key), size, offset)


def _view(
    storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any
) -> View:
    return _make_view(storage, offset, shape, strides, None)


def _view_of_type(
    storage: Any,
    offset: Any,
    shape: Any,
    strides: Any,
    requires_grad: Any,
    hooks: Any,
    dtype: Any,
    *rest: Any,
) -> View:
    if not isinstance(dtype, Global):
        raise PickleError("has a tensor of no type")
    return _make_view(storage, offset, shape, strides, dtype.name)


def _make_view(
    storage: Any, offset: Any, shape: Any, strides: Any, type_name: str | None
) -> View:
    if not isinstance(storage, Storage):
        raise PickleError("has a tensor without a storage")
    if len(shape) != len(strides) or len(shape) > MOST_DIMENSIONS:
        raise PickleError("has a tensor of no shape")
    whole(offset, *shape, *strides)
    return View(
        storage,
        offset,
        tuple(shape),
        tuple(strides),
        type_name or storage.type_name,
    )


def _parameter(view: Any, *rest: Any) -> View:
    if not isinstance(view, View):
        raise PickleError("has a parameter of no tensor")
    return view


def _mapping(*arguments: Any) -> dict[Any, Any]:
    # Python 2 gives the items along; else they follow one by one. A factory
    # of defaults is of no use here.
    pairs = arguments[0] if arguments else ()
    if not isinstance(pairs, list):
        return {}
    items = {}
    for key, value in pairs:
        if not is_key(key):
            raise PickleError("has a key that is no text")
        items[key] = value
    return items


def _sequence(items: Any = (), *rest: Any) -> Any:
    return items if isinstance(items, (list, tuple)) else ()


def _device(*where: Any) -> str:
    return "device"


# What may be called, and by what of ours.
CALLS: dict[Global, Callable[..., Any]] = {
    **dict.fromkeys(_DICTS, _mapping),
    **dict.fromkeys(_SEQUENCES, _sequence),
    Global("torch._utils", "_rebuild_tensor"): _view,
    Global("torch._utils", "_rebuild_tensor_v2"): _view,
    Global("torch._utils", "_rebuild_tensor_v3"): _view_of_type,
    Global("torch._utils", "_rebuild_parameter"): _parameter,
    Global("torch", "device"): _device,
}
