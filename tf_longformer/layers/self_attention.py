"""Longformer's self-attention as a Keras layer."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import keras
from keras import ops

from tf_longformer.compat import after_assertion
from tf_longformer.compat import is_traced
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.kernels import has_kernel
from tf_longformer.layers.kernels import value_of
from tf_longformer.layers.quantized import RemembersQuantization
from tf_longformer.ops import GLOBAL_COLUMNS
from tf_longformer.ops import AttentionPlan
from tf_longformer.ops import ReplayableDropout
from tf_longformer.ops import attend_portably
from tf_longformer.ops import few_global_attention
from tf_longformer.ops import global_attention
from tf_longformer.ops import global_probabilities
from tf_longformer.ops import is_portable
from tf_longformer.ops import local_attention
from tf_longformer.ops import local_probabilities
from tf_longformer.ops import plan_attention
from tf_longformer.ops import projected_global_attention
from tf_longformer.ops import put_rows
from tf_longformer.ops import take_tokens


@keras.saving.register_keras_serializable("tf_longformer")
class TFLongformerSelfAttention(RemembersQuantization, keras.layers.Layer):
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
        plan: `tf_longformer.ops.AttentionPlan` made from the two masks, for
            layers that share them. Defaults to one made for this call.
        seeds: integer tensor from `draw_seeds()`: equal seeds repeat the
            dropout, as a layer that is recomputed needs. Defaults to new
            ones.
        output_attentions: bool, whether to return probabilities too.
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
        self.radius = self.attention_window // 2
        self.dropout = dropout
        self.kernel_initializer = keras.initializers.get(
            kernel_initializer or Normal(stddev=0.02)
        )
        self.attention_slots = attention_slots
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.supports_masking = True

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

    def call(
        self,
        hidden_states: Any,
        attention_mask: Any = None,
        global_attention_mask: Any = None,
        head_mask: Any = None,
        plan: AttentionPlan | None = None,
        seeds: Any = None,
        output_attentions: bool = False,
        mask: Any = None,
        hidden_states_mask: Any = None,
        training: bool = False,
    ) -> Any:
        if plan is None:
            plan = plan_attention(
                first_mask(
                    hidden_states, attention_mask, mask, hidden_states_mask
                ),
                global_attention_mask,
            )
        query = self._project(self.query, hidden_states)
        key = self._project(self.key, hidden_states)
        value = self._project(self.value, hidden_states)
        # Seeds are drawn here: a draw in a branch would be conditional.
        near, far = self._dropouts(training, seeds)
        if is_portable():
            context = self._attend_portably(
                query, key, value, hidden_states, plan
            )
        else:
            context = local_attention(
                query, key, value, plan, self.radius, near
            )
            if plan.most is not None:
                context = self._add_global(context, hidden_states, plan, far)
        if head_mask is not None:
            head_mask = ops.cast(head_mask, context.dtype)
            context = context * ops.repeat(head_mask, self.head_dim)
        if not output_attentions:
            return context
        return context, *self._probabilities(
            hidden_states, query, key, plan, head_mask
        )

    def _attend_portably(
        self,
        query: Any,
        key: Any,
        value: Any,
        hidden_states: Any,
        plan: AttentionPlan,
    ) -> Any:
        """Attends in a graph that another runtime is to read."""

        def project_globals(index: Any) -> tuple:
            rows = take_tokens(ops.expand_dims(hidden_states, 1), index)
            rows = ops.reshape(
                rows, (*ops.shape(index), query.shape[1] * query.shape[3])
            )
            return (
                self._project(self.query_global, rows),
                self._project(self.key_global, hidden_states),
                self._project(self.value_global, hidden_states),
            )

        return attend_portably(
            query, key, value, project_globals, plan, self.radius
        )

    def _add_global(
        self,
        context: Any,
        hidden_states: Any,
        plan: AttentionPlan,
        dropout: Any,
    ) -> Any:
        """Fills in the rows of the global tokens."""
        projections = (self.query_global, self.key_global, self.value_global)
        if not all(has_kernel(projection) for projection in projections):
            projected = (self._project(p, hidden_states) for p in projections)
            return global_attention(context, *projected, plan, 0, dropout)
        kernels = tuple(value_of(p.kernel) for p in projections)
        biases = tuple(value_of(p.bias) for p in projections)
        first = GLOBAL_COLUMNS
        index = plan.order[:, :first]
        rows = take_tokens(ops.expand_dims(hidden_states, 1), index)[:, 0]
        batch, _, hidden = ops.shape(hidden_states)
        query = ops.matmul(ops.reshape(rows, (-1, hidden)), kernels[0])
        rows = few_global_attention(
            ops.reshape(
                query + biases[0],
                (batch, first, self.num_heads, self.head_dim),
            ),
            hidden_states,
            kernels[1],
            kernels[2],
            # The softmax cancels the bias of the keys. Its gradient is zero;
            # of a weight without one Keras would warn.
            biases[2] + 0.0 * biases[1],
            plan,
            dropout,
        )
        context = put_rows(context, rows, plan)
        return projected_global_attention(
            context,
            hidden_states,
            kernels,
            biases,
            self.num_heads,
            plan,
            first,
            dropout,
        )

    def _probabilities(
        self,
        hidden_states: Any,
        query: Any,
        key: Any,
        plan: AttentionPlan,
        head_mask: Any,
    ) -> tuple:
        slots = self.attention_slots
        if plan.most is None:
            slots = 0
        elif slots is None:
            slots = plan.most
        else:
            query = self._after_slots_check(query, plan.most)
        local = local_probabilities(query, key, plan, self.radius, slots)
        if plan.most is None:
            far = None
        else:
            far = global_probabilities(
                self._project(self.query_global, hidden_states),
                self._project(self.key_global, hidden_states),
                plan,
                slots,
            )
        if head_mask is not None:
            head_mask = ops.reshape(
                ops.cast(head_mask, local.dtype), (1, -1, 1, 1)
            )
            local = local * head_mask
            far = None if far is None else far * head_mask
        return local, far

    def _after_slots_check(self, query: Any, most: Any) -> Any:
        """Checks that there is a column for each global token."""
        slots = self.attention_slots
        rule = "`attention_slots` must cover the global tokens of every row."
        fix = "Raise it, or leave it `None` outside of XLA."
        if is_traced(most):
            message = (
                f"{rule} {fix} Received: attention_slots={slots}, and a row "
                "with so many global tokens:"
            )
            return after_assertion(query, most, 0, slots + 1, message)
        if int(most) > slots:
            raise ValueError(
                f"{rule} Received: attention_slots={slots}, and a row with "
                f"{int(most)} global tokens. {fix}"
            )
        return query

    def draw_seeds(self) -> Any:
        """Returns new seeds for one call, an integer tensor `[2, 2]`."""
        return ops.stack([self.seed_generator.next() for _ in range(2)])

    def _dropouts(self, training: bool, seeds: Any) -> tuple:
        """Returns the dropout of the local and of the global part."""
        if not training or self.dropout == 0:
            return None, None
        if seeds is None:
            seeds = self.draw_seeds()
        return tuple(ReplayableDropout(self.dropout, seeds[i]) for i in (0, 1))

    def _project(self, projection: keras.layers.Dense, x: Any) -> Any:
        """`[batch, seq, hidden]` to `[batch, heads, seq, head_dim]`."""
        batch, seq, hidden = ops.shape(x)
        # Tokens in one axis: the product is fused with its bias. One reshape
        # on either side: tf2onnx mixes up the shapes of two in a row.
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


def _clone(initializer: Any) -> Any:
    """Returns a fresh initializer: a reused one may repeat its values."""
    return keras.initializers.get(keras.initializers.serialize(initializer))
