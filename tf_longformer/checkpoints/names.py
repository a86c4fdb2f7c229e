"""One table of what our weights are called in the files of others.

A row names a part of the model as it is called here, in PyTorch, in HF's
TensorFlow and in Keras's own files, what kind of part it is, which tells the
weights in it, and their sizes. `{n}` stands for the number of a layer. Every
format is read and written by this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tf_longformer.configuration import LongformerConfig

Shape = tuple[int, ...]

# A head is called by the name of HF's class. The parts that it has:
HEADS: dict[str, tuple[str, ...]] = {
    "LongformerModel": ("body", "pooler"),
    "LongformerForMaskedLM": ("body", "lm_head"),
    "LongformerForQuestionAnswering": ("body", "qa_outputs"),
    "LongformerForSequenceClassification": ("body", "document_classifier"),
    "LongformerForTokenClassification": ("body", "token_classifier"),
    "LongformerForMultipleChoice": ("body", "pooler", "choice_classifier"),
}
BARE = "LongformerModel"
MASKED_LM = "LongformerForMaskedLM"

# What the classes of HF's TensorFlow call themselves inside a file.
TENSORFLOW_MODELS: dict[str, str] = {
    "LongformerModel": "tf_longformer_model",
    "LongformerForMaskedLM": "tf_longformer_for_masked_lm",
    "LongformerForQuestionAnswering": "tf_longformer_for_question_answering",
    "LongformerForSequenceClassification": (
        "tf_longformer_for_sequence_classification"
    ),
    "LongformerForTokenClassification": (
        "tf_longformer_for_token_classification"
    ),
    "LongformerForMultipleChoice": "tf_longformer_for_multiple_choice",
}

GLOBAL_PROJECTIONS = ("query_global", "key_global", "value_global")
BODY = "longformer."


class Weight(NamedTuple):
    """A weight, and what it is called where.

    Attributes:
        path: ours, below the model's name.
        torch: PyTorch's, with the body's prefix; what follows the first are
            names that files of other ages have for it.
        tensorflow: HF TensorFlow's, without the model's name; `None` where
            its classes have no such weight.
        keras: the data set in a `.weights.h5`; `None` for a weight of a
            subclass, which only Keras can place.
        shape: ours.
        transposed: bool, whether PyTorch's matrix is the transpose.
        part: the part of the model that it belongs to, as in `HEADS`.
        all_torch: bool, whether PyTorch's files hold it under each of its
            names.
    """

    path: str
    torch: tuple[str, ...]
    tensorflow: str | None
    keras: str | None
    shape: Shape
    transposed: bool
    part: str
    all_torch: bool = False

    @property
    def torch_shape(self) -> Shape:
        """The shape in PyTorch's files."""
        return self.shape[::-1] if self.transposed else self.shape


class _Kind(NamedTuple):
    """A weight of a module: its last name in each of the four."""

    path: str
    torch: tuple[str, ...]
    tensorflow: str | None
    keras: str
    transposed: bool = False
    all_torch: bool = False


_DENSE = (
    _Kind("kernel", ("weight",), "kernel:0", "0", transposed=True),
    _Kind("bias", ("bias",), "bias:0", "1"),
)
# Conversions of TensorFlow's first checkpoints kept their gamma and beta.
_NORM = (
    _Kind("gamma", ("weight", "gamma"), "gamma:0", "0"),
    _Kind("beta", ("bias", "beta"), "beta:0", "1"),
)
_WORDS = (_Kind("embeddings", ("weight",), "weight:0", "0"),)
_TABLE = (_Kind("embeddings", ("weight",), "embeddings:0", "0"),)
# PyTorch ties the bias of the decoder to that of the head: a file has either
# or both.
_LM_BIAS = (_Kind("bias", ("bias", "decoder.bias"), "bias:0", "0"),)
# With an output matrix of its own the decoder's bias is the one that counts;
# transformers 5 has the head's beside it, and reads it from files.
_LM_OWN_BIAS = (
    _Kind("bias", ("decoder.bias", "bias"), "bias:0", "0", all_torch=True),
)
# HF's TensorFlow knows no output matrix of its own.
_LM_MATRIX = (_Kind("decoder", ("decoder.weight",), None, "1"),)


