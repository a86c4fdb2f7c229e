"""One record a head: all that the package knows of it without a model.

Files, model cards, exports, tasks and commands look here. A new head is a
class, a subclass of `TFLongformerPreTrainedModel`, and a record that is
registered. Nothing here imports a backend.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
from typing import Any


@dataclasses.dataclass(frozen=True)
class HeadLayer:
    """A layer of a head that has weights, and its names in files.

    Attributes:
        path: str, our path of the layer below the model, such as
            `"classifier/dense"`.
        kind: str, which weights it has: `"dense"` (kernel and bias) or
            `"norm"` (gamma and beta); for the output matrix of a masked
            language model, `"tied_bias"` where that matrix is the word
            embeddings, `"untied_bias"` and `"untied_matrix"` where it isn't.
        sizes: sizes of its kernel, input first, or of its only weight. Each
            is a number or a size of the configuration: `"width"`, `"vocab"`
            or `"labels"`.
        hf: str, its path in the files of HF's classes. Defaults to `path`.
        keras: str, its path in a `.weights.h5`. Keras goes through a model's
            attributes in alphabetical order: a layer in an attribute before
            `layers` is named after the attribute, another one after its class
            below `layers/`. With `None`, the default, only Keras itself
            writes such files.
    """

    path: str
    kind: str
    sizes: tuple[str | int, ...]
    hf: str | None = None
    keras: str | None = None


@dataclasses.dataclass(frozen=True)
class Head:
    """What a kind of model is called, has, takes and gives.

    Attributes:
        name: str, the name of HF's class, as in `architectures` of a
            `config.json`. The key in `HEADS`.
        model: our class, or a reference to it (see `resolve`).
        task: str, the hub's name of the task, for model cards.
        part: str, what the head's layers are together called in messages.
            Empty for the bare model.
        layers: the `HeadLayer`s of the head.
        has_pooler: bool, whether the body has its pooler. Defaults to
            `False`.
        input_rank: int, axes of `input_ids`: 2, or 3 with choices. Defaults
            to `2`.
        default_globals: str, the tokens that are global where the caller
            names none, as `global_attention_mask` calls them: `"none"`,
            `"cls"`, `"question"` or `"choices"`. Defaults to `"none"`.
            `tf_longformer.inputs.default_globals` makes the mask.
        label_names: names of the labels that a call and `fit` take.
        main_output: str, the output that a loss or a metric without a name
            is about. Defaults to `"logits"`.
        token_outputs: the outputs that have an axis of tokens after that of
            rows, which padding is cut from.
        texts: names of the texts that a record of a file, or a request to a
            server, has. Defaults to `"text"`.
        optional_texts: names of further texts that a record may have.
        predict: function of a model, a tokenizer, a list of strings for each
            of `texts`, and as keywords `batch_size` and any of
            `optional_texts`, that returns a result for each row; or a
            reference to it. With `None`, the default, the model's outputs
            are the results.
        result: str, the name that the results of `predict` have in the
            records that are written.
        export: what a SavedModel returns beside the model's outputs: a
            subclass of `tf_longformer.export.results.Results`, or a reference
            to it. With `None`, the default, nothing.
        explain: function of a `tf_longformer.explain.document.Document` that
            returns the `Target` of an explanation, or `None` where attention
            alone is to be shown; or a reference to it. With `None`, the
            default, it always is.
    """

    name: str
    model: type | str
    task: str = ""
    part: str = ""
    layers: tuple[HeadLayer, ...] = ()
    has_pooler: bool = False
    input_rank: int = 2
    default_globals: str = "none"
    label_names: tuple[str, ...] = ()
    main_output: str = "logits"
    token_outputs: tuple[str, ...] = ()
    texts: tuple[str, ...] = ("text",)
    optional_texts: tuple[str, ...] = ()
    predict: Any = None
    result: str = ""
    export: Any = None
    explain: Any = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts of the model: body, pooler, head."""
        pooler = ("pooler",) if self.has_pooler else ()
        return ("body", *pooler, *([self.part] if self.layers else []))

    @property
    def tensorflow_name(self) -> str:
        """The name that HF's TensorFlow class has inside a file."""
        words = r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])"
        return re.sub(words, "_", f"TF{self.name}").lower()

    def model_class(self) -> Any:
        """Returns our class, which imports Keras."""
        return resolve(self.model)


BARE = "LongformerModel"
# The labels of all heads, in the order in which calls take them.
LABELS = ("labels", "start_positions", "end_positions")
_LM_HEAD = "layers/longformer_masked_lm_head"

