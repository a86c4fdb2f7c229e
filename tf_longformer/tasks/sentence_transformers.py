"""Folders of sentence-transformers: a model, and how its vectors are made."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tf_longformer import atomic
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.vector_settings import VectorSettings
from tf_longformer.checkpoints.vector_settings import read_vector_settings
from tf_longformer.checkpoints.vector_settings import write_vector_settings
from tf_longformer.configuration import LongformerConfig
from tf_longformer.decoding import POOLINGS
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.projections import Projection
from tf_longformer.projections import projected_width
from tf_longformer.tasks import steps

logger = logging.getLogger("tf_longformer")


def sentence_transformer_options(
    name: str | os.PathLike, **hub_options: Any
) -> dict[str, Any]:
    """Reads how a model of sentence-transformers makes its vectors.

    ```python
    model = TFLongformerModel.from_pretrained(folder)
    tokenizer = LongformerTokenizerFast.from_pretrained(folder)
    embed(model, tokenizer, texts, **sentence_transformer_options(folder))
    ```

    sentence-transformers cuts longer texts off at `max_seq_length`; `embed`
    reads them in windows of that length. A prompt that it would put before
    each text is named in a warning.

    Args:
        name: a folder, `"mini"`, or an id of the hub.
        **hub_options: as of `from_pretrained`, such as `revision`.

    Returns:
        Dict of `pooling`, `normalize`, `max_length` and `projections` for
        `embed`, the last two only where there are such; empty for a model
        that isn't of sentence-transformers.

    Raises:
        OSError: if there is no such folder or model.
        ValueError: for a pooling or another step that `embed` doesn't have,
            or a damaged file.
    """
    return locate(name, **hub_options).of_one_save(read_options)


def read_options(location: Location) -> dict[str, Any]:
    """Returns what `sentence_transformer_options` does, of a `Location`."""
    settings = read_vector_settings(location)
    if settings is None:
        return {}
    if not settings.is_known:
        raise ValueError(
            f"The pooling must be one of {', '.join(POOLINGS)}. Received: "
            f"{cut(' and '.join(settings.poolings))} of {location.where}. Use "
            "sentence-transformers for it."
        )
    prompt = settings.default_prompt
    if prompt or settings.do_lower_case:
        logger.warning(
            "%s: sentence-transformers %s each text before the tokenizer has "
            "it. Do it too before you call `embed`.",
            location.where,
            f"puts {prompt[:200]!r} before" if prompt else "lowers",
        )
    options: dict[str, Any] = {
        "pooling": settings.poolings[0],
        "normalize": settings.normalize,
    }
    if settings.max_length is not None:
        # It may be the folder of what becomes a Longformer, without windows.
        config = LongformerConfig.from_dict(
            location.config_fields(), attention_window=2
        )
        # Some count the rows of positions that no token has.
        options["max_length"] = min(settings.max_length, config.max_tokens)
    if settings.projections:
        options["projections"] = settings.projections
    return options


def save_sentence_transformer(
    model: Any,
    tokenizer: Any,
    save_directory: str | os.PathLike,
    pooling: str = "mean",
    normalize: bool = True,
    max_length: int | None = None,
    projections: Sequence[Projection] = (),
) -> None:
    """Writes a folder that sentence-transformers opens.

    Args:
        model: `TFLongformerModel`.
        tokenizer: its `LongformerTokenizer`.
        save_directory: the folder, made where it is missing.
        pooling: as of `embed`. Defaults to `"mean"`.
        normalize: the same. Defaults to `True`.
        max_length: int, `max_seq_length`, where sentence-transformers cuts
            texts. Defaults to the limit of model and tokenizer.
        projections: as of `embed`, written as `Dense` modules. Defaults to
            none.

    Raises:
        TypeError: for another model, or projections that are none.
        ValueError: for another pooling or length, or projections of other
            widths.
        OSError: if the folder can't be written to.
    """
    steps.check_head(model, "last_hidden_state", "save", "TFLongformerModel")
    limit = steps.token_limit(model, tokenizer)
    length = limit if max_length is None else max_length
    if pooling not in POOLINGS or not 0 < length <= limit:
        raise ValueError(
            f"`pooling` must be one of {', '.join(POOLINGS)}, and "
            f"`max_length` lie in [1, {limit}]. Received: {shown(pooling)} and "
            f"{max_length}. Leave them out, or pass other ones."
        )
    projected_width(projections, model.config.hidden_size)
    settings = VectorSettings(
        (pooling,), normalize, length, projections=tuple(projections)
    )
    folder = Path(save_directory)
    with atomic.replacing_files(folder) as replacement:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        write_vector_settings(replacement, settings, model.config.hidden_size)
