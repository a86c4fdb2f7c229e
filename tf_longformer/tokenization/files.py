"""Reads and writes a tokenizer's folder, as any transformers wrote it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tf_longformer import atomic
from tf_longformer import folders
from tf_longformer import hub
from tf_longformer import json_files
from tf_longformer import presets
from tf_longformer.errors import shown
from tf_longformer.families import FAMILIES
from tf_longformer.tokenization import byte_level
from tf_longformer.tokenization import wordpiece
from tf_longformer.tokenization.kinds import ANY_CLASS
from tf_longformer.tokenization.pipeline import Pipeline
from tf_longformer.tokenization.pipeline import check_parts
from tf_longformer.tokenization.special_tokens import ROLES
from tf_longformer.tokenization.special_tokens import as_added_token
from tf_longformer.tokenization.special_tokens import describe

VOCAB_FILE = "vocab.json"
MERGES_FILE = "merges.txt"
WORDPIECE_FILE = "vocab.txt"
TOKENIZER_FILE = "tokenizer.json"
CONFIG_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
ADDED_FILE = "added_tokens.json"
_MODEL_FILE = "config.json"
# The vocabulary comes first: on the hub, the first file that is found decides
# from which commit all others are taken.
FILES = (
    VOCAB_FILE,
    MERGES_FILE,
    WORDPIECE_FILE,
    TOKENIZER_FILE,
    CONFIG_FILE,
    SPECIAL_FILE,
    ADDED_FILE,
)
VOCABULARY_FILES = FILES[:4]
_SENTENCEPIECE_FILES = (
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "tokenizer.model",
)
# Those of all kinds of tokenizers, which go with a model's weights.
FILES_OF_ALL_KINDS = (
    *FILES,
    *_SENTENCEPIECE_FILES,
    "bpe.codes",
    "chat_template.jinja",
)


def read(
    name: str | os.PathLike,
    subfolder: str = "",
    *,
    vocab_file: str | os.PathLike | None = None,
    merges_file: str | os.PathLike | None = None,
    tokenizer_file: str | os.PathLike | None = None,
    **hub_options: Any,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads what the files of a tokenizer say.

    Arguments and errors are those of `LongformerTokenizer.from_pretrained`.

    Returns:
        The pipeline as `tokenizer.json` has it, with all added tokens, and a
        dict of everything else: the config, with the roles of special tokens.
    """
    given = (vocab_file, merges_file, tokenizer_file)
    # Messages show the name that was given.
    shown_as, path = Path(name), Path(presets.path_of(name))
    # `pathlib` raises errors for names that no file can have.
    if os.path.exists(path):
        is_file = path.is_file()
        folder, where = (
            one.parent if is_file else one / subfolder
            for one in (path, shown_as)
        )
        return atomic.of_one_save(
            partial(atomic.find, folder),
            lambda find: _read(find_all(find, given), given, str(where)),
        )
    repository = hub.Repository(
        hub.repo_id(os.fspath(name)), subfolder=subfolder, **hub_options
    )
    paths = find_all(repository.find, given)
    if paths.keys() <= {_MODEL_FILE}:
        raise repository.missing(_NEEDED)
    return _read(paths, given, repository.repo_id)


