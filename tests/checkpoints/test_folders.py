"""Folders of strangers: names and links in them lead nowhere else.

Each scene plants a name or a link of one kind into a folder, beside a file of
another folder, and uses the folder as people do. What lies elsewhere is
neither read into the folder, nor moved, nor changed.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from pathlib import Path

import pytest
from checkpoints import files
from checkpoints.files import tokenizer

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer import atomic
from tf_longformer import folders
from tf_longformer.batch.resumable_output import ResumableOutput
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.describe import describe
from tf_longformer.checkpoints.locate import locate

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="links need a privilege there"
)
HEAD = "ForTokenClassification"
CANARY = "CANARY: a key of somebody's"
STAGING = f".tf-longformer-{'a' * 32}"


def contents(folder: Path) -> dict[str, object]:
    """All that lies in a folder, links as what they are."""
    return {
        str(path.relative_to(folder)): os.readlink(path)
        if path.is_symlink()
        else path.is_file() and path.read_bytes()
        for path in folder.rglob("*")
    }


@pytest.fixture
def home(tmp_path):
    """A folder with what strangers want."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "id_rsa").write_text(CANARY, "utf-8")
    (folder / "config.json").write_text(
        json.dumps({"auths": CANARY, "pooling_mode": CANARY}), "utf-8"
    )
    return folder


@pytest.fixture
def downloaded(hf, tmp_path):
    """A folder as it was downloaded, before the stranger's part."""
    folder = files.copy(hf / HEAD / "safetensors", tmp_path / "downloaded")
    tokenizer("a").save_pretrained(folder)
    return folder


def link(name, target="id_rsa"):
    """A scene: a file of the folder is a link."""

    def plant(folder, home):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        path.symlink_to(home / target)

    return plant


def hard_link(name):
    def plant(folder, home):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        os.link(home / "id_rsa", path)

    return plant


def text(name, content):
    def plant(folder, home):
        written = content(home) if callable(content) else content
        (folder / name).write_text(json.dumps(written), "utf-8")

    return plant


def journal(names=(), removed=(), staging=STAGING):
    described = {"staging": staging, "names": names, "removed": removed}
    return text(atomic.JOURNAL, described)


def all_of(*plants):
    def plant(folder, home):
        for one in plants:
            one(folder, home)

    return plant


def index(name, weights):
    """An index whose only shard has another name than a plain one."""

    def plant(folder, home):
        (folder / "model.safetensors").unlink()
        weight_map = {"a": str(weights).replace("HOME", str(home))}
        (folder / name).write_text(json.dumps({"weight_map": weight_map}))

    return plant


def modules(pooling, **more):
    def plant(folder, home):
        kinds = {"Transformer": "", "Pooling": pooling, **more}
        kinds = {k: path.format(home=home) for k, path in kinds.items()}
        listed = [{"type": f"x.{k}", "path": p} for k, p in kinds.items()]
        (folder / "modules.json").write_text(json.dumps(listed))

    return plant


def load(folder):
    files.load(folder, HEAD)


def load_tokenizer_and_save(folder):
    LongformerTokenizerFast.from_pretrained(folder).save_pretrained(folder)


def save(folder):
    LongformerConfig().save_pretrained(folder)


def read_pooling(folder):
    from tf_longformer.tasks import sentence_transformer_options

    sentence_transformer_options(folder)


def predict(folder):
    source = folder / "in"
    source.write_text("a\n")
    with ResumableOutput(folder / "out", source, {}, overwrite=True) as output:
        output.append(open(source, "rb"), 1, output.place)


def load_exported(folder):
    from tf_longformer.exported.loaded_model import LoadedModel

    (folder / "saved_model.pb").touch()
    LoadedModel(folder)


