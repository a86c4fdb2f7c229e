"""The six models under everything that Keras does."""

import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny

from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerForTokenClassification
from tf_longformer.models import keras_methods


@pytest.fixture(autouse=True)
def _no_old_graphs():
    yield
    keras.backend.clear_session()


def data(head):
    return tiny.make_inputs(head), tiny.make_labels(head)


@pytest.mark.parametrize("head", tiny.HEADS)
def test_outputs(head):
    checks.check_outputs(tiny.make_model(head), tiny.make_inputs(head))


def test_outputs_of_a_batch_and_of_a_function():
    model, inputs = tiny.make_model("Model"), tiny.make_inputs("Model")
    eager = model(inputs)
    for outputs in (
        model.predict_on_batch(inputs),
        tf.function(lambda tensors: model(tensors))(inputs),
    ):
        assert type(outputs) is type(eager)
        assert list(outputs) == list(eager)
        checks.assert_equal(outputs, eager, 1e-5)


@pytest.mark.parametrize("head", tiny.TRAINED)
def test_saving(head, tmp_path):
    checks.check_saving(lambda: tiny.make_model(head), *data(head), tmp_path)


@pytest.mark.parametrize("head", tiny.TRAINED)
def test_fit(head):
    def make():
        return tiny.make_model(head)

    eager = checks.check_fit(make, *data(head), run_eagerly=True)
    several = checks.check_fit(make, *data(head), steps_per_execution=2)
    assert several == pytest.approx(eager, rel=1e-5)


@pytest.mark.parametrize(
    "head",
    [
        "ForTokenClassification",
        *(
            pytest.param(head, marks=pytest.mark.slow)
            for head in tiny.TRAINED
            if head != "ForTokenClassification"
        ),
    ],
)
def test_fit_with_xla(head):
    def make():
        return tiny.make_model(head)

    eager = checks.check_fit(make, *data(head), run_eagerly=True)
    xla = checks.check_fit(make, *data(head), jit_compile=True)
    assert xla == pytest.approx(eager, rel=1e-5)


def test_xla_where_there_is_only_a_cpu(monkeypatch):
    model = tiny.make_model("ForMaskedLM")
    for only_cpus in (True, False):
        monkeypatch.setattr(
            keras_methods, "has_only_cpus", lambda x=only_cpus: x
        )
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.compile("sgd", jit_compile=False)
            assert not caught
            model.compile("sgd", jit_compile=True)
        assert ["Leave it out" in str(w.message) for w in caught] == (
            [True] * only_cpus
        )


def test_a_fresh_process_goes_on(tmp_path):
    head = "ForMaskedLM"
    inputs, labels = data(head)
    model = tiny.make_model(head)
    model.compile(keras.optimizers.AdamW(1e-2), run_eagerly=True)
    model.fit({**inputs, **labels}, verbose=0)
    model.save(tmp_path / "model.keras")
    np.savez(tmp_path / "data.npz", **inputs, **labels)
    script = """
import sys, keras, numpy as np
import tf_longformer
model = keras.models.load_model(sys.argv[1] + "/model.keras")
data = dict(np.load(sys.argv[1] + "/data.npz"))
print(repr(model.fit(data, verbose=0, shuffle=False).history["loss"][0]))
"""
    printed = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    history = model.fit({**inputs, **labels}, verbose=0, shuffle=False).history
    assert float(printed.split()[-1]) == pytest.approx(history["loss"][0])


def test_training_without_global_tokens_warns_of_nothing():
    """A warning would be an error here; others still come through."""
    inputs, labels = data("ForMaskedLM")
    del inputs["global_attention_mask"]
    model = tiny.make_model("ForMaskedLM")
    model.compile("sgd", run_eagerly=True)
    model.fit({**inputs, **labels}, verbose=0)
    model.train_on_batch({**inputs, **labels})

    class Extended(TFLongformerForMaskedLM):
        def build_head(self):
            super().build_head()
            self.extra = self.add_weight(shape=(), name="extra")

    model = Extended(model.config)
    model.compile("sgd", run_eagerly=True)
    with pytest.warns(UserWarning, match="Gradients do not exist.*extra"):
        model.fit({**inputs, **labels}, verbose=0)


def fresh(head="ForTokenClassification", **compiled):
    model = checks.seeded(tiny.make_model, head)
    compiled = {"run_eagerly": True, **compiled}
    model.compile(keras.optimizers.SGD(0.0), **compiled)
    return model


