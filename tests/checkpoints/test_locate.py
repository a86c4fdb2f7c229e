"""Folders: shards, links, and files that belong to another save."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from checkpoints import files
from safetensors.numpy import load_file
from safetensors.numpy import save_file

import tf_longformer
from tf_longformer import LongformerConfig
from tf_longformer import atomic
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate
from tf_longformer.errors import CheckpointError

INDEX = "model.safetensors.index.json"
HEAD = "ForTokenClassification"


@pytest.fixture
def sharded(hf, tmp_path):
    return files.copy(hf / HEAD / "safetensors_sharded", tmp_path / "x")


def change_index(folder, change):
    path = folder / INDEX
    index = json.loads(path.read_text("utf-8"))
    index = change(index)
    path.write_text(
        index if isinstance(index, str) else json.dumps(index), "utf-8"
    )


@pytest.mark.parametrize(
    "name",
    [
        "../other/model.safetensors",
        "/etc/passwd",
        "..",
        "sub/model.safetensors",
        "sub\\model.safetensors",
        "C:model.safetensors",
        "",
        "a\0b",
        7,
        None,
        ["model.safetensors"],
    ],
)
def test_an_index_names_files_of_its_folder(sharded, name):
    def change(index):
        first = next(iter(index["weight_map"]))
        index["weight_map"][first] = name
        return index

    change_index(sharded, change)
    with pytest.raises(CheckpointError, match="of its own folder"):
        files.load(sharded, HEAD)


@pytest.mark.parametrize(
    "index",
    [
        "",
        "[]",
        "{}",
        '{"weight_map": []}',
        '{"weight_map": {}}',
        '{"weight_map": {}, "metadata": 3}',
        "[" * 100_000,
        '{"weight_map": ' * 5000,
    ],
    ids=lambda text: text[:20],
)
def test_no_index(sharded, index):
    change_index(sharded, lambda _: index)
    with pytest.raises(CheckpointError, match=r"index\.json, which"):
        files.load(sharded, HEAD)


def test_index_and_files_fit(sharded, hf):
    def lose(index):
        index["weight_map"].popitem()
        return index

    change_index(sharded, lose)
    with pytest.raises(CheckpointError, match="does not fit its files: 1"):
        files.load(sharded, HEAD)

    def add(index):
        file = next(iter(index["weight_map"].values()))
        return {"weight_map": {"a" * 10**5: file, **index["weight_map"]}}

    change_index(sharded, add)
    with pytest.raises(CheckpointError, match="does not fit its") as error:
        files.load(sharded, HEAD)
    assert len(str(error.value)) < 1000


def test_a_shard_of_another_place(sharded):
    paths = sorted(sharded.glob("*.safetensors"))
    shutil.copy(paths[0], paths[1])
    with pytest.raises(CheckpointError, match="in more than one"):
        files.load(sharded, HEAD)


def test_a_shard_that_is_not_there(sharded):
    sorted(sharded.glob("*.safetensors"))[2].unlink()
    with pytest.raises(CheckpointError, match="all files of its index"):
        files.load(sharded, HEAD)


def test_shards_of_two_saves_are_not_mixed(hf, tmp_path):
    cls = tf_longformer.TFLongformerForTokenClassification
    model = cls.from_pretrained(hf / HEAD / "torch")
    for name in ("a", "b"):
        model.save_pretrained(tmp_path / name, max_shard_size="2KB")
    shard = sorted((tmp_path / "a").glob("*.safetensors"))[0].name
    shutil.copy(tmp_path / "a" / shard, tmp_path / "b" / shard)
    with pytest.raises(CheckpointError, match=f"another save than {shard}"):
        cls.from_pretrained(tmp_path / "b")


def test_links(hf, tmp_path):
    """What people link together is read; saving replaces the links."""
    source = hf / HEAD / "safetensors"
    folder = tmp_path / "x"
    folder.mkdir()
    for path in source.iterdir():
        (folder / path.name).symlink_to(path)
    (tmp_path / "link").symlink_to(folder)
    before = (source / "model.safetensors").read_bytes()
    cls = tf_longformer.TFLongformerForTokenClassification
    model, info = cls.from_pretrained(
        tmp_path / "link", output_loading_info=True
    )
    assert not any(info.values())
    model.classifier.bias.assign_add([1.0] * 5)
    model.save_pretrained(tmp_path / "link")
    assert not (folder / "model.safetensors").is_symlink()
    assert (source / "model.safetensors").read_bytes() == before
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(tmp_path / "nothing")
    with pytest.raises(CheckpointError, match="must have one of model.safe"):
        files.load(folder, HEAD)


def test_a_link_is_not_copied(hf, tmp_path):
    """What a tokenizer's link leads to must not be published with a copy."""
    folder = files.copy(hf / "Model/safetensors", tmp_path / "x")
    (tmp_path / "key").write_text("private")
    (folder / "vocab.txt").symlink_to(tmp_path / "key")
    with pytest.raises(CheckpointError, match=r"vocab\.txt, which is a link"):
        convert(locate(folder), tmp_path / "converted")
    assert not (tmp_path / "converted").exists()
    (folder / "vocab.txt").unlink()
    (folder / "other").write_text("[PAD]")
    (folder / "vocab.txt").symlink_to("other")
    convert(locate(folder), tmp_path / "converted")
    assert (tmp_path / "converted/vocab.txt").read_text() == "[PAD]"


