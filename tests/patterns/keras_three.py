"""What people write for Keras 3 alone; transformers has no counterpart."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from patterns.material import QUESTIONS
from patterns.material import TEXTS

from tf_longformer import LongformerTextPreprocessor
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerForTokenClassification
from tf_longformer import TFLongformerModel


def strings_in(hub, scratch):
    """A preprocessor and a backbone in one model, as KerasHub's tasks are."""
    name = hub / "Model"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    backbone = TFLongformerModel.from_pretrained(name)
    preprocessor = LongformerTextPreprocessor(tokenizer, max_length=32)
    data = tf.data.Dataset.from_tensor_slices((TEXTS, [1, 0, 1, 0])).batch(2)
    data = data.map(lambda text, label: (preprocessor(text), label))
    inputs = {
        key: keras.Input((None,), dtype=spec.dtype.name, name=key)
        for key, spec in data.element_spec[0].items()
    }
    x = keras.layers.Dropout(0.1)(backbone(inputs)["pooler_output"])
    model = keras.Model(inputs, keras.layers.Dense(2, name="logits")(x))
    model.compile(
        optimizer=keras.optimizers.AdamW(5e-5),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=[keras.metrics.SparseCategoricalAccuracy()],
    )
    model.fit(data, verbose=0)
    path = scratch / "task.keras"
    model.save(path)
    again = keras.models.load_model(path)
    wanted = model.predict(data, verbose=0)
    np.testing.assert_allclose(
        again.predict(data, verbose=0), wanted, atol=1e-6
    )
    return {"logits": wanted}


def half_precision(hub, scratch):
    """A global policy, and a last layer in float32."""
    name = hub / "Model"
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        encoder = TFLongformerModel.from_pretrained(name)
        ids = keras.Input((None,), dtype="int32")
        mask = keras.Input((None,), dtype="int32")
        x = encoder([ids, mask])[0]
        x = keras.layers.GlobalAveragePooling1D()(x, mask=mask)
        x = keras.layers.Dense(2, activation="softmax", dtype="float32")(x)
        model = keras.Model([ids, mask], x)
        model.compile("adamw", "sparse_categorical_crossentropy")
        encoding = LongformerTokenizerFast.from_pretrained(name)(
            TEXTS, padding=True, return_tensors="np"
        )
        batch = [encoding["input_ids"], encoding["attention_mask"]]
        model.fit(batch, np.array([1, 0, 1, 0]), verbose=0)
        assert encoder.dtype_policy.name == "mixed_bfloat16"
        return {"probabilities": model.predict(batch, verbose=0)}
    finally:
        keras.mixed_precision.set_global_policy("float32")


@keras.saving.register_keras_serializable("patterns")
class Judge(keras.Model):
    """A subclass around an encoder that names how it is made again."""

    def __init__(self, encoder, classes=2, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder
        self.classes = classes
        self.head = keras.layers.Dense(classes, name="head")

    def call(self, inputs, training=False):
        return self.head(self.encoder(inputs, training=training)[1])

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "classes": self.classes,
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config.pop("encoder"))
        return cls(encoder, **config)


def subclass_in_a_file(hub, scratch):
    name = hub / "Model"
    batch = dict(
        LongformerTokenizerFast.from_pretrained(name)(
            QUESTIONS, TEXTS, padding=True, return_tensors="np"
        )
    )
    model = Judge(TFLongformerModel.from_pretrained(name), classes=3)
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(batch, np.ones((4, 3)), verbose=0)
    wanted = model.predict(batch, verbose=0)
    model.save(scratch / "judge.keras")
    again = keras.models.load_model(scratch / "judge.keras")
    np.testing.assert_allclose(
        again.predict(batch, verbose=0), wanted, atol=1e-6
    )
    return {"logits": wanted}


def accuracy_without_ignored_labels(hub, scratch):
    """`metrics=["accuracy"]` beside labels of -100."""
    name = hub / "ForTokenClassification"
    model = TFLongformerForTokenClassification.from_pretrained(name)
    encoding = LongformerTokenizerFast.from_pretrained(name)(
        TEXTS, padding=True, return_tensors="np"
    )
    labels = np.where(encoding["input_ids"] % 3 == 0, -100, 1)
    labels[encoding["attention_mask"] == 0] = -100
    model.compile("sgd", metrics=["accuracy"])
    found = model.evaluate(
        {**encoding, "labels": labels}, return_dict=True, verbose=0
    )
    guesses = model.predict(dict(encoding), verbose=0).logits.argmax(-1)
    wanted = (guesses == labels)[labels != -100].mean()
    np.testing.assert_allclose(found["accuracy"], wanted, atol=1e-6)
    return {"loss": found["loss"]}


def folds(hub, scratch):
    """A model a fold, weights averaged over predictions, old ones cleared."""
    name = hub / "ForSequenceClassification"
    encoding = LongformerTokenizerFast.from_pretrained(name)(
        TEXTS, padding=True, return_tensors="np"
    )
    labels = np.array([2, 0, 1, 2])
    total = np.zeros((4, 3))
    for fold in range(2):
        keras.backend.clear_session()
        keras.utils.set_random_seed(fold)
        train = np.arange(4) % 2 != fold
        model = TFLongformerForSequenceClassification.from_pretrained(name)
        model.compile(
            keras.optimizers.Adam(1e-3), metrics=["accuracy"], jit_compile=False
        )
        part = {key: value[train] for key, value in encoding.items()}
        model.train_on_batch(part, labels[train])
        total += model.predict_on_batch(dict(encoding)).logits
    return {"logits": total / 2}
