"""Kills processes that write: the old or the new is there, and runs go on.

A save is killed once, and what the folder holds is all of the old or all of the
new; the next save comes through. A command that can be continued is killed
again and again, and what it has written in the end is, byte by byte, what an
undisturbed run writes.

Children are forked from a process that has imported TensorFlow and has not used
it. The moments of kills are shares of how long the work takes, so that a case
doesn't hit the same line each time.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import signal
import tarfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow  # noqa: F401
from checkpoints import files
from fuzz.target import Target
from helpers import small_exports as small

import tf_longformer.models
from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer.batch import prediction
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate
from tf_longformer.cli.app import main
from tf_longformer.loading import convert_to_keras

TESTS = Path(__file__).parents[1]
HEAD = "ForTokenClassification"
# Formats by how often. Keras's takes seconds.
SAVES = {
    "safetensors": 5,
    "shards": 5,
    "h5": 3,
    "weights.h5": 3,
    "tokenizer": 3,
    "config": 1,
    "keras": 0.5,
}
COMMANDS = {"predict": 1.5, "embed": 0.7, "embed.npy": 0.7, "finetune": 0.7}
TEXTS = [text for text in small.HOSTILE if text.strip()] * 4 + [
    "A long one. Two. " * 40
]
TRAINED_HEAD = "ForSequenceClassification"
TRAINED = ("model.safetensors", "config.json", "training_state.safetensors")
# More than the shortest commands have.
MOST_KILLS = 4


class Fuzzed(Target):
    seconds = 400.0
    simplest = {"moments": ([0.5],)}

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        with tarfile.open(TESTS / "checkpoints/hf.tar.xz") as archive:
            archive.extractall(scratch / "hf", filter="data")
        versions = files.make_versions(scratch / "hf", scratch)
        self.versions = dict(zip(("old", "new"), versions, strict=True))
        self.states = {
            name: self._state(folder) for name, folder in self.versions.items()
        }
        # How long work takes, from what came of the last kills.
        self.longest: dict[str, float] = {}
        self.finished: dict[str, Path] = {}

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        kinds = {**SAVES, **COMMANDS}
        kind = rng.choices(list(kinds), list(kinds.values()))[0]
        kills = 1 if kind in SAVES else rng.randint(1, MOST_KILLS)
        moments = [round(rng.random(), 3) for _ in range(kills)]
        return {"kind": kind, "moments": moments}

    def run(self, case: dict[str, Any]) -> str:
        folder = self.scratch / "case"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if case["kind"] in SAVES:
            return self._kill_save(case, folder)
        return self._kill_command(case, folder)

    def _kill_save(self, case: dict[str, Any], folder: Path) -> str:
        kind = case["kind"]
        shutil.copytree(self._saved(kind, "old"), folder / "x")
        killed = self._run_killed(
            kind, case["moments"][0], lambda: self._save(kind, "new", folder)
        )
        held = self._held(kind, folder / "x")
        assert held == "new" or killed
        # What was left half-written does no harm.
        self._finish(lambda: self._save(kind, "new", folder))
        assert self._held(kind, folder / "x") == "new"
        return f"{kind}: {held} {'after a kill' if killed else 'in time'}"

    def _save(self, kind: str, version: str, parent: Path) -> None:
        source, folder = self.versions[version], parent / "x"
        if kind == "config":
            LongformerConfig.from_pretrained(source).save_pretrained(folder)
        elif kind == "tokenizer":
            LongformerTokenizer.from_pretrained(source).save_pretrained(folder)
        elif kind == "keras":
            convert_to_keras(locate(source), folder)
        elif kind == "shards":
            convert(locate(source), folder, max_shard_size="2KB")
        else:
            convert(locate(source), folder, kind)

    def _saved(self, kind: str, version: str) -> Path:
        """Returns a folder that one save has filled."""
        parent = self.scratch / f"{version} {kind}"
        if not parent.exists():
            parent.mkdir()
            started = time.monotonic()
            self._finish(lambda: self._save(kind, version, parent))
            self.longest[kind] = time.monotonic() - started
            assert self._held(kind, parent / "x") == version
        return parent / "x"

    def _held(self, kind: str, folder: Path) -> str:
        """Returns which version a folder holds; anything else raises."""
        if kind == "config":
            labels = LongformerConfig.from_pretrained(folder).num_labels
            return {5: "old", 3: "new"}[labels]
        state = self._state(folder, weights=kind != "tokenizer")
        for version, expected in self.states.items():
            if all(expected[name] == value for name, value in state.items()):
                return version
        raise AssertionError("neither the old one nor the new one")

    def _state(self, folder: Path, weights: bool = True) -> dict[str, Any]:
        tokenizer = LongformerTokenizer.from_pretrained(folder)
        added = sorted(tokenizer.get_added_vocab())
        state: dict[str, Any] = {
            "tokenizer": (sorted(tokenizer.get_vocab()), added)
        }
        if weights:
            _, arrays = files.load(folder, HEAD)
            state["weights"] = {n: a.tobytes() for n, a in arrays.items()}
        return state

    def _kill_command(self, case: dict[str, Any], folder: Path) -> str:
        kind = case["kind"]
        expected = self._output(kind)
        target = folder / expected.name
        kills = 0
        for moment in case["moments"]:
            kills += self._run_killed(
                kind, moment, lambda: self._command(kind, target)
            )
            if target.is_file():
                break
        # Training says itself whether there is nothing left to do.
        if not target.exists() or kind == "finetune":
            self._finish(lambda: self._command(kind, target))
        assert self._contents(target) == self._contents(expected)
        left = sorted(path.name for path in folder.iterdir())
        assert left == [target.name], left
        return f"{kind}: {kills} kills"

    def _contents(self, path: Path) -> dict[str, bytes]:
        """Returns a file's bytes, or those of a model's folder by name."""
        if path.is_file():
            return {"": path.read_bytes()}
        found = {name: (path / name).read_bytes() for name in TRAINED}
        # Beside it are times, and a picture of them.
        tokenizers = path.glob("*token*.json")
        return found | {file.name: file.read_bytes() for file in tokenizers}

    def _output(self, kind: str) -> Path:
        """Returns what a run that nobody kills writes."""
        if kind not in self.finished:
            suffix = {"embed.npy": ".npy", "finetune": ""}.get(kind, ".jsonl")
            target = self.scratch / f"whole {kind}{suffix}"
            self._finish(self._make_inputs)
            started = time.monotonic()
            self._finish(lambda: self._command(kind, target))
            self.longest[kind] = time.monotonic() - started
            self.finished[kind] = target
        return self.finished[kind]

    def _make_inputs(self) -> None:
        """Writes the models of commands, and texts."""
        if (self.scratch / "in.jsonl").exists():
            return
        for head in ("Model", "ForTokenClassification", TRAINED_HEAD):
            folder = self.scratch / head
            small.make(head).save_pretrained(folder)
            small.tokenizer().save_pretrained(folder)
        lines = [
            json.dumps({"text": text, "label": "ab"[index % 2]}) + "\n"
            for index, text in enumerate(TEXTS)
        ]
        (self.scratch / "in.jsonl").write_text("".join(lines), "utf-8")

    def _command(self, kind: str, target: Path) -> None:
        source = str(self.scratch / "in.jsonl")
        command = kind.partition(".")[0]
        if command == "finetune":
            arguments = ["finetune", "text-classification", "--resume"]
            arguments += ["--model", str(self.scratch / TRAINED_HEAD)]
            arguments += ["--train", source, "--eval", source]
            arguments += ["--output", str(target), "--max-length", "20"]
            arguments += ["--steps", "8", "--eval-steps", "2"]
            arguments += ["--batch-size", "2", "--max-eval-samples", "4"]
        else:
            # Often enough to be killed in between.
            prediction.PIECE_ROWS = 4
            head = "Model" if command == "embed" else HEAD
            arguments = [command, str(self.scratch / head), source]
            arguments += [str(target), "--batch-rows", "4"]
        said, code = io.StringIO(), None
        try:
            with contextlib.redirect_stderr(said):
                main(arguments)
        except SystemExit as end:
            code = end.code
        assert not code, said.getvalue()

    def _fork(self, work: Callable[[], None]) -> int:
        """Does the work in a process of its own, and returns its number."""
        child = os.fork()
        if child:
            return child
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            (self.scratch / "failed").write_text(traceback.format_exc())
        finally:
            os._exit(code)

    def _finish(self, work: Callable[[], None]) -> None:
        _, status = os.waitpid(self._fork(work), 0)
        self._require_sound(status)

    def _run_killed(
        self, kind: str, moment: float, work: Callable[[], None]
    ) -> bool:
        """Returns whether the kill came before the end."""
        child = self._fork(work)
        end = time.monotonic() + 1.3 * moment * self.longest[kind]
        done = 0
        while not done and time.monotonic() < end:
            time.sleep(0.001)
            done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            os.kill(child, signal.SIGKILL)
            _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == 9
        # What else the machine does changes: later after a kill, sooner else.
        self.longest[kind] *= 1.1 if killed else 0.8
        if not killed:
            self._require_sound(status)
        return killed

    def _require_sound(self, status: int) -> None:
        """Raises what a child has raised, or that a signal has ended it."""
        if os.WIFSIGNALED(status):
            raise AssertionError(f"ended by signal {os.WTERMSIG(status)}")
        if os.WEXITSTATUS(status):
            raise AssertionError((self.scratch / "failed").read_text())


# Imported before there is a child, which would do it each time.
assert tf_longformer.models