HEADS: dict[str, Head] = {
    head.name: head
    for head in (
        Head(
            BARE,
            "tf_longformer.models.longformer:TFLongformerModel",
            task="feature-extraction",
            has_pooler=True,
            main_output="last_hidden_state",
            token_outputs=("last_hidden_state",),
            explain="tf_longformer.explain.targets:similarity_target",
        ),
        Head(
            "LongformerForMaskedLM",
            "tf_longformer.models.masked_lm:TFLongformerForMaskedLM",
            task="fill-mask",
            part="lm_head",
            layers=(
                HeadLayer(
                    "lm_head/dense",
                    "dense",
                    ("width", "width"),
                    keras=f"{_LM_HEAD}/dense",
                ),
                HeadLayer(
                    "lm_head/norm",
                    "norm",
                    ("width",),
                    hf="lm_head/layer_norm",
                    keras=f"{_LM_HEAD}/norm",
                ),
                HeadLayer("lm_head", "tied_bias", ("vocab",), keras=_LM_HEAD),
                HeadLayer("lm_head", "untied_bias", ("vocab",), keras=_LM_HEAD),
                HeadLayer(
                    "lm_head",
                    "untied_matrix",
                    ("vocab", "width"),
                    keras=_LM_HEAD,
                ),
            ),
            label_names=("labels",),
            token_outputs=("logits",),
            predict="tf_longformer.tasks:fill_mask",
            result="tokens",
            export="tf_longformer.export.results:MaskedLM",
            explain="tf_longformer.explain.targets:mask_target",
        ),
        Head(
            "LongformerForQuestionAnswering",
            "tf_longformer.models.question_answering:"
            "TFLongformerForQuestionAnswering",
            task="question-answering",
            part="qa_outputs",
            layers=(
                HeadLayer(
                    "qa_outputs", "dense", ("width", 2), keras="layers/dense"
                ),
            ),
            default_globals="question",
            label_names=("start_positions", "end_positions"),
            main_output="start_logits",
            token_outputs=("start_logits", "end_logits"),
            texts=("question", "context"),
            predict="tf_longformer.tasks:answer",
            result="answer",
            export="tf_longformer.export.results:QuestionAnswering",
            explain="tf_longformer.explain.targets:answer_target",
        ),
        Head(
            "LongformerForSequenceClassification",
            "tf_longformer.models.sequence_classification:"
            "TFLongformerForSequenceClassification",
            task="text-classification",
            part="document_classifier",
            layers=(
                HeadLayer(
                    "classifier/dense",
                    "dense",
                    ("width", "width"),
                    keras="classifier/dense",
                ),
                HeadLayer(
                    "classifier/out_proj",
                    "dense",
                    ("width", "labels"),
                    keras="classifier/out_proj",
                ),
            ),
            default_globals="cls",
            label_names=("labels",),
            optional_texts=("text_pair",),
            predict="tf_longformer.tasks:classify",
            result="labels",
            export="tf_longformer.export.results:SequenceClassification",
            explain="tf_longformer.explain.targets:label_target",
        ),
        Head(
            "LongformerForTokenClassification",
            "tf_longformer.models.token_classification:"
            "TFLongformerForTokenClassification",
            task="token-classification",
            part="token_classifier",
            layers=(
                HeadLayer(
                    "classifier",
                    "dense",
                    ("width", "labels"),
                    keras="classifier",
                ),
            ),
            label_names=("labels",),
            token_outputs=("logits",),
            predict="tf_longformer.tasks:tag",
            result="entities",
            export="tf_longformer.export.results:TokenClassification",
            explain="tf_longformer.explain.targets:word_target",
        ),
        Head(
            "LongformerForMultipleChoice",
            "tf_longformer.models.multiple_choice:"
            "TFLongformerForMultipleChoice",
            task="multiple-choice",
            part="choice_classifier",
            layers=(
                HeadLayer(
                    "classifier", "dense", ("width", 1), keras="classifier"
                ),
            ),
            has_pooler=True,
            input_rank=3,
            default_globals="choices",
            label_names=("labels",),
            texts=("prompt", "choices"),
            predict="tf_longformer.tasks:choose",
            result="choice",
            export="tf_longformer.export.results:MultipleChoice",
            explain="tf_longformer.explain.targets:choice_target",
        ),
    )
}


def register_head(head: Head) -> Head:
    """Adds a head to `HEADS`, where files, exports and commands look it up.

    The model's class has the record as `head_record`:

    ```python
    @keras.saving.register_keras_serializable("my_package")
    class TFLongformerForScoring(TFLongformerPreTrainedModel):
        head_record = register_head(
            Head(
                "LongformerForScoring",
                "my_package.scoring:TFLongformerForScoring",
                part="scorer",
                layers=(HeadLayer("scorer", "dense", ("width", 1)),),
                token_outputs=("scores",),
            )
        )
    ```

    Args:
        head: `Head`.

    Returns:
        The same record.

    Raises:
        ValueError: if another head has its name.
    """
    if HEADS.setdefault(head.name, head) != head:
        raise ValueError(
            "A head must have a name of its own. Received: "
            f"{head.name!r}, which is registered. Choose another."
        )
    return head


def head_of(model_class: type) -> Head:
    """Returns the record of a model's class or of a subclass of it.

    Raises:
        ValueError: if the class has none that is registered.
    """
    head = getattr(model_class, "head_record", None)
    if head is None or head.name not in HEADS:
        raise ValueError(
            "A model that is loaded or saved must be one of the "
            "TFLongformer... classes, or a subclass. Received: "
            f"{model_class.__name__}. Subclass `TFLongformerModel`, for "
            "example, or register the head's record with "
            "`tf_longformer.heads.register_head`."
        )
    return head


def resolve(reference: Any) -> Any:
    """Imports what a reference `"package.module:name"` stands for.

    Anything but a string is returned as it is.
    """
    if not isinstance(reference, str):
        return reference
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)
