import numpy as np
import pytest

from tf_longformer.quickstart.baselines import BagOfWords
from tf_longformer.quickstart.baselines import accuracy
from tf_longformer.quickstart.baselines import predict_majority


def test_accuracy():
    assert accuracy(np.array([0, 1, 1, 2]), [0, 1, 2, 2]) == 0.75


def test_majority():
    np.testing.assert_array_equal(predict_majority([2, 0, 2], 4), [2] * 4)
    # A tie goes to the smallest.
    np.testing.assert_array_equal(predict_majority([1, 0], 2), [0, 0])


def _texts(rng, num_texts):
    """The label hides in one rare word among common ones."""
    texts, labels = [], []
    for index in range(num_texts):
        label = index % 3
        words = list(rng.choice(["a", "b", "c", "(", ")"], 50))
        words.insert(int(rng.integers(50)), f"mark{label}")
        texts.append(" ".join(words))
        labels.append(label)
    return texts, labels


def test_bag_of_words_finds_the_word_that_matters():
    rng = np.random.default_rng(0)
    texts, labels = _texts(rng, 60)
    bag = BagOfWords(seed=0).fit(texts, labels)
    texts, labels = _texts(rng, 30)
    assert accuracy(bag.predict(texts), labels) == 1.0


def test_bag_of_words_without_a_known_word():
    texts, labels = _texts(np.random.default_rng(0), 12)
    bag = BagOfWords().fit(texts, labels)
    assert bag.predict(["unknown words", ""]).shape == (2,)


def test_bag_of_words_predicts_only_after_fit():
    with pytest.raises(ValueError, match=r"Call fit\(texts, labels\)"):
        BagOfWords().predict(["a"])
