"""AdamW with weight decay on kernels only, and rates that warm up."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

from tf_longformer.errors import shown
from tf_longformer.keras_private import ClipsSumOverReplicas
from tf_longformer.training.keras_steps import count_replicas
from tf_longformer.training.keras_steps import sum_over_replicas

SCHEDULES = ("linear", "cosine", "constant")


@keras.saving.register_keras_serializable("tf_longformer")
class WarmUpSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Rises from zero, and then falls to zero or stays.

    The rates are those of transformers' `get_scheduler`.

    Args:
        learning_rate: float, the highest rate.
        steps: int, all steps.
        warmup_steps: int, steps in which the rate rises. Defaults to `0`.
        schedule: `"linear"`, `"cosine"` (half a wave) or `"constant"`: how it
            goes on. Defaults to `"linear"`.
        accumulate: int, batches of a step, as `gradient_accumulation_steps`
            of the optimizer, which counts batches. Defaults to `1`.

    Raises:
        ValueError: for another schedule, or numbers out of range.
    """

    def __init__(
        self,
        learning_rate: float,
        steps: int,
        warmup_steps: int = 0,
        schedule: str = "linear",
        accumulate: int = 1,
    ) -> None:
        if schedule not in SCHEDULES:
            raise ValueError(
                f"`schedule` must be one of {', '.join(SCHEDULES)}. "
                f"Received: {shown(schedule)}."
            )
        if not (learning_rate > 0 and math.isfinite(learning_rate)):
            raise ValueError(
                "`learning_rate` must be a number above 0. Received: "
                f"{shown(learning_rate)}. Pass 3e-5, for example."
            )
        if steps < 1 or not 0 <= warmup_steps <= steps or accumulate < 1:
            raise ValueError(
                "`steps` and `accumulate` must be at least 1, and "
                f"`warmup_steps` lie in [0, steps]. Received: steps={steps}, "
                f"warmup_steps={warmup_steps}, accumulate={accumulate}."
            )
        self.learning_rate = learning_rate
        self.steps = steps
        self.warmup_steps = warmup_steps
        self.schedule = schedule
        self.accumulate = accumulate

    def __call__(self, step: Any) -> Any:
        step = ops.floor_divide(ops.cast(step, "int32"), self.accumulate)
        step = ops.cast(step, "float32")
        rising = step / max(self.warmup_steps, 1)
        left = (self.steps - step) / max(self.steps - self.warmup_steps, 1)
        left = ops.clip(left, 0.0, 1.0)
        falling = {
            "linear": left,
            "cosine": 0.5 * (1 - ops.cos(math.pi * left)),
            "constant": ops.ones_like(left),
        }[self.schedule]
        is_rising = step < self.warmup_steps
        return self.learning_rate * ops.where(is_rising, rising, falling)

    def get_config(self) -> dict[str, Any]:
        names = ("learning_rate", "steps", "warmup_steps", "schedule")
        config = {name: getattr(self, name) for name in names}
        return {**config, "accumulate": self.accumulate}


@keras.saving.register_keras_serializable("tf_longformer")
class AdamWOfKernels(ClipsSumOverReplicas, keras.optimizers.AdamW):
    """AdamW, with weight decay of kernels only, in a saved model too.

    Of several replicas it clips the sum of their gradients.
    """

    sum_over_replicas = staticmethod(sum_over_replicas)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # All names but those with "kernel" in them. Keras's files don't keep
        # what is excluded.
        self.exclude_from_weight_decay(var_names=["^(?!.*kernel)"])


def make_optimizer(
    learning_rate: float,
    steps: int,
    *,
    warmup: float = 0.1,
    schedule: str = "linear",
    weight_decay: float = 0.01,
    clip_norm: float | None = 1.0,
    accumulate: int = 1,
    **options: Any,
) -> keras.optimizers.Optimizer:
    """Makes the optimizer of the field's recipes.

    It is AdamW; biases, layer norms and embeddings don't decay. Within the
    scope of a strategy of several replicas, it clips their sum.

    Args:
        learning_rate: float, the highest rate.
        steps: int, all steps.
        warmup: float, steps in which the rate rises: a share of all below 1,
            else their number. Defaults to `0.1`.
        schedule: as of `WarmUpSchedule`. Defaults to `"linear"`.
        weight_decay: float. Defaults to `0.01`.
        clip_norm: float, the largest norm of all gradients together, or
            `None`. Defaults to `1.0`.
        accumulate: int, batches whose gradients make a step. Defaults to `1`.
        **options: further arguments of `keras.optimizers.AdamW`, such as
            `beta_2`.

    Raises:
        ValueError: for numbers out of range.
    """
    if warmup < 0:
        raise ValueError(
            "`warmup` must be a share in [0, 1) or a number of steps. "
            f"Received: {warmup}."
        )
    rising = math.ceil(warmup * steps) if warmup < 1 else int(warmup)
    if count_replicas() > 1 and accumulate > 1:
        raise ValueError(
            "Keras doesn't accumulate gradients of several replicas. Received: "
            f"accumulate={accumulate} in a strategy of {count_replicas()}. "
            "Raise the batch size instead."
        )
    return AdamWOfKernels(
        WarmUpSchedule(
            learning_rate, steps, min(rising, steps), schedule, accumulate
        ),
        weight_decay=weight_decay,
        global_clipnorm=clip_norm,
        gradient_accumulation_steps=accumulate if accumulate > 1 else None,
        **options,
    )
