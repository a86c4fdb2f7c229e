"""What people try who know transformers 4 and Keras and read no README.

It works, or the error names the fix. Eager, as only the way in is looked at.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import tiny
from helpers.small_tokenizer import FOLDER as TOKENIZER

from tf_longformer import LongformerTokenizerFast
from tf_longformer import MaskedLanguageModelCollator
from tf_longformer import PaddingCollator
from tf_longformer import TFLongformerForSequenceClassification

TEXTS = ["I think so.", "No, but a small one!", "At home.", "Anna lives."]
LABELS = [0, 1, 2, 1]
EAGERLY = "ignore:Even though the `tf.config.experimental_run:UserWarning"


@pytest.fixture(scope="module")
def tokenizer():
    return LongformerTokenizerFast.from_pretrained(TOKENIZER)


@pytest.fixture(scope="module")
def classifier():
    return tiny.make_model("ForSequenceClassification", vocab_size=700)


@pytest.fixture(autouse=True)
def _eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


class Batches(keras.utils.PyDataset):
    """Yields what the tokenizer returns, as it is."""

    def __init__(self, tokenizer):
        super().__init__()
        self.tokenizer = tokenizer

    def __len__(self):
        return 2

    def __getitem__(self, index):
        rows = slice(2 * index, 2 * index + 2)
        encoding = self.tokenizer(
            TEXTS[rows], padding="max_length", max_length=16,
            return_tensors="np",
        )  # fmt: skip
        return encoding, np.array(LABELS[rows])


FED = {
    "an encoding of lists, labels in a list": lambda tokenizer: (
        (tokenizer(TEXTS, padding=True), LABELS)
    ),
    "a dict of lists, one array of labels in a list": lambda tokenizer: (
        (dict(tokenizer(TEXTS, padding=True)), [np.array(LABELS)])
    ),
    "lists in a list": lambda tokenizer: (
        (tokenizer(TEXTS, padding=True)["input_ids"], tuple(LABELS))
    ),
    "ids and mask in a list": lambda tokenizer: (
        [
            tokenizer(TEXTS, padding=True, return_tensors="tf")[name]
            for name in ("input_ids", "attention_mask")
        ],
        np.array(LABELS)[:, None],
    ),
    "a dataset of encodings": lambda tokenizer: (Batches(tokenizer), None),
    "a generator of encodings": lambda tokenizer: (
        (batch for batch in [Batches(tokenizer)[0]] * 2),
        None,
    ),
}


@pytest.mark.filterwarnings(EAGERLY)
# Ids alone, without their mask.
@pytest.mark.filterwarnings("ignore:`input_ids` contain padding")
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize("form", FED)
def test_what_is_fed(form, tokenizer, classifier):
    x, y = FED[form](tokenizer)
    classifier.compile(keras.optimizers.SGD(0.0), metrics=["accuracy"])
    found = classifier.evaluate(x, y, return_dict=True, verbose=0)
    if "generator" in form:
        return
    x = tokenizer(TEXTS, padding=True, return_tensors="np")
    if form == "lists in a list":
        del x["attention_mask"]
    logits = classifier(dict(x)).logits
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    np.testing.assert_allclose(
        found["loss"], loss(np.array(LABELS), logits), rtol=1e-5
    )


@pytest.mark.filterwarnings(EAGERLY)
def test_lists_are_predicted(tokenizer, classifier):
    encoding = tokenizer(TEXTS, padding=True)
    wanted = classifier(encoding).logits
    for x in (encoding, dict(encoding)):
        found = classifier.predict(x, verbose=0).logits
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    with pytest.raises(ValueError, match="Pad the rows"):
        classifier.predict(tokenizer(TEXTS))


@pytest.mark.parametrize(
    ("loss", "warned"),
    [
        ("sparse_categorical_crossentropy", True),
        ({"logits": keras.losses.CategoricalCrossentropy()}, True),
        (keras.losses.binary_crossentropy, True),
        (keras.losses.SparseCategoricalCrossentropy(from_logits=True), False),
        ("mse", False),
        (lambda y, logits: keras.ops.mean(logits), False),
        (None, False),
    ],
)
def test_losses_of_probabilities(loss, warned, classifier, recwarn):
    classifier.compile("sgd", loss)
    messages = [str(warning.message) for warning in recwarn]
    assert any("from_logits=True" in text for text in messages) == warned


def test_shapes_that_python_functions_lose(tokenizer, classifier):
    tf.config.run_functions_eagerly(False)
    encode = tf.function(
        lambda: classifier(tf.py_function(lambda: [[0, 5, 2]], [], tf.int32))
    )
    with pytest.raises(ValueError, match=r"`tensor.set_shape\(\[None\]\)`"):
        encode()


def test_arguments_of_a_call_while_loading(tmp_path, tokenizer, caplog):
    loaded = LongformerTokenizerFast.from_pretrained(
        TOKENIZER, truncation=True, padding=True, max_length=8, model_max_len=4
    )
    assert loaded(TEXTS)["input_ids"] == tokenizer(TEXTS)["input_ids"]
    assert "pass them to each call" in caplog.text
    with pytest.raises(TypeError, match="unknown .*paddling"):
        LongformerTokenizerFast.from_pretrained(TOKENIZER, paddling=True)


def test_names_and_frozen_weights_while_loading(tmp_path, classifier):
    classifier.save_pretrained(tmp_path)
    frozen = TFLongformerForSequenceClassification.from_pretrained(
        tmp_path, name="transformer", trainable=False
    )
    assert frozen.name == "transformer"
    assert not frozen.trainable_weights
    assert TFLongformerForSequenceClassification.from_pretrained(
        tmp_path
    ).trainable_weights


def test_keywords_of_transformers_collators(tokenizer):
    examples = [tokenizer(text) for text in TEXTS]
    old = PaddingCollator(tokenizer=tokenizer, return_tensors="tf")(examples)
    assert old.keys() == PaddingCollator(tokenizer)(examples).keys()
    MaskedLanguageModelCollator(tokenizer, mlm=True, mlm_probability=0.15)
    with pytest.raises(TypeError, match=r"called `probability`"):
        MaskedLanguageModelCollator(tokenizer, mlm_probability=0.3)
    with pytest.raises(TypeError, match=r"`buckets=\[length\]`"):
        PaddingCollator(tokenizer, padding="max_length", max_length=8)


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("TFLongformerTokenizer", "LongformerTokenizerFast"),
        ("RobertaTokenizer", "LongformerTokenizerFast"),
        ("TFPreTrainedModel", "TFLongformerPreTrainedModel"),
        ("TFRobertaModel", "attention_window=512"),
    ],
)
def test_names_of_transformers(name, instead):
    with pytest.raises(ImportError, match=instead):
        exec(f"from tf_longformer import {name}")
