"""The one table of what a weight is called in which files.

A row is a layer. It says what the layer is called in our models, in HF's
files and in Keras's files, which weights it has, and how large they are. `{n}`
stands for the number of a block. All formats are read and written by this
table. The rows of the body are in this module; those of a head are in its
record in `tf_longformer.heads`.
"""

from __future__ import annotations

from typing import NamedTuple

from tf_longformer.configuration import LongformerConfig
from tf_longformer.heads import BARE
from tf_longformer.heads import HEADS
from tf_longformer.heads import Head
from tf_longformer.heads import HeadLayer

Shape = tuple[int, ...]

GLOBAL_PROJECTIONS = ("query_global", "key_global", "value_global")
# The prefix of the body's names in PyTorch's files.
BODY = "longformer."
# Weights that are asked for by their names in PyTorch's files.
WORDS = f"{BODY}embeddings.word_embeddings.weight"
POSITIONS = f"{BODY}embeddings.position_embeddings.weight"
TOKEN_TYPES = f"{BODY}embeddings.token_type_embeddings.weight"
DECODER = "lm_head.decoder.weight"


class Weight(NamedTuple):
    """A weight, and what it is called where.

    Attributes:
        path: its path in our models, below the model's name.
        torch: its names in PyTorch's files, with the body's prefix. The first
            is the one that is written; files of other ages have the others.
        tensorflow: its name in HF TensorFlow's files, without the model's
            name; `None` where HF's TensorFlow classes have no such weight.
        keras: its data set in a `.weights.h5`; `None` for a weight of a
            subclass, which only Keras can place.
        shape: its shape in our models.
        transposed: bool, whether PyTorch's files hold the transpose.
        part: the part of the model that it belongs to, one of `Head.parts`.
        written_under_all: bool, whether it is written under each of its
            names in `torch`, and not only under the first.
    """

    path: str
    torch: tuple[str, ...]
    tensorflow: str | None
    keras: str | None
    shape: Shape
    transposed: bool
    part: str
    written_under_all: bool = False

    @property
    def torch_shape(self) -> Shape:
        """The shape in PyTorch's files."""
        return self.shape[::-1] if self.transposed else self.shape


class _LayerWeight(NamedTuple):
    """A weight of a layer: the last part of its name in each kind of file."""

    path: str
    torch: tuple[str, ...]
    tensorflow: str | None
    keras: str
    transposed: bool = False
    written_under_all: bool = False


# The weights of a layer, by `HeadLayer.kind`.
_LAYER_WEIGHTS: dict[str, tuple[_LayerWeight, ...]] = {
    "dense": (
        _LayerWeight("kernel", ("weight",), "kernel:0", "0", transposed=True),
        _LayerWeight("bias", ("bias",), "bias:0", "1"),
    ),
    # Early PyTorch files, converted from TensorFlow, kept its names gamma
    # and beta.
    "norm": (
        _LayerWeight("gamma", ("weight", "gamma"), "gamma:0", "0"),
        _LayerWeight("beta", ("bias", "beta"), "beta:0", "1"),
    ),
    "words": (_LayerWeight("embeddings", ("weight",), "weight:0", "0"),),
    "table": (_LayerWeight("embeddings", ("weight",), "embeddings:0", "0"),),
    # PyTorch ties the bias of the decoder to that of the head: a file has
    # either or both.
    "tied_bias": (
        _LayerWeight("bias", ("bias", "decoder.bias"), "bias:0", "0"),
    ),
    # Where the decoder's matrix isn't tied, the decoder's bias is the one that
    # counts. transformers 5 writes the head's beside it, and reads that one.
    # So both are written.
    "untied_bias": (
        _LayerWeight(
            "bias",
            ("decoder.bias", "bias"),
            "bias:0",
            "0",
            written_under_all=True,
        ),
    ),
    # HF's TensorFlow classes always tie this matrix.
    "untied_matrix": (_LayerWeight("decoder", ("decoder.weight",), None, "1"),),
}
# The kinds that a model doesn't have, by `tie_word_embeddings`.
_UNUSED_KINDS = {True: ("untied_bias", "untied_matrix"), False: ("tied_bias",)}
_KERAS_BODY = "layers/tf_longformer_main_layer"


def _embeddings(
    path: str, kind: str, *sizes: str, hf: str | None = None
) -> HeadLayer:
    """Returns a row of the embeddings."""
    return HeadLayer(
        f"longformer/embeddings/{path}",
        kind,
        sizes,
        hf=f"longformer/embeddings/{hf or path}",
        keras=f"{_KERAS_BODY}/embeddings/{path}",
    )


