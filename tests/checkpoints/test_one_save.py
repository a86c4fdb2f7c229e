"""Loads and saves of one folder at the same time."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from checkpoints import files
from checkpoints.load_beside_saves import FORMATS

from tf_longformer import LongformerConfig
from tf_longformer import atomic
from tf_longformer import heads
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.match import match
from tf_longformer.errors import CheckpointError

HEAD = "ForTokenClassification"


def load_beside_saves(versions, folder, save_format, seconds):
    folder.mkdir()
    done = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("load_beside_saves.py")),
            *map(str, (*versions, folder, save_format, seconds)),
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    # How many are refused, and which version is met, is up to the machine.
    results = json.loads(done.stdout).values()
    assert sum(found["old"] + found["new"] for found in results) > 0


def test_a_load_is_of_one_save(versions, tmp_path):
    load_beside_saves(versions, tmp_path / "scratch", "shards", 3)


@pytest.mark.slow
@pytest.mark.parametrize("save_format", FORMATS)
def test_a_load_of_each_format_is_of_one_save(versions, tmp_path, save_format):
    load_beside_saves(versions, tmp_path / "scratch", save_format, 10)


@pytest.mark.parametrize("size", ["5GB", "2KB"])
def test_a_save_between_config_and_weights(
    versions, tmp_path, monkeypatch, size
):
    old, new = versions
    folder = tmp_path / "saved"
    convert(locate(old), folder, max_shard_size=size)
    read = Location.config_fields
    waiting = [new]

    def read_and_save(self):
        fields = read(self)
        if Path(self.where) == folder and waiting:
            convert(locate(waiting.pop()), folder, max_shard_size=size)
        return fields

    monkeypatch.setattr(Location, "config_fields", read_and_save)
    _, arrays = files.load(folder, HEAD)
    assert not waiting
    files.assert_same_bits(arrays, files.load(new, HEAD)[1])


@pytest.mark.parametrize("save_format", ["safetensors", "h5", "weights.h5"])
def test_an_open_file_stays_what_it_was(versions, tmp_path, save_format):
    """Also its header is read only after it was replaced."""
    old, new = versions
    folder = tmp_path / "saved"
    convert(locate(old), folder, save_format)
    _, before = files.load(folder, HEAD)
    fields, open_file = locate(folder).read()
    config = LongformerConfig.from_dict(fields)
    convert(locate(new), folder, save_format)
    file = open_file(config)
    wanted = names.weights(config, heads.HEADS[f"Longformer{HEAD}"])
    matching = match(wanted.values(), file, config)
    after = {weight.path: array for weight, array in matching.read()}
    files.assert_same_bits(after, before)


def test_files_that_are_replaced_all_the_time(versions, tmp_path, monkeypatch):
    monkeypatch.setattr(atomic, "_PAUSE_SECONDS", 0)
    monkeypatch.setattr(atomic, "_MOST_READS", 3)
    folder = tmp_path / "saved"
    convert(locate(versions[0]), folder)
    read = Location.config_fields
    reads = []

    def read_and_save(self):
        fields = read(self)
        if Path(self.where) == folder:
            reads.append(self)
            convert(locate(versions[len(reads) % 2]), folder)
        return fields

    monkeypatch.setattr(Location, "config_fields", read_and_save)
    with pytest.raises(CheckpointError, match="of one save.*config.json"):
        locate(folder).read()
    assert len(reads) == 3


def test_an_error_of_steady_files_is_raised_at_once(tmp_path, versions):
    (versions[0] / "model.safetensors").write_bytes(b"x")
    start = time.monotonic()
    with pytest.raises(CheckpointError, match="not a safetensors"):
        files.load(versions[0], HEAD)
    assert time.monotonic() - start < 2


@pytest.mark.skipif(sys.platform == "win32", reason="has no locks of folders")
def test_writers_follow_one_another(tmp_path, monkeypatch):
    order = []

    def write_second():
        with atomic.replacing_files(tmp_path) as replacement:
            order.append("second begins")
            (replacement.path / "x").write_text("second")

    with atomic.replacing_files(tmp_path) as replacement:
        second = threading.Thread(target=write_second)
        second.start()
        (replacement.path / "x").write_text("first")
        time.sleep(0.2)
        order.append("first ends")
    second.join()
    assert order == ["first ends", "second begins"]
    assert (tmp_path / "x").read_text() == "second"

    monkeypatch.setattr(atomic, "_LOCK_SECONDS", 0)

    def write_third():
        with atomic.replacing_files(tmp_path):
            pass

    with ThreadPoolExecutor() as threads, atomic.replacing_files(tmp_path):
        with pytest.raises(TimeoutError, match="one process at a time"):
            threads.submit(write_third).result()
