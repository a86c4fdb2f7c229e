"""`LongformerConfig`: where its file is found, and how it is written."""

import json
import os
import subprocess
import sys

import pytest
from configuration.small_config import SMALL

from tf_longformer import LongformerConfig


class TestFiles:
    def test_folder_file_and_subfolder(self, tmp_path):
        config = LongformerConfig(**SMALL, num_labels=3)
        config.save_pretrained(tmp_path / "a" / "b")
        path = tmp_path / "a" / "b" / "config.json"
        read = LongformerConfig.from_pretrained
        assert read(tmp_path / "a" / "b") == config
        assert read(str(path)) == config
        assert read(tmp_path / "a", subfolder="b") == config
        assert LongformerConfig.from_json_file(path) == config
        assert os.listdir(path.parent) == ["config.json"]
        config.to_json_file(tmp_path / "full.json", use_diff=False)
        assert read(tmp_path / "full.json") == config
        full = json.loads((tmp_path / "full.json").read_text())
        assert set(full) == set(config.to_dict())

    def test_overrides(self, tmp_path):
        names = {"id2label": {0: "a", 1: "b"}, "label2id": {"a": 0, "b": 1}}
        config = LongformerConfig(**SMALL, **names, dtype="float16", mine=1)
        config.save_pretrained(tmp_path)

        def read(**overrides):
            return LongformerConfig.from_pretrained(tmp_path, **overrides)

        assert read(attention_window=6).radii == (3, 3)
        layers = read(num_hidden_layers=1, attention_window=[2])
        assert layers.radii == (1,)
        assert read(num_labels=2).id2label == {0: "a", 1: "b"}
        assert read(num_labels=2).label2id == {"a": 0, "b": 1}
        assert read(num_labels=3).label2id["LABEL_2"] == 2
        assert read(id2label={0: "x"}).num_labels == 1
        assert read(id2label={0: "x"}).label2id is None
        assert read(label2id={"x": 0}).id2label == {0: "x"}
        assert read(torch_dtype="float32").dtype == "float32"
        assert read(use_return_dict=False).return_dict is False
        assert read(mine=2).mine == 2
        assert read(revision="main", token=None, cache_dir="x") == config
        with pytest.raises(ValueError, match="one per layer"):
            read(num_hidden_layers=3)
        with pytest.raises(ValueError, match="number of entries"):
            read(num_labels=3, id2label={0: "x"})
        with pytest.raises(ValueError, match="an integer of 1 or more"):
            read(num_labels="two")

    def test_unknown_keywords_are_refused(self, tmp_path):
        LongformerConfig().save_pretrained(tmp_path)
        with pytest.raises(
            TypeError, match="must be fields.*: attention_windows, zoo.*Corr"
        ):
            LongformerConfig.from_pretrained(
                tmp_path, zoo=1, attention_windows=64
            )

    def test_no_folder(self, tmp_path):
        with pytest.raises(
            FileNotFoundError, match="must be a folder.*Received.*Check"
        ):
            LongformerConfig.from_pretrained(tmp_path / "none")
        pytest.importorskip("huggingface_hub", reason="an extra")
        with pytest.raises(OSError, match="isn't in the cache"):
            LongformerConfig.from_pretrained(
                "allenai/longformer-base-4096",
                cache_dir=tmp_path,
                local_files_only=True,
            )

    def test_folder_without_a_config(self, tmp_path):
        with pytest.raises(
            FileNotFoundError, match="that exists.*config.json.*pass the folder"
        ):
            LongformerConfig.from_pretrained(tmp_path)

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"{", "must be JSON text.*line 1 column 2"),
            (b"", "must be JSON text.*line 1 column 1"),
            (b"\xff\xfe{}", "must be JSON text in UTF-8"),
            (b"[1]", "must be a JSON object. Received: a list"),
            (b"null", "must be a JSON object. Received: a NoneType"),
        ],
    )
    def test_files_that_are_no_config(self, tmp_path, content, message):
        path = tmp_path / "config.json"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message) as error:
            LongformerConfig.from_pretrained(tmp_path)
        assert str(path) in str(error.value)
        assert "fetch it again" in str(error.value).replace("\n", " ")

    def test_byte_order_mark(self, tmp_path):
        path = tmp_path / "config.json"
        text = LongformerConfig(vocab_size=50265).to_json_string()
        path.write_text(text, encoding="utf-8-sig")
        assert LongformerConfig.from_pretrained(path).vocab_size == 50265

    def test_file_that_cannot_be_read(self, tmp_path):
        (tmp_path / "config.json").mkdir()
        with pytest.raises(OSError, match="must be a file that can be read"):
            LongformerConfig.from_pretrained(tmp_path)

    def test_saving_where_a_file_lies(self, tmp_path):
        (tmp_path / "file").write_text("mine")
        with pytest.raises(FileExistsError, match="must be a folder.*Pass"):
            LongformerConfig().save_pretrained(tmp_path / "file")
        assert (tmp_path / "file").read_text() == "mine"

    def test_saving_what_json_lacks(self, tmp_path):
        config = LongformerConfig(thing={1, 2})
        with pytest.raises(TypeError, match="values that JSON has.*set"):
            config.save_pretrained(tmp_path / "new")
        assert not (tmp_path / "new").exists()

    @pytest.mark.parametrize("broken", ["replace", "fsync"])
    def test_an_interrupted_write_leaves_the_old_file(
        self, tmp_path, monkeypatch, broken
    ):
        LongformerConfig(num_labels=5).save_pretrained(tmp_path)
        before = (tmp_path / "config.json").read_bytes()

        def interrupt(*args):
            raise KeyboardInterrupt

        monkeypatch.setattr(os, broken, interrupt)
        with pytest.raises(KeyboardInterrupt):
            LongformerConfig().save_pretrained(tmp_path)
        assert (tmp_path / "config.json").read_bytes() == before
        assert os.listdir(tmp_path) == ["config.json"]

    def test_a_killed_writer_leaves_the_old_file(self, tmp_path):
        LongformerConfig(num_labels=5).save_pretrained(tmp_path)
        program = (
            "import os, sys\n"
            "from tf_longformer.configuration import LongformerConfig\n"
            "os.fsync = lambda file: os._exit(9)\n"
            "LongformerConfig().save_pretrained(sys.argv[1])\n"
        )
        done = subprocess.run([sys.executable, "-c", program, str(tmp_path)])
        assert done.returncode == 9
        assert LongformerConfig.from_pretrained(tmp_path).num_labels == 5

    @pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
    def test_a_new_file_has_ordinary_permissions(self, tmp_path):
        LongformerConfig().save_pretrained(tmp_path)
        (tmp_path / "other").write_text("")
        modes = {entry.stat().st_mode for entry in tmp_path.iterdir()}
        assert len(modes) == 1

    def test_dict_of_another_type(self):
        with pytest.raises(TypeError, match="a dict of its.*str.*from_pre"):
            LongformerConfig.from_dict("config.json")


class Theirs:
    """What transformers' configs have in common with ours."""

    def __init__(self, **fields):
        self.fields = fields

    def to_dict(self):
        return {"transformers_version": "4.57.1", **self.fields}


def test_configs_of_another_library():
    fields = {"model_type": "longformer", "attention_window": [4, 6]}
    theirs = Theirs(**fields, num_hidden_layers=2, id2label={0: "a", 1: "b"})
    config = LongformerConfig.from_dict(theirs)
    assert config.radii == (2, 3)
    assert config.id2label == {0: "a", 1: "b"}
    assert config.transformers_version == "4.57.1"
    assert LongformerConfig.from_dict(config) == config
    roberta = Theirs(model_type="roberta", vocab_size=99)
    with pytest.raises(ValueError, match="roberta.*`attention_window=512`"):
        LongformerConfig.from_dict(roberta)
    assert LongformerConfig.from_dict(roberta, attention_window=8).radii[0] == 4
    with pytest.raises(TypeError, match="Received: type"):
        LongformerConfig.from_dict(Theirs)
