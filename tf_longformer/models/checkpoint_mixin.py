"""`from_pretrained` and `save_pretrained`."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import safetensors_file
from tf_longformer.checkpoints import transfer
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError

logger = logging.getLogger("tf_longformer")


class CheckpointMixin:
    """Checkpoint folders in HF PyTorch's format, for models with a config."""

    @classmethod
    def from_pretrained(
        cls,
        pretrained_model_name_or_path: str | os.PathLike,
        *,
        config: LongformerConfig | None = None,
        subfolder: str = "",
        ignore_mismatched_sizes: bool = False,
        output_loading_info: bool = False,
        dtype: Any = None,
        from_pt: bool = False,
        from_tf: bool = False,
        use_safetensors: bool | None = None,
        **config_overrides: Any,
    ) -> Any:
        """Loads a model from a folder with `config.json` and weights.

        Args:
            pretrained_model_name_or_path: the folder, with
                `model.safetensors` as HF PyTorch or `save_pretrained` wrote
                it.
            config: `LongformerConfig` to use instead of the folder's.
            subfolder: str, folder within the folder. Defaults to none.
            ignore_mismatched_sizes: bool, whether weights of another shape
                stay newly drawn instead of raising. Defaults to `False`.
            output_loading_info: bool, whether to return a dict of
                `missing_keys`, `unexpected_keys` and `mismatched_keys` too.
                Defaults to `False`.
            dtype: Keras dtype policy or its name, such as
                `"mixed_bfloat16"`. Defaults to the global policy.
            from_pt: accepted for old code, without effect: the format is
                recognised.
            from_tf: the same.
            use_safetensors: the same.
            **config_overrides: fields of the config, such as
                `num_labels=3` or `attention_window=256`.

        Returns:
            The model, or a tuple of it and the loading info.

        Raises:
            CheckpointError: if the folder has no weights, or they do not
                fill the model. Only a head that the file does not have may
                be new; this is logged.
            TypeError: for an unknown keyword.
            ValueError: for a config that is not a Longformer's.
        """
        unknown = sorted(set(config_overrides) - _overridable())
        if unknown:
            raise TypeError(
                "`from_pretrained` takes its own keywords and fields of "
                f"LongformerConfig. Received: unknown {unknown}. Correct the "
                "name or leave it out."
            )
        folder = Path(pretrained_model_name_or_path) / subfolder
        if not folder.is_dir():
            raise CheckpointError(
                "`from_pretrained` reads a folder. Received: "
                f"{str(folder)!r}, which is none. Pass the folder that holds "
                "`config.json` and `model.safetensors`."
            )
        if config is None:
            config = LongformerConfig.from_pretrained(folder)
        config = LongformerConfig.from_dict(
            config.to_dict(), **config_overrides
        )
        path = folder / safetensors_file.FILE_NAME
        if not path.is_file():
            raise CheckpointError(
                f"The folder must hold `{safetensors_file.FILE_NAME}`. "
                f"Received: {folder} with {sorted(os.listdir(folder))}. Save "
                "the model with `save_pretrained`."
            )
        # Before the model, so that a bad file costs no time.
        file = safetensors_file.SafetensorsFile(path)
        model = cls(config, dtype=dtype)
        info = model._load_file(file, ignore_mismatched_sizes)
        return (model, info) if output_loading_info else model

    def _load_file(
        self,
        file: safetensors_file.SafetensorsFile,
        ignore_mismatched_sizes: bool,
    ) -> dict[str, list]:
        """Fills the weights from a file, all checks first."""
        weights = self._weights_by_torch_name()
        matching = transfer.match(
            {
                name: _file_shape(weight, transposed)
                for name, (weight, transposed) in weights.items()
            },
            file.shapes,
        )
        transfer.require_complete(
            matching, str(file.path), ignore_mismatched_sizes
        )
        by_file_name = {theirs: ours for ours, theirs in matching.found.items()}
        for theirs, array in file.read(list(by_file_name)):
            weight, transposed = weights[by_file_name[theirs]]
            weight.assign(array.T if transposed else array)
        new = [*matching.missing, *(m[0] for m in matching.mismatched)]
        if new:
            logger.warning(
                "%s: newly drawn, train before use: %s",
                type(self).__name__,
                ", ".join(new),
            )
        if matching.unexpected:
            logger.info(
                "%s: not used of %s: %s",
                type(self).__name__,
                file.path,
                ", ".join(matching.unexpected),
            )
        return {
            "missing_keys": [self._own_name(n) for n in matching.missing],
            "unexpected_keys": matching.unexpected,
            "mismatched_keys": [
                (self._own_name(name), *shapes)
                for name, *shapes in matching.mismatched
            ],
            "error_msgs": [],
        }

    def save_pretrained(
        self,
        save_directory: str | os.PathLike,
        save_format: str = "safetensors",
    ) -> None:
        """Writes `config.json` and `model.safetensors`.

        Names and layout are those of HF PyTorch, whose classes open the
        folder. Each file is replaced at once: a killed process leaves the
        old or the new one.

        Args:
            save_directory: the folder, made where it is missing.
            save_format: `"safetensors"`.

        Raises:
            ValueError: for another format, or a path that is a file.
        """
        if save_format != "safetensors":
            raise ValueError(
                "`save_format` must be 'safetensors'. Received: "
                f"{save_format!r}. Leave it out."
            )
        folder = Path(save_directory)
        if folder.exists() and not folder.is_dir():
            raise ValueError(
                "`save_directory` must be a folder. Received: the file "
                f"{str(folder)!r}. Pass another path."
            )
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {}
        for name, (weight, transposed) in self._weights_by_torch_name().items():
            array = ops.convert_to_numpy(weight)
            tensors[self._own_name(name)] = np.ascontiguousarray(
                array.T if transposed else array
            )
        safetensors_file.write(folder / safetensors_file.FILE_NAME, tensors)
        config = LongformerConfig.from_dict(self.config.to_dict())
        config.architectures = [self._torch_class()]
        config.save_pretrained(folder)

    def _torch_class(self) -> str:
        """The name of PyTorch's class, also for a subclass of ours."""
        for cls in type(self).__mro__:
            if cls.__module__.startswith("tf_longformer."):
                return cls.__name__.removeprefix("TF")
        return type(self).__name__

    def _own_name(self, name: str) -> str:
        """Returns a name as PyTorch's class has it: bare without a head."""
        if self.label_names:
            return name
        return name.removeprefix("longformer.")

    def _weights_by_torch_name(self) -> dict[str, tuple[Any, bool]]:
        """Returns each parameter and whether the file has its transpose."""
        prefix = f"{self.path}/"
        weights = {}
        for weight in self.weights:
            if "seed_generator" in weight.path:
                continue
            torch = names.to_torch(weight.path.removeprefix(prefix))
            weights[torch.name] = (weight, torch.transposed)
        return weights


def _file_shape(weight: Any, transposed: bool) -> tuple[int, ...]:
    shape = tuple(weight.shape)
    return shape[::-1] if transposed else shape


def _overridable() -> frozenset[str]:
    return LongformerConfig.known_fields() | {"use_return_dict"}
