"""The functions of a SavedModel, by the names that clients call them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_longformer.export import checks
from tf_longformer.export.buckets import Buckets
from tf_longformer.export.heads import HEADS
from tf_longformer.export.heads import MaskedLM
from tf_longformer.export.weights import StoredWeights
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.models.variables import head_of
from tf_longformer.preprocessing.text_preprocessor import (
    LongformerTextPreprocessor,
)
from tf_longformer.tokenization import LongformerTokenizer
from tf_longformer.tokenization.base import BaseLongformerTokenizer

INPUT_MEANINGS = {
    "input_ids": "ids of the model's tokenizer, special tokens included",
    "attention_mask": "1 for tokens, 0 for padding, on either side",
    "global_attention_mask": "1 for tokens with global attention, 0 for others",
    "text": "documents, UTF-8",
    "question": "questions, UTF-8",
    "context": "the document of each question, UTF-8",
    "prompt": "what is asked, UTF-8",
    "choices": "the choices of each prompt, UTF-8",
}
# Longer than any text, for a tokenizer that must not cut: a request that is
# too long is refused.
_ENDLESS = int(1e30)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What can be chosen about the signatures.

    Args:
        ids_dtype: `"int32"` or `"int64"`.
        weights: `"float32"`, `"bfloat16"` or `"int8"`.
        buckets: `Buckets` of the signature `xla`; `None` for no such one.
        top_k: int, answers, and tokens of a mask.
        longest: int, tokens of an answer at most.
    """

    ids_dtype: str = "int32"
    weights: str = "float32"
    buckets: Buckets | None = None
    top_k: int = 5
    longest: int = 15


