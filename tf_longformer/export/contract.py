"""What signatures take and return, as JSON for those who write clients."""

from __future__ import annotations

from typing import Any

from tf_longformer.export.signatures import INPUT_MEANINGS
from tf_longformer.export.signatures import Signatures


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
                spec.name: _entry(spec, INPUT_MEANINGS[spec.name])
                for spec in inputs
            },
            "outputs": {
                key: _entry(spec, module.head.meanings[key])
                for key, spec in sorted(function.structured_outputs.items())
            },
        }
    return described


def _entry(spec: Any, meaning: str) -> dict[str, Any]:
    return {
        "dtype": spec.dtype.name,
        "shape": None if spec.shape.rank is None else spec.shape.as_list(),
        "meaning": meaning,
    }
