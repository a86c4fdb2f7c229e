"""A folder has the old files or the new ones, whenever a process ends."""

from __future__ import annotations

import json
import os
import shutil
import time

import pytest
from checkpoints import files
from checkpoints.files import tokenizer
from helpers import tiny

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import atomic
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate

HEAD = "ForTokenClassification"


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
        convert(locate(old), folder, max_shard_size=before)
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
                convert(locate(new), folder, max_shard_size=shards)
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
        convert(locate(old), folder)
        files.assert_same_bits(
            files.load(folder, HEAD)[1], files.load(old, HEAD)[1]
        )
        assert not (folder / atomic.JOURNAL).exists()
        if done:
            break
    assert results == {3, 5}
    assert last > 10


def test_an_end_before_keras_s_archive_has_its_tokenizer(
    versions, tmp_path, monkeypatch
):
    from tf_longformer import loading
    from tf_longformer.loading import convert_to_keras

    source, folder = locate(versions[0]), tmp_path / "keras"

    def killed(*arguments):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loading, "write_tokenizer", killed)
        with pytest.raises(Killed):
            convert_to_keras(source, folder)
    assert not folder.exists()
    convert_to_keras(source, folder)
    assert locate(folder).config_fields()["num_hidden_layers"]
    assert len(LongformerTokenizerFast.from_pretrained(folder)) == 8
    assert not [path for path in folder.iterdir() if path.is_dir()]


def test_a_tokenizer_that_has_no_successor_stays(hf, tmp_path):
    tokenizer("a").save_pretrained(tmp_path)
    convert(locate(hf / HEAD / "safetensors"), tmp_path)
    assert len(LongformerTokenizerFast.from_pretrained(tmp_path)) == 6


def test_an_error_leaves_the_old_files(tmp_path):
    (tmp_path / "a").write_text("old", "utf-8")

    def save():
        with atomic.replacing_files(tmp_path) as replacement:
            (replacement.path / "a").write_text("new", "utf-8")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        save()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text("utf-8") == "old"


