"""Folders: any mix of files, both ways, damage, and kills."""

import json
import os
import shutil

import pytest
from tokenization.conftest import SMALL

from tf_longformer import LongformerTokenizer
from tf_longformer.tokenization import files

BYTE_LEVEL_FILES = tuple(
    name for name in files.FILES if name != files.WORDPIECE_FILE
)
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
        BYTE_LEVEL_FILES,
    ],
)
def test_any_mix(tokenizer, tmp_path, names):
    found = LongformerTokenizer.from_pretrained(copy(tmp_path / "a", *names))
    assert found(TEXT) == tokenizer(TEXT)
    assert found.get_vocab() == tokenizer.get_vocab()
    assert found.added_tokens_decoder == tokenizer.added_tokens_decoder


def test_saved_and_read_again(tokenizer, tmp_path):
    tokenizer.add_tokens("NEW")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<a>"]})
    tokenizer.model_max_length = 4096
    tokenizer.padding_side = "left"
    names = {path.rsplit("/")[-1] for path in tokenizer.save_pretrained(
        tmp_path / "a"
    )}  # fmt: skip
    assert names == set(BYTE_LEVEL_FILES)
    found = LongformerTokenizer.from_pretrained(tmp_path / "a")
    assert found.get_config() == tokenizer.get_config()
    assert found(TEXT) == tokenizer(TEXT)
    assert found.decode([0, 700], True) == "NEW"
    found.save_pretrained(tmp_path / "b")
    for name in names:
        one, two = (tmp_path / folder / name for folder in "ab")
        assert one.read_text("utf-8") == two.read_text("utf-8")
    config = json.loads((tmp_path / "a/tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "LongformerTokenizer"


def test_settings_take_the_place_of_the_files(tmp_path):
    folder = copy(tmp_path / "a", *BYTE_LEVEL_FILES)
    config = json.loads((folder / "tokenizer_config.json").read_text("utf-8"))
    config |= {"add_prefix_space": True, "their_own": [1]}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    assert LongformerTokenizer.from_pretrained(folder).add_prefix_space
    found = LongformerTokenizer.from_pretrained(
        folder, add_prefix_space=False, pad_token="!"
    )
    assert not found.add_prefix_space
    assert found.pad_token == "!"
    found.save_pretrained(tmp_path / "b")
    config = json.loads((tmp_path / "b/tokenizer_config.json").read_text())
    assert config["their_own"] == [1]
    with pytest.raises(TypeError, match=r"unknown \['add_prefix'\]"):
        LongformerTokenizer.from_pretrained(folder, add_prefix=True)


def test_vocabulary_alone(tokenizer, tmp_path):
    paths = tokenizer.save_vocabulary(tmp_path, "my")
    assert [path.rsplit("/")[-1] for path in paths] == [
        "my-vocab.json",
        "my-merges.txt",
    ]
    assert LongformerTokenizer(*paths)(TEXT) == tokenizer(TEXT)
    assert LongformerTokenizer(tokenizer_file=SMALL / "tokenizer.json")(
        TEXT
    ) == tokenizer(TEXT)


@pytest.mark.parametrize("prefix", ["../my", "my:", "a\\b"])
def test_a_prefix_that_is_none(tokenizer, tmp_path, prefix):
    with pytest.raises(ValueError, match="Use another `filename_prefix`"):
        tokenizer.save_vocabulary(tmp_path / "a", prefix)
    assert list(tmp_path.rglob("*")) == []


def test_merges_of_other_machines(tokenizer, tmp_path):
    folder = copy(tmp_path / "a", "vocab.json", "merges.txt")
    text = (folder / "merges.txt").read_text("utf-8")
    text = text.removeprefix("#version: 0.2\n").replace("\n", "\r\n")
    (folder / "merges.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert LongformerTokenizer.from_pretrained(folder)(TEXT) == tokenizer(TEXT)


def edit(folder, **parts):
    """Replaces parts of `tokenizer.json`."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**content, **parts}), "utf-8")


BYTES = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True}
FRAME = {
    "type": "TemplateProcessing",
    "single": [
        {"SpecialToken": {"id": "<s>", "type_id": 0}},
        {"Sequence": {"id": "A", "type_id": 0}},
        {"SpecialToken": {"id": "</s>", "type_id": 0}},
    ],
    "special_tokens": {
        "<s>": {"id": "<s>", "ids": [0], "tokens": ["<s>"]},
        "</s>": {"id": "</s>", "ids": [2], "tokens": ["</s>"]},
    },
}
FRAME["pair"] = [
    *FRAME["single"],
    FRAME["single"][2],
    {"Sequence": {"id": "B", "type_id": 0}},
    FRAME["single"][2],
]
WORDS = {
    "type": "Split",
    "pattern": {
        "Regex": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+"
        r"| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
    },
    "behavior": "Isolated",
    "invert": False,
}


@pytest.mark.parametrize(
    "parts",
    [
        {"normalizer": {"type": "Sequence", "normalizers": []}},
        {
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [WORDS, {**BYTES, "use_regex": False}],
            }
        },
        {
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {"type": "Sequence", "pretokenizers": [BYTES]}
                ],
            }
        },
        {"post_processor": FRAME},
        {"post_processor": {"type": "Sequence", "processors": [BYTES, FRAME]}},
    ],
)  # fmt: skip
def test_files_that_mean_the_same(tokenizer, tmp_path, parts):
    folder = copy(tmp_path / "a", "tokenizer.json")
    edit(folder, **parts)
    found = LongformerTokenizer.from_pretrained(folder)
    assert found(TEXT, "b") == tokenizer(TEXT, "b")
    found.save_pretrained(tmp_path / "b")
    saved = LongformerTokenizer.from_pretrained(tmp_path / "b")
    assert saved.get_config() == found.get_config()


def test_prefix_and_offsets_that_only_tokenizer_json_has(tokenizer, tmp_path):
    """As in transformers, the config says it, or the default holds."""
    folder = copy(tmp_path / "a", "tokenizer.json")
    post = json.loads((folder / "tokenizer.json").read_text())["post_processor"]
    edit(
        folder,
        pre_tokenizer=BYTES,
        post_processor={
            **post,
            "add_prefix_space": True,
            "trim_offsets": False,
        },
    )
    found = LongformerTokenizer.from_pretrained(folder)
    assert not found.add_prefix_space
    assert found.trim_offsets
    options = {"return_offsets_mapping": True}
    assert found("a b", **options) == tokenizer("a b", **options)


def test_words_that_merges_don_t_make(tmp_path):
    folder = copy(tmp_path / "a", "tokenizer.json")
    content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    model = content["model"]
    # The last word that a merge makes, which then only `ignore_merges` finds.
    last = next(m for m in reversed(model["merges"]) if m[0].startswith("Ġ"))
    model["merges"].remove(last)
    edit(folder, model=model)
    word = "".join(last)
    text = word.replace("Ġ", " ")
    assert LongformerTokenizer.from_pretrained(folder).tokenize(text) == last
    edit(folder, model={**model, "ignore_merges": True})
    found = LongformerTokenizer.from_pretrained(folder)
    assert found.tokenize(text) == [word]
    found.save_pretrained(tmp_path / "b")
    for one in (
        LongformerTokenizer.from_pretrained(tmp_path / "b"),
        LongformerTokenizer.from_config(found.get_config()),
    ):
        assert one.tokenize(text) == [word]


def test_a_merge_that_stands_twice(tmp_path):
    folder = copy(tmp_path / "a", "vocab.json", "merges.txt")
    lines = (folder / "merges.txt").read_text("utf-8").rstrip("\n")
    second = lines.split("\n")[2]
    (folder / "merges.txt").write_text(f"{lines}\n{second}\n", "utf-8")
    found = LongformerTokenizer.from_pretrained(folder)
    found.save_pretrained(tmp_path / "b")
    saved = LongformerTokenizer.from_pretrained(tmp_path / "b")
    assert saved.get_config() == found.get_config()
    # The folder of the library's own `tokenizer.json`, with the old merges.
    shutil.copy(folder / "merges.txt", tmp_path / "b")
    again = LongformerTokenizer.from_pretrained(tmp_path / "b")
    assert again.get_config() == found.get_config()


def other_vocabulary(folder):
    path = folder / "vocab.json"
    path.write_text(path.read_text("utf-8").replace('"<s>"', '"<t>"'), "utf-8")


DAMAGE = {
    "must be a pipeline that": lambda folder: edit(
        folder, normalizer={"type": "Nothing"}
    ),
    "hold a vocabulary": lambda folder: edit(folder, model={"type": "BPE"}),
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
    "must have the id that it has": lambda folder: (
        folder / "added_tokens.json"
    ).write_text('{"a": 900}'),
    "without holes": lambda folder: (folder / "added_tokens.json").write_text(
        '{"new": 900}'
    ),
}


def edit_config(folder, **fields):
    path = folder / "tokenizer_config.json"
    known = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**known, **fields}), "utf-8")


def test_parts_of_another_type(tmp_path):
    """What another part is looked into for is checked before."""
    whole = copy(tmp_path / "whole", *BYTE_LEVEL_FILES)
    model = json.loads((whole / "tokenizer.json").read_text("utf-8"))["model"]
    pairs = model["merges"]
    for number, (change, fields, message) in enumerate(
        (
            (edit, {"normalizer": []}, "can make"),
            (edit, {"normalizer": True}, "can make"),
            (edit, {"pre_tokenizer": {"another": 1}}, "can make"),
            (edit, {"pre_tokenizer": "ByteLevel"}, "can make"),
            (edit, {"added_tokens": {"a": 1}}, "must be a list"),
            (edit, {"added_tokens": [{"content": "a"}]}, "whole number"),
            (edit, {"added_tokens": [5]}, "must be a string or an AddedToken"),
            (edit, {"model": {**model, "vocab": 5}}, "hold a vocabulary"),
            (edit, {"model": {**model, "merges": None}}, "a list of merges"),
            (edit, {"model": {**model, "merges": [*pairs, 5]}}, "two tokens"),
            (edit, {"model": {**model, "merges": [[1, 2]]}}, "two tokens"),
            # The library would end in a panic.
            (
                edit,
                {"model": {**model, "continuing_subword_prefix": "long one"}},
                "begin with the prefix",
            ),
            (edit_config, {"added_tokens_decoder": [1]}, "by their ids"),
            (edit_config, {"added_tokens_decoder": {"x": "a"}}, "whole number"),
            (edit_config, {"additional_special_tokens": ["\ud800"]}, "half of"),
            (edit_config, {"model_max_length": "many"}, "number of tokens"),
            (edit_config, {"model_max_length": float("nan")}, "number of"),
        )
    ):
        folder = copy(tmp_path / str(number), *BYTE_LEVEL_FILES)
        change(folder, **fields)
        with pytest.raises((ValueError, TypeError), match=message):
            LongformerTokenizer.from_pretrained(folder)
    edit_config(whole, model_max_length=float("inf"))
    found = LongformerTokenizer.from_pretrained(whole)
    assert found.model_max_length == int(1e30)


@pytest.mark.parametrize("message", DAMAGE)
def test_damage(tmp_path, message):
    folder = copy(tmp_path / "a", *BYTE_LEVEL_FILES)
    DAMAGE[message](folder)
    with pytest.raises(ValueError, match=message) as info:
        LongformerTokenizer.from_pretrained(folder)
    assert "Received: " in str(info.value)


def test_what_is_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a folder that exists"):
        LongformerTokenizer.from_pretrained(tmp_path / "nothing")
    folder = copy(tmp_path / "a", "vocab.json")
    with pytest.raises(FileNotFoundError, match=r"needs vocab.json and merges"):
        LongformerTokenizer.from_pretrained(folder)
    with pytest.raises(FileNotFoundError, match="Received: neither in"):
        LongformerTokenizer.from_pretrained(folder, subfolder="b")
    with pytest.raises(FileNotFoundError, match="Check the path"):
        LongformerTokenizer("vocab.json", "merges.txt")


def test_saving_to_a_file(tokenizer, tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(FileExistsError, match="must be a folder"):
        tokenizer.save_pretrained(tmp_path / "a")


def test_saving_over_another(tokenizer, tmp_path):
    tokenizer.add_tokens("NEW")
    tokenizer.save_pretrained(tmp_path)
    (tmp_path / "mine").touch()
    special = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
    new = LongformerTokenizer(
        vocab={token: index for index, token in enumerate(special)}
    )
    paths = new.save_pretrained(tmp_path)
    assert len(LongformerTokenizer.from_pretrained(tmp_path)) == len(new) == 5
    assert {str(path) for path in tmp_path.iterdir()} == {
        *paths,
        str(tmp_path / "mine"),
    }


def test_roles_without_a_token(tmp_path):
    new = LongformerTokenizer(
        vocab={"<s>": 0, "</s>": 1},
        unk_token=None,
        pad_token=None,
        mask_token=None,
    )
    new.save_pretrained(tmp_path)
    assert (
        LongformerTokenizer.from_pretrained(tmp_path).get_config()
        == new.get_config()
    )


class Killed(BaseException):
    """Stands for the end of the process."""


def test_a_kill_while_saving(tokenizer, tmp_path, monkeypatch):
    """At any step: the folder has the old tokenizer or the new one."""
    tokenizer.add_tokens("NEW")
    new = LongformerTokenizer(vocab={"a": 0, "b": 1})
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
        found = LongformerTokenizer.from_pretrained(folder)
        sizes.append(len(found))
        expected = new if len(found) == len(new) else tokenizer
        assert found.get_config() == expected.get_config()
        if done:
            break
    assert sizes == sorted(sizes, reverse=True)
    assert {*sizes} == {len(tokenizer), len(new)}
    assert last > 10


def test_a_file_of_the_folder(tokenizer, tmp_path):
    folder = copy(tmp_path / "a", *BYTE_LEVEL_FILES)
    (folder / "model.safetensors").touch()
    found = LongformerTokenizer.from_pretrained(folder / "model.safetensors")
    assert found(TEXT) == tokenizer(TEXT)


def test_from_the_hub_s_cache(tokenizer, tmp_path):
    """A repository that was fetched before, without a network."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    root = tmp_path / "models--us--small"
    (root / "refs").mkdir(parents=True)
    (root / "refs/main").write_text(commit)
    (root / "snapshots").mkdir()
    copy(root / "snapshots" / commit, *BYTE_LEVEL_FILES)
    found = LongformerTokenizer.from_pretrained(
        "us/small", cache_dir=tmp_path, local_files_only=True
    )
    assert found(TEXT) == tokenizer(TEXT)
    with pytest.raises(OSError, match=r"tokenizer.json isn't in the cache"):
        LongformerTokenizer.from_pretrained(
            "us/other", cache_dir=tmp_path, local_files_only=True
        )
