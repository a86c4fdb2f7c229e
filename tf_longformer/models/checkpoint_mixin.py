"""`from_pretrained` and `save_pretrained`, and so `push_to_hub`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_longformer import _configuration_files as configuration_files
from tf_longformer import atomic_folder
from tf_longformer import hub
from tf_longformer import keywords
from tf_longformer.checkpoints import keras_archive
from tf_longformer.checkpoints import model_card
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import saving
from tf_longformer.checkpoints import transfer
from tf_longformer.checkpoints.locate import locate
from tf_longformer.configuration import LongformerConfig
from tf_longformer.layers.initializers import starting_from
from tf_longformer.models.variables import head_of
from tf_longformer.models.variables import named_variables
from tf_longformer.models.variables import source_of

logger = logging.getLogger("tf_longformer")

# What transformers' `save_pretrained` takes.
_SAVING = {
    "push_to_hub": keywords.PUSH,
    "safe_serialization": (
        (True,),
        "PyTorch's pickles are only read: leave it out, or use "
        "`save_format='h5'`.",
    ),
    "saved_model": (
        (False,),
        "Export with `tf_longformer.export_saved_model(model, folder)`.",
    ),
}


class CheckpointMixin(hub.Pushable):
    """Checkpoints of all formats, for models with a config."""

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        *,
        config: LongformerConfig
        | Mapping[str, Any]
        | str
        | os.PathLike
        | None = None,
        revision: str | None = None,
        subfolder: str = "",
        cache_dir: str | os.PathLike | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        dtype: Any = None,
        from_pt: bool = False,
        from_tf: bool = False,
        use_safetensors: bool | None = None,
        **config_overrides: Any,
    ) -> Any:
        """Loads a model, from a folder or from the hub.

        Of the weights in a folder the first of these is read:
        `model.safetensors` (with PyTorch's or HF TensorFlow's names),
        `pytorch_model.bin` (without PyTorch), `tf_model.h5`, each of them
        also in shards with an index; `model.weights.h5`, `model.keras`. A
        model is filled completely or not at all.

        Args:
            pretrained_model_name_or_path: a folder with `config.json` and
                weights, or a file of weights beside a `config.json`; or a
                preset, such as `"longformer-base-4096"`; or an id of the hub,
                which needs `huggingface_hub`. What exists here comes first.
            config: `LongformerConfig` to use instead of the folder's, or a
                dict of its fields, or where one is saved.
            revision: str, branch, tag or commit on the hub. Defaults to the
                main branch.
            subfolder: str, folder within the folder. Defaults to none.
            cache_dir: the hub's cache. Defaults to that of its library.
            token: the hub's token: a str, `True` for the one that was logged
                in with, `False` for none. Defaults to the library's choice.
            local_files_only: bool, whether of the hub only the cache is
                looked at. Defaults to `False`.
            force_download: bool, whether files in the cache are downloaded
                again. Defaults to `False`.
            ignore_mismatched_sizes: bool, whether weights of another shape
                stay newly drawn instead of raising. Defaults to `False`.
            output_loading_info: bool, whether to return a dict of
                `missing_keys`, `unexpected_keys`, `mismatched_keys` and
                `error_msgs` too. Defaults to `False`.
            dtype: Keras dtype policy or its name, such as
                `"mixed_bfloat16"`. Defaults to the global policy.
            from_pt: accepted for old code, without effect: the format is
                recognised.
            from_tf: the same.
            use_safetensors: the same.
            **config_overrides: fields of the config, such as
                `num_labels=3` or `attention_window=256`; with the latter
                also a plain RoBERTa is loaded.

        Returns:
            The model, or a tuple of it and the loading info.

        Raises:
            CheckpointError: if there are no weights, or they are damaged or
                do not fill the model. Only a head that the file does not have
                may be new; this is logged.
            ImportError: for an id of the hub, without `huggingface_hub`.
            OSError: if there is no such folder or model.
            TypeError: for an unknown keyword, or a `config` of another kind.
            ValueError: for a config that is not a Longformer's.
        """
        hub_options = {
            "revision": revision,
            "cache_dir": cache_dir,
            "token": token,
            "local_files_only": local_files_only,
            "force_download": force_download,
        }
        location = locate(
            pretrained_model_name_or_path, subfolder, **hub_options
        )
        if config is None:
            fields = location.config_fields()
        else:
            fields = _fields(config, hub_options)
        unknown = sorted(
            set(config_overrides)
            - LongformerConfig.known_fields()
            - fields.keys()
        )
        if unknown:
            raise TypeError(
                "`from_pretrained` takes its own keywords and fields of "
                f"LongformerConfig. Received: unknown {unknown}. Correct the "
                "name or leave it out; `trainable` and the like are set "
                "afterwards, on the model."
            )
        roberta = fields.get("model_type") == "roberta"
        config = LongformerConfig.from_dict(fields, **config_overrides)
        config.name_or_path = os.fspath(pretrained_model_name_or_path)
        # Before the model, so that a bad file costs no time.
        file = location.open()
        table = names.weights(config, names.HEADS[head_of(cls)])
        first = _Matrices(transfer.match(table.values(), file, config, roberta))
        with starting_from(first):
            model = cls(config, dtype=dtype)
        # Again, as a subclass may have weights of its own.
        variables = named_variables(model)
        matching = transfer.match(
            [weight for weight, _ in variables.values()], file, config, roberta
        )
        transfer.require_complete(matching, ignore_mismatched_sizes)
        for weight, array in matching.read(besides=first.read):
            variables[weight.path].assign(array)
        _log(cls.__name__, matching)
        if not output_loading_info:
            return model
        return model, _loading_info(head_of(cls), matching)

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        save_format: str = "safetensors",
        *,
        max_shard_size: int | str = saving.DEFAULT_SHARD_SIZE,
        dtype: str | None = None,
        **unknown: Any,
    ) -> None:
        """Writes `config.json` and the weights.

        All files of a folder are replaced at once: if the process is killed,
        `from_pretrained` finds the old ones or the new ones.

        Args:
            save_directory: the folder, made where it is missing.
            save_format: `"safetensors"`, named and laid out as HF PyTorch's
                `model.safetensors`; `"h5"`, as HF TensorFlow's `tf_model.h5`;
                `"weights.h5"`, a `model.weights.h5` for Keras's
                `load_weights`; `"keras"`, a `model.keras` as Keras's `save`
                writes it, with the optimizer. Defaults to `"safetensors"`.
            max_shard_size: bytes of a safetensors file, as a number or text
                such as `"500MB"`; more than that goes into several. Defaults
                to `"5GB"`.
            dtype: `"float64"`, `"float32"`, `"float16"` or `"bfloat16"`, the
                type of the stored weights. Defaults to the model's own. A
                `"keras"` archive of another type has no optimizer.
            **unknown: none; what old code passes is named in the error.

        Raises:
            TypeError: for an unknown keyword.
            ValueError: for another format, type or size, weights that the
                type has no room for, or a folder with older weights that
                would be read first.
            OSError: if the folder can't be written to, or is a file.
        """
        keywords.check("save_pretrained", unknown, _SAVING)
        form = saving.check_format(save_format)
        stored = saving.check_dtype(dtype, save_format)
        saving.shard_bytes(max_shard_size)
        folder = Path(save_directory)
        saving.check_hiding(folder, form)
        config = self.config.copy()
        config.architectures = [head_of(type(self))]
        if stored is not None or config.dtype is not None:
            config.dtype = str(stored or np.dtype(self.variable_dtype))
        with atomic_folder.replacing(folder) as replacement:
            if save_format == "keras":
                target = replacement.path / form.file_name
                _write_archive(self, target, stored)
            else:
                saving.write(
                    replacement,
                    folder,
                    form,
                    source_of(self, stored),
                    max_shard_size,
                )
            config.save_pretrained(replacement.path)

    def upload_options(self, repo_id: str) -> dict[str, Any]:
        """See `Pushable`."""
        head = head_of(type(self))
        return {"card": model_card.write_card(repo_id, head, self.config)}


def _fields(config: Any, hub_options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of what is given as a config."""
    if isinstance(config, LongformerConfig):
        return config.to_dict()
    if isinstance(config, Mapping):
        return dict(config)
    if isinstance(config, str | os.PathLike):
        if os.path.isfile(config):
            return configuration_files.read_json(config)
        return locate(config, **hub_options).config_fields()
    raise TypeError(
        "`config` must be a `LongformerConfig`, a dict of its fields, or a "
        f"path or id of a saved one. Received: {type(config).__name__}. "
        "Pass one of them, or leave it out for the folder's own."
    )


