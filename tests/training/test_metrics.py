"""Metrics count what the head's loss counts, however they are given."""

import keras
import numpy as np
import pytest
from helpers import checks
from helpers import tiny
from keras import ops

QA = "ForQuestionAnswering"
TAGS = "ForTokenClassification"
WEIGHT = np.array([2.0, 0.5, 3.0, 1.0], "float32")


def make(head, fields=None, **compiled):
    model = checks.seeded(tiny.make_model, head, **(fields or {}))
    compiled = {"run_eagerly": True, **compiled}
    model.compile(keras.optimizers.SGD(0.0), **compiled)
    return model


def output_of(label):
    return label.replace("_positions", "_logits").replace("labels", "logits")


def make_data(head):
    """Draws inputs, and labels some of which are right and some ignored."""
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)
    outputs = make(head)(inputs)
    for name, values in labels.items():
        logits = np.asarray(outputs[output_of(name)])
        best = np.argmax(logits, -1)
        right = np.random.default_rng(1).random(values.shape) < 0.5
        right &= values != -100
        values[right] = best[right]
        if values.ndim == 1:
            ignored = tiny.SEQ if head == QA else -100
            wrong = (best[3] + 1) % logits.shape[-1]
            values[:] = best[0], -100, ignored, wrong
    return inputs, labels


def count(labels, outputs):
    """Returns for each label whether it counts and is right, and its loss."""
    logits = np.asarray(outputs, "float64")
    counted = (labels >= 0) & (labels < logits.shape[-1])
    safe = np.where(counted, labels, 0)
    losses = np.log(np.exp(logits).sum(-1)) - np.take_along_axis(
        logits, safe[..., None], -1
    ).squeeze(-1)
    return counted, logits.argmax(-1) == labels, losses


def right_among_labels(labels, outputs):
    """As users write it where Keras counts ignored labels."""
    counted = ops.cast(labels >= 0, "float32")
    right = ops.cast(ops.equal(ops.argmax(outputs, -1), labels), "float32")
    return ops.sum(right * counted) / ops.sum(counted)


def is_right(labels, outputs):
    return ops.equal(ops.argmax(outputs, -1), ops.cast(labels, "int32"))


class Ignored(keras.metrics.Sum):
    """Counts ignored labels, which it sees as they are, without weights."""

    def update_state(self, y_true, y_pred, sample_weight=None):
        assert sample_weight is None
        super().update_state(ops.cast(y_true == -100, "float32"))


@pytest.mark.parametrize("head", tiny.TRAINED)
def test_metrics_count_what_the_loss_counts(head):
    inputs, labels = make_data(head)

    metrics = [
        "accuracy",
        keras.metrics.SparseCategoricalCrossentropy(from_logits=True),
        is_right,
        Ignored(name="ignored"),
    ]
    model = make(
        head,
        metrics=metrics,
        weighted_metrics=["sparse_categorical_accuracy"],
    )
    outputs = model(inputs)
    y = labels.get("labels", labels)
    for data, weight in (
        ((inputs, y), None),
        (({**inputs, **labels}, np.zeros(4)), WEIGHT),
    ):
        # Of two batches, which have different numbers of labels.
        found = model.evaluate(
            *data,
            sample_weight=weight,
            batch_size=2,
            verbose=0,
            return_dict=True,
        )
        for name, values in labels.items():
            counted, right, losses = count(values, outputs[output_of(name)])
            assert 0 < right[counted].mean() < 1
            weights = counted * 1.0
            if weight is not None:
                weights *= weight.reshape(-1, *[1] * (values.ndim - 1))
            expected = {
                "accuracy": right[counted].mean(),
                "sparse_categorical_crossentropy": losses[counted].mean(),
                "is_right": right[counted].mean(),
                "ignored": np.sum(values == -100),
                "sparse_categorical_accuracy": np.average(
                    right, weights=weights
                ),
            }
            prefix = f"{output_of(name)}_" if head == QA else ""
            for key, value in expected.items():
                value = pytest.approx(value, rel=1e-5)
                assert found[prefix + key] == value, key


def test_a_function_that_takes_the_mean_sees_all_labels():
    inputs, labels = make_data(TAGS)
    name = right_among_labels.__name__
    given = [right_among_labels]
    model = make(TAGS, metrics=given, weighted_metrics=given)
    counted, right, _ = count(labels["labels"], model(inputs)["logits"])
    found = model.evaluate({**inputs, **labels}, verbose=0, return_dict=True)
    for key in (name, f"weighted_{name}"):
        assert found[key] == pytest.approx(right[counted].mean(), rel=1e-5)


