"""Keywords, attributes and subclasses that code for transformers has."""

import inspect
import json
import os
import re
import shutil

import keras
import numpy as np
import pytest
from helpers import checks
from helpers import tiny
from safetensors.numpy import load_file
from safetensors.numpy import save_file

from tf_longformer import LongformerConfig
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerForTokenClassification
from tf_longformer import TFLongformerModel
from tf_longformer.models.base import TFLongformerPreTrainedModel

MLM = "ForMaskedLM"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    checks.seeded(tiny.make_model, MLM).save_pretrained(folder)
    return folder


def changed_config(folder, path, **changes):
    """Writes the folder's config with changes; returns its fields."""
    fields = json.loads((folder / "config.json").read_text("utf-8"))
    fields = {**fields, **changes}
    path.write_text(json.dumps(fields), "utf-8")
    return fields


def test_a_config_from_elsewhere(folder, tmp_path):
    load = TFLongformerForMaskedLM.from_pretrained
    fields = changed_config(
        folder, tmp_path / "config.json", attention_window=4
    )
    named = tmp_path / "named.json"
    shutil.copy(tmp_path / "config.json", named)
    for config in (
        tmp_path,
        str(tmp_path),
        named,
        fields,
        LongformerConfig.from_pretrained(tmp_path),
    ):
        assert load(folder, config=config).config.attention_window == 4
        both = load(folder, config=config, attention_window=6)
        assert both.config.attention_window == 6
    with pytest.raises(TypeError, match="A config must be.*Received: int"):
        load(folder, config=5)
    with pytest.raises(FileNotFoundError, match="must hold config.json"):
        load(folder, config=tmp_path.parent)


def test_what_a_config_takes_a_model_takes(folder, tmp_path):
    load = TFLongformerForMaskedLM.from_pretrained
    assert load(folder, gradient_checkpointing=True).is_gradient_checkpointing
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    changed_config(folder, tmp_path / "config.json", finetuning_task="a")
    model = load(tmp_path, finetuning_task="b")
    assert model.config.finetuning_task == "b"
    for read in (load, LongformerConfig.from_pretrained):
        with pytest.raises(TypeError, match="finetuning_task"):
            read(folder, finetuning_task="b")


def test_a_plain_roberta(folder, tmp_path):
    fields = changed_config(
        folder, tmp_path / "config.json", model_type="roberta"
    )
    del fields["attention_window"]
    (tmp_path / "config.json").write_text(json.dumps(fields), "utf-8")
    arrays = {
        name.replace("longformer.", "roberta."): array
        for name, array in load_file(folder / "model.safetensors").items()
        if "_global." not in name
    }
    save_file(arrays, tmp_path / "model.safetensors")
    load = TFLongformerForMaskedLM.from_pretrained
    with pytest.raises(ValueError, match="pass `attention_window=512`, say"):
        load(tmp_path)
    model, info = load(tmp_path, attention_window=8, output_loading_info=True)
    assert not any(info.values())
    config = LongformerConfig.from_pretrained(tmp_path, attention_window=8)
    assert model.config == config
    inputs = tiny.make_inputs(MLM)
    del inputs["global_attention_mask"]
    before = load(folder)(inputs)
    checks.assert_equal(model(inputs), before)
    # Of AllenAI's first files the windows are doubled, keywords are not.
    early = {**fields, "attention_mode": "sliding_chunks"}
    for window in ({}, {"attention_window": 3}):
        config = LongformerConfig.from_dict(
            {**early, **window}, attention_window=6
        )
        assert config.attention_window == 6


def test_keywords_of_saving(folder, tmp_path):
    model = TFLongformerForMaskedLM.from_pretrained(folder)
    model.save_pretrained(
        tmp_path, safe_serialization=True, push_to_hub=False, saved_model=None
    )
    assert (tmp_path / "model.safetensors").exists()
    for keywords, message in (
        ({"safe_serialization": False}, "safe_serialization=False.*'h5'"),
        ({"push_to_hub": True}, r"Call `push_to_hub\(repo_id\)`"),
        ({"saved_model": True}, "export_saved_model"),
        ({"variant": "fp16"}, "variant='fp16'. Correct the name"),
    ):
        with pytest.raises(TypeError, match=message):
            model.save_pretrained(tmp_path / "new", **keywords)
    model.config.save_pretrained(tmp_path, push_to_hub=False)
    with pytest.raises(TypeError, match=r"Call `push_to_hub\(repo_id\)`"):
        model.config.save_pretrained(tmp_path / "new", push_to_hub=True)
    assert not (tmp_path / "new").exists()


