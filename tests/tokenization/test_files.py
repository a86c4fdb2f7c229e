"""Folders: any mix of files, both ways, damage, and kills."""

import json
import os
import shutil

import pytest
from tokenization.conftest import SMALL
from tokenizers import Tokenizer
from tokenizers import models
from tokenizers import normalizers

from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer.tokenization import files

TEXT = "  It's a <mask> NEW wörd 123 <s>."


def copy(folder, *names):
    folder.mkdir()
    for name in names:
        shutil.copy(SMALL / name, folder / name)
    return folder


@pytest.mark.parametrize(
    "names",
    [
        ("vocab.json", "merges.txt"),
        ("tokenizer.json",),
        ("tokenizer.json", "vocab.json"),
        ("tokenizer.json", "merges.txt", "special_tokens_map.json"),
        ("vocab.json", "merges.txt", "tokenizer_config.json"),
        ("vocab.json", "merges.txt", "added_tokens.json"),
        ("vocab.json", "merges.txt", "special_tokens_map.json"),
        files.FILES,
    ],
)
def test_any_mix(kind, tokenizer, tmp_path, names):
    found = kind.from_pretrained(copy(tmp_path / "a", *names))
    assert found(TEXT) == tokenizer(TEXT)
    assert found.get_vocab() == tokenizer.get_vocab()
    assert found.added_tokens_decoder == tokenizer.added_tokens_decoder


def test_saved_and_read_again(kind, tokenizer, tmp_path):
    tokenizer.add_tokens("NEW")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<a>"]})
    tokenizer.model_max_length = 4096
    tokenizer.padding_side = "left"
    names = {path.rsplit("/")[-1] for path in tokenizer.save_pretrained(
        tmp_path / "a"
    )}  # fmt: skip
    assert names == set(files.FILES)
    for other in (LongformerTokenizer, LongformerTokenizerFast):
        found = other.from_pretrained(tmp_path / "a")
        assert found.get_config() == tokenizer.get_config()
        assert found(TEXT) == tokenizer(TEXT)
        assert found.decode([0, 700], True) == "NEW"
        found.save_pretrained(tmp_path / "b")
        for name in names:
            one, two = (tmp_path / folder / name for folder in "ab")
            assert one.read_text("utf-8") == two.read_text("utf-8")


