"""What all models share: calling, building, configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from tf_longformer import losses
from tf_longformer.configuration import LongformerConfig
from tf_longformer.inputs.arguments import gather_arguments
from tf_longformer.inputs.checks import check_shapes
from tf_longformer.inputs.checks import check_values
from tf_longformer.layers.main_layer import TFLongformerMainLayer
from tf_longformer.models.checkpoint_mixin import CheckpointMixin
from tf_longformer.models.fit_mixin import FitMixin
from tf_longformer.models.habits_mixin import HabitsMixin
from tf_longformer.models.keras_mixin import KerasMixin
from tf_longformer.outputs import ModelOutput

LABELS = ("labels", "start_positions", "end_positions")


class TFLongformerPreTrainedModel(
    CheckpointMixin, HabitsMixin, KerasMixin, FitMixin, keras.Model
):
    """Base of the Longformer models.

    A model is built from its config at once, without a call. A subclass
    makes layers of its own in `create_head` and builds them in `build_head`;
    after `super().__init__` is too late. Both call `super()`'s, and a layer's
    name is its name in files:

    ```python
    class Scorer(TFLongformerModel):
        def create_head(self):
            super().create_head()
            self.score = keras.layers.Dense(1, name="score")

        def build_head(self):
            super().build_head()
            self.score.build((None, self.config.hidden_size))

        def head(self, body, inputs, training):
            outputs = super().head(body, inputs, training)
            return {"pooler_output": self.score(outputs["pooler_output"])}
    ```

    A head of another kind also names its `output_class`, `label_names` and
    `main_output`, and fills in the other hooks below.

    Args:
        config: `LongformerConfig`; the model keeps a copy.
        **kwargs: arguments of `keras.Model`, such as `name` and `dtype`.

    Call arguments:
        input_ids: integers `[batch, seq]` in `[0, vocab_size)`: a tensor, an
            array, a list of ids or of rows of ids; or a mapping of several
            of these arguments, such as a tokenizer returns.
        attention_mask: `[batch, seq]` of 1 (token) and 0 (padding). Defaults
            to all ones.
        global_attention_mask: `[batch, seq]` of 1 (global) and 0. Defaults
            to the head's own choice.
        token_type_ids: integers `[batch, seq]` in `[0, type_vocab_size)`.
            Defaults to zeros.
        position_ids: integers `[batch, seq]` in
            `[0, max_position_embeddings)`. Defaults to the count of tokens
            that aren't padding, plus `pad_token_id`.
        inputs_embeds: floats `[batch, seq, hidden_size]` in place of
            `input_ids`.
        head_mask: `[num_hidden_layers, num_attention_heads]`, 1 keeps a head
            and 0 drops it. Defaults to all ones.
        output_attentions: bool. Defaults to the config's.
        output_hidden_states: bool. Defaults to the config's.
        return_dict: bool, whether to return the output class or a tuple.
            Defaults to the config's.
        training: bool, whether dropout is active. Defaults to `False`.

    Raises:
        TypeError: for unknown or repeated arguments.
        ValueError: for inputs of wrong shape or value.
    """

    output_class: type[ModelOutput]
    label_names: tuple[str, ...] = ()
    main_output: str = "logits"
    has_pooler = False
    input_rank = 2

    def __init__(self, config: LongformerConfig, **kwargs: Any):
        if not isinstance(config, LongformerConfig):
            raise TypeError(
                f"{type(self).__name__} is made from a `LongformerConfig`. "
                f"Received: {type(config).__name__}. Pass "
                "`LongformerConfig(...)`, or use `from_pretrained(folder)`."
            )
        # Labels and losses keep the dtype that they come in.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        config.validate()
        self.config = LongformerConfig.from_dict(config.to_dict())
        self.longformer = TFLongformerMainLayer(
            self.config,
            add_pooling_layer=self.has_pooler,
            name="longformer",
            dtype=self.dtype_policy,
        )
        self.create_head()
        self.build()

    # Hooks of the heads.

    def create_head(self) -> None:
        """Creates the layers of the head."""

    def build_head(self) -> None:
        """Builds the layers of the head."""

    def default_global_mask(self, inputs: dict[str, Any]) -> Any:
        """Returns the head's global mask where none is given, or `None`."""
        return None

    def head(
        self, body: ModelOutput, inputs: dict[str, Any], training: bool
    ) -> dict[str, Any]:
        """Returns the head's outputs by name from the body's."""
        raise NotImplementedError(
            f"{type(self).__name__} has no head: use one of the "
            "TFLongformerFor... classes."
        )

    def loss_terms(
        self,
        labels: dict[str, Any],
        outputs: dict[str, Any],
        sample_weight: Any = None,
    ) -> list[tuple[Any, Any]]:
        """Returns sums and weights; the loss is the mean of their means."""
        raise ValueError(
            f"{type(self).__name__} has no loss of its own. Received: no "
            "`loss`. Pass one to `compile`, or use a class with a head."
        )

    def check_labels(
        self, labels: dict[str, Any], outputs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Checks the labels' shapes and values.

        Args:
            labels: dict of the model's label names.
            outputs: the head's outputs, or `None` where there are none yet.

        Returns:
            The labels; in a TensorFlow graph they wait for the check.

        Raises:
            ValueError: if they break a rule of the head.
        """
        return labels

    # Calling.

    def build(self, input_shape: Any = None) -> None:
        """Creates all weights; the config says their shapes."""
        self.longformer.build()
        self.build_head()

    def __call__(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        return super().__call__(
            **self._gathered(input_ids, attention_mask, args, kwargs)
        )

    def _gathered(
        self, first: Any, attention_mask: Any, extra: tuple, keywords: dict
    ) -> dict[str, Any]:
        """Returns the arguments of a call by name, their shapes checked."""
        inputs = gather_arguments(
            type(self).__name__,
            self.label_names,
            first,
            attention_mask,
            extra,
            keywords,
        )
        check_shapes(inputs, self.config, self.input_rank)
        return inputs

    def call(
        self,
        input_ids: Any = None,
        attention_mask: Any = None,
        *,
        global_attention_mask: Any = None,
        token_type_ids: Any = None,
        position_ids: Any = None,
        inputs_embeds: Any = None,
        head_mask: Any = None,
        labels: Any = None,
        start_positions: Any = None,
        end_positions: Any = None,
        output_attentions: bool | None = None,
        output_hidden_states: bool | None = None,
        return_dict: bool | None = None,
        training: bool = False,
    ) -> Any:
        if isinstance(input_ids, Mapping):
            # Keras's loop on JAX comes here without `__call__`.
            inputs = self._gathered(input_ids, None, (), {"training": training})
            return self.call(**inputs)
        inputs = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "global_attention_mask": global_attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
            "head_mask": head_mask,
        }
        unflattened = inputs
        inputs = check_values(self.flatten_inputs(inputs), self.config)
        if inputs["global_attention_mask"] is None:
            inputs["global_attention_mask"] = self.default_global_mask(inputs)
        body = self.longformer(
            **inputs,
            output_attentions=_first_set(
                output_attentions, self.config.output_attentions
            ),
            output_hidden_states=_first_set(
                output_hidden_states, self.config.output_hidden_states
            ),
            training=bool(training),
        )
        outputs = self.head(body, unflattened, bool(training))
        given = self._given_labels(labels, start_positions, end_positions)
        if given:
            outputs["loss"] = self.internal_loss(given, outputs)
        output = self.output_class(
            {
                **outputs,
                "hidden_states": body.hidden_states,
                "attentions": body.attentions,
                "global_attentions": body.global_attentions,
            }
        )
        if self.in_step or _first_set(return_dict, self.config.use_return_dict):
            return output
        return output.to_tuple()

    def flatten_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Returns the inputs as the body takes them, `[batch, seq]`."""
        return inputs

    def _given_labels(self, *values: Any) -> dict[str, Any]:
        given = dict(zip(LABELS, values, strict=True))
        given = {k: v for k, v in given.items() if v is not None}
        missing = [n for n in self.label_names if n not in given]
        if given and missing:
            raise ValueError(
                f"{type(self).__name__} computes its loss from "
                f"{list(self.label_names)}. Received: no {missing}. Pass all "
                "of them or none."
            )
        return given

    def internal_loss(
        self,
        labels: dict[str, Any],
        outputs: dict[str, Any],
        sample_weight: Any = None,
        sum_weights: Any = None,
    ) -> Any:
        """Returns HF's loss of this head, a scalar.

        Args:
            labels: dict of the model's label names.
            outputs: dict with the logits.
            sample_weight: `[batch]`, or `None`.
            sum_weights: callable that adds a weight up over replicas, or
                `None`.

        Returns:
            float32 scalar, zero where every label is ignored.
        """
        labels = self.check_labels(labels, outputs)
        means = []
        for total, weight in self.loss_terms(labels, outputs, sample_weight):
            if sum_weights is not None:
                weight = sum_weights(weight)
            means.append(losses.mean(total, weight))
        return sum(means) / len(means)


def _first_set(value: bool | None, default: bool) -> bool:
    return default if value is None else value
