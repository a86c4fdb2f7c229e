"""A tokenizer's folder: which files there are and what they say together."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from tf_longformer import atomic_folder
from tf_longformer import hub
from tf_longformer.tokenization import vocabulary
from tf_longformer.tokenization.special_tokens import ROLES
from tf_longformer.tokenization.vocabulary import MERGES_FILE
from tf_longformer.tokenization.vocabulary import TOKENIZER_FILE
from tf_longformer.tokenization.vocabulary import VOCAB_FILE
from tf_longformer.tokenization.vocabulary import Vocabulary

CONFIG_FILE = "tokenizer_config.json"
SPECIAL_FILE = "special_tokens_map.json"
ADDED_FILE = "added_tokens.json"
# The vocabulary first: what the hub finds first decides on the commit.
FILES = (
    VOCAB_FILE,
    MERGES_FILE,
    TOKENIZER_FILE,
    CONFIG_FILE,
    SPECIAL_FILE,
    ADDED_FILE,
)


def find(
    name: str | os.PathLike, subfolder: str = "", **hub_options: Any
) -> tuple[dict[str, Path], str]:
    """Finds the files of a tokenizer.

    Args:
        name: a folder that exists, or a file in it; a preset, or an id of the
            hub, in this order.
        subfolder: str, folder within. Defaults to none.
        **hub_options: further arguments of `hub.Repository`.

    Returns:
        Dict of names to paths, of those of `FILES` that there are, and where
        they are, for messages.

    Raises:
        ImportError: for the hub, without `huggingface_hub`.
        OSError: if the hub has none, or can't be reached; `FileNotFoundError`
            if the name is none of these.
        ValueError: if the folder is damaged.
    """
    path = Path(name)
    if path.exists():
        folder = path.parent if path.is_file() else path / subfolder
        return _find_all(partial(atomic_folder.find, folder)), str(folder)
    repository = hub.Repository(
        hub.repo_id(os.fspath(name)), subfolder=subfolder, **hub_options
    )
    found = _find_all(repository.find)
    if not found:
        raise repository.missing(
            f"{VOCAB_FILE} and {MERGES_FILE}, or {TOKENIZER_FILE}"
        )
    return found, repository.repo_id


def _find_all(find_one: Callable[[str], Path | None]) -> dict[str, Path]:
    return {name: path for name in FILES if (path := find_one(name))}


def read(
    paths: Mapping[str, Path], where: str
) -> tuple[Vocabulary, dict[str, Any]]:
    """Reads what files say of a tokenizer.

    Args:
        paths: dict of names to paths: `tokenizer.json`, or `vocab.json` and
            `merges.txt`, and what there is of the other `FILES`.
        where: str, where they are, for messages.

    Returns:
        `Vocabulary`, and a dict of everything else: the config with the
        roles of special tokens.

    Raises:
        FileNotFoundError: if there is no vocabulary.
        ValueError: if a file is not well formed, or two contradict.
    """

    def read_json(name: str) -> dict[str, Any]:
        return vocabulary.read_json(paths[name]) if name in paths else {}

    options = read_json(CONFIG_FILE)
    special = read_json(SPECIAL_FILE)
    found = read_vocabulary(
        paths.get(VOCAB_FILE),
        paths.get(MERGES_FILE),
        paths.get(TOKENIZER_FILE),
        where=where,
    )
    added = dict(found.added)
    for index, token in (
        options.pop("added_tokens_decoder", None) or {}
    ).items():
        added[int(index)] = vocabulary.as_added_token(token)
    known = {token.content for token in added.values()}
    for content, index in read_json(ADDED_FILE).items():
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
        # `None` too, as a role that is left out has its default token.
        **roles,
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


def write(
    folder: str | os.PathLike,
    contents: Mapping[str, str],
    removed: Iterable[str] = (),
) -> tuple[str, ...]:
    """Writes files, all of them or none.

    Args:
        folder: path, made where it is missing.
        contents: dict of file names to texts.
        removed: names of old files that go where `contents` has no new one.

    Returns:
        Paths of the files.

    Raises:
        FileExistsError: if the path is a file.
        OSError: if the folder can't be written to; the old files stay.
        ValueError: if a name isn't one of a file.
    """
    folder = Path(folder)
    for name in contents:
        if not atomic_folder.is_plain_name(name):
            raise ValueError(
                "A file's name must have no slash, backslash or colon. "
                f"Received: {name!r}. Use another `filename_prefix`."
            )
    with atomic_folder.replacing(folder) as replacement:
        for name, text in contents.items():
            (replacement.path / name).write_text(text, "utf-8")
        replacement.removed.update(removed)
    return tuple(str(folder / name) for name in contents)
