"""Loads a checkpoint as one thing: its head, its model and its tokenizer.

It is what commands, exports and predictions start from.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import tempfile
from collections.abc import Callable
from functools import cache
from functools import partial
from pathlib import Path
from typing import Any

from tf_longformer import atomic
from tf_longformer.checkpoints import save
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.convert import read_tokenizer
from tf_longformer.checkpoints.convert import write_tokenizer
from tf_longformer.checkpoints.find_head import find_head
from tf_longformer.checkpoints.find_head import head_named
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.other_encoders import as_longformer
from tf_longformer.checkpoints.stated_tokens import find_separator
from tf_longformer.checkpoints.vector_settings import vector_settings_to_keep
from tf_longformer.checkpoints.vector_settings import write_vector_settings
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import listed
from tf_longformer.heads import BARE
from tf_longformer.heads import HEADS
from tf_longformer.heads import Head
from tf_longformer.tokenization import LongformerTokenizerFast
from tf_longformer.tokenization.files import FILES
from tf_longformer.tokenization.files import VOCABULARY_FILES

logger = logging.getLogger("tf_longformer")


class Checkpoint:
    """A checkpoint in a folder, a file of weights, a preset or on the hub.

    Its files are opened at once, so that model and tokenizer are of one save.
    The model is loaded when it is asked for.

    Args:
        name: a folder, a file of weights (its configuration and tokenizer lie
            beside it), `"mini"`, a preset, or an id of the hub.
        head: HF's class to load, such as `"LongformerForMaskedLM"`. Defaults
            to the one that the checkpoint was saved from.
        subfolder: a folder within the folder or the repository. Defaults to
            none.
        revision: branch, tag or commit on the hub. Defaults to none.
        also: function of the `Location` that reads what else must be of the
            same save. Defaults to nothing.

    Attributes:
        name: str, as it was given.
        head: `Head`; `None` where the weights are of no Longformer.
        also: what the function has returned.

    Raises:
        CheckpointError: if the file of weights is damaged.
        OSError: if there is no checkpoint of that name.
        ValueError: if there is no such head.
    """

    def __init__(
        self,
        name: str,
        head: str | None = None,
        subfolder: str = "",
        revision: str | None = None,
        *,
        also: Callable[[Location], Any] = lambda files: None,
    ) -> None:
        self.name = name
        wanted = head and head_named(head)
        location = locate(name, subfolder, revision=revision)

        def read(files: Location) -> tuple[Any, ...]:
            fields, open_file = files.read()
            config = LongformerConfig.from_dict(fields)
            if config.sep_token_id is None:
                fields["sep_token_id"] = find_separator(files)
            found = wanted or find_head(
                as_longformer(open_file(config), config, fields), config
            )
            tokenizer = cache(partial(_tokenizer_if_any, files))
            if location.repository is None:
                # Now, as it is to be of the same save; an error is raised
                # when it is asked for.
                with contextlib.suppress(OSError, ValueError):
                    tokenizer()
            return (fields, open_file), found, tokenizer, also(files)

        opened, found, self._tokenizer, self.also = location.of_one_save(read)
        self._location = dataclasses.replace(location, opened=opened)
        self.head: Head | None = None if found is None else HEADS[found]

    def load_model(self, may_be_new: str | None = None, **options: Any) -> Any:
        """Loads the model with all weights of its class.

        Args:
            may_be_new: name of a part, such as `"pooler"`, that is
                initialized at random if the checkpoint lacks it. Defaults to
                none.
            **options: as for `from_pretrained`, such as `dtype`.

        Raises:
            CheckpointError: if the checkpoint is damaged.
            ValueError: if it doesn't have all weights of the class.
        """
        missing = ["a Longformer"]
        model = None
        if self.head is not None:
            model, info = self.head.model_class().from_pretrained(
                self._location, output_loading_info=True, **options
            )
            missing = [
                name
                for name in info["missing_keys"]
                if may_be_new is None or may_be_new not in name
            ]
        if missing:
            raise ValueError(
                "A checkpoint must have all weights of its class to be used. "
                f"Received: {self._location.where}, without "
                f"{', '.join(missing)}. Train the head first, or name another."
            )
        return model

    def load_tokenizer(self) -> LongformerTokenizerFast | None:
        """Returns the tokenizer that lies beside the weights, if there is one.

        Raises:
            ValueError: if its files are damaged.
        """
        return self._tokenizer()


def _tokenizer_if_any(files: Location) -> LongformerTokenizerFast | None:
    if not any(map(files.find, VOCABULARY_FILES)):
        return None
    return tokenizer_of(files)


def tokenizer_of(files: Location, **settings: Any) -> LongformerTokenizerFast:
    """Loads the tokenizer of a checkpoint that was located.

    On the hub it is of the commit that the first file was of, whatever has
    been pushed since.

    Args:
        files: `Location`; of a folder that others may write to, the one that
            `Location.of_one_save` gives.
        **settings: as for the tokenizer's `from_pretrained`.

    Raises:
        OSError: if it has no tokenizer.
        ValueError: if its files are damaged.
    """
    # All are looked for, so that it is known when one changes.
    for file in FILES:
        files.find(file)
    # An adapter's lies with it, or with its base.
    place = files.tokenizer or files
    repository = place.repository
    if repository is not None:
        settings["subfolder"] = repository.subfolder
        settings["revision"] = repository.revision
    return LongformerTokenizerFast.from_pretrained(place.where, **settings)


def _find_head(location: Location, **overrides: Any) -> str | None:
    """Returns HF's class that a checkpoint was saved from, `None` for none."""
    fields, open_file = location.read()
    config = LongformerConfig.from_dict(fields, **overrides)
    resized = "max_tokens" in overrides
    file = as_longformer(open_file(config), config, fields, resized)
    return find_head(file, config)