def test_links_of_the_hub(hf, tmp_path):
    (tmp_path / "models--a--b/blobs").mkdir(parents=True)
    snapshot = tmp_path / "models--a--b/snapshots/0123abc"
    snapshot.mkdir(parents=True)
    for number, path in enumerate((hf / HEAD / "safetensors").iterdir()):
        shutil.copy(path, tmp_path / f"models--a--b/blobs/{number}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    (tmp_path / "models--a--b/blobs/text").write_text("[PAD]")
    (snapshot / "vocab.txt").symlink_to("../../blobs/text")
    files.load(snapshot, HEAD)
    convert(locate(snapshot), tmp_path / "converted")
    assert (tmp_path / "converted/vocab.txt").read_text() == "[PAD]"


def test_the_first_format_is_read(hf, tmp_path):
    folder = files.copy(hf / HEAD / "torch", tmp_path / "x")
    shutil.copy(hf / HEAD / "safetensors/model.safetensors", folder)
    matching, _ = files.load(folder, HEAD)
    assert matching.file.path.name == "model.safetensors"


@pytest.mark.parametrize("size", ["5GB", "2KB"])
def test_a_file_that_is_named_is_of_the_last_save(
    versions, tmp_path, monkeypatch, size
):
    """A save that is killed before its files are moved counts all the same."""
    old, new = versions
    folder = tmp_path / "saved"
    convert(locate(old), folder, max_shard_size=size)
    name = "model.safetensors" if size == "5GB" else INDEX
    fresh = tmp_path / "fresh"
    for target in (folder, fresh):
        leave_unmoved(monkeypatch, convert, locate(new), target, "safetensors")
        target_name = name if target == folder else "model.safetensors"
        path = target / target_name
        if size == "2KB" and target == folder:
            # The new save has no index.
            with pytest.raises(CheckpointError, match="replaced by others"):
                files.load(path, HEAD)
            continue
        _, arrays = files.load(path, HEAD)
        files.assert_same_bits(arrays, files.load(new, HEAD)[1])
    named = LongformerConfig.from_pretrained(folder / "config.json")
    assert named.num_labels == 3
    cls = tf_longformer.TFLongformerForTokenClassification
    model = cls.from_pretrained(folder, config=folder / "config.json")
    assert model.config.num_labels == 3


def leave_unmoved(monkeypatch, save, *arguments):
    """Saves, and is killed once the journal is there."""
    finish, calls = atomic.finish, []

    def killed(folder):
        calls.append(folder)
        if len(calls) > 1:
            raise KeyboardInterrupt
        return finish(folder)

    with monkeypatch.context() as patched:
        patched.setattr(atomic, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            save(*arguments)


def test_a_file_that_is_named_may_be_a_link(hf, tmp_path):
    folder = files.copy(hf / HEAD / "safetensors", tmp_path / "x")
    (folder / "model.safetensors").rename(tmp_path / "elsewhere")
    (folder / "weights.safetensors").symlink_to(tmp_path / "elsewhere")
    files.load(folder / "weights.safetensors", HEAD)


def test_an_empty_folder(hf, tmp_path):
    shutil.copy(hf / HEAD / "torch/config.json", tmp_path)
    with pytest.raises(CheckpointError, match="must have one of model.safete"):
        files.load(tmp_path, HEAD)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("x.txt", "Pass the file of the weights"),
        ("x", "Pass the file of the weights"),
        ("model.gguf", "Take the weights that it was made from"),
        ("model.ONNX", "Take the weights that it was made from"),
        ("flax_model.msgpack", "from_flax=True"),
        ("model.tar.gz", "Unpack it"),
    ],
)
def test_a_file_of_no_format(tmp_path, hf, name, advice):
    shutil.copy(hf / HEAD / "torch/config.json", tmp_path)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(CheckpointError, match=f"must end in.*{advice}"):
        files.load(tmp_path / name, HEAD)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "", "7"])
def test_configs_that_are_none(hf, tmp_path, text):
    folder = files.copy(hf / HEAD / "torch", tmp_path / "x")
    (folder / "config.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match="A config must be"):
        files.load(folder, HEAD)
    with pytest.raises(ValueError, match="A config must be"):
        LongformerConfig.from_pretrained(folder)


def test_subfolder(hf):
    cls = tf_longformer.TFLongformerForTokenClassification
    cls.from_pretrained(hf / HEAD, subfolder="safetensors")
    with pytest.raises(FileNotFoundError, match="`subfolder` must be"):
        cls.from_pretrained(hf / HEAD, subfolder="none")


@pytest.mark.parametrize("name", ["./none", "a/b/c", "/none", "a b", "../none"])
def test_no_such_folder(name):
    with pytest.raises(FileNotFoundError, match="must be a folder"):
        tf_longformer.TFLongformerModel.from_pretrained(name)


def test_types_that_safetensors_have_and_we_read(tmp_path):
    arrays = {"a": np.arange(3, dtype="u2"), "b": np.ones((), "f4")}
    save_file(arrays, tmp_path / "x.safetensors")
    from tf_longformer.checkpoints.files.safetensors_file import SafetensorsFile

    file = SafetensorsFile(tmp_path / "x.safetensors")
    found = {name: file.read(name) for name in file.tensors}
    files.assert_same_bits(found, load_file(tmp_path / "x.safetensors"))
