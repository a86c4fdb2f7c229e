"""HDF5 files that are no plain data."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from tf_longformer.checkpoints.files.hdf5_file import Hdf5File
from tf_longformer.checkpoints.files.keras_archive import KerasArchive
from tf_longformer.errors import CheckpointError

ONES = np.ones((4, 4), "float32")


def external_link(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = ONES
    file["a"] = h5py.ExternalLink(str(folder / "other.h5"), "x")


def external_storage(file, folder):
    (folder / "secret").write_bytes(b"\1" * 64)
    external = [(str(folder / "secret"), 0, 64)]
    file.create_dataset("a", (4, 4), "float32", external=external)


def soft_link(file, folder):
    file["b"] = ONES
    file["a"] = h5py.SoftLink("/b")


def virtual(file, folder):
    with h5py.File(folder / "other.h5", "w") as other:
        other["x"] = ONES
    layout = h5py.VirtualLayout((4, 4), "float32")
    layout[:] = h5py.VirtualSource(folder / "other.h5", "x", (4, 4))
    file.create_virtual_dataset("a", layout)


def compressed(file, folder):
    file.create_dataset("a", data=np.zeros((999, 999)), compression="gzip")


def chunked(file, folder):
    file.create_dataset("a", (10**9, 10**9), "float32", chunks=(8, 8))


def never_written(file, folder):
    file.create_dataset("a", (10**6, 10**6), "float32")


def circle(file, folder):
    group = file.create_group("a")
    group["b"] = file["/"]


def deep(file, folder):
    file["/".join("a" * 40)] = ONES


def text(file, folder):
    file["a"] = "text"


def reference(file, folder):
    file["b"] = ONES
    file.create_dataset("a", data=file["b"].ref, dtype=h5py.ref_dtype)


def record(file, folder):
    file["a"] = np.zeros(3, [("x", "i4"), ("y", "f4")])


def nothing(file, folder):
    file["a"] = h5py.Empty("f4")


def one_data_set(file, folder):
    file["0"] = np.ones(10_000)
    for number in range(1, 9):
        file[f"{number}"] = file["0"]


def long_names(file, folder):
    group = file
    for _ in range(10):
        group = group.create_group("x" * 60_000)
    for number in range(40):
        group[f"{number}"] = ONES


BAD = (
    *(one_data_set, long_names),
    *(external_link, external_storage, soft_link, virtual, compressed),
    *(chunked, never_written, circle, deep, text, reference, record, nothing),
)


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_refused(make, tmp_path):
    path = tmp_path / "tf_model.h5"
    with h5py.File(path, "w") as file:
        make(file, tmp_path)
    with pytest.raises(CheckpointError, match="tf_model.h5, which"):
        Hdf5File(path)


def test_one_data_set_of_two_names(tmp_path):
    with h5py.File(tmp_path / "tf_model.h5", "w") as file:
        file["a"] = np.arange(999)
        file["b"] = file["a"]
    file = Hdf5File(tmp_path / "tf_model.h5")
    assert file.are_equal("a", "b")


def test_messages_have_an_end(tmp_path):
    path = tmp_path / "tf_model.h5"
    with h5py.File(path, "w") as file:
        file["y" * 30_000] = np.array(["text"], "S4")
    with pytest.raises(CheckpointError, match="holds no numbers") as error:
        Hdf5File(path)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_plain_data(tmp_path, libver):
    path = tmp_path / "tf_model.h5"
    arrays = {
        "a/x": np.arange(6, dtype="<f4").reshape(2, 3),
        "a/big-endian": np.arange(5, dtype=">f8"),
        "a/half": np.arange(3, dtype="<f2"),
        "b": np.zeros((0, 3), "<f4"),
        **{f"many/{n}": np.full(3, n, "<i4") for n in range(20)},
    }
    with h5py.File(path, "w", libver=libver) as file:
        for name, array in arrays.items():
            file[name] = array
    file = Hdf5File(path)
    assert sorted(file.tensors) == sorted(arrays)
    for name, array in arrays.items():
        found = file.read(name)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("reader", [Hdf5File, KerasArchive])
@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"])
def test_other_files(tmp_path, reader, content):
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="which is no"):
        reader(path)


def test_copies_that_differ(hf, tmp_path):
    path = tmp_path / "tf_model.h5"
    source = hf / "ForMaskedLM/tensorflow/tf_model.h5"
    path.write_bytes(source.read_bytes())
    name = "lm_head/tf_longformer_for_masked_lm/longformer/embeddings/"
    with h5py.File(path, "r+") as file:
        del file[f"{name}position_embeddings/embeddings:0"]
        file[f"{name}position_embeddings/embeddings:0"] = ONES
    with pytest.raises(CheckpointError, match="two of"):
        Hdf5File(path)
