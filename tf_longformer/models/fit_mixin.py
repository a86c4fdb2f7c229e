"""Training, evaluation and prediction with Keras's own loop.

Keras matches losses and metrics with outputs by structure, which an output
with optional fields does not have; here they are matched by name.
"""

from __future__ import annotations

import contextlib
import inspect
import warnings
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tf_longformer import losses
from tf_longformer.inputs.arguments import refuse_text
from tf_longformer.inputs.labels import name_labels
from tf_longformer.models.host_checks import checked_data
from tf_longformer.models.labels_mixin import LabelsMixin
from tf_longformer.models.replicas import count_replicas
from tf_longformer.models.replicas import sum_over_replicas
from tf_longformer.models.row_weights import has_row_labels
from tf_longformer.models.row_weights import weights_of_classes

# What Keras warns of where no token is global.
_UNUSED = r"Gradients do not exist for variables \[('\S+_global/\w+'(, )?)+\]"


@contextlib.contextmanager
def _unused_projections() -> Iterator[None]:
    """Projections of global tokens may go unused, and then stay as they are.

    Keras would ask whether the loss was forgotten.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _UNUSED, UserWarning)
        yield


class FitMixin(LabelsMixin):
    """Losses and metrics over named outputs, for `keras.Model`s.

    The class it is mixed into gives `label_names`, `main_output` and
    `internal_loss`.
    """

    # Whether `compile` was given a loss, which replaces the head's own.
    loss_given = False
    # Whether a step of training or evaluation runs, which needs outputs by
    # name, whatever `config.return_dict` says.
    in_step = False
    # The outputs that the compiled loss names, where it is a dict.
    _loss_outputs: tuple[str, ...] = ()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Configures training, as `keras.Model.compile` does.

        Args:
            optimizer: optimizer or its name.
            loss: Keras loss, or dict from an output's name to a loss.
                Without one the head's own loss is used, which is HF's.
            loss_weights: as Keras has them, for `loss`.
            *args: further arguments of `keras.Model.compile`.
            **kwargs: the same.

        Raises:
            ValueError: for `loss_weights` without a `loss`.
        """
        if loss is None and loss_weights is not None:
            raise ValueError(
                "`loss_weights` must come with a `loss`: the head's own is "
                f"one number. Received: loss_weights={loss_weights!r}, and no "
                "`loss`. Pass a dict of losses by output, or leave it out."
            )
        self.loss_given = loss is not None
        self._loss_outputs = tuple(loss) if isinstance(loss, dict) else ()
        super().compile(optimizer, loss, loss_weights, *args, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compiles as a saved model was, and makes the optimizer's state."""
        # Keras does no more than to warn where `compile` is overridden.
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self._build_optimizer()

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Trains, as `keras.Model.fit` does.

        Labels may be among the inputs (`labels`, or `start_positions` and
        `end_positions`) or in `y`: an array, a tuple of them in this order, or
        a dict by these names or by the outputs' names.

        Args:
            x: dict of arrays, a tokenizer's encoding, or a dataset.
            y: labels, or `None`.
            *args: further arguments of `keras.Model.fit`.
            **kwargs: the same. `class_weight` also weighs the labels of
                tokens.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: if the data break a rule of the model's inputs or of
                the head's labels (without XLA values are checked in the
                graph, which raises `InvalidArgumentError`), or
                `class_weight` is given where labels are not of classes, or
                can't be reached.
        """
        given = self._prepared(super().fit, x, y, args, kwargs)
        self._build_optimizer()
        with _unused_projections():
            return super().fit(**given)

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Evaluates, as `keras.Model.evaluate` does; inputs as for `fit`."""
        return super().evaluate(
            **self._prepared(super().evaluate, x, y, args, kwargs)
        )

    def train_on_batch(
        self, x: Any, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Trains on one batch; inputs as for `fit`."""
        given = self._prepared(super().train_on_batch, x, y, args, kwargs)
        self._build_optimizer()
        with _unused_projections():
            return super().train_on_batch(**given)

    def test_on_batch(
        self, x: Any, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Evaluates one batch; inputs as for `fit`."""
        return super().test_on_batch(
            **self._prepared(super().test_on_batch, x, y, args, kwargs)
        )

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Predicts, as `keras.Model.predict` does.

        Labels among the inputs are ignored.

        Args:
            x: dict of arrays, an encoding, an array of ids or a dataset.
            *args: further arguments of `keras.Model.predict`.
            **kwargs: the same.

        Returns:
            The model's output class, of arrays of all rows. Where batches
            differ in length or, with `output_attentions`, in their largest
            number of global tokens, Keras returns `tf.RaggedTensor`s;
            `attention_slots` in the config makes the latter equal.
        """
        return super().predict(self._checked(_plain(x)), *args, **kwargs)

    def predict_on_batch(self, x: Any) -> Any:
        """Predicts one batch; inputs as for `predict`."""
        return super().predict_on_batch(self._checked(_plain(x)))

    def _prepared(
        self, method: Any, x: Any, y: Any, args: tuple, kwargs: dict
    ) -> dict[str, Any]:
        """Returns the arguments by name, checked, weights worked out."""
        given = inspect.signature(method).bind(_plain(x), y, *args, **kwargs)
        given = {**given.arguments, **given.arguments.get("kwargs", {})}
        given.pop("kwargs", None)
        if given.get("validation_data") is not None:
            given["validation_data"] = self._separate(
                *keras.utils.unpack_x_y_sample_weight(given["validation_data"])
            )
        for name in ("y", "sample_weight"):
            given[name] = name_labels(self.label_names, given.get(name))
        given = self._weighted(given)
        return {**given, "x": self._checked(given["x"], given["y"])}

    def _build_optimizer(self) -> None:
        """Makes the optimizer's variables before the step is traced.

        TensorFlow traces a function again that made variables, and half a
        minute of the first step of twelve layers is tracing.
        """
        optimizer = getattr(self, "optimizer", None)
        # Without one Keras says that `compile` has to come first.
        if optimizer is None or optimizer.built:
            return
        scope: Any = contextlib.nullcontext()
        if keras.backend.backend() == "tensorflow":
            scope = self.distribute_strategy.scope()
        with scope:
            optimizer.build(self.trainable_variables)

    def _checked(self, x: Any, y: Any = None) -> Any:
        """Checks values on the host where XLA would not."""
        if self.jit_compile and not self.run_eagerly:
            return checked_data(self, x, y)
        return x

    def _weighted(self, given: dict[str, Any]) -> dict[str, Any]:
        """Takes labels out of `x`, and class weights to sample weights.

        Keras drops both kinds of weights without a `y`.
        """
        classes = given.get("class_weight")
        weight = given.get("sample_weight")
        if classes is None and weight is None:
            return given
        x, y, _ = self._separate(
            given["x"], given["y"], classes if weight is None else weight
        )
        given["x"], given["y"] = x, y
        # With a loss of the user's own, labels may be one-hot.
        if classes is None or (self.loss_given and _is_one_hot(y)):
            return given
        if isinstance(y, Mapping) and len(y) == 1:
            (y,) = y.values()
        if y is None and has_row_labels(x):
            return given
        if y is None or isinstance(y, Mapping):
            raise ValueError(
                "`class_weight` needs arrays of labels, or a `tf.data.Dataset`"
                " of inputs and one label a row. Received: "
                f"{_describe(x, y)}. Pass `sample_weight` instead, in a "
                "dataset as the third element."
            )
        given["sample_weight"] = weights_of_classes(
            y, classes, weight, getattr(self.config, "problem_type", None)
        )
        given["class_weight"] = None
        return given

    def _separate(self, x: Any, y: Any, weight: Any) -> tuple:
        """Takes the labels out of `x`, if `y` has to be there for weights."""
        x = _plain(x)
        if weight is None or y is not None or not isinstance(x, dict):
            return x, y, weight
        y = self._labels(x, None)
        rest = {k: v for k, v in x.items() if k not in self.label_names}
        return rest, y, weight

    def train_step(self, *arguments: Any) -> Any:
        with self._step():
            return super().train_step(*arguments)

    def test_step(self, *arguments: Any) -> Any:
        with self._step():
            return super().test_step(*arguments)

    @contextlib.contextmanager
    def _step(self) -> Iterator[None]:
        self.in_step = True
        try:
            yield
        finally:
            self.in_step = False

    def predict_step(self, *arguments: Any) -> Any:
        # On JAX the state comes before the data.
        *state, data = arguments
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if isinstance(x, Mapping):
            x = {k: v for k, v in x.items() if k not in self.label_names}
        return super().predict_step(*state, (x,))

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Returns the loss of a batch: the compiled one, or the head's."""
        if self.loss_given:
            y, y_pred = self._matched(self._labels(x, y), y_pred)
            return super().compute_loss(x, y, y_pred, sample_weight, training)
        if not self.label_names:
            # Raises, as there are none of a loss without labels.
            self.loss_terms({}, y_pred)
        labels = self._labels(x, y)
        if labels is None:
            raise ValueError(
                "Training needs labels. Received: none. Put "
                f"{list(self.label_names)} among the inputs, or pass `y`."
            )
        if not isinstance(labels, Mapping):
            labels = {self.label_names[0]: labels}
        sample_weight = name_labels(self.label_names, sample_weight)
        if isinstance(sample_weight, Mapping) and len(labels) == 1:
            (sample_weight,) = sample_weight.values()
        elif isinstance(sample_weight, Mapping):
            sample_weight = {
                self._label_name(name): value
                for name, value in sample_weight.items()
            }
        loss = self.internal_loss(
            {self._label_name(name): value for name, value in labels.items()},
            y_pred,
            sample_weight,
            sum_over_replicas(),
        )
        for extra in self.losses:
            # Every replica adds it, and gradients are added over replicas.
            extra = ops.sum(ops.cast(extra, loss.dtype))
            loss = loss + extra / count_replicas()
        return loss

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Returns the metrics, with labels from `y` or the inputs.

        Labels that are ignored weigh nothing in `weighted_metrics`.
        """
        y = self._labels(x, y)
        if y is not None:
            if not isinstance(y, Mapping):
                sample_weight = _without_ignored(y, sample_weight)
            y, y_pred = self._matched(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)


def _plain(x: Any) -> Any:
    """Turns an encoding into the plain dict that Keras wants.

    Text is refused here: Keras would try to make floats of it.
    """
    if isinstance(x, Mapping) and not isinstance(x, dict):
        x = dict(x)
    refuse_text(x)
    return x


def _is_one_hot(labels: Any) -> bool:
    return hasattr(labels, "dtype") and "float" in str(labels.dtype)


def _describe(x: Any, y: Any) -> str:
    if isinstance(y, Mapping):
        return f"labels {sorted(y)}"
    return f"no labels, inputs of {type(x).__name__}"


def _without_ignored(labels: Any, sample_weight: Any) -> Any:
    """Returns weights that are zero where an integer label is ignored."""
    if "int" not in keras.backend.standardize_dtype(labels.dtype):
        return sample_weight
    counted = ops.cast(
        ops.not_equal(labels, losses.IGNORE_INDEX), keras.config.floatx()
    )
    if sample_weight is None:
        return counted
    sample_weight = ops.cast(sample_weight, counted.dtype)
    for _ in range(len(counted.shape) - len(sample_weight.shape)):
        sample_weight = ops.expand_dims(sample_weight, -1)
    return counted * sample_weight
