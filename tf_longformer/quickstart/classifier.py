"""The small Longformer of the quickstart: its size and its training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

from tf_longformer.configuration import LongformerConfig
from tf_longformer.models.sequence_classification import (
    TFLongformerForSequenceClassification,
)

# Short passages first, in large batches, then long ones in small batches:
# a step costs about the same, and from long passages alone a small model
# takes long to find its first clue. The paper trains in stages too
# (arXiv 2004.05150, section 4).
FIRST_LENGTH = 256
FIRST_FRACTION = 0.6
TOKENS_PER_STEP = 8192
MAX_BATCH_SIZE = 32

PEAK_LEARNING_RATE = 2e-3
WARMUP_FRACTION = 0.1
WEIGHT_DECAY = 0.01


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


def make_config(
    vocab_size: int, label_names: Sequence[str], max_length: int
) -> LongformerConfig:
    """Configures a Longformer that learns in minutes on two cores.

    Args:
        vocab_size: int. Entries of the tokenizer.
        label_names: list of strings.
        max_length: int. Longest input in tokens.

    Returns:
        A `LongformerConfig`.
    """
    return LongformerConfig(
        vocab_size=vocab_size,
        hidden_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        attention_window=64,
        # Positions of real tokens start after the padding's.
        max_position_embeddings=max_length + 2,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        sep_token_id=2,
        layer_norm_eps=1e-5,
        # Wider than BERT's 0.02, as the layers are narrower.
        initializer_range=0.05,
        id2label=dict(enumerate(label_names)),
        label2id={name: index for index, name in enumerate(label_names)},
    )


def train(
    config: LongformerConfig,
    stages: Sequence[Stage],
    examples: Sequence[dict[str, np.ndarray]],
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TFLongformerForSequenceClassification:
    """Trains a model from scratch with `model.fit`.

    The labels are among the inputs, so that the model's own loss is used.
    The learning rate rises and falls once over all stages.

    Args:
        config: `LongformerConfig`.
        stages: list of `Stage`.
        examples: list of dicts of arrays as `random_crops` makes them, one
            per stage. Each example is seen once, in the order given.
        callbacks: list of Keras callbacks.

    Returns:
        The trained model.
    """
    steps = sum(stage.steps for stage in stages)
    warmup_steps = max(int(WARMUP_FRACTION * steps), 1)
    model = TFLongformerForSequenceClassification(config)
    # Without jit_compile: on CPUs XLA is slower here.
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(
                initial_learning_rate=0.0,
                warmup_target=PEAK_LEARNING_RATE,
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
    return model


def predict_logits(
    model: TFLongformerForSequenceClassification,
    inputs: dict[str, np.ndarray],
    batch_size: int,
) -> np.ndarray:
    """Predicts with `model.predict`.

    Args:
        model: a model.
        inputs: dict of arrays with the same number of rows.
        batch_size: int.

    Returns:
        A float array of shape `(rows, labels)`.
    """
    outputs = model.predict(inputs, batch_size=batch_size, verbose=0)
    return outputs["logits"]
