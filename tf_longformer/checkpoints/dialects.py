"""The names of a file, as they are found, into the names of the table.

The common form is PyTorch's name with the body's prefix. Names are looked
up, never guessed: a prefix is only taken off where the word embeddings stand
under it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from tf_longformer.checkpoints import names
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError

PYTORCH = "PyTorch"
TENSORFLOW = "TensorFlow"
KERAS = "Keras"

# What programs wrap a model in: Lightning and modules of one's own keep it
# under `model`, data parallelism under `module`, torch.compile under
# `_orig_mod`.
_WRAPPERS = ("model.", "module.", "_orig_mod.")
_MOST_WRAPPERS = 3
# What a class calls the body: ours, a RoBERTa that was converted; none in a
# file of the bare model.
_BODIES = ("longformer.", "roberta.", "")
_ANCHOR = "embeddings.word_embeddings.weight"
_BARE_PARTS = ("embeddings.", "encoder.", "pooler.")
# Buffers of old files that hold no weight.
_BUFFERS = frozenset({"longformer.embeddings.position_ids"})
# Keras's own numbers beside the weights.
_KERAS_STATE = ("optimizer/", "metrics/")
_KERAS_BODY = "layers/tf_longformer_main_layer/"


class Translation(NamedTuple):
    """The names of a file by those of the table.

    Attributes:
        names: the file's name by PyTorch's with the body's prefix. What the
            table doesn't have is there under a name of the same form.
        roberta: bool, whether a RoBERTa was converted.
    """

    names: dict[str, str]
    roberta: bool = False


def translate(
    given: Iterable[str], dialect: str, config: LongformerConfig
) -> Translation:
    """Returns a file's names by PyTorch's with the body's prefix.

    Args:
        given: the names of a file.
        dialect: whose names they are, one of the three above.
        config: `LongformerConfig`, which says how many layers there are.

    Raises:
        CheckpointError: if two names of the file stand for the same weight.
    """
    table = names.catalogue(config)
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
    wrapper, body = _find_prefixes(set(given))
    aliases = {
        alias: weight.torch[0] for weight in table for alias in weight.torch[1:]
    }
    found: dict[str, str] = {}
    second: dict[str, str] = {}
    for name in given:
        full = name.removeprefix(wrapper)
        if body and full.startswith(body):
            full = f"{names.BODY}{full.removeprefix(body)}"
        elif not body and full.startswith(_BARE_PARTS):
            full = f"{names.BODY}{full}"
        if full in _BUFFERS:
            continue
        into = second if full in aliases else found
        full = aliases.get(full, full)
        if full in into:
            raise CheckpointError(
                "A file must have each weight once. Received: "
                f"{into[full]!r} and {name!r}. Remove one of them."
            )
        into[full] = name
    return Translation(_merge(found, second), roberta=body == "roberta.")


def _merge(found: dict[str, str], second: dict[str, str]) -> dict[str, str]:
    """Adds weights that the file has under another age's name."""
    both = {name for name in second.keys() & found.keys()}
    # PyTorch ties the two biases of the head, so that a file may have both.
    for name in sorted(both - {"lm_head.bias", "lm_head.decoder.bias"}):
        raise CheckpointError(
            "A file must have each weight once. Received: "
            f"{found[name]!r} and {second[name]!r}. Remove one of them."
        )
    return {**second, **found}


def _find_prefixes(given: set[str]) -> tuple[str, str]:
    """Returns what stands before the model and before its body.

    Where the file has no word embeddings at all, it is read as it is.
    """
    wrappers = [""]
    for _ in range(_MOST_WRAPPERS + 1):
        for wrapper in wrappers:
            for body in _BODIES:
                if f"{wrapper}{body}{_ANCHOR}" in given:
                    return wrapper, body
        wrappers = [w + more for w in wrappers for more in _WRAPPERS]
    plain = any(name.startswith(names.BODY) for name in given)
    return "", names.BODY if plain else ""
