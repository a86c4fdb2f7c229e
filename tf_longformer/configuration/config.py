"""`LongformerConfig`: how it is made, read, written, changed and compared."""

from __future__ import annotations

import copy
import inspect
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from tf_longformer import atomic
from tf_longformer import hub
from tf_longformer import old_keywords
from tf_longformer import presets
from tf_longformer.configuration import fields as table
from tf_longformer.configuration import json_file
from tf_longformer.configuration import labels
from tf_longformer.configuration import rules
from tf_longformer.configuration.fields import ConfigFields
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.json_files import read_json

ConfigType = TypeVar("ConfigType", bound="LongformerConfig")

# Keywords of `from_pretrained` that only the hub needs.
_HUB_KEYWORDS = frozenset(
    {"cache_dir", "force_download", "local_files_only", "revision", "token"}
)


def _signature() -> inspect.Signature:
    """Returns the signature of `ConfigFields` with `**kwargs` added."""
    known = inspect.signature(ConfigFields.__init__)
    unknown = inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD)
    return known.replace(parameters=[*known.parameters.values(), unknown])


class LongformerConfig(ConfigFields):
    """Sizes, windows and labels of a Longformer.

    The fields and their defaults are those of transformers, which reads the
    files written here as equal, and the other way round. The defaults alone
    are not those of a published checkpoint: `allenai/longformer-base-4096`
    has `vocab_size=50265`, `max_position_embeddings=4098`,
    `type_vocab_size=1` and `layer_norm_eps=1e-5`.

    Every field is an attribute. Fields may be changed until a model is built
    from the config; building calls `validate` again. A model doesn't notice
    windows that are changed later. Unknown keywords are kept as attributes
    and written back.

    {args}

    Raises:
        ValueError: if a field breaks a rule, or two contradict one another.

    Example:

    ```python
    config = LongformerConfig(
        attention_window=[32, 64], num_hidden_layers=2, num_labels=3
    )
    config.radii  # (16, 32)
    ```

    Reference: Beltagy et al., https://arxiv.org/abs/2004.05150
    """

    # `{args}` above are the fields, as `ConfigFields` describes them.
    __doc__ = (__doc__ or "").replace("{args}", table.describe(indent=4))

    model_type = "longformer"

    # This constructor takes unknown keywords too. Type checkers don't see it
    # and use that of `ConfigFields`, which lists the known ones.
    if not TYPE_CHECKING:

        def __init__(self, *args: Any, **fields: Any) -> None:
            fields = json_file.rename(fields)
            known = {k: v for k, v in fields.items() if k in table.NAMES}
            super().__init__(*args, **known)
            maps = labels.complete_maps(
                fields.get("num_labels"), self.id2label, self.label2id
            )
            self.update(maps)
            for name in fields:
                if name not in known:
                    self._keep_unknown(name, fields[name])
            self.validate()

        # What `help` shows and `known_fields` reads.
        __init__.__signature__ = _signature()

    def _keep_unknown(self, name: str, value: Any) -> None:
        if name == "model_type":
            if value == "longformer":
                return
            raise ValueError(
                "`model_type` of a `LongformerConfig` must be 'longformer'. "
                f"Received: model_type={shown(value)}. Leave it out, or read "
                "another model's file with `LongformerConfig.from_dict`, which "
                "knows the kinds that can be converted."
            )
        if callable(getattr(type(self), name, None)):
            raise ValueError(
                "A field can't have the name of a method of "
                f"`LongformerConfig`. Received: {name}={shown(value)}. Rename "
                "it."
            )
        # A file may have a field, such as `head_dim`, that is a read-only
        # property here. `setattr` would fail; in `vars` the value is kept and
        # written back, while the attribute stays the property.
        vars(self)[name] = copy.deepcopy(value)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, table.convert(name, value))

    def validate(self) -> None:
        """Checks all fields; models call it before they build anything.

        A `label2id` that disagrees with `id2label` is made anew of it, with
        a warning.

        Raises:
            ValueError: if a field breaks a rule, or two contradict one
                another.
        """
        labels.settle(self)
        table.check(self)
        labels.check(self)

    @classmethod
    def known_fields(cls) -> frozenset[str]:
        """Returns the names that `from_pretrained` takes as overrides."""
        names = {"gradient_checkpointing", "max_tokens", *json_file.OLD_NAMES}
        # A subclass may add keywords to `__init__` and pass the others on.
        for parent in cls.__mro__[:-1]:
            if "__init__" in vars(parent):
                for keyword in inspect.signature(parent).parameters.values():
                    if keyword.kind is not keyword.VAR_KEYWORD:
                        names.add(keyword.name)
        return frozenset(names)

    # Other names and forms of fields.

    @property
    def num_labels(self) -> int:
        """Number of entries of `id2label`.

        Setting another number generates both label maps anew.
        """
        names = vars(self).get("id2label")
        return len(names) if isinstance(names, Mapping) else 0

    @num_labels.setter
    def num_labels(  # pyright: ignore[reportIncompatibleVariableOverride]
        self, num_labels: int
    ) -> None:
        maps = labels.generic_maps(num_labels)
        if num_labels != self.num_labels:
            self.update(maps)

    @property
    def use_return_dict(self) -> bool:
        """Whether models return an output object (a tuple otherwise)."""
        return bool(self.return_dict)

    @property
    def torch_dtype(self) -> str | None:
        """An older name of `dtype`."""
        return self.dtype

    @torch_dtype.setter
    def torch_dtype(self, dtype: str | None) -> None:
        self.dtype = dtype

    @property
    def name_or_path(self) -> str:
        """Where the config was loaded from, or an empty string.

        It isn't written, and configs that differ in it alone are equal.
        """
        return vars(self).get("_name_or_path") or ""

    @name_or_path.setter
    def name_or_path(self, name: str) -> None:
        vars(self)["_name_or_path"] = str(name)

    # Numbers that follow from the fields.

    @property
    def radii(self) -> tuple[int, ...]:
        """How many tokens each layer sees on one side, first layer first."""
        window = self.attention_window
        if not isinstance(window, list):
            window = [window] * self.num_hidden_layers
        return tuple(item // 2 for item in window)

    def radius(self, layer: int) -> int:
        """Returns how many tokens a layer, counted from 0, sees on one side."""
        return self.radii[layer]

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def max_tokens(self) -> int:
        """The longest sequence that the position table has room for."""
        return self.max_position_embeddings - self.pad_token_id - 1

    @property
    def doubles_separator(self) -> bool:
        """Whether two separators stand between two texts, and not one.

        It is `<s> A </s></s> B </s>` where the separator is the end of a text
        too, as a RoBERTa's, and else a BERT's `[CLS] A [SEP] B [SEP]`.
        """
        ends = self.eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        return self.sep_token_id in ends

    # Reading.

    @classmethod
    def from_dict(
        cls: type[ConfigType], config_dict: Any, **overrides: Any
    ) -> ConfigType:
        """Builds a config from the fields of a `config.json`.

        Args:
            config_dict: dict. Fields of a Longformer's file of any age. In
                AllenAI's own files, known by an `attention_dilation` or by
                their `attention_mode`, windows are one-sided; they are
                doubled. The dict isn't changed. Or a config of this or
                another library, such as transformers', whose `to_dict`
                returns such fields; or what `keras.saving` made of one.
            **overrides: Fields to use instead, and `max_tokens` for
                `max_position_embeddings` less the rows that aren't for
                tokens. Another `num_labels` replaces the labels of the file.
                With an `attention_window` or `max_tokens` the fields of
                other encoders are taken too: see `tf_longformer.families`.

        Returns:
            A `LongformerConfig`.

        Raises:
            ValueError: if the fields describe another model or break a rule.
            TypeError: if `config_dict` is neither, or an override is neither
                a field nor a key of `config_dict`.
        """
        fields = json_file.modernize(
            json_file.fields_of(config_dict),
            not overrides.keys().isdisjoint({"attention_window", "max_tokens"}),
        )
        unknown = overrides.keys() - cls.known_fields() - fields.keys()
        if unknown:
            raise TypeError(
                "Keywords must be fields of `LongformerConfig`. Received: "
                f"{cut(', '.join(sorted(unknown)))}. Correct the spelling, or "
                "set them as attributes of the config that is returned."
            )
        overrides = json_file.rename(overrides)
        if "max_tokens" in overrides:
            max_tokens = overrides.pop("max_tokens")
            rules.SIZE.check("max_tokens", max_tokens)
            pad = {"pad_token_id": 1, **fields, **overrides}["pad_token_id"]
            overrides["max_position_embeddings"] = max_tokens + pad + 1
        fields = labels.without_stale_maps(fields, overrides)
        return cls(**{**fields, **overrides})

    @classmethod
    def from_json_file(
        cls: type[ConfigType], json_file: str | os.PathLike
    ) -> ConfigType:
        """Builds a config from the path of a JSON file; see `from_dict`.

        Raises:
            OSError: if the file can't be read.
            ValueError: if it isn't a JSON object or not a Longformer's.
        """
        return cls.from_dict(read_json(json_file, "A config"))

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
                `config.json`, or of the file itself; or `"mini"`, which
                comes with the package; or a preset or an id of the hub,
                which needs `huggingface_hub`. A path that exists comes
                first.
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
        path = presets.path_of(pretrained_model_name_or_path)
        overrides = old_keywords.of_loading(overrides)
        hub_options = {
            name: overrides.pop(name)
            for name in _HUB_KEYWORDS & overrides.keys()
        }
        if os.path.isdir(path):
            folder = Path(path, subfolder)
            fields = atomic.of_one_save(
                lambda name: atomic.find(folder, name) or folder / name,
                lambda find: read_json(find(json_file.CONFIG_NAME), "A config"),
            )
        elif os.path.isfile(path):
            file = Path(path)
            # The same file of the last save, if that has one.
            found = atomic.find(file.parent, file.name, is_named=True)
            fields = read_json(found or file, "A config")
        else:
            repository = hub.Repository(
                hub.repo_id(path), subfolder=subfolder, **hub_options
            )
            found = repository.find(json_file.CONFIG_NAME)
            if found is None:
                raise repository.missing(json_file.CONFIG_NAME)
            fields = read_json(found, "A config")
        config = cls.from_dict(fields, **overrides)
        config.name_or_path = os.fspath(pretrained_model_name_or_path)
        return config

    # Writing.

    def save_pretrained(
        self, save_directory: str | os.PathLike, **unknown: Any
    ) -> None:
        """Writes `config.json` into a folder, which is made if need be.

        The file is complete or, if the process is killed, still the old one.

        Args:
            save_directory: path of the folder.
            **unknown: only `push_to_hub=False`, which changes nothing.

        Raises:
            TypeError: for another keyword; the message says what to do.
            ValueError: if a field that was changed breaks a rule; nothing is
                written.
            OSError: if the folder can't be made or written to.
        """
        known = {"push_to_hub": old_keywords.PUSH}
        old_keywords.check("save_pretrained", unknown, known)
        self.validate()
        text = self.to_json_string()
        folder = os.fspath(save_directory)
        if os.path.isfile(folder):
            raise FileExistsError(
                "`save_directory` must be a folder. Received: the file "
                f"{shown(folder)}. Pass the folder that it lies in, or another."
            )
        with atomic.replacing_files(Path(folder)) as replacement:
            path = replacement.path / json_file.CONFIG_NAME
            path.write_text(text, "utf-8")

    push_to_hub = hub.push_to_hub

    def to_json_file(
        self, json_file_path: str | os.PathLike, use_diff: bool = True
    ) -> None:
        """Writes what `to_json_string` returns to a file."""
        atomic.write_text(json_file_path, self.to_json_string(use_diff))

    def to_dict(self) -> dict[str, Any]:
        """Returns all fields, unknown keywords included.

        Where the config was loaded from is no field.
        """
        fields = {**copy.deepcopy(vars(self)), "model_type": self.model_type}
        return {
            name: value
            for name, value in fields.items()
            if name not in json_file.NEVER_WRITTEN
            and not (value is None and name in table.LEFT_OUT_IF_NONE)
        }

    def to_diff_dict(self) -> dict[str, Any]:
        """Returns the fields that transformers would write to a file.

        Fields that all of its models have are left out at their defaults.
        """
        defaults = LongformerConfig().to_dict()
        left_out = set()
        for name in table.LEFT_OUT_AT_DEFAULT:
            if getattr(self, name) == defaults[name]:
                left_out.add(name)
        return {k: v for k, v in self.to_dict().items() if k not in left_out}

    def to_json_string(self, use_diff: bool = True) -> str:
        """Returns the config as JSON text, its keys sorted.

        Args:
            use_diff: bool. Whether to leave out the fields of `to_diff_dict`
                that are at their defaults. Defaults to `True`.

        Returns:
            string, with a line break at the end.

        Raises:
            TypeError: for a value that JSON doesn't have.
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

    # What Keras calls to write a config, and to read it.

    get_config = to_dict

    @classmethod
    def from_config(cls: type[ConfigType], config: Any) -> ConfigType:
        """Builds a config from what `get_config` returned."""
        return cls.from_dict(config)

    # Changing, copying, comparing.

    def update(self, config_dict: Mapping[str, Any]) -> None:
        """Sets fields from a dict; call `validate` after the last change."""
        for name, value in config_dict.items():
            setattr(self, name, value)

    def copy(self: ConfigType) -> ConfigType:
        """Returns a config of its own that is equal to this one."""
        return copy.deepcopy(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LongformerConfig):
            return NotImplemented
        mine, others = (
            {k: v for k, v in vars(config).items() if k != "_name_or_path"}
            for config in (self, other)
        )
        return mine == others

    def __repr__(self) -> str:
        return f"{type(self).__name__} {self.to_json_string()}"
