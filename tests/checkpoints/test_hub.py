"""The real `huggingface_hub` against a stand-in for the hub."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from checkpoints import files
from checkpoints import hub_server

import tf_longformer
from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer.checkpoints.locate import locate
from tf_longformer.errors import CheckpointError

hub_library = pytest.importorskip(
    "huggingface_hub", reason="the extra [hub] isn't installed"
)

# Their sessions are kept, and know for good whether they are offline; a broken
# transfer is resumed by the next call only.
needs_new_library = pytest.mark.skipif(
    int(hub_library.__version__.split(".")[0]) < 1,
    reason="cuts the connections of huggingface_hub 1.0 and later",
)
HEAD = "ForTokenClassification"
REPO = "someone/longformer"


@pytest.fixture
def hub(hf, tmp_path, monkeypatch):
    from huggingface_hub import constants
    from huggingface_hub import file_download

    with hub_server.running() as hub:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in (
            ("ENDPOINT", hub.url),
            ("HUGGINGFACE_CO_URL_TEMPLATE", template),
            ("HF_HUB_CACHE", str(tmp_path / "cache")),
            ("HF_HUB_OFFLINE", False),
            ("HF_HUB_DISABLE_XET", True),
            ("HF_HUB_DISABLE_PROGRESS_BARS", True),
            ("HF_TOKEN_PATH", str(tmp_path / "token")),
        ):
            monkeypatch.setattr(constants, name, value)
            # Before 1.0 it has its own copies of some.
            if hasattr(file_download, name):
                monkeypatch.setattr(file_download, name, value)
        add(hub, REPO, hf / HEAD / "torch")
        yield hub


def add(hub, repo, folder, prefix=""):
    hub.files.setdefault(repo, {}).update(
        {prefix + path.name: path.read_bytes() for path in folder.iterdir()}
    )


def load(name, **options):
    """Loads all arrays, without a backend."""
    location = locate(name, **options)
    LongformerConfig.from_dict(location.config_fields())
    file = location.read(False)[1](LongformerConfig())
    return {name: file.read(name) for name in file.tensors}


def revisions(hub):
    """Returns the revisions of the files that were asked for, in order."""
    # The library may ask for something else first.
    return [
        path.split("/")[3] for _, path in hub.requests if "/resolve/" in path
    ]


def offline(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def test_a_model_from_the_hub(hub, hf):
    cls = tf_longformer.TFLongformerForTokenClassification
    model, info = cls.from_pretrained(REPO, output_loading_info=True)
    assert not any(info.values())
    kernel = dict(files.expected(hf / HEAD))["classifier/kernel"]
    np.testing.assert_array_equal(model.classifier.kernel.numpy(), kernel)


@pytest.mark.parametrize("form", files.FORMATS)
def test_all_formats(hub, hf, form):
    add(hub, "a/b", hf / HEAD / form)
    assert sorted(load("a/b")) == sorted(load(hf / HEAD / form))


def test_what_is_in_the_cache_is_not_downloaded_again(hub):
    load(REPO)
    downloads = [path for method, path in hub.requests if method == "GET"]
    assert sum("pytorch_model.bin" in path for path in downloads) == 1
    hub.requests.clear()
    load(REPO)
    assert "GET" not in {method for method, _ in hub.requests}
    load(REPO, force_download=True)
    assert "GET" in {method for method, _ in hub.requests}


@needs_new_library
@pytest.mark.parametrize("how", ["argument", "environment", "no connection"])
def test_offline(hub, how, monkeypatch):
    load(REPO)
    hub.requests.clear()
    options = {}
    if how == "argument":
        options = {"local_files_only": True}
    elif how == "environment":
        offline(monkeypatch)
    else:
        from huggingface_hub import constants

        # The library tries again after pauses.
        monkeypatch.setattr("time.sleep", lambda _: None)
        url = "http://127.0.0.1:9"
        monkeypatch.setattr(constants, "ENDPOINT", url)
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            url + "/{repo_id}/resolve/{revision}/{filename}",
        )
    assert sorted(load(REPO, **options))
    assert hub.requests == []


@needs_new_library
def test_offline_without_a_cache(hub, monkeypatch, tmp_path):
    offline(monkeypatch)
    with pytest.raises(OSError, match="isn't in the cache"):
        load(REPO, cache_dir=tmp_path / "other")


@needs_new_library
def test_no_connection_and_no_cache(hub, monkeypatch):
    """It is said at once: the library would pause five times."""
    from huggingface_hub import constants

    def pause(seconds):
        raise AssertionError(f"it waited for {seconds} s")

    monkeypatch.setattr("time.sleep", pause)
    for url in ("http://127.0.0.1:9", "http://host.invalid"):
        monkeypatch.setattr(
            constants,
            "HUGGINGFACE_CO_URL_TEMPLATE",
            url + "/{repo_id}/resolve/{revision}/{filename}",
        )
        monkeypatch.setattr(constants, "ENDPOINT", url)
        with pytest.raises(OSError, match="can't be reached"):
            load(REPO)
        with pytest.raises(OSError, match="can't be reached"):
            LongformerTokenizerFast.from_pretrained(REPO)


def test_no_such_model(hub):
    with pytest.raises(OSError, match="'no/thing', which is no folder here"):
        load("no/thing")


def test_a_model_without_a_file(hub):
    del hub.files[REPO]["config.json"]
    with pytest.raises(OSError, match=r"has no config\.json"):
        load(REPO)
    with pytest.raises(OSError, match=r"has no config\.json"):
        LongformerConfig.from_pretrained(REPO)


def test_a_model_without_weights(hub):
    del hub.files[REPO]["pytorch_model.bin"]
    with pytest.raises(CheckpointError, match="must have one of"):
        load(REPO)


def test_a_shard_that_is_not_there(hub, hf):
    add(hub, "a/b", hf / HEAD / "safetensors_sharded")
    del hub.files["a/b"]["model-00002-of-00005.safetensors"]
    with pytest.raises(CheckpointError, match="all files of its index"):
        load("a/b")


def test_revisions(hub):
    load(REPO, revision="v1")
    with pytest.raises(OSError, match="at 'v2'.*RevisionNotFound"):
        load(REPO, revision="v2")
    config = LongformerConfig.from_pretrained(REPO, revision="v1")
    assert config.num_labels == 5
    # All files are of the commit that the first one was of.
    assert set(revisions(hub)) == {"v1", "v2", hub_server.COMMIT}


def test_subfolder(hub, hf):
    add(hub, "a/b", hf / HEAD / "torch", "inner/")
    assert sorted(load("a/b", subfolder="inner"))
    with pytest.raises(OSError, match=r"has no config\.json"):
        load("a/b")


def test_token(hub, monkeypatch):
    hub.private.add(REPO)
    with pytest.raises(OSError, match="RepositoryNotFound|GatedRepo"):
        load(REPO)
    assert load(REPO, token="secret")
    monkeypatch.setenv("HF_TOKEN", "secret")
    assert load(REPO, force_download=True)


@needs_new_library
def test_an_interrupted_transfer_is_resumed(hub):
    # The library keeps what it has in pieces of 10 MB.
    content = np.random.default_rng(0).bytes(24 << 20)
    hub.files[REPO]["large"] = content
    location = locate(REPO)
    hub.break_after = 15 << 20
    path = location.find("large")
    assert path.read_bytes() == content
    assert len(hub.ranges) == 1
    assert hub.ranges[0] >= 10 << 20


def test_an_interrupted_process_leaves_no_half_file(hub, hf, monkeypatch):
    """The cache never has a file that is not whole."""
    location = locate(REPO)
    location.config_fields()
    real = hub_server._Handler.give

    def broken(self, content):
        if self.command == "GET":
            hub.break_after = 100
        real(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(hub_server._Handler, "give", broken)
        patch.setattr("time.sleep", lambda _: None)
        with pytest.raises(OSError, match="can't be"):
            location.read(False)[1](LongformerConfig())
    assert load(REPO)


def test_an_adapter_on_the_hub(hub, adapters):
    """Its base is another model there, of the revision that it names."""
    case = adapters / "choices"
    add(hub, "a/base", case / "base")
    add(hub, "a/adapter", case / "adapter")
    fields = json.loads(hub.files["a/adapter"]["adapter_config.json"])

    def name_base(repo, base):
        changed = {"base_model_name_or_path": base, "revision": "v1"}
        text = json.dumps({**fields, **changed})
        hub.files[repo]["adapter_config.json"] = text.encode()

    name_base("a/adapter", "a/base")
    found, wanted = load("a/adapter"), load(case / "adapter")
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_array_equal(found[name], array)
    assert "v1" in revisions(hub)
    # A repository there names no folder here.
    add(hub, "a/other", case / "adapter")
    name_base("a/other", str(case / "base"))
    with pytest.raises(CheckpointError, match="base of an adapter must be a"):
        load("a/other")


def test_a_preset(hub, hf):
    add(hub, "allenai/longformer-base-4096", hf / HEAD / "torch")
    assert load("longformer-base-4096")
    config = LongformerConfig.from_pretrained("longformer-base-4096")
    assert config.num_labels == 5


@pytest.fixture
def tokenizer(tmp_path):
    """A tokenizer and its folder."""
    tokens = ("<s>", "<pad>", "</s>", "<unk>", "<mask>", "a", "b")
    tokenizer = LongformerTokenizer(
        vocab={token: index for index, token in enumerate(tokens)}
    )
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    return tokenizer


@pytest.mark.parametrize("kind", [LongformerTokenizer, LongformerTokenizerFast])
def test_a_tokenizer(hub, tokenizer, tmp_path, kind):
    add(hub, "a/b", tmp_path / "tokenizer")
    add(hub, "a/b", tmp_path / "tokenizer", "inner/")
    found = kind.from_pretrained("a/b", revision="v1")
    assert found.get_vocab() == tokenizer.get_vocab()
    # All files are of the commit that the first one was of.
    asked = revisions(hub)
    assert set(asked) == {"v1", hub_server.COMMIT}
    assert "v1" not in asked[asked.index(hub_server.COMMIT) :]
    kind.from_pretrained("a/b", subfolder="inner")
    assert kind.from_pretrained("a/b", local_files_only=True)("ab") == found(
        "ab"
    )


def test_no_tokenizer(hub):
    read = LongformerTokenizerFast.from_pretrained
    with pytest.raises(OSError, match="'no/thing', which is no folder here"):
        read("no/thing")
    with pytest.raises(OSError, match="has no vocab.json and merges.txt, or"):
        read(REPO)
    hub.files[REPO]["vocab.json"] = b"{}"
    with pytest.raises(FileNotFoundError, match="needs vocab.json and merges"):
        read(REPO, force_download=True)


def test_a_preset_with_its_tokenizer(hub, hf, tokenizer, tmp_path):
    from tf_longformer.cli.app import main
    from tf_longformer.loading import Checkpoint

    name = "longformer-base-4096"
    for folder in (hf / HEAD / "torch", tmp_path / "tokenizer"):
        add(hub, f"allenai/{name}", folder)
    loaded = LongformerTokenizerFast.from_pretrained(name)
    assert loaded.get_vocab() == tokenizer.get_vocab()
    assert (
        Checkpoint(name).load_tokenizer().get_vocab() == tokenizer.get_vocab()
    )
    (tmp_path / "in").write_text('{"text": "ab"}', "utf-8")
    with pytest.raises(SystemExit) as done:
        main(["predict", name, str(tmp_path / "in"), str(tmp_path / "out")])
    assert done.value.code == 0
    assert "entities" in (tmp_path / "out").read_text("utf-8")


def test_a_folder_comes_first(hub, hf, tmp_path, monkeypatch):
    files.copy(hf / HEAD / "safetensors", tmp_path / REPO)
    monkeypatch.chdir(tmp_path)
    load(REPO)
    assert hub.requests == []


def test_an_index_that_leads_elsewhere(hub, hf):
    add(hub, "a/b", hf / HEAD / "safetensors_sharded")
    name = "model.safetensors.index.json"
    index = json.loads(hub.files["a/b"][name])
    index["weight_map"]["classifier.bias"] = "../../../secret"
    hub.files["a/b"][name] = json.dumps(index).encode()
    with pytest.raises(CheckpointError, match="of its own folder"):
        load("a/b")


def test_push_to_hub(hub, hf, tmp_path):
    cls = tf_longformer.TFLongformerForTokenClassification
    model = cls.from_pretrained(hf / HEAD / "torch")
    with pytest.raises(OSError, match="the token may write to"):
        model.push_to_hub("me/new", token="wrong")
    url = model.push_to_hub("me/new", token="secret", max_shard_size="2KB")
    assert url == f"{hub.url}/me/new/commit/{hub_server.COMMIT}"
    pushed = hub.files["me/new"]
    assert {"README.md", "config.json", "model.safetensors.index.json"} < set(
        pushed
    )
    card = pushed["README.md"].decode()
    assert "pipeline_tag: token-classification" in card
    assert 'TFLongformerForTokenClassification.from_pretrained("me/new")' in (
        card
    )
    again = load("me/new", cache_dir=tmp_path / "other")
    theirs = load(hf / HEAD / "safetensors")
    files.assert_same_bits(again, theirs)
    # A card that is there stays.
    pushed["README.md"] = b"mine"
    model.push_to_hub("me/new", token="secret")
    assert pushed["README.md"] == b"mine"


@pytest.mark.parametrize("kind", [LongformerTokenizer, LongformerTokenizerFast])
def test_push_a_tokenizer_and_a_config(hub, tokenizer, tmp_path, kind):
    pushing = kind.from_pretrained(tmp_path / "tokenizer")
    with pytest.raises(OSError, match="the token may write to"):
        pushing.push_to_hub("me/new", token="wrong")
    url = pushing.push_to_hub("me/new", token="secret")
    assert url == f"{hub.url}/me/new/commit/{hub_server.COMMIT}"
    config = LongformerConfig(num_labels=7)
    config.push_to_hub("me/new", token="secret", commit_message="Config")
    files_of_both = {"vocab.json", "tokenizer.json", "config.json"}
    assert files_of_both < set(hub.files["me/new"])
    # Whose card is that of the model.
    assert "README.md" not in hub.files["me/new"]
    assert kind.from_pretrained("me/new")("ab") == tokenizer("ab")
    assert LongformerConfig.from_pretrained("me/new") == config


def test_without_the_library_the_error_names_the_extra(tmp_path):
    script = (
        "import sys\n"
        "sys.modules['huggingface_hub'] = None\n"
        "from tf_longformer import LongformerConfig\n"
        "try:\n"
        "    LongformerConfig.from_pretrained('a/b')\n"
        "except ImportError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True
    )
    assert "pip install 'tf-longformer[hub]'" in done.stdout, done.stderr
