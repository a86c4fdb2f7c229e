"""What tutorials and projects did with TFLongformer..., with our import.

The calls are those that people write (transformers' documentation of six
heads, notebooks, projects on GitHub); the texts and the data are made up. What
can't go on says what to change.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny
from helpers.small_tokenizer import FOLDER as SMALL

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerForMultipleChoice
from tf_longformer import TFLongformerForQuestionAnswering
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerForTokenClassification
from tf_longformer import TFLongformerModel

TEXTS = ["I liked this long film.", "A dull one, and too long."] * 3
LABELS = [1, 0] * 3


@pytest.fixture(autouse=True, scope="module")
def _no_old_graphs():
    yield
    keras.backend.clear_session()


@pytest.fixture(scope="module")
def name(tmp_path_factory):
    """A folder in the place of `allenai/longformer-base-4096`."""
    folder = tmp_path_factory.mktemp("longformer")
    checks.seeded(
        tiny.make_model,
        "ForMaskedLM",
        vocab_size=700,
        max_position_embeddings=66,
    ).save_pretrained(folder)
    LongformerTokenizerFast.from_pretrained(SMALL).save_pretrained(folder)
    return str(folder)


def test_classify_a_sentence(name):
    """The documentation's example, and the app that shows one answer."""
    tokenizer = LongformerTokenizer.from_pretrained(name)
    model = TFLongformerForSequenceClassification.from_pretrained(
        name, num_labels=2, id2label={0: "bad", 1: "good"}
    )
    inputs = tokenizer("Hello, my dog is cute", return_tensors="tf")
    logits = model(**inputs).logits
    predicted_class_id = int(tf.math.argmax(logits, axis=-1)[0])
    assert model.config.id2label[predicted_class_id] in ("bad", "good")
    assert model.config.num_labels == len(model.config.id2label) == 2
    labels = tf.constant(1)
    loss = model(**inputs, labels=tf.reshape(labels, [1])).loss
    assert np.isfinite(tf.math.reduce_mean(loss))
    # With the calls of older versions.
    inputs = tokenizer.encode_plus(
        "Hello, my dog is cute", truncation=True, padding="longest",
        max_length=64, return_tensors="tf",
    )  # fmt: skip
    outputs = model(inputs["input_ids"])
    checks.assert_equal(outputs[0], logits)
    checks.assert_equal(outputs.logits, logits)
    assert tf.argmax(outputs.logits, axis=1).numpy()[0] == predicted_class_id


@pytest.mark.slow
def test_fine_tune_a_classifier_with_fit(name, tmp_path):
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encodings = tokenizer(TEXTS, truncation=True, max_length=64, padding=True)
    dataset = tf.data.Dataset.from_tensor_slices((dict(encodings), LABELS))
    model = TFLongformerForSequenceClassification.from_pretrained(name)
    model.layers[0].trainable = False
    assert model.layers[0] is model.longformer
    optimizer = tf.keras.optimizers.Adam(
        learning_rate=3e-2, epsilon=1e-08, clipnorm=1.0
    )
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    metric = tf.keras.metrics.SparseCategoricalAccuracy("accuracy")
    model.compile(optimizer=optimizer, loss=loss, metrics=[metric])
    history = model.fit(
        dataset.shuffle(100).batch(2),
        epochs=5,
        shuffle=False,
        validation_data=dataset.batch(3),
        callbacks=[
            tf.keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=9, restore_best_weights=True
            )
        ],
        verbose=0,
    )
    assert history.history["loss"][-1] < history.history["loss"][0]
    assert 0 <= history.history["val_accuracy"][-1] <= 1
    logits = model.predict(dataset.batch(4), verbose=0).logits
    probabilities = tf.nn.softmax(logits, axis=1).numpy()
    assert probabilities.shape == (6, 2)
    model.save_pretrained(tmp_path / "my_model")
    tokenizer.save_pretrained(tmp_path / "my_model")
    again = TFLongformerForSequenceClassification.from_pretrained(
        tmp_path / "my_model", from_pt=True
    )
    encoding = tokenizer(TEXTS, padding=True, return_tensors="tf")
    checks.assert_equal(again(encoding).logits, logits, 1e-5)


