"""What a target of the fuzzer is."""

from __future__ import annotations

import random
import traceback
from pathlib import Path
from typing import Any

import tf_longformer

PACKAGE = str(Path(tf_longformer.__file__).parent)
LONGEST_MESSAGE = 2000


class Target:
    """Draws cases, and runs them.

    A case is a dict of plain values that says all of it: a case can be printed,
    changed and run again. Those of one group may share what is costly to make,
    such as a traced model.

    Attributes:
        group: cases in a group.
        seconds: the longest that a case may take; on a machine that does
            other things too.
        cpu_seconds: the most time of the processor, without child processes.
        simplest: by key of a case, values to try in its place when a case
            that fails is made simpler.
    """

    group = 1
    seconds = 60.0
    cpu_seconds = 100.0
    simplest: dict[str, tuple] = {}

    def __init__(self, scratch: Path) -> None:
        """Makes what all cases share; `scratch` is an empty folder."""
        self.scratch = scratch

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        """Draws a case; `shared` draws alike for all of a group."""
        raise NotImplementedError

    def run(self, case: dict[str, Any]) -> str:
        """Runs a case and returns a word for what came of it.

        Raises:
            Exception: whatever it is, it is a finding.
        """
        raise NotImplementedError

    def simpler(self, case: dict[str, Any]) -> Any:
        """Yields cases that are simpler in one respect."""
        for key, values in self.simplest.items():
            for value in values:
                if case.get(key) == value:
                    break
                yield {**case, key: value}
        for key, value in case.items():
            if isinstance(value, list) and len(value) > 1:
                for index in range(len(value)):
                    yield {**case, key: value[:index] + value[index + 1 :]}


def require_own_error(error: BaseException) -> None:
    """Raises an error on unless it is one of ours, written for people."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    raised = last.filename.startswith(PACKAGE) and str(last.line).startswith(
        "raise"
    )
    ours = raised and isinstance(error, ValueError | TypeError | OSError)
    # The system's own say what and where.
    if not ours and not (isinstance(error, OSError) and error.filename):
        raise error
    if len(str(error)) > LONGEST_MESSAGE:
        raise AssertionError(
            f"A message of {len(str(error))} characters: {str(error)[:500]}"
        ) from error
