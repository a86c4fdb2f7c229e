"""The fuzzer finds what is planted, and nothing in the package."""

from __future__ import annotations

import json
import shlex
import sys

import pytest
from fuzz.planted import ENDS
from fuzz.planted import HANGS
from fuzz.planted import RAISES
from fuzz.planted import SPENDS
from fuzz.run import TARGETS
from fuzz.run import fuzz
from fuzz.run import main

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="needs POSIX processes"
)
# Cases that a minute has at least, on two cores that do other things too.
LEAST = {
    "layers": 25,
    "models": 5,
    "files": 200,
    "configs": 200,
    "requests": 20,
    "kills": 5,
}


def test_a_fault_is_found_again_by_its_number(capsys):
    summary = fuzz("planted", seed=0, count=12)
    assert summary.cases == 12
    assert summary.outcomes["fine"] > 2
    assert len(summary.findings) == 1
    capsys.readouterr()
    first, _, simplest = next(iter(summary.findings.values())).splitlines()[-3:]
    command, _, number = first.rpartition(" ")
    assert command == "python tests/fuzz/run.py planted --seed 0 --case"
    assert main(["planted", "--seed", "0", "--case", number]) == 1
    assert "ValueError: planted" in capsys.readouterr().out
    # Made as simple as it can be.
    case = json.loads(shlex.split(simplest)[-1])
    assert case["values"] == [RAISES]
    assert case["noise"] == 0


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (ENDS, "The process ended: SIGSEGV"),
        (HANGS, "The process hangs: no answer in 2 seconds"),
        (SPENDS, "s of the processor."),
    ],
)
def test_a_case_that_does_not_come_back(value, said):
    summary = fuzz("planted", case={"values": [value], "noise": 0}, count=1)
    assert list(summary.outcomes) == ["finding"]
    assert said in next(iter(summary.findings.values()))


def test_damaged_files():
    summary = fuzz("files", seed=1, minutes=3, count=250)
    assert not summary.findings
    assert summary.cases == 250
    assert summary.outcomes["refused"] > 80


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_a_minute(target):
    summary = fuzz(target, seed=7, minutes=0.8)
    assert not summary.findings
    assert summary.cases > LEAST[target]