def test_answer_a_question(name):
    tokenizer = LongformerTokenizer.from_pretrained(name)
    model = TFLongformerForQuestionAnswering.from_pretrained(name)
    question, text = "Who was Jim?", "Jim was a nice puppet"
    inputs = tokenizer(question, text, return_tensors="tf")
    outputs = model(**inputs)
    answer_start_index = int(tf.math.argmax(outputs.start_logits, axis=-1)[0])
    answer_end_index = int(tf.math.argmax(outputs.end_logits, axis=-1)[0])
    predicted = inputs.input_ids[0, answer_start_index : answer_end_index + 1]
    assert isinstance(tokenizer.decode(predicted), str)
    outputs = model(
        **inputs,
        start_positions=tf.constant([4]),
        end_positions=tf.constant([5]),
    )
    assert np.isfinite(tf.math.reduce_mean(outputs.loss))
    # The first notebooks: scores, a tuple, tokens back to text.
    encoding = tokenizer.encode_plus(question, text, return_tensors="tf")
    start_scores, end_scores = model(dict(encoding), return_dict=False)
    checks.assert_equal(start_scores, outputs.start_logits)
    all_tokens = tokenizer.convert_ids_to_tokens(
        encoding["input_ids"][0].numpy().tolist()
    )
    answer_tokens = all_tokens[
        tf.argmax(start_scores, 1)[0] : tf.argmax(end_scores, 1)[0] + 1
    ]
    ids = tokenizer.convert_tokens_to_ids(answer_tokens)
    assert isinstance(tokenizer.decode(ids), str)


def test_tag_tokens(name):
    tokenizer = LongformerTokenizerFast.from_pretrained(
        name, add_prefix_space=True
    )
    model = TFLongformerForTokenClassification.from_pretrained(
        name, num_labels=3, label2id={"O": 0, "B-PER": 1, "I-PER": 2}
    )
    inputs = tokenizer(
        "HuggingFace is a company", add_special_tokens=False,
        return_tensors="tf",
    )  # fmt: skip
    logits = model(**inputs).logits
    predicted = tf.math.argmax(logits, axis=-1)
    labels = [model.config.id2label[t] for t in predicted[0].numpy().tolist()]
    assert set(labels) <= {"O", "B-PER", "I-PER"}
    loss = tf.math.reduce_mean(model(**inputs, labels=predicted).loss)
    assert np.isfinite(loss)
    # Words with their labels, the rest -100.
    words = tokenizer([["Jim", "was"]], is_split_into_words=True)
    aligned = [
        -100 if word is None else [1, 0][word] for word in words.word_ids(0)
    ]
    loss = model(words, labels=np.array([aligned])).loss
    assert np.isfinite(loss)


def test_fill_in_a_mask(name):
    tokenizer = LongformerTokenizer.from_pretrained(name)
    model = TFLongformerForMaskedLM.from_pretrained(name)
    inputs = tokenizer("The capital of France is <mask>.", return_tensors="tf")
    logits = model(**inputs).logits
    mask_token_index = tf.where(
        (inputs.input_ids == tokenizer.mask_token_id)[0]
    )
    selected = tf.gather_nd(logits[0], indices=mask_token_index)
    predicted_token_id = tf.math.argmax(selected, axis=-1)
    assert isinstance(tokenizer.decode(predicted_token_id), str)
    labels = tokenizer("The capital of France is w.", return_tensors="tf")
    labels = labels["input_ids"]
    assert labels.shape == inputs.input_ids.shape
    labels = tf.where(inputs.input_ids == tokenizer.mask_token_id, labels, -100)
    assert np.isfinite(model(**inputs, labels=labels).loss)
    # The lower layers frozen.
    trainable = len(model.trainable_weights)
    for layer in model.longformer.encoder.layer[:1]:
        layer.trainable = False
    assert len(model.trainable_weights) < trainable
    # A new word, and room for it in the model.
    assert tokenizer.add_tokens(["Paris"]) == 1
    model.resize_token_embeddings(len(tokenizer))
    ids = tokenizer.encode("Paris", return_tensors="tf")
    assert model(ids).logits.shape[-1] == len(tokenizer)


