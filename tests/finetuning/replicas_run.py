"""Fine-tunes on one device and on several: `replicas_run.py SOURCE FOLDER`.

A process of its own, as TensorFlow's devices are set before anything runs.
With TF_CONFIG it is one of two workers. The first time the second of them is
killed in the midst; called once more, they go on, by the command.
"""

import dataclasses
import json
import os
import signal
import sys
from pathlib import Path

import tensorflow as tf
from helpers import small_tasks

from tf_longformer.cli import app
from tf_longformer.finetuning import callbacks
from tf_longformer.finetuning.arguments import Arguments
from tf_longformer.finetuning.fine_tune import fine_tune
from tf_longformer.finetuning.training_state import FILE_NAME

TASK = "token-classification"


def arguments(source: Path, folder: Path, strategy: str | None) -> Arguments:
    """Returns arguments of a run that writes a folder named as the strategy."""
    return Arguments(
        task=TASK,
        model=str(source),
        train=folder / "train.jsonl",
        eval=folder / "train.jsonl",
        output=folder / str(strategy),
        strategy=strategy,
        batch_size=8,
        steps=5,
        eval_steps=2,
        learning_rate=1e-3,
        clip_norm=0.1,
    )


def main(source: Path, folder: Path) -> None:
    (device,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(
        device, [tf.config.LogicalDeviceConfiguration()] * 2
    )
    # Replicas get rows with other numbers of labels, and of the last batch
    # of a pass one more than the other.
    small_tasks.write(folder / "train.jsonl", TASK, 13, 0)
    for strategy in (None, "mirrored"):
        fine_tune(arguments(source, folder, strategy), verbose=0)


def be_a_worker(source: Path, folder: Path, index: int) -> None:
    """Is one of two that train on what is there."""
    given = arguments(source, folder, "multiworker")
    if (folder / "multiworker" / FILE_NAME).exists():
        config = folder / f"run-{index}.json"
        config.write_text(json.dumps(given.to_json()), "utf-8")
        app.main(["finetune", "--config", str(config), "--resume"])
    # What only one of them is given makes both of them stop.
    small_tasks.write(folder / "more.jsonl", TASK, 14, 0)
    for name in ("nothing.jsonl", "more.jsonl"):
        path = folder / (name if index == 1 else "train.jsonl")
        try:
            fine_tune(dataclasses.replace(given, train=path))
        except (OSError, ValueError) as error:
            print(f"{type(error).__name__}: {error}")
    if index == 1:
        callbacks.StopAtStep.on_train_batch_end = die_at_step_3
    fine_tune(given)


def die_at_step_3(self, batch, logs=None):
    self.done += 1
    if self.done == 3:
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    where = [Path(x) for x in sys.argv[1:]]
    if "TF_CONFIG" in os.environ:
        be_a_worker(
            *where, json.loads(os.environ["TF_CONFIG"])["task"]["index"]
        )
    else:
        main(*where)
