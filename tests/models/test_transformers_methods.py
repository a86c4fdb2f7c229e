"""What transformers users reach for on a model."""

import keras
import numpy as np
import pytest
from helpers import checks
from helpers import tiny

from tf_longformer.errors import CheckpointError
from tf_longformer.models import transformers_methods


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
    for arguments in ((70, 1.3), (70, 0), (12.5,), ("70",)):
        with pytest.raises(ValueError, match="must be a positive integer"):
            model.resize_token_embeddings(*arguments)
    data = tiny.make_inputs("ForMaskedLM"), tiny.make_labels("ForMaskedLM")
    model.compile("sgd", run_eagerly=True)
    model.fit({**data[0], **data[1]}, verbose=0)
    with pytest.raises(ValueError, match="before training"):
        model.resize_token_embeddings(67)
    other = tiny.make_model("ForMaskedLM")
    other.get_input_embeddings().enable_lora(2)
    with pytest.raises(ValueError, match="has LoRA"):
        other.resize_token_embeddings(67)


def test_longer_and_shorter():
    """The rows of positions in turn; the first texts stay what they were."""
    model = checks.seeded(tiny.make_model, "ForMaskedLM")
    inputs = tiny.make_inputs("ForMaskedLM")
    before = model(inputs).logits
    table = model.longformer.embeddings.position_embeddings
    old = np.asarray(table.embeddings)
    table = model.extend_positions(100)
    assert model.config.max_position_embeddings == 102
    assert model.config.max_tokens == 100
    rows = [0, 1, *(2 + np.arange(100) % 35)]
    np.testing.assert_array_equal(np.asarray(table.embeddings), old[rows])
    checks.assert_equal(model(inputs).logits, before, 1e-6)
    ids = np.random.default_rng(0).integers(5, 61, (1, 100))
    assert np.isfinite(np.asarray(model(ids).logits)).all()
    model.extend_positions(13)
    checks.assert_equal(model(inputs).logits, before, 1e-6)
    with pytest.raises(ValueError, match="Cut the text to 13"):
        model(ids)
    for wrong in (0, 3.5, "8"):
        with pytest.raises(ValueError, match="`max_tokens` must be"):
            model.extend_positions(wrong)
    assert model.config.max_tokens == 13


def test_positions_are_copied_by_from_pretrained(tmp_path):
    model = checks.seeded(tiny.make_model, "Model")
    model.save_pretrained(tmp_path)
    loaded = type(model).from_pretrained(
        tmp_path, max_position_embeddings=90, attention_window=4
    )
    model.extend_positions(88)
    model.set_attention_window(4)
    checks.assert_equal(loaded.weights, model.weights, 0)
    ids = np.random.default_rng(0).integers(5, 61, (1, 88))
    checks.assert_equal(loaded(ids), model(ids))
    # A config of other sizes asks for nothing.
    with pytest.raises(CheckpointError, match="position_embeddings"):
        type(model).from_pretrained(tmp_path, config=loaded.config)


def test_another_window():
    """As a model that was made with it; what was compiled is forgotten."""
    model = checks.seeded(tiny.make_model, "Model", num_hidden_layers=2)
    inputs = tiny.make_inputs("Model", globals_share=0)
    model.predict_function = model.train_function = len
    model.set_attention_window([2, 6])
    assert model.predict_function is model.train_function is None
    made = checks.seeded(
        tiny.make_model, "Model", num_hidden_layers=2, attention_window=[2, 6]
    )
    assert model.config == made.config
    assert model.get_config()["config"] == made.get_config()["config"]
    checks.assert_equal(model(inputs), made(inputs), 0)
    for wrong in (3, 0, [2], [2, 6, 2], [4, 5], 2.5):
        with pytest.raises((ValueError, TypeError), match="attention_window"):
            model.set_attention_window(wrong)
    checks.assert_equal(model(inputs), made(inputs), 0)


def test_projections_are_copied_to_global():
    model = tiny.make_model("Model", num_hidden_layers=2)
    inputs = tiny.make_inputs("Model", globals_share=1)
    before = model(inputs).last_hidden_state
    model.copy_projections_to_global()
    # With all tokens global, only theirs are used.
    changed = model(inputs).last_hidden_state
    assert np.abs(checks.arrays([before - changed])[0]).max() > 1e-3
    for block in model.longformer.encoder.layer:
        for name in ("query", "key", "value"):
            of_globals = getattr(block.attention, f"{name}_global")
            for one, other in zip(
                getattr(block.attention, name).weights,
                of_globals.weights,
                strict=True,
            ):
                checks.assert_equal(one, other, 0)


def test_projections_with_lora_are_copied_in_pairs():
    model = tiny.make_model("Model")
    model.enable_lora(2)
    model.copy_projections_to_global()
    assert transformers_methods.shares_projections(model)
    model = tiny.make_model("Model")
    model.enable_lora(2, ["query", "value"])
    assert not transformers_methods.shares_projections(model)
    before = checks.arrays(model.weights)
    with pytest.raises(ValueError, match="Copy them before `enable_lora`"):
        model.copy_projections_to_global()
    checks.assert_equal(model.weights, before, 0)


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
