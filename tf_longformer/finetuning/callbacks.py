"""What a run does between steps, as callbacks of Keras's `fit`."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from tf_longformer.finetuning.training_state import save_state

# What is better when it is smaller; all other metrics are when larger.
SMALLER_IS_BETTER = {
    "loss",
    "mse",
    "mae",
    "perplexity",
    "bits_per_character",
}


class NonFiniteLoss(ValueError):
    """The loss has become infinite or not a number."""


class StopAtNonFiniteLoss(keras.callbacks.Callback):
    """Stops with advice when the loss isn't finite, before anything is saved.

    Raises:
        NonFiniteLoss: in the step in which it happens.
    """

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss = float((logs or {}).get("loss", 0.0))
        if not math.isfinite(loss):
            policy = self.model.dtype_policy.name
            advice = "Lower the learning rate or warm up longer"
            if policy != "float32":
                advice += f"; train in float32 instead of {policy}"
            raise NonFiniteLoss(
                "The loss must stay finite. Received: "
                f"{loss} in batch {batch + 1} of this pass. {advice}; and look "
                "for labels that are wrong or huge. The last model and state "
                "that were saved are as they were."
            )


class StopAtStep(keras.callbacks.Callback):
    """Stops after a number of batches, in the midst of a pass too.

    Args:
        last: int, batches of the whole training.
        done: int, how many there were before `fit`. Defaults to `0`.
    """

    def __init__(self, last: int, done: int = 0) -> None:
        super().__init__()
        self.last = last
        self.done = done

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.done += 1
        if self.done >= self.last:
            self.model.stop_training = True


class Measure(keras.callbacks.Callback):
    """Adds metrics of a function of the model to an epoch's logs.

    It stands before callbacks that look for them.

    Args:
        measure: function of a model that returns a dict of floats.
        shown: names of the metrics that get into the logs, as `val_...`.

    Attributes:
        metrics: dict, all metrics of the last time.
    """

    def __init__(
        self,
        measure: Callable[[Any], dict[str, float]],
        shown: tuple[str, ...],
    ) -> None:
        super().__init__()
        self.measure = measure
        self.shown = shown
        self.metrics: dict[str, float] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.metrics = self.measure(self.model)
        if logs is not None:
            names = [name for name in self.shown if name in self.metrics]
            logs.update({f"val_{name}": self.metrics[name] for name in names})


class KeepBest(keras.callbacks.Callback):
    """Saves the model whenever a metric is better than ever.

    Args:
        save: function of no arguments that saves it.
        metric: str, a name among the logs, such as `"val_f1"`; `None` to save
            each time.
        patience: int, times without a better one after which training stops.
            Defaults to never.

    Attributes:
        best: float, the metric's best value, or `None`.
        waited: int, times since.
    """

    def __init__(
        self,
        save: Callable[[], None],
        metric: str | None = None,
        patience: int | None = None,
    ) -> None:
        super().__init__()
        self.save = save
        self.metric = metric
        self.patience = patience
        self.best: float | None = None
        self.waited = 0

    @property
    def is_over(self) -> bool:
        """Whether training has waited long enough."""
        return self.patience is not None and self.waited >= self.patience

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.metric is None:
            self.save()
            return
        value = float((logs or {})[self.metric])
        smaller = self.metric.removeprefix("val_") in SMALLER_IS_BETTER
        sign = -1 if smaller else 1
        # Nothing is better than what is not a number, and all else is.
        if (
            self.best is None
            or math.isnan(self.best)
            or sign * value > sign * self.best
        ):
            self.best, self.waited = value, 0
            self.save()
        else:
            self.waited += 1
            if self.is_over:
                self.model.stop_training = True


class SaveState(keras.callbacks.Callback):
    """Saves all that training goes on from, after each epoch.

    Args:
        path: the file, or `None` to write none, as workers that aren't the
            chief.
        facts: function of an epoch and its logs that returns what else the
            file holds (see `save_state`); it is called in any case.
    """

    def __init__(
        self, path: Path | None, facts: Callable[[int, dict[str, float]], Any]
    ) -> None:
        super().__init__()
        self.path = path
        self.facts = facts

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        facts = self.facts(epoch, dict(logs or {}))
        if self.path is not None:
            save_state(self.path, self.model, facts)
