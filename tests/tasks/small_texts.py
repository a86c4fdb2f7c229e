"""Small texts, and models that are as small or only say what they are told."""

import numpy as np
from helpers import checks
from helpers import tiny

WORDS = "the small red fox saw a dog of old Anna Berg near Oslo".split()
SHORT = "the small red fox saw a dog"
LONG = " ".join(np.random.default_rng(1).choice(WORDS, 60))


def make(head, tokenizer, **fields):
    return checks.seeded(
        tiny.make_model, head, vocab_size=len(tokenizer), **fields
    )


def encode(tokenizer, *texts):
    return tokenizer(*texts, return_tensors="np")


def windows_by_hand(tokenizer, text, room, stride):
    """Ids of windows, cut by arithmetic."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    rows, first = [], 0
    while True:
        rows.append((first, ids[first : first + room]))
        if first + room >= len(ids):
            return ids, rows
        first += room - stride


class Scripted:
    """Stands in for a model: every token's scores by its id."""

    def __init__(self, model, table):
        self.config, self.main_output = model.config, model.main_output
        self._table = table

    def __call__(self, ids, attention_mask, return_dict):
        return {name: table[ids] for name, table in self._table.items()}


def scripted(model, **tables):
    """A class of the model's name, so that the tasks take it."""
    kind = type(type(model).__name__, (Scripted,), {})
    return kind(model, tables)