class _Module(NamedTuple):
    """A row: a module in the four, its weights, their sizes, its part."""

    path: str
    torch: str
    tensorflow: str
    keras: str
    weights: tuple[_Kind, ...]
    sizes: tuple[str, ...]
    part: str = "body"


_KERAS_BODY = "layers/tf_longformer_main_layer"


def _embeddings(
    path: str, theirs: str, weights: tuple[_Kind, ...], *sizes: str
) -> _Module:
    return _Module(
        f"longformer/embeddings/{path}",
        f"longformer.embeddings.{theirs}",
        f"longformer/embeddings/{theirs}",
        f"{_KERAS_BODY}/embeddings/{path}",
        weights,
        sizes,
    )


def _layer(
    path: str,
    theirs: str,
    weights: tuple[_Kind, ...],
    *sizes: str,
    keras: str | None = None,
) -> _Module:
    # Keras numbers the blocks from the second on: `{k}` is "", "_1", "_2".
    return _Module(
        f"longformer/encoder/layer_{{n}}/{path}",
        f"longformer.encoder.layer.{{n}}.{theirs.replace('/', '.')}",
        f"longformer/encoder/layer_._{{n}}/{theirs}",
        f"{_KERAS_BODY}/encoder/blocks/longformer_encoder_block{{k}}/"
        f"{keras or path}",
        weights,
        sizes,
    )


MODULES: tuple[_Module, ...] = (
    _embeddings("word_embeddings", "word_embeddings", _WORDS, "vocab", "width"),
    _embeddings(
        "position_embeddings",
        "position_embeddings",
        _TABLE,
        "positions",
        "width",
    ),
    _embeddings(
        "token_type_embeddings",
        "token_type_embeddings",
        _TABLE,
        "types",
        "width",
    ),
    _embeddings("norm", "LayerNorm", _NORM, "width"),
    *(
        _layer(
            f"attention/{name}",
            f"attention/self/{name}",
            _DENSE,
            "width",
            "width",
        )
        for name in ("query", "key", "value", *GLOBAL_PROJECTIONS)
    ),
    _layer(
        "attention_output", "attention/output/dense", _DENSE, "width", "width"
    ),
    _layer("attention_norm", "attention/output/LayerNorm", _NORM, "width"),
    _layer("intermediate", "intermediate/dense", _DENSE, "width", "inner"),
    _layer(
        "output",
        "output/dense",
        _DENSE,
        "inner",
        "width",
        keras="output_dense",
    ),
    _layer("output_norm", "output/LayerNorm", _NORM, "width"),
    _Module(
        "longformer/pooler/dense",
        "longformer.pooler.dense",
        "longformer/pooler/dense",
        f"{_KERAS_BODY}/pooler/dense",
        _DENSE,
        ("width", "width"),
        "pooler",
    ),
    _Module(
        "lm_head/dense",
        "lm_head.dense",
        "lm_head/dense",
        "layers/longformer_masked_lm_head/dense",
        _DENSE,
        ("width", "width"),
        "lm_head",
    ),
    _Module(
        "lm_head/norm",
        "lm_head.layer_norm",
        "lm_head/layer_norm",
        "layers/longformer_masked_lm_head/norm",
        _NORM,
        ("width",),
        "lm_head",
    ),
    _Module(
        "lm_head",
        "lm_head",
        "lm_head",
        "layers/longformer_masked_lm_head",
        _LM_BIAS,
        ("vocab",),
        "lm_head",
    ),
    *(
        _Module(
            "lm_head",
            "lm_head",
            "lm_head",
            "layers/longformer_masked_lm_head",
            weights,
            sizes,
            "lm_head",
        )
        for weights, sizes in (
            (_LM_OWN_BIAS, ("vocab",)),
            (_LM_MATRIX, ("vocab", "width")),
        )
    ),
    _Module(
        "qa_outputs",
        "qa_outputs",
        "qa_outputs",
        "layers/dense",
        _DENSE,
        ("width", "answers"),
        "qa_outputs",
    ),
    *(
        _Module(
            f"classifier/{name}",
            f"classifier.{name}",
            f"classifier/{name}",
            f"classifier/{name}",
            _DENSE,
            ("width", outputs),
            "document_classifier",
        )
        for name, outputs in (("dense", "width"), ("out_proj", "labels"))
    ),
    *(
        _Module(
            "classifier",
            "classifier",
            "classifier",
            "classifier",
            _DENSE,
            ("width", outputs),
            part,
        )
        for part, outputs in (
            ("token_classifier", "labels"),
            ("choice_classifier", "one"),
        )
    ),
)