class Signatures(tf.Module):
    """A model as functions of tensors, which own its weights.

    Keras's own tracking would also store the layers' Python configuration,
    which nobody without this package could use.

    Args:
        model: a Longformer model.
        tokenizer: its tokenizer, or `None`.
        settings: `Settings`.

    Attributes:
        head: `Head` of the model.
        weights: list of `tf.Variable`.
    """

    def __init__(
        self,
        model: TFLongformerPreTrainedModel,
        tokenizer: BaseLongformerTokenizer | None,
        settings: Settings,
    ) -> None:
        super().__init__(name="longformer")
        config = model.config
        # Not tracked: Keras's objects can't be loaded without Keras.
        self._model = _Hidden(model)
        self._settings = settings
        self._stored = _Hidden(StoredWeights(model, settings.weights))
        self.weights = self._stored.value.variables
        tokens = mask_token_id = None
        if tokenizer is not None:
            texts = _texts_of_ids(tokenizer, config.vocab_size)
            tokens, mask_token_id = texts, tokenizer.mask_token_id
        self.head = HEADS[head_of(type(model))](
            config,
            tokens,
            mask_token_id,
            min(settings.top_k, config.vocab_size),
            settings.longest,
        )
        functions = {
            "serving_default": self._of_ids(),
            "with_global_attention": self._of_ids_and_globals(),
        }
        if tokenizer is not None:
            functions["text"] = self._of_texts(tokenizer)
        if settings.buckets is not None:
            functions["xla"] = self._compiled(settings.buckets)
        # Traced once, here: of a `tf.function` the writer would make a trace
        # of its own, and store both.
        self._functions = _Hidden(
            {
                name: function.get_concrete_function()
                for name, function in functions.items()
            }
        )

    @property
    def functions(self) -> dict[str, Any]:
        """The traced functions, by the names of signatures."""
        return self._functions.value

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Runs the model.

        Args:
            inputs: dict of int32 tensors, checked.

        Returns:
            Dict of float32 tensors.
        """
        with self._stored.value.in_use():
            outputs = self._model.value(
                **inputs,
                output_attentions=False,
                output_hidden_states=False,
                return_dict=True,
                training=False,
            )
            return {
                name: tf.cast(value, tf.float32)
                for name, value in outputs.items()
            }

    def _specs(self, *names: str) -> list[tf.TensorSpec]:
        # (batch, seq), or (batch, choices, seq)
        shape = [None] * self._model.value.input_rank
        dtype = tf.as_dtype(self._settings.ids_dtype)
        return [tf.TensorSpec(shape, dtype, name=name) for name in names]

    def _serve(self, **inputs: Any) -> dict[str, Any]:
        inputs = checks.check_ids(inputs, self._model.value.config)
        return self.head.of_ids(
            self.run(inputs), inputs["input_ids"], inputs["attention_mask"]
        )

    def _of_ids(self) -> Callable[..., Any]:
        def serving_default(input_ids: Any, attention_mask: Any) -> Any:
            return self._serve(
                input_ids=input_ids, attention_mask=attention_mask
            )

        specs = self._specs("input_ids", "attention_mask")
        return _function(serving_default, specs)

    def _of_ids_and_globals(self) -> Callable[..., Any]:
        def with_global_attention(
            input_ids: Any, attention_mask: Any, global_attention_mask: Any
        ) -> Any:
            return self._serve(
                input_ids=input_ids,
                attention_mask=attention_mask,
                global_attention_mask=global_attention_mask,
            )

        specs = self._specs(
            "input_ids", "attention_mask", "global_attention_mask"
        )
        return _function(with_global_attention, specs)

    def _compiled(self, buckets: Buckets) -> Callable[..., Any]:
        config = self._model.value.config

        def run(input_ids: Any, attention_mask: Any) -> Any:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            if self._model.value.input_rank == 3:
                # Rows of one choice each, whose number is then a bucket's.
                inputs = {n: x[:, None] for n, x in inputs.items()}
            return self.run(inputs)

        spec = tf.TensorSpec([None, None], tf.int32)
        compiled = tf.function(
            run, input_signature=[spec] * 2, autograph=False, jit_compile=True
        )

        def xla(input_ids: Any, attention_mask: Any) -> Any:
            inputs = checks.check_ids(
                {"input_ids": input_ids, "attention_mask": attention_mask},
                config,
            )
            ids, mask = inputs["input_ids"], inputs["attention_mask"]
            outputs = buckets.run(
                compiled, ids, mask, config.pad_token_id, self.head.per_token
            )
            return self.head.of_ids(outputs, ids, mask)

        return _function(xla, self._specs("input_ids", "attention_mask"))

    def _of_texts(self, tokenizer: BaseLongformerTokenizer) -> Any:
        endless = LongformerTokenizer.from_config(
            {**tokenizer.get_config(), "model_max_length": _ENDLESS}
        )
        encode = LongformerTextPreprocessor(
            endless, return_offsets=True, return_sequence_ids=True
        )
        strings = tf.TensorSpec([None], tf.string)

        def serve(**texts: Any) -> dict[str, Any]:
            return self._serve_texts(encode, tokenizer.mask_token, texts)

        if len(self.head.texts) == 1:
            return _function(lambda text: serve(text=text), [strings])
        if self.head.texts == ("question", "context"):
            return _function(
                lambda question, context: serve(
                    question=question, context=context
                ),
                [strings] * 2,
            )
        return _function(
            lambda prompt, choices: serve(prompt=prompt, choices=choices),
            [strings, tf.TensorSpec([None, None], tf.string)],
        )

    def _serve_texts(
        self, encode: Any, mask_token: str | None, texts: dict[str, Any]
    ) -> dict[str, Any]:
        config = self._model.value.config
        parts = list(checks.check_texts(texts).values())
        if len(parts) == 2 and parts[1].shape.rank == 2:
            # A prompt for each of its choices.
            encoded = encode(parts[0][:, None], parts[1])
        else:
            encoded = encode(*parts)
        encoded = checks.check_lengths(encoded, config)
        inputs = {n: encoded[n] for n in ("input_ids", "attention_mask")}
        if not isinstance(self.head, MaskedLM):
            return self.head.of_texts(self.run(inputs), encoded, parts)
        # The vocabulary's scores of masks alone: of all tokens they would
        # take most of the time and of the answer.
        positions = self.head.find_masks(encoded, mask_token)
        logits = self._mask_logits(inputs, positions)
        return self.head.of_masks(logits, encoded, positions)

    def _mask_logits(self, inputs: dict[str, Any], positions: Any) -> Any:
        model = self._model.value
        with self._stored.value.in_use():
            body = model.longformer(**inputs)
            hidden = body.last_hidden_state
            body["last_hidden_state"] = tf.gather(
                hidden, tf.maximum(positions, 0), batch_dims=1
            )
            logits = model.head(body, inputs, training=False)["logits"]
            return tf.cast(logits, tf.float32)


class _Hidden:
    """Keeps a value where TensorFlow doesn't look for what to save."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _function(function: Callable[..., Any], specs: list) -> Any:
    return tf.function(function, input_signature=specs, autograph=False)


def _texts_of_ids(
    tokenizer: BaseLongformerTokenizer, vocab_size: int
) -> list[str]:
    """Returns the text of each id; `""` where there is no token."""
    known = set(tokenizer.get_vocab().values())
    return [
        tokenizer.decode([index]) if index in known else ""
        for index in range(vocab_size)
    ]