def test_choose(name):
    tokenizer = LongformerTokenizer.from_pretrained(name)
    model = TFLongformerForMultipleChoice.from_pretrained(name)
    prompt = "In Italy, pizza is served unsliced."
    choices = ["It is eaten with a fork.", "It is eaten while held."]
    encoding = tokenizer(
        [prompt, prompt], choices, return_tensors="tf", padding=True
    )
    inputs = {k: tf.expand_dims(v, 0) for k, v in encoding.items()}
    outputs = model(inputs)
    assert outputs.logits.shape == (1, 2)
    loss = model({**inputs, "labels": tf.constant([0])}).loss
    assert np.isfinite(loss)


# Keras says so of any model: no token is global.
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.slow
def test_a_head_of_layers_on_the_main_layer(name, tmp_path):
    """Functional models: `model.longformer`, LSTM and Dense on top."""
    base = TFLongformerForSequenceClassification.from_pretrained(name)
    ids = tf.keras.Input((16,), dtype=tf.int32, name="input_ids")
    mask = tf.keras.Input((16,), dtype=tf.int32, name="attention_mask")
    number = tf.keras.Input((1,), dtype=tf.float32, name="version_number")
    x = base.longformer(ids, attention_mask=mask)
    assert x[0] is x["last_hidden_state"]
    x = tf.keras.layers.LSTM(5)(x["last_hidden_state"])
    x = tf.keras.layers.Concatenate()([x, number])
    x = tf.keras.layers.Dropout(0.2)(x)
    x = tf.keras.layers.Dense(1, activation="sigmoid")(x)
    model = tf.keras.Model(
        inputs={"input_ids": ids, "attention_mask": mask,
                "version_number": number},
        outputs=[x],
    )  # fmt: skip
    model.compile("adam", loss="binary_crossentropy", metrics=["accuracy"])
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    encoding = tokenizer(
        TEXTS, padding="max_length", truncation=True, max_length=16,
        return_tensors="np",
    )  # fmt: skip
    data = {**encoding, "version_number": np.ones((6, 1), "float32")}
    history = model.fit(data, np.array(LABELS), verbose=0).history
    assert np.isfinite(history["loss"]).all()
    # And with the whole model, pooled, in a file.
    longformer = TFLongformerModel.from_pretrained(name)
    pooled = longformer(ids, attention_mask=mask)[1]
    outputs = tf.keras.layers.Dense(2)(pooled)
    model = tf.keras.Model([ids, mask], outputs)
    path = tmp_path / "model.keras"
    model.save(path)
    again = tf.keras.models.load_model(path)
    batch = [encoding["input_ids"], encoding["attention_mask"]]
    checks.assert_equal(again(batch), model(batch))


def test_embeddings_of_documents(name):
    """Mean over tokens, questions global, all layers and attentions."""
    config = LongformerConfig.from_pretrained(name, attention_window=4)
    model = TFLongformerModel.from_pretrained(name, config=config)
    tokenizer = LongformerTokenizer.from_pretrained(name)
    inputs = tokenizer(
        TEXTS[:2], truncation=True, padding="max_length", max_length=32,
        return_tensors="tf",
    )  # fmt: skip
    outputs = model(inputs)
    embeddings = tf.reduce_mean(outputs.last_hidden_state, axis=1)
    assert embeddings.numpy().shape == (2, 10)
    global_attention_mask = np.zeros(inputs["input_ids"].shape, np.int32)
    global_attention_mask[:, [0, 4, 11]] = 1
    outputs = model(
        inputs["input_ids"],
        attention_mask=inputs["attention_mask"],
        global_attention_mask=tf.constant(global_attention_mask),
        output_hidden_states=True,
        output_attentions=True,
    )
    assert outputs[0] is outputs.last_hidden_state
    assert outputs.pooler_output is outputs["pooler_output"]
    layers = model.config.num_hidden_layers
    assert len(outputs.hidden_states) == layers + 1
    assert len(outputs.attentions) == len(outputs.global_attentions) == layers