def _sizes(config: LongformerConfig) -> dict[str, int]:
    return {
        "vocab": config.vocab_size,
        "positions": config.max_position_embeddings,
        "types": config.type_vocab_size,
        "width": config.hidden_size,
        "inner": config.intermediate_size,
        "labels": config.num_labels,
        "answers": 2,
        "one": 1,
    }


def _expand(module: _Module, sizes: dict[str, int], layer: int) -> list[Weight]:
    """Returns the weights of a row for one layer."""
    shape = tuple(sizes[name] for name in module.sizes)
    numbers = {"n": layer, "k": f"_{layer}" if layer else ""}
    path, torch, tensorflow, keras = (
        name.format(**numbers) for name in module[:4]
    )
    return [
        Weight(
            f"{path}/{kind.path}",
            tuple(f"{torch}.{name}" for name in kind.torch),
            kind.tensorflow and f"{tensorflow}/{kind.tensorflow}",
            f"{keras}/vars/{kind.keras}",
            # A bias has the last size of its kernel.
            shape[-1:] if kind.path in ("bias", "beta", "gamma") else shape,
            kind.transposed,
            module.part,
            kind.all_torch,
        )
        for kind in module.weights
    ]


# What a masked language model does not have, with and without tied matrices.
_OTHER_THAN_TIED = {True: (_LM_OWN_BIAS, _LM_MATRIX), False: (_LM_BIAS,)}


def weights(
    config: LongformerConfig, parts: tuple[str, ...]
) -> dict[str, Weight]:
    """Returns all weights of a model by our paths.

    Args:
        config: `LongformerConfig`.
        parts: the parts that the model has: a value of `HEADS`.
    """
    sizes = _sizes(config)
    found: dict[str, Weight] = {}
    for module in MODULES:
        if module.part not in parts:
            continue
        if module.weights in _OTHER_THAN_TIED[config.tie_word_embeddings]:
            continue
        layers = config.num_hidden_layers if "{n}" in module.path else 1
        for layer in range(layers):
            found.update((w.path, w) for w in _expand(module, sizes, layer))
    return found


def own_weight(path: str, shape: Shape) -> Weight:
    """Returns the row of a weight that a user's subclass has added.

    HF's classes have no such weight, and Keras alone knows where it puts it.
    """
    part = path.split("/", 1)[0]
    name = path.replace("/", ".")
    return Weight(path, (name,), None, None, shape, False, part)


def catalogue(config: LongformerConfig) -> list[Weight]:
    """Returns the weights of all heads; two classifiers share their names.

    Args:
        config: `LongformerConfig`.
    """
    parts = dict.fromkeys(part for head in HEADS.values() for part in head)
    return [
        weight for part in parts for weight in weights(config, (part,)).values()
    ]


def head_of(found: Mapping[str, Shape]) -> str | None:
    """Returns the class that a file was saved from, by its weights.

    Args:
        found: PyTorch's shapes by PyTorch's names with the body's prefix.

    Returns:
        A key of `HEADS`; `None` where the weights are of no Longformer.
    """
    if "classifier.out_proj.weight" in found:
        return "LongformerForSequenceClassification"
    if "qa_outputs.weight" in found:
        return "LongformerForQuestionAnswering"
    if "lm_head.dense.weight" in found:
        return MASKED_LM
    if "classifier.weight" in found:
        pooled = "longformer.pooler.dense.weight" in found
        if pooled and found["classifier.weight"][:1] == (1,):
            return "LongformerForMultipleChoice"
        return "LongformerForTokenClassification"
    return BARE if any(name.startswith(BODY) for name in found) else None
