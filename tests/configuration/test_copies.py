"""`LongformerConfig`: copies and round trips of any fields."""

import copy
import pickle

import pytest
from configuration.small_config import SMALL
from configuration.small_config import reread
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from tf_longformer import LongformerConfig
from tf_longformer.configuration.rules import HIDDEN_ACTIVATIONS


class TestCopies:
    def test_equal(self):
        config = LongformerConfig(**SMALL, thing=[1])
        assert config == LongformerConfig(**SMALL, thing=[1])
        assert config != LongformerConfig(**SMALL, thing=[2])
        assert config != LongformerConfig(**SMALL)
        assert config != config.to_dict()

    @pytest.mark.parametrize(
        "duplicate",
        [
            LongformerConfig.copy,
            copy.deepcopy,
            lambda config: pickle.loads(pickle.dumps(config)),
            lambda config: LongformerConfig(**config.to_dict()),
            lambda config: LongformerConfig.from_dict(config.to_dict()),
        ],
        ids=["copy", "deepcopy", "pickle", "keywords", "dict"],
    )
    def test_copies_are_equal_and_apart(self, duplicate):
        config = LongformerConfig(**SMALL, num_labels=3, thing={"a": [1]})
        twin = duplicate(config)
        assert twin == config
        twin.attention_window[0] = 2
        twin.id2label[0] = "x"
        twin.thing["a"].append(2)
        assert config == LongformerConfig(
            **SMALL, num_labels=3, thing={"a": [1]}
        )

    def test_what_was_passed_is_apart(self):
        names = {"id2label": {0: "a"}, "label2id": {"a": 0}}
        fields = {**SMALL, **names, "thing": [1], "architectures": ["A"]}
        config = LongformerConfig(**copy.deepcopy(fields))
        mine = copy.deepcopy(fields)
        built = LongformerConfig(**mine)
        read = LongformerConfig.from_dict({"model_type": "longformer", **mine})
        for value in (mine["id2label"], mine["label2id"]):
            value.clear()
        for name in ("attention_window", "thing", "architectures"):
            mine[name].append(2)
        assert built == config
        assert read == config

    def test_to_dict_is_apart(self):
        config = LongformerConfig(**SMALL)
        config.to_dict()["attention_window"].append(2)
        assert config.attention_window == [4, 8]

    def test_subclasses_come_back_as_themselves(self, tmp_path):
        class Mine(LongformerConfig):
            pass

        Mine(**SMALL).save_pretrained(tmp_path)
        assert type(Mine.from_pretrained(tmp_path)) is Mine

    def test_repr_is_the_file(self):
        config = LongformerConfig(**SMALL)
        assert repr(config) == f"LongformerConfig {config.to_json_string()}"

    def test_not_hashable(self):
        with pytest.raises(TypeError, match="unhashable"):
            hash(LongformerConfig())


@st.composite
def valid_fields(draw):
    layers = draw(st.integers(1, 4))
    heads = draw(st.integers(1, 5))
    window = st.integers(1, 300).map(lambda one_sided: 2 * one_sided)
    pad = draw(st.integers(0, 9))
    fields = {
        "attention_window": draw(
            window | st.lists(window, min_size=layers, max_size=layers)
        ),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "hidden_size": heads * draw(st.integers(1, 9)),
        "intermediate_size": draw(st.integers(1, 99)),
        "pad_token_id": pad,
        "vocab_size": draw(st.integers(pad + 1, 60000)),
        "max_position_embeddings": draw(st.integers(pad + 2, 9999)),
        "type_vocab_size": draw(st.integers(1, 3)),
    }
    json_value = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.text(), inner, max_size=3)
        ),
        max_leaves=5,
    )
    names = draw(st.lists(st.text(), min_size=1, max_size=5, unique=True))
    optional = {
        "sep_token_id": st.none() | st.integers(0, 9),
        "bos_token_id": st.none() | st.integers(0, 9),
        "eos_token_id": st.integers(0, 9) | st.lists(st.integers(0, 9)),
        "hidden_act": st.sampled_from(sorted(HIDDEN_ACTIVATIONS)),
        "hidden_dropout_prob": st.floats(0, 1, exclude_max=True),
        "initializer_range": st.floats(0, 2),
        "layer_norm_eps": st.floats(0, 1, exclude_min=True),
        "tie_word_embeddings": st.booleans(),
        "attention_slots": st.none() | st.integers(0, 20),
        "output_attentions": st.booleans(),
        "return_dict": st.booleans() | st.none(),
        "dtype": st.sampled_from([None, "float32", "bfloat16"]),
        "architectures": st.none() | st.lists(st.text()),
        "problem_type": st.sampled_from(
            [None, "regression", "multi_label_classification"]
        ),
        "id2label": st.just(dict(enumerate(names))),
        "my_own_key": json_value,
    }
    for name, strategy in optional.items():
        if draw(st.booleans()):
            fields[name] = draw(strategy)
    if "id2label" in fields and draw(st.booleans()):
        fields["label2id"] = {name: i for i, name in enumerate(names)}
    return fields


class TestProperties:
    @given(fields=valid_fields(), use_diff=st.booleans())
    @settings(
        max_examples=150,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    def test_round_trip(self, fields, use_diff):
        config = LongformerConfig(**fields)
        again = reread(config, use_diff)
        assert again == config
        assert again.to_json_string() == config.to_json_string()
        for name, value in fields.items():
            assert getattr(again, name) == value
        assert len(again.radii) == fields["num_hidden_layers"]

    @given(
        name=st.sampled_from(sorted(LongformerConfig.known_fields())),
        value=st.none()
        | st.booleans()
        | st.integers(-5, 1000)
        | st.floats()
        | st.text(max_size=3)
        | st.lists(st.integers(-1, 4) | st.text(max_size=1), max_size=3)
        | st.dictionaries(
            st.text(max_size=1) | st.integers(-1, 2),
            st.text(max_size=1) | st.integers(-1, 2),
            max_size=2,
        ),
    )
    @settings(max_examples=600, deadline=None)
    def test_any_value_is_taken_or_refused_in_words(self, name, value):
        try:
            config = LongformerConfig(**{name: value})
        except ValueError as error:
            message = str(error)
        else:
            config.validate()
            return
        assert "Received: " in message
