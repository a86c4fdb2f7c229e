"""Labels and outputs, matched by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tf_longformer.inputs.labels import name_labels


class LabelsMixin:
    """Finds labels in what Keras hands around.

    The class it is mixed into gives `label_names` and `main_output`.
    """

    def _labels(self, x: Any, y: Any) -> Any:
        """Returns `y`, or the labels among the inputs, or `None`."""
        if y is not None or not isinstance(x, Mapping):
            return name_labels(self.label_names, y)
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
