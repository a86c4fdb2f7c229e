"""Translates the names of a file into those of the table in `names.py`.

All become PyTorch's names with the body's prefix, `longformer.`. Prefixes are
not guessed: one is what stands before the word embeddings, which a file has
once.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tf_longformer.checkpoints import names
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import listed
from tf_longformer.errors import shown

PYTORCH = "PyTorch"
TENSORFLOW = "TensorFlow"
KERAS = "Keras"

# Names under which programs keep the model: Lightning and hand-written modules
# as `model`, data parallelism as `module`, torch.compile as `_orig_mod`. Of
# several models in a file the one that is under these alone is read.
_WRAPPERS = {"model", "module", "_orig_mod"}
# Prefixes of the body: a Longformer's, a converted RoBERTa's, and none in a
# file of the bare model.
_BODIES = ("longformer.", "roberta.", "")
_WORD_EMBEDDINGS = "embeddings.word_embeddings.weight"
BARE_PARTS = ("embeddings.", "encoder.", "pooler.")
# Buffers in old files, which are no weights.
_BUFFERS = frozenset({"longformer.embeddings.position_ids"})
# What Keras stores beside the weights.
_KERAS_STATE = ("optimizer/", "metrics/")
_KERAS_BODY = "layers/tf_longformer_main_layer/"


class Translation(NamedTuple):
    """The names of a file by those of the table.

    Attributes:
        names: dict from PyTorch's name with the body's prefix to the name
            in the file. What the table doesn't have is in it, too, under a
            name of the same form.
        roberta: bool, whether the names are those of a converted RoBERTa.
    """

    names: dict[str, str]
    roberta: bool = False


def translate(
    given: Iterable[str], dialect: str, config: LongformerConfig
) -> Translation:
    """Translates the names of a file.

    Args:
        given: the names of a file.
        dialect: whose names they are, one of the three above.
        config: `LongformerConfig`, which says how many blocks there are.

    Raises:
        CheckpointError: if two names of the file stand for the same weight.
    """
    table = names.weights_of_all_heads(config)
    if dialect == PYTORCH:
        return _translate_torch(list(given), table)
    if dialect == TENSORFLOW:
        known = {w.tensorflow: w.torch[0] for w in table}
        return Translation(
            {known.get(n, n.replace("/", ".")): n for n in given}
        )
    known = {w.keras: w.torch[0] for w in table}
    return Translation(
        {
            known.get(name, _foreign_keras_name(name)): name
            for name in given
            if not name.startswith(_KERAS_STATE)
            and "/seed_generator/" not in name
        }
    )


def _foreign_keras_name(name: str) -> str:
    if name.startswith(_KERAS_BODY):
        name = f"{names.BODY}{name.removeprefix(_KERAS_BODY)}"
    return name.replace("/", ".")


def _translate_torch(
    given: list[str], table: list[names.Weight]
) -> Translation:
    wrapper, body = find_prefixes(set(given))
    aliases = {
        alias: weight.torch[0] for weight in table for alias in weight.torch[1:]
    }
    by_first_name: dict[str, str] = {}
    by_alias: dict[str, str] = {}
    for name in given:
        # The name as the table has it.
        full = name.removeprefix(wrapper)
        if body and full.startswith(body):
            full = f"{names.BODY}{full.removeprefix(body)}"
        elif not body and full.startswith(BARE_PARTS):
            full = f"{names.BODY}{full}"
        if full in _BUFFERS:
            continue
        into = by_alias if full in aliases else by_first_name
        full = aliases.get(full, full)
        if full in into:
            raise CheckpointError(
                "A file must have each weight once. Received: "
                f"{shown(into[full])} and {shown(name)}. Remove one of them."
            )
        into[full] = name
    return Translation(
        _merge(by_first_name, by_alias), roberta=body == "roberta."
    )


def _merge(
    by_first_name: dict[str, str], by_alias: dict[str, str]
) -> dict[str, str]:
    """Joins them; a weight that a file has under two names is an error."""
    both = by_alias.keys() & by_first_name.keys()
    # But PyTorch ties the two biases of the head: a file may have both. The
    # decoder's is the one that it adds.
    tied = both & {"lm_head.bias", "lm_head.decoder.bias"}
    for name in sorted(both - tied):
        raise CheckpointError(
            "A file must have each weight once. Received: "
            f"{shown(by_first_name[name])} and {shown(by_alias[name])}. Remove "
            "one of them."
        )
    decoders = {
        name: by_alias[name]
        for name in tied
        if by_alias[name].endswith("decoder.bias")
    }
    return {**by_alias, **by_first_name, **decoders}


def find_prefixes(
    given: set[str], bodies: tuple[str, ...] = _BODIES
) -> tuple[str, str]:
    """Returns the prefix of the whole model, and that of its body after it.

    The latter is one of `bodies`, the last of which is empty. A file without
    word embeddings has none of the first kind, and is read as it is.
    """
    prefixes = sorted(
        name.removesuffix(_WORD_EMBEDDINGS)
        for name in given
        if f".{name}".endswith(f".{_WORD_EMBEDDINGS}")
    )
    if len(prefixes) > 1:
        usual = {*_WRAPPERS, *(body.rstrip(".") for body in bodies)}
        known = [p for p in prefixes if set(p.split(".")) <= usual]
        if len(known) != 1:
            raise CheckpointError(
                "A file must have one model, or one by a usual name. Received: "
                f"word embeddings under each of {listed(prefixes)}. Save "
                "the one that is wanted by itself."
            )
        prefixes = known
    if not prefixes:
        has_body = any(name.startswith(names.BODY) for name in given)
        return "", names.BODY if has_body else ""
    (prefix,) = prefixes
    # The last one, of the bare model, is the end of any.
    body = next(b for b in bodies if f".{prefix}".endswith(f".{b}"))
    return prefix.removesuffix(body), body
