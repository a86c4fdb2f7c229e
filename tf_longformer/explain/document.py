"""A document in a model: its windows, and what the model makes of them."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.backend import compile_inference
from tf_longformer.data.any_tokenizer import check_strings
from tf_longformer.data.any_tokenizer import encode_texts
from tf_longformer.data.windows import Window
from tf_longformer.data.windows import cut_into_windows
from tf_longformer.explain.encoder_pass import EncoderPass
from tf_longformer.inputs.default_globals import default_global_mask
from tf_longformer.outputs import TFLongformerBaseModelOutputWithPooling
from tf_longformer.tasks import steps

# Of two windows of a document that is too long for one.
_STRIDE = 128


@dataclasses.dataclass(frozen=True, eq=False)
class Document:
    """A text, and what is asked about it.

    Attributes:
        model: the model.
        tokenizer: its tokenizer.
        text: str.
        question: str or `None`; before the text in question answering.
        choices: strings or `None`; behind the text in multiple choice.
        label: str or `None`, the name of what is to be explained.
        word: str or `None`, the word that is asked about.
        global_tokens: str or `None`, as `default_global_mask` has it. Defaults
            to the head's own choice.
        max_length: int or `None`, most tokens of a window.
    """

    model: Any
    tokenizer: Any
    text: str
    question: str | None = None
    choices: Sequence[str] | None = None
    label: str | None = None
    word: str | None = None
    global_tokens: str | None = None
    max_length: int | None = None

    @functools.cached_property
    def windows(self) -> list[Window]:
        """The document in pieces that the model takes."""
        if self.model.input_rank == 3:
            return self._windows_of_choices()
        questions = None
        if "question" in self.model.head_record.texts:
            questions = [self.question or ""]
        return steps.cut(
            self.model,
            self.tokenizer,
            [self.text],
            _STRIDE,
            self.max_length,
            questions,
        )

    def _windows_of_choices(self) -> list[Window]:
        """Returns a window for each choice, all with the text before it."""
        choices = check_strings("choices", self.choices or [])
        if len(choices) < 2:
            raise ValueError(
                "Multiple choice needs two choices at least. Received: "
                f"{len(choices)}. Pass `choices`, or --choice several times on "
                "the command line."
            )
        length = steps.window_length(
            self.model, self.tokenizer, self.max_length
        )
        encoding = encode_texts(
            self.tokenizer,
            [self.text] * len(choices),
            choices,
            truncation="only_first",
            max_length=length,
        )
        windows = []
        for row in encoding.encodings:
            inside = np.array([number == 0 for number in row.sequence_ids])
            offsets = np.asarray(row.offsets, "int64").reshape(-1, 2)
            words = [-1 if word is None else word for word in row.word_ids]
            windows.append(
                Window(
                    0,
                    list(row.ids),
                    np.where(inside[:, None], offsets, -1),
                    np.where(inside, words, -1),
                    0,
                    list(row.type_ids),
                )
            )
        return windows

    def inputs(self, window: Window) -> dict[str, np.ndarray]:
        """Returns int32 arrays `[1, seq]` by name, the global mask too."""
        ids = np.array([window.ids], "int32")
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        flat = {"inputs_embeds": None, **inputs}
        if self.global_tokens is None:
            chosen = self.model.default_global_mask(flat)
        else:
            chosen = default_global_mask(
                self.global_tokens, flat, self.model.config
            )
        if chosen is None:
            chosen = np.zeros_like(ids)
        chosen = ops.convert_to_numpy(chosen).astype("int32")
        inputs["global_attention_mask"] = chosen
        if steps.takes_token_types(self.model):
            inputs["token_type_ids"] = np.array([window.types], "int32")
        return inputs

    def encode(self, window: Window) -> EncoderPass:
        """Returns a window's way through the encoder; the last one is kept."""
        known = self.__dict__.get("_encoded")
        if known is None or known[0] is not window:
            known = window, self._encode(window)
            self.__dict__["_encoded"] = known
        return known[1]

    def encode_text(self, text: str) -> Any:
        """Returns the states `[1, seq, hidden]` of another text's beginning."""
        length = steps.window_length(
            self.model, self.tokenizer, self.max_length
        )
        windows, _ = cut_into_windows(
            self.tokenizer, [text], max_length=length, stride=0
        )
        return ops.cast(self._encode(windows[0]).states[-1], "float32")

    def _encode(self, window: Window) -> EncoderPass:
        inputs = self.inputs(window)
        is_global = inputs["global_attention_mask"][0] > 0
        compiled = self.__dict__.setdefault("_compiled", {})
        seq = len(window.ids)
        if seq not in compiled:
            compiled[seq] = compile_inference(
                lambda *values: self._all_states(tuple(inputs), values),
                self.model.variables,
                len(inputs),
                shape=(1, seq),
            )
        states = compiled[seq](*inputs.values())
        return EncoderPass(self.model, states, is_global)

    def _all_states(
        self, names: Sequence[str], values: Sequence[Any]
    ) -> list[Any]:
        inputs = dict(zip(names, values, strict=True))
        body = self.model.longformer(**inputs, output_hidden_states=True)
        return list(body.hidden_states)

    def outputs(
        self, window: Window, tokens: slice = slice(None)
    ) -> dict[str, np.ndarray]:
        """Returns the head's outputs for a window, float32 `[1, ...]`.

        Args:
            window: `Window`.
            tokens: slice, those that the head gets, for heads that look at
                each token alone. Defaults to all.
        """
        states = self.encode(window).states[-1]
        mask = ops.ones(ops.shape(states)[:2], dtype="int32")
        found = self.head(states[:, tokens], mask)
        return {
            name: ops.convert_to_numpy(ops.cast(x, "float32"))
            for name, x in found.items()
            if ops.is_tensor(x)
        }

    def head(self, states: Any, mask: Any) -> dict[str, Any]:
        """Returns the head's outputs of states `[rows, seq, hidden]`."""
        pooler = self.model.longformer.pooler
        pooled = None
        if pooler is not None:
            pooled = pooler(states, attention_mask=mask)
        body = TFLongformerBaseModelOutputWithPooling(
            last_hidden_state=states, pooler_output=pooled
        )
        ids = mask
        if self.model.input_rank == 3:
            ids = ops.expand_dims(mask, 1)
        inputs = {"input_ids": ids, "attention_mask": ids}
        return self.model.head(body, inputs, False)
