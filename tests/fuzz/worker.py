"""Runs cases of one target in a process of its own.

Usage: python -m fuzz.worker TARGET SEED SCRATCH

SCRATCH is an empty folder. Reads a line of JSON for each case, {"index": 5} or
{"case": {...}}. Answers with the case before it runs, as the process may end or
hang, and with {"outcome": ...} or {"finding": ...} after it; beside it is the
resident memory in MiB. With "simpler" it answers with cases and runs none.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import sys
import time
import traceback
from pathlib import Path


def main(name: str, seed: str, scratch: str) -> None:
    # What libraries print goes where errors go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(**fields: object) -> None:
        print(json.dumps(fields), file=answers, flush=True)

    module = importlib.import_module(f"fuzz.{name}")
    target = module.Fuzzed(Path(scratch))
    answer(ready=True, seconds=target.seconds)
    for line in sys.stdin:
        question = json.loads(line)
        case = question.get("case")
        if case is None:
            index = question["index"]
            group = index // target.group
            case = target.draw(
                random.Random(f"{seed}/{name}/{index}"),
                random.Random(f"{seed}/{name}/group/{group}"),
            )
        answer(case=case)
        if "simpler" in question:
            answer(simpler=list(target.simpler(case)))
            continue
        started = time.process_time()
        try:
            result: dict[str, str] = {"outcome": target.run(case)}
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            lines = "".join(traceback.format_exception(error)).splitlines()
            result = {"finding": "\n".join(line[:500] for line in lines)}
        spent = time.process_time() - started
        if spent > target.cpu_seconds:
            result["finding"] = f"It takes {spent:.1f} s of the processor."
        answer(**result, memory=resident())


def resident() -> int:
    """Returns the memory of this process in MiB, 0 where it isn't known."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1]) // 1024
    except OSError:
        pass
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
