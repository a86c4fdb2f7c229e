"""A `config.json` of every age."""

import copy
import json

import pytest

from tf_longformer import LongformerConfig

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
        assert written["architectures"] == ["LongformerForMaskedLM"]
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

    @pytest.mark.parametrize("kind", ["gpt2", "led", "big_bird", "", 3])
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
            "empty": None,
        }
        config = LongformerConfig.from_dict(
            {**HUB, **extra, "_name_or_path": "somewhere"}
        )
        assert config.name_or_path == "somewhere"
        assert config.task_specific_params == {"a": [1, {"b": None}]}
        assert config.head_dim == 64
        assert config.to_dict().items() >= extra.items()
        config.save_pretrained(tmp_path)
        written = json.loads((tmp_path / "config.json").read_text())
        # transformers doesn't write this one to a file either.
        assert "somewhere" not in written.values()
        again = LongformerConfig.from_pretrained(tmp_path)
        assert again.to_dict() == config.to_dict()
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


def test_positions_of_another_kind(caplog):
    """transformers doesn't look at them in a Longformer's file."""
    fields = {"model_type": "longformer", "position_embedding_type": "absolute"}
    LongformerConfig.from_dict(fields)
    assert not caplog.text
    fields["position_embedding_type"] = "relative_key"
    config = LongformerConfig.from_dict(fields)
    assert config.position_embedding_type == "relative_key"
    assert "must be 'absolute'" in caplog.text
    fields |= {"model_type": "roberta", "attention_window": 8}
    with pytest.raises(ValueError, match="must be 'absolute'.*'roberta'"):
        LongformerConfig.from_dict(fields)
