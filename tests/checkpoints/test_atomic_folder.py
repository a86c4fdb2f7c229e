"""A folder has the old files or the new ones, whenever a process ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from checkpoints import files
from safetensors.numpy import load_file
from safetensors.numpy import save_file

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer import atomic_folder
from tf_longformer.checkpoints import conversion
from tf_longformer.checkpoints.locate import locate

HEAD = "ForTokenClassification"
HERE = Path(__file__).parent


SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def tokenizer(*tokens):
    vocab = {token: index for index, token in enumerate((*SPECIAL, *tokens))}
    return LongformerTokenizer(vocab=vocab)


@pytest.fixture
def versions(hf, tmp_path):
    """Two checkpoints that differ in everything."""
    old = files.copy(hf / HEAD / "safetensors", tmp_path / "old")
    theirs = tokenizer("a", "b")
    # In a file that the new tokenizer doesn't have.
    theirs.add_tokens("NEW")
    theirs.save_pretrained(old)
    new = files.copy(
        hf / HEAD / "safetensors",
        tmp_path / "new",
        type_vocab_size=1,
        id2label={"0": "a", "1": "b", "2": "c"},
        label2id={"a": 0, "b": 1, "c": 2},
    )
    tensors = load_file(new / "model.safetensors")
    for name, array in tensors.items():
        rows = 3 if name.startswith("classifier") else array.shape[0]
        rows = 1 if "token_type" in name else rows
        tensors[name] = (array[:rows] + 1).copy()
    save_file(tensors, new / "model.safetensors", {"format": "pt"})
    tokenizer("a").save_pretrained(new)
    return old, new


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("shards", ["5GB", "2KB"])
@pytest.mark.parametrize("before", ["5GB", "2KB"])
def test_an_end_at_any_step(versions, shards, before, tmp_path, monkeypatch):
    """Ends a save before each of its steps that others can see."""
    old, new = versions
    steps = ("replace", "unlink", "mkdir", "rmdir", "open", "fsync")
    results = set()
    for last in range(1000):
        folder = tmp_path / f"{last}"
        conversion.convert(locate(old), folder, max_shard_size=before)
        count = 0

        def counted(name, real, last=last):
            def run(*arguments, **options):
                nonlocal count
                count += 1
                if count > last:
                    raise Killed(name)
                return real(*arguments, **options)

            return run

        with monkeypatch.context() as patch:
            for name in steps:
                patch.setattr(os, name, counted(name, getattr(os, name)))
            # A process that is killed cleans nothing up.
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            try:
                conversion.convert(locate(new), folder, max_shard_size=shards)
                done = True
            except Killed:
                done = False
        _, arrays = files.load(folder, HEAD)
        labels = arrays["classifier/bias"].size
        expected = {5: old, 3: new}[labels]
        _, theirs = files.load(expected, HEAD)
        files.assert_same_bits(arrays, theirs)
        config = LongformerConfig.from_pretrained(folder)
        assert config.num_labels == labels
        tokens = len(LongformerTokenizerFast.from_pretrained(folder))
        assert tokens == {5: 8, 3: 6}[labels]
        results.add(labels)
        # The next save finishes what was left, and comes through.
        conversion.convert(locate(old), folder)
        files.assert_same_bits(
            files.load(folder, HEAD)[1], files.load(old, HEAD)[1]
        )
        assert not (folder / atomic_folder.JOURNAL).exists()
        if done:
            break
    assert results == {3, 5}
    assert last > 10


def test_kills(versions, tmp_path):
    """Fifty times with `kill -9`, at random moments."""
    (tmp_path / "scratch").mkdir()
    done = subprocess.run(
        [
            sys.executable,
            str(HERE / "kill_saves.py"),
            *map(str, versions),
            str(tmp_path / "scratch"),
            "50",
            "3",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert sum(results.values()) == 50
    assert min(results.values()) > 0


def test_an_end_before_keras_s_archive_has_its_tokenizer(
    versions, tmp_path, monkeypatch
):
    from tf_longformer.models.keras_conversion import convert_to_keras

    source, folder = locate(versions[0]), tmp_path / "keras"
    copyfile = shutil.copyfile

    def killed(source, target):
        if Path(target).is_relative_to(folder):
            raise Killed
        copyfile(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", killed)
        with pytest.raises(Killed):
            convert_to_keras(source, folder)
    assert list(folder.iterdir()) == []
    convert_to_keras(source, folder)
    assert locate(folder).config_fields()["num_hidden_layers"]
    assert len(LongformerTokenizerFast.from_pretrained(folder)) == 8
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_a_tokenizer_that_has_no_successor_stays(hf, tmp_path):
    tokenizer("a").save_pretrained(tmp_path)
    conversion.convert(locate(hf / HEAD / "safetensors"), tmp_path)
    assert len(LongformerTokenizerFast.from_pretrained(tmp_path)) == 6


def test_an_error_leaves_the_old_files(tmp_path):
    (tmp_path / "a").write_text("old", "utf-8")

    def save():
        with atomic_folder.replacing(tmp_path) as replacement:
            (replacement.path / "a").write_text("new", "utf-8")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        save()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text("utf-8") == "old"


def test_what_killed_processes_left_is_removed_when_old(tmp_path):
    for name, age in (("a", 0), ("b", 1000)):
        left = tmp_path / f".tf-longformer-{name * 32}"
        left.mkdir()
        (left / "model.safetensors").touch()
        then = time.time() - age
        os.utime(left / "model.safetensors", (then, then))
        os.utime(left, (then, then))
    with atomic_folder.replacing(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [
        f".tf-longformer-{'a' * 32}"
    ]


def test_a_config_written_alone_is_not_lost(hf, tmp_path):
    """A save that was killed while it moved files comes before it."""
    staging = tmp_path / f".tf-longformer-{'a' * 32}"
    staging.mkdir()
    (staging / "config.json").write_text("{}", "utf-8")
    journal = {
        "staging": staging.name,
        "names": ["config.json"],
        "removed": [],
    }
    (tmp_path / atomic_folder.JOURNAL).write_text(json.dumps(journal), "utf-8")
    config = LongformerConfig.from_pretrained(hf / HEAD / "torch")
    config.save_pretrained(tmp_path)
    assert LongformerConfig.from_pretrained(tmp_path) == config
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    "journal",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        {"staging": "..", "names": [], "removed": []},
        {"names": ["../a"], "removed": []},
        {"names": [], "removed": ["/etc/passwd"]},
        {"names": 3, "removed": []},
    ],
    ids=lambda journal: str(journal)[:20],
)
def test_journals_that_are_none(journal, tmp_path, hf):
    folder = files.copy(hf / HEAD / "torch", tmp_path / "x")
    if isinstance(journal, dict):
        staging = f".tf-longformer-{'a' * 32}"
        journal = json.dumps({"staging": staging, **journal})
    (folder / atomic_folder.JOURNAL).write_text(journal, "utf-8")
    with pytest.raises(ValueError, match="journal of a folder must be whole"):
        files.load(folder, HEAD)
    with pytest.raises(ValueError, match="journal of a folder must be whole"):
        conversion.convert(locate(hf / HEAD / "torch"), folder)


def test_a_file_is_no_folder(hf, tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(FileExistsError, match="`save_directory` must be"):
        conversion.convert(locate(hf / HEAD / "torch"), tmp_path / "x")
