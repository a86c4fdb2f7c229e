"""The processes that train one model in step, on one machine or several.

`tf.distribute` does the work. What it leaves open is here: which process
writes, that all were given the same, and that one which fails tells the
others why. What Keras misses of such strategies is in `keras_private`.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from tf_longformer.errors import shown

_EXAMPLE = (
    '{"cluster": {"worker": ["host-a:2222", "host-b:2222"]}, '
    '"task": {"type": "worker", "index": 0}}'
)
# What operations among workers end with when one of them is gone.
_GONE = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.UnavailableError,
)


class WorkerLost(ConnectionError):
    """Another worker has ended before the run did."""


class Workers:
    """The processes of a run, of which this is one.

    It has to be made before TensorFlow does anything else.

    Args:
        strategy: `"multiworker"`, for processes that each have an environment
            variable `TF_CONFIG` with their addresses; `"mirrored"`, for this
            process on all devices of the machine; `None`, for one device.

    Attributes:
        strategy: the `tf.distribute.Strategy`, or `None` for one device.
        index: int, the number of this process.
        count: int, how many there are.

    Raises:
        ValueError: if `TF_CONFIG` doesn't name this process and all others,
            or TensorFlow has been used in it.
    """

    def __init__(self, strategy: str | None) -> None:
        self.strategy: Any = None
        self.index, self.count = 0, 1
        if strategy == "multiworker":
            self.index, self.count = _read_cluster()
            try:
                self.strategy = tf.distribute.MultiWorkerMirroredStrategy()
            except RuntimeError as error:
                raise ValueError(
                    "A worker must begin before TensorFlow has computed "
                    f"anything in its process. Received: {error}. Call "
                    "`fine_tune` first."
                ) from error
        elif strategy == "mirrored":
            devices = tf.config.list_logical_devices("GPU")
            devices = devices or tf.config.list_logical_devices("CPU")
            self.strategy = tf.distribute.MirroredStrategy(
                [one.name for one in devices]
            )

    @property
    def is_chief(self) -> bool:
        """Whether this process is the one that writes."""
        return self.index == 0

    def scope(self) -> contextlib.AbstractContextManager:
        """Returns what models and optimizers are made in."""
        if self.strategy is None:
            return contextlib.nullcontext()
        return self.strategy.scope()

    def exchange(self, fact: Any) -> list[Any]:
        """Waits until all workers are here, and tells each what others say.

        Args:
            fact: what JSON can hold.

        Returns:
            List of all workers' facts, in the order of the workers.
        """
        if self.count == 1:
            return [fact]
        line = f"{json.dumps([self.index, fact])}\n".encode()
        codes = tf.constant(np.frombuffer(line, "uint8").astype("int32"))
        replicas = self.strategy.experimental_distribute_values_from_function(
            lambda context: codes
        )
        everyones = self.strategy.gather(replicas, axis=0).numpy()
        lines = everyones.astype("uint8").tobytes().decode().splitlines()
        # Each replica of a worker says the same.
        facts = dict(json.loads(line) for line in lines)
        return [facts[index] for index in sorted(facts)]

    def require_same(self, facts: dict[str, Any]) -> None:
        """Raises on all workers if they don't have the same facts.

        Args:
            facts: dict of what JSON can hold, whose names stand in the error.

        Raises:
            ValueError: naming those that differ.
        """
        first, *others = self.exchange(facts)
        for index, theirs in enumerate(others, 1):
            differ = sorted(n for n in first if first[n] != theirs.get(n))
            if differ:
                raise ValueError(
                    "All workers must be given the same arguments, files and "
                    "model, and see the state of a run that is resumed. "
                    f"Received: other {', '.join(differ)} on worker {index} "
                    "than on worker 0. Give each the same, and an --output "
                    "on a disk that all share if the run is to be resumed."
                )

    @contextlib.contextmanager
    def failing_together(self) -> Iterator[None]:
        """Has all workers raise if one of them does.

        Nothing within may use `strategy`: the others would wait for it.

        Raises:
            ValueError: on workers that didn't fail themselves.
        """
        try:
            yield
        except Exception as error:
            self.exchange(f"{type(error).__name__}: {error}")
            raise
        for index, message in enumerate(self.exchange(None)):
            if message is not None:
                raise ValueError(
                    "All workers must be able to begin. Received, on worker "
                    f"{index}: {message}"
                )

    @contextlib.contextmanager
    def until_the_end(self) -> Iterator[None]:
        """Has workers wait for one another, and explains when one is gone.

        Raises:
            WorkerLost: if another one ends before.
        """
        try:
            yield
            # One that left at once would look like one that died.
            self.exchange(None)
        except _GONE as error:
            if self.count == 1:
                raise
            # Of many lines those that name a process say it.
            lines = str(error).splitlines()
            named = [line for line in lines if "/task:" in line] or lines
            raise WorkerLost(
                f"All {self.count} workers must stay until the end of a run. "
                f"Received, on worker {self.index}: {named[0][:200]!r}. Look "
                "for the first error of the others, and start all again with "
                "--resume."
            ) from error


def _read_cluster() -> tuple[int, int]:
    """Returns the number of this process in TF_CONFIG, and how many it has."""
    text = os.environ.get("TF_CONFIG")
    try:
        given = json.loads(text or "null")
        cluster, task = given["cluster"], given["task"]
        jobs = {name: list(cluster[name]) for name in cluster}
        job, index = task["type"], int(task["index"])
        places = [
            (name, number)
            for name in ("chief", "worker")
            for number in range(len(jobs.get(name, [])))
        ]
        if set(jobs) <= {"chief", "worker"}:
            return places.index((job, index)), len(places)
    except (KeyError, TypeError, ValueError):
        pass
    raise ValueError(
        "--strategy multiworker needs the environment variable TF_CONFIG, "
        "which names all workers (and a chief, if there is one) and which of "
        f"them this process is. Received: {shown(text)}. Set it to such as "
        f"{_EXAMPLE}, or take --strategy mirrored for one machine."
    )
