"""Training, evaluation and prediction with Keras's own loop.

Keras matches losses and metrics with outputs by structure, which an output
with optional fields does not have; here they are matched by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from tf_longformer.models.host_checks import checked_data


class FitMixin:
    """Losses and metrics over named outputs, for `keras.Model`s.

    The class it is mixed into gives `label_names`, `main_output` and
    `internal_loss`.
    """

    # Whether `compile` was given a loss, which replaces the head's own.
    loss_given = False
    # The outputs that the compiled loss names, where it is a dict.
    _loss_outputs: tuple[str, ...] = ()

    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Configures training, as `keras.Model.compile` does.

        Args:
            optimizer: optimizer or its name.
            loss: Keras loss, or dict from an output's name to a loss.
                Without one the head's own loss is used, which is HF's.
            *args: further arguments of `keras.Model.compile`.
            **kwargs: the same.
        """
        self.loss_given = loss is not None
        self._loss_outputs = tuple(loss) if isinstance(loss, dict) else ()
        super().compile(optimizer, loss, *args, **kwargs)

    def fit(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Trains, as `keras.Model.fit` does.

        Labels may be among the inputs (`labels`, or `start_positions` and
        `end_positions`) or in `y`: an array, or a dict by these names or by
        the outputs' names.

        Args:
            x: dict of arrays, a tokenizer's encoding, or a dataset.
            y: labels, or `None`.
            *args: further arguments of `keras.Model.fit`.
            **kwargs: the same.

        Returns:
            `keras.callbacks.History`.

        Raises:
            ValueError: if the data break a rule of the model's inputs or of
                the head's labels. Without XLA values are checked in the
                graph, which raises `InvalidArgumentError`.
        """
        weighted = any(
            kwargs.get(name) is not None
            for name in ("sample_weight", "class_weight")
        )
        x, y = self._separate(x, y, weighted)
        return super().fit(self._checked(x, y), y, *args, **kwargs)

    def evaluate(
        self, x: Any = None, y: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """Evaluates, as `keras.Model.evaluate` does; inputs as for `fit`."""
        weighted = kwargs.get("sample_weight") is not None
        x, y = self._separate(x, y, weighted)
        return super().evaluate(self._checked(x, y), y, *args, **kwargs)

    def predict(self, x: Any, *args: Any, **kwargs: Any) -> Any:
        """Predicts, as `keras.Model.predict` does.

        Labels among the inputs are ignored.

        Args:
            x: dict of arrays, an encoding, an array of ids or a dataset.
            *args: further arguments of `keras.Model.predict`.
            **kwargs: the same.

        Returns:
            The model's output class, of arrays of all rows.
        """
        x = _plain(x)
        return super().predict(self._checked(x), *args, **kwargs)

    def _checked(self, x: Any, y: Any = None) -> Any:
        """Checks values on the host where XLA would not."""
        if self.jit_compile and not self.run_eagerly:
            return checked_data(self, x, y)
        return x

    def _separate(self, x: Any, y: Any, weighted: bool) -> tuple:
        """Takes labels out of `x` where Keras would drop the weights.

        Keras ignores `sample_weight` and `class_weight` without a `y`.
        """
        x = _plain(x)
        if not (weighted and y is None and isinstance(x, dict)):
            return x, y
        labels = {n: x[n] for n in self.label_names if n in x}
        if not labels:
            return x, y
        x = {name: value for name, value in x.items() if name not in labels}
        return x, labels["labels"] if len(labels) == 1 else labels

    def predict_step(self, data: Any) -> Any:
        x, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        if isinstance(x, Mapping):
            x = {k: v for k, v in x.items() if k not in self.label_names}
        return super().predict_step((x,))

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
        labels = self._labels(x, y)
        if labels is None:
            raise ValueError(
                "Training needs labels. Received: none. Put "
                f"{list(self.label_names)} among the inputs, or pass `y`."
            )
        if not isinstance(labels, Mapping):
            labels = {self.label_names[0]: labels}
        loss = self.internal_loss(
            {self._label_name(name): value for name, value in labels.items()},
            y_pred,
            sample_weight,
            _sum_over_replicas(),
        )
        for extra in self.losses:
            loss = loss + ops.sum(ops.cast(extra, loss.dtype))
        return loss

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Returns the metrics, with labels from `y` or the inputs."""
        y = self._labels(x, y)
        if y is not None:
            y, y_pred = self._matched(y, y_pred)
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _labels(self, x: Any, y: Any) -> Any:
        """Returns `y`, or the labels among the inputs, or `None`."""
        if y is not None or not isinstance(x, Mapping):
            return y
        given = {n: x[n] for n in self.label_names if n in x}
        if len(self.label_names) == 1:
            return given.get(self.label_names[0])
        return given or None

    def _label_name(self, name: str) -> str:
        """Turns an output's name into that of its label."""
        for label in self.label_names:
            if name in (label, self._output_name(label)):
                return label
        raise ValueError(
            f"`y` must name {list(self.label_names)} or their outputs. "
            f"Received: {name!r}. Correct the key."
        )

    def _output_name(self, label: str) -> str:
        """Turns a label's name into that of its output."""
        if label == "labels":
            return self.main_output
        return label.replace("_positions", "_logits")

    def _matched(self, y: Any, y_pred: Any) -> tuple:
        """Returns labels and outputs as structures that Keras can match."""
        if isinstance(y, Mapping):
            y = {
                self._output_name(name) if name in self.label_names else name: (
                    value
                )
                for name, value in y.items()
            }
            unknown = sorted(set(y) - set(y_pred))
            if unknown:
                raise ValueError(
                    "The keys of `y` must be outputs or labels of the model. "
                    f"Received: {unknown}; the outputs are "
                    f"{sorted(y_pred)}. Correct the key."
                )
            return y, {name: y_pred[name] for name in y}
        if len(self._loss_outputs) == 1:
            (name,) = self._loss_outputs
            return {name: y}, {name: y_pred[name]}
        return y, y_pred[self.main_output]


def _plain(x: Any) -> Any:
    """Turns an encoding into the plain dict that Keras wants."""
    if isinstance(x, Mapping) and not isinstance(x, dict):
        return dict(x)
    return x


def _sum_over_replicas() -> Any:
    """Returns what adds a number up over replicas, `None` for a single one.

    The loss is a sum over a sum. Gradients are added over replicas, so that
    each divides its own sum by the weight of all.
    """
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return None
    context = tf.distribute.get_replica_context()
    if context is None:
        return None
    return lambda weight: context.all_reduce(tf.distribute.ReduceOp.SUM, weight)
