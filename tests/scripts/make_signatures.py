"""Writes savedmodels/signatures: the contract of every head.

Usage: PYTHONPATH=tests python tests/scripts/make_signatures.py
"""

import json
from pathlib import Path

from helpers import small_exports as small

from tf_longformer.export import contract
from tf_longformer.export.signatures import Settings
from tf_longformer.export.signatures import Signatures

FOLDER = Path(__file__).parents[2] / "savedmodels/signatures"


def main() -> None:
    """Describes the small models of the tests, without the signature `xla`,
    which is as `serving_default`."""
    for head in small.HEADS:
        module = Signatures(small.make(head), small.tokenizer(), Settings())
        text = json.dumps(contract.describe(module), indent=2) + "\n"
        (FOLDER / f"{head}.json").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
