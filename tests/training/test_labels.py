"""Where labels and losses may be, and what is said where they aren't."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny

QA = "ForQuestionAnswering"


def make(head, **compiled):
    model = checks.seeded(tiny.make_model, head)
    compiled = {"run_eagerly": True, **compiled}
    model.compile(keras.optimizers.SGD(0.0), **compiled)
    return model


@pytest.mark.parametrize("method", ["fit", "train_on_batch", "evaluate"])
def test_what_is_not_compiled_says_so(method):
    model = tiny.make_model("ForSequenceClassification")
    data = {
        **tiny.make_inputs("ForSequenceClassification"),
        **tiny.make_labels("ForSequenceClassification"),
    }
    with pytest.raises(ValueError, match="You must call `compile"):
        getattr(model, method)(data)


@pytest.mark.parametrize("y", [np.zeros(4, int), None])
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_the_bare_model_has_no_loss(method, y):
    model = make("Model")
    with pytest.raises(ValueError, match="has no loss of its own.*`compile`"):
        getattr(model, method)(tiny.make_inputs("Model"), y, verbose=0)


def test_weights_of_losses_need_losses():
    model = tiny.make_model(QA)
    with pytest.raises(ValueError, match="`loss_weights` must come with"):
        model.compile("sgd", loss_weights=[1.0, 2.0])
    with pytest.raises(ValueError, match="`loss_weights` must come with"):
        model.compile("sgd", None, {"start_logits": 1.0})
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = {"start_logits": loss, "end_logits": loss}
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    found = [
        make(QA, loss=losses, loss_weights=dict.fromkeys(losses, by)).evaluate(
            inputs, labels, verbose=0
        )
        for by in (1.0, 2.0)
    ]
    assert np.ravel(found[1])[0] == pytest.approx(2 * np.ravel(found[0])[0])


@pytest.mark.parametrize("kind", [tuple, list])
def test_positions_in_a_row(kind):
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    y = kind([labels["start_positions"], labels["end_positions"]])
    weight = np.array([3.0, 0.0, 0.5, 0.0], "float32")
    model = make(QA)
    expected = model.evaluate({**inputs, **labels}, verbose=0)
    weighted = model.evaluate(inputs, labels, sample_weight=weight, verbose=0)
    assert weighted != pytest.approx(expected)
    history = model.fit(
        inputs, y, validation_data=(inputs, y), verbose=0
    ).history
    found = [
        *history["loss"],
        *history["val_loss"],
        model.evaluate(inputs, y, verbose=0),
        model.train_on_batch(inputs, y),
        model.test_on_batch(inputs, y),
    ]
    rows = tf.data.Dataset.from_tensor_slices((inputs, tuple(y))).batch(4)
    found += [model.evaluate(rows, verbose=0)]
    assert found == pytest.approx([expected] * len(found), rel=1e-5)
    rows = (inputs, tuple(y), weight)
    rows = tf.data.Dataset.from_tensor_slices(rows).batch(4)
    found = [
        model.evaluate(inputs, y, sample_weight=weight, verbose=0),
        model.evaluate(inputs, y, sample_weight=kind([weight] * 2), verbose=0),
        model.evaluate(rows, verbose=0),
    ]
    assert found == pytest.approx([weighted] * 3, rel=1e-5)
    with pytest.raises(ValueError, match="as many as .*a (tuple|list) of 3"):
        model.fit(inputs, kind([*y, y[0]]), verbose=0)


def test_positions_in_a_row_for_losses_of_keras():
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    y = (labels["start_positions"], labels["end_positions"])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = make(QA, loss={"start_logits": loss, "end_logits": loss})
    found = model.evaluate(inputs, y, verbose=0)
    assert found == model.evaluate(inputs, labels, verbose=0)


@pytest.mark.parametrize("dataset", [False, True])
def test_the_host_looks_at_positions_in_a_row(dataset):
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    y = (labels["start_positions"], labels["end_positions"] + 0.5)
    model = make(QA, run_eagerly=False, jit_compile=True)
    arguments = inputs, y
    if dataset:
        arguments = (tf.data.Dataset.from_tensor_slices(arguments).batch(4),)
    with pytest.raises(ValueError, match="`end_positions` must be integers"):
        model.evaluate(*arguments, verbose=0)


class Batches(keras.utils.PyDataset):
    def __init__(self, batch):
        super().__init__()
        self.batch = batch

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return self.batch


DUMMIES = {
    "ForMaskedLM": np.zeros(tiny.BATCH),
    QA: {"dummy": np.zeros(tiny.BATCH)},
    "ForSequenceClassification": np.zeros(tiny.BATCH, int),
    "ForTokenClassification": (np.zeros(tiny.BATCH),),
    "ForMultipleChoice": {"labels": np.zeros((tiny.BATCH, 1), int)},
}


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(head, marks=pytest.mark.slow)
        if head in ("ForMaskedLM", "ForMultipleChoice")
        else head
        for head in DUMMIES
    ],
)
def test_labels_among_the_inputs_win(head):
    """Transformers' scripts pass a dummy `y` beside them."""
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)
    model = make(head, metrics=["accuracy"], weighted_metrics=["accuracy"])
    both, dummy = {**inputs, **labels}, DUMMIES[head]
    weight = np.array([3.0, 0.0, 0.5, 1.0], "float32")
    y = labels.get("labels", labels)
    expected, weighted = (
        model.evaluate(inputs, y, sample_weight=x, verbose=0)
        for x in (None, weight)
    )
    rows = tf.data.Dataset.from_tensor_slices
    found = [
        model.evaluate(both, dummy, verbose=0),
        model.evaluate(rows((both, dummy)).batch(4), verbose=0),
        model.evaluate(Batches((both, dummy)), verbose=0),
        model.evaluate((x for x in [(both, dummy)]), steps=1, verbose=0),
        model.train_on_batch(both, dummy),
        model.test_on_batch(both, dummy),
    ]
    for one in found:
        assert one == pytest.approx(expected, rel=1e-5)
    found = [
        model.evaluate(both, dummy, sample_weight=weight, verbose=0),
        model.evaluate(rows((both, dummy, weight)).batch(4), verbose=0),
    ]
    for one in found:
        assert one == pytest.approx(weighted, rel=1e-5)
    history = model.fit(
        both, dummy, validation_data=(both, dummy), verbose=0
    ).history
    for name in ("loss", "val_loss"):
        assert history[name] == [pytest.approx(expected[0], rel=1e-5)]


