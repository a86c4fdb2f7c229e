"""Runs Hugging Face's fast tokenizer; runs in an oracle's environment.

Usage: python tokenizer_oracle.py CASES RESULTS

CASES is JSON:

    {"groups": [{"folder": "...", "options": {"add_prefix_space": true},
                 "added": [{"content": "NEW", "lstrip": true}],
                 "calls": [{"text": ..., "text_pair": ..., ...}],
                 "save": "folder or null"}]}

and RESULTS has for each group a list of what `observe` returns for each of
its calls.
"""

from __future__ import annotations

import json
import sys
from typing import Any


def observe(tokenizer: Any, call: dict[str, Any]) -> Any:
    """Everything that a call returns and that its encodings know.

    Works with any tokenizer of the contract, so that tests ask ours the same
    way. `"error"` where the call raises.
    """
    try:
        encoding = tokenizer(**call)
    # A panic of Rust's isn't an Exception.
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return "error"
    found: dict[str, Any] = {name: encoding[name] for name in encoding}
    if encoding.encodings is None:
        return found
    pair = encoding.n_sequences
    found["rows"] = [
        {
            "tokens": row.tokens,
            "word_ids": row.word_ids,
            "sequence_ids": row.sequence_ids,
            "n_sequences": row.n_sequences,
            "char_to_token": [
                row.char_to_token(place, text)
                for place in range(20)
                for text in range(pair)
            ],
            "char_to_word": [
                row.char_to_word(place, text)
                for place in range(10)
                for text in range(pair)
            ],
            "word_to_tokens": [
                row.word_to_tokens(place, text)
                for place in range(8)
                for text in range(pair)
            ],
            "word_to_chars": [
                row.word_to_chars(place, text)
                for place in range(8)
                for text in range(pair)
            ],
            "token_to_chars": [row.token_to_chars(n) for n in range(len(row))],
            "token_to_word": [row.token_to_word(n) for n in range(len(row))],
            "token_to_sequence": [
                row.token_to_sequence(n) for n in range(len(row))
            ],
        }
        for row in encoding.encodings
    ]
    rows = encoding["input_ids"]
    rows = rows if rows and isinstance(rows[0], list) else [rows]
    found["decoded"] = [tokenizer.decode(row) for row in rows]
    found["skipped"] = [
        tokenizer.decode(row, skip_special_tokens=True) for row in rows
    ]
    found["spelt"] = [tokenizer.convert_ids_to_tokens(row) for row in rows]
    found["joined"] = [
        tokenizer.convert_tokens_to_string(row) for row in found["spelt"]
    ]
    # As JSON has it, so that both sides of a comparison are alike.
    return json.loads(json.dumps(found))


def facts(tokenizer: Any) -> dict[str, Any]:
    """What a tokenizer says of itself."""
    names = (
        "bos_token",
        "eos_token",
        "sep_token",
        "cls_token",
        "pad_token",
        "mask_token",
        "unk_token",
    )
    return {
        **{name: getattr(tokenizer, name) for name in names},
        **{f"{name}_id": getattr(tokenizer, f"{name}_id") for name in names},
        "all_special_ids": tokenizer.all_special_ids,
        "length": len(tokenizer),
        "vocab_size": tokenizer.vocab_size,
        "vocab": tokenizer.get_vocab(),
        "model_max_length": tokenizer.model_max_length,
        "padding_side": tokenizer.padding_side,
        "truncation_side": tokenizer.truncation_side,
        "add_prefix_space": tokenizer.add_prefix_space,
        "added": {
            str(index): [
                token.content,
                token.lstrip,
                token.rstrip,
                token.single_word,
                token.special,
            ]
            for index, token in sorted(tokenizer.added_tokens_decoder.items())
        },
    }


def main(cases: str, results: str) -> None:
    """Answers all groups."""
    import transformers
    from tokenizers import AddedToken

    transformers.logging.set_verbosity_error()
    with open(cases, encoding="utf-8") as file:
        groups = json.load(file)["groups"]
    answers = []
    for group in groups:
        tokenizer = transformers.LongformerTokenizerFast.from_pretrained(
            group["folder"], **group.get("options", {})
        )
        for token in group.get("added", ()):
            tokenizer.add_tokens(AddedToken(**token))
        if group.get("save"):
            tokenizer.save_pretrained(group["save"])
        answers.append(
            {
                "facts": facts(tokenizer),
                "calls": [observe(tokenizer, call) for call in group["calls"]],
            }
        )
    with open(results, "w", encoding="utf-8") as file:
        json.dump(
            {"version": transformers.__version__, "groups": answers}, file
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
