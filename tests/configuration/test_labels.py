"""The labels of a `LongformerConfig`: three fields that say one thing."""

import json

import pytest
from configuration.small_config import reread

from tf_longformer import LongformerConfig


class TestLabels:
    def test_number_makes_both_maps(self):
        config = LongformerConfig(num_labels=3)
        assert config.id2label == {0: "LABEL_0", 1: "LABEL_1", 2: "LABEL_2"}
        assert config.label2id == {"LABEL_0": 0, "LABEL_1": 1, "LABEL_2": 2}

    def test_setting_another_number_renames(self):
        config = LongformerConfig(id2label={0: "a", 1: "b"})
        config.num_labels = 1
        assert config.id2label == {0: "LABEL_0"}
        assert config.label2id == {"LABEL_0": 0}

    def test_setting_the_same_number_keeps_the_names(self):
        config = LongformerConfig(id2label={0: "a", 1: "b"})
        config.num_labels = 2
        assert config.id2label == {0: "a", 1: "b"}

    def test_names_alone_leave_the_inverse_empty(self):
        config = LongformerConfig(id2label={"1": "b", "0": "a"})
        assert config.id2label == {0: "a", 1: "b"}
        assert config.label2id is None
        assert config.num_labels == 2
        config.validate()

    def test_inverse_alone_makes_the_names(self):
        config = LongformerConfig(label2id={"a": 0, "b": 1, "c": 2})
        assert config.id2label == {0: "a", 1: "b", 2: "c"}
        assert config.num_labels == 3

    def test_keys_are_int_inside_and_text_in_json(self):
        config = LongformerConfig(
            id2label={0: "a", 1: "b"}, label2id={"a": 0, "b": 1}
        )
        written = json.loads(config.to_json_string())
        assert written["id2label"] == {"0": "a", "1": "b"}
        assert reread(config) == config

    def test_assigned_names_get_int_keys(self):
        config = LongformerConfig()
        config.id2label = {"0": "a", "1": "b"}
        assert config.id2label == {0: "a", 1: "b"}
        # The generated inverse stays behind, and is no contradiction.
        config.validate()

    def test_labels_that_are_numbers(self):
        fields = {
            "model_type": "longformer",
            "id2label": {"0": 10, "1": 20},
            "label2id": {"10": 0, "20": 1},
        }
        assert LongformerConfig.from_dict(fields).num_labels == 2

    def test_two_ids_of_one_name(self):
        LongformerConfig(id2label={0: "O", 1: "O"}, label2id={"O": 1})

    def test_ids_as_text(self):
        config = LongformerConfig(
            id2label={0: "a", 1: "b"}, label2id={"a": "0", "b": "1"}
        )
        assert config.label2id == {"a": "0", "b": "1"}

    @pytest.mark.parametrize(
        "label2id",
        [
            {"a": 1, "b": 0},
            {"a": 0},
            {"a": 0, "b": 1, "c": 2},
            {"x": 0, "y": 7},
            {"a": "b", "b": [1]},
        ],
    )
    def test_names_win_over_an_inverse_that_is_none(self, label2id, caplog):
        names = {"id2label": {"0": "a", "1": "b"}, "label2id": label2id}
        config = LongformerConfig.from_dict(
            {"model_type": "longformer", **names}
        )
        assert config.id2label == {0: "a", 1: "b"}
        assert config.label2id == {"a": 0, "b": 1}
        assert "`id2label` counts" in caplog.text
        caplog.clear()
        assert reread(config) == config
        assert not caplog.text
        config.id2label = {0: "x"}
        config.validate()
        assert config.label2id == {"x": 0}
