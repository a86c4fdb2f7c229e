"""What a classifier has to beat: the majority class and a bag of words."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np

_WORD = re.compile(r"\w+|[^\w\s]")
_MIN_DOCUMENTS = 2
_EPOCHS = 60
_BATCH_SIZE = 32


def accuracy(predicted: np.ndarray, labels: Sequence[int]) -> float:
    """Fraction of labels that were predicted, NumPy int arrays of `(n,)`."""
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


class BagOfWords:
    """Logistic regression on the words of the whole document.

    It sees everything that the document contains, but not the order. Each
    word counts by the logarithm of its frequency, and every document has the
    same length as a vector.

    Args:
        seed: int. Order of the training batches. Defaults to `0`.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed
        self._columns: dict[str, int] = {}
        self._weights: np.ndarray | None = None
        self._model: keras.Model | None = None

    def fit(self, texts: Sequence[str], labels: Sequence[int]) -> BagOfWords:
        """Learns from texts and their labels.

        Args:
            texts: list of strings.
            labels: list of ints, `0` to the number of labels - 1.

        Returns:
            The object itself.
        """
        found_in = Counter(
            word for text in texts for word in set(_WORD.findall(text))
        )
        words = sorted(
            word for word, count in found_in.items() if count >= _MIN_DOCUMENTS
        )
        self._columns = {word: column for column, word in enumerate(words)}
        self._weights = np.array(
            [1.0 + math.log(len(texts) / found_in[word]) for word in words],
            dtype="float32",
        )
        self._model = keras.Sequential(
            [
                keras.layers.Input((len(words),)),
                keras.layers.Dense(max(labels) + 1, kernel_initializer="zeros"),
            ]
        )
        self._model.compile(
            keras.optimizers.Adam(0.01),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        )
        order = np.random.default_rng(self.seed).permutation(len(texts))
        self._model.fit(
            self._features([texts[row] for row in order]),
            np.asarray(labels)[order],
            batch_size=_BATCH_SIZE,
            epochs=_EPOCHS,
            shuffle=False,
            verbose=0,
        )
        return self

    def predict(self, texts: Sequence[str]) -> np.ndarray:
        """Predicts labels.

        Args:
            texts: list of strings.

        Returns:
            An int array of shape `(len(texts),)`.

        Raises:
            ValueError: `fit` was not called.
        """
        if self._model is None:
            raise ValueError(
                "A bag of words predicts only after it has learnt. Received: "
                "predict before fit. Call fit(texts, labels) first."
            )
        logits = self._model.predict_on_batch(self._features(texts))
        return logits.argmax(axis=-1)

    def _features(self, texts: Sequence[str]) -> np.ndarray:
        # (documents, words)
        features = np.zeros((len(texts), len(self._columns)), dtype="float32")
        for row, text in enumerate(texts):
            for word, count in Counter(_WORD.findall(text)).items():
                column = self._columns.get(word)
                if column is not None:
                    features[row, column] = 1.0 + math.log(count)
        features *= self._weights
        norms = np.linalg.norm(features, axis=1, keepdims=True)
        return features / np.maximum(norms, 1e-12)
