"""A progress bar for `model.fit`."""

from __future__ import annotations

from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn


class ProgressBar(keras.callbacks.Callback):
    """Shows steps, loss and remaining time of a training run.

    Args:
        console: `rich.console.Console`. Without a terminal only the final
            state is printed.
        title: string.
        num_steps: int.
    """

    def __init__(self, console: Console, title: str, num_steps: int) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        self._done = 0
        self._task = self._progress.add_task(
            title, total=num_steps, loss="tracing"
        )

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        # Also after an error or Ctrl-C, or the terminal's cursor stays away.
        self._progress.stop()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        # Counted here, as `batch` starts anew with each stage.
        self._done += 1
        self._progress.update(
            self._task,
            completed=self._done,
            loss=f"loss {(logs or {}).get('loss', float('nan')):.3f}",
        )