@pytest.mark.filterwarnings("ignore:Gradients do not exist")
@pytest.mark.slow
def test_a_loop_of_ones_own(name, tmp_path):
    """GradientTape, a subclass with an encoder, tf.train.Checkpoint."""

    class Classifier(tf.keras.Model):
        def __init__(self):
            super().__init__()
            self.encoder = TFLongformerModel.from_pretrained(
                name, from_pt=True, attention_window=8
            )
            self.dense = tf.keras.layers.Dense(2)

        def call(self, inputs, training=False):
            return self.dense(self.encoder(inputs, training=training)[1])

    model = Classifier()
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    x = dict(tokenizer(TEXTS[:2], padding=True, return_tensors="tf"))
    loss_of = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = tf.keras.optimizers.Adam(1e-2)
    losses = []
    for _ in range(3):
        with tf.GradientTape() as tape:
            logits = model(x, training=True)
            loss = loss_of(tf.constant(LABELS[:2]), logits)
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(
            zip(gradients, model.trainable_variables, strict=True)
        )
        losses.append(float(loss))
    assert losses[-1] < losses[0]
    checkpoint = tf.train.Checkpoint(model=model)
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=1)
    manager.save()
    wanted = model(x)
    model.dense.kernel.assign(0 * model.dense.kernel)
    checkpoint.restore(manager.latest_checkpoint).expect_partial()
    checks.assert_equal(model(x), wanted)


OLD = {
    "four tensors in a list": (
        lambda model, x, folder: model([x.input_ids, x.attention_mask] * 2),
        TypeError,
        "Pass them by keyword",
    ),
    "three in a row": (
        lambda model, x, folder: model(x.input_ids, x.attention_mask, None),
        TypeError,
        "all else by keyword",
    ),
    "a keyword of other models": (
        lambda model, x, folder: model(**x, encoder_hidden_states=1),
        TypeError,
        "unknown .*encoder_hidden_states",
    ),
    "PyTorch's habits": (
        lambda model, x, folder: model.to("cuda"),
        AttributeError,
        "`tf.device`",
    ),
    "a row without its batch": (
        lambda model, x, folder: model(x.input_ids[0]),
        ValueError,
        r"`dataset.batch\(...\)`",
    ),
    "PyTorch's tensors": (
        lambda model, x, folder: LongformerTokenizer.from_pretrained(folder)(
            "a", return_tensors="pt"
        ),
        ValueError,
        "must be 'np', 'tf' or None",
    ),
    "padding of 2020": (
        lambda model, x, folder: LongformerTokenizer.from_pretrained(
            folder
        ).encode("a", pad_to_max_length=True, max_length=8),
        TypeError,
        "pass `padding='max_length'`",
    ),
    "global attention as 2": (
        lambda model, x, folder: model(
            x.input_ids, attention_mask=2 * x.attention_mask
        ),
        ValueError,
        "global_attention_mask",
    ),
    "datasets of transformers": (
        lambda model, x, folder: model.prepare_tf_dataset([]),
        AttributeError,
        "tf.data.Dataset",
    ),
    "the loss of transformers": (
        lambda model, x, folder: model.hf_compute_loss(0, 0),
        AttributeError,
        "internal_loss",
    ),
    "the server of transformers": (
        lambda model, x, folder: model.serving(x),
        AttributeError,
        "export_saved_model",
    ),
    "a misspelt attribute": (
        lambda model, x, folder: model.longfomer,
        AttributeError,
        "no attribute 'longfomer'",
    ),
}


@pytest.fixture(scope="module")
def model(name):
    return TFLongformerModel.from_pretrained(name)


@pytest.mark.parametrize("old", OLD)
def test_what_to_change(name, model, old):
    encoding = LongformerTokenizerFast.from_pretrained(name)(
        "A text", return_tensors="tf"
    )
    call, error, message = OLD[old]
    with pytest.raises(error, match=f"(?s){message}"):
        call(model, encoding, name)
