"""The short form of `attack.py`, with what has to hold on any machine."""

from __future__ import annotations

import sys

import pytest
from serving.client import needs_server

# MiB that the process may have more than after its first requests, by the sum
# that `tf-longformer serve --help` gives: 256 held, 25 for 200 connections; and
# for each of two workers 16 of a body, 64 of an answer, and 230 that this model
# was seen to take for 262,144 tokens. Most runs reach 450; a busy machine,
# where all of it is held at once, has reached 708.
MOST_MIB = 256 + 25 + 2 * (16 + 64 + 230)


@needs_server
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and ulimit")
def test_attack(tmp_path):
    from serving.attack import Attack
    from serving.attack import scenes

    attack = Attack(tmp_path, seconds=1)
    first, *others = scenes()
    start = attack.play(first)
    rows = [(scene, attack.play(scene)) for scene in others]
    for scene, row in rows:
        assert set(row.statuses) <= set(scene.statuses), row
        assert row.failures == 0, row
        # A tenth of it on a machine that does nothing else.
        assert row.health < 2, row
    assert rows[-1][1].peak_mib < start.peak_mib + MOST_MIB
    code, log = attack.server.stop()
    assert code == 0
    assert "Traceback" not in log
    assert len(log) < 20_000
