"""What transformers users reach for on a model."""

import checks
import keras
import numpy as np
import pytest
from models import tiny


def test_embeddings_are_layers():
    model = tiny.make_model("ForMaskedLM")
    table = model.get_input_embeddings()
    assert table is model.longformer.embeddings.word_embeddings
    assert model.get_output_embeddings() is table
    assert tiny.make_model("Model").get_output_embeddings() is None
    untied = tiny.make_model("ForMaskedLM", tie_word_embeddings=False)
    decoder = untied.get_output_embeddings().decoder
    assert decoder.shape == (tiny.VOCABULARY, 10)
    assert model.base_model_prefix == "longformer"


def test_set_input_embeddings():
    model = tiny.make_model("ForMaskedLM")
    rows = np.random.default_rng(0).normal(size=(67, 10)).astype("float32")
    model.set_input_embeddings(rows)
    checks.assert_equal(model.get_input_embeddings().embeddings, rows, 0)
    assert model.config.vocab_size == 67
    layer = keras.layers.Embedding(67, 10)
    layer.build()
    model.set_input_embeddings(layer)
    checks.assert_equal(
        model.get_input_embeddings().embeddings, layer.embeddings, 0
    )
    with pytest.raises(ValueError, match=r"hidden_size=10\]. Received"):
        model.set_input_embeddings(rows[:, :3])


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("size", [67, 53])
def test_resize_token_embeddings(tied, size, tmp_path):
    model = tiny.make_model("ForMaskedLM", tie_word_embeddings=tied)
    bias = np.random.default_rng(0).normal(size=61).astype("float32")
    model.lm_head.bias.assign(bias)
    inputs = tiny.make_inputs("ForMaskedLM")
    inputs["input_ids"] %= 50
    inputs["input_ids"][inputs["attention_mask"] == 0] = 1
    before = model(inputs).logits
    paths = sorted(weight.path for weight in model.weights)
    table = model.resize_token_embeddings(size)
    assert table is model.get_input_embeddings()
    assert table.embeddings.shape == (size, 10)
    after = model(inputs).logits
    both = min(size, 61)
    checks.assert_equal(after[..., :both], before[..., :both], 1e-6)
    assert after.shape[-1] == model.config.vocab_size == size
    assert sorted(weight.path for weight in model.weights) == paths
    if size > 61:
        rows = checks.arrays([table.embeddings])[0][61:]
        assert 0.1 < rows.std() < 0.5
        assert not checks.arrays([model.lm_head.bias])[0][61:].any()
        inputs["input_ids"][:, 0] = 66
        assert model(inputs).logits.shape[-1] == size
    # It trains, and goes through every kind of file.
    model.compile("sgd", run_eagerly=True)
    labels = np.where(inputs["attention_mask"], inputs["input_ids"], -100)
    model.fit({**inputs, "labels": labels}, verbose=0)
    model.save(tmp_path / "model.keras")
    model.save_pretrained(tmp_path)
    for loaded in (
        keras.models.load_model(tmp_path / "model.keras"),
        type(model).from_pretrained(tmp_path),
    ):
        checks.assert_equal(loaded(inputs), model(inputs), 0)


def test_resizing_other_heads():
    model = tiny.make_model("ForQuestionAnswering")
    inputs = tiny.make_inputs("ForQuestionAnswering")
    before = model(inputs)
    assert model.resize_token_embeddings() is model.get_input_embeddings()
    model.resize_token_embeddings(62, pad_to_multiple_of=8)
    assert model.config.vocab_size == 64
    checks.assert_equal(model(inputs), before)
    layer = model.longformer.embeddings
    assert layer.get_config()["vocab_size"] == 64


def test_resizing_what_is_compiled():
    model = tiny.make_model("ForMaskedLM")
    inputs = tiny.make_inputs("ForMaskedLM")
    model.predict(inputs, verbose=0)
    model.resize_token_embeddings(70)
    inputs["input_ids"] = np.full_like(inputs["input_ids"], 69)
    assert model.predict(inputs, verbose=0).logits.shape[-1] == 70


def test_resizing_what_can_not_be():
    model = tiny.make_model("ForMaskedLM")
    with pytest.raises(ValueError, match="keep the padding token"):
        model.resize_token_embeddings(1)
    data = tiny.make_inputs("ForMaskedLM"), tiny.make_labels("ForMaskedLM")
    model.compile("sgd", run_eagerly=True)
    model.fit({**data[0], **data[1]}, verbose=0)
    with pytest.raises(ValueError, match="before training"):
        model.resize_token_embeddings(67)
    other = tiny.make_model("ForMaskedLM")
    other.get_input_embeddings().enable_lora(2)
    with pytest.raises(ValueError, match="has LoRA"):
        other.resize_token_embeddings(67)


def test_num_parameters():
    model = tiny.make_model("Model")
    total = sum(array.size for array in checks.arrays(model.weights))
    assert model.num_parameters() == total
    tables = (tiny.VOCABULARY + 37 + 1) * 10
    assert model.num_parameters(exclude_embeddings=True) == total - tables
    model.longformer.encoder.trainable = False
    frozen = sum(
        array.size for array in checks.arrays(model.longformer.encoder.weights)
    )
    assert model.num_parameters(only_trainable=True) == total - frozen