def convert_to_longformer(
    source: str | os.PathLike,
    max_tokens: int | None = 4096,
    attention_window: int | list[int] | None = 512,
    *,
    save_directory: str | os.PathLike | None = None,
    head: str | None = None,
    subfolder: str = "",
    dtype: Any = None,
    **hub_options: Any,
) -> Any:
    """Makes a Longformer of an encoder for short texts.

    The encoder is a BERT, RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT or
    ELECTRA. Its table of positions is repeated up to the new length, and its
    projections are copied into those of global tokens, as Longformer's
    authors did with RoBERTa's. Where a window covers the text, the model
    computes what the encoder did; further training makes it better at longer
    texts.

    Args:
        source: folder, file or id of the hub, as for `from_pretrained`. Of a
            Longformer length and windows are changed.
        max_tokens: int, the longest text, special tokens included; `None` for
            that of the encoder. Defaults to 4096.
        attention_window: int, tokens on both sides together, even; or a list
            of one per layer. Defaults to 512.
        save_directory: folder that the model and the encoder's tokenizer are
            written to, which transformers opens too. Defaults to none.
        head: str, the class to make, such as `"LongformerForMaskedLM"`.
            Defaults to the one with the encoder's head, or to
            `"LongformerModel"` for a head that a Longformer has none like.
        subfolder: str, folder within the source. Defaults to none.
        dtype: Keras dtype policy of the model. Defaults to the global one.
        **hub_options: `revision`, `cache_dir`, `token`, `local_files_only`
            and `force_download`, as for `from_pretrained`.

    Returns:
        The model.

    Raises:
        CheckpointError: if weights are missing or damaged.
        OSError: if there is no such source, or no room for the new folder,
            which is whole or not there.
        ValueError: for an encoder that can't become a Longformer, or windows
            that don't fit.

    Example:

    ```python
    model = convert_to_longformer(
        "bert-base-uncased", 4096, 512, save_directory="bert-4096"
    )
    ```

    Reference:
        - [Beltagy et al., 2020](https://arxiv.org/abs/2004.05150)
    """
    location = locate(source, subfolder, **hub_options)
    overrides = {"max_tokens": max_tokens, "attention_window": attention_window}
    overrides = {name: v for name, v in overrides.items() if v is not None}
    if save_directory is not None:
        folder = Path(save_directory)
        left_out = convert(location, folder, head=head, **overrides)
        if left_out:
            logger.warning(
                "%s: not used of it: %s", location.where, listed(left_out)
            )
        return Checkpoint(str(folder)).load_model("pooler", dtype=dtype)
    if head is None:
        head = _find_head(location, **overrides) or BARE
    model_class = HEADS[head_named(head)].model_class()
    return model_class.from_pretrained(location, dtype=dtype, **overrides)


def convert_to_keras(
    location: Location,
    folder: Path,
    head: str | None = None,
    dtype: str | None = None,
    **overrides: Any,
) -> list[str]:
    """Converts a checkpoint to a folder with `model.keras`.

    For the other formats there is `checkpoints.convert.convert`. This one only
    Keras can write, from a model that is loaded.

    Args:
        location: `Location` of the checkpoint.
        folder: the folder to write to.
        head: as for `convert`.
        dtype: as for `save_pretrained`.
        **overrides: as for `convert`.

    Returns:
        Names of weights in the checkpoint that were left out.

    Raises:
        CheckpointError: if the checkpoint is damaged or doesn't fill the
            class.
        OSError: if it lacks a file, or the folder can't be written to.
        ValueError: for other arguments that are wrong.
    """
    save.check_target(folder, "keras", dtype)
    with tempfile.TemporaryDirectory() as plain:
        left_out = convert(location, Path(plain), head=head, **overrides)
        model = Checkpoint(plain).load_model("pooler" if overrides else None)
        files = locate(plain)
        vectors = vector_settings_to_keep(files, None)
        with atomic.replacing_files(folder) as replacement:
            model.save_pretrained(folder, "keras", dtype=dtype)
            write_tokenizer(read_tokenizer(files), replacement)
            write_vector_settings(
                replacement, vectors, model.config.hidden_size
            )
    return left_out