def test_weights_of_classes_are_of_the_labels_among_the_inputs():
    head = "ForSequenceClassification"
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)
    both, dummy = {**inputs, **labels}, np.zeros(tiny.BATCH, int)
    classes = {0: 3.0, 2: 0.5}
    model = make(head)
    expected, found = (
        model.fit(x, y, class_weight=classes, verbose=0).history["loss"]
        for x, y in ((inputs, labels["labels"]), (both, dummy))
    )
    assert found == pytest.approx(expected, rel=1e-5)
    rows = tf.data.Dataset.from_tensor_slices((both, dummy)).batch(4)
    with pytest.raises(ValueError, match="`class_weight` needs arrays"):
        model.fit(rows, class_weight=classes, verbose=0)


def test_weights_of_classes_are_not_of_validation_data():
    head = "ForSequenceClassification"
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)["labels"]
    half = tiny.BATCH // 2
    expected = make(head).evaluate(
        {name: value[half:] for name, value in inputs.items()},
        labels[half:],
        verbose=0,
    )
    classes = {number: 10.0 for number in range(3)}
    for x, y in ((inputs, labels), ({**inputs, "labels": labels}, None)):
        model = make(head)
        history = model.fit(
            x, y, validation_split=0.5, class_weight=classes, verbose=0
        ).history
        assert history["val_loss"] == pytest.approx([expected], rel=1e-5)
        assert history["loss"][0] > 5 * expected


def test_a_loss_of_ones_own_is_about_y():
    """As in transformers."""
    head = "ForSequenceClassification"
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)
    y = np.array([1, 1, 1, 1])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = make(head, loss=loss, metrics=["accuracy"])
    expected = model.evaluate(inputs, y, verbose=0)
    found = model.evaluate({**inputs, **labels}, y, verbose=0)
    assert found == pytest.approx(expected, rel=1e-5)
    assert model.evaluate({**inputs, **labels}, verbose=0) != found


def test_the_heads_own_loss_is_none():
    """Transformers' old documentation passes the model's method."""
    model = tiny.make_model(QA)
    for loss in (model.compute_loss, "passthrough"):
        with pytest.raises(ValueError, match="Leave it out"):
            model.compile("sgd", loss=loss)
    with pytest.raises(AttributeError, match="`compile` uses it"):
        model.compile("sgd", loss=model.hf_compute_loss)


def test_a_label_that_is_a_number_is_of_one_row():
    for head in ("ForSequenceClassification", "ForMultipleChoice", QA):
        model = tiny.make_model(head)
        inputs = {k: v[:1] for k, v in tiny.make_inputs(head).items()}
        labels = {k: v[:1] for k, v in tiny.make_labels(head).items()}
        expected = model(inputs, **labels).loss
        for kind in (int, np.int64, tf.constant):
            scalars = {k: kind(v[0]) for k, v in labels.items()}
            assert model(inputs, **scalars).loss == expected


@pytest.mark.parametrize("among_inputs", [True, False])
def test_names_of_classes_are_no_labels(among_inputs):
    head = "ForSequenceClassification"
    model, inputs = make(head), tiny.make_inputs(head)
    names = ["good", "bad", "good", "good"]
    for labels in (names, np.array(names), np.array(names, object)):
        x, y = inputs, labels
        if among_inputs:
            x, y = {**inputs, "labels": labels}, None
        for method in (model.fit, model.evaluate, model.train_on_batch):
            with pytest.raises(ValueError, match="`labels` must.*label2id"):
                method(x, y)
    with pytest.raises(ValueError, match="label2id"):
        model(inputs, labels=names)
    rows = tf.data.Dataset.from_tensor_slices((inputs, names)).batch(4)
    with pytest.raises(ValueError, match="label2id"):
        model.evaluate(rows, verbose=0)
