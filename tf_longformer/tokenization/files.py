"""A tokenizer's folder: which files there are and what they say together."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from tf_longformer.tokenization import vocabulary
from tf_longformer.tokenization.special_tokens import ROLES
from tf_longformer.tokenization.vocabulary import MERGES_FILE
from tf_longformer.tokenization.vocabulary import TOKENIZER_FILE
from tf_longformer.tokenization.vocabulary import VOCAB_FILE
from tf_longformer.tokenization.vocabulary import Vocabulary

CONFIG_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
ADDED_FILE = "added_tokens.json"
FILES = (
    VOCAB_FILE,
    MERGES_FILE,
    TOKENIZER_FILE,
    CONFIG_FILE,
    SPECIAL_FILE,
    ADDED_FILE,
)


def read_folder(folder: str | os.PathLike) -> tuple[Vocabulary, dict[str, Any]]:
    """Reads what a folder says of a tokenizer.

    Args:
        folder: path of a folder with `tokenizer.json`, or `vocab.json` and
            `merges.txt`; the other files where they are.

    Returns:
        `Vocabulary`, and a dict of everything else: the config with the
        roles of special tokens.

    Raises:
        FileNotFoundError: if there is no vocabulary.
        ValueError: if a file is not well formed, or two contradict.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(
            "A tokenizer is read from a folder. Received: "
            f"{os.fspath(folder)!r}, which is none. Pass the folder with "
            f"{VOCAB_FILE} and {MERGES_FILE}, or {TOKENIZER_FILE}."
        )
    options = _read_if_there(folder / CONFIG_FILE)
    special = _read_if_there(folder / SPECIAL_FILE)
    found = read_vocabulary(
        _if_there(folder / VOCAB_FILE),
        _if_there(folder / MERGES_FILE),
        _if_there(folder / TOKENIZER_FILE),
        where=folder,
    )
    added = dict(found.added)
    for index, token in (
        options.pop("added_tokens_decoder", None) or {}
    ).items():
        added[int(index)] = vocabulary.as_added_token(token)
    known = {token.content for token in added.values()}
    for content, index in _read_if_there(folder / ADDED_FILE).items():
        if content not in known:
            added[index] = AddedToken(content, special=False)
    for name in (*ROLES, "additional_special_tokens"):
        if name in special:
            # The map has the flags, the config often the string alone.
            options[name] = special[name]
    return Vocabulary(
        found.vocab,
        found.merges,
        added,
        found.add_prefix_space,
        found.trim_offsets,
    ), options


def read_vocabulary(
    vocab_file: str | os.PathLike | None,
    merges_file: str | os.PathLike | None,
    tokenizer_file: str | os.PathLike | None,
    where: Any = None,
) -> Vocabulary:
    """Reads the vocabulary from the files that there are.

    Args:
        vocab_file: path of a `vocab.json`, or `None`.
        merges_file: path of a `merges.txt`, or `None`.
        tokenizer_file: path of a `tokenizer.json`, or `None`.
        where: what to name in messages. Defaults to the arguments.

    Returns:
        `Vocabulary`.

    Raises:
        ValueError: if the files are not of one tokenizer.
        FileNotFoundError: if they are not enough.
    """
    if tokenizer_file is None and (vocab_file is None or merges_file is None):
        have = [str(f) for f in (vocab_file, merges_file) if f is not None]
        raise FileNotFoundError(
            f"A tokenizer needs {VOCAB_FILE} and {MERGES_FILE}, or "
            f"{TOKENIZER_FILE}. Received: {have or 'neither'}"
            + (f" in {os.fspath(where)!r}" if where is not None else "")
            + ". Save or fetch the tokenizer again."
        )
    vocab = None if vocab_file is None else vocabulary.read_json(vocab_file)
    merges = (
        None if merges_file is None else vocabulary.read_merges(merges_file)
    )
    if tokenizer_file is None:
        return Vocabulary(vocab or {}, merges or [])
    found = vocabulary.read_tokenizer_file(tokenizer_file)
    for name, theirs, own in (
        (VOCAB_FILE, vocab, found.vocab),
        (MERGES_FILE, merges, found.merges),
    ):
        if theirs is not None and theirs != own:
            raise ValueError(
                f"{name} and {TOKENIZER_FILE} must be of one tokenizer. "
                f"Received: {len(theirs)} and {len(own)} entries that differ"
                + (f", in {os.fspath(where)!r}" if where is not None else "")
                + ". Remove the older file, or save the tokenizer again."
            )
    return found


