"""From the two masks to the roles of tokens, worked out once a call.

Global tokens of a row are numbered: the first in the text has slot 0, the
next slot 1, and so on. Whatever is done with global tokens is done by slots.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from tf_longformer.attention.shapes import ceil_div
from tf_longformer.attention.shapes import pad_axis
from tf_longformer.attention.shapes import per_token
from tf_longformer.attention.shapes import slice_axis
from tf_longformer.attention.shapes import take_tokens
from tf_longformer.backend import after_assertion
from tf_longformer.backend import is_traced
from tf_longformer.backend import refused_by_xla

# So many of the first slots are columns beside the window, in one softmax. A
# loop works off the later ones, a chunk of so many in each step.
GLOBAL_COLUMNS = 16
GLOBAL_CHUNK = 64


@dataclasses.dataclass(frozen=True, eq=False)
class TokenRoles:
    """Who attends to whom, as tensors that do not depend on a layer.

    A plain object and not a structure that Keras would look into: mixed
    precision must not cast what is in it.

    Attributes:
        attended: bool `[batch, seq]`, tokens that may be attended to.
        is_global: bool `[batch, seq]`, attended tokens with global attention.
        is_local: bool `[batch, seq]`, attended tokens without.
        num_globals: int32 `[batch]`, global tokens of a row. This and all
            below is `None` where it is known beforehand that no token is
            global.
        max_globals: int32 scalar, the largest of these numbers.
        global_first_order: int32 `[batch, slots]`, positions of the tokens,
            those of the global ones first and ascending. There are as many
            slots as tokens, rounded up to whole chunks; the last ones repeat
            position 0.
        slot_used: bool `[batch, slots]`, whether a slot holds a global token.
        slot: int32 `[batch, seq]`, the slot of a global token; of no meaning
            at other tokens.
        columns: number of slots on the reference path and in returned
            attentions: an int, or an int32 scalar that follows from the
            batch. `None` where neither is asked for.
        reference: bool, whether attention takes the reference path.
    """

    attended: Any
    is_global: Any
    is_local: Any
    num_globals: Any = None
    max_globals: Any = None
    global_first_order: Any = None
    slot_used: Any = None
    slot: Any = None
    columns: Any = None
    reference: bool = False


def assign_roles(
    attention_mask: Any,
    global_attention_mask: Any,
    attention_slots: int | None = None,
    output_attentions: bool = False,
    reference_attention: bool = False,
) -> TokenRoles:
    """Derives the roles of tokens from the two masks.

    Args:
        attention_mask: integer or bool tensor `[batch, seq]`, 1 for tokens
            to attend to, 0 for padding.
        global_attention_mask: tensor alike, 1 for tokens with global
            attention, or `None` for none. Global attention of a token that
            `attention_mask` excludes is dropped, as in HF.
        attention_slots: int, slots of returned attentions and of the
            reference path. With `None` there are as many as the row with
            the most global tokens needs, which XLA can't compile. Defaults
            to `None`.
        output_attentions: bool, whether attentions will be returned.
        reference_attention: bool, whether to take the reference path, in
            operations that every runtime has.

    Returns:
        `TokenRoles`.

    Raises:
        ValueError: if a row has more global tokens than `attention_slots`
            (in a TensorFlow graph the run raises `InvalidArgumentError`), or
            if JAX compiles a call that returns attentions without them.
    """
    attended = ops.cast(attention_mask, "bool")
    if global_attention_mask is None:
        return TokenRoles(
            attended=attended,
            is_global=ops.zeros_like(attended),
            is_local=attended,
            reference=reference_attention,
        )
    is_global = ops.logical_and(
        attended, ops.cast(global_attention_mask, "bool")
    )
    flags = ops.cast(is_global, "int32")
    num_globals = ops.sum(flags, axis=1)
    # Of no rows too, which a replica gets where a batch doesn't divide.
    max_globals = ops.max(num_globals, initial=0)
    columns = None
    if output_attentions or reference_attention:
        columns = attention_slots
        if columns is None:
            columns = _columns_of_batch(max_globals, reference_attention)
        elif output_attentions:
            flags = _after_check(flags, max_globals, columns)
    # Global tokens are sorted by their position, the others come after.
    seq = ops.shape(attended)[1]
    position = ops.expand_dims(ops.arange(seq, dtype="int32"), 0)
    order = ops.argsort(position + (1 - flags) * seq, axis=1)
    chunks = ceil_div(seq - GLOBAL_COLUMNS, GLOBAL_CHUNK)
    # TensorFlow traces the body of a loop even if it runs zero times, so that
    # one chunk must exist where the length isn't known.
    chunks = max(chunks, 0) if isinstance(seq, int) else ops.maximum(chunks, 1)
    slots = GLOBAL_COLUMNS + chunks * GLOBAL_CHUNK
    number = ops.expand_dims(ops.arange(slots, dtype="int32"), 0)
    return TokenRoles(
        attended=attended,
        is_global=is_global,
        is_local=ops.logical_and(attended, ops.logical_not(is_global)),
        num_globals=num_globals,
        max_globals=max_globals,
        global_first_order=pad_axis(
            ops.cast(order, "int32"), 0, slots - seq, axis=1
        ),
        slot_used=number < ops.expand_dims(num_globals, 1),
        slot=ops.maximum(ops.cumsum(flags, axis=1) - 1, 0),
        columns=columns,
        reference=reference_attention,
    )


def _columns_of_batch(max_globals: Any, reference: bool) -> Any:
    """Returns as many columns as the row with the most global tokens needs."""
    if reference:
        # At least one, as some runtimes have no empty tensors.
        return ops.maximum(max_globals, 1)
    if not is_traced(max_globals):
        return max_globals
    if keras.backend.backend() == "jax":
        raise ValueError(
            "Where JAX compiles, attentions need a fixed number of columns "
            "for global tokens. Received: output_attentions=True and "
            "attention_slots=None. Set `attention_slots` in the config to the "
            "most global tokens that a row has."
        )
    # TensorFlow doesn't tell a function that is being traced whether XLA will
    # compile it. XLA would make a program for each number of global tokens;
    # it fails instead, and its message has this name.
    return refused_by_xla(
        max_globals, "set_attention_slots_in_the_config_to_return_attentions"
    )


def _after_check(flags: Any, max_globals: Any, columns: int) -> Any:
    """Returns `flags`, once there is a column for each global token."""
    rule = "`attention_slots` must cover the global tokens of every row."
    fix = "Raise it, or leave it `None` outside of XLA."
    if is_traced(max_globals):
        message = (
            f"{rule} {fix} Received: attention_slots={columns}, and a row "
            "with so many global tokens:"
        )
        return after_assertion(flags, max_globals, 0, columns + 1, message)
    if int(max_globals) > columns:
        raise ValueError(
            f"{rule} Received: attention_slots={columns}, and a row with "
            f"{int(max_globals)} global tokens. {fix}"
        )
    return flags


def place_slots(values: Any, roles: TokenRoles, first: int = 0) -> Any:
    """Puts what slots hold at the positions of their tokens.

    Args:
        values: tensor `[batch, heads, slots, d]`, of consecutive slots.
        roles: `TokenRoles` with global tokens.
        first: int, the first of these slots. Defaults to `0`.

    Returns:
        Tensor `[batch, heads, seq, d]`, zero at all other tokens.
    """
    last = ops.shape(values)[2] - 1
    slot = roles.slot - first
    inside = ops.maximum(ops.minimum(slot, last), 0)
    placed = take_tokens(values, inside)
    here = ops.logical_and(roles.is_global, ops.equal(slot, inside))
    return placed * per_token(here, values.dtype)


def take_columns(roles: TokenRoles) -> tuple[Any, Any]:
    """Returns the positions of `roles.columns` slots, and whether each is used.

    Both are `[batch, columns]`. Where `columns` was set by the user, it may be
    larger than the number of slots; unused ones are added then.
    """
    order, used, columns = (
        roles.global_first_order,
        roles.slot_used,
        roles.columns,
    )
    if isinstance(columns, int):
        missing = columns - ops.shape(order)[1]
        if isinstance(missing, int):
            missing = max(missing, 0)
        else:
            missing = ops.maximum(missing, 0)
        order = pad_axis(order, 0, missing, axis=1)
        used = pad_axis(used, 0, missing, axis=1, value=False)
    return (
        slice_axis(order, 0, columns, axis=1),
        slice_axis(used, 0, columns, axis=1),
    )
