"""A tokenizer as a Keras layer, so that a model can take raw text."""

from __future__ import annotations

import json
from typing import Any

import keras
import tensorflow as tf

from tf_longformer.data.global_masks import NAMES
from tf_longformer.errors import shown
from tf_longformer.graph_tokenization.dense_rows import Rows
from tf_longformer.graph_tokenization.dense_rows import truncate
from tf_longformer.graph_tokenization.graph_tokenizer import GraphTokenizer
from tf_longformer.graph_tokenization.graph_tokenizer import trim_spans
from tf_longformer.tokenization import LongformerTokenizer
from tf_longformer.tokenization import layout as layouts


@keras.saving.register_keras_serializable("tf_longformer")
class LongformerTextPreprocessor(keras.layers.Layer):
    """Turns strings into the inputs of a Longformer, in TensorFlow's graph.

    It gives what the tokenizer gives, with core TensorFlow operations only:
    in `tf.data` pipelines, in `tf.function`, and in a SavedModel, which then
    needs neither Python nor TensorFlow Text. XLA has no strings, so Keras
    never compiles it; a model behind it can be compiled.

    Args:
        tokenizer: `LongformerTokenizer`. Tokens that are added to it later
            aren't known here.
        max_length: int, most tokens of a row with its special tokens.
            Defaults to the tokenizer's `model_max_length`; if that has no
            bound, to none.
        padding: `"longest"` fills rows up to the longest one, `"max_length"`
            up to `max_length`. Defaults to `"longest"`.
        truncation: `"longest_first"`, `"only_first"` or `"only_second"`, the
            text that is cut. Defaults to `"longest_first"`.
        pad_to_multiple_of: int, of which the rows' length becomes a
            multiple. Defaults to none.
        global_attention: `"none"`; `"cls"`, the first token; `"question"`,
            all before the end of the first text; `"choices"`, the second
            text and its end. Defaults to `"cls"`.
        return_offsets: bool, whether to return `offset_mapping`. Defaults to
            `False`.
        return_word_ids: bool, whether to return `word_ids`. Defaults to
            `False`.
        return_sequence_ids: bool, whether to return `sequence_ids`. Defaults
            to `False`.
        return_token_type_ids: bool, whether to return `token_type_ids`.
            Defaults to what the tokenizer does: `True` for WordPiece.
        **kwargs: further arguments of a Keras layer.

    Call arguments:
        text: string tensor of any shape `[...]`, or strings in lists. Bytes
            that aren't UTF-8 are read as Python's `errors="replace"` reads
            them.
        text_pair: second texts, of a shape that goes with the first.
            Defaults to none.

    Returns:
        Dict of int32 tensors: `input_ids`, `attention_mask` and
        `global_attention_mask` `[..., seq]`; if asked for, `token_type_ids`
        `[..., seq]`, `offset_mapping` `[..., seq, 2]` (0 for special tokens),
        `word_ids` and `sequence_ids` `[..., seq]` (-1 for special tokens).

    Raises:
        TypeError: if the tokenizer isn't one, or the texts aren't strings.
        ValueError: if an argument isn't one of its values, or the tokenizer
            is neither byte-level BPE as RoBERTa's nor WordPiece as BERT's.
        InvalidArgumentError: when it runs, if a row can't be cut to
            `max_length` as asked.
    """

    def __init__(
        self,
        tokenizer: LongformerTokenizer,
        max_length: int | None = None,
        padding: str = "longest",
        truncation: str = "longest_first",
        pad_to_multiple_of: int | None = None,
        global_attention: str = "cls",
        return_offsets: bool = False,
        return_word_ids: bool = False,
        return_sequence_ids: bool = False,
        return_token_type_ids: bool | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False
        if not isinstance(tokenizer, LongformerTokenizer):
            raise TypeError(
                "`tokenizer` must be a LongformerTokenizer or a "
                f"LongformerTokenizerFast. Received: {shown(tokenizer)} of "
                f"type {type(tokenizer).__name__}."
            )
        _check_choice("padding", padding, ("longest", "max_length"))
        _check_choice("truncation", truncation, layouts.TRUNCATIONS[:-1])
        _check_choice("global_attention", global_attention, NAMES)
        self._config = {
            "max_length": max_length,
            "padding": padding,
            "truncation": truncation,
            "pad_to_multiple_of": pad_to_multiple_of,
            "global_attention": global_attention,
            "return_offsets": return_offsets,
            "return_word_ids": return_word_ids,
            "return_sequence_ids": return_sequence_ids,
            "return_token_type_ids": return_token_type_ids,
        }
        # A copy, because the tokenizer may change later and a graph can't. As
        # text, because Keras would wrap and track each list of a dict.
        self._tokenizer_json = json.dumps(tokenizer.get_config())
        if max_length is None and tokenizer.is_bounded:
            max_length = tokenizer.model_max_length
        if max_length is None and padding == "max_length":
            raise ValueError(
                "`padding='max_length'` needs a `max_length`. Received: "
                "none, and a tokenizer without `model_max_length`. Pass it."
            )
        self._layout = layouts.choose_layout(
            tokenizer,
            padding,
            False if max_length is None else truncation,
            max_length,
            stride=0,
            pad_to_multiple_of=pad_to_multiple_of,
            padding_side=None,
        )
        self._tokenize = GraphTokenizer(tokenizer, return_offsets)
        self._frames = tuple(map(tuple, tokenizer.pipeline.frames))
        self._pad = tokenizer.pad_token_id
        self._returns = tuple(
            name
            for name, wanted in (
                (
                    "token_type_ids",
                    "token_type_ids" in tokenizer.model_input_names
                    if return_token_type_ids is None
                    else return_token_type_ids,
                ),
                ("word_ids", return_word_ids),
                ("sequence_ids", return_sequence_ids),
            )
            if wanted
        )
        self._add_prefix_space = tokenizer.add_prefix_space

    # AutoGraph has nothing to convert: no Python control flow is over tensors.
    @tf.autograph.experimental.do_not_convert
    def __call__(self, text: Any, text_pair: Any = None, **kwargs: Any) -> Any:
        """Calls the layer; also with strings and lists of strings."""
        return super().__call__(
            _as_strings("text", text),
            None if text_pair is None else _as_strings("text_pair", text_pair),
            **kwargs,
        )

    def build(self, *shapes: Any) -> None:
        """Marks the layer as built: it has no variables."""
        self.built = True

    def call(self, text: Any, text_pair: Any = None) -> dict[str, Any]:
        """Encodes texts; see the class."""
        shape = tf.shape(text)
        texts = [text]
        if text_pair is not None:
            shape = tf.broadcast_dynamic_shape(shape, tf.shape(text_pair))
            texts = [tf.broadcast_to(one, shape) for one in (text, text_pair)]
        pair, layout = len(texts) == 2, self._layout
        frame = self._frames[pair]
        special_tokens = len(frame) - len(texts)
        layouts.check_room(layout, special_tokens)
        if layout.truncation == "only_second" and not pair:
            raise ValueError(
                "`truncation='only_second'` needs pairs. Received: single "
                "texts. Use truncation='only_first'."
            )
        parts = [self._tokenize(tf.reshape(one, [-1])) for one in texts]
        if layout.truncation is not None and layout.max_length is not None:
            room = layout.max_length - special_tokens
            parts = truncate(parts, layout, room)
        rows = Rows(
            parts,
            frame,
            layout.max_length if layout.padding == "max_length" else None,
            layout.pad_to_multiple_of or 1,
            layout.padding_side,
        )
        outputs = {
            "input_ids": rows.ids(self._pad),
            "attention_mask": rows.attention_mask(),
            "global_attention_mask": rows.global_attention_mask(
                self._config["global_attention"]
            ),
        }
        if self._config["return_offsets"]:
            outputs["offset_mapping"] = rows.offsets(
                [trim_spans(part, self._add_prefix_space) for part in parts]
            )
        for name in self._returns:
            outputs[name] = getattr(rows, name)()
        static = text.shape
        if pair:
            static = tf.broadcast_static_shape(static, text_pair.shape)
        return {
            name: _reshaped(value, shape, static)
            for name, value in outputs.items()
        }

    def compute_output_spec(
        self, text: Any, text_pair: Any = None
    ) -> dict[str, keras.KerasTensor]:
        """Returns the outputs' shapes for Keras's symbolic inputs."""
        shape = tuple(text.shape)
        if text_pair is not None:
            shape = tuple(
                tf.broadcast_static_shape(
                    tf.TensorShape(shape), tf.TensorShape(text_pair.shape)
                )
            )
        names = ["input_ids", "attention_mask", "global_attention_mask"]
        names += self._returns
        length = None
        if self._layout.padding == "max_length":
            length = self._layout.max_length
        specs = {
            name: keras.KerasTensor((*shape, length), "int32") for name in names
        }
        if self._config["return_offsets"]:
            specs["offset_mapping"] = keras.KerasTensor(
                (*shape, length, 2), "int32"
            )
        return specs

    def get_config(self) -> dict[str, Any]:
        """Returns the arguments, the whole tokenizer among them."""
        return {
            **super().get_config(),
            **self._config,
            "tokenizer": self._tokenizer_json,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LongformerTextPreprocessor:
        """Makes the layer of what `get_config` returned."""
        config = dict(config)
        tokenizer = LongformerTokenizer.from_config(
            json.loads(config.pop("tokenizer"))
        )
        return cls(tokenizer, **config)


def _check_choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {list(choices)}. Received: "
            f"{shown(value)}."
        )


def _as_strings(name: str, value: Any) -> Any:
    """Returns a tensor of strings."""
    if isinstance(value, keras.KerasTensor):
        dtype = value.dtype
    else:
        try:
            value = tf.convert_to_tensor(value)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"`{name}` must be a tensor of strings, or strings in lists "
                f"of one length. Received: {type(value).__name__} ({error})."
            ) from None
        dtype = value.dtype.name
    if dtype != "string":
        raise TypeError(
            f"`{name}` must be strings. Received: dtype {dtype}. Pass the "
            "texts themselves, not ids."
        )
    return value


def _reshaped(value: Any, shape: Any, static: tf.TensorShape) -> Any:
    """Gives the rows back the shape that the texts had."""
    behind = tf.shape(value)[1:]
    result = tf.reshape(value, tf.concat([shape, behind], 0))
    return tf.ensure_shape(result, static.concatenate(value.shape[1:]))
