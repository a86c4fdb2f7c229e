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


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_links_out_of_the_folder(hf, tmp_path, name):
    folder = files.copy(hf / HEAD / "safetensors", tmp_path / "x")
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    with pytest.raises(CheckpointError, match="must lie in its folder"):
        files.load(folder, HEAD)


def test_links_within_the_folder_and_the_cache(hf, tmp_path):
    folder = files.copy(hf / HEAD / "safetensors", tmp_path / "x")
    (folder / "model.safetensors").rename(folder / "blob")
    (folder / "model.safetensors").symlink_to("blob")
    files.load(folder, HEAD)
    # As the hub's cache has them.
    (tmp_path / "models--a--b/blobs").mkdir(parents=True)
    snapshot = tmp_path / "models--a--b/snapshots/0123abc"
    snapshot.mkdir(parents=True)
    for number, path in enumerate((hf / HEAD / "safetensors").iterdir()):
        shutil.copy(path, tmp_path / f"models--a--b/blobs/{number}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number}")
    files.load(snapshot, HEAD)


def test_the_first_format_is_read(hf, tmp_path):
    folder = files.copy(hf / HEAD / "torch", tmp_path / "x")
    shutil.copy(hf / HEAD / "safetensors/model.safetensors", folder)
    matching, _ = files.load(folder, HEAD)
    assert matching.file.path.name == "model.safetensors"


def test_an_empty_folder(hf, tmp_path):
    shutil.copy(hf / HEAD / "torch/config.json", tmp_path)
    with pytest.raises(CheckpointError, match="must have one of model.safete"):
        files.load(tmp_path, HEAD)


@pytest.mark.parametrize("name", ["x.txt", "x"])
def test_a_file_of_no_format(tmp_path, hf, name):
    shutil.copy(hf / HEAD / "torch/config.json", tmp_path)
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(CheckpointError, match="name must end in"):
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
    from tf_longformer.checkpoints.safetensors_file import SafetensorsFile

    file = SafetensorsFile(tmp_path / "x.safetensors")
    found = {name: file.read(name) for name in file.tensors}
    files.assert_same_bits(found, load_file(tmp_path / "x.safetensors"))
