"""What learns the task: two baselines, and a small Longformer.

The majority class and a bag of words say what a classifier has to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from tf_longformer.models.sequence_classification import (
    TFLongformerForSequenceClassification,
)

# Training has two stages: short passages in large batches, then long passages
# in small batches. A step costs about the same in both; from long passages
# alone a small model takes long to learn anything. The paper trains in stages
# too (arXiv 2004.05150, section 4).
FIRST_LENGTH = 256
FIRST_FRACTION = 0.6
TOKENS_PER_STEP = 4096
MAX_BATCH_SIZE = 16

WARMUP_FRACTION = 0.1
WEIGHT_DECAY = 0.01
# The bag of words has so many of the commonest words.
_VOCABULARY_SIZE = 20_000


def accuracy(predicted: Sequence[int], labels: Sequence[int]) -> float:
    """Fraction of labels that were predicted."""
    return float(np.mean(np.asarray(predicted) == np.asarray(labels)))


def predict_majority(labels: Sequence[int], num_documents: int) -> np.ndarray:
    """Predicts the commonest training label for every document.

    Args:
        labels: list of ints. The training labels; of several equally common
            ones the smallest counts.
        num_documents: int. How many predictions are wanted.

    Returns:
        An int array of shape `(num_documents,)`.
    """
    return np.full(num_documents, np.bincount(np.asarray(labels)).argmax())


def predict_by_words(
    texts: Sequence[str],
    labels: Sequence[int],
    others: Sequence[str],
    seed: int = 0,
) -> np.ndarray:
    """Predicts with a logistic regression on the words of whole documents.

    A bag of words: it sees everything that a document contains, but not the
    order. A word counts by the logarithm of how often the document has it and
    of how few documents do (tf-idf), and every document has the same length
    as a vector.

    Args:
        texts: list of strings, to learn from.
        labels: list of ints, theirs, `0` to the number of labels - 1.
        others: list of strings, to predict.
        seed: int. Order of the training batches. Defaults to `0`.

    Returns:
        An int array of shape `(len(others),)`.
    """
    words = keras.layers.TextVectorization(
        max_tokens=_VOCABULARY_SIZE,
        # Each mark is a word of its own.
        standardize=lambda text: tf.strings.regex_replace(
            text, r"([^\pL\pN_\s])", r" \1 "
        ),
        output_mode="count",
    )
    words.adapt(list(texts))
    # Shape (documents, words). Keras's own tf-idf isn't used: it lets words
    # that a document has very often, such as brackets, outweigh all others.
    counts, other_counts = (
        # The first column counts unknown words.
        keras.ops.convert_to_numpy(words(list(x)))[:, 1:]
        for x in (texts, others)
    )
    found_in = (counts > 0).sum(0)
    # A word that only one document has can't tell anything about others.
    rarity = (found_in > 1) * (1 + np.log(len(texts) / found_in))

    def features(counts: np.ndarray) -> np.ndarray:
        return np.where(counts, 1 + np.log(np.maximum(counts, 1)), 0) * rarity

    classifier = keras.Sequential(
        [
            keras.layers.UnitNormalization(),
            keras.layers.Dense(max(labels) + 1, kernel_initializer="zeros"),
        ]
    )
    classifier.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    order = np.random.default_rng(seed).permutation(len(texts))
    classifier.fit(
        features(counts)[order],
        np.asarray(labels)[order],
        batch_size=32,
        epochs=60,
        shuffle=False,
        verbose=0,
    )
    logits = classifier.predict_on_batch(features(other_counts))
    return logits.argmax(axis=-1)


def random_crops(
    documents: Sequence[Sequence[int]],
    labels: Sequence[int],
    num_crops: int,
    length: int,
    tokenizer: Any,
    seed: int,
    masked_fraction: float = 0.15,
) -> dict[str, np.ndarray]:
    """Draws training examples: random passages of the documents.

    A few hundred documents are few, but each is long: another passage at
    each visit makes many examples of them, and hiding some of the tokens
    keeps the model from learning single words by heart. All documents are
    visited equally often, in another order every time.

    Args:
        documents: token ids of whole documents, without special tokens.
        labels: list of ints, one per document.
        num_crops: int. How many examples.
        length: int. Tokens of an example with its two special tokens;
            shorter documents are padded to it.
        tokenizer: the tokenizer, which knows the special tokens.
        seed: int.
        masked_fraction: float. Part of the tokens that `<mask>` takes the
            place of, special tokens aside. Defaults to `0.15`.

    Returns:
        A dict of int32 arrays, `input_ids` and `attention_mask` of shape
        `(num_crops, length)` and `labels` of shape `(num_crops,)`.
    """
    rng = np.random.default_rng(seed)
    visits = -(-num_crops // len(documents))
    order = np.concatenate(
        [rng.permutation(len(documents)) for _ in range(visits)]
    )[:num_crops]
    room = length - 2
    input_ids = np.full((num_crops, length), tokenizer.pad_token_id, "int32")
    attention_mask = np.zeros((num_crops, length), "int32")
    for row, index in enumerate(order):
        document = documents[index]
        start = int(rng.integers(max(len(document) - room, 0) + 1))
        passage = np.asarray(document[start : start + room])
        hidden = rng.random(len(passage)) < masked_fraction
        ids = [
            tokenizer.bos_token_id,
            *np.where(hidden, tokenizer.mask_token_id, passage),
            tokenizer.eos_token_id,
        ]
        input_ids[row, : len(ids)] = ids
        attention_mask[row, : len(ids)] = 1
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "labels": np.asarray(labels, "int32")[order],
    }


def beginnings(texts: Sequence[str], length: int, tokenizer: Any) -> list[str]:
    """Cuts texts to so many tokens, two special ones included.

    They end with a line, so that as a text of its own each has the same
    tokens.

    Args:
        texts: list of strings.
        length: int.
        tokenizer: the tokenizer.

    Returns:
        A list of strings.
    """
    offsets = tokenizer(
        list(texts),
        truncation=True,
        max_length=length,
        return_offsets_mapping=True,
    )["offset_mapping"]
    ends = [max(end for _, end in of_text) for of_text in offsets]
    return [
        text
        if end == len(text)
        else text[:end].rpartition("\n")[0] or text[:end]
        for text, end in zip(texts, ends, strict=True)
    ]


class Stage(NamedTuple):
    """One part of a training run.

    Args:
        length: int. Tokens of each example.
        batch_size: int. Examples per step.
        steps: int.
    """

    length: int
    batch_size: int
    steps: int


def plan_stages(max_length: int, steps: int) -> list[Stage]:
    """Divides a training run into short and long passages.

    Args:
        max_length: int. Longest input in tokens.
        steps: int. Steps of all stages together.

    Returns:
        A list of one or two `Stage`s; the last one has `max_length`.
    """
    first_steps = int(FIRST_FRACTION * steps)
    if max_length <= FIRST_LENGTH or first_steps == 0:
        return [Stage(max_length, batch_size_for(max_length), steps)]
    return [
        Stage(FIRST_LENGTH, batch_size_for(FIRST_LENGTH), first_steps),
        Stage(max_length, batch_size_for(max_length), steps - first_steps),
    ]


def batch_size_for(length: int) -> int:
    """Number of examples of this length that a step can afford."""
    return min(max(TOKENS_PER_STEP // length, 1), MAX_BATCH_SIZE)


def draw_examples(
    stages: Sequence[Stage],
    texts: Sequence[str],
    labels: Sequence[int],
    tokenizer: Any,
    seed: int,
) -> list[dict[str, np.ndarray]]:
    """Draws the examples of each stage, see `random_crops`."""
    documents = tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return [
        random_crops(
            documents,
            labels,
            stage.steps * stage.batch_size,
            stage.length,
            tokenizer,
            # Each stage visits the documents in another order.
            seed=seed + stage.length,
        )
        for stage in stages
    ]


def train(
    model: TFLongformerForSequenceClassification,
    stages: Sequence[Stage],
    examples: Sequence[dict[str, np.ndarray]],
    learning_rate: float,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> None:
    """Trains a model with `model.fit`.

    The labels are among the inputs, so that the model's own loss is used.
    The learning rate rises and falls once over all stages.

    Args:
        model: the model.
        stages: list of `Stage`.
        examples: list of dicts of arrays as `random_crops` makes them, one
            per stage. Each example is seen once, in the order given.
        learning_rate: float, the highest.
        callbacks: list of Keras callbacks.
    """
    steps = sum(stage.steps for stage in stages)
    warmup_steps = max(int(WARMUP_FRACTION * steps), 1)
    # Without jit_compile: on CPUs XLA is slower here.
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                initial_learning_rate=0.0,
                warmup_target=learning_rate,
                warmup_steps=warmup_steps,
                decay_steps=max(steps - warmup_steps, 1),
            ),
            weight_decay=WEIGHT_DECAY,
            beta_2=0.98,
            global_clipnorm=1.0,
        ),
    )
    for stage, arrays in zip(stages, examples, strict=True):
        model.fit(
            arrays,
            batch_size=stage.batch_size,
            epochs=1,
            shuffle=False,
            verbose=0,
            callbacks=list(callbacks),
        )