@pytest.mark.parametrize("jit_compile", [False, True])
def test_metrics_in_a_graph(jit_compile):
    inputs, labels = make_data(TAGS)
    model = make(
        TAGS,
        metrics={"logits": ["acc"]},
        run_eagerly=False,
        jit_compile=jit_compile,
    )
    counted, right, _ = count(labels["labels"], model(inputs)["logits"])
    found = model.test_on_batch({**inputs, **labels}, return_dict=True)
    assert found["acc"] == pytest.approx(right[counted].mean(), rel=1e-5)


def test_metrics_of_one_end_of_an_answer():
    inputs, labels = make_data(QA)
    model = make(QA, metrics={"end_logits": "accuracy"})
    counted, right, _ = count(
        labels["end_positions"], model(inputs)["end_logits"]
    )
    found = model.evaluate(inputs, labels, verbose=0)
    assert found[1:] == [pytest.approx(right[counted].mean(), rel=1e-5)]


def test_a_regression_has_no_number_that_is_ignored():
    head = "ForSequenceClassification"
    model = make(head, {"num_labels": 1}, metrics=["mae"])
    inputs, labels = tiny.make_inputs(head), np.array([0, -100, 1, 2])
    logits = np.asarray(model(inputs).logits)[:, 0]
    found = model.evaluate(inputs, labels, verbose=0)
    expected = np.abs(logits - labels)
    assert found == pytest.approx([(expected**2).mean(), expected.mean()])


def test_labels_in_a_column_and_one_hot():
    head = "ForSequenceClassification"
    inputs, labels = make_data(head)
    labels = np.array([0, 2, 1, 1])
    found = []
    for y, problem in (
        (labels, None),
        (labels[:, None], None),
        (labels.astype("float32"), None),
        (np.eye(3)[labels], "multi_label_classification"),
    ):
        model = make(head, {"problem_type": problem}, metrics=["accuracy"])
        found.append(model.evaluate(inputs, y, verbose=0)[1])
    assert found == [found[0]] * 4


@pytest.mark.parametrize("own_loss", [False, True])
def test_weights_of_answers(own_loss):
    """By the names of labels or outputs, as a tuple, or for both at once."""
    inputs, labels = tiny.make_inputs(QA), tiny.make_labels(QA)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    names = ("start_logits", "end_logits")
    model = make(
        QA,
        loss=dict.fromkeys(names, loss) if own_loss else None,
        metrics=["accuracy"],
        weighted_metrics=["accuracy"],
    )
    found = [
        model.evaluate(
            inputs, y, sample_weight=weight, verbose=0, return_dict=True
        )
        for y in (labels, tuple(labels.values()))
        for weight in (
            WEIGHT,
            (WEIGHT, WEIGHT),
            dict.fromkeys(labels, WEIGHT),
            dict.fromkeys(names, WEIGHT),
        )
    ]
    assert all(x == pytest.approx(found[0], rel=1e-6) for x in found)
    outputs = model(inputs)
    for name, values in labels.items():
        _, right, _ = count(values, outputs[output_of(name)])
        key = f"{output_of(name)}_weighted_accuracy"
        expected = np.average(right, weights=WEIGHT)
        assert found[0][key] == pytest.approx(expected, rel=1e-6)
    losses = [
        np.mean(count(values, outputs[output_of(name)])[2] * WEIGHT)
        for name, values in labels.items()
    ]
    expected = sum(losses) if own_loss else np.mean(losses)
    assert found[0]["loss"] == pytest.approx(expected, rel=1e-5)
    # Of the start only: the end has weight 1.
    one = model.evaluate(
        inputs,
        labels,
        sample_weight={"start_positions": WEIGHT},
        verbose=0,
        return_dict=True,
    )
    assert one["loss"] != pytest.approx(found[0]["loss"])
    assert one["end_logits_weighted_accuracy"] == one["end_logits_accuracy"]
    with pytest.raises(ValueError, match=r"`sample_weight` must be.*\['other"):
        model.evaluate(
            inputs, labels, sample_weight={"other": WEIGHT, "x": WEIGHT}
        )
