"""Five tasks that a tiny model learns in seconds, each with what guessing gets.

Nothing here is text: words are drawn, and what is asked for shows in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

import tf_longformer
from tf_longformer.configuration import LongformerConfig

FILLERS = "the a of and to in on by with from sea land wind rain".split()
PEOPLE = "Anna Bert Carl Dora".split()
PLACES = "Oslo Rome Lima Kyiv".split()
WORDS = [*FILLERS, *PEOPLE, *PLACES, "where", "is", "good", "bad"]
TASKS = (
    "text-classification",
    "token-classification",
    "question-answering",
    "multiple-choice",
    "masked-lm",
)


def _fillers(rng: np.random.Generator, least: int, most: int) -> list[str]:
    return rng.choice(FILLERS, rng.integers(least, most)).tolist()


def _text_classification(rng: np.random.Generator) -> dict[str, Any]:
    words = _fillers(rng, 8, 30)
    label = int(rng.integers(2))
    words[rng.integers(len(words))] = (PEOPLE, PLACES)[label][rng.integers(4)]
    return {"text": " ".join(words), "label": ("person", "place")[label]}


def _token_classification(rng: np.random.Generator) -> dict[str, Any]:
    words = _fillers(rng, 8, 30)
    labels = ["O"] * len(words)
    for place in rng.permutation(len(words) - 1)[:3]:
        kind = int(rng.integers(2))
        words[place] = (PEOPLE, PLACES)[kind][rng.integers(4)]
        labels[place] = ("B-PER", "B-LOC")[kind]
    return {"tokens": words, "labels": labels}


def _question_answering(rng: np.random.Generator) -> dict[str, Any]:
    words = _fillers(rng, 8, 30)
    place = int(rng.integers(1, len(words)))
    words[place] = PLACES[rng.integers(4)]
    start = len(" ".join(words[:place])) + 1
    answer = {"text": [words[place]], "answer_start": [start]}
    return {
        "question": "where is",
        "context": " ".join(words),
        "answers": answer,
    }


def _multiple_choice(rng: np.random.Generator) -> dict[str, Any]:
    label = int(rng.integers(3))
    choices = [
        " ".join([*_fillers(rng, 1, 4), "good" if n == label else "bad"])
        for n in range(3)
    ]
    prompt = " ".join(_fillers(rng, 4, 12))
    return {"prompt": prompt, "choices": choices, "label": label}


def _masked_lm(rng: np.random.Generator) -> dict[str, Any]:
    # Each text is a word again and again, which any neighbour tells.
    word = WORDS[rng.integers(len(WORDS))]
    return {"text": " ".join([word] * int(rng.integers(10, 40)))}


_MAKERS = {
    "text-classification": _text_classification,
    "token-classification": _token_classification,
    "question-answering": _question_answering,
    "multiple-choice": _multiple_choice,
    "masked-lm": _masked_lm,
}


def rows(task: str, count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yields examples."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield _MAKERS[task](rng)


def write(path: Path, task: str, count: int, seed: int) -> Path:
    """Writes a file of examples."""
    lines = [json.dumps(row) for row in rows(task, count, seed)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def write_model(folder: Path, dropout: float = 0.1) -> Path:
    """Writes a tiny model for masked language modelling, and a tokenizer."""
    tokenizer = tf_longformer.LongformerTokenizerFast.train_from_iterator(
        [" ".join(WORDS)] * 4,
        vocab_size=400,
        min_frequency=1,
        show_progress=False,
    )
    config = LongformerConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        attention_window=8,
        max_position_embeddings=66,
        initializer_range=0.1,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        type_vocab_size=1,
    )
    import keras

    keras.utils.set_random_seed(0)
    tf_longformer.TFLongformerForMaskedLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
