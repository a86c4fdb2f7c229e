"""What transformers users reach for on a model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer.compat import quantization_mode
from tf_longformer.compat import replace_variable
from tf_longformer.compat import resize_table
from tf_longformer.configuration import LongformerConfig

# Names of transformers' TensorFlow classes, and what takes their place.
_ELSEWHERE = {
    "prepare_tf_dataset": (
        "Pass arrays or a `tf.data.Dataset` of dicts to `fit`; "
        "`tf_longformer.PaddingCollator` fills rows up."
    ),
    "hf_compute_loss": (
        "Pass the labels to the call, or `internal_loss(labels, outputs)`."
    ),
    "serving": "Export with `tf_longformer.export_saved_model`.",
    "serving_output": "Export with `tf_longformer.export_saved_model`.",
    "prune_heads": "Pass `head_mask` to the call, 0 where a head is dropped.",
    "train": "Pass `training=True` to the call; `fit` does.",
    "eval": "A call without `training=True` has no dropout.",
    "device": "Keras places a model: see `tf.device` and `keras.distribution`.",
    "get_position_embeddings": (
        "They are `model.longformer.embeddings.position_embeddings`."
    ),
    "set_output_embeddings": (
        "A tied head follows `set_input_embeddings`; the matrix of one that "
        "isn't is `model.lm_head.decoder`, which has `assign`."
    ),
}


class HabitsMixin:
    """Embeddings, counts and switches under the names of transformers.

    The class it is mixed into gives `config`, `longformer` and `input_rank`.
    """

    config_class = LongformerConfig
    base_model_prefix = "longformer"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True

    @property
    def dummy_inputs(self) -> dict[str, np.ndarray]:
        """A small input, as transformers has it."""
        shape = (1,) * (self.input_rank - 2) + (2, 3)
        ids = np.full(shape, self.config.pad_token_id, "int32")
        return {"input_ids": ids, "attention_mask": np.ones_like(ids)}

    @property
    def num_labels(self) -> int:
        """The number of labels, `model.config.num_labels`."""
        return self.config.num_labels

    @property
    def name_or_path(self) -> str:
        """Where the model was loaded from, or an empty string."""
        return self.config.name_or_path

    def tie_weights(self) -> None:
        """Accepted for old code: tied weights are one variable, always."""

    def __getattr__(self, name: str) -> Any:
        # No property, as Keras would save the body under this name too.
        if name == "base_model":
            return self.longformer
        advice = _ELSEWHERE.get(name, "")
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}. "
            f"{advice}".rstrip()
        )

    # Embeddings.

    def get_input_embeddings(self) -> keras.layers.Embedding:
        """Returns the layer of the word embeddings."""
        return self.longformer.embeddings.word_embeddings

    def set_input_embeddings(self, value: Any) -> None:
        """Replaces the word embeddings, and the tied head with them.

        Args:
            value: array or tensor `[rows, hidden_size]`, or a
                `keras.layers.Embedding` whose values are copied. Other
                `rows` resize the vocabulary.

        Raises:
            ValueError: for another width, or where
                `resize_token_embeddings` raises.
        """
        if isinstance(value, keras.layers.Embedding):
            value = value.embeddings
        rows = ops.convert_to_numpy(value)
        if rows.ndim != 2 or rows.shape[1] != self.config.hidden_size:
            raise ValueError(
                "Word embeddings must be [rows, hidden_size="
                f"{self.config.hidden_size}]. Received: shape {rows.shape}. "
                "Pass a matrix of that width."
            )
        self.resize_token_embeddings(len(rows))
        self.get_input_embeddings().embeddings.assign(rows)

    def get_output_embeddings(self) -> keras.layers.Layer | None:
        """Returns the layer with the matrix of the output projection.

        Returns:
            The word embeddings where the head is tied to them, the head
            where it is not (its `decoder`), `None` without such a head.
        """
        head = getattr(self, "lm_head", None)
        if head is None:
            return None
        return self.get_input_embeddings() if head.tied else head

    def resize_token_embeddings(
        self,
        new_num_tokens: int | None = None,
        pad_to_multiple_of: int | None = None,
    ) -> keras.layers.Embedding:
        """Gives the vocabulary another size, as after `add_tokens`.

        Rows are added or cut off at the end. New ones are drawn as those of
        a new model. The matrix and the bias of a language modelling head
        follow.

        Args:
            new_num_tokens: int, such as `len(tokenizer)`. Defaults to the
                size that there is.
            pad_to_multiple_of: int, rounds the size up. Defaults to none.

        Returns:
            The layer of the word embeddings.

        Raises:
            ValueError: if padding would lose its row, or the weights are
                quantized, have LoRA, or an optimizer already follows them.
        """
        size = self.config.vocab_size
        new = size if new_num_tokens is None else int(new_num_tokens)
        if pad_to_multiple_of is not None:
            new = -(-new // pad_to_multiple_of) * pad_to_multiple_of
        table = self.get_input_embeddings()
        if new == size:
            return table
        if new <= self.config.pad_token_id:
            raise ValueError(
                "The vocabulary must keep the padding token (id "
                f"{self.config.pad_token_id}). Received: new_num_tokens="
                f"{new}. Pass a larger number."
            )
        if quantization_mode(table) or table.lora_enabled:
            raise ValueError(
                "Only plain word embeddings can be resized. Received: a model"
                " that is quantized or has LoRA. Resize it first."
            )
        if getattr(self, "optimizer", None) and self.optimizer.built:
            raise ValueError(
                "A vocabulary must be resized before training: the optimizer "
                "keeps values for each weight. Received: a model that has "
                "trained. Save it, load it, resize it and compile it."
            )
        resize_table(table, self._resized(table.embeddings, new))
        self.longformer.embeddings.vocab_size = new
        head = getattr(self, "lm_head", None)
        if head is not None:
            replace_variable(head, "bias", _resized_bias(head.bias, new))
            if not head.tied:
                decoder = self._resized(head.decoder, new)
                replace_variable(head, "decoder", decoder)
            head.vocab_size = new
        self.config.vocab_size = new
        # What is compiled already would go on with the old matrix.
        self.test_function = self.predict_function = None
        return table

    def _resized(self, weight: Any, size: int) -> np.ndarray:
        """Returns a matrix cut off, or with new rows."""
        old = ops.convert_to_numpy(weight)
        added = keras.random.normal(
            (max(size - len(old), 0), old.shape[1]),
            stddev=self.config.initializer_range,
        )
        added = ops.convert_to_numpy(added).astype(old.dtype)
        return np.concatenate([old[:size], added])

    # Counts and switches.

    def num_parameters(
        self,
        only_trainable: bool = False,
        exclude_embeddings: bool = False,
    ) -> int:
        """Returns how many numbers the weights hold.

        Args:
            only_trainable: bool. Defaults to `False`.
            exclude_embeddings: bool, whether to leave out the three
                embedding tables. Defaults to `False`.
        """
        weights = self.trainable_weights if only_trainable else self.weights
        skipped: set[int] = set()
        if exclude_embeddings:
            tables = self.longformer.embeddings
            skipped = {
                id(weight)
                for table in (
                    tables.word_embeddings,
                    tables.position_embeddings,
                    tables.token_type_embeddings,
                )
                for weight in table.weights
            }
        return sum(
            int(np.prod(weight.shape))
            for weight in weights
            if id(weight) not in skipped
        )

    @property
    def is_gradient_checkpointing(self) -> bool:
        """Whether training recomputes the layers in the backward pass."""
        return self.longformer.encoder.gradient_checkpointing

    def gradient_checkpointing_enable(
        self, gradient_checkpointing_kwargs: dict[str, Any] | None = None
    ) -> None:
        """Has training keep only what goes into each layer.

        The backward pass computes each layer again, with the same dropout:
        less memory for about a third more time, and the same gradients.
        `LongformerConfig(gradient_checkpointing=True)` does it from the
        start.

        Args:
            gradient_checkpointing_kwargs: accepted for old code, without
                effect.
        """
        self._set_gradient_checkpointing(True)

    def gradient_checkpointing_disable(self) -> None:
        """Undoes `gradient_checkpointing_enable`."""
        self._set_gradient_checkpointing(False)

    def _set_gradient_checkpointing(self, value: bool) -> None:
        self.config.gradient_checkpointing = value
        self.longformer.encoder.gradient_checkpointing = value
        # What is compiled already would go on as before.
        self.train_function = None


def _resized_bias(bias: Any, size: int) -> np.ndarray:
    old = ops.convert_to_numpy(bias)
    return np.pad(old[:size], (0, max(size - len(old), 0)))
