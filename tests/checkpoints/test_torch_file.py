"""PyTorch's files: views of storages, and pickles that want to run."""

from __future__ import annotations

import copy
import os
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from checkpoints import fake_torch
from checkpoints.fake_torch import Raw
from checkpoints.fake_torch import View

from tf_longformer.checkpoints.files.torch_file import TorchFile
from tf_longformer.errors import CheckpointError

STORAGES = {
    "0": np.arange(24, dtype="float32"),
    "1": np.arange(5, dtype="float16"),
    "2": np.arange(3, dtype="int64"),
}
VIEWS = {
    "whole": View("0", 0, (4, 6), (6, 1)),
    "transposed": View("0", 0, (6, 4), (1, 6)),
    "part": View("0", 7, (3, 2), (6, 1)),
    "steps": View("0", 1, (4,), (5,)),
    "expanded": View("0", 2, (3, 2), (0, 1)),
    "empty": View("0", 24, (0, 6), (6, 1)),
    "scalar": View("1", 4, (), ()),
    "half": View("1", 1, (2, 2), (2, 1)),
    "whole numbers": View("2", 0, (3,), (1,)),
}


def keys_of(items):
    """The storages that a file has: those of its tensors."""
    keys = set()
    for item in items.values():
        if isinstance(item, View):
            keys.add(item.key)
        elif isinstance(item, dict):
            keys |= set(keys_of(item))
    return sorted(keys)


WRITERS = (fake_torch.write_zip, fake_torch.write_legacy)


@pytest.fixture(params=WRITERS, ids=["zip", "legacy"])
def write(request, tmp_path):
    def run(items):
        code = fake_torch.program(items, STORAGES)
        used = {key: STORAGES[key] for key in keys_of(items)}
        return request.param(tmp_path / "x.bin", code, used)

    return run


def test_views_of_shared_storages(write):
    file = TorchFile(write(VIEWS))
    assert sorted(file.tensors) == sorted(VIEWS)
    for name, view in VIEWS.items():
        array = STORAGES[view.key]
        expected = np.lib.stride_tricks.as_strided(
            array[view.offset :],
            view.shape,
            [array.itemsize * stride for stride in view.strides],
        )
        found = file.read(name)
        assert found.dtype == array.dtype
        np.testing.assert_array_equal(found, expected)
        assert file.tensors[name].shape == view.shape


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "net"])
def test_checkpoints_of_training_programs(write, name):
    items = {
        "epoch": Raw(b"K\x03"),
        "hyper_parameters": Raw(
            b"cargparse\nNamespace\n)\x81}(X\x02\x00\x00\x00lrG?P\x00\x00"
            b"\x00\x00\x00\x00ub"
        ),
        "callbacks": Raw(b"}(X\x01\x00\x00\x00a]K\x01aX\x01\x00\x00\x00b)u"),
        name: {"a": VIEWS["part"], "b": VIEWS["half"], "n": Raw(b"N")},
    }
    assert sorted(TorchFile(write(items)).tensors) == ["a", "b"]


def test_state_dicts_in_dicts(write):
    """The one with word embeddings, by whatever keys."""
    words = "longformer.embeddings.word_embeddings.weight"
    model = {words: VIEWS["part"], "b": VIEWS["half"]}
    average = {words: VIEWS["half"]}
    others = {"step": VIEWS["half"], "optimizer": {"m": {"b": VIEWS["part"]}}}
    for items in (
        {**others, "module": model},
        {**others, "anything": model},
        {**others, "a": {"weights": model}},
        {"ema": average, "model": model, **others},
        {**model, "inner": average},
    ):
        assert sorted(TorchFile(write(items)).tensors) == sorted(model)
    with pytest.raises(CheckpointError, match="'query', 'text': save one"):
        TorchFile(write({"query": model, "text": average}))


@pytest.mark.parametrize(
    "view",
    [
        View("0", 0, (5, 6), (6, 1)),
        View("0", 20, (5,), (1,)),
        View("0", 25, (), ()),
        View("0", 0, (2,), (24,)),
        View("0", 2**62, (1,), (1,)),
        View("0", 0, (2**62, 2**62), (1, 1)),
        View("0", -1, (1,), (1,)),
        View("0", 0, (-1,), (1,)),
        View("0", 4, (2,), (-1,)),
        View("0", 0, (1, 1), (1,)),
        View("0", 0, (1,) * 64, (1,) * 64),
    ],
    ids=str,
)
def test_views_that_a_storage_has_no_room_for(write, view):
    with pytest.raises(CheckpointError, match="is no PyTorch file"):
        TorchFile(write({"a": view}))