@pytest.mark.parametrize("head", tiny.TRAINED)
def test_sample_weight_wherever_the_labels_are(head):
    inputs, labels = data(head)
    weight = np.array([3.0, 0.0, 0.5, 0.0], "float32")
    y = labels if len(labels) > 1 else labels["labels"]
    both = {**inputs, **labels}
    model = fresh(head)
    plain = model.evaluate(both, verbose=0)
    expected = model.evaluate(inputs, y, sample_weight=weight, verbose=0)
    assert expected != pytest.approx(plain, rel=1e-3)
    losses = model.fit(
        both,
        sample_weight=weight,
        validation_data=(both, None, weight),
        verbose=0,
    ).history
    found = [
        *losses["loss"],
        *losses["val_loss"],
        model.evaluate(both, sample_weight=weight, verbose=0),
        model.train_on_batch(both, sample_weight=weight),
        model.test_on_batch(both, sample_weight=weight),
        model.evaluate(
            tf.data.Dataset.from_tensor_slices((inputs, y, weight)).batch(4),
            verbose=0,
        ),
    ]
    assert found == pytest.approx([expected] * len(found), rel=1e-5)


@pytest.mark.parametrize(
    "head", ["ForMaskedLM", "ForTokenClassification", "ForMultipleChoice"]
)
def test_class_weight_is_a_weight_of_labels(head):
    inputs, labels = data(head)
    y = labels["labels"]
    some = int(y[y >= 0][0])
    weights = np.where(y == some, 5.0, 1.0).astype("float32")
    model = fresh(head)
    expected = model.evaluate(inputs, y, sample_weight=weights, verbose=0)
    both = {**inputs, **labels}
    found = [
        model.fit(both, class_weight={some: 5.0}, verbose=0).history["loss"][0],
        model.fit(inputs, y, class_weight={some: 5.0}, verbose=0).history[
            "loss"
        ][0],
        model.train_on_batch(both, class_weight={some: 5.0}),
    ]
    assert found == pytest.approx([expected] * 3, rel=1e-5)
    assert expected != pytest.approx(model.evaluate(both, verbose=0), rel=1e-3)


def test_class_weight_of_a_dataset():
    inputs, labels = data("ForSequenceClassification")
    model = fresh("ForSequenceClassification")
    rows = tf.data.Dataset.from_tensor_slices
    loss = model.fit(
        rows((inputs, labels["labels"])).batch(4),
        class_weight={2: 5.0},
        shuffle=False,
        verbose=0,
    ).history["loss"]
    expected = model.train_on_batch({**inputs, **labels}, class_weight={2: 5.0})
    assert loss == pytest.approx([expected], rel=1e-5)
    for dataset in (
        rows({**inputs, **labels}).batch(4),
        rows((inputs, tiny.make_labels("ForTokenClassification"))).batch(4),
    ):
        with pytest.raises(ValueError, match="third element"):
            model.fit(dataset, class_weight={2: 5.0}, verbose=0)
    with pytest.raises(ValueError, match="labels \\['end_positions'"):
        fresh("ForQuestionAnswering").fit(
            {**inputs, **tiny.make_labels("ForQuestionAnswering")},
            class_weight={2: 5.0},
        )
    with pytest.raises(ValueError, match="dtype float"):
        model.fit(inputs, np.ones((4, 3), "float32"), class_weight={2: 5.0})


def test_losses_and_metrics_of_keras():
    head = "ForTokenClassification"
    inputs, labels = data(head)
    y = labels["labels"]
    entropy = keras.losses.SparseCategoricalCrossentropy(
        from_logits=True, ignore_class=-100
    )
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    model = fresh(head, weighted_metrics=[accuracy])
    own, share = model.evaluate({**inputs, **labels}, verbose=0)
    predicted = np.argmax(model.predict(inputs, verbose=0).logits, -1)
    assert share == pytest.approx((predicted == y)[y >= 0].mean())
    for loss in (entropy, {"logits": entropy}):
        for target in (y, {"labels": y}, {"logits": y}):
            model = fresh(
                head, loss=loss, metrics=["sparse_top_k_categorical_accuracy"]
            )
            result = model.evaluate(inputs, target, verbose=0, return_dict=True)
            assert set(result) > {"loss"}
            assert result["loss"] == pytest.approx(own, rel=1e-5)


