"""A target with faults of every kind, for the tests of the fuzzer itself."""

from __future__ import annotations

import os
import random
import signal
import time
from typing import Any

from fuzz.target import Target

# Only the first is drawn.
RAISES, ENDS, HANGS, SPENDS = 3, 5, 7, 9


class Fuzzed(Target):
    group = 2
    seconds = 2.0
    cpu_seconds = 0.02
    simplest = {"noise": (0,)}

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        return {
            "values": [
                rng.randrange(RAISES + 1) for _ in range(rng.randint(1, 3))
            ],
            "noise": rng.random(),
            "shared": shared.random(),
        }

    def run(self, case: dict[str, Any]) -> str:
        for value in case["values"]:
            if value == RAISES:
                raise ValueError("planted")
            if value == ENDS:
                os.kill(os.getpid(), signal.SIGSEGV)
            if value == HANGS:
                time.sleep(100)
            if value == SPENDS:
                end = time.process_time() + 0.05
                while time.process_time() < end:
                    pass
        return "fine"
