"""Writes a model as a SavedModel that needs TensorFlow and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tf_longformer.decoding import POOLINGS
from tf_longformer.errors import shown
from tf_longformer.export import contract
from tf_longformer.export.buckets import Buckets
from tf_longformer.export.signatures import Settings
from tf_longformer.export.signatures import Signatures
from tf_longformer.export.stored_weights import WEIGHTS
from tf_longformer.export.target_folder import check_replaceable
from tf_longformer.export.target_folder import new_folder
from tf_longformer.exported import warmup
from tf_longformer.heads import head_of
from tf_longformer.models.base import TFLongformerPreTrainedModel
from tf_longformer.projections import Projection
from tf_longformer.projections import projected_width
from tf_longformer.tokenization import LongformerTokenizer

IDS_DTYPES = ("int32", "int64")


def export_saved_model(
    model: TFLongformerPreTrainedModel,
    path: str | os.PathLike,
    tokenizer: LongformerTokenizer | None = None,
    *,
    overwrite: bool = False,
    ids_dtype: str = "int32",
    weights: str = "float32",
    xla: bool = False,
    xla_lengths: Sequence[int] | None = None,
    xla_batches: Sequence[int] | None = None,
    top_k: int = 5,
    max_answer_len: int = 15,
    warmup_requests: bool = True,
    pooling: str = "mean",
    normalize: bool = True,
    projections: Sequence[Projection] = (),
) -> Path:
    """Exports a model for serving.

    The folder has these signatures, for any batch size and length:

    - `serving_default`: `input_ids` and `attention_mask`, `(batch, seq)`, or
      `(batch, choices, seq)` for multiple choice. Global attention is where
      the head puts it by default.
    - `with_global_attention`: `global_attention_mask` too.
    - `text`, with a tokenizer: strings; `question` and `context` for
      question answering, `prompt` and `choices` for multiple choice.
    - `embed`, of the bare model: a vector for each text, or without a
      tokenizer for each row of ids; with one, `embed_ids` takes ids.
    - `xla`, where asked for: as `serving_default`, compiled by XLA for a few
      shapes, to which requests are padded. TensorFlow Serving runs it only
      with `--xla_cpu_compilation_enabled`.

    They return the head's outputs by name (`logits`, ...) as float32, and
    what a client wants of them: probabilities, labels, spans of text. All of
    them are listed in `assets.extra/signatures.json` within the folder, and
    in `savedmodels/README.md`. A request that breaks a rule fails with a
    sentence that says what to send. No code of this package or of Keras is
    needed to run it.

    Args:
        model: a Longformer model with any head.
        path: string or path of the folder to write. For TensorFlow Serving
            its last part is the version: `models/longformer/1`.
        tokenizer: the model's tokenizer. Defaults to none: no `text`, and no
            tokens for masks.
        overwrite: bool. Whether a folder with content is replaced. Defaults
            to `False`.
        ids_dtype: `"int32"` or `"int64"`, of ids and masks. Defaults to
            `"int32"`.
        weights: `"float32"`, `"bfloat16"` (half the size) or `"int8"` (the
            matrices, a quarter). They are made float32 at each call, which
            takes time of its own. Defaults to `"float32"`.
        xla: bool, whether to add the signature `xla`. Defaults to `False`.
        xla_lengths: ints, the lengths it pads to. Defaults to the model's
            limit, a half, a quarter and an eighth of it.
        xla_batches: ints, the rows it pads to. Defaults to 1 and 8.
        top_k: int, answers to a question, and tokens for a mask. Defaults to
            `5`.
        max_answer_len: int, tokens of an answer at most. Defaults to `15`.
        warmup_requests: bool, whether to write requests that TensorFlow
            Serving runs before it serves. Defaults to `True`.
        pooling: how `embed` makes vectors, as of `tf_longformer.tasks.embed`:
            `"mean"` or `"cls"`. Defaults to `"mean"`.
        normalize: bool, whether they have the length 1. Defaults to `True`.
        projections: `Projection`s that they go through before, as of
            `tf_longformer.tasks.embed`; stored as float32. Defaults to none.

    Returns:
        `Path` of the folder. It appears at once and whole.

    Raises:
        TypeError: `model` isn't one of this package's models, `tokenizer`
            none of its tokenizers, or `projections` are none.
        ValueError: Keras runs on another backend than TensorFlow, the
            tokenizer is of another model, or an option isn't one of its
            values.
        FileExistsError: there is something at `path` already.

    Example:

    ```python
    export_saved_model(model, "models/longformer/1", tokenizer)
    served = tf.saved_model.load("models/longformer/1")
    served.signatures["text"](text=tf.constant(["A document."]))["labels"]
    ```
    """
    check_model(model)
    check_tokenizer(tokenizer, model)
    _check_choice("ids_dtype", ids_dtype, IDS_DTYPES)
    _check_choice("weights", weights, WEIGHTS)
    _check_choice("pooling", pooling, POOLINGS)
    for name, value in (("top_k", top_k), ("max_answer_len", max_answer_len)):
        if value < 1:
            raise ValueError(
                f"`{name}` must be at least 1. Received: {value}. Raise it."
            )
    if not xla and (xla_lengths is not None or xla_batches is not None):
        raise ValueError(
            "`xla_lengths` and `xla_batches` are of the signature `xla`. "
            "Received: xla=False. Pass `xla=True`, or leave them out."
        )
    buckets = None
    if xla:
        buckets = Buckets.choose(
            xla_lengths, xla_batches, model.config.max_tokens
        )
    projected_width(projections, model.config.hidden_size)
    settings = Settings(
        *(ids_dtype, weights, buckets, top_k, max_answer_len),
        *(pooling, normalize, tuple(projections)),
    )
    check_replaceable(path, overwrite)
    module = Signatures(model, tokenizer, settings)
    with new_folder(path, overwrite) as folder:
        tf.saved_model.save(
            module,
            str(folder),
            signatures=module.functions,
            # Nobody trains what is served.
            options=tf.saved_model.SaveOptions(
                experimental_custom_gradients=False
            ),
        )
        _forget_gradients(folder / "saved_model.pb")
        description = folder / contract.FILE
        description.parent.mkdir()
        description.write_text(
            json.dumps(contract.describe(module), indent=2) + "\n", "utf-8"
        )
        if warmup_requests:
            warmup.write_requests(
                folder,
                contract.example_requests(
                    module, tokenizer, model.config, buckets
                ),
            )
    return Path(path)


def _forget_gradients(path: Path) -> None:
    """Deletes the names of custom gradients, which weren't saved.

    TensorFlow would warn of each when it loads the folder.
    """
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    for graph in saved.meta_graphs:
        functions = graph.graph_def.library.function
        for nodes in [graph.graph_def.node, *(f.node_def for f in functions)]:
            for node in nodes:
                node.attr.pop("_gradient_op_type", None)
    path.write_bytes(saved.SerializeToString(deterministic=True))


def check_model(model: Any) -> None:
    """Checks that a model can be exported.

    Args:
        model: anything.

    Raises:
        TypeError: it isn't one of this package's models.
        ValueError: Keras runs on another backend than TensorFlow.
    """
    if not isinstance(model, TFLongformerPreTrainedModel):
        raise TypeError(
            "Only models of this package can be exported. Received: "
            f"{type(model).__name__}. Pass a TFLongformer... model."
        )
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "A model is exported by Keras's TensorFlow backend. Received: "
            f"backend={keras.backend.backend()}. Save the model with "
            "save_pretrained, set KERAS_BACKEND=tensorflow and load it there."
        )


def check_tokenizer(tokenizer: Any, model: Any) -> None:
    """Checks that a tokenizer goes with a model.

    Args:
        tokenizer: anything.
        model: a Longformer model.

    Raises:
        TypeError: it is no tokenizer of this package, nor `None`.
        ValueError: its ids aren't the model's, or a masked language model's
            has no mask.
    """
    if tokenizer is None:
        return
    if not isinstance(tokenizer, LongformerTokenizer):
        raise TypeError(
            "`tokenizer` must be a LongformerTokenizer or a "
            f"LongformerTokenizerFast. Received: {type(tokenizer).__name__}. "
            "Load it with `from_pretrained`."
        )
    config = model.config
    largest = max(tokenizer.get_vocab().values())
    is_larger = largest >= config.vocab_size
    problems = []
    if is_larger:
        problems.append(
            f"its largest id is {largest}, the model's {config.vocab_size - 1}"
        )
    problems += [
        f"{name}={ours}, the model's {theirs}"
        for name in ("pad_token_id", "sep_token_id")
        for ours, theirs in [(getattr(tokenizer, name), getattr(config, name))]
        if ours != theirs
    ]
    if problems:
        fix = "Load both from one folder"
        if is_larger:
            fix += (
                ", after `model.resize_token_embeddings(len(tokenizer))` where "
                "tokens were added"
            )
        raise ValueError(
            "The tokenizer must be that of the model. Received: a tokenizer "
            f"of which {'; '.join(problems)}. {fix}; or leave the tokenizer "
            "out (--no-text)."
        )
    head = head_of(type(model)).name
    if head == "LongformerForMaskedLM" and tokenizer.mask_token is None:
        raise ValueError(
            "A masked language model needs a tokenizer with a mask. Received: "
            "mask_token=None. Set it, or leave the tokenizer out (--no-text)."
        )


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(
            f"`{name}` must be one of {list(choices)}. Received: "
            f"{shown(value)}."
        )
