"""How a tokenizer is made, of files, values or texts, and how it is saved."""

from __future__ import annotations

import os
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from tokenizers import Tokenizer

from tf_longformer import hub
from tf_longformer import keywords
from tf_longformer.tokenization import arguments
from tf_longformer.tokenization import backend
from tf_longformer.tokenization import files
from tf_longformer.tokenization import vocabulary
from tf_longformer.tokenization.known_tokens import KnownTokens
from tf_longformer.tokenization.special_tokens import ROLES
from tf_longformer.tokenization.vocabulary import Vocabulary

# What else transformers' classes take.
_CONSTRUCTION = {
    "do_lower_case": (
        (False,),
        "The vocabulary has capitals: lower the texts before, `text.lower()`.",
    ),
}
_LOADING = ("use_fast", "trust_remote_code")
_SAVING = {
    "push_to_hub": keywords.PUSH,
    "legacy_format": ((), "Leave it out: the files of both forms are written."),
    "filename_prefix": (
        ("",),
        "Prefixes are for `save_vocabulary(folder, filename_prefix=...)`.",
    ),
}

T = TypeVar("T", bound="PretrainedTokenizer")

# What a config may say and what is set by attributes of the same names.
SETTINGS = (
    "errors",
    "add_prefix_space",
    "trim_offsets",
    "model_max_length",
    "padding_side",
    "truncation_side",
    "clean_up_tokenization_spaces",
    "model_input_names",
)


