"""`LongformerConfig`: files of every age, and how they are written."""

import copy
import json
import os
import subprocess
import sys

import pytest

from tf_longformer.configuration import LongformerConfig

SMALL = {
    "attention_window": [4, 8],
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 20,
    "vocab_size": 50,
}

# As the published base checkpoint's file, with the extra keys that it has.
HUB = {
    "attention_mode": "longformer",
    "attention_probs_dropout_prob": 0.1,
    "attention_window": [512] * 12,
    "bos_token_id": 0,
    "eos_token_id": 2,
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "ignore_attention_mask": False,
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 4098,
    "model_type": "longformer",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "pad_token_id": 1,
    "sep_token_id": 2,
    "type_vocab_size": 1,
    "vocab_size": 50265,
}

# As AllenAI published it before the model was in transformers.
EARLY = {
    "architectures": ["RobertaForMaskedLM"],
    "attention_dilation": [1] * 12,
    "attention_mode": "tvm",
    "attention_probs_dropout_prob": 0.1,
    "attention_window": [256] * 12,
    "autoregressive": False,
    "finetuning_task": None,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": 768,
    "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
    "initializer_range": 0.02,
    "intermediate_size": 3072,
    "label2id": {"LABEL_0": 0, "LABEL_1": 1},
    "layer_norm_eps": 1e-05,
    "max_position_embeddings": 4098,
    "model_type": "roberta",
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "num_labels": 2,
    "pruned_heads": {},
    "torchscript": False,
    "type_vocab_size": 1,
    "vocab_size": 50265,
}


class TestWildFiles:
    def test_hub(self):
        config = LongformerConfig.from_dict(HUB)
        assert config.radii == (256,) * 12
        assert config.max_tokens == 4096
        assert config.attention_mode == "longformer"
        assert config.to_diff_dict().items() >= HUB.items()

    @pytest.mark.parametrize("mode", ["tvm", "sliding_chunks", "n2"])
    def test_early_windows_are_doubled_once(self, mode, tmp_path):
        config = LongformerConfig.from_dict({**EARLY, "attention_mode": mode})
        assert config.attention_window == [512] * 12
        assert config.sep_token_id == 2
        config.save_pretrained(tmp_path)
        written = json.loads((tmp_path / "config.json").read_text())
        assert written["model_type"] == "longformer"
        assert not {"attention_mode", "attention_dilation"} & set(written)
        assert "autoregressive" not in written
        assert "architectures" not in written
        again = LongformerConfig.from_pretrained(tmp_path)
        assert again == config
        assert again.attention_window == [512] * 12

    @pytest.mark.parametrize("left", ["attention_mode", "attention_dilation"])
    @pytest.mark.parametrize("kind", ["roberta", None])
    def test_either_sign_tells_an_early_file(self, left, kind):
        fields = {k: v for k, v in EARLY.items() if k != left}
        fields["model_type"] = kind
        if kind is None:
            del fields["model_type"]
        config = LongformerConfig.from_dict(fields)
        assert config.radii == (256,) * 12

    def test_early_file_with_one_number(self):
        fields = {**EARLY, "attention_window": 64, "attention_dilation": 1}
        assert LongformerConfig.from_dict(fields).attention_window == 128

    def test_an_overriding_window_is_two_sided(self):
        config = LongformerConfig.from_dict(EARLY, attention_window=64)
        assert config.attention_window == 64

    def test_notebook_windows_are_two_sided(self):
        signs = ("attention_mode", "attention_dilation", "autoregressive")
        fields = {k: v for k, v in EARLY.items() if k not in signs}
        fields["attention_window"] = [512] * 12
        config = LongformerConfig.from_dict(fields)
        assert config.attention_window == [512] * 12
        assert config.to_dict()["model_type"] == "longformer"

    def test_longformer_files_with_early_keys_are_two_sided(self):
        fields = {**HUB, "attention_dilation": [1] * 12}
        config = LongformerConfig.from_dict(fields)
        assert config.attention_window == [512] * 12
        assert config.attention_dilation == [1] * 12

    def test_missing_model_type(self):
        fields = {k: v for k, v in HUB.items() if k != "model_type"}
        config = LongformerConfig.from_dict(fields)
        assert config == LongformerConfig.from_dict(HUB)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"attention_dilation": [1] * 11 + [2]},
                "dilated windows aren't supported. Received: .*2].*without",
            ),
            (
                {"attention_dilation": [[1, 3]] * 12},
                "dilated windows aren't supported. Received: .*without",
            ),
            (
                {"autoregressive": True},
                "causal attention isn't supported. Received: .*=True.*Use",
            ),
            (
                {"attention_mode": "sliding_chunks_no_overlap"},
                "must be a sliding window. Received: .*no_overlap.*Use",
            ),
        ],
    )
    @pytest.mark.parametrize("base", [EARLY, HUB], ids=["early", "hub"])
    def test_other_kinds_of_attention_are_refused(self, base, change, message):
        with pytest.raises(ValueError, match=message):
            LongformerConfig.from_dict({**base, **change})

    @pytest.mark.parametrize("kind", ["bert", "led", "big_bird", "", 3])
    def test_other_models_are_refused(self, kind):
        with pytest.raises(
            ValueError, match=f"must describe.*model_type={kind!r}.*Load"
        ):
            LongformerConfig.from_dict({**HUB, "model_type": kind})

    @pytest.mark.parametrize("kind", ["roberta", None])
    def test_files_without_a_window_are_refused(self, kind):
        fields = {"hidden_size": 768}
        if kind:
            fields["model_type"] = kind
        with pytest.raises(
            ValueError, match="no `attention_window`.*Load a Longformer's"
        ):
            LongformerConfig.from_dict(fields)

    def test_unknown_keys_are_kept_and_written_back(self, tmp_path):
        extra = {
            "gradient_checkpointing": True,
            "task_specific_params": {"a": [1, {"b": None}]},
            "transformers_version": "4.9.2",
            "head_dim": 99,
            "_name_or_path": "somewhere",
            "empty": None,
        }
        config = LongformerConfig.from_dict({**HUB, **extra})
        assert config.task_specific_params == {"a": [1, {"b": None}]}
        assert config.head_dim == 64
        assert config.to_dict().items() >= extra.items()
        config.save_pretrained(tmp_path)
        written = json.loads((tmp_path / "config.json").read_text())
        # transformers doesn't write this one to a file either.
        assert extra.pop("_name_or_path") not in written.values()
        assert written.items() >= extra.items()

    def test_private_keys_are_not_written(self):
        config = LongformerConfig(_commit_hash="abc", _auto_class=None)
        assert not {"_commit_hash", "_auto_class"} & set(config.to_dict())

    def test_the_dict_that_was_read_stays_as_it_was(self):
        fields = copy.deepcopy(EARLY)
        fields["nested"] = {"a": [1]}
        before = copy.deepcopy(fields)
        config = LongformerConfig.from_dict(fields)
        config.nested["a"].append(2)
        config.attention_window[0] = 2
        assert fields == before


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
        path.write_text(json.dumps(HUB), encoding="utf-8-sig")
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
        with pytest.raises(TypeError, match="must be a dict.*str.*from_pre"):
            LongformerConfig.from_dict("config.json")
