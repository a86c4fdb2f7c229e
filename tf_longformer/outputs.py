"""What the models return."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from tf_longformer.errors import shown
from tf_longformer.keras_private import register_output_class


class ModelOutput(OrderedDict):
    """A dict whose fields are attributes too, and elements in their order.

    Fields that are `None` are absent from keys, values and indices; as
    attributes they read as `None`.

    Args:
        *args: a mapping, or an iterable of pairs.
        keep_none: bool, whether fields that are `None` stay. Defaults to
            `False`.
        **fields: fields by name.
    """

    fields: tuple[str, ...] = ()
    # Names of attributes that are no fields: what the head's loss is worked
    # out from, if not from the fields.
    for_loss: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        cls.fields = tuple(cls.__annotations__)
        register_output_class(cls)

    def __init__(self, *args: Any, keep_none: bool = False, **fields: Any):
        super().__init__()
        given = OrderedDict(*args, **fields)
        for name in self.for_loss:
            setattr(self, name, given.pop(name, None))
        unknown = set(given) - set(self.fields)
        if unknown:
            raise TypeError(
                f"{type(self).__name__} has the fields {self.fields}. "
                f"Received: {shown(sorted(unknown))}. Leave those out."
            )
        for name in self.fields:
            if name in given and (keep_none or given[name] is not None):
                OrderedDict.__setitem__(self, name, given[name])

    def __getattr__(self, name: str) -> Any:
        if name in type(self).fields:
            return self.get(name)
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {shown(name)}"
        )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in type(self).fields:
            self[name] = value
        else:
            super().__setattr__(name, value)

    def __getitem__(self, key: str | int | slice) -> Any:
        if isinstance(key, str):
            return super().__getitem__(key)
        return self.to_tuple()[key]

    def to_tuple(self) -> tuple:
        """Returns the fields that are there, in their order."""
        return tuple(self.values())

    def __reduce__(self) -> tuple:
        return type(self), (list(self.items()),)


class TFLongformerBaseModelOutput(ModelOutput):
    """Output of an encoder.

    Attributes:
        last_hidden_state: `[batch, seq, hidden]`.
        hidden_states: tuple of `num_layers + 1` tensors like it, embeddings
            first, where asked for.
        attentions: tuple of a tensor a layer,
            `[batch, heads, seq, slots + attention_window + 1]`, where asked
            for: column `g < slots` is the row's g-th global token, column
            `slots + c` the token at offset `c - attention_window / 2`. Rows
            of global and of masked tokens are zero.
        global_attentions: tuple of a tensor a layer,
            `[batch, heads, seq, slots]`: what the g-th global token of a row
            gives to each token; unused slots are zero. Absent where no token
            is global, which only eager mode can see; in a graph there may
            be 0 slots.
    """

    last_hidden_state: Any
    hidden_states: Any
    attentions: Any
    global_attentions: Any


class TFLongformerBaseModelOutputWithPooling(ModelOutput):
    """Output of `TFLongformerModel`.

    Attributes:
        last_hidden_state: `[batch, seq, hidden]`.
        pooler_output: `[batch, hidden]`, absent without a pooler.
        hidden_states: as in `TFLongformerBaseModelOutput`.
        attentions: as there.
        global_attentions: as there.
    """

    last_hidden_state: Any
    pooler_output: Any
    hidden_states: Any
    attentions: Any
    global_attentions: Any


class TFLongformerMaskedLMOutput(ModelOutput):
    """Output of `TFLongformerForMaskedLM`.

    Attributes:
        loss: scalar, where labels were given.
        logits: `[batch, seq, vocab_size]`. A graph doesn't make them where
            nothing but the loss is asked for.
        hidden_states: as in `TFLongformerBaseModelOutput`.
        attentions: as there.
        global_attentions: as there.
    """

    for_loss = ("logit_factors",)

    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any
    global_attentions: Any


class TFLongformerQuestionAnsweringModelOutput(ModelOutput):
    """Output of `TFLongformerForQuestionAnswering`.

    Attributes:
        loss: scalar, where positions were given.
        start_logits: `[batch, seq]`.
        end_logits: `[batch, seq]`.
        hidden_states: as in `TFLongformerBaseModelOutput`.
        attentions: as there.
        global_attentions: as there.
    """

    loss: Any
    start_logits: Any
    end_logits: Any
    hidden_states: Any
    attentions: Any
    global_attentions: Any


class TFLongformerSequenceClassifierOutput(ModelOutput):
    """Output of `TFLongformerForSequenceClassification`.

    Attributes:
        loss: scalar, where labels were given.
        logits: `[batch, num_labels]`.
        hidden_states: as in `TFLongformerBaseModelOutput`.
        attentions: as there.
        global_attentions: as there.
    """

    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any
    global_attentions: Any


class TFLongformerMultipleChoiceModelOutput(ModelOutput):
    """Output of `TFLongformerForMultipleChoice`.

    Attributes:
        loss: scalar, where labels were given.
        logits: `[batch, choices]`.
        hidden_states: as in `TFLongformerBaseModelOutput`, of
            `batch * choices` rows.
        attentions: as there.
        global_attentions: as there.
    """

    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any
    global_attentions: Any


class TFLongformerTokenClassifierOutput(ModelOutput):
    """Output of `TFLongformerForTokenClassification`.

    Attributes:
        loss: scalar, where labels were given.
        logits: `[batch, seq, num_labels]`.
        hidden_states: as in `TFLongformerBaseModelOutput`.
        attentions: as there.
        global_attentions: as there.
    """

    loss: Any
    logits: Any
    hidden_states: Any
    attentions: Any
    global_attentions: Any