def test_a_config_that_asks_for_tuples():
    head = "ForTokenClassification"
    model = tiny.make_model(head, return_dict=False)
    data = {**tiny.make_inputs(head), **tiny.make_labels(head)}
    model.compile("sgd", weighted_metrics=["accuracy"], run_eagerly=True)
    model.fit(data, verbose=0)
    assert len(model.evaluate(data, verbose=0)) == 2
    assert isinstance(model(data), tuple)


@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_a_step_is_traced_once(method):
    """It would be twice, if it made the optimizer's variables."""
    head = "ForSequenceClassification"
    model = tiny.make_model(head)
    data = {**tiny.make_inputs(head), **tiny.make_labels(head)}
    body, traces = model.longformer.call, []
    model.longformer.call = lambda *a, **k: (traces.append(1), body(*a, **k))[1]
    model.compile("adamw")
    arguments = {"verbose": 0} if method == "fit" else {}
    getattr(model, method)(data, **arguments)
    assert len(traces) == 1


def test_callbacks(tmp_path):
    head = "ForSequenceClassification"
    inputs, labels = data(head)
    both = {**inputs, **labels}
    model = tiny.make_model(head)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    model.fit(
        both,
        epochs=3,
        verbose=0,
        validation_data=both,
        callbacks=[
            keras.callbacks.ModelCheckpoint(
                tmp_path / "best.keras", save_best_only=True
            ),
            keras.callbacks.ModelCheckpoint(
                tmp_path / "{epoch}.weights.h5", save_weights_only=True
            ),
            keras.callbacks.EarlyStopping(
                patience=1, restore_best_weights=True, min_delta=100.0
            ),
            keras.callbacks.BackupAndRestore(tmp_path / "backup"),
            keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        ],
    )
    # Nothing is as good as EarlyStopping wants: two epochs.
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3
    assert (tmp_path / "2.weights.h5").exists()
    best = keras.models.load_model(tmp_path / "best.keras")
    assert best.optimizer.iterations == 2


def test_tensorboard(tmp_path):
    pytest.importorskip("tensorboard", reason="TensorBoard is not installed")
    inputs, labels = data("ForSequenceClassification")
    board = keras.callbacks.TensorBoard(tmp_path)
    fresh("ForSequenceClassification").fit(
        {**inputs, **labels}, verbose=0, callbacks=[board]
    )
    assert list(tmp_path.rglob("events*"))


def test_backup_takes_up_where_it_was(tmp_path):
    head = "ForSequenceClassification"
    inputs, labels = data(head)

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def fit(*callbacks):
        model = checks.seeded(tiny.make_model, head)
        model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
        history = model.fit(
            {**inputs, **labels},
            epochs=2,
            verbose=0,
            callbacks=[*callbacks],
        ).history
        return model, history["loss"]

    def backup():
        return keras.callbacks.BackupAndRestore(tmp_path / "backup")

    with pytest.raises(KeyboardInterrupt):
        fit(backup(), Stop())
    whole, losses = fit()
    rest, last = fit(backup())
    assert last == pytest.approx(losses[1:], rel=1e-6)
    checks.assert_equal(rest.trainable_weights, whole.trainable_weights)


