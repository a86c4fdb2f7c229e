"""How a configuration is read, written, copied and compared."""

from __future__ import annotations

import copy
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import ClassVar
from typing import TypeVar

from tf_longformer import _configuration_files as files
from tf_longformer import _configuration_legacy as legacy
from tf_longformer import _configuration_rules as rules
from tf_longformer import atomic_folder
from tf_longformer import hub
from tf_longformer import keywords

ConfigType = TypeVar("ConfigType", bound="SavedConfig")

# Where on the hub a file is; a folder has no use for them.
_HUB_KEYWORDS = frozenset(
    {"cache_dir", "force_download", "local_files_only", "revision", "token"}
)
# What transformers keeps in memory and never writes.
_NOT_WRITTEN = (
    "_attn_implementation_internal",
    "_auto_class",
    "_commit_hash",
    "_experts_implementation_internal",
)


class SavedConfig(hub.Pushable):
    """The part of `LongformerConfig` that deals with dicts and files.

    A subclass keeps every field as an attribute of the instance and takes
    all of them as keywords of its constructor.
    """

    model_type: ClassVar[str]
    # Fields that are written to a file only where they differ from this.
    _shared_defaults: ClassVar[Mapping[str, Any]]

    @classmethod
    def known_fields(cls) -> frozenset[str]:
        """Returns the names that `from_pretrained` takes as overrides."""
        names = {"gradient_checkpointing", "torch_dtype", "use_return_dict"}
        for parent in cls.__mro__[:-1]:
            if "__init__" in vars(parent):
                parameters = inspect.signature(parent.__init__).parameters
                names |= {
                    name
                    for name, parameter in parameters.items()
                    if parameter.kind is not inspect.Parameter.VAR_KEYWORD
                }
        return frozenset(names - {"self"})

    @property
    def name_or_path(self) -> str:
        """Where the config was loaded from, or an empty string.

        It isn't written, and configs that differ in it alone are equal.
        """
        return vars(self).get("_name_or_path") or ""

    @name_or_path.setter
    def name_or_path(self, name: str) -> None:
        vars(self)["_name_or_path"] = str(name)

    def validate(self) -> None:
        """Checks all fields; models call it before they build anything.

        Raises:
            ValueError: if a field breaks a rule, or two contradict one
                another.
        """
        rules.check(self)

    @classmethod
    def from_dict(
        cls: type[ConfigType], config_dict: Mapping[str, Any], **overrides: Any
    ) -> ConfigType:
        """Builds a config from the fields of a `config.json`.

        Args:
            config_dict: dict. Fields of a Longformer of any age: AllenAI's
                first files, whose windows are one-sided, and those of the
                notebook that converts a RoBERTa are recognised (by
                `attention_dilation` and `attention_mode`; the second kind
                has neither). It isn't changed.
            **overrides: Fields to use instead. Another `num_labels` replaces
                the labels of the file. With an `attention_window` a plain
                RoBERTa's fields are taken too.

        Returns:
            A `LongformerConfig`.

        Raises:
            ValueError: if the fields describe another model or break a rule.
            TypeError: if `config_dict` is no mapping, or an override is
                neither a field nor a key of `config_dict`.
        """
        if not isinstance(config_dict, Mapping):
            raise TypeError(
                "`config_dict` must be a dict of fields. Received: "
                f"{type(config_dict).__name__}. For a file or a folder use "
                "`from_pretrained`."
            )
        fields = legacy.modernize(
            dict(config_dict), "attention_window" in overrides
        )
        unknown = overrides.keys() - cls.known_fields() - fields.keys()
        if unknown:
            raise TypeError(
                "Keywords must be fields of `LongformerConfig`. Received: "
                f"{', '.join(sorted(unknown))}. Correct the spelling, or set "
                "them as attributes of the config that is returned."
            )
        return cls(**_override(fields, overrides))

    @classmethod
    def from_json_file(
        cls: type[ConfigType], json_file: str | os.PathLike
    ) -> ConfigType:
        """Builds a config from a JSON file; see `from_dict`.

        Args:
            json_file: path of the file.

        Returns:
            A `LongformerConfig`.

        Raises:
            OSError: if the file can't be read.
            ValueError: if it isn't a JSON object or not a Longformer's.
        """
        return cls.from_dict(files.read_json(json_file))

    @classmethod
    def from_pretrained(
        cls: type[ConfigType],
        pretrained_model_name_or_path: str | os.PathLike,
        subfolder: str = "",
        **overrides: Any,
    ) -> ConfigType:
        """Reads the config of a saved model, from a folder or the hub.

        Args:
            pretrained_model_name_or_path: path of a folder that holds
                `config.json`, or of the file itself; or a preset or an id of
                the hub, which needs `huggingface_hub`. What exists here
                comes first.
            subfolder: string. Where in the folder the file lies. Defaults to
                the folder itself.
            **overrides: Fields to use instead of the file's; and for the hub
                `revision`, `cache_dir`, `token`, `local_files_only` and
                `force_download`, as models take them.

        Returns:
            A `LongformerConfig`.

        Raises:
            ImportError: for an id of the hub, without `huggingface_hub`.
            OSError: if there is no such file or model, or it can't be read.
            ValueError: if it isn't a Longformer's config.
            TypeError: if an override isn't a field.
        """
        path = os.fspath(pretrained_model_name_or_path)
        hub_options = {
            name: overrides.pop(name)
            for name in _HUB_KEYWORDS & overrides.keys()
        }
        # A keyword of old calls, which sets nothing any more.
        overrides.pop("proxies", None)
        if os.path.isdir(path):
            folder = Path(path, subfolder)
            found = atomic_folder.find(folder, files.CONFIG_NAME)
            path = os.fspath(found or folder / files.CONFIG_NAME)
        elif not os.path.isfile(path):
            repository = hub.Repository(
                hub.repo_id(path), subfolder=subfolder, **hub_options
            )
            found = repository.find(files.CONFIG_NAME)
            if found is None:
                raise repository.missing(files.CONFIG_NAME)
            path = os.fspath(found)
        config = cls.from_dict(files.read_json(path), **overrides)
        config.name_or_path = os.fspath(pretrained_model_name_or_path)
        return config

    def save_pretrained(
        self, save_directory: str | os.PathLike, **unknown: Any
    ) -> None:
        """Writes `config.json` into a folder, which is made if need be.

        The file is complete or, if the process is killed, still the old one.

        Args:
            save_directory: path of the folder.
            **unknown: none; what old code passes is named in the error.

        Raises:
            TypeError: for a keyword.
            ValueError: if a field that was changed breaks a rule; nothing is
                written.
            OSError: if the folder can't be made or written to.
        """
        known = {"push_to_hub": keywords.PUSH}
        keywords.check("save_pretrained", unknown, known)
        self.validate()
        text = self.to_json_string()
        folder = os.fspath(save_directory)
        if os.path.isfile(folder):
            raise FileExistsError(
                "`save_directory` must be a folder. Received: the file "
                f"{folder!r}. Pass the folder that it lies in, or another."
            )
        os.makedirs(folder, exist_ok=True)
        # What a killed process left must not come over this file.
        atomic_folder.finish(Path(folder))
        files.write_atomically(os.path.join(folder, files.CONFIG_NAME), text)

    def to_json_file(
        self, json_file_path: str | os.PathLike, use_diff: bool = True
    ) -> None:
        """Writes the config to a file; see `to_json_string`.

        Args:
            json_file_path: path of the file.
            use_diff: bool. Whether to leave defaults out. Defaults to `True`.
        """
        text = self.to_json_string(use_diff=use_diff)
        files.write_atomically(os.fspath(json_file_path), text)

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields, those that were kept unread included."""
        fields = copy.deepcopy(vars(self))
        for name in _NOT_WRITTEN:
            fields.pop(name, None)
        # Fields that transformers doesn't have in a config that is new.
        for name in ("attention_slots", "transformers_version"):
            if fields.get(name) is None:
                fields.pop(name, None)
        fields["model_type"] = type(self).model_type
        return fields

    def to_diff_dict(self) -> dict[str, Any]:
        """Returns the fields that transformers would write to a file.

        The Longformer's own fields always, those that every model has only
        where they differ from their defaults.
        """
        fields = self.to_dict()
        fields.pop("_name_or_path", None)
        return {
            name: value
            for name, value in fields.items()
            if name not in self._shared_defaults
            or value != self._shared_defaults[name]
        }

    def to_json_string(self, use_diff: bool = True) -> str:
        """Returns the config as JSON text, its keys sorted.

        Args:
            use_diff: bool. Whether to leave out the fields of `to_diff_dict`
                that are at their defaults. Defaults to `True`.

        Returns:
            string, with a line break at the end.
        """
        fields = self.to_diff_dict() if use_diff else self.to_dict()
        try:
            return json.dumps(fields, indent=2, sort_keys=True) + "\n"
        except TypeError as error:
            raise TypeError(
                "Fields must be values that JSON has (text, numbers, "
                f"booleans, None, lists, dicts). Received: {error}. Convert "
                "or delete the attribute that was added."
            ) from None

    def update(self, config_dict: Mapping[str, Any]) -> None:
        """Sets several fields; call `validate` when all changes are made.

        Args:
            config_dict: dict of field names to values.
        """
        for name, value in config_dict.items():
            setattr(self, name, value)

    def copy(self: ConfigType) -> ConfigType:
        """Returns a config of its own that is equal to this one."""
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SavedConfig):
            return NotImplemented
        return _compared(self) == _compared(other)

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"


def _compared(config: SavedConfig) -> dict[str, Any]:
    """Returns what makes two configs equal: all but where they came from."""
    return {k: v for k, v in vars(config).items() if k != "_name_or_path"}


def _override(
    fields: dict[str, Any], overrides: dict[str, Any]
) -> dict[str, Any]:
    """Lays overrides over fields, and drops fields that they make stale."""
    if "id2label" in overrides or "label2id" in overrides:
        stale = {"num_labels", "id2label", "label2id"}
    elif "num_labels" in overrides:
        stale = {"num_labels"}
        if overrides["num_labels"] != len(fields.get("id2label") or ()):
            stale |= {"id2label", "label2id"}
    else:
        stale = set()
    if "dtype" in overrides or "torch_dtype" in overrides:
        stale |= {"dtype", "torch_dtype"}
    if "return_dict" in overrides or "use_return_dict" in overrides:
        stale |= {"return_dict", "use_return_dict"}
    kept = {key: fields[key] for key in fields.keys() - stale}
    return kept | overrides
