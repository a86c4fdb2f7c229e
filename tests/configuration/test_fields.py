"""The fields of a `LongformerConfig`: defaults, names, derived numbers."""

import inspect

import numpy as np
import pytest
from configuration.small_config import SMALL
from configuration.small_config import reread

from tf_longformer import LongformerConfig
from tf_longformer.configuration.rules import HIDDEN_ACTIVATIONS


class TestFields:
    def test_defaults(self):
        fields = LongformerConfig().to_dict()
        assert fields == {
            "architectures": None,
            "attention_probs_dropout_prob": 0.1,
            "attention_window": 512,
            "bos_token_id": 0,
            "chunk_size_feed_forward": 0,
            "dtype": None,
            "eos_token_id": 2,
            "hidden_act": "gelu",
            "hidden_dropout_prob": 0.1,
            "hidden_size": 768,
            "id2label": {0: "LABEL_0", 1: "LABEL_1"},
            "initializer_range": 0.02,
            "intermediate_size": 3072,
            "is_encoder_decoder": False,
            "label2id": {"LABEL_0": 0, "LABEL_1": 1},
            "layer_norm_eps": 1e-12,
            "max_position_embeddings": 512,
            "model_type": "longformer",
            "num_attention_heads": 12,
            "num_hidden_layers": 12,
            "onnx_export": False,
            "output_attentions": False,
            "output_hidden_states": False,
            "pad_token_id": 1,
            "problem_type": None,
            "return_dict": True,
            "sep_token_id": 2,
            "tie_word_embeddings": True,
            "type_vocab_size": 2,
            "vocab_size": 30522,
        }

    def test_diff_holds_own_fields_always_and_shared_ones_when_set(self):
        config = LongformerConfig()
        shared = set(config.to_dict()) - set(config.to_diff_dict())
        assert shared == {
            "architectures",
            "chunk_size_feed_forward",
            "dtype",
            "id2label",
            "is_encoder_decoder",
            "label2id",
            "output_attentions",
            "output_hidden_states",
            "problem_type",
            "return_dict",
        }
        values = {
            "architectures": ["LongformerModel"],
            "chunk_size_feed_forward": 3,
            "dtype": "float16",
            "id2label": {0: "no", 1: "yes"},
            "is_encoder_decoder": True,
            "label2id": {"no": 0, "yes": 1},
            "output_attentions": True,
            "output_hidden_states": True,
            "problem_type": "regression",
            "return_dict": False,
        }
        config.update(values)
        assert config.to_diff_dict().items() >= values.items()

    def test_window_may_be_the_first_positional_argument(self):
        assert LongformerConfig(64).attention_window == 64

    def test_every_field_is_an_attribute_of_its_name(self):
        values = {**SMALL, "attention_slots": 3, "tie_word_embeddings": False}
        config = LongformerConfig(**values)
        for name, value in values.items():
            assert getattr(config, name) == value

    def test_derived_numbers(self):
        config = LongformerConfig(
            **SMALL, pad_token_id=3, max_position_embeddings=41
        )
        assert config.radii == (2, 4)
        assert config.radius(0) == 2
        assert config.radius(1) == 4
        assert config.head_dim == 4
        assert config.max_tokens == 37

    def test_one_window_holds_for_all_layers(self):
        config = LongformerConfig(10, num_hidden_layers=3)
        assert config.radii == (5, 5, 5)
        assert config.attention_window == 10

    def test_windows_of_other_types_become_a_list_of_int(self):
        for windows in ((4, 8), np.array([4, 8]), [np.int64(4), np.int32(8)]):
            config = LongformerConfig(**{**SMALL, "attention_window": windows})
            assert config.attention_window == [4, 8]
            assert reread(config) == config

    def test_numpy_and_whole_numbers_are_written_as_transformers_expects(self):
        config = LongformerConfig(
            hidden_size=np.int64(24), layer_norm_eps=1, initializer_range=0
        )
        text = config.to_json_string()
        assert '"hidden_size": 24,' in text
        assert '"layer_norm_eps": 1.0,' in text
        assert '"initializer_range": 0.0,' in text

    def test_slots_are_written_only_when_set(self):
        config = LongformerConfig()
        assert "attention_slots" not in config.to_dict()
        config.attention_slots = 0
        assert config.to_dict()["attention_slots"] == 0
        assert reread(config).attention_slots == 0

    def test_older_names(self):
        config = LongformerConfig(torch_dtype="float16", use_return_dict=False)
        assert config.dtype == "float16"
        assert config.return_dict is False
        assert config.use_return_dict is False
        assert "torch_dtype" not in config.to_dict()
        both = LongformerConfig(torch_dtype="float16", dtype="float32")
        assert both.dtype == "float32"

    def test_the_docstring_and_the_signature_have_every_field(self):
        parameters = dict(inspect.signature(LongformerConfig).parameters)
        assert parameters.pop("kwargs").kind is inspect.Parameter.VAR_KEYWORD
        assert set(parameters) == LongformerConfig.known_fields() - {
            "gradient_checkpointing",
            "max_tokens",
            "torch_dtype",
            "use_return_dict",
        }
        text = " ".join(LongformerConfig.__doc__.split())
        for name, parameter in parameters.items():
            assert f" {name}: " in text
            default = f"Defaults to `{parameter.default!r}`."
            assert default in text.partition(f" {name}: ")[2][:400]
        lines = LongformerConfig.__doc__.splitlines()
        assert max(map(len, lines)) < 80

    def test_known_fields(self):
        known = LongformerConfig.known_fields()
        assert set(LongformerConfig().to_dict()) - {"model_type"} <= known
        assert {"num_labels", "torch_dtype", "attention_slots"} <= known
        assert not {"self", "kwargs", "attention_windows"} & known

    def test_known_fields_of_a_subclass(self):
        class Extended(LongformerConfig):
            def __init__(self, *, depth=1, **kwargs):
                super().__init__(depth=depth, **kwargs)

        known = Extended.known_fields()
        assert known == LongformerConfig.known_fields() | {"depth"}

    @pytest.mark.parametrize("name", sorted(HIDDEN_ACTIVATIONS))
    def test_activations(self, name):
        assert LongformerConfig(hidden_act=name).hidden_act == name

    def test_activations_are_those_of_the_layers(self):
        from tf_longformer.layers.activations import ACTIVATIONS

        assert set(ACTIVATIONS) == HIDDEN_ACTIVATIONS
