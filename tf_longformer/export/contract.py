"""The contract with clients: what signatures take and return.

It is written as JSON into the SavedModel, and shown by example requests.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tf_longformer.configuration import LongformerConfig
from tf_longformer.export.buckets import Buckets
from tf_longformer.export.signatures import Signatures

# Where the description lies in the SavedModel.
FILE = "assets.extra/signatures.json"
_INPUT_MEANINGS = {
    "input_ids": "ids of the model's tokenizer, special tokens included",
    "attention_mask": "1 for tokens, 0 for padding, on either side",
    "global_attention_mask": "1 for tokens with global attention, 0 for others",
    "text": "documents, UTF-8",
    "question": "questions, UTF-8",
    "context": "the document of each question, UTF-8",
    "prompt": "what is asked, UTF-8",
    "choices": "the choices of each prompt, UTF-8",
}


def describe(module: Signatures) -> dict[str, Any]:
    """Describes signatures.

    Args:
        module: `Signatures`.

    Returns:
        Dict by signature, then `inputs` and `outputs`, then their names, of
        `dtype`, `shape` (`None` where it is free) and `meaning`.
    """
    described = {}
    for name, function in module.functions.items():
        inputs = function.structured_input_signature[0]
        described[name] = {
            "inputs": {
                spec.name: _entry(
                    spec, _INPUT_MEANINGS.get(spec.name, "texts, UTF-8")
                )
                for spec in inputs
            },
            "outputs": {
                key: _entry(spec, module.results.meaning(key))
                for key, spec in sorted(function.structured_outputs.items())
            },
        }
    return described


def example_requests(
    module: Signatures,
    tokenizer: Any,
    config: LongformerConfig,
    buckets: Buckets | None,
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yields a request for each signature, and for each compiled shape.

    Args:
        module: `Signatures`.
        tokenizer: the model's tokenizer, or `None`.
        config: the model's config.
        buckets: `Buckets` of the signature `xla`, or `None`.

    Yields:
        Pairs of the signature's name and arrays by the names of its inputs.
    """
    length = min(16, config.max_tokens)
    for signature, function in module.functions.items():
        specs = {
            spec.name: spec for spec in function.structured_input_signature[0]
        }
        if all(spec.dtype.name == "string" for spec in specs.values()):
            word = "a" if tokenizer.mask_token is None else tokenizer.mask_token
            yield (
                signature,
                {
                    name: np.full([1] * spec.shape.rank, word, object)
                    for name, spec in specs.items()
                },
            )
            continue
        shapes = [(1, length)]
        if signature == "xla":
            shapes = [
                (batch, seq)
                for seq in buckets.lengths
                for batch in buckets.batches
            ]
        for batch, seq in shapes:
            yield signature, _ids(specs, batch, seq, config)


def _ids(
    specs: dict[str, Any], batch: int, seq: int, config: LongformerConfig
) -> dict[str, np.ndarray]:
    """Returns rows of an ordinary token, with a global one at the start."""
    token = config.pad_token_id + 1
    if token >= config.vocab_size:
        token = config.pad_token_id - 1
    arrays = {}
    for name, spec in specs.items():
        shape = (batch, seq) if spec.shape.rank == 2 else (batch, 1, seq)
        array = np.ones(shape, spec.dtype.as_numpy_dtype)
        if name == "input_ids":
            array[...] = token
        elif name == "global_attention_mask":
            array[..., 1:] = 0
        arrays[name] = array
    return arrays


def _entry(spec: Any, meaning: str) -> dict[str, Any]:
    return {
        "dtype": spec.dtype.name,
        "shape": None if spec.shape.rank is None else spec.shape.as_list(),
        "meaning": meaning,
    }