class _Matrices:
    """Reads a model's matrices while the model is built.

    Each layer has one at most.
    """

    def __init__(self, matching: transfer.Matching):
        self._matching = matching
        self._found = {
            weight.path.rpartition("/")[0]: (weight, name)
            for weight, name in matching.found
            if len(weight.shape) == 2
        }
        self.read: set[str] = set()

    def __call__(self, layer: str, dtype: str) -> np.ndarray | None:
        # Our paths begin below the model's name.
        found = self._found.get(layer.partition("/")[2])
        if found is None:
            return None
        self.read.add(found[0].path)
        return saving.cast(self._matching.read_one(*found), np.dtype(dtype))


def _write_archive(model: Any, path: Path, dtype: np.dtype | None) -> None:
    """Has Keras write its archive; puts weights of another type into it."""
    model.save(path)
    if dtype is None or dtype == np.dtype(model.variable_dtype):
        return
    weights = path.with_name(keras_archive.WEIGHTS_MEMBER)
    saving.write_keras_weights(weights, source_of(model, dtype))
    keras_archive.replace_weights(path, weights)
    weights.unlink()


def _own_name(head: str, name: str) -> str:
    """Returns a name as PyTorch's class has it: bare without a head."""
    return name.removeprefix(names.BODY) if head == names.BARE else name


def _loading_info(
    head: str, matching: transfer.Matching
) -> dict[str, list[Any]]:
    return {
        "missing_keys": [
            _own_name(head, weight.torch[0]) for weight in matching.missing
        ],
        "unexpected_keys": matching.unexpected,
        "mismatched_keys": [
            (_own_name(head, weight.torch[0]), *shapes)
            for weight, *shapes in matching.mismatched
        ],
        "error_msgs": [],
    }


def _log(name: str, matching: transfer.Matching) -> None:
    new = [weight.torch[0] for weight in matching.missing]
    new += [weight.torch[0] for weight, *_ in matching.mismatched]
    if new:
        logger.warning(
            "%s: newly drawn, train before use: %s", name, ", ".join(new)
        )
    if matching.copied:
        logger.warning(
            "%s: %s has no projections of global tokens; those of the local "
            "ones were copied, train before use.",
            name,
            matching.file.path,
        )
    if matching.unexpected:
        logger.info(
            "%s: not used of %s: %s",
            name,
            matching.file.path,
            ", ".join(matching.unexpected),
        )