@pytest.mark.parametrize("exists", [True, False])
def test_no_room(tmp_path, exists):
    """The error says where, and nothing is left of what was begun."""
    resource = pytest.importorskip("resource")
    folder = tmp_path / "x"
    if exists:
        folder.mkdir()
        (folder / "a").write_text("old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(OSError, match="must have room .* was.*") as error:
            with atomic.replacing_files(folder) as new:
                (new.path / "a").write_bytes(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert error.value.filename == str(folder)
    assert folder.exists() == exists
    if exists:
        assert [path.name for path in folder.iterdir()] == ["a"]
        assert (folder / "a").read_text() == "old"


def test_what_killed_processes_left_is_removed_when_old(tmp_path):
    for name, age in (("a", 0), ("b", 1000)):
        left = tmp_path / f".tf-longformer-{name * 32}"
        left.mkdir()
        (left / "model.safetensors").touch()
        then = time.time() - age
        os.utime(left / "model.safetensors", (then, then))
        os.utime(left, (then, then))
    with atomic.replacing_files(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [
        f".tf-longformer-{'a' * 32}"
    ]


@pytest.mark.parametrize(
    "write",
    [
        lambda folder: atomic.write_text(folder / "new.json", "{}"),
        lambda folder: tiny.make_model("Model").save(folder / "new.keras"),
    ],
)
def test_drafts_that_killed_processes_left_are_removed_when_old(
    write, tmp_path
):
    names = [f".tf-longformer-{x * 32}.weights.h5" for x in "abc"]
    for name, age in zip(names, (0, 1000, 1000), strict=True):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    # Neither a link nor what only looks alike is ours.
    (tmp_path / names[2]).rename(tmp_path / ".tf-longformer-mine.h5")
    (tmp_path / names[2]).symlink_to(tmp_path / ".tf-longformer-mine.h5")
    write(tmp_path)
    (new,) = tmp_path.glob("new.*")
    assert {path.name for path in tmp_path.iterdir()} == {
        new.name,
        ".tf-longformer-mine.h5",
        names[0],
        names[2],
    }


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
    (tmp_path / atomic.JOURNAL).write_text(json.dumps(journal), "utf-8")
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
    (folder / atomic.JOURNAL).write_text(journal, "utf-8")
    with pytest.raises(ValueError, match="journal of a folder must be whole"):
        files.load(folder, HEAD)
    with pytest.raises(ValueError, match="journal of a folder must be whole"):
        convert(locate(hf / HEAD / "torch"), folder)


STAGING = f".tf-longformer-{'a' * 32}"


def plant_journal(folder, names=(), removed=()):
    """Puts the journal of a stranger into a folder."""
    journal = {
        "staging": STAGING,
        "names": list(names),
        "removed": list(removed),
    }
    (folder / atomic.JOURNAL).write_text(json.dumps(journal), "utf-8")


def contents(folder):
    """All that lies in a folder, links as what they are."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


def assert_refused(tmp_path, folder, hf, match):
    before = contents(tmp_path)
    for touch in (
        lambda: files.load(folder, HEAD),
        lambda: atomic.finish(folder),
        lambda: LongformerConfig().save_pretrained(folder),
        lambda: tokenizer("a").save_pretrained(folder),
        lambda: convert(locate(hf / HEAD / "torch"), folder),
    ):
        with pytest.raises(ValueError, match=match):
            touch()
        assert contents(tmp_path) == before


def test_a_journal_takes_nothing_out_of_a_link(hf, tmp_path):
    """A downloaded folder may say that its new files lie elsewhere."""
    folder = files.copy(hf / HEAD / "torch", tmp_path / "x")
    (tmp_path / "home").mkdir()
    (tmp_path / "home/id_rsa").write_text("secret", "utf-8")
    (folder / STAGING).symlink_to(tmp_path / "home")
    plant_journal(folder, ["id_rsa"])
    assert_refused(tmp_path, folder, hf, f"{STAGING} is a link")


def test_a_journal_brings_no_link_and_no_folder(hf, tmp_path):
    (tmp_path / "secret").write_text("secret", "utf-8")
    for name, make in (
        ("link", lambda path: path.symlink_to(tmp_path / "secret")),
        ("folder", lambda path: path.mkdir()),
    ):
        folder = files.copy(hf / HEAD / "torch", tmp_path / name)
        (folder / STAGING).mkdir()
        (folder / STAGING / "aaa").write_text("new", "utf-8")
        make(folder / STAGING / "config.json")
        plant_journal(folder, ["aaa", "config.json"])
        match = f"{STAGING}/config.json is no file"
        assert_refused(tmp_path, folder, hf, match)


def test_a_journal_that_is_a_link(hf, tmp_path):
    folder = files.copy(hf / HEAD / "torch", tmp_path / "x")
    plant_journal(tmp_path, [], ["config.json"])
    (folder / atomic.JOURNAL).symlink_to(tmp_path / atomic.JOURNAL)
    assert_refused(tmp_path, folder, hf, "is a link or a folder")


@pytest.mark.parametrize("name", ["sub", atomic.JOURNAL, STAGING])
def test_a_journal_removes_no_folder_and_not_itself(hf, tmp_path, name):
    folder = files.copy(hf / HEAD / "torch", tmp_path / "x")
    (folder / "sub").mkdir()
    (folder / STAGING).mkdir()
    plant_journal(folder, [], ["config.json", name])
    assert_refused(tmp_path, folder, hf, f"{name}.* is no name|{name}, which")


def test_links_in_a_folder_are_replaced_and_not_followed(tmp_path):
    """As in the hub's cache, where files are links to what others share."""
    (tmp_path / "blob").write_text("shared", "utf-8")
    folder = tmp_path / "x"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / name).symlink_to(tmp_path / "blob")
    (folder / f".tf-longformer-{'b' * 32}").symlink_to(tmp_path)
    with atomic.replacing_files(folder) as replacement:
        (replacement.path / "a").write_text("new", "utf-8")
        replacement.removed.add("b")
    assert (tmp_path / "blob").read_text("utf-8") == "shared"
    assert (folder / "a").read_text("utf-8") == "new"
    assert not (folder / "a").is_symlink()
    assert not (folder / "b").is_symlink()


def test_new_files_are_files(tmp_path):
    (tmp_path / "a").write_text("old", "utf-8")

    def link(folder):
        (folder / "b").symlink_to(tmp_path / "a")

    def file_of_a_file(folder):
        (folder / "a").mkdir()
        (folder / "a/b").touch()

    for write, match in (
        (link, "b is no file of its own"),
        (file_of_a_file, "its folder a is a link, or none"),
    ):

        def save(write=write):
            with atomic.replacing_files(tmp_path) as replacement:
                write(replacement.path)

        with pytest.raises(ValueError, match=match):
            save()
        assert contents(tmp_path) == {"a": b"old"}


def test_several_saves_are_one(hf, tmp_path):
    """What is written to the same folder within a save belongs to it."""
    other = tmp_path / "other"
    with atomic.replacing_files(tmp_path) as replacement:
        tokenizer("a").save_pretrained(tmp_path / "." / "")
        convert(locate(hf / HEAD / "torch"), tmp_path)
        tokenizer("a").save_pretrained(other)
        (replacement.path / "within").mkdir()
        (replacement.path / "within/b").touch()
        found = {path.name for path in tmp_path.iterdir()}
        assert found == {replacement.path.name, "other"}
    assert (other / "vocab.json").exists()
    assert len(LongformerTokenizerFast.from_pretrained(tmp_path)) == 6
    assert files.load(tmp_path, HEAD)[1]
    assert (tmp_path / "within/b").exists()


@pytest.mark.parametrize("draft", [None, "draft"])
def test_one_file_is_old_or_new(tmp_path, monkeypatch, draft):
    path = tmp_path / "a"
    draft = draft and tmp_path / draft
    atomic.write_text(path, "old", draft)

    def full(*_):
        raise OSError("no space")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="no space"):
            atomic.write_text(path, "new", draft)
    assert contents(tmp_path) == {"a": b"old"}
    if draft:
        draft.write_text("left by a process that was killed", "utf-8")
    atomic.write_text(path, "new", draft)
    assert contents(tmp_path) == {"a": b"new"}


def test_a_file_is_no_folder(hf, tmp_path):
    (tmp_path / "x").touch()
    with pytest.raises(FileExistsError, match="`save_directory` must be"):
        convert(locate(hf / HEAD / "torch"), tmp_path / "x")
