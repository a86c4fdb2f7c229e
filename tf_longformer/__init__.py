"""Longformer in Keras 3: attention over long documents.

The public names are imported when they are first used, so that configuration
and tokenizer need no backend.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING
from typing import Any

from tf_longformer.keras_registry import register_when_imported

if TYPE_CHECKING:
    from tf_longformer.attention.dense_map import to_dense_attention
    from tf_longformer.configuration import LongformerConfig
    from tf_longformer.data.choices import encode_choices
    from tf_longformer.data.collators import MaskedLanguageModelCollator
    from tf_longformer.data.collators import PaddingCollator
    from tf_longformer.data.entities import align_entities
    from tf_longformer.data.global_masks import describe_attention
    from tf_longformer.data.global_masks import global_attention_mask
    from tf_longformer.data.questions import decode_answers
    from tf_longformer.data.questions import encode_questions
    from tf_longformer.data.word_labels import align_labels
    from tf_longformer.export.saved_model import export_saved_model
    from tf_longformer.finetuning.datasets import make_dataset
    from tf_longformer.finetuning.optimizers import WarmUpSchedule
    from tf_longformer.finetuning.optimizers import make_optimizer
    from tf_longformer.graph_tokenization.text_preprocessor import (
        LongformerTextPreprocessor,
    )
    from tf_longformer.layers.embeddings import TFLongformerEmbeddings
    from tf_longformer.layers.encoder import TFLongformerEncoder
    from tf_longformer.layers.self_attention import TFLongformerSelfAttention
    from tf_longformer.loading import convert_to_longformer
    from tf_longformer.models.base import TFLongformerPreTrainedModel
    from tf_longformer.models.longformer import TFLongformerModel
    from tf_longformer.models.masked_lm import TFLongformerForMaskedLM
    from tf_longformer.models.multiple_choice import (
        TFLongformerForMultipleChoice,
    )
    from tf_longformer.models.question_answering import (
        TFLongformerForQuestionAnswering,
    )
    from tf_longformer.models.sequence_classification import (
        TFLongformerForSequenceClassification,
    )
    from tf_longformer.models.token_classification import (
        TFLongformerForTokenClassification,
    )
    from tf_longformer.outputs import TFLongformerBaseModelOutput
    from tf_longformer.outputs import TFLongformerBaseModelOutputWithPooling
    from tf_longformer.outputs import TFLongformerMaskedLMOutput
    from tf_longformer.outputs import TFLongformerMultipleChoiceModelOutput
    from tf_longformer.outputs import TFLongformerQuestionAnsweringModelOutput
    from tf_longformer.outputs import TFLongformerSequenceClassifierOutput
    from tf_longformer.outputs import TFLongformerTokenClassifierOutput
    from tf_longformer.tokenization import BatchEncoding
    from tf_longformer.tokenization import LongformerTokenizer
    from tf_longformer.tokenization import LongformerTokenizerFast
    from tf_longformer.training.layouts import make_layout_map

__version__ = "0.1.0"

__all__ = [
    "BatchEncoding",
    "LongformerConfig",
    "LongformerTextPreprocessor",
    "LongformerTokenizer",
    "LongformerTokenizerFast",
    "MaskedLanguageModelCollator",
    "PaddingCollator",
    "TFLongformerBaseModelOutput",
    "TFLongformerBaseModelOutputWithPooling",
    "TFLongformerEmbeddings",
    "TFLongformerEncoder",
    "TFLongformerForMaskedLM",
    "TFLongformerForMultipleChoice",
    "TFLongformerForQuestionAnswering",
    "TFLongformerForSequenceClassification",
    "TFLongformerForTokenClassification",
    "TFLongformerMaskedLMOutput",
    "TFLongformerModel",
    "TFLongformerMultipleChoiceModelOutput",
    "TFLongformerPreTrainedModel",
    "TFLongformerQuestionAnsweringModelOutput",
    "TFLongformerSelfAttention",
    "TFLongformerSequenceClassifierOutput",
    "TFLongformerTokenClassifierOutput",
    "WarmUpSchedule",
    "align_entities",
    "align_labels",
    "convert_to_longformer",
    "decode_answers",
    "describe_attention",
    "encode_choices",
    "encode_questions",
    "export_saved_model",
    "global_attention_mask",
    "make_dataset",
    "make_layout_map",
    "make_optimizer",
    "to_dense_attention",
]

# Where a name is defined, by what has to be importable first.
_MODULES: dict[str | None, dict[str, str]] = {
    None: {
        "BatchEncoding": "tokenization",
        "LongformerConfig": "configuration",
        "LongformerTokenizer": "tokenization",
        "LongformerTokenizerFast": "tokenization",
        "MaskedLanguageModelCollator": "data.collators",
        "PaddingCollator": "data.collators",
        "align_entities": "data.entities",
        "align_labels": "data.word_labels",
        "decode_answers": "data.questions",
        "describe_attention": "data.global_masks",
        "encode_choices": "data.choices",
        "encode_questions": "data.questions",
        "global_attention_mask": "data.global_masks",
    },
    "keras": {
        "TFLongformerBaseModelOutput": "outputs",
        "TFLongformerBaseModelOutputWithPooling": "outputs",
        "TFLongformerEmbeddings": "layers.embeddings",
        "TFLongformerEncoder": "layers.encoder",
        "TFLongformerForMaskedLM": "models.masked_lm",
        "TFLongformerForMultipleChoice": "models.multiple_choice",
        "TFLongformerForQuestionAnswering": "models.question_answering",
        "TFLongformerForSequenceClassification": (
            "models.sequence_classification"
        ),
        "TFLongformerForTokenClassification": "models.token_classification",
        "TFLongformerMaskedLMOutput": "outputs",
        "TFLongformerModel": "models.longformer",
        "TFLongformerMultipleChoiceModelOutput": "outputs",
        "TFLongformerPreTrainedModel": "models.base",
        "TFLongformerQuestionAnsweringModelOutput": "outputs",
        "TFLongformerSelfAttention": "layers.self_attention",
        "TFLongformerSequenceClassifierOutput": "outputs",
        "TFLongformerTokenClassifierOutput": "outputs",
        "WarmUpSchedule": "finetuning.optimizers",
        "convert_to_longformer": "loading",
        "make_layout_map": "training.layouts",
        "make_optimizer": "finetuning.optimizers",
        "to_dense_attention": "attention.dense_map",
    },
    "tensorflow": {
        "LongformerTextPreprocessor": "graph_tokenization.text_preprocessor",
        "export_saved_model": "export.saved_model",
        "make_dataset": "finetuning.datasets",
    },
}


_FIX = (
    "Install TensorFlow: pip install 'tf-longformer[cpu]', or "
    "'tf-longformer[gpu]' for NVIDIA cards"
)
_NEEDS = {
    "keras": (
        "Keras and the backend that it is set to",
        f"{_FIX}; or name a backend that is installed in KERAS_BACKEND.",
    ),
    "tensorflow": ("TensorFlow", f"{_FIX}."),
}


def __getattr__(name: str) -> Any:
    for requirement, modules in _MODULES.items():
        if name in modules:
            if requirement:
                _require(requirement, name)
            module = importlib.import_module(f"{__name__}.{modules[name]}")
            # Found without this function from now on.
            globals()[name] = getattr(module, name)
            return globals()[name]
    from tf_longformer.old_names import instead_of

    advice = "" if name.startswith("__") else instead_of(name)
    error: Exception = AttributeError(
        f"module {__name__!r} has no attribute {name!r}. {advice}".rstrip()
    )
    # `from tf_longformer import name` would replace an `AttributeError` with
    # an error that doesn't say what to do.
    if advice and sys._getframe(1).f_code.co_name == "_handle_fromlist":
        error = ImportError(
            f"cannot import name {name!r} from {__name__!r}. {advice}"
        )
    raise error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _require(module: str, name: str) -> None:
    """Raises an error that says what to install if `module` can't be used.

    Keras itself knows which backend it is set to, and imports it.
    """
    try:
        importlib.import_module(module)
    except ImportError as error:
        needs, fix = _NEEDS[module]
        raise ImportError(
            f"`tf_longformer.{name}` needs {needs}. Received: "
            f"{type(error).__name__}: {error}. {fix}"
        ) from error


register_when_imported()