def test_tensors_are_no_larger_than_their_file(write):
    """Of views that share numbers a model would be made that don't fit."""
    for items in (
        {"a": View("0", 0, (10**9, 10**9), (0, 0))},
        {"a": View("0", 0, (2**62,) * 32, (0,) * 32)},
        {f"a{n}": View("0", 0, (999,), (0,)) for n in range(20)},
    ):
        with pytest.raises(CheckpointError, match="that share them, where at"):
            TorchFile(write(items))
    # Tied weights, and a head's and a body's names for one model.
    words = View("0", 0, (4, 6), (6, 1))
    names = [f"{a}{b}" for a in ("", "model.") for b in ("words", "decoder")]
    assert len(TorchFile(write(dict.fromkeys(names, words))).tensors) == 4


def test_members_that_lie_over_one_another(tmp_path):
    """One storage under many names in the directory of an archive."""
    keys = [f"{n:03d}" for n in range(100)]
    storages = dict.fromkeys(keys, np.ones(4096, "float32"))
    items = {key: View(key, 0, (4096,), (1,)) for key in keys}
    code = fake_torch.program(items, storages)
    path = tmp_path / "x.bin"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", code)
        archive.writestr("archive/data/000", storages["000"].tobytes())
        one = archive.getinfo("archive/data/000")
        for key in keys[1:]:
            other = copy.copy(one)
            other.filename = f"archive/data/{key}"
            archive.filelist.append(other)
    with pytest.raises(CheckpointError, match="that share them, where at"):
        TorchFile(path)


def test_a_long_key_is_not_copied(write):
    """A million letters, and two thousand dicts under them."""
    inner = b"".join(fake_torch.text(str(n)) + b"}" for n in range(2000))
    deep = b"}(" + fake_torch.text("x" * 10**6) + b"}(" + inner + b"uu"
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError, match="no dict of tensors"):
            TorchFile(write({"a": Raw(deep)}))
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("sign", [1, -1])
def test_keys_of_one_hash_are_refused(write, sign):
    """Python's hash of a whole number is its remainder by 2**61 - 1."""
    keys = (sign * number * (2**61 - 1) for number in range(1, 100))
    items = b"".join(fake_torch.whole(key) + b"N" for key in keys)
    with pytest.raises(CheckpointError, match="no small number"):
        TorchFile(write({"a": VIEWS["whole"], "b": Raw(b"}(" + items + b"u")}))
    good = b"}(" + fake_torch.whole(sign * (2**60 - 1)) + b"Nu"
    TorchFile(write({"a": VIEWS["whole"], "b": Raw(good)}))


def test_names_of_storages_are_text(tmp_path):
    """A list that holds itself twice, and so on, is endless as text."""
    code = fake_torch.program({"a": VIEWS["whole"]}, STORAGES)
    path = fake_torch.write_legacy(tmp_path / "x.bin", code, {})
    data = path.read_bytes()
    assert data.endswith(b"\x80\x02]q\x00.")
    laughter = b"]q\x00" + b"(h\x00h\x00lq\x00" * 60
    path.write_bytes(data[:-4] + b"](" + laughter + b"e.")
    with pytest.raises(CheckpointError, match="has no list of storages"):
        TorchFile(path)


def test_a_message_names_few_of_many_models(write):
    words = "longformer.embeddings.word_embeddings.weight"
    long = "x" * 10**5
    items = {f"{n}{long}": {words: VIEWS["half"]} for n in range(99)}
    with pytest.raises(CheckpointError, match="and 97 more: save one") as error:
        TorchFile(write(items))
    assert len(str(error.value)) < 1000


class Command:
    def __init__(self, marker):
        self.marker = str(marker)

    def __reduce__(self):
        return os.mkdir, (self.marker,)