def _if_there(path: Path) -> Path | None:
    return path if path.is_file() else None


def _read_if_there(path: Path) -> dict[str, Any]:
    return vocabulary.read_json(path) if path.is_file() else {}


def build_contents(
    vocab: Mapping[str, int],
    merges: list[tuple[str, str]],
    added: Mapping[int, AddedToken],
    roles: Mapping[str, str | None],
    additional: Iterable[str],
    options: Mapping[str, Any],
    tokenizer_json: str,
) -> dict[str, str]:
    """Returns the text of each file of a tokenizer's folder.

    Args:
        vocab: dict of tokens to ids, without those that were added.
        merges: list of pairs of tokens.
        added: dict of ids to `AddedToken`.
        roles: dict of roles to tokens.
        additional: special tokens without a role.
        options: everything else that the config holds.
        tokenizer_json: text of `tokenizer.json`.

    Returns:
        Dict of file names to texts, the config last.
    """
    by_content = {token.content: token for token in added.values()}
    tokens = {name: token for name, token in roles.items() if token}
    extra = list(additional)
    special: dict[str, Any] = {
        name: {
            key: value
            for key, value in vocabulary.describe(by_content[token]).items()
            if key != "special"
        }
        for name, token in tokens.items()
    }
    config = {
        **options,
        **tokens,
        "added_tokens_decoder": {
            str(index): vocabulary.describe(token)
            for index, token in sorted(added.items())
        },
    }
    if extra:
        special["additional_special_tokens"] = extra
        config["additional_special_tokens"] = extra
    beyond = {
        token.content: index
        for index, token in sorted(added.items())
        if token.content not in vocab
    }
    contents = {
        **vocabulary_contents(vocab, merges),
        TOKENIZER_FILE: tokenizer_json + "\n",
        SPECIAL_FILE: _dump(special),
    }
    if beyond:
        contents[ADDED_FILE] = _dump(beyond)
    return {**contents, CONFIG_FILE: _dump(config)}


def vocabulary_contents(
    vocab: Mapping[str, int], merges: list[tuple[str, str]]
) -> dict[str, str]:
    """Returns the texts of `vocab.json` and `merges.txt`, by name."""
    by_id = dict(sorted(vocab.items(), key=lambda item: item[1]))
    return {
        VOCAB_FILE: json.dumps(by_id, ensure_ascii=False) + "\n",
        MERGES_FILE: vocabulary.write_merges(merges),
    }


def _dump(content: Any) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2) + "\n"


def write_files(
    folder: str | os.PathLike, contents: Mapping[str, str]
) -> tuple[str, ...]:
    """Writes files, each whole or not at all.

    All are written beside their places first and then renamed. A reader
    that meets files of two tokenizers, after a kill between the renames,
    notices: `read_vocabulary` compares them.

    Args:
        folder: path, made where it is missing.
        contents: dict of file names to texts.

    Returns:
        Paths of the files.

    Raises:
        ValueError: if the path is a file.
        OSError: if the folder can't be written to; the old files stay.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(
            "`save_directory` must be a folder. Received: the file "
            f"{os.fspath(folder)!r}. Pass another path."
        )
    folder.mkdir(parents=True, exist_ok=True)
    suffix = f".{uuid.uuid4().hex}.tmp"
    try:
        for name, text in contents.items():
            with open(folder / (name + suffix), "x", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        for name in contents:
            os.replace(folder / (name + suffix), folder / name)
    finally:
        for name in contents:
            (folder / (name + suffix)).unlink(missing_ok=True)
    return tuple(str(folder / name) for name in contents)
