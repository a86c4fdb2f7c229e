"""The class that all models derive from.

A call goes from `__call__`, which checks shapes, through Keras to `call`,
which checks values and runs the body (`layers.main_layer`) and the head. Most
other methods only name and document what functions of `pretrained`,
`transformers_methods`, `keras_methods` and `tf_longformer.training` do.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from tf_longformer import hub
from tf_longformer import losses
from tf_longformer import old_keywords
from tf_longformer.backend import signature_function
from tf_longformer.checkpoints import model_card
from tf_longformer.checkpoints import save
from tf_longformer.checkpoints.locate import locate_adapter
from tf_longformer.checkpoints.vector_settings import VectorSettings
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import shown
from tf_longformer.heads import LABELS
from tf_longformer.heads import Head
from tf_longformer.heads import head_of
from tf_longformer.inputs.call_arguments import gather_arguments
from tf_longformer.inputs.checks import check_shapes
from tf_longformer.inputs.checks import check_values
from tf_longformer.inputs.default_globals import default_global_mask
from tf_longformer.keras_private import TrainsOnReplicas
from tf_longformer.keras_private import end_gradients_with_graph
from tf_longformer.layers.longformer_layer import KerasContract
from tf_longformer.layers.main_layer import TFLongformerMainLayer
from tf_longformer.memory import require_memory
from tf_longformer.models import keras_methods
from tf_longformer.models import lora
from tf_longformer.models import transformers_methods
from tf_longformer.models.pretrained import load_model
from tf_longformer.models.pretrained import save_model
from tf_longformer.outputs import ModelOutput
from tf_longformer.training import keras_steps
from tf_longformer.training.compiled_adam import compiled_adam
from tf_longformer.training.data_checks import check_if_compiled
from tf_longformer.training.fit import as_plain_dict
from tf_longformer.training.fit import build_optimizer
from tf_longformer.training.fit import prepare_arguments
from tf_longformer.training.fit import prepare_prediction
from tf_longformer.training.fit import ready_to_train


class TFLongformerPreTrainedModel(KerasContract, TrainsOnReplicas, keras.Model):
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

    A head of another kind also has an `output_class` and a record of its own
    (`tf_longformer.heads.register_head`), and fills in the other hooks below.

    Args:
        config: `LongformerConfig`, or what its `from_dict` takes: a dict of
            fields, or a config of transformers. The model keeps a copy.
        initial_values: what matrices start from while the model is built, in
            place of drawn numbers, as `from_pretrained` passes it: a
            function from a layer's path and the name of a dtype to an array,
            or to `None` for those to be drawn. Defaults to none.
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
        reference_attention: bool, whether to attend in operations that other
            runtimes have, for a graph that is exported to them. It takes more
            memory, and knows no dropout. Defaults to `False`.
        attention_slots: int, columns for global tokens in returned
            attentions; in that graph the most that a row may have. Defaults
            to the config's, and there to what each batch needs.
        training: bool, whether dropout is active. Defaults to `False`.

    Raises:
        TypeError: for unknown or repeated arguments.
        ValueError: for inputs of wrong shape or value.
    """

    # What is known of the class without an instance. The six classes of the
    # package take it from `heads.HEADS`, others register theirs.
    head_record = Head("LongformerPreTrainedModel", "")
    output_class: type[ModelOutput]
    # Of a model from a folder of sentence-transformers, saved with it.
    vector_settings: VectorSettings | None = None

    # What transformers calls them.
    config_class = LongformerConfig
    base_model_prefix = "longformer"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True

    # Set by `compile`: whether it was given a loss, which then replaces the
    # head's own, and where that is a dict, the outputs that it names.
    loss_given = False
    loss_outputs: tuple[str, ...] = ()

    def __init__(
        self,
        config: Any,
        *,
        initial_values: Callable[[str, str], np.ndarray | None] | None = None,
        **kwargs: Any,
    ):
        if not isinstance(config, LongformerConfig):
            config = LongformerConfig.from_dict(config)
        # Labels and losses keep the dtype that they come in.
        kwargs.setdefault("autocast", False)
        super().__init__(**kwargs)
        config.validate()
        require_memory(config, self.variable_dtype)
        self.config = LongformerConfig.from_dict(config.to_dict())
        self.config.name_or_path = config.name_or_path
        self.initial_values = initial_values
        self.longformer = TFLongformerMainLayer(
            self.config,
            add_pooling_layer=self.head_record.has_pooler,
            initial_values=initial_values,
            name="longformer",
            dtype=self.dtype_policy,
        )
        self.create_head()
        self.build()

    @property
    def initializer_range(self) -> float:
        """Standard deviation of new matrices."""
        return self.config.initializer_range

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the labels that a call takes."""
        return self.head_record.label_names

    @property
    def main_output(self) -> str:
        """Name of the output that a loss without a name is about."""
        return self.head_record.main_output

    @property
    def input_rank(self) -> int:
        """Axes of `input_ids`: 2, or 3 with choices."""
        return self.head_record.input_rank

    # Hooks of the heads.

    def create_head(self) -> None:
        """Creates the layers of the head."""

    def build_head(self) -> None:
        """Builds the layers of the head."""

    def default_global_mask(self, inputs: dict[str, Any]) -> Any:
        """Returns the head's global mask where none is given, or `None`."""
        return default_global_mask(
            self.head_record.default_globals, inputs, self.config
        )

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

    def counted_labels(self, name: str, labels: Any, output: Any) -> Any:
        """Returns which labels count, in the loss and so in metrics.

        Args:
            name: str, the output's name.
            labels: its labels.
            output: the output.

        Returns:
            bool tensor, one for each label, or `None` where all count.
        """
        return losses.counted_classes(labels, output)

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
        inputs = self._arguments_by_name(
            input_ids, attention_mask, args, kwargs
        )
        return_dict = inputs.pop("return_dict", None)
        return self._as_output_or_tuple(super().__call__(**inputs), return_dict)

    def _arguments_by_name(
        self, first: Any, attention_mask: Any, extra: tuple, keywords: dict
    ) -> dict[str, Any]:
        """Returns the arguments of a call by name, their shapes checked."""
        inputs = gather_arguments(
            type(self).__name__,
            self.head_record.label_names,
            first,
            attention_mask,
            extra,
            keywords,
        )
        check_shapes(inputs, self.config, self.head_record.input_rank)
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
        reference_attention: bool = False,
        attention_slots: int | None = None,
        training: bool = False,
    ) -> Any:
        if isinstance(input_ids, Mapping | list | tuple):
            # On JAX, Keras's loop calls this without `__call__`.
            inputs = self._arguments_by_name(
                input_ids, None, (), {"training": training}
            )
            return_dict = inputs.pop("return_dict", None)
            return self._as_output_or_tuple(self.call(**inputs), return_dict)
        inputs = {
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "global_attention_mask": global_attention_mask,
            "token_type_ids": token_type_ids,
            "position_ids": position_ids,
            "inputs_embeds": inputs_embeds,
            "head_mask": head_mask,
        }
        # Heads look at the inputs as they came, with any axis of choices.
        flat = check_values(self.flatten_inputs(inputs), self.config)
        if flat["global_attention_mask"] is None:
            flat["global_attention_mask"] = self.default_global_mask(flat)
        if output_attentions is None:
            output_attentions = self.config.output_attentions
        if output_hidden_states is None:
            output_hidden_states = self.config.output_hidden_states
        body = self.longformer(
            **flat,
            output_attentions=output_attentions,
            output_hidden_states=output_hidden_states,
            reference_attention=reference_attention,
            attention_slots=attention_slots,
            training=bool(training),
        )
        output = self.output_class(
            {
                **self.head(body, inputs, bool(training)),
                "hidden_states": body.hidden_states,
                "attentions": body.attentions,
                "global_attentions": body.global_attentions,
            }
        )
        given = self._given_labels(labels, start_positions, end_positions)
        if given:
            output["loss"] = self.internal_loss(given, output)
            output.move_to_end("loss", last=False)
        # After `__call__` this is `None`: it keeps `return_dict` to itself, as
        # Keras refuses to mix it with tensors where a subclass takes
        # `**kwargs`.
        return self._as_output_or_tuple(output, return_dict is not False)

    def _as_output_or_tuple(self, output: Any, return_dict: bool | None) -> Any:
        """Returns the output class as it is, or as a tuple."""
        if return_dict is None:
            return_dict = self.config.use_return_dict
        if return_dict or not isinstance(output, ModelOutput):
            return output
        return output.to_tuple()

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        # `__call__` makes a tuple of it where one is asked for.
        return super().compute_output_spec(
            *args, **{"return_dict": True, **kwargs}
        )

    def compute_output_shape(self, input_shape: Any) -> dict[str, Any]:
        """Returns the shapes of the outputs by name.

        Args:
            input_shape: shape of `input_ids`, or a dict of the inputs'
                shapes.
        """
        inputs = keras.tree.map_shape_structure(
            lambda shape: keras.KerasTensor(shape, "int32"), input_shape
        )
        return {
            name: tensor.shape
            for name, tensor in self.compute_output_spec(inputs).items()
        }

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

    # Checkpoints.

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        *,
        config: Any = None,
        revision: str | None = None,
        subfolder: str = "",
        cache_dir: str | os.PathLike | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        dtype: Any = None,
        name: str | None = None,
        trainable: bool = True,
        from_pt: bool = False,
        from_tf: bool = False,
        use_safetensors: bool | None = None,
        **config_overrides: Any,
    ) -> Any:
        """Loads a model, from a folder or from the hub.

        Of the weights in a folder the first of these is read:
        `model.safetensors` (with PyTorch's or HF TensorFlow's names),
        `pytorch_model.bin` (without PyTorch), `tf_model.h5`, each of them
        also in shards with an index; `model.weights.h5`, `model.keras`. A
        model is filled completely or not at all.

        Args:
            pretrained_model_name_or_path: a folder with `config.json` and
                weights, or a file of weights beside a `config.json`; or
                `"mini"`, a small model that comes with the package; or a
                preset, such as `"longformer-base-4096"`, or an id of the hub,
                which need `huggingface_hub`. What exists here comes first.
            config: `LongformerConfig` to use instead of the folder's, or a
                dict of its fields, or a config of transformers, or where one
                is saved.
            revision: str, branch, tag or commit on the hub. Defaults to the
                main branch.
            subfolder: str, folder within the folder. Defaults to none.
            cache_dir: the hub's cache. Defaults to that of its library.
            token: the hub's token: a str, `True` for the one that was logged
                in with, `False` for none. Defaults to the library's choice.
            local_files_only: bool, whether of the hub only the cache is
                looked at. Defaults to `False`.
            force_download: bool, whether files in the cache are downloaded
                again. Defaults to `False`.
            ignore_mismatched_sizes: bool, whether weights of another shape
                stay newly drawn instead of raising. Defaults to `False`.
            output_loading_info: bool, whether to return a dict of
                `missing_keys`, `unexpected_keys`, `mismatched_keys` and
                `error_msgs` too. Defaults to `False`.
            dtype: Keras dtype policy or its name, such as
                `"mixed_bfloat16"`. Defaults to the global policy.
            name: str, the model's name. Defaults to one that Keras makes.
            trainable: bool, whether the weights are trained. Defaults to
                `True`.
            from_pt: accepted for old code, without effect: the format is
                recognised.
            from_tf: the same.
            use_safetensors: the same. So are other keywords of transformers
                that have no effect here, such as `low_cpu_mem_usage`.
            **config_overrides: fields of the config, such as
                `num_labels=3` or `attention_window=256`; with the latter, or
                with `max_tokens`, the longest text, also other encoders are
                loaded: see `tf_longformer.convert_to_longformer`. With
                `max_tokens` or another `max_position_embeddings` the table of
                positions is copied, as by `extend_positions`.

        Returns:
            The model, or a tuple of it and the loading info.

        Raises:
            CheckpointError: if there are no weights, or they are damaged or
                do not fill the model. Only a head that the file does not have
                may be new; this is logged.
            ImportError: for an id of the hub, without `huggingface_hub`.
            OSError: if there is no such folder or model.
            TypeError: for an unknown keyword, or a `config` of another kind.
            ValueError: for a config that is not a Longformer's.
        """
        config_overrides = old_keywords.of_loading(config_overrides)
        hub_options = {
            "revision": revision,
            "cache_dir": cache_dir,
            "token": config_overrides.pop("token", token),
            "local_files_only": local_files_only,
            "force_download": force_download,
        }
        model, info = load_model(
            cls,
            pretrained_model_name_or_path,
            config,
            subfolder,
            hub_options,
            ignore_mismatched_sizes,
            {"dtype": dtype, **({} if name is None else {"name": name})},
            config_overrides,
        )
        if not trainable:
            model.trainable = False
        return (model, info) if output_loading_info else model

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        save_format: str = "safetensors",
        *,
        max_shard_size: int | str = save.DEFAULT_SHARD_SIZE,
        dtype: str | None = None,
        **unknown: Any,
    ) -> None:
        """Writes `config.json` and the weights.

        All files of a folder are replaced at once: if the process is killed,
        `from_pretrained` finds the old ones or the new ones.

        Args:
            save_directory: the folder, made where it is missing.
            save_format: `"safetensors"`, named and laid out as HF PyTorch's
                `model.safetensors`; `"h5"`, as HF TensorFlow's `tf_model.h5`;
                `"weights.h5"`, a `model.weights.h5` for Keras's
                `load_weights`; `"keras"`, a `model.keras` as Keras's `save`
                writes it, with the optimizer. Defaults to `"safetensors"`.
            max_shard_size: bytes of a safetensors file, as a number or text
                such as `"500MB"`; more than that goes into several. Defaults
                to `"5GB"`.
            dtype: `"float64"`, `"float32"`, `"float16"` or `"bfloat16"`, the
                type of the stored weights. Defaults to the model's own. A
                `"keras"` archive of another type has no optimizer.
            **unknown: none; what old code passes is named in the error.

        Raises:
            TypeError: for an unknown keyword.
            ValueError: for another format, type or size, weights that the
                type has no room for, or a folder with older weights that
                would be read first.
            OSError: if the folder can't be written to, or is a file.
        """
        save_model(
            self, save_directory, save_format, max_shard_size, dtype, unknown
        )

    def push_to_hub(self, repo_id: str, **options: Any) -> str:
        """Uploads what `save_pretrained` writes; see `hub.push_to_hub`.

        A repository that has no model card gets one.

        Args:
            repo_id: str, `owner/name`, or `name` for the token's owner.
            **options: keywords of `hub.push_to_hub` and `save_pretrained`.

        Returns:
            str, the address of the commit or the pull request.
        """
        head = head_of(type(self)).name
        card = model_card.write_card(repo_id, head, self.config)
        return hub.push_to_hub(self, repo_id, **{"card": card, **options})

    # What transformers users reach for.

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
        raise transformers_methods.no_attribute(self, name)

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
        transformers_methods.set_input_embeddings(self, value)

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
        transformers_methods.resize_token_embeddings(
            self, new_num_tokens, pad_to_multiple_of
        )
        return self.get_input_embeddings()

    def extend_positions(self, max_tokens: int) -> keras.layers.Embedding:
        """Gives the model room for longer texts, or for shorter ones only.

        The rows of positions are repeated from the first one as often as they
        are needed, as Longformer was made from RoBERTa; the result works
        before any training, and better after some. `from_pretrained` does
        the same where it is given `max_position_embeddings`. A tokenizer has
        a limit of its own: `tokenizer.model_max_length = max_tokens`.

        Args:
            max_tokens: int, tokens of the longest text. The table has
                `pad_token_id + 1` rows more, which no token has.

        Returns:
            The layer of the position embeddings.

        Raises:
            ValueError: for less than a token, or if the table is quantized or
                has LoRA, or an optimizer already follows it.

        Reference:
            - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
        """
        transformers_methods.extend_positions(self, max_tokens)
        return self.longformer.embeddings.position_embeddings

    def set_attention_window(
        self, attention_window: int | Sequence[int]
    ) -> None:
        """Gives the layers another window; weights stay as they are.

        It takes effect with the next call. A `tf.function` of your own goes
        on as it was traced.

        Args:
            attention_window: int, or one for each layer; even: the tokens
                that a window spans on both sides together, as in the config
                (AllenAI's own files count one side).

        Raises:
            ValueError: if it is odd, below 2, or not one for each layer.
        """
        transformers_methods.set_attention_window(self, attention_window)

    def copy_projections_to_global(self) -> None:
        """Gives global tokens the query, key and value of the other tokens.

        Training without global tokens, as masked language modelling is,
        leaves their projections as they were. The paper's begin fine-tuning
        as copies of what the others have learned (section 3.1).

        Raises:
            ValueError: if LoRA is on one of two such projections alone.

        Reference:
            - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
        """
        transformers_methods.copy_projections_to_global(self)

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
        return transformers_methods.num_parameters(
            self, only_trainable, exclude_embeddings
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
        transformers_methods.set_gradient_checkpointing(self, True)

    def gradient_checkpointing_disable(self) -> None:
        """Undoes `gradient_checkpointing_enable`."""
        transformers_methods.set_gradient_checkpointing(self, False)

    @property
    def scan_layers(self) -> bool:
        """Whether JAX compiles one layer for all, and runs it in a loop.

        Set it to have a model of many layers compile sooner on the JAX
        backend, with the same results. It applies where all layers are alike,
        in their windows too, and attentions aren't asked for; the layers'
        weights are copied once a step. TensorFlow shares layers in any case.
        Defaults to `False`.
        """
        return self.longformer.encoder.scan_layers

    @scan_layers.setter
    def scan_layers(self, value: bool) -> None:
        self.longformer.encoder.scan_layers = value
        keras_methods.forget_compiled(self)

    @property
    def flash_attention(self) -> bool:
        """Whether layers attend by cuDNN's kernel where they can.

        They can on the JAX backend, on a GPU, in `mixed_bfloat16` or
        `mixed_float16`, with up to 16 global tokens in a row; in training
        only if the config's `attention_probs_dropout_prob` is 0. Elsewhere
        it has no effect. Defaults to `False`.
        """
        return self.longformer.encoder.flash_attention

    @flash_attention.setter
    def flash_attention(self, value: bool) -> None:
        self.longformer.encoder.flash_attention = value
        keras_methods.forget_compiled(self)

    # Training, with Keras's own loop.

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        metrics: Any = None,
        weighted_metrics: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Configures training, as `keras.Model.compile` does.

        Args:
            optimizer: optimizer or its name.
            loss: Keras loss, or dict from an output's name to a loss.
                Without one the head's own loss is used, which is HF's.
            loss_weights: as Keras has them, for `loss`.
            metrics: as Keras has them. They count the labels that the head's
                loss counts: not -100, nor positions outside of the row. A
                list for question answering is for both of its outputs, but
                one of two is of a metric for each.
            weighted_metrics: the same, weighed by `sample_weight` too.
            *args: further arguments of `keras.Model.compile`.
            **kwargs: the same.

        Raises:
            ValueError: for `loss_weights` without a `loss`, or a method of
                the model as `loss`.
        """
        if loss in (self.compute_loss, self.internal_loss, "passthrough"):
            raise ValueError(
                "The head's own loss is used where `compile` gets no `loss`. "
                f"Received: loss={getattr(loss, '__name__', loss)!r}. Leave "
                "it out."
            )
        if loss is None and loss_weights is not None:
            raise ValueError(
                "`loss_weights` must come with a `loss`: the head's own is "
                f"one number. Received: loss_weights={shown(loss_weights)}, "
                "and no "
                "`loss`. Pass a dict of losses by output, or leave it out."
            )
        keras_methods.warn_of_logits(loss)
        self.loss_given = loss is not None
        self.loss_outputs = tuple(loss) if isinstance(loss, dict) else ()
        metrics, weighted_metrics = (
            keras_steps.for_each_output(self, given)
            for given in (metrics, weighted_metrics)
        )
        super().compile(
            optimizer,
            loss,
            loss_weights,
            metrics,
            weighted_metrics,
            *args,
            **kwargs,
        )
        keras_methods.warn_of_xla(self.jit_compile)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as a saved model was, and makes the optimizer's state."""
        # Keras does no more than to warn where `compile` is overridden.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            build_optimizer(self)

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Trains, as `keras.Model.fit` does.

        Labels may be among the inputs (`labels`, or `start_positions` and
        `end_positions`) or in `y`: an array, a tuple of them in this order, or
        a dict by these names or by the outputs' names. Labels among the
        inputs win over a `y` beside them, as in transformers; but a loss that
        `compile` got is about `y`, and so are metrics then.

        Args:
            x: dict of arrays, a tokenizer's encoding, or a dataset.
            y: labels, or `None`.
            *args: further arguments of `keras.Model.fit`.
            **kwargs: the same. `class_weight` also weighs the labels of
                tokens.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: if the data break a rule of the model's inputs or of
                the head's labels (without XLA values are checked in the
                graph, which raises `InvalidArgumentError`), or
                `class_weight` is given where labels are not of classes, or
                can't be reached.
        """
        given = prepare_arguments(self, super().fit, x, y, args, kwargs)
        with ready_to_train(self):
            return super().fit(**given)

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Evaluates, as `keras.Model.evaluate` does; inputs as for `fit`."""
        return super().evaluate(
            **prepare_arguments(self, super().evaluate, x, y, args, kwargs)
        )

    def train_on_batch(
        self, x: Any, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Trains on one batch; inputs as for `fit`."""
        method = super().train_on_batch
        given = prepare_arguments(self, method, x, y, args, kwargs)
        with ready_to_train(self):
            return method(**given)

    def test_on_batch(
        self, x: Any, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Evaluates one batch; inputs as for `fit`."""
        method = super().test_on_batch
        return method(**prepare_arguments(self, method, x, y, args, kwargs))

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Predicts, as `keras.Model.predict` does.

        Labels among the inputs are ignored.

        Args:
            x: dict of arrays, an encoding, an array of ids or a dataset.
            *args: further arguments of `keras.Model.predict`.
            **kwargs: the same.

        Returns:
            The model's output class, of arrays of all rows. Where batches
            differ in length or, with `output_attentions`, in their largest
            number of global tokens, Keras returns `tf.RaggedTensor`s;
            `attention_slots` in the config makes the latter equal.
        """
        return super().predict(
            **prepare_prediction(self, super().predict, x, args, kwargs)
        )

    def predict_on_batch(self, x: Any) -> Any:
        """Predicts one batch; inputs as for `predict`."""
        x = check_if_compiled(self, as_plain_dict(x))
        return super().predict_on_batch(x)

    # Steps. On JAX the state comes before the data.

    def train_step(self, *arguments: Any) -> Any:
        *state, data = arguments
        with compiled_adam(self):
            logs = super().train_step(*state, keras_steps.ask_for_names(data))
        end_gradients_with_graph()
        return logs

    def test_step(self, *arguments: Any) -> Any:
        *state, data = arguments
        return super().test_step(*state, keras_steps.ask_for_names(data))

    def predict_step(self, *arguments: Any) -> Any:
        *state, data = arguments
        return super().predict_step(
            *state, keras_steps.without_labels(self, data)
        )

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the loss of a batch: the compiled one, or the head's."""
        if not self.loss_given:
            return keras_steps.head_loss(self, x, y, y_pred, sample_weight)
        y = keras_steps.find_labels(self, x, y)
        y, y_pred, weight = keras_steps.match_outputs(
            self, y, y_pred, sample_weight
        )
        return super().compute_loss(x, y, y_pred, weight, training)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Returns the metrics, with labels from `y` or the inputs.

        Labels that the loss ignores (-100, positions outside the row) count
        in none. A metric with an `update_state` of its own, or a function
        that takes the mean by itself, sees all labels.
        """
        y = keras_steps.find_labels(self, x, y)
        if y is None:
            return super().compute_metrics(x, y, y_pred, sample_weight)
        keras_steps.update_metrics(self, y, y_pred, sample_weight)
        return self.get_metrics_result()

    # Keras's files, export and LoRA.

    def save(
        self,
        filepath: Any,
        overwrite: bool = True,
        zipped: bool | None = None,
        **kwargs: Any,
    ) -> None:
        """Writes a `.keras` file, as `keras.Model.save` does.

        It takes the place of an old one when it is whole.

        Raises:
            ValueError: for a folder or another format; the message says how
                to write it.
        """
        if zipped is not False:
            keras_methods.check_file(filepath, kwargs)
        write = super().save
        keras_methods.save_whole(
            filepath,
            overwrite,
            lambda path: write(path, overwrite, zipped, **kwargs),
        )

    def save_weights(
        self, filepath: Any, overwrite: bool = True, **kwargs: Any
    ) -> None:
        """Writes a `.weights.h5`, as `keras.Model.save_weights` does.

        It takes the place of an old one when it is whole; with
        `max_shard_size` each of its files is written in place.
        """
        write = super().save_weights
        if kwargs.get("max_shard_size") is not None:
            write(filepath, overwrite, **kwargs)
            return
        keras_methods.save_whole(
            filepath, overwrite, lambda path: write(path, overwrite, **kwargs)
        )

    @property
    def _default_save_signature(self) -> Any:
        """The function that `tf.saved_model.save` makes `serving_default`."""
        return signature_function(
            lambda inputs: dict(
                self(
                    inputs,
                    output_attentions=False,
                    output_hidden_states=False,
                    return_dict=True,
                )
            ),
            keras_methods.input_signature(self),
        )

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` makes an equal model from."""
        return keras_methods.get_config(
            self, keras.layers.Layer.get_config(self)
        )

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """Makes a model from `get_config()`, or from the model's config.

        Raises:
            ValueError: if another version of the package wrote the config
                in a format that this one does not know.
        """
        if not isinstance(config, Mapping) or "config" not in config:
            return cls(config)
        return keras_methods.from_config(cls, config)

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Exports for inference, as `keras.Model.export` does.

        A SavedModel takes the fast path of attention, all other formats the
        reference path, in operations that their runtimes have.

        Args:
            filepath: where to write.
            format: `"tf_saved_model"`, `"onnx"`, `"openvino"`, `"litert"`.
                Defaults to the first.
            verbose: bool, whether to print what was written.
            input_signature: as Keras has it. Defaults to a dict of
                `input_ids`, `attention_mask` and `global_attention_mask`, of
                any batch and length.
            **kwargs: further arguments of `keras.Model.export`.
        """
        if input_signature is None:
            input_signature = keras_methods.input_signature(self)
        if format != "tf_saved_model":
            exported = keras_methods.ForOtherRuntimes(self)
            export = exported.export
        else:
            export = super().export
        export(
            filepath,
            format=format,
            verbose=verbose,
            input_signature=input_signature,
            **kwargs,
        )

    def enable_lora(
        self,
        rank: int,
        target_names: Sequence[str] = (
            "query",
            "value",
            "query_global",
            "value_global",
        ),
        **kwargs: Any,
    ) -> None:
        """Trains low-rank updates of the body's matrices and the head.

        All other weights of the body are frozen. Files, of Keras and of
        `save_pretrained`, hold the matrices with the updates added, so that
        what is loaded is a plain model. Compile after it.

        Args:
            rank: int, of the updates.
            target_names: names of the layers to update. Defaults to the
                projections to queries and values.
            **kwargs: further arguments of `keras.layers.Dense.enable_lora`,
                such as `lora_alpha`.

        Raises:
            TypeError: for a string in the place of the list.
            ValueError: if no layer has one of the names.

        Reference:
            - [Hu et al., 2021](https://arxiv.org/abs/2106.09685)
        """
        lora.enable_lora(self, rank, target_names, kwargs)

    def load_adapter(
        self,
        pretrained_model_name_or_path: str | os.PathLike,
        *,
        revision: str | None = None,
        subfolder: str = "",
        cache_dir: str | os.PathLike | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
    ) -> None:
        """Adds a LoRA adapter, as PEFT or `save_adapter` wrote it.

        Its updates are kept apart from the weights, as after `enable_lora`,
        and alone go on training, with the weights that the adapter holds
        whole. `from_pretrained` of an adapter's folder loads the base with
        the updates added. Compile after it.

        Args:
            pretrained_model_name_or_path: a folder with
                `adapter_config.json`, or an id of the hub.
            revision: as for `from_pretrained`, as are the others.
            subfolder: the same.
            cache_dir: the same.
            token: the same.
            local_files_only: the same.
            force_download: the same.

        Raises:
            CheckpointError: if it is damaged, of another kind than LoRA, or
                for other layers than the model's; the model stays as it was.
            OSError: if there is no such folder or model.
            ValueError: if the model has LoRA already, or has trained.
        """
        adapter = locate_adapter(
            pretrained_model_name_or_path,
            subfolder,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
            force_download=force_download,
        )
        lora.load_adapter(self, adapter)

    def save_adapter(self, save_directory: str | os.PathLike) -> None:
        """Saves what LoRA has trained, in PEFT's format.

        The folder has the updates and whatever else is trainable, such as the
        head; PEFT loads it onto the same base, and so do `load_adapter` and
        `from_pretrained`. `save_pretrained` saves the sums instead.

        Args:
            save_directory: the folder, made where it is missing.

        Raises:
            OSError: if the folder can't be written to, or is a file.
            ValueError: if the model has no LoRA, or has it in layers of your
                own, or the folder has weights.
        """
        lora.save_adapter(self, save_directory)

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValueError as error:
            state = (keras.layers.Layer, keras.Variable)
            if not any(isinstance(x, state) for x in keras.tree.flatten(value)):
                raise
            raise ValueError(
                "Layers of a subclass must be made in `create_head` and built "
                "in `build_head`, as all weights exist once a model is made. "
                f"Received: `{name}`, set later. Override these two methods, "
                "and have them call those of `super()`."
            ) from error
