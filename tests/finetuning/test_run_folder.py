"""What a run writes to its folder and reads of it, whole and not elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from safetensors.numpy import save_file

import tf_longformer
from tf_longformer import LongformerTokenizerFast
from tf_longformer import atomic
from tf_longformer.errors import CheckpointError
from tf_longformer.finetuning import callbacks
from tf_longformer.finetuning.fine_tune import CURVE
from tf_longformer.finetuning.fine_tune import METRICS
from tf_longformer.finetuning.fine_tune import _Run
from tf_longformer.finetuning.fine_tune import fine_tune
from tf_longformer.finetuning.training_state import FILE_NAME
from tf_longformer.finetuning.training_state import LOCK
from tf_longformer.finetuning.training_state import only_run
from tf_longformer.loading import Checkpoint

pytestmark = [
    pytest.mark.usefixtures("eagerly"),
    pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning"),
]
needs_links = pytest.mark.skipif(
    sys.platform == "win32", reason="links need a privilege there"
)
needs_locks = pytest.mark.skipif(
    sys.platform == "win32", reason="folders have no locks there"
)
CANARY = b"CANARY: a key of somebody's"


@pytest.fixture
def given(arguments):
    """Two steps, each measured."""
    return arguments(
        "masked-lm", count=32, dev=8, steps=2, eval_steps=1, eval_batch_size=8
    )


def run(given, **changes):
    return fine_tune(
        dataclasses.replace(given, **changes), lambda line: None, verbose=0
    )


def interrupt_at(monkeypatch, step):
    """Ends runs in the midst of a step, as Ctrl-C does."""

    def on_train_batch_end(self, batch, logs=None):
        self.done += 1
        if self.done == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(
        callbacks.StopAtStep, "on_train_batch_end", on_train_batch_end
    )


def contents(folder: Path) -> dict[str, object]:
    """All that lies in a folder, links as what they are."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


@pytest.fixture
def older(given, source):
    """The output, with an older model and another tokenizer."""
    shutil.copytree(source, given.output)
    tokenizer = LongformerTokenizerFast.from_pretrained(source)
    tokenizer.model_max_length = 17
    tokenizer.save_pretrained(given.output)
    return contents(given.output)


def test_a_run_that_ends_before_it_is_measured(given, older, monkeypatch):
    interrupt_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(given, overwrite=True)
    assert contents(given.output) == older