def hostile(marker):
    """Pickles that would run something, if they were run by Python."""
    command = pickle.dumps(Command(marker), protocol=2)[2:-1]
    path = fake_torch.text(str(marker))
    return {
        "reduce": command,
        "builtin": b"cbuiltins\neval\n(" + path + b"tR",
        "getattr": b"cbuiltins\ngetattr\n(ccollections\nOrderedDict\n"
        + path
        + b"tR",
        "inst": b"(" + path + b"ios\nmkdir\n",
        "obj": b"(cos\nmkdir\n" + path + b"o",
        "newobj_ex": b"ccollections\nOrderedDict\n)}\x92",
        "stack_global": fake_torch.text("os")
        + fake_torch.text("mkdir")
        + b"\x93"
        + path
        + b"\x85R",
        "extension": b"\x82\x01",
        "nested": b"ctorch.storage\n_load_from_bytes\n(C\x00tR",
        "torch": b"ctorch\nload\n(" + path + b"tR",
        "hub": b"ctorch.hub\nload\n(" + path + b"tR",
        "codecs": b"c_codecs\nencode\n(" + path + b"tR",
        "numpy": b"cnumpy.core.multiarray\n_reconstruct\n)R",
        "dotted": b"\x8c\x0bcollections\x8c\x18OrderedDict.fromkeys.__s\x93",
        "call of a value": b"ctorch\nfloat32\n)R",
        "call of text": path + b")R",
        "call of a tuple": b")" * 20000 + b"\x85" * 20000 + b")R",
    }


@pytest.mark.parametrize("what", hostile("x"))
def test_nothing_is_executed(write, what, tmp_path):
    marker = tmp_path / "executed"
    path = write({"a": VIEWS["whole"], "b": Raw(hostile(marker)[what])})
    with pytest.raises(CheckpointError, match="is no PyTorch file"):
        TorchFile(path)
    assert not marker.exists()


def bombs():
    """Pickles that would fill the memory or the stack."""
    big = fake_torch.text("x" * 1000) + b"0"
    return {
        "memo": b"Nr\xff\xff\xff\x7f",
        "length": b"X\xff\xff\xff\xff",
        "long length": b"\x8d" + b"\xff" * 8,
        "bytes": b"B\xff\xff\xff\xff",
        "bytearray": b"\x96" + b"\xff" * 8,
        "long": b"\x8b\xff\xff\xff\x7f",
        "too many steps": b"N0" * 510_000 + b"N",
        "line": b"c" + b"x" * 5000,
        "deep": b"]" * 200_000 + b"a" * 199_999,
        "deep key": b")" + b"\x85" * 100_000 + b"0N}" + b"(K\x01K\x01u0",
        "key of tuples": b"})" + b"\x85" * 200_000 + b"Ns",
        "laughter": b"]q\x00" + b"(h\x00h\x00tq\x00" * 60,
        "copies": b"(" + b"K\x01" * 50_000 + b"tq\x00"
        + b"ctorch\nSize\n(h\x00tR0" * 50_000,
        "text": big * 70_000,
    }  # fmt: skip


@pytest.mark.parametrize("what", bombs())
def test_memory_has_a_bound(write, what):
    path = write({"b": Raw(bombs()[what]), "a": VIEWS["whole"]})
    size = path.stat().st_size
    tracemalloc.start()
    try:
        TorchFile(path).read("a")
    except CheckpointError:
        pass
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most < 40 * 2**20 + 2 * size


def test_zip_bombs(tmp_path):
    code = fake_torch.program({"a": View("0", 0, (2**24,), (1,))}, {
        "0": np.zeros(2**24, "float32")
    })  # fmt: skip
    path = fake_torch.write_zip(
        tmp_path / "x.bin",
        code,
        {"0": np.zeros(2**24, "float32")},
        compression=zipfile.ZIP_DEFLATED,
    )
    assert path.stat().st_size < 2**17
    with pytest.raises(CheckpointError, match="compressed"):
        TorchFile(path)


def test_members_that_are_not_there(tmp_path):
    code = fake_torch.program(VIEWS, STORAGES)
    path = fake_torch.write_zip(tmp_path / "x.bin", code, STORAGES)
    data = path.read_bytes()
    # The size of a storage in the directory of the archive, twice.
    size = struct.pack("<II", 96, 96)
    place = data.rindex(size)
    huge = struct.pack("<II", 2**31, 2**31)
    path.write_bytes(data[:place] + huge + data[place + 8 :])
    with pytest.raises(CheckpointError, match="cut off"):
        TorchFile(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"no such thing", b"\x80\x02}.", b"\0" * 600],
)
def test_other_files(tmp_path, content):
    path = tmp_path / "pytorch_model.bin"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="is no PyTorch file"):
        TorchFile(path)


def test_a_storage_that_was_lost(tmp_path):
    code = fake_torch.program({"a": VIEWS["half"]}, STORAGES)
    path = fake_torch.write_zip(tmp_path / "x.bin", code, {"0": STORAGES["0"]})
    with pytest.raises(CheckpointError, match="no room"):
        TorchFile(path)