# What is planted, what is done with the folder, and what the error says.
SCENES = {
    "journal, linked folder": (
        all_of(link(STAGING, "."), journal(["id_rsa"])),
        (load, save, load_tokenizer_and_save),
        f"{STAGING} is a link",
    ),
    "journal, linked file": (
        all_of(link(f"{STAGING}/config.json"), journal(["config.json"])),
        (load, save, load_tokenizer_and_save),
        "no file of its own",
    ),
    "journal, second name of a file": (
        all_of(hard_link(f"{STAGING}/config.json"), journal(["config.json"])),
        (load, save, load_tokenizer_and_save),
        "no file of its own",
    ),
    "journal, folder that is a link": (
        all_of(
            lambda folder, home: (folder / "sub").symlink_to(home),
            lambda folder, home: (folder / STAGING).mkdir(),
            journal([], ["sub/id_rsa"]),
        ),
        (load, save),
        "its folder sub is a link",
    ),
    "journal, name elsewhere": (
        journal([], ["../home/id_rsa"]),
        (load, save),
        "no name of a file",
    ),
    "journal, staging elsewhere": (
        journal(["id_rsa"], staging="../home"),
        (load, save),
        "journal of a folder must be whole",
    ),
    "vocabulary": (
        all_of(
            link("vocab.txt"),
            *(
                lambda folder, home, name=name: (folder / name).unlink()
                for name in ("vocab.json", "merges.txt", "tokenizer.json")
            ),
        ),
        (load_tokenizer_and_save,),
        r"vocab\.txt, which is a link to .*id_rsa",
    ),
    "tokenizer's config": (
        link("tokenizer_config.json", "config.json"),
        (load_tokenizer_and_save,),
        r"tokenizer_config\.json, which is a link",
    ),
    "config": (
        link("config.json"),
        (load, lambda folder: LongformerConfig.from_pretrained(folder)),
        r"config\.json, which is a link",
    ),
    "index": (
        all_of(
            link("model.safetensors.index.json"),
            lambda folder, home: (folder / "model.safetensors").unlink(),
        ),
        (load,),
        r"index\.json, which is a link",
    ),
    **{
        f"{name} names {shard!r:.20}": (
            index(name, shard),
            (load,),
            "names files of its own folder",
        )
        for name in (
            "model.safetensors.index.json",
            "pytorch_model.bin.index.json",
            "tf_model.h5.index.json",
        )
        for shard in ("../home/id_rsa", "HOME/id_rsa")
    },
    **{
        f"index names {shard!r:.20}": (
            index("model.safetensors.index.json", shard),
            (load,),
            "names files of its own folder",
        )
        for shard in (
            *("..", "", ".", "a/b", "a\\b", "C:a", "a\nb", "a\0b", "a ", "a."),
            *("NUL", "com1.bin", "a" * 256, "é" * 128, "\u202ea", "\ud800"),
        )
    },
    "modules, name elsewhere": (
        modules("../home"),
        (read_pooling,),
        "name folders within its own.*home",
    ),
    "modules, absolute name": (
        modules("{home}"),
        (read_pooling,),
        "name folders within its own",
    ),
    **{
        f"modules, Dense {path!r}": (
            modules("1_Pooling", Dense=path),
            (read_pooling,),
            "name folders within its own",
        )
        for path in ("../home", "{home}", "")
    },
    "modules, linked configuration of Dense": (
        all_of(
            modules("1_Pooling", Dense="2_Dense"),
            lambda folder, home: (folder / "1_Pooling").mkdir(),
            text("1_Pooling/config.json", {}),
            link("2_Dense/config.json"),
        ),
        (read_pooling,),
        "2_Dense/config.json, which is a link",
    ),
    "modules, linked folder": (
        all_of(
            modules("1_Pooling"),
            lambda folder, home: (folder / "1_Pooling").symlink_to(home),
        ),
        (read_pooling,),
        "1_Pooling/config.json, which is a link",
    ),
    "partial results": (
        link("out.partial"),
        (predict,),
        r"out\.partial, which is a link",
    ),
    "partial results, second name of a file": (
        hard_link("out.partial"),
        (predict,),
        r"out\.partial, which is a link",
    ),
    "state of a run": (
        link("out.partial.json"),
        (predict,),
        r"out\.partial\.json, which is a link",
    ),
    "draft of a state": (
        link("out.partial.json.new"),
        (predict,),
        r"json\.new, which is a link",
    ),
    "variables of a SavedModel": (
        link("variables/variables.index"),
        (load_exported,),
        r"variables\.index, which is a link",
    ),
    "pipe in a SavedModel": (
        lambda folder, home: os.mkfifo(folder / "fingerprint.pb"),
        (load_exported,),
        r"its fingerprint\.pb is no file",
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_what_a_stranger_planted(scene, downloaded, home):
    plant, uses, match = SCENES[scene]
    plant(downloaded, home)
    before, elsewhere = contents(downloaded), contents(home)
    for use in uses:
        with pytest.raises(ValueError, match=match) as error:
            use(downloaded)
        assert CANARY not in str(error.value)
        assert contents(home) == elsewhere
        after = contents(downloaded)
        assert {**after, **before} == {**before, **after}
        # What the scenes themselves make.
        assert after.keys() - before.keys() <= {"in", "saved_model.pb"}


def test_a_pooling_is_not_written_through_a_link(downloaded, home, hf):
    (downloaded / "1_Pooling").symlink_to(home)
    before = contents(downloaded), contents(home)

    def save_pooling():
        with atomic.replacing_files(downloaded) as replacement:
            (replacement.path / "1_Pooling").mkdir()
            (replacement.path / "1_Pooling/config.json").write_text("{}")

    with pytest.raises(ValueError, match="1_Pooling is a link"):
        save_pooling()
    assert (contents(downloaded), contents(home)) == before


def test_links_that_people_make(downloaded, tmp_path):
    """To the same name elsewhere, to weights, within, and to a store."""
    store, linked = tmp_path / "store", tmp_path / "linked"
    store.mkdir()
    linked.mkdir()
    for path in downloaded.iterdir():
        (linked / path.name).symlink_to(path)
    digest = "3f" * 16
    shutil.copy(downloaded / "merges.txt", store / digest)
    (linked / "merges.txt").unlink()
    (linked / "merges.txt").symlink_to(store / digest)
    shutil.copy(downloaded / "config.json", linked / "first.json")
    (linked / "config.json").unlink()
    (linked / "config.json").symlink_to("first.json")
    (linked / "model.safetensors").unlink()
    (linked / "model.safetensors").symlink_to(
        shutil.copy(downloaded / "model.safetensors", store / "a.safetensors")
    )
    found = files.load(linked, HEAD)[1]
    files.assert_same_bits(found, files.load(downloaded, HEAD)[1])
    assert LongformerTokenizer.from_pretrained(linked).get_vocab()


def test_names_in_files_are_no_paths_of_a_tokenizer(downloaded, home):
    """Files and classes that configs name are neither read nor run."""
    for name in ("config.json", "tokenizer_config.json"):
        fields = json.loads((downloaded / name).read_text("utf-8"))
        fields |= {
            "auto_map": {"AutoModel": "evil--code.Model"},
            "vocab_file": str(home / "id_rsa"),
            "tokenizer_file": str(home / "id_rsa"),
            "fast_tokenizer_files": ["../home/id_rsa"],
            "custom_pipelines": {"x": {"impl": "evil.Pipeline"}},
        }
        (downloaded / name).write_text(json.dumps(fields), "utf-8")
    (downloaded / "code.py").write_text("raise SystemExit('was run')")
    convert(locate(downloaded), downloaded / "again")
    load_tokenizer_and_save(downloaded)
    describe(locate(downloaded))
    assert CANARY.encode() not in contents(downloaded).values()


def test_what_could_take_forever(downloaded, tmp_path):
    """Pipes, endless files and indices of a million shards end at once."""
    start = time.monotonic()
    for name in ("config.json", "model.safetensors"):
        folder = shutil.copytree(downloaded, tmp_path / f"pipe-{name}")
        (folder / name).unlink()
        os.mkfifo(folder / name)
        with pytest.raises((OSError, ValueError), match=r"must (hold|have)"):
            load(folder)
    for name in ("config.json", "tokenizer.json", atomic.JOURNAL):
        folder = shutil.copytree(downloaded, tmp_path / f"long-{name}")
        with open(folder / name, "wb") as file:
            file.truncate(1 << 40)
        use = load_tokenizer_and_save if "tokenizer" in name else load
        with pytest.raises(ValueError, match="longer than|too long"):
            use(folder)
    (downloaded / "model.safetensors").unlink()
    path = downloaded / "model.safetensors.index.json"
    many = {str(n): f"{n}.safetensors" for n in range(10**5)}
    for weight_map, match in (
        (many, "names 100000 files"),
        ({"a": path.name}, "not a safetensors file"),
    ):
        path.write_text(json.dumps({"weight_map": weight_map}))
        with pytest.raises(ValueError, match=match):
            load(downloaded)
    assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "name", ["a", "model-00001-of-00002.safetensors", ".a", "é", "a b", "a..b"]
)
def test_plain_names(name):
    assert folders.is_plain_name(name)
