"""Lets Keras load files that hold our classes, once the package is imported.

A `.keras` file names a class as `"tf_longformer>TFLongformerModel"`, and Keras
looks the name up in its registry. A class enters that when its module is
imported, which takes a backend. The package alone imports none: as soon as
Keras is there, stand-ins enter the registry, which import the class when a
file asks for it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.abc import Loader
from importlib.abc import MetaPathFinder
from typing import Any

PACKAGE = "tf_longformer"
# The module of each registered class, below the package.
MODULES = {
    "AdamWOfKernels": "finetuning.optimizers",
    "LongformerClassificationHead": "layers.head_layers",
    "LongformerEncoderBlock": "layers.encoder_block",
    "LongformerMaskedLMHead": "layers.head_layers",
    "LongformerPooler": "layers.head_layers",
    "LongformerTextPreprocessor": "graph_tokenization.text_preprocessor",
    "Normal": "layers.initializers",
    "TFLongformerEmbeddings": "layers.embeddings",
    "TFLongformerEncoder": "layers.encoder",
    "TFLongformerForMaskedLM": "models.masked_lm",
    "TFLongformerForMultipleChoice": "models.multiple_choice",
    "TFLongformerForQuestionAnswering": "models.question_answering",
    "TFLongformerForSequenceClassification": "models.sequence_classification",
    "TFLongformerForTokenClassification": "models.token_classification",
    "TFLongformerMainLayer": "layers.main_layer",
    "TFLongformerModel": "models.longformer",
    "TFLongformerSelfAttention": "layers.self_attention",
    "WarmUpSchedule": "finetuning.optimizers",
}


def register_with(keras: Any) -> None:
    """Enters what files may name into the registry of the module `keras`."""
    # Keras 2, of which only the configuration and the tokenizer may be used
    # here, need not have it.
    saving: Any = getattr(keras, "saving", None)
    if not hasattr(saving, "get_custom_objects"):
        return
    from tf_longformer.configuration import LongformerConfig

    # No stand-in, as Keras asks the class for its name when it writes one.
    saving.register_keras_serializable(PACKAGE)(LongformerConfig)
    for name, module in MODULES.items():
        # The class itself may be there already.
        saving.get_custom_objects().setdefault(
            f"{PACKAGE}>{name}", _stand_in(name, f"{PACKAGE}.{module}")
        )


def register_when_imported() -> None:
    """Calls `register_with` now, or once somebody imports Keras."""
    if "keras" in sys.modules:
        register_with(sys.modules["keras"])
    else:
        sys.meta_path.insert(0, _AfterKeras())


def _stand_in(name: str, module: str) -> type:
    """Returns a class that makes objects of another one from configs."""

    class StandIn:
        @classmethod
        def from_config(cls, config: Any) -> Any:
            # The import replaces this class in the registry.
            return getattr(importlib.import_module(module), name).from_config(
                config
            )

    StandIn.__name__ = name
    return StandIn


class _AfterKeras(MetaPathFinder):
    """Finds Keras where the others find it, and registers once it is loaded."""

    def __init__(self) -> None:
        self._is_looking = False

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname != "keras" or self._is_looking:
            return None
        self._is_looking = True
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._is_looking = False
        if spec is not None and spec.loader is not None:
            spec.loader = _LoaderOfKeras(spec.loader, self)
        return spec


class _LoaderOfKeras(Loader):
    """Loads Keras as `loader` does, and then registers our classes.

    A module that fails to load leaves the finder for the next try.
    """

    def __init__(self, loader: Any, finder: _AfterKeras) -> None:
        self._loader = loader
        self._finder = finder

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        # Those who read resources ask the loader that found the files.
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        sys.meta_path.remove(self._finder)
        register_with(module)
