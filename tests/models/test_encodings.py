"""What a tokenizer returns goes into a model as it is."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny
from helpers.small_tokenizer import FOLDER as SMALL

from tf_longformer import LongformerTokenizer
from tf_longformer import global_attention_mask

TEXTS = ["A long text, and more of it.", "Short.", "It's <mask> text"]
LABELS = np.array([0, 2, 1])


@pytest.fixture(scope="module")
def tokenizer():
    return LongformerTokenizer.from_pretrained(SMALL)


@pytest.fixture(scope="module")
def model():
    return checks.seeded(
        tiny.make_model,
        "ForSequenceClassification",
        vocab_size=700,
        max_position_embeddings=64,
    )


@pytest.mark.parametrize("kind", ["np", "tf", None])
def test_calls(tokenizer, model, kind):
    encoding = tokenizer(TEXTS, padding=True, return_tensors=kind)
    wanted = model(
        np.array(encoding["input_ids"]),
        attention_mask=np.array(encoding["attention_mask"]),
    )
    for found in (
        model(encoding),
        model(**encoding),
        model(dict(encoding)),
        model(encoding["input_ids"], encoding["attention_mask"]),
        model.predict(encoding, verbose=0) if kind else wanted,
        *(
            call([encoding["input_ids"], encoding["attention_mask"]])
            for call in ((model, model.predict_on_batch) if kind else ())
        ),
    ):
        checks.assert_equal(found.logits, wanted.logits)
    mask = global_attention_mask(encoding, "cls")
    checks.assert_equal(model(encoding, global_attention_mask=mask), wanted)
    one = tokenizer(TEXTS[1], return_tensors=kind)
    checks.assert_equal(model(one).logits[0], wanted.logits[1])


def test_training():
    tokenizer = LongformerTokenizer.from_pretrained(SMALL)
    encoding = tokenizer(TEXTS, padding=True, return_tensors="tf")
    losses = []
    for x, y in (
        (dict(encoding), LABELS),
        (encoding, LABELS),
        ({**encoding, "labels": LABELS}, None),
        (dict(encoding), {"labels": LABELS}),
        ((encoding["input_ids"], encoding["attention_mask"]), LABELS),
    ):
        model = checks.seeded(
            tiny.make_model,
            "ForSequenceClassification",
            vocab_size=700,
            max_position_embeddings=64,
        )
        model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        model.fit(x, y, shuffle=False, verbose=0)
        losses.append(model.evaluate(x, y, verbose=0))
    np.testing.assert_allclose(losses, losses[0], rtol=1e-6)
    assert losses[0] < 1.5


def test_a_dataset_of_ids_and_masks(tokenizer, model):
    encoding = tokenizer(TEXTS, padding=True, return_tensors="tf")
    pair = (encoding["input_ids"], encoding["attention_mask"])
    dataset = tf.data.Dataset.from_tensors((pair, LABELS))
    model.compile("sgd", run_eagerly=True)
    expected = model.evaluate(dict(encoding), LABELS, verbose=0)
    assert model.evaluate(dataset, verbose=0) == pytest.approx(expected)
    checks.assert_equal(model.predict(dataset, verbose=0), model(encoding))


def test_what_a_model_does_not_take(tokenizer, model):
    """Offsets and the like are named, not dropped."""
    encoding = tokenizer(TEXTS, padding=True, return_offsets_mapping=True)
    with pytest.raises(TypeError, match=r"unknown \['offset_mapping'\]"):
        model(encoding)
