"""Longformer's self-attention as a Keras layer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from numbers import Integral
from typing import Any

import keras
from keras import ops

from tf_longformer.attention import ReplayableDropout
from tf_longformer.attention import TokenRoles
from tf_longformer.attention import assign_roles
from tf_longformer.attention import attend_by_reference
from tf_longformer.attention import attention_probabilities
from tf_longformer.attention import flash_windowed_attention
from tf_longformer.attention import global_attention
from tf_longformer.attention import global_attention_by_kernels
from tf_longformer.attention import take_columns
from tf_longformer.attention import take_tokens
from tf_longformer.attention import windowed_attention
from tf_longformer.backend import has_flash_attention
from tf_longformer.backend import value_of
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.longformer_layer import LongformerLayer


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerSelfAttention(LongformerLayer):
    """Sliding-window self-attention with global tokens.

    Every token attends to the `attention_window // 2` tokens on either side
    of it, itself and all global tokens of its row; global tokens attend to
    all tokens of their row, through projections of their own. Time and
    memory grow linearly with the length. A drop-in for the self-attention of
    any Keras model: hidden states in, mixed values of the same shape out,
    before any output projection.

    ```python
    inputs = keras.Input((None, 64))
    attention = TFLongformerSelfAttention(num_heads=4, attention_window=32)
    model = keras.Model(inputs, attention(inputs))
    ```

    Args:
        num_heads: int, heads; must divide the width of the input.
        attention_window: int, even and positive: tokens that a window spans
            without its centre. Defaults to `512`.
        dropout: float in [0, 1), dropout of the attention probabilities in
            training. Defaults to `0.1`.
        kernel_initializer: initializer of the six projections. Defaults to
            a normal distribution of deviation 0.02.
        attention_slots: int or `None`, columns for global tokens in returned
            attentions. With `None` there are as many as the row with the
            most global tokens needs, which XLA can't compile. Defaults to
            `None`.
        seed: int or `None`, seed of the dropout.
        **kwargs: arguments of `keras.layers.Layer`.

    Call arguments:
        hidden_states: float tensor `[batch, seq, hidden]`.
        attention_mask: `[batch, seq]` of 0 (padding) and 1. Defaults to the
            Keras mask of the input, or else to all ones.
        global_attention_mask: `[batch, seq]` of 0 and 1 (global). Defaults
            to no global tokens.
        head_mask: float tensor `[num_heads]` that scales the heads' output,
            1 keeps and 0 drops.
        roles: `tf_longformer.attention.TokenRoles` made from the two masks,
            for layers that share them. Defaults to ones made for this call.
        seeds: integer tensor from `draw_seeds()`: equal seeds repeat the
            dropout, as a layer that is recomputed needs. Defaults to new
            ones.
        output_attentions: bool, whether to return probabilities too.
        reference_attention: bool, whether to attend in operations that other
            runtimes have, all blocks at once, for a graph that is exported
            to them. It takes more memory, and knows no dropout. Defaults to
            `False`.
        flash_attention: bool, whether to attend by cuDNN's kernel where it
            can: on JAX, a GPU, in bfloat16 or float16, without dropout and up
            to 16 global tokens in a row. Elsewhere it has no effect. Defaults
            to `False`.
        training: bool, whether dropout is active.

    Returns:
        Tensor `[batch, seq, hidden]`, zero at padding; with
        `output_attentions` a tuple of it, the local probabilities
        `[batch, num_heads, seq, slots + attention_window + 1]` and the
        global ones `[batch, num_heads, seq, slots]` (`None` without global
        tokens), both before dropout.

    Raises:
        ValueError: if the window is not even and positive, or `num_heads`
            does not divide the width of the input.

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150), section 3
    """

    def __init__(
        self,
        num_heads: int,
        attention_window: int = 512,
        dropout: float = 0.1,
        kernel_initializer: Any = None,
        attention_slots: int | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        if (
            not isinstance(attention_window, Integral)
            or attention_window < 2
            or attention_window % 2
        ):
            raise ValueError(
                "`attention_window` must be an even positive int: half of "
                "it lies on either side of a token. Received: "
                f"attention_window={attention_window}. Pass such as 512."
            )
        if num_heads < 1:
            raise ValueError(
                "`num_heads` must be at least 1. Received: "
                f"num_heads={num_heads}. Pass the number of heads."
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                "`dropout` must lie in [0, 1). Received: "
                f"dropout={dropout}. Pass a rate such as 0.1."
            )
        self.num_heads = num_heads
        self.attention_window = int(attention_window)
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer or Normal(stddev=0.02)
        )
        self.attention_slots = attention_slots
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

    @property
    def radius(self) -> int:
        """How many tokens on one side of a token its window spans."""
        # No sequence is as long as that, and positions are int32.
        return min(self.attention_window // 2, 2**29)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        hidden = input_shape[-1]
        if hidden is None or hidden % self.num_heads:
            raise ValueError(
                "`num_heads` must divide the width of the input. Received: "
                f"num_heads={self.num_heads}, width={hidden}. Change one of "
                "them."
            )
        self.head_dim = hidden // self.num_heads
        for name in (
            "query",
            "key",
            "value",
            "query_global",
            "key_global",
            "value_global",
        ):
            projection = keras.layers.Dense(
                hidden,
                kernel_initializer=_clone(self.kernel_initializer),
                name=name,
                dtype=self.dtype_policy,
            )
            projection.build(input_shape)
            setattr(self, name, projection)

    def compute_output_shape(
        self, input_shape: tuple[int | None, ...]
    ) -> tuple[int | None, ...]:
        return tuple(input_shape)

    def call(
        self,
        hidden_states: Any,
        attention_mask: Any = None,
        global_attention_mask: Any = None,
        head_mask: Any = None,
        roles: TokenRoles | None = None,
        seeds: Any = None,
        output_attentions: bool = False,
        mask: Any = None,
        hidden_states_mask: Any = None,
        training: bool = False,
        reference_attention: bool = False,
        flash_attention: bool = False,
    ) -> Any:
        if roles is None:
            roles = roles_from_masks(
                hidden_states,
                (attention_mask, mask, hidden_states_mask),
                global_attention_mask,
                self.attention_slots,
                output_attentions,
                reference_attention,
            )
        query = self._project(self.query, hidden_states)
        key = self._project(self.key, hidden_states)
        value = self._project(self.value, hidden_states)

        project_globals = partial(self._project_globals, hidden_states)
        if roles.reference:
            context = attend_by_reference(
                query, key, value, project_globals, roles, self.radius
            )
        else:
            # Here and not where it is used: there are branches, in which the
            # seed would be drawn or not.
            local_dropout, global_dropout = self._dropouts(training, seeds)
            if (
                flash_attention
                and local_dropout is None
                and has_flash_attention(query.dtype, self.head_dim)
            ):
                context = flash_windowed_attention(
                    query, key, value, roles, self.radius
                )
            else:
                context = windowed_attention(
                    query, key, value, roles, self.radius, local_dropout
                )
            if roles.max_globals is not None:
                context = self._fill_global_rows(
                    context, hidden_states, roles, global_dropout
                )
        if head_mask is not None:
            head_mask = ops.cast(head_mask, context.dtype)
            context = context * ops.repeat(head_mask, self.head_dim)
        if not output_attentions:
            return context
        probabilities = attention_probabilities(
            query, key, project_globals, roles, self.radius
        )
        if head_mask is not None:
            by_head = ops.reshape(head_mask, (1, -1, 1, 1))
            probabilities = (
                None if x is None else x * ops.cast(by_head, x.dtype)
                for x in probabilities
            )
        return context, *probabilities

    def probabilities_by_head(
        self, hidden_states: Any, roles: TokenRoles
    ) -> Iterator[tuple[Any, Any]]:
        """Yields the probabilities of one head after the other.

        Together they are what a call with `output_attentions` returns, but
        only those of one head are in memory.

        Args:
            hidden_states: float tensor `[batch, seq, hidden]`.
            roles: `TokenRoles` with columns for the global tokens.

        Yields:
            Tuple of the local probabilities
            `[batch, 1, seq, slots + attention_window + 1]` and the global
            ones `[batch, 1, seq, slots]`, `None` without global tokens.
        """
        query = self._project(self.query, hidden_states)
        key = self._project(self.key, hidden_states)
        projected = []
        if roles.max_globals is not None:
            index, _ = take_columns(roles)
            several = self._project_globals(hidden_states, index)
            projected = [next(several), next(several)]
        for number in range(self.num_heads):
            head = slice(number, number + 1)
            of_head = [x[:, head] for x in projected]
            yield attention_probabilities(
                query[:, head],
                key[:, head],
                lambda _, of_head=of_head: iter(of_head),
                roles,
                self.radius,
            )

    def _project_globals(self, hidden_states: Any, index: Any) -> Iterator:
        """Yields global queries of some tokens, keys and values of all."""
        rows = take_tokens(ops.expand_dims(hidden_states, 1), index)
        hidden = self.num_heads * self.head_dim
        rows = ops.reshape(rows, (*ops.shape(index), hidden))
        yield self._project(self.query_global, rows)
        yield self._project(self.key_global, hidden_states)
        yield self._project(self.value_global, hidden_states)

    def _fill_global_rows(
        self,
        context: Any,
        hidden_states: Any,
        roles: TokenRoles,
        dropout: ReplayableDropout | None,
    ) -> Any:
        """Attends from the global tokens; by kernels is cheaper if possible."""
        projections = (self.query_global, self.key_global, self.value_global)
        if all(has_kernel(projection) for projection in projections):
            return global_attention_by_kernels(
                context,
                hidden_states,
                tuple(value_of(p.kernel) for p in projections),
                tuple(value_of(p.bias) for p in projections),
                self.num_heads,
                roles,
                dropout,
            )
        query, key, value = (
            self._project(p, hidden_states) for p in projections
        )
        return global_attention(context, query, key, value, roles, dropout)

    def draw_seeds(self) -> Any:
        """Returns new seeds for one call, an integer tensor `[2, 2]`."""
        return ops.stack([self.seed_generator.next() for _ in range(2)])

    def _dropouts(self, training: bool, seeds: Any) -> tuple:
        """Returns the dropout of the window and of the global tokens."""
        if not training or self.dropout == 0:
            return None, None
        if seeds is None:
            seeds = self.draw_seeds()
        return tuple(ReplayableDropout(self.dropout, seeds[i]) for i in (0, 1))

    def _project(self, projection: keras.layers.Dense, x: Any) -> Any:
        """`[batch, seq, hidden]` to `[batch, heads, seq, head_dim]`."""
        batch, seq, hidden = ops.shape(x)
        # With all tokens in one axis the product is fused with its bias. No
        # two reshapes in a row: tf2onnx mixes up their shapes.
        x = projection(ops.reshape(x, (-1, hidden)))
        x = ops.reshape(x, (batch, seq, self.num_heads, self.head_dim))
        return ops.transpose(x, (0, 2, 1, 3))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "attention_window": self.attention_window,
            "dropout": self.dropout,
            "kernel_initializer": keras.initializers.serialize(
                self.kernel_initializer
            ),
            "attention_slots": self.attention_slots,
            "seed": self.seed,
        }


def roles_from_masks(
    hidden_states: Any,
    masks: tuple,
    global_attention_mask: Any,
    attention_slots: int | None,
    output_attentions: bool,
    reference_attention: bool,
) -> TokenRoles:
    """Returns the roles of a layer that is called with masks.

    The reference path takes as many slots as the batch needs.
    """
    return assign_roles(
        first_mask(hidden_states, *masks),
        global_attention_mask,
        None if reference_attention else attention_slots,
        output_attentions,
        reference_attention,
    )


def first_mask(hidden_states: Any, *masks: Any) -> Any:
    """Returns the first mask that is given, or one of all ones.

    Keras passes the mask of the input as `mask` where that is the only
    tensor, and as `hidden_states_mask` where there are others.

    Args:
        hidden_states: tensor `[batch, seq, hidden]`.
        *masks: tensors `[batch, seq]` or `None`.

    Returns:
        Integer or bool tensor `[batch, seq]`.
    """
    for mask in masks:
        if mask is not None:
            return mask
    return ops.ones(ops.shape(hidden_states)[:2], dtype="bool")


def has_kernel(projection: Any) -> bool:
    """Returns whether a projection is `x kernel + bias` and no more.

    A quantized layer also rounds `x`, and a layer of another class may do
    anything.
    """
    return (
        type(projection) is keras.layers.Dense
        and projection.quantization_mode is None
    )


def _clone(initializer: Any) -> Any:
    """Returns a fresh initializer: a reused one may repeat its values."""
    if isinstance(initializer, keras.initializers.Initializer):
        return initializer.clone()
    return initializer
