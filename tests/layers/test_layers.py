"""Each public layer as a Keras layer of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks

from tf_longformer import LongformerConfig
from tf_longformer import TFLongformerEmbeddings
from tf_longformer import TFLongformerEncoder
from tf_longformer import TFLongformerSelfAttention
from tf_longformer.layers.head_layers import LongformerClassificationHead
from tf_longformer.layers.head_layers import LongformerMaskedLMHead
from tf_longformer.layers.head_layers import LongformerPooler
from tf_longformer.layers.initializers import Normal
from tf_longformer.layers.main_layer import TFLongformerMainLayer

BATCH, SEQ, HIDDEN = 3, 11, 10
RNG = np.random.default_rng(5)
STATES = RNG.normal(size=(BATCH, SEQ, HIDDEN)).astype("float32")
MASK = np.ones((BATCH, SEQ), "int32")
MASK[1, 7:] = 0
GLOBAL = (RNG.random((BATCH, SEQ)) < 0.3).astype("int32")
IDS = RNG.integers(2, 61, (BATCH, SEQ)).astype("int32")
MASKS = {"attention_mask": MASK, "global_attention_mask": GLOBAL}


def attention(**kwargs):
    return TFLongformerSelfAttention(
        num_heads=2,
        attention_window=4,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.5),
        **kwargs,
    )


def encoder(**kwargs):
    return TFLongformerEncoder(
        num_layers=2,
        num_heads=2,
        intermediate_size=7,
        attention_window=[4, 6],
        initializer_range=0.3,
        **kwargs,
    )


def embeddings(**kwargs):
    return TFLongformerEmbeddings(
        vocab_size=61, hidden_size=10, max_position_embeddings=37, **kwargs
    )


def body(**kwargs):
    config = LongformerConfig(
        vocab_size=61,
        hidden_size=10,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=7,
        attention_window=8,
        max_position_embeddings=37,
    )
    return TFLongformerMainLayer(config.to_dict(), **kwargs)


def classifier(**kwargs):
    return LongformerClassificationHead(3, initializer_range=0.3, **kwargs)


def untied_head(**kwargs):
    return LongformerMaskedLMHead(
        61, initializer_range=0.3, tied=False, **kwargs
    )


LAYERS = {
    "attention": (attention, {"hidden_states": STATES, **MASKS}),
    "encoder": (encoder, {"hidden_states": STATES, **MASKS}),
    "embeddings": (embeddings, {"input_ids": IDS}),
    "main": (body, {"input_ids": IDS, **MASKS}),
    "pooler": (
        LongformerPooler,
        {"hidden_states": STATES, "attention_mask": MASK},
    ),
    "classifier": (
        classifier,
        {"hidden_states": STATES, "attention_mask": MASK},
    ),
    "untied head": (untied_head, {"hidden_states": STATES}),
}


@pytest.mark.parametrize("name", LAYERS)
def test_layer(name, tmp_path):
    checks.check_layer(*LAYERS[name], tmp_path)


PUBLIC = [
    (TFLongformerSelfAttention, {"num_heads": 2, "attention_window": 4}),
    (
        TFLongformerEncoder,
        {
            "num_layers": 2,
            "num_heads": 2,
            "intermediate_size": 5,
            "attention_window": 4,
        },
    ),
    (
        TFLongformerEmbeddings,
        {"vocab_size": 61, "hidden_size": 6, "max_position_embeddings": 20},
    ),
]


@pytest.mark.parametrize(
    ("index", "trains"),
    [
        (0, False),
        (2, True),
        *(pytest.param(i, True, marks=pytest.mark.slow) for i in (0, 1)),
    ],
)
@pytest.mark.filterwarnings("ignore:.shuffle=True. was passed")
@pytest.mark.filterwarnings("ignore:Gradients do not exist")
def test_what_keras_asks_of_its_layers(index, trains):
    testing = pytest.importorskip(
        "keras.src.testing", reason="this Keras has no tests in it"
    )
    layer_class, arguments = PUBLIC[index]
    looks_up = layer_class is TFLongformerEmbeddings
    testing.TestCase("run_layer_test").run_layer_test(
        layer_class,
        arguments,
        input_data=IDS[:2, :7] if looks_up else STATES[:2, :7, :6],
        expected_output_shape=(2, 7, 6),
        expected_num_losses=0,
        supports_masking=not looks_up,
        run_training_check=trains,
    )


@pytest.mark.parametrize("index", range(3))
def test_shapes_are_known_before_a_layer_is_built(index):
    layer_class, arguments = PUBLIC[index]
    looks_up = layer_class is TFLongformerEmbeddings
    layer = layer_class(**arguments)
    shape = (2, 7) if looks_up else (2, 7, 6)
    assert layer.compute_output_shape(shape) == (2, 7, 6)
    inputs = keras.Input(
        (3, *shape[1:]), dtype="int32" if looks_up else "float32"
    )
    outputs = keras.layers.TimeDistributed(layer)(inputs)
    assert outputs.shape == (None, 3, 7, 6)
    values = (IDS[:2, :7] if looks_up else STATES[:2, :7, :6])[:, None]
    checks.assert_equal(
        keras.Model(inputs, outputs)(np.repeat(values, 3, axis=1))[:, 1],
        layer(values[:, 0]),
    )


def test_a_stack_without_an_input():
    stack = keras.Sequential(
        [
            *(PUBLIC[i][0](**PUBLIC[i][1]) for i in (2, 0)),
            keras.layers.GlobalMaxPooling1D(),
        ]
    )
    assert stack.compute_output_shape((2, 7)) == (2, 6)
    assert stack(IDS[:2, :7]).shape == (2, 6)


def test_the_body_is_called_as_a_model_is():
    layer = body()
    inputs = {"input_ids": IDS, "attention_mask": MASK}
    expected = layer(**inputs)
    for call in (
        lambda: layer(inputs),
        lambda: layer([IDS, MASK]),
        lambda: layer(IDS, MASK),
        lambda: layer(IDS.tolist(), attention_mask=MASK.tolist()),
    ):
        checks.assert_equal(call(), expected, 0)
    as_tuple = layer(inputs, return_dict=False)
    assert type(as_tuple) is tuple
    checks.assert_equal(as_tuple[0], expected[0], 0)
    with pytest.raises(ValueError, match=r"\(3, 11\).*shape \(2, 11\)"):
        layer([IDS, MASK[:2]])


@pytest.mark.parametrize(
    "name", ["attention", pytest.param("encoder", marks=pytest.mark.slow)]
)
def test_quantized_parts_are_saved(name, tmp_path):
    make, inputs = LAYERS[name]
    variables = checks.symbolic(inputs)
    model = keras.Model(variables, checks.seeded(make)(**variables))
    before = model(inputs)
    with pytest.warns(UserWarning, match="quantize"):
        model.quantize("int8")
    assert 0 < checks.difference(model(inputs), before) < 0.1
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    checks.assert_equal(loaded(inputs), model(inputs), 0)


def test_the_mask_of_keras_is_heeded():
    ids = np.where(MASK, IDS, 0)
    table = keras.layers.Embedding(61, HIDDEN, mask_zero=True)
    for layer in (attention(), encoder()):
        masked = layer(table(ids))
        given = layer(
            keras.ops.convert_to_tensor(table(ids).numpy()),
            attention_mask=MASK,
        )
        checks.assert_equal(masked, given)
        # Keras names the mask otherwise where there is another tensor.
        masked = layer(table(ids), global_attention_mask=GLOBAL)
        given = layer(keras.ops.convert_to_tensor(table(ids).numpy()), **MASKS)
        checks.assert_equal(masked, given)
        assert checks.difference(
            masked, layer(table(ids).numpy(), global_attention_mask=GLOBAL)
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attention_window": 3}, "an even positive int"),
        ({"attention_window": 4.0}, "an even positive int"),
        ({"num_heads": 0}, "at least 1"),
        ({"dropout": 1.0}, r"\[0, 1\)"),
    ],
)
def test_attention_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        TFLongformerSelfAttention(**{"num_heads": 2, **arguments})


def test_encoder_refuses_other_numbers_of_windows():
    with pytest.raises(ValueError, match="one int or one for each layer"):
        TFLongformerEncoder(3, 2, 7, attention_window=[2, 4])


@pytest.mark.parametrize("shape", [(2, 1), (3, 2), (2,)])
def test_encoder_refuses_other_shapes_of_head_masks(shape):
    encoder = TFLongformerEncoder(2, 2, 7, attention_window=np.int64(4))
    with pytest.raises(ValueError, match=r"= \(2, 2\). Received: shape"):
        encoder(np.ones((1, 5, 6), "float32"), head_mask=np.ones(shape))


def test_encoder_takes_windows_as_an_array():
    encoder = TFLongformerEncoder(2, 2, 7, attention_window=np.array([4, 6]))
    assert [block.attention_window for block in encoder.blocks] == [4, 6]


def test_attention_columns_must_hold_the_globals():
    layer = attention(attention_slots=1)
    mask = np.ones(STATES.shape[:2], "int32")
    with pytest.raises(ValueError, match="attention_slots=1, and a row with"):
        layer(STATES, global_attention_mask=mask, output_attentions=True)


def test_heads_must_divide_the_width():
    with pytest.raises(ValueError, match="divide the width"):
        TFLongformerSelfAttention(num_heads=3)(STATES)


def test_equal_seeds_repeat_the_dropout():
    layer = attention(dropout=0.5, seed=1)
    layer(STATES)
    seeds = layer.draw_seeds()
    first, again = (
        layer(STATES, **MASKS, seeds=seeds, training=True) for _ in range(2)
    )
    checks.assert_equal(first, again, 0)
    other = layer(STATES, **MASKS, training=True)
    assert checks.difference(other, first) > 0.1


def test_new_rows_of_padding_are_zero():
    values = np.asarray(Normal(0.3, zero_row=2, seed=0)((5, 7)))
    assert not values[2].any()
    assert values[[0, 1, 3, 4]].all()
    config = Normal(0.3, zero_row=2, seed=0).get_config()
    same = np.asarray(Normal.from_config(config)((5, 7)))
    np.testing.assert_array_equal(same, values)


@pytest.mark.parametrize("window", [2**31, 2**32, 2**40])
def test_a_window_wider_than_any_sequence(window):
    x = np.random.default_rng(0).normal(size=(1, 20, 8)).astype("float32")
    layer = TFLongformerSelfAttention(2, attention_window=64)
    wide = TFLongformerSelfAttention(2, attention_window=window)
    expected = layer(x)
    wide.build(x.shape)
    wide.set_weights(layer.get_weights())
    np.testing.assert_allclose(wide(x), expected, atol=1e-6)
    traced = keras.Sequential([keras.Input((None, 8)), wide])
    np.testing.assert_allclose(traced.predict(x), expected, atol=1e-6)


@pytest.mark.parametrize("globals_", [None, [[1] + [0] * 19]])
def test_attentions_of_a_window_wider_than_the_sequence(globals_):
    x = np.random.default_rng(0).normal(size=(1, 20, 8)).astype("float32")
    layer = TFLongformerSelfAttention(2, attention_window=64)
    arguments = dict(global_attention_mask=globals_, output_attentions=True)
    _, expected, rows = layer(x, **arguments)
    wide = TFLongformerSelfAttention(2, attention_window=2**15)
    wide.build(x.shape)
    wide.set_weights(layer.get_weights())
    _, found, others = wide(x, **arguments)
    columns = expected.shape[3] - 65
    assert found.shape[3] == columns + 2**15 + 1
    first = 2**14 - 32 + columns
    inside = [*range(columns), *range(first, first + 65)]
    np.testing.assert_allclose(found.numpy()[..., inside], expected, atol=1e-6)
    assert np.isclose(found.numpy().sum(), expected.numpy().sum())
    if globals_ is not None:
        np.testing.assert_allclose(others, rows, atol=1e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_a_row_that_is_taken_often_takes_one_step(policy):
    """Of Adam's first step each part is as long as the learning rate."""
    layer = embeddings(dtype=policy)
    layer.build()
    tables = [
        layer.word_embeddings,
        layer.position_embeddings,
        layer.token_type_embeddings,
    ]
    before = [table.embeddings.numpy() for table in tables]
    ids = np.array([[3, 3, 3, 4, 1], [3, 5, 4, 1, 1]])
    with tf.GradientTape() as tape:
        states = layer(ids)
        loss = tf.reduce_sum(tf.cast(states, "float32") ** 3)
    weights = [table.embeddings for table in tables]
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    keras.optimizers.Adam(1e-3, epsilon=1e-12).apply(gradients, weights)
    for table, old, rows in zip(
        tables, before, ([3, 4, 5], [2, 3, 4, 5], [0]), strict=True
    ):
        step = np.abs(table.embeddings.numpy() - old)
        np.testing.assert_allclose(step[rows], 1e-3, rtol=1e-3)
        step[rows] = 0
        assert not step.any()
