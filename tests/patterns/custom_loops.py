"""Loops of one's own: GradientTape, tf.function, tf.train.Checkpoint."""

from __future__ import annotations

import tensorflow as tf
from patterns.material import TEXTS
from patterns.material import drawn

from tf_longformer import LongformerTokenizer
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerModel

LABELS = [1, 0, 2, 1]


def train_with_a_tape(hub, scratch):
    name = hub / "ForSequenceClassification"
    tokenizer = LongformerTokenizer.from_pretrained(name)
    model = TFLongformerForSequenceClassification.from_pretrained(name)
    loss_object = tf.keras.losses.SparseCategoricalCrossentropy(
        from_logits=True
    )
    optimizer = tf.keras.optimizers.SGD(learning_rate=0.1)
    train_loss = tf.keras.metrics.Mean(name="train_loss")
    train_accuracy = tf.keras.metrics.SparseCategoricalAccuracy()

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None, None], tf.int32),
            tf.TensorSpec([None], tf.int64),
        ]
    )
    def train_step(ids, mask, labels):
        with tf.GradientTape() as tape:
            logits = model([ids, mask], training=True)[0]
            loss = loss_object(labels, logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        train_loss(loss)
        train_accuracy(labels, logits)
        return loss

    losses = []
    for texts, labels in ((TEXTS[:2], LABELS[:2]), (TEXTS[2:], LABELS[2:])):
        batch = tokenizer(texts, padding=True, return_tensors="tf")
        losses.append(
            train_step(
                batch["input_ids"],
                batch["attention_mask"],
                tf.constant(labels, tf.int64),
            )
        )
    assert 0 <= float(train_accuracy.result()) <= 1
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
    manager = tf.train.CheckpointManager(
        checkpoint, str(scratch / "tape"), max_to_keep=2
    )
    manager.save()
    batch = tokenizer(TEXTS, padding=True, return_tensors="tf")
    wanted = model(batch)[0]
    fresh = TFLongformerForSequenceClassification.from_pretrained(name)
    status = tf.train.Checkpoint(model=fresh).restore(manager.latest_checkpoint)
    status.expect_partial()
    tf.debugging.assert_near(fresh(batch)[0], wanted)
    return {
        "losses": losses,
        "mean": train_loss.result(),
        "logits": wanted,
    }


def freeze_the_first_layer(hub, scratch):
    """`model.layers[0]` is the body: frozen, and used as an encoder."""
    name = hub / "ForSequenceClassification"
    tokenizer = LongformerTokenizer.from_pretrained(name)
    model = TFLongformerForSequenceClassification.from_pretrained(name)
    model.layers[0].trainable = False
    batch = tokenizer(TEXTS, padding=True, return_tensors="tf")
    before = model.layers[0](batch)[0]
    with tf.GradientTape() as tape:
        logits = model(dict(batch), training=True).logits
        loss = tf.reduce_mean(
            tf.nn.sparse_softmax_cross_entropy_with_logits(LABELS, logits)
        )
    gradients = tape.gradient(loss, model.trainable_variables)
    assert len(gradients) == 4
    optimizer = tf.keras.optimizers.SGD(0.1)
    optimizer.apply_gradients(
        zip(gradients, model.trainable_variables, strict=True)
    )
    tf.debugging.assert_near(model.layers[0](batch)[0], before)
    return {"logits": model(batch).logits, "loss": loss}


class Classifier(tf.keras.Model):
    """An encoder as an attribute, its first output pooled by its mask."""

    def __init__(self, name, **kwargs):
        super().__init__(**kwargs)
        self.encoder = TFLongformerModel.from_pretrained(name)
        self.dropout = tf.keras.layers.Dropout(0.0)
        self.dense = tf.keras.layers.Dense(3, kernel_initializer=drawn)

    def call(self, inputs, training=False):
        outputs = self.encoder(inputs, training=training)
        mask = tf.cast(inputs["attention_mask"], tf.float32)[:, :, None]
        total = tf.reduce_sum(outputs.last_hidden_state * mask, axis=1)
        pooled = total / tf.reduce_sum(mask, axis=1)
        return self.dense(self.dropout(pooled, training=training))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            logits = self(x, training=True)
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(y, logits)
            )
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_variables, strict=True)
        )
        return {"my_loss": loss}


def subclass_with_a_train_step(hub, scratch):
    name = hub / "Model"
    tokenizer = LongformerTokenizer.from_pretrained(name)
    batch = dict(tokenizer(TEXTS, padding=True, return_tensors="tf"))
    model = Classifier(name)
    model(batch)
    # What the loss doesn't reach: the pooler, and global projections.
    model.encoder.longformer.pooler.trainable = False
    model.compile(tf.keras.optimizers.SGD(0.1))
    dataset = tf.data.Dataset.from_tensor_slices((batch, LABELS)).batch(2)
    history = model.fit(dataset, epochs=1, verbose=0)
    path = str(scratch / "subclass.weights.h5")
    model.save_weights(path)
    wanted = model(batch)
    again = Classifier(name)
    again(batch)
    again.load_weights(path)
    tf.debugging.assert_near(again(batch), wanted)
    return {"loss": history.history["my_loss"], "logits": wanted}