class PretrainedTokenizer(hub.Pushable, KnownTokens):
    """A tokenizer's construction; `BaseLongformerTokenizer` documents it."""

    is_fast: bool

    def __init__(
        self,
        vocab_file: str | os.PathLike | None = None,
        merges_file: str | os.PathLike | None = None,
        tokenizer_file: str | os.PathLike | None = None,
        *,
        vocab: Mapping[str, int] | Vocabulary | None = None,
        merges: Sequence[tuple[str, str]] = (),
        errors: str = "replace",
        bos_token: Any = "<s>",
        eos_token: Any = "</s>",
        sep_token: Any = "</s>",
        cls_token: Any = "<s>",
        unk_token: Any = "<unk>",
        pad_token: Any = "<pad>",
        mask_token: Any = "<mask>",
        additional_special_tokens: Sequence[Any] | None = None,
        add_prefix_space: bool | None = None,
        trim_offsets: bool | None = None,
        model_max_length: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = False,
        model_input_names: Sequence[str] = ("input_ids", "attention_mask"),
        **unknown: Any,
    ) -> None:
        keywords.check(type(self).__name__, unknown, _CONSTRUCTION)
        if vocab is None:
            vocab = files.read_vocabulary(
                vocab_file, merges_file, tokenizer_file
            )
        elif not isinstance(vocab, Vocabulary):
            vocab = vocabulary.from_values(vocab, merges)
        arguments.check_side("padding_side", padding_side)
        arguments.check_side("truncation_side", truncation_side)
        self.errors = errors
        self.add_prefix_space = bool(
            vocab.add_prefix_space
            if add_prefix_space is None
            else add_prefix_space
        )
        self.trim_offsets = (
            vocab.trim_offsets is not False
            if trim_offsets is None
            else bool(trim_offsets)
        )
        self.model_max_length = (
            arguments.VERY_LARGE
            if model_max_length is None
            else int(model_max_length)
        )
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self.clean_up_tokenization_spaces = bool(clean_up_tokenization_spaces)
        self.model_input_names = list(model_input_names)
        self.name_or_path = ""
        # What a config says beyond this, to be written back.
        self._other_settings: dict[str, Any] = {}
        self._set_tokens(
            vocab,
            {
                "bos_token": bos_token,
                "eos_token": eos_token,
                "unk_token": unk_token,
                "sep_token": sep_token,
                "pad_token": pad_token,
                "cls_token": cls_token,
                "mask_token": mask_token,
            },
            additional_special_tokens or (),
        )
        self._build()

    def _build(self) -> None:
        """Makes what encodes, once all tokens are known."""
        raise NotImplementedError

    @classmethod
    def from_pretrained(
        cls: type[T],
        pretrained_model_name_or_path: str | os.PathLike,
        *,
        subfolder: str = "",
        revision: str | None = None,
        cache_dir: str | os.PathLike | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        **settings: Any,
    ) -> T:
        """Loads a tokenizer from a folder or from the Hugging Face hub.

        Args:
            pretrained_model_name_or_path: as models take it: a folder with
                `vocab.json` and `merges.txt`, or `tokenizer.json`, or a file
                in it; a preset or an id of the hub, which needs
                `huggingface_hub`. `tokenizer_config.json`,
                `special_tokens_map.json` and `added_tokens.json` are read
                where they are.
            subfolder: str, folder within it. Defaults to none.
            revision: str, branch, tag or commit. Defaults to the main one.
            cache_dir: folder for what is fetched. Defaults to the hub's.
            token: str, access token. Defaults to the one that is stored.
            local_files_only: bool, whether to use only what was fetched
                before. Defaults to `False`.
            force_download: bool, whether to fetch again. Defaults to
                `False`.
            **settings: arguments of the class, which take the place of what
                the files say. `use_fast` and `trust_remote_code` are accepted
                for old code, without effect.

        Returns:
            The tokenizer.

        Raises:
            ImportError: for an id of the hub, without `huggingface_hub`.
            OSError: if there is no such folder or repository, or it has no
                vocabulary, or the hub can't be reached.
            TypeError: for a setting that there isn't.
            ValueError: if the files are damaged, of another kind, or not of
                one tokenizer.
        """
        paths, where = files.find(
            pretrained_model_name_or_path,
            subfolder,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
            force_download=force_download,
        )
        for name in _LOADING:
            settings.pop(name, None)
        known = {*SETTINGS, *ROLES, "additional_special_tokens"}
        unknown = sorted(set(settings) - known - set(_CONSTRUCTION))
        if unknown:
            raise TypeError(
                f"`from_pretrained` takes arguments of {cls.__name__}. "
                f"Received: unknown {unknown}. Correct the name or leave it "
                "out; `truncation` and the like are passed to the call."
            )
        found, options = files.read(paths, where)
        given = {name: options.pop(name) for name in known & set(options)}
        # An empty list stands for none; version 5 has another name for it.
        extra = options.pop("extra_special_tokens", None) or []
        given.setdefault(
            "additional_special_tokens",
            list(extra.values()) if isinstance(extra, dict) else extra,
        )
        tokenizer = cls(vocab=found, **{**given, **settings})
        tokenizer._other_settings = options
        tokenizer.name_or_path = os.fspath(pretrained_model_name_or_path)
        return tokenizer

    def get_config(self) -> dict[str, Any]:
        """Returns all that makes this tokenizer, as JSON has it."""
        return {
            "vocab": dict(self._vocab),
            "merges": [list(pair) for pair in self._merges],
            "added_tokens": {
                str(index): vocabulary.describe(token)
                for index, token in sorted(self._added.items())
            },
            **self._roles,
            "additional_special_tokens": list(self._additional),
            **{name: getattr(self, name) for name in SETTINGS},
        }

    @classmethod
    def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
        """Makes a tokenizer of what `get_config` returned.

        Args:
            config: mapping.

        Returns:
            The tokenizer.
        """
        config = dict(config)
        found = Vocabulary(
            dict(config.pop("vocab")),
            [(left, right) for left, right in config.pop("merges")],
            {
                int(index): vocabulary.as_added_token(token)
                for index, token in config.pop("added_tokens").items()
            },
        )
        return cls(vocab=found, **config)

    def save_pretrained(
        self, save_directory: str | os.PathLike, **unknown: Any
    ) -> tuple[str, ...]:
        """Writes all files of a tokenizer, as transformers 4 and 5 read them.

        They are replaced at once: a killed process leaves the old ones or
        the new ones.

        Args:
            save_directory: the folder, made where it is missing.
            **unknown: none; what old code passes is named in the error.

        Returns:
            Paths of the files.

        Raises:
            OSError: if the folder can't be written to, or is a file.
            TypeError: for a keyword.
        """
        keywords.check("save_pretrained", unknown, _SAVING)
        settings = {name: getattr(self, name) for name in SETTINGS}
        contents = files.build_contents(
            self._vocab,
            self._merges,
            self._added,
            self._roles,
            self._additional,
            {
                **self._other_settings,
                **settings,
                "tokenizer_class": "LongformerTokenizer",
            },
            self._make_backend().to_str(pretty=True),
        )
        # One that this tokenizer doesn't need would be read with the others.
        return files.write(save_directory, contents, removed=files.FILES)

    def save_vocabulary(
        self, save_directory: str | os.PathLike, filename_prefix: str = ""
    ) -> tuple[str, ...]:
        """Writes `vocab.json` and `merges.txt` alone.

        Args:
            save_directory: the folder, made where it is missing.
            filename_prefix: str, put before the names with a hyphen.
                Defaults to none.

        Returns:
            Paths of the two files.

        Raises:
            OSError: if the folder can't be written to, or is a file.
            ValueError: if the prefix can't begin a file's name.
        """
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        contents = files.vocabulary_contents(self._vocab, self._merges)
        return files.write(
            save_directory,
            {prefix + name: text for name, text in contents.items()},
        )

    def _make_backend(self) -> Tokenizer:
        """Returns a tokenizer of the library that does what this one does."""
        tokenizer = backend.build(self.vocabulary, self.add_prefix_space)
        self._frame(tokenizer)
        return tokenizer

    def _frame_tokens(self) -> tuple[tuple[str, int], tuple[str, int]]:
        """Returns what stands before texts and behind them, with ids."""
        cls, sep = self._roles["cls_token"], self._roles["sep_token"]
        if cls is None or sep is None:
            raise ValueError(
                "Texts need a `cls_token` before and a `sep_token` behind. "
                f"Received: cls_token={cls!r}, sep_token={sep!r}. Leave them "
                "at their defaults, or pass `add_special_tokens=False` where "
                "texts are encoded."
            )
        return (cls, self._known_id(cls)), (sep, self._known_id(sep))

    def _frame(self, tokenizer: Tokenizer) -> None:
        backend.frame(
            tokenizer,
            *self._frame_tokens(),
            self.add_prefix_space,
            self.trim_offsets,
        )

    def __repr__(self) -> str:
        roles = {name: token for name, token in self._roles.items() if token}
        return (
            f"{type(self).__name__}(name_or_path={self.name_or_path!r}, "
            f"vocab_size={self.vocab_size}, model_max_length="
            f"{self.model_max_length}, is_fast={self.is_fast}, "
            f"padding_side={self.padding_side!r}, truncation_side="
            f"{self.truncation_side!r}, special_tokens={roles})"
        )
