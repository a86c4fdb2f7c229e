"""Rules for the value of one field: what it may be, and what an error says."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from collections.abc import Mapping
from numbers import Integral
from numbers import Real
from typing import Any
from typing import TypeGuard

from tf_longformer.errors import shown


def is_int(value: Any) -> TypeGuard[int]:
    """Whether `value` is a whole number (booleans don't count)."""
    return isinstance(value, int) and not isinstance(value, bool)


def as_id(value: Any) -> Any:
    """Returns an id as an `int`; in files it may be text of digits."""
    return int(value) if str(value).isdecimal() else value


def as_plain(value: Any) -> Any:
    """Returns a value as JSON has it: Python's numbers, lists for tuples.

    Lists are copied, so that a config shares none with its caller.
    """
    if isinstance(value, list | tuple):
        return [_as_plain_number(item) for item in value]
    return _as_plain_number(value)


def _as_plain_number(value: Any) -> Any:
    # `np.float64` passes for a float, but prints as `np.float64(0.1)`.
    if isinstance(value, Real) and not isinstance(value, bool):
        return int(value) if isinstance(value, Integral) else float(value)
    return value


@dataclasses.dataclass(eq=False, repr=False)
class Rule:
    """What a field may hold.

    Attributes:
        must: str. Ends the sentence "`field` must ...".
        fix: str. The sentence that says what to do instead.
        accepts: Function of a value: whether it keeps the rule.
        convert: Function that gives a value the type that JSON and
            transformers expect. A value that it can't convert it returns as
            it is, and `check` refuses it.
    """

    must: str
    fix: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any] = as_plain

    def check(self, name: str, value: Any) -> None:
        """Raises a `ValueError` if `value` breaks the rule."""
        if not self.accepts(value):
            raise ValueError(
                f"`{name}` must {self.must}. Received: {name}={shown(value)}. "
                f"{self.fix}"
            )


# Whole numbers.


def _whole(minimum: int, fix: str) -> Rule:
    return Rule(
        f"be an integer of {minimum} or more",
        fix,
        lambda value: is_int(value) and value >= minimum,
    )


def _none_or(rule: Rule) -> Rule:
    return dataclasses.replace(
        rule,
        must=rule.must.replace("be ", "be None or ", 1),
        accepts=lambda value: value is None or rule.accepts(value),
    )


def _one_or_each(accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: all(
        accepts(item)
        for item in (value if isinstance(value, list) else [value])
    )


SIZE = _whole(1, "Pass a whole number, without quotes.")
CHUNK_SIZE = _none_or(_whole(0, "Pass a whole number, without quotes."))
TOKEN_ID = _none_or(_whole(0, "Pass the tokenizer's id."))
TOKEN_IDS = dataclasses.replace(
    TOKEN_ID, accepts=_one_or_each(TOKEN_ID.accepts)
)
SLOTS = _none_or(
    _whole(0, "Pass the largest number of global tokens of any row.")
)
# Each label has a name, so that millions of them would take gigabytes.
_MOST_LABELS = 2**20
NUM_LABELS = Rule(
    f"be an integer of 1 or more, {_MOST_LABELS:,} at most",
    "Pass the number of outputs of the head (1 for a regression).",
    lambda value: is_int(value) and 1 <= value <= _MOST_LABELS,
)


def _as_windows(value: Any) -> Any:
    # An array of windows becomes a list.
    return as_plain(value.tolist() if hasattr(value, "tolist") else value)


WINDOWS = Rule(
    "hold even integers above 0: both sides together, each half of it",
    "To see n tokens on either side pass 2 * n.",
    _one_or_each(lambda item: is_int(item) and item > 0 and item % 2 == 0),
    _as_windows,
)

# Other numbers.


def _is_finite(value: Any) -> bool:
    return (is_int(value) or isinstance(value, float)) and math.isfinite(value)


def _as_float(value: Any) -> Any:
    # A file may have 1 where transformers 5 insists on 1.0.
    value = as_plain(value)
    return float(value) if is_int(value) else value


PROBABILITY = Rule(
    "be a number in [0, 1)",
    "Pass 0.0 for no dropout.",
    lambda value: _is_finite(value) and 0 <= value < 1,
)
POSITIVE = Rule(
    "be a finite number above 0",
    "Leave it out for the default.",
    lambda value: _is_finite(value) and value > 0,
    _as_float,
)
NOT_NEGATIVE = Rule(
    "be a finite number of 0 or more",
    "Leave it out for the default.",
    lambda value: _is_finite(value) and value >= 0,
    _as_float,
)

# Flags and names.

FLAG = Rule(
    "be True or False",
    "Pass a boolean (`true` or `false` in a config.json).",
    lambda value: isinstance(value, bool),
)
# transformers reads `null` here, and treats it as false.
NULLABLE_FLAG = dataclasses.replace(
    FLAG, accepts=lambda value: value is None or isinstance(value, bool)
)
# Those that transformers 4.57 and 5.23 both know. `prelu` and `xielu` are left
# out: they have weights, for which Longformer checkpoints have no names. The
# layers have the same list, but importing it needs a backend; a test compares
# the two.
HIDDEN_ACTIVATIONS = frozenset(
    "gelu gelu_10 gelu_accurate gelu_fast gelu_new gelu_python "
    "gelu_python_tanh gelu_pytorch_tanh laplace leaky_relu linear mish "
    "quick_gelu relu relu2 relu6 sigmoid silu swish tanh".split()
)
ACTIVATION = Rule(
    "be the name of an activation",
    f"Use one of {', '.join(sorted(HIDDEN_ACTIVATIONS))}.",
    lambda value: isinstance(value, str) and value in HIDDEN_ACTIVATIONS,
)


def _one_of(names: tuple[str, ...], fix: str) -> Rule:
    return Rule(
        f"be one of {', '.join(names)}", fix, lambda value: value in names
    )


DTYPE = _none_or(
    _one_of(
        ("float16", "bfloat16", "float32", "float64"),
        "Leave it out: models are computed in the Keras policy, whatever a "
        "file holds.",
    )
)
PROBLEM_TYPE = _none_or(
    _one_of(
        (
            "regression",
            "single_label_classification",
            "multi_label_classification",
        ),
        "Leave it out to have the labels decide.",
    )
)

# Labels.


def _as_names_by_id(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return as_plain(value)
    names = {as_id(key): name for key, name in value.items()}
    # Two keys for one id ("0" and 0) are both kept, for the error to show.
    return names if len(names) == len(value) else dict(value)


NAMES_BY_ID = Rule(
    "map ids (0, 1, ...) to labels and hold at least one",
    "Pass for example {0: 'no', 1: 'yes'}, or `num_labels`.",
    lambda value: (
        isinstance(value, dict)
        and len(value) > 0
        and all(is_int(key) and key >= 0 for key in value)
        and all(isinstance(name, str | int) for name in value.values())
    ),
    _as_names_by_id,
)
IDS_BY_NAME = Rule(
    "map labels to ids",
    "Pass for example {'no': 0, 'yes': 1}.",
    lambda value: (
        value is None
        or isinstance(value, Mapping)
        and all(is_int(as_id(index)) for index in value.values())
    ),
    lambda value: dict(value) if isinstance(value, Mapping) else value,
)

NAMES = Rule(
    "be a list of names",
    "Pass a list with it.",
    lambda value: (
        value is None
        or isinstance(value, list)
        and all(isinstance(name, str) for name in value)
    ),
)
VERSION = Rule(
    "be None or a string",
    "Leave it out.",
    lambda value: value is None or isinstance(value, str),
)
ANYTHING = Rule("be anything", "", lambda value: True)
