"""Encodes data with transformers' tokenizer; runs in an oracle's environment.

Usage: python foreign_tokenizer_worker.py FOLDER RESULTS
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tf_longformer import PaddingCollator
from tf_longformer import align_labels
from tf_longformer import encode_choices
from tf_longformer.data.windows import cut_into_windows

TEXTS = ["The long film was dull, and nobody in Oslo liked it. " * 6, "x", ""]


def results(tokenizer: Any) -> dict[str, Any]:
    """Returns what the package makes of a tokenizer, as JSON values.

    The tasks see of it what `cut_into_windows` returns, and its ids, tokens
    and texts.
    """
    found: dict[str, Any] = {}
    for name, questions in (("texts", None), ("pairs", ["a film", "", "b"])):
        windows, _ = cut_into_windows(
            tokenizer, TEXTS, max_length=40, stride=8, questions=questions
        )
        for field in ("text", "ids", "offsets", "words", "first"):
            found[f"{name} {field}"] = [
                np.asarray(getattr(window, field)).ravel().tolist()
                for window in windows
            ]
    choices = encode_choices(
        tokenizer, ["A long film", "b"], [["it", "not it"], ["x", "yz"]]
    )
    words = [["a", "film", "in", "Oslo"], ["x"]]
    encoding = tokenizer(words, is_split_into_words=True)
    labels = align_labels(
        encoding, [["O", "O", "O", "B"], ["O"]], label2id={"O": 0, "B": 1}
    )
    collator = PaddingCollator(tokenizer)
    encoding = tokenizer(
        TEXTS,
        truncation=True,
        max_length=16,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    rows = [tokenizer(text) for text in TEXTS[1:]]
    batches = {
        "choices": choices,
        "labels": {"labels": sum(labels, [])},
        "batch": collator(encoding),
        "rows": collator(rows),
    }
    for name, batch in batches.items():
        for key, value in batch.items():
            found[f"{name} {key}"] = np.asarray(value).ravel().tolist()
    ids = encoding["input_ids"][0]
    found["limit"] = tokenizer.model_max_length
    found["special"] = [
        tokenizer.pad_token_id,
        tokenizer.mask_token_id,
        tokenizer.unk_token_id,
    ]
    tokens = tokenizer.convert_ids_to_tokens(ids)
    return {
        **{name: str(value) for name, value in found.items()},
        "tokens": str(tokens),
        "text": tokenizer.convert_tokens_to_string(tokens[1:-1]),
        "decoded": tokenizer.decode(ids, skip_special_tokens=True),
    }


def main(folder: str, path: str) -> None:
    """Writes the results with transformers' tokenizer."""
    import transformers

    transformers.logging.set_verbosity_error()
    name = transformers.LongformerTokenizerFast
    tokenizer = name.from_pretrained(folder)
    Path(path).write_text(json.dumps(results(tokenizer)), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
