"""What the files of a checkpoint's tokenizer say of its tokens.

The tokenizer itself isn't made: it may be of a kind that can't be run.
"""

from __future__ import annotations

from collections.abc import Mapping

from tf_longformer.checkpoints.locate import Location
from tf_longformer.configuration import rules
from tf_longformer.json_files import read_json
from tf_longformer.tokenization import files

# Of files that don't say them: those of WordPiece and of byte-level BPE.
_USUAL = {"pad": ("[PAD]", "<pad>"), "sep": ("[SEP]", "</s>")}


def vocabulary(location: Location) -> dict[str, int]:
    """Returns ids by token, as far as files say them plainly.

    Raises:
        ValueError: if a file is damaged.
    """
    ids: dict[str, int] = {}
    if path := location.find(files.WORDPIECE_FILE):
        ids |= files.read_wordpiece_vocabulary(path)
    if path := location.find(files.VOCAB_FILE):
        ids |= read_json(path, "A vocabulary")
    if path := location.find(files.TOKENIZER_FILE):
        content = read_json(path, "A tokenizer")
        model = content.get("model")
        known = model.get("vocab") if isinstance(model, Mapping) else None
        if isinstance(known, Mapping):
            ids |= known
        added = content.get("added_tokens")
        for token in added if isinstance(added, list) else ():
            if isinstance(token, Mapping):
                ids[str(token.get("content"))] = token.get("id", -1)
    return {token: index for token, index in ids.items() if rules.is_int(index)}


def special_token(
    location: Location, role: str, ids: Mapping[str, int]
) -> str | None:
    """Returns the token of a role: what the files say, or the usual one.

    Args:
        location: `Location`.
        role: `"pad"` or `"sep"`.
        ids: what `vocabulary` has returned.

    Raises:
        ValueError: if a file is damaged.
    """
    for name in (files.CONFIG_FILE, files.SPECIAL_FILE):
        path = location.find(name)
        stated = read_json(path, "A tokenizer's file") if path else {}
        token = stated.get(f"{role}_token")
        if isinstance(token, Mapping):
            token = token.get("content")
        if isinstance(token, str):
            return token
    return next((token for token in _USUAL[role] if token in ids), None)


def find_separator(location: Location) -> int | None:
    """Returns the id of the separator of a checkpoint's tokenizer, if any.

    Raises:
        ValueError: if a file of the tokenizer is damaged.
    """
    ids = vocabulary(location)
    token = special_token(location, "sep", ids)
    return None if token is None else ids.get(token)