def test_keywords_of_loading(folder, caplog):
    for cls in (TFLongformerForMaskedLM, LongformerConfig):
        cls.from_pretrained(
            folder,
            proxies={"https": "proxy"},
            resume_download=True,
            use_auth_token=True,
            trust_remote_code=True,
            low_cpu_mem_usage=True,
            torch_dtype="auto",
        )
        assert "set HTTPS_PROXY" in caplog.text
        caplog.clear()
        with pytest.raises(TypeError, match=r"load_in_8bit=True.*quantize"):
            cls.from_pretrained(folder, load_in_8bit=True)
    model = TFLongformerForMaskedLM.from_pretrained(folder)
    inputs = tiny.make_inputs(MLM)
    with pytest.raises(TypeError, match="`masked_lm_labels` is called `label"):
        model({**inputs, "masked_lm_labels": inputs["input_ids"]})


def test_attributes(folder, tmp_path):
    model = tiny.make_model("ForTokenClassification")
    assert model.config_class is LongformerConfig
    assert model.main_input_name == "input_ids"
    assert model.num_labels == model.config.num_labels == tiny.LABELS
    assert model.base_model is model.longformer
    assert model.tie_weights() is None
    assert model.name_or_path == model.config.name_or_path == ""
    config = model.config
    config.torch_dtype = "bfloat16"
    assert config.torch_dtype == config.dtype == "bfloat16"
    loaded = TFLongformerForMaskedLM.from_pretrained(folder)
    config = LongformerConfig.from_pretrained(folder)
    assert loaded.name_or_path == config.name_or_path == os.fspath(folder)
    assert config._name_or_path == os.fspath(folder)
    # Neither written nor compared.
    config.name_or_path = "elsewhere"
    assert config == loaded.config
    loaded.save_pretrained(tmp_path)
    written = (tmp_path / "config.json").read_text("utf-8")
    assert os.fspath(folder) not in written + json.dumps(loaded.get_config())


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("prune_heads", "`head_mask`"),
        ("get_bias", "lm_head.bias"),
        ("train", "`training=True`"),
        ("eval", "`training=True`"),
        ("device", "tf.device"),
        ("get_position_embeddings", "embeddings.position_embeddings"),
        ("serving_output", "export_saved_model"),
        ("set_output_embeddings", "`set_input_embeddings`"),
    ],
)
def test_attributes_that_there_are_not(name, advice):
    with pytest.raises(
        AttributeError, match=f"no attribute '{name}'.*{advice}"
    ):
        getattr(tiny.make_model("Model"), name)


class Late(TFLongformerForTokenClassification):
    def __init__(self, config, later=None, **kwargs):
        super().__init__(config, **kwargs)
        self.later = later


def example():
    """Returns the class that the base class's docstring makes."""
    text = inspect.getdoc(TFLongformerPreTrainedModel)
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {"keras": keras, "TFLongformerModel": TFLongformerModel}
    exec(code, names)
    return names["Scorer"]


def test_layers_of_a_subclass(tmp_path):
    config = tiny.make_model("Model").config
    dense = keras.layers.Dense(7)
    for later in (dense, [dense], {"a": keras.Variable(1.0)}):
        with pytest.raises(ValueError, match="`create_head`.*`later`, set lat"):
            Late(config, later)
    assert Late(config, "text").later == "text"
    with pytest.raises(ValueError, match="dtype"):
        Late(config).dtype_policy = "no such policy"
    inputs = tiny.make_inputs("Model")
    scorer = example()
    model = checks.seeded(scorer, config)
    assert model(inputs).pooler_output.shape == (tiny.BATCH, 1)
    model.save_pretrained(tmp_path)
    checks.assert_equal(scorer.from_pretrained(tmp_path)(inputs), model(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(
        tmp_path / "model.keras", custom_objects={"Scorer": scorer}
    )
    checks.assert_equal(loaded(inputs), model(inputs), 0)
    assert np.isfinite(loaded(inputs).pooler_output).all()
