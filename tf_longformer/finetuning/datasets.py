"""Files of examples, and batches, as a `tf.data.Dataset`."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tf_longformer.data.batches import Batches
from tf_longformer.data.examples import REGRESSION
from tf_longformer.data.examples import check_labels
from tf_longformer.data.examples import find_problem_type
from tf_longformer.data.examples import labels_of
from tf_longformer.data.examples import order_labels
from tf_longformer.data.examples import read_examples
from tf_longformer.data.features import Encoding
from tf_longformer.data.features import default_stride
from tf_longformer.data.features import encode_examples


def make_dataset(
    task: str,
    path: str | Path,
    tokenizer: Any,
    *,
    max_length: int,
    batch_size: int = 8,
    label2id: Mapping[str, int] | None = None,
    columns: Mapping[str, str] | None = None,
    doc_stride: int | None = None,
    global_attention: str | None = None,
    problem_type: str | None = None,
    mask_probability: float = 0.15,
    shuffle: bool = True,
    seed: int = 0,
    limit: int | None = None,
) -> tf.data.Dataset:
    """Makes a dataset for `fit`, `evaluate` and `predict` of a file.

    Rows of a batch are of like length, padded to one of few, so that XLA
    compiles few shapes. Each iteration has another order, which the seed
    fixes.

    Args:
        task: str: `"text-classification"`, `"token-classification"`,
            `"question-answering"`, `"multiple-choice"` or `"masked-lm"`.
        path: a file of JSON lines, or one that ends in `.csv`; see
            `tf_longformer.data.examples` for the columns.
        tokenizer: the tokenizer.
        max_length: int, most tokens of a row.
        batch_size: int. Defaults to `8`.
        label2id: dict from the names of labels to ids, such as
            `model.config.label2id`. Defaults to numbers for the labels of
            this file alone, in their order: a file that lacks a label, such
            as one to measure with, would silently give others other numbers
            than the file of training does. So pass the same dict for all
            files of a model, and leave it out where there is only one.
        columns: dict from the task's names of columns to the file's.
        doc_stride: int, tokens that two windows of a longer document share.
            Defaults to 128 where answers or entities are to be found; other
            documents are cut off.
        global_attention: global tokens, as of `global_attention_mask`.
            Defaults to the model's choice.
        problem_type: of text classification, as in the config. Defaults to
            what the labels look like.
        mask_probability: float, share of tokens that are hidden, of masked
            language modelling. Defaults to `0.15`.
        shuffle: bool. Defaults to `True`; else from short to long.
        seed: int, of order and masks. Defaults to `0`.
        limit: int, most examples that are read. Defaults to all.

    Returns:
        `tf.data.Dataset` of inputs and labels `(x, y)`, whose `len` is the
        number of batches.

    Raises:
        BadExamples: for lines that are no examples, with file and line.
        OSError: if the file can't be read.
        ValueError: for other arguments that are wrong.
    """
    examples = read_examples(path, task, columns, limit)
    names: Mapping[str, int] = label2id or {}
    if task == "text-classification":
        problem_type = find_problem_type(examples, problem_type)
    if "classification" in task and problem_type != REGRESSION:
        if not names:
            found = [name for one in examples for name in labels_of(one)]
            names = {n: index for index, n in enumerate(order_labels(found))}
        check_labels(examples, list(names))
    if doc_stride is None:
        doc_stride = default_stride(task, max_length)
    how = Encoding(
        max_length, doc_stride, global_attention, names, problem_type
    )
    batches = Batches(
        encode_examples(tokenizer, task, examples, how),
        tokenizer,
        batch_size,
        max_length=max_length,
        shuffle=shuffle,
        seed=seed,
        mask_probability=mask_probability if task == "masked-lm" else None,
    )
    return dataset_of_passes(batches)


def dataset_of_passes(batches: Batches) -> tf.data.Dataset:
    """Makes a dataset of which each iteration is the next pass.

    Args:
        batches: `Batches`.

    Returns:
        Dataset of inputs and labels, and weights of rows where gradients are
        accumulated.
    """
    size = len(batches)
    # The first look is for types and shapes.
    passes = itertools.chain([0], itertools.count())

    def generate() -> Iterator[Any]:
        return itertools.islice(batches.from_step(next(passes) * size), size)

    return dataset_of(generate, size)


def dataset_of_steps(
    batches: Batches, first_step: int, last_step: int
) -> tf.data.Dataset:
    """Makes a dataset of a part of a training, of one pass or of several.

    Args:
        batches: `Batches`.
        first_step: int, the number of the first batch.
        last_step: int, the number after the last.

    Returns:
        As `dataset_of_passes`.
    """
    count = last_step - first_step

    def generate() -> Iterator[Any]:
        return itertools.islice(batches.from_step(first_step), count)

    return dataset_of(generate, count)


def dataset_of(
    generate: Callable[[], Iterator[Any]], count: int
) -> tf.data.Dataset:
    """Makes a dataset of a function's batches, of any number of rows.

    Args:
        generate: function that begins to yield batches, structures of arrays.
        count: int, how many there are.
    """
    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec([None] * np.ndim(array), array.dtype),
        next(generate()),
    )
    dataset = tf.data.Dataset.from_generator(
        generate, output_signature=signature
    )
    options = tf.data.Options()
    options.deterministic = True
    # There is nothing to tune, and TensorFlow (2.21) deletes an iterator no
    # sooner than its tuner wakes: in the end `fit` waited up to a minute.
    options.autotune.enabled = False
    # Replicas get parts of each batch.
    options.experimental_distribute.auto_shard_policy = (
        tf.data.experimental.AutoShardPolicy.DATA
    )
    dataset = dataset.apply(tf.data.experimental.assert_cardinality(count))
    return dataset.with_options(options).prefetch(2)