def test_a_run_that_ends_while_it_saves(given, older, monkeypatch):
    """Neither the model is replaced alone nor the tokenizer."""

    def fail(self, folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(LongformerTokenizerFast, "save_pretrained", fail)
    with pytest.raises(KeyboardInterrupt):
        run(given, overwrite=True)
    assert contents(given.output) == older


@pytest.mark.slow
def test_both_are_replaced(given, older):
    run(given, overwrite=True)
    after = contents(given.output)
    assert after["model.safetensors"] != older["model.safetensors"]
    tokenizer = Checkpoint(str(given.output)).load_tokenizer()
    assert tokenizer.model_max_length != 17


def test_a_state_is_kept_until_training_begins(given, tmp_path, monkeypatch):
    given.output.mkdir()
    state = given.output / FILE_NAME
    state.write_bytes(CANARY)
    wrong = [
        {"train": tmp_path / "tarin.jsonl"},
        {"model": str(tmp_path / "sorce")},
        {"metric": "f1"},
        {"max_length": 1000},
    ]
    for changes in wrong:
        with pytest.raises((OSError, ValueError)):
            run(given, overwrite=True, **changes)
        assert state.read_bytes() == CANARY, changes
    adapter = given.output / "adapter_config.json"
    adapter.write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="A folder's adapter is added"):
        run(given, overwrite=True)
    assert state.read_bytes() == CANARY
    adapter.unlink()
    # From then on nobody may go on from it.
    interrupt_at(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        run(given, overwrite=True)
    assert not state.exists()


@needs_locks
def test_two_runs_in_one_folder(given, older, monkeypatch):
    """The second is told, whether or not it is there before the first."""
    message = "written by one run at a time"
    check = _Run._check_output

    def check_early(self):
        check(self)
        stack.enter_context(only_run(given.output))

    with contextlib.ExitStack() as stack:
        with monkeypatch.context() as patch:
            patch.setattr(_Run, "_check_output", check_early)
            with pytest.raises(ValueError, match=message):
                run(given, overwrite=True)
        with pytest.raises(ValueError, match=message):
            run(given, overwrite=True, train=given.output / "not read yet")
        # Others may come and go.
        with atomic.locked(given.output):
            assert contents(given.output) == {**older, LOCK: b""}
    assert contents(given.output) == older


@needs_links
def test_a_lock_that_is_a_link(given, tmp_path):
    given.output.mkdir()
    (given.output / LOCK).symlink_to(tmp_path / "made")
    with pytest.raises(ValueError, match="a file of its own"):
        run(given, overwrite=True)
    assert not (tmp_path / "made").exists()


def test_what_a_killed_run_leaves(given):
    given.output.mkdir()
    (given.output / LOCK).touch()
    run(given)
    assert not (given.output / LOCK).exists()


@needs_locks
def test_another_run_has_gone_on_meanwhile(given, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(given)
    load = _Run._load_model

    def load_late(self, base):
        monkeypatch.setattr(_Run, "_load_model", load)
        run(given, resume=True)
        return load(self, base)

    monkeypatch.setattr(_Run, "_load_model", load_late)
    with pytest.raises(ValueError, match="has gone on with meanwhile"):
        run(given, resume=True)
    assert json.loads((given.output / METRICS).read_text())


WRITTEN = [
    *(FILE_NAME, METRICS, CURVE),
    *(f"{name}.tmp" for name in (FILE_NAME, METRICS, CURVE)),
    *("model.safetensors", "config.json", "tokenizer.json", "vocab.json"),
]


@pytest.mark.slow
@needs_links
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_files_are_not_written_through_links(given, tmp_path, link):
    home = tmp_path / "home"
    home.mkdir()
    given.output.mkdir()
    for name in WRITTEN:
        (home / name).write_bytes(CANARY)
        link(home / name, given.output / name)
    run(given, overwrite=True)
    assert contents(home) == dict.fromkeys(WRITTEN, CANARY)
    for name in WRITTEN:
        path = given.output / name
        assert name.endswith(".tmp") != path.is_file()
        assert not path.is_symlink()


@pytest.mark.slow
@needs_links
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_state_that_is_a_link(given, tmp_path, monkeypatch, link):
    """It is read, as weights are, and replaced, but not written to."""
    with monkeypatch.context() as patch:
        interrupt_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(given)
    state, other = given.output / FILE_NAME, tmp_path / "other.safetensors"
    state.rename(other)
    before = other.read_bytes()
    link(other, state)
    assert run(given, resume=True).steps == 2
    assert other.read_bytes() == before
    assert not state.is_symlink()
    assert state.read_bytes() != before


@needs_links
def test_a_state_that_is_a_link_to_something_else(given, tmp_path):
    key = tmp_path / "id_rsa"
    key.write_bytes(CANARY)
    given.output.mkdir()
    (given.output / FILE_NAME).symlink_to(key)
    with pytest.raises(ValueError, match="which is a link to") as error:
        run(given, resume=True)
    assert "CANARY" not in str(error.value)
    assert key.read_bytes() == CANARY


@needs_links
@pytest.mark.parametrize("again", ["resume", "overwrite"])
@pytest.mark.parametrize("name", ["logs", "logs/train", "logs/validation"])
def test_logs_are_not_written_through_links(given, tmp_path, name, again):
    home = tmp_path / "home"
    (home / "train").mkdir(parents=True)
    path = given.output / name
    path.parent.mkdir(parents=True)
    path.symlink_to(home)
    before = contents(given.output)
    with pytest.raises(ValueError, match="through no link") as error:
        run(given, tensorboard=True, **{again: True})
    assert str(path) in str(error.value)
    assert contents(given.output) == before
    assert contents(home) == {"train": False}


def test_logs_that_are_no_folder(given):
    given.output.mkdir()
    (given.output / "logs").touch()
    with pytest.raises(ValueError, match="a link or no folder"):
        run(given, tensorboard=True, overwrite=True)


def test_logs_without_tensorboard(given, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match="pip install tensorboard"):
        run(given, tensorboard=True)
    assert not given.output.exists()


@pytest.mark.parametrize("facts", [None, {}, {"arguments": []}])
def test_a_damaged_state(given, facts):
    given.output.mkdir()
    path = given.output / FILE_NAME
    metadata = None if facts is None else {"facts": json.dumps(facts)}
    save_file({"model.0": np.zeros(2, "float32")}, path, metadata)
    before = contents(given.output)
    with pytest.raises(CheckpointError, match="state of a run") as error:
        run(given, resume=True)
    assert str(path) in str(error.value)
    assert contents(given.output) == before


def save(folder, source, names, added):
    """Saves a classifier of some labels, with a token more for each `added`."""
    tokenizer = LongformerTokenizerFast.from_pretrained(source)
    tokenizer.add_tokens(added)
    model = tf_longformer.TFLongformerForSequenceClassification.from_pretrained(
        source,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
    )
    model.resize_token_embeddings(len(tokenizer))
    with atomic.replacing_files(folder):
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return tokenizer


def test_a_base_that_is_saved_meanwhile(
    arguments, source, tmp_path, monkeypatch
):
    """Labels, tokenizer and weights of a run are those of one save."""
    base, later = tmp_path / "base", tmp_path / "later"
    save(base, source, ["person", "place"], [])
    tokenizer = save(later, source, ["place", "person"], ["a token"])
    given = arguments(
        "text-classification",
        count=16,
        model=str(base),
        eval=None,
        steps=1,
        # No weight changes by more than that.
        learning_rate=1e-9,
    )
    read = LongformerTokenizerFast.from_pretrained
    reads = []

    def read_and_save(*names, **settings):
        found = read(*names, **settings)
        if not reads:
            shutil.copytree(later, base, dirs_exist_ok=True)
        reads.append(names)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(LongformerTokenizerFast, "from_pretrained", read_and_save)
        run(given)
    trained = Checkpoint(str(given.output))
    assert len(trained.load_tokenizer()) == len(tokenizer)
    assert trained.load_model().config.id2label == {0: "place", 1: "person"}
    ours, theirs = (
        load_file(folder / "model.safetensors")
        for folder in (given.output, later)
    )
    assert ours.keys() == theirs.keys()
    for name, array in ours.items():
        np.testing.assert_allclose(array, theirs[name], atol=1e-8)
