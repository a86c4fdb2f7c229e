"""The task guides of transformers 4: five tasks, collators, prediction."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf
from patterns.material import QUESTIONS
from patterns.material import TEXTS

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerForMultipleChoice
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerForTokenClassification


def optimizer():
    """In the place of `create_optimizer`: warm-up and decay to zero."""
    schedule = tf.keras.optimizers.schedules.PolynomialDecay(
        initial_learning_rate=1e-2, decay_steps=10, end_learning_rate=0.0
    )
    return tf.keras.optimizers.SGD(schedule, momentum=0.9)


def classify_texts(hub, scratch):
    name = hub / "ForSequenceClassification"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    names = {0: "NO", 1: "PERHAPS", 2: "YES"}
    model = TFLongformerForSequenceClassification.from_pretrained(
        name,
        num_labels=3,
        id2label=names,
        label2id={label: number for number, label in names.items()},
    )
    encoding = tokenizer(TEXTS, truncation=True, padding=True)
    columns = {**encoding, "labels": [2, 0, 1, 2]}
    dataset = tf.data.Dataset.from_tensor_slices(dict(columns)).batch(2)
    model.compile(optimizer=optimizer())
    history = model.fit(
        x=dataset, validation_data=dataset, epochs=2, verbose=0
    ).history
    model.save_pretrained(scratch / "classifier")
    tokenizer.save_pretrained(scratch / "classifier")
    again = TFLongformerForSequenceClassification.from_pretrained(
        scratch / "classifier"
    )
    inputs = tokenizer(TEXTS[0], return_tensors="tf")
    logits = again(**inputs).logits
    number = int(tf.math.argmax(logits, axis=-1)[0])
    assert again.config.id2label[number] in names.values()
    return {
        "loss": history["loss"],
        "val_loss": history["val_loss"],
        "logits": logits,
    }


def tag_words(hub, scratch):
    name = hub / "ForTokenClassification"
    tokenizer = LongformerTokenizerFast.from_pretrained(
        name, add_prefix_space=True
    )
    words = [text.split() for text in TEXTS]
    encoding = tokenizer(words, truncation=True, is_split_into_words=True)
    labels = []
    for row in range(len(words)):
        previous, ids = None, []
        for word in encoding.word_ids(batch_index=row):
            ids.append(-100 if word in (None, previous) else word % 3)
            previous = word
        labels.append(ids)
    features = [
        {
            "input_ids": encoding["input_ids"][row],
            "attention_mask": encoding["attention_mask"][row],
        }
        for row in range(len(words))
    ]
    batch = dict(tokenizer.pad(features, return_tensors="np"))
    length = batch["input_ids"].shape[1]
    batch["labels"] = np.array(
        [row + [-100] * (length - len(row)) for row in labels]
    )
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(2)
    model = TFLongformerForTokenClassification.from_pretrained(name)
    model.compile(optimizer=optimizer())
    history = model.fit(dataset, epochs=2, verbose=0).history
    predictions = model.predict(dataset, verbose=0)
    tags = np.argmax(predictions["logits"], axis=-1)
    true = [
        model.config.id2label[tag]
        for tag in tags[batch["labels"] != -100].tolist()
    ]
    assert len(true) == sum(map(len, words))
    return {"loss": history["loss"], "logits": predictions["logits"]}


def fill_masks(hub, scratch):
    name = hub / "ForMaskedLM"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    model = TFLongformerForMaskedLM.from_pretrained(name)
    ids = np.array(tokenizer(" ".join(TEXTS)).input_ids)[:64].reshape(2, 32)
    hidden = np.arange(64).reshape(2, 32) % 7 == 3
    batch = {
        "input_ids": np.where(hidden, tokenizer.mask_token_id, ids),
        "attention_mask": np.ones_like(ids),
        "labels": np.where(hidden, ids, -100),
    }
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(2)
    model.compile(optimizer=optimizer())
    before = model.evaluate(dataset, verbose=0)
    history = model.fit(dataset, epochs=1, verbose=0).history
    after = model.evaluate(dataset, verbose=0)
    assert math.exp(after) < math.exp(before)
    text = f"The students {tokenizer.mask_token} to cook."
    inputs = tokenizer(text, return_tensors="np")
    logits = model(**inputs).logits
    place = np.argwhere(inputs["input_ids"] == tokenizer.mask_token_id)[0, 1]
    best = np.argsort(-logits[0, place, :])[:5].tolist()
    for token in best:
        word = tokenizer.decode([token])
        assert text != text.replace(tokenizer.mask_token, word)
    return {
        "loss": history["loss"],
        "evaluated": [before, after],
        "logits": logits,
    }


def choose(hub, scratch):
    """SWAG: sentences flattened, encoded, and folded back by choices."""
    name = hub / "ForMultipleChoice"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    firsts = [[text] * 2 for text in TEXTS]
    seconds = [
        [QUESTIONS[row], QUESTIONS[row - 1]] for row in range(len(TEXTS))
    ]
    encoding = tokenizer(sum(firsts, []), sum(seconds, []), truncation=True)
    features = [
        {key: values[row] for key, values in encoding.items()}
        for row in range(8)
    ]
    batch = tokenizer.pad(features, padding=True, return_tensors="tf")
    batch = {key: tf.reshape(value, (4, 2, -1)) for key, value in batch.items()}
    # HF's TensorFlow class has no global tokens here; its PyTorch class has.
    batch["global_attention_mask"] = tf.zeros_like(batch["input_ids"])
    batch["labels"] = tf.constant([0, 1, 0, 1], tf.int64)
    dataset = tf.data.Dataset.from_tensor_slices(batch).batch(2)
    model = TFLongformerForMultipleChoice.from_pretrained(name)
    model.compile(optimizer=optimizer())
    history = model.fit(x=dataset, epochs=2, verbose=0).history
    inputs = {key: value[:1] for key, value in batch.items() if key != "labels"}
    logits = model(inputs).logits
    assert int(tf.math.argmax(logits, axis=-1)[0]) in (0, 1)
    return {"loss": history["loss"], "logits": logits}