def _block(
    path: str, kind: str, *sizes: str, hf: str, keras: str | None = None
) -> HeadLayer:
    """Returns a row of the encoder's blocks.

    Keras gives the first block no number: its `{k}` is "", "_1", "_2".
    """
    blocks = f"{_KERAS_BODY}/encoder/blocks/longformer_encoder_block{{k}}"
    return HeadLayer(
        f"longformer/encoder/layer_{{n}}/{path}",
        kind,
        sizes,
        hf=f"longformer/encoder/layer_._{{n}}/{hf}",
        keras=f"{blocks}/{keras or path}",
    )


_BODY_ROWS: tuple[HeadLayer, ...] = (
    _embeddings("word_embeddings", "words", "vocab", "width"),
    _embeddings("position_embeddings", "table", "positions", "width"),
    _embeddings("token_type_embeddings", "table", "types", "width"),
    _embeddings("norm", "norm", "width", hf="LayerNorm"),
    *(
        _block(
            f"attention/{name}",
            "dense",
            *("width", "width"),
            hf=f"attention/self/{name}",
        )
        for name in ("query", "key", "value", *GLOBAL_PROJECTIONS)
    ),
    _block(
        "attention_output",
        "dense",
        *("width", "width"),
        hf="attention/output/dense",
    ),
    _block("attention_norm", "norm", "width", hf="attention/output/LayerNorm"),
    _block("intermediate", "dense", "width", "inner", hf="intermediate/dense"),
    _block(
        "output",
        "dense",
        *("inner", "width"),
        hf="output/dense",
        keras="output_dense",
    ),
    _block("output_norm", "norm", "width", hf="output/LayerNorm"),
)
POOLER = HeadLayer(
    "longformer/pooler/dense",
    "dense",
    ("width", "width"),
    keras=f"{_KERAS_BODY}/pooler/dense",
)


def _rows(head: Head) -> list[tuple[str, HeadLayer]]:
    """Returns the rows of a model, each with its part of the model."""
    rows = [("body", row) for row in _BODY_ROWS]
    if head.has_pooler:
        rows.append(("pooler", POOLER))
    return [*rows, *((head.part, row) for row in head.layers)]


def torch_name(row: HeadLayer) -> str:
    """Returns PyTorch's name of a layer, which is TensorFlow's with dots.

    Only the number of a block is set off otherwise.
    """
    hf = row.hf or row.path
    return hf.replace("layer_._{n}", "layer/{n}").replace("/", ".")


def _expand(
    part: str, row: HeadLayer, config: LongformerConfig
) -> list[Weight]:
    """Returns the weights of a row; a row of the blocks gives those of all."""
    if row.kind in _UNUSED_KINDS[config.tie_word_embeddings]:
        return []
    sizes = {
        "vocab": config.vocab_size,
        "positions": config.max_position_embeddings,
        "types": config.type_vocab_size,
        "width": config.hidden_size,
        "inner": config.intermediate_size,
        "labels": config.num_labels,
    }
    shape = tuple(
        size if isinstance(size, int) else sizes[size] for size in row.sizes
    )
    found = []
    blocks = config.num_hidden_layers if "{n}" in row.path else 1
    for block in range(blocks):
        numbers = {"n": block, "k": f"_{block}" if block else ""}
        path, torch, tensorflow, keras = (
            name and name.format(**numbers)
            for name in (
                row.path,
                torch_name(row),
                row.hf or row.path,
                row.keras,
            )
        )
        found += [
            Weight(
                f"{path}/{kind.path}",
                tuple(f"{torch}.{name}" for name in kind.torch),
                kind.tensorflow and f"{tensorflow}/{kind.tensorflow}",
                keras and f"{keras}/vars/{kind.keras}",
                # A bias has the last size of its kernel.
                shape[-1:] if kind.path in ("bias", "beta", "gamma") else shape,
                kind.transposed,
                part,
                kind.written_under_all,
            )
            for kind in _LAYER_WEIGHTS[row.kind]
        ]
    return found


def weights(config: LongformerConfig, head: Head) -> dict[str, Weight]:
    """Returns all weights of a model by our paths."""
    return {
        weight.path: weight
        for part, row in _rows(head)
        for weight in _expand(part, row, config)
    }


def in_class(torch_name: str, head_name: str) -> str:
    """Returns a name as HF's PyTorch class of a head has it.

    The class without a head has no prefix of the body.
    """
    if head_name == BARE:
        return torch_name.removeprefix(BODY)
    return torch_name


def added_weight(path: str, shape: Shape) -> Weight:
    """Returns the entry of a weight that a user's subclass has added.

    HF's classes have no such weight, and Keras alone knows where it puts it.
    """
    part = path.split("/", 1)[0]
    name = path.replace("/", ".")
    return Weight(path, (name,), None, None, shape, False, part)


def weights_of_all_heads(config: LongformerConfig) -> list[Weight]:
    """Returns the weights of all heads, for names that may be of any.

    Those of two classifiers have the same names.
    """
    rows = dict.fromkeys(row for head in HEADS.values() for row in _rows(head))
    return [
        weight for part, row in rows for weight in _expand(part, row, config)
    ]