def test_settings_take_the_place_of_the_files(kind, tmp_path):
    folder = copy(tmp_path / "a", *files.FILES)
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    config |= {"add_prefix_space": True, "their_own": [1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert kind.from_pretrained(folder).add_prefix_space
    found = kind.from_pretrained(folder, add_prefix_space=False, pad_token="!")
    assert not found.add_prefix_space
    assert found.pad_token == "!"
    found.save_pretrained(tmp_path / "b")
    config = json.loads((tmp_path / "b/tokenizer_config.json").read_text())
    assert config["their_own"] == [1]
    with pytest.raises(TypeError, match=r"unknown \['add_prefix'\]"):
        kind.from_pretrained(folder, add_prefix=True)


def test_vocabulary_alone(kind, tokenizer, tmp_path):
    paths = tokenizer.save_vocabulary(tmp_path, "my")
    assert [path.rsplit("/")[-1] for path in paths] == [
        "my-vocab.json",
        "my-merges.txt",
    ]
    assert kind(*paths)(TEXT) == tokenizer(TEXT)
    assert kind(tokenizer_file=SMALL / "tokenizer.json")(TEXT) == tokenizer(
        TEXT
    )


@pytest.mark.parametrize("prefix", ["../my", "my:", "a\\b"])
def test_a_prefix_that_is_none(tokenizer, tmp_path, prefix):
    with pytest.raises(ValueError, match="Use another `filename_prefix`"):
        tokenizer.save_vocabulary(tmp_path / "a", prefix)
    assert list(tmp_path.rglob("*")) == []


def test_merges_of_other_machines(kind, tokenizer, tmp_path):
    folder = copy(tmp_path / "a", "vocab.json", "merges.txt")
    text = (folder / "merges.txt").read_text("utf-8")
    text = text.removeprefix("#version: 0.2\n").replace("\n", "\r\n")
    (folder / "merges.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert kind.from_pretrained(folder)(TEXT) == tokenizer(TEXT)


def other_kind(folder):
    tokenizer = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    tokenizer.save(str(folder / "tokenizer.json"))


def with_normalizer(folder):
    path = folder / "tokenizer.json"
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.save(str(path))


def other_vocabulary(folder):
    path = folder / "vocab.json"
    path.write_text(path.read_text("utf-8").replace('"<s>"', '"<t>"'), "utf-8")


DAMAGE = {
    "model.type='WordLevel'": other_kind,
    "normalizer=": with_normalizer,
    "must be of one tokenizer": other_vocabulary,
    "must be JSON text": lambda folder: (
        folder / "tokenizer_config.json"
    ).write_text("{"),
    "file must be JSON text in UTF-8": lambda folder: (
        folder / "tokenizer.json"
    ).write_text("[" * 100_000),
    "must be a JSON object": lambda folder: (
        folder / "special_tokens_map.json"
    ).write_text("[]"),
    "two tokens with a space": lambda folder: (
        folder / "merges.txt"
    ).write_text("#version: 0.2\na b c\n"),
    "must have its id there": lambda folder: (
        folder / "added_tokens.json"
    ).write_text('{"a": 900}'),
    "without holes": lambda folder: (folder / "added_tokens.json").write_text(
        '{"new": 900}'
    ),
}


@pytest.mark.parametrize("message", DAMAGE)
def test_damage(tmp_path, message):
    folder = copy(tmp_path / "a", *files.FILES)
    DAMAGE[message](folder)
    with pytest.raises(ValueError, match=message) as info:
        LongformerTokenizerFast.from_pretrained(folder)
    assert "Received: " in str(info.value)


def test_what_is_missing(kind, tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder that exists"):
        kind.from_pretrained(tmp_path / "nothing")
    folder = copy(tmp_path / "a", "vocab.json")
    with pytest.raises(FileNotFoundError, match=r"needs vocab.json and merges"):
        kind.from_pretrained(folder)
    with pytest.raises(FileNotFoundError, match="Received: neither in"):
        kind.from_pretrained(folder, subfolder="b")
    with pytest.raises(FileNotFoundError, match="Check the path"):
        kind("vocab.json", "merges.txt")


def test_saving_to_a_file(tokenizer, tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError, match="must be a folder"):
        tokenizer.save_pretrained(tmp_path / "a")


def test_saving_over_another(kind, tokenizer, tmp_path):
    tokenizer.add_tokens("NEW")
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "mine").touch()
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    new = kind(vocab={token: index for index, token in enumerate(special)})
    paths = new.save_pretrained(tmp_path)
    assert len(kind.from_pretrained(tmp_path)) == len(new) == 5
    assert {str(path) for path in tmp_path.iterdir()} == {
        *paths,
        str(tmp_path / "mine"),
    }


def test_roles_without_a_token(kind, tmp_path):
    new = kind(
        vocab={"<s>": 0, "</s>": 1},
        unk_token=None,
        pad_token=None,
        mask_token=None,
    )
    new.save_pretrained(tmp_path)
    assert kind.from_pretrained(tmp_path).get_config() == new.get_config()


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_kill_while_saving(kind, tokenizer, tmp_path, monkeypatch):
    """At any step: the folder has the old tokenizer or the new one."""
    tokenizer.add_tokens("NEW")
    new = kind(vocab={"a": 0, "b": 1})
    sizes = []
    for last in range(100):
        folder = tmp_path / f"{last}"
        tokenizer.save_pretrained(folder)
        count = 0

        def counted(real, last=last):
            def run(*arguments, **options):
                nonlocal count
                count += 1
                if count > last:
                    raise Killed
                return real(*arguments, **options)

            return run

        with monkeypatch.context() as patch:
            for name in ("replace", "unlink", "mkdir", "fsync"):
                patch.setattr(os, name, counted(getattr(os, name)))
            # A process that is killed cleans nothing up.
            patch.setattr(shutil, "rmtree", lambda *_, **__: None)
            try:
                new.save_pretrained(folder)
                done = True
            except Killed:
                done = False
        found = kind.from_pretrained(folder)
        sizes.append(len(found))
        expected = new if len(found) == len(new) else tokenizer
        assert found.get_config() == expected.get_config()
        if done:
            break
    assert sizes == sorted(sizes, reverse=True)
    assert {*sizes} == {len(tokenizer), len(new)}
    assert last > 10


def test_a_file_of_the_folder(kind, tokenizer, tmp_path):
    folder = copy(tmp_path / "a", *files.FILES)
    (folder / "model.safetensors").touch()
    found = kind.from_pretrained(folder / "model.safetensors")
    assert found(TEXT) == tokenizer(TEXT)


def test_from_the_hub_s_cache(kind, tokenizer, tmp_path):
    """A repository that was fetched before, without a network."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    root = tmp_path / "models--us--small"
    (root / "refs").mkdir(parents=True)
    (root / "refs/main").write_text(commit)
    (root / "snapshots").mkdir()
    copy(root / "snapshots" / commit, *files.FILES)
    found = kind.from_pretrained(
        "us/small", cache_dir=tmp_path, local_files_only=True
    )
    assert found(TEXT) == tokenizer(TEXT)
    with pytest.raises(OSError, match=r"tokenizer.json isn't in the cache"):
        kind.from_pretrained(
            "us/other", cache_dir=tmp_path, local_files_only=True
        )