def _read(
    paths: dict[str, Path],
    given: tuple[str | os.PathLike | None, ...],
    where: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Reads files of a folder; `given` are read in place of its vocabulary."""

    def read_json(name: str) -> dict[str, Any]:
        return _read_json(paths[name]) if name in paths else {}

    options = read_json(CONFIG_FILE)
    if options.get("tokenizer_class") is None:
        # transformers takes that of the model beside it.
        family = FAMILIES.get(str(read_json(_MODEL_FILE).get("model_type")))
        if family is not None and family.tokenizer in wordpiece.CLASSES:
            options["tokenizer_class"] = family.tokenizer
    special = read_json(SPECIAL_FILE)
    for name in (*ROLES, "additional_special_tokens"):
        if name in special:
            # Here a token has its flags; in the config it's often a string.
            options[name] = special[name]
    vocab_file, merges_file, tokenizer_file = given
    if not any(given):
        vocab_file = paths.get(VOCAB_FILE)
        merges_file = paths.get(MERGES_FILE)
        tokenizer_file = paths.get(TOKENIZER_FILE)
        if tokenizer_file is None and (vocab_file and merges_file) is None:
            vocab_file = paths.get(WORDPIECE_FILE, vocab_file)
    content = read_pipeline(
        vocab_file, merges_file, tokenizer_file, options, where
    )
    if tokenizer_file is not None and not wordpiece.has_settings(options):
        for setting in wordpiece.NORMALIZER_SETTINGS:
            options.pop(setting, None)
    added: dict[int, dict[str, Any]] = {}
    for token in content.get("added_tokens") or ():
        as_added_token(token)  # Raises for what is none.
        fields = dict(token) if isinstance(token, Mapping) else {}
        added[_as_id(fields.get("id"))] = fields
    listed = options.pop("added_tokens_decoder", None) or {}
    if not isinstance(listed, Mapping):
        raise ValueError(
            "`added_tokens_decoder` must hold tokens by their ids. Received: "
            f"{type(listed).__name__} in {CONFIG_FILE}. Save or fetch it again."
        )
    for index, token in listed.items():
        added[_as_id(index)] = describe(as_added_token(token))
    known = {token["content"] for token in added.values()}
    for token, index in read_json(ADDED_FILE).items():
        if token not in known:
            described = describe(as_added_token(token, special=False))
            added[_as_id(index)] = described
    content["added_tokens"] = [
        {**token, "id": index} for index, token in sorted(added.items())
    ]
    return content, options


def _as_id(value: Any) -> int:
    """Returns the id of an added token, which JSON's keys have as text."""
    if isinstance(value, str) and value.isdecimal() and len(value) < 20:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(
            "The id of an added token must be a whole number from 0. "
            f"Received: {shown(value)}. Save or fetch the tokenizer again."
        )
    return value


def find_all(
    find_one: Callable[[str], Path | None],
    given: tuple[str | os.PathLike | None, ...] = (),
) -> dict[str, Path]:
    """Returns the paths of `FILES` that there are, by name.

    A `ValueError` if the vocabulary is none of them, nor `given`, but one of
    sentencepiece's.
    """
    names = (*FILES, _MODEL_FILE)
    found = {name: path for name in names if (path := find_one(name))}
    if not any(given) and found.keys().isdisjoint(VOCABULARY_FILES):
        for name in _SENTENCEPIECE_FILES:
            if path := find_one(name):
                _refuse_sentencepiece(path)
    return found


_NEEDED = (
    f"{VOCAB_FILE} and {MERGES_FILE}, or {WORDPIECE_FILE}, or {TOKENIZER_FILE}"
)


def _refuse_sentencepiece(path: str | os.PathLike) -> None:
    raise ValueError(
        f"A tokenizer's folder must hold {_NEEDED}. Received: "
        f"{shown(os.fspath(path))}, which only the library sentencepiece "
        f"reads. Have transformers write {TOKENIZER_FILE}: "
        "`AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`."
    )


def read_pipeline(
    vocab_file: str | os.PathLike | None,
    merges_file: str | os.PathLike | None,
    tokenizer_file: str | os.PathLike | None,
    config: Mapping[str, Any] = MappingProxyType({}),
    where: Any = None,
) -> dict[str, Any]:
    """Reads a pipeline from `tokenizer.json` or from files of a vocabulary.

    `vocab.json` and `merges.txt` must agree with `tokenizer.json` where there
    are both. `config` is what `tokenizer_config.json` holds. Errors name
    `where`, a folder or an id of the hub.
    """
    if str(vocab_file).endswith(".model"):
        _refuse_sentencepiece(vocab_file or "")
    if tokenizer_file is None and str(vocab_file).endswith(".txt"):
        return _read_wordpiece(vocab_file or "", config)
    if tokenizer_file is None and (vocab_file is None or merges_file is None):
        have = [str(f) for f in (vocab_file, merges_file) if f is not None]
        raise FileNotFoundError(
            f"A tokenizer needs {_NEEDED}. Received: {have or 'neither'}"
            + (f" in {shown(os.fspath(where))}" if where is not None else "")
            + ". Save or fetch the tokenizer again."
        )
    vocab = None if vocab_file is None else _read_json(vocab_file)
    merges = None if merges_file is None else _read_merges(merges_file)
    if tokenizer_file is None:
        return byte_level.make_pipeline(vocab or {}, merges or [])
    content = _read_tokenizer_file(tokenizer_file)
    if not byte_level.is_byte_level(content):
        return content
    for name, theirs, own in (
        (VOCAB_FILE, vocab, content["model"]["vocab"]),
        (MERGES_FILE, merges, byte_level.merges_of(content["model"])),
    ):
        if theirs is not None and theirs != own:
            raise ValueError(
                f"{name} and {TOKENIZER_FILE} must be of one tokenizer. "
                f"Received: {len(theirs)} and {len(own)} entries that differ"
                + (
                    f", in {shown(os.fspath(where))}"
                    if where is not None
                    else ""
                )
                + ". Remove the older file, or save the tokenizer again."
            )
    return content


def _read_text(path: str | os.PathLike) -> str:
    try:
        return folders.read_text(path, "utf-8-sig")
    except FileNotFoundError:
        raise FileNotFoundError(
            "A tokenizer's file must exist. Received: "
            f"{shown(os.fspath(path))}. Check the path."
        ) from None
    except ValueError as error:
        raise ValueError(
            "A tokenizer's file must be text in UTF-8, of bounded length. "
            f"Received: {shown(os.fspath(path))}, where: {error}. Fetch it "
            "again."
        ) from None


def _read_wordpiece(
    path: str | os.PathLike, config: Mapping[str, Any]
) -> dict[str, Any]:
    """Reads `vocab.txt`, a token in each line, as BERT's classes do."""
    name = config.get("tokenizer_class")
    known = wordpiece.FILE_CLASSES
    if name is not None and str(name).removesuffix("Fast") not in known:
        raise ValueError(
            f"{WORDPIECE_FILE} must be the vocabulary of BERT's tokenizer. "
            f"Received: that of {shown(name)}. Have transformers write "
            f"{TOKENIZER_FILE}, if it has a fast tokenizer of this class."
        )
    vocab = read_wordpiece_vocabulary(path)
    unknown = config.get("unk_token") or "[UNK]"
    return wordpiece.make_pipeline(vocab, as_added_token(unknown).content)


def read_wordpiece_vocabulary(path: str | os.PathLike) -> dict[str, int]:
    """Returns the ids of the tokens in a `vocab.txt`: the numbers of lines."""
    # Not with `splitlines`, as there are tokens that it takes for line ends.
    lines = _read_text(path).split("\n")
    return {
        line.removesuffix("\r"): index
        for index, line in enumerate(lines[: -1 if not lines[-1] else None])
    }


def _read_json(path: str | os.PathLike) -> dict[str, Any]:
    return json_files.read_json(path, "A tokenizer's file")


def _read_merges(path: str | os.PathLike) -> list[tuple[str, str]]:
    merges = []
    for number, line in enumerate(_read_text(path).split("\n")):
        line = line.removesuffix("\r")
        if not line or (number == 0 and line.startswith("#version")):
            continue
        parts = line.split(" ")
        if len(parts) != 2 or not all(parts):
            raise ValueError(
                "A line of merges must be two tokens with a space between. "
                f"Received: {shown(line)} in line {number + 1} of "
                f"{shown(os.fspath(path))}. Fetch it again."
            )
        merges.append((parts[0], parts[1]))
    return byte_level.without_repeats(merges)


def _read_tokenizer_file(path: str | os.PathLike) -> dict[str, Any]:
    content = _read_json(path)
    given = content.get("model")
    model = given if isinstance(given, dict) else {}
    vocab = model.get("vocab")
    if not vocab or not isinstance(vocab, Mapping | list):
        raise ValueError(
            "A tokenizer's file must hold a vocabulary. Received: "
            f"{shown(os.fspath(path))} without `model.vocab`. Save or fetch it "
            "again."
        )
    # Old files leave out the model's type.
    kind = "BPE" if "merges" in model else "WordPiece"
    content = {**content, "model": {"type": kind, **model}}
    if not isinstance(content.get("added_tokens") or [], list):
        raise ValueError(
            "A tokenizer's added tokens must be a list. Received: "
            f"{type(content['added_tokens']).__name__} in "
            f"{shown(os.fspath(path))}. Save or fetch it again."
        )
    # Before they are looked into.
    check_parts(content)
    return content


def build_contents(
    pipeline: Pipeline,
    roles: Mapping[str, str | None],
    additional: Iterable[str],
    options: Mapping[str, Any],
) -> dict[str, str]:
    """Returns the text of each file of a tokenizer's folder, by name.

    `additional` are the special tokens without a role, `options` everything
    else that `tokenizer_config.json` holds.
    """
    special: dict[str, Any] = {}
    for name, token in roles.items():
        if token:
            flags = pipeline.describe_token(token)
            del flags["special"]
            special[name] = flags
    content = pipeline.describe()
    config = {
        **options,
        # With those that are `None`: a role that is left out would get its
        # default token.
        **roles,
        **pipeline.normalizer_settings,
        "added_tokens_decoder": {
            str(index): describe(token)
            for index, token in pipeline.added.items()
        },
        "tokenizer_class": pipeline.kind.tokenizer_class
        if pipeline.is_standard(content)
        else ANY_CLASS,
    }
    if additional := list(additional):
        special["additional_special_tokens"] = additional
        config["additional_special_tokens"] = additional
    vocab = pipeline.library.get_vocab(with_added_tokens=False)
    beyond_vocab = {
        token.content: index
        for index, token in pipeline.added.items()
        if token.content not in vocab
    }
    contents = {
        **vocabulary_contents(content),
        TOKENIZER_FILE: _dump(content),
        SPECIAL_FILE: _dump(special),
    }
    if beyond_vocab:
        contents[ADDED_FILE] = _dump(beyond_vocab)
    return {**contents, CONFIG_FILE: _dump(config)}


def vocabulary_contents(content: Mapping[str, Any]) -> dict[str, str]:
    """Returns the texts of the files of a pipeline's vocabulary alone.

    Byte-level BPE has `vocab.json` and `merges.txt`, WordPiece `vocab.txt`;
    others have none.
    """
    vocab = content["model"]["vocab"]
    if byte_level.is_byte_level(content):
        by_id = dict(sorted(vocab.items(), key=lambda item: item[1]))
        lines = [
            "#version: 0.2",
            *(
                f"{left} {right}"
                for left, right in byte_level.merges_of(content["model"])
            ),
        ]
        return {
            VOCAB_FILE: json.dumps(by_id, ensure_ascii=False) + "\n",
            MERGES_FILE: "\n".join(lines) + "\n",
        }
    if content["model"]["type"] == "WordPiece":
        tokens = sorted(vocab, key=vocab.get)
        # A line's number is its token's id.
        if [vocab[token] for token in tokens] == list(range(len(tokens))):
            return {WORDPIECE_FILE: "".join(f"{t}\n" for t in tokens)}
    return {}


def _dump(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def write(
    folder: str | os.PathLike,
    contents: Mapping[str, str],
    removed: Iterable[str] = (),
) -> tuple[str, ...]:
    """Writes files, all of them or none, and returns their paths.

    The folder is made where it is missing. Old files named in `removed` go
    if `contents`, texts by file names, has no new ones. Raises an `OSError`
    if the folder can't be written to, a `ValueError` for a name that isn't
    a file's.
    """
    folder = Path(folder)
    for name in contents:
        if not folders.is_plain_name(name):
            raise ValueError(
                "A file's name must have no slash, backslash or colon, and "
                f"no control characters. Received: {shown(name)}. Use another "
                "`filename_prefix`."
            )
    with atomic.replacing_files(folder) as replacement:
        for name, text in contents.items():
            (replacement.path / name).write_text(text, "utf-8")
        replacement.removed.update(removed)
    return tuple(str(folder / name) for name in contents)
