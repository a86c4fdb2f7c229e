"""The functions of a SavedModel, by the names that clients call them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from tf_longformer import decoding
from tf_longformer.export import request_checks
from tf_longformer.export.buckets import Buckets
from tf_longformer.export.results import MaskedLM
from tf_longformer.export.results import Results
from tf_longformer.export.stored_weights import StoredWeights
from tf_longformer.graph_tokenization.fewest_tokens import FewestTokens
from tf_longformer.graph_tokenization.text_preprocessor import (
    LongformerTextPreprocessor,
)
from tf_longformer.heads import BARE
from tf_longformer.heads import head_of
from tf_longformer.heads import resolve
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.projections import Projection
from tf_longformer.tasks.steps import takes_token_types
from tf_longformer.tokenization import LongformerTokenizer

# A `model_max_length` that no text reaches: a request that is too long must be
# refused, not cut.
_ENDLESS = int(1e30)


@dataclasses.dataclass(frozen=True)
class Settings:
    """What can be chosen about the signatures.

    Args:
        ids_dtype: `"int32"` or `"int64"`.
        weights: `"float32"`, `"bfloat16"` or `"int8"`.
        buckets: `Buckets` of the signature `xla`; `None` leaves it out.
        top_k: int, how many answers, or tokens for a mask.
        max_answer_len: int, tokens of an answer at most.
        pooling: how `embed` makes vectors, see `decoding.pool_rows`.
        normalize: bool, whether these have the length 1.
        projections: `Projection`s that these go through before.
    """

    ids_dtype: str = "int32"
    weights: str = "float32"
    buckets: Buckets | None = None
    top_k: int = 5
    max_answer_len: int = 15
    pooling: str = "mean"
    normalize: bool = True
    projections: tuple[Projection, ...] = ()


class Signatures(tf.Module):
    """A model as functions of tensors, which own its weights.

    The model itself is hidden from TensorFlow, which would store the
    configuration of all its layers too; a SavedModel has no use for it.

    Args:
        model: a Longformer model.
        tokenizer: its tokenizer, or `None`.
        settings: `Settings`.

    Attributes:
        results: `Results` of the model's head.
        weights: list of `tf.Variable`.
    """

    def __init__(
        self,
        model: TFLongformerPreTrainedModel,
        tokenizer: LongformerTokenizer | None,
        settings: Settings,
    ) -> None:
        super().__init__(name="longformer")
        # Keras's objects, if they were saved, couldn't be loaded without Keras.
        self._model = _Hidden(model)
        self._settings = settings
        self._stored = _Hidden(StoredWeights(model, settings.weights))
        self.weights = self._stored.value.variables
        head = head_of(type(model))
        results_class = resolve(head.export) or Results
        self.results = results_class(
            head,
            model.config,
            tokenizer,
            settings.top_k,
            settings.max_answer_len,
        )
        functions = {
            "serving_default": self._of_ids(),
            "with_global_attention": self._of_ids_and_globals(),
        }
        if tokenizer is not None:
            functions["text"] = self._of_texts(tokenizer)
        if head.name == BARE:
            functions["embed"] = self._embed_ids("embed")
            if tokenizer is not None:
                functions["embed_ids"] = self._embed_ids("embed_ids")
                functions["embed"] = self._of_texts(tokenizer, self._embed)
        if settings.buckets is not None:
            functions["xla"] = self._compiled(settings.buckets)
        # Traced here: given a `tf.function`, TensorFlow would trace it again
        # while it saves, and store both traces.
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
        inputs = request_checks.check_ids(inputs, self._model.value.config)
        return self.results.of_ids(
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

    def _embed(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Returns a vector for each row of checked inputs."""
        states = self.run(inputs)["last_hidden_state"]
        vectors = decoding.pool_rows(
            states, inputs["attention_mask"], self._settings.pooling
        )
        vectors = decoding.project_vectors(vectors, self._settings.projections)
        if self._settings.normalize:
            vectors = decoding.normalize_vectors(vectors)
        return {"embedding": vectors}

    def _embed_ids(self, name: str) -> Callable[..., Any]:
        def embed(input_ids: Any, attention_mask: Any) -> Any:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            config = self._model.value.config
            return self._embed(request_checks.check_ids(inputs, config))

        embed.__name__ = name
        return _function(embed, self._specs("input_ids", "attention_mask"))

    def _compiled(self, buckets: Buckets) -> Callable[..., Any]:
        config = self._model.value.config

        def run(input_ids: Any, attention_mask: Any) -> Any:
            inputs = {"input_ids": input_ids, "attention_mask": attention_mask}
            if self._model.value.input_rank == 3:
                # Each choice is a row of its own: buckets count rows.
                inputs = {n: x[:, None] for n, x in inputs.items()}
            return self.run(inputs)

        spec = tf.TensorSpec([None, None], tf.int32)
        compiled = tf.function(
            run, input_signature=[spec] * 2, autograph=False, jit_compile=True
        )

        def xla(input_ids: Any, attention_mask: Any) -> Any:
            inputs = request_checks.check_ids(
                {"input_ids": input_ids, "attention_mask": attention_mask},
                config,
            )
            ids, mask = inputs["input_ids"], inputs["attention_mask"]
            outputs = buckets.run(
                compiled,
                ids,
                mask,
                config.pad_token_id,
                self.results.token_outputs,
            )
            return self.results.of_ids(outputs, ids, mask)

        return _function(xla, self._specs("input_ids", "attention_mask"))

    def _of_texts(
        self,
        tokenizer: LongformerTokenizer,
        embed: Callable[..., Any] | None = None,
    ) -> Any:
        """Makes the function of texts; with `embed` what that makes of ids."""
        endless = LongformerTokenizer.from_config(
            {**tokenizer.get_config(), "model_max_length": _ENDLESS}
        )
        inputs = ["input_ids", "attention_mask"]
        known = tokenizer.model_input_names
        if "token_type_ids" in known and takes_token_types(self._model.value):
            inputs.append("token_type_ids")
        encode = LongformerTextPreprocessor(
            endless, return_offsets=True, return_sequence_ids=True
        )
        fewest_tokens = FewestTokens(tokenizer)
        names = self.results.texts
        shapes: dict[str, list[None]] = {name: [None] for name in names}
        if self._model.value.input_rank == 3:
            # The last text is a list of choices.
            shapes[names[-1]] = [None, None]

        def text(*values: Any) -> dict[str, Any]:
            return self._serve_texts(
                encode,
                fewest_tokens,
                dict(zip(names, values, strict=True)),
                inputs,
                embed,
            )

        return _function(
            text,
            [
                tf.TensorSpec(shape, tf.string, name=name)
                for name, shape in shapes.items()
            ],
        )

    def _serve_texts(
        self,
        encode: Any,
        fewest_tokens: Callable[..., Any],
        texts: dict[str, Any],
        names: list[str],
        embed: Callable[..., Any] | None,
    ) -> dict[str, Any]:
        config = self._model.value.config
        texts = request_checks.check_texts(texts)
        texts = request_checks.check_fewest(texts, fewest_tokens, config)
        parts = list(texts.values())
        if len(parts) == 2 and parts[1].shape.rank == 2:
            # Each choice is paired with its prompt.
            encoded = encode(parts[0][:, None], parts[1])
        else:
            encoded = encode(*parts)
        encoded = request_checks.check_lengths(encoded, config)
        inputs = {name: encoded[name] for name in names}
        if embed is not None:
            return embed(inputs)
        if not isinstance(self.results, MaskedLM):
            return self.results.of_texts(self.run(inputs), encoded, parts)
        # The scores of the whole vocabulary are computed for masks alone: for
        # every token they would take most of the time and fill the reply.
        positions = self.results.find_masks(encoded)
        logits = self._mask_logits(inputs, positions)
        return self.results.of_masks(logits, encoded, positions)

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
    """Holds a value that TensorFlow must not find and save."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _function(function: Callable[..., Any], specs: list) -> Any:
    return tf.function(function, input_signature=specs, autograph=False)