def test_inside_other_models(tmp_path):
    head = "ForTokenClassification"
    inputs, _ = data(head)
    longformer = tiny.make_model(head)
    variables = checks.symbolic(inputs)
    logits = longformer(variables).logits
    body = tiny.make_model("Model").longformer(**variables)
    joined = keras.layers.Concatenate()([logits, body.last_hidden_state])
    joined = keras.layers.Concatenate()(
        [joined, joined + body.pooler_output[:, None, :1]]
    )
    answer = keras.layers.Dense(1)(joined)
    model = keras.Model(variables, answer)
    model.compile("sgd", "mse", run_eagerly=True)
    model.fit(inputs, np.zeros((tiny.BATCH, tiny.SEQ, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    checks.assert_equal(loaded(inputs), model(inputs), 0)


def test_subclasses(tmp_path):
    class Scaled(TFLongformerForTokenClassification):
        def call(self, *args, **kwargs):
            outputs = super().call(*args, **kwargs)
            outputs.logits = 2 * outputs.logits
            return outputs

    inputs, labels = data("ForTokenClassification")
    plain = tiny.make_model("ForTokenClassification")
    ours = Scaled(plain.config)
    ours.set_weights(plain.get_weights())
    checks.assert_equal(ours(inputs).logits, 2 * plain(inputs).logits)
    ours.compile("sgd", run_eagerly=True)
    ours.fit({**inputs, **labels}, verbose=0)
    ours.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", custom_objects={"Scaled": Scaled}
    )
    checks.assert_equal(loaded(inputs), ours(inputs), 0)

    class Whole(keras.Model):
        def __init__(self):
            super().__init__()
            self.longformer = plain
            self.dense = keras.layers.Dense(2)

        def call(self, inputs):
            return self.dense(self.longformer(inputs).logits)

    whole = Whole()
    whole.compile("sgd", "mse", run_eagerly=True)
    whole.fit(inputs, np.zeros((tiny.BATCH, tiny.SEQ, 2)), verbose=0)
    assert whole.predict(inputs, verbose=0).shape == (tiny.BATCH, tiny.SEQ, 2)


def test_summary_counts():
    model = tiny.make_model("ForMaskedLM")
    lines = []
    model.summary(print_fn=lambda text, **_: lines.append(str(text)))
    text = "\n".join(lines)
    count = model.num_parameters()
    assert count == model.count_params()
    assert f"Total params: {count:,}" in text
    assert "Non-trainable params: 0 " in text


def test_freezing():
    head = "ForSequenceClassification"
    inputs, labels = data(head)
    model = tiny.make_model(head)
    model.longformer.trainable = False
    before = checks.arrays(model.longformer.weights)
    head_before = checks.arrays(model.classifier.weights)
    model.compile(keras.optimizers.Adam(0.1), run_eagerly=True)
    model.fit({**inputs, **labels}, verbose=0)
    checks.assert_equal(model.longformer.weights, before, 0)
    assert checks.difference(model.classifier.weights, head_before) > 0.01
    trained = model.num_parameters(only_trainable=True)
    assert trained == sum(array.size for array in head_before)


def freeze_the_body(model):
    model.longformer.trainable = False


def freeze_all_but_a_layer(model):
    model.longformer.trainable = False
    model.longformer.encoder.blocks[0].attention.query.trainable = True


def freeze_everything(model):
    model.trainable = False


@pytest.mark.parametrize(
    "freeze", [freeze_the_body, freeze_all_but_a_layer, freeze_everything]
)
def test_what_is_frozen_stays_so(freeze, tmp_path):
    head = "ForSequenceClassification"
    inputs, labels = data(head)
    both = {**inputs, **labels}
    model = tiny.make_model(head)
    freeze(model)
    names = [weight.path for weight in model.trainable_weights]
    assert (
        len(names)
        == {
            freeze_the_body: 4,
            freeze_all_but_a_layer: 6,
            freeze_everything: 0,
        }[freeze]
    )
    clone = keras.models.clone_model(model)
    model.compile(keras.optimizers.AdamW(0.01), run_eagerly=True)
    if names:
        model.fit(both, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for other in (clone, loaded):
        assert [weight.path for weight in other.trainable_weights] == names
    if names:
        states = [m.optimizer.variables for m in (loaded, model)]
        checks.assert_equal(*states, 0)
        assert loaded.optimizer.iterations == 1
        loaded.fit(both, verbose=0)


def test_a_model_with_lora_is_loaded_as_a_plain_one(tmp_path):
    head = "ForSequenceClassification"
    model = tiny.make_model(head)
    model.enable_lora(2)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.num_parameters(only_trainable=True) == (
        tiny.make_model(head).num_parameters()
    )


def test_export(tmp_path):
    head = "ForQuestionAnswering"
    inputs, _ = data(head)
    model = tiny.make_model(head)
    with warnings.catch_warnings():
        # TensorFlow's own, about its proto classes and names of its resources.
        warnings.simplefilter("ignore")
        model.export(tmp_path / "saved", verbose=False)
    serve = tf.saved_model.load(tmp_path / "saved").signatures[
        "serving_default"
    ]
    tensors = {name: tf.constant(value) for name, value in inputs.items()}
    checks.assert_equal(dict(serve(**tensors)), dict(model(inputs)), 1e-5)


def test_files_of_other_versions_say_so():
    model = tiny.make_model("Model")
    config = {**model.get_config(), "format": 99}
    with pytest.raises(ValueError, match="Received: format 99"):
        type(model).from_config(config)
    del config["format"]
    with pytest.raises(ValueError, match="Received: format None"):
        type(model).from_config(config)
