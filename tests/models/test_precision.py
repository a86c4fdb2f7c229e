"""Policies, runs and global tokens; LoRA and int8 against the float model."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import tiny

# All tokens are global in some of the runs.
pytestmark = pytest.mark.filterwarnings("ignore:A row has .* global tokens")

# Kinds of global masks: the head's default, none, some, all.
KINDS = {"default": None, "none": 0.0, "some": 0.3, "all": 1.0}
POLICIES = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16")
FAST = {
    ("ForMaskedLM", "mixed_bfloat16", "xla"),
    ("ForQuestionAnswering", "mixed_float16", "graph"),
    ("Model", "float32", "xla"),
}
CASES = [
    pytest.param(
        *case,
        marks=[] if case in FAST or case[2] == "eager" else [pytest.mark.slow],
        id="-".join(case),
    )
    for case in (
        (head, policy, mode)
        for head in tiny.HEADS
        for policy in POLICIES
        for mode in ("eager", "graph", "xla")
    )
]


# The tied matrix, and a head of its own; the others in the slow run.
SOME_HEADS = [
    pytest.param(
        head,
        marks=[]
        if head in ("ForMaskedLM", "ForSequenceClassification")
        else [pytest.mark.slow],
    )
    for head in tiny.HEADS
]


def inputs_of(head, kind):
    inputs = tiny.make_inputs(head, KINDS[kind] or 0.0)
    if KINDS[kind] is None:
        del inputs["global_attention_mask"]
    return inputs


@pytest.fixture(scope="module")
def reference():
    """Outputs of the float32 models in eager mode."""
    found = {}
    for head in tiny.HEADS:
        model = checks.seeded(tiny.make_model, head)
        for kind in KINDS:
            found[head, kind] = model(inputs_of(head, kind))
    return found


@pytest.mark.parametrize(("head", "policy", "mode"), CASES)
def test_matrix(head, policy, mode, reference):
    model = checks.seeded(tiny.make_model, head, dtype=policy)
    if policy == "bfloat16":
        # The weights themselves are rounded.
        assert {w.dtype for w in model.weights} == {"bfloat16"}

    def call(inputs):
        return model(inputs)

    if mode != "eager":
        call = tf.function(call, jit_compile=mode == "xla")
    for kind in KINDS:
        inputs = inputs_of(head, kind)
        checks.check_policy(model, policy, call(inputs), reference[head, kind])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_global_policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = tiny.make_model("ForTokenClassification")
    finally:
        keras.config.set_dtype_policy(before)
    for layer in checks.all_layers(model):
        assert layer.dtype_policy.name == policy
    assert model.get_config()["dtype"]["config"]["name"] == policy


@pytest.mark.parametrize("policy", POLICIES)
def test_rows_without_anything_stay_finite(policy):
    model = tiny.make_model("ForTokenClassification", dtype=policy)
    inputs = tiny.make_inputs("ForTokenClassification", 1.0)
    inputs["attention_mask"][2] = 0
    labels = tiny.make_labels("ForTokenClassification")
    with tf.GradientTape() as tape:
        loss = model({**inputs, **labels}, training=True).loss
    gradients = tape.gradient(
        loss,
        [weight.value for weight in model.trainable_weights],
        unconnected_gradients="zero",
    )
    assert all(np.isfinite(array).all() for array in checks.arrays(gradients))
    assert loss.dtype == "float32"


@pytest.mark.parametrize(
    "policy",
    [
        "mixed_float16",
        pytest.param("mixed_bfloat16", marks=pytest.mark.slow),
        pytest.param("bfloat16", marks=pytest.mark.slow),
    ],
)
def test_training(policy):
    head = "ForSequenceClassification"
    model = checks.seeded(tiny.make_model, head, dtype=policy)
    optimizer = keras.optimizers.Adam(0.02)
    if policy == "bfloat16":
        # 0.999 is 1 there, and so is what corrects Adam's bias 0.
        # At 0.5 rounding decides whether losses rise again.
        optimizer = keras.optimizers.SGD(0.1)
    model.compile(optimizer, jit_compile=policy == "bfloat16")
    data = {**tiny.make_inputs(head), **tiny.make_labels(head)}
    losses = model.fit(data, epochs=8, verbose=0).history["loss"]
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]
    scaled = isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert scaled == (policy == "mixed_float16")


def test_large_scores_in_half_precision():
    """Scores beyond float16's range are those of float32."""
    inputs = tiny.make_inputs("Model")
    models = [
        checks.seeded(tiny.make_model, "Model", dtype=policy)
        for policy in ("mixed_float16", "float32")
    ]
    for model in models:
        attention = model.longformer.encoder.blocks[0].attention
        for name in ("query", "key", "query_global", "key_global"):
            kernel = getattr(attention, name).kernel
            kernel.assign(150 * kernel)
    half, full = (model(inputs) for model in models)
    assert checks.difference(half, full) < 0.2


@pytest.mark.parametrize("head", SOME_HEADS)
def test_int8(head, tmp_path):
    inputs = tiny.make_inputs(head)
    model = checks.seeded(tiny.make_model, head)
    before = model(inputs)
    with pytest.warns(UserWarning, match="does not have a `quantize`"):
        model.quantize("int8")
    after = model(inputs)
    assert 1e-5 < checks.difference(after, before) < 0.1
    modes = {layer.dtype_policy.quantization_mode for layer in tables(model)}
    assert modes == {"int8"}
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    checks.assert_equal(loaded(inputs), after, 0)
    config = model.get_config()
    assert len(config["quantized"]) == len(tables(model))


def tables(model):
    return [
        layer
        for layer in checks.all_layers(model)
        if isinstance(layer, keras.layers.Dense | keras.layers.Embedding)
    ]


def test_int8_head_reads_the_table_as_floats():
    """The tied matrix is integers then: logits come of what they stand for."""
    model = checks.seeded(tiny.make_model, "ForMaskedLM")
    inputs = tiny.make_inputs("ForMaskedLM")
    expected = model(inputs).logits
    table = model.get_input_embeddings()
    table.quantize("int8")
    assert table.embeddings.dtype == "int8"
    assert checks.difference(model(inputs).logits, expected) < 0.05
    jit = tf.function(lambda x: model(x).logits, jit_compile=True)
    checks.assert_equal(jit(inputs), model(inputs).logits, 1e-5)


@pytest.mark.parametrize("head", ["ForMaskedLM", "ForQuestionAnswering"])
def test_lora(head, tmp_path):
    inputs, labels = tiny.make_inputs(head), tiny.make_labels(head)
    model = checks.seeded(tiny.make_model, head)
    before = model(inputs)
    total = model.num_parameters()
    model.enable_lora(2)
    # The second factor starts at zero.
    checks.assert_equal(model(inputs), before)
    body = [
        weight.path.rsplit("/", 1)[1]
        for weight in model.longformer.trainable_weights
    ]
    assert sorted(set(body)) == ["lora_kernel_a", "lora_kernel_b"]
    assert len(body) == 8
    assert model.num_parameters() == total + 4 * (2 * 10 * 2)
    model.compile(keras.optimizers.Adam(0.05), run_eagerly=True)
    kernel = model.longformer.encoder.blocks[0].attention.query._kernel
    frozen = checks.arrays([kernel])
    model.fit({**inputs, **labels}, epochs=2, verbose=0)
    checks.assert_equal([kernel], frozen, 0)
    assert checks.difference(model(inputs), before) > 1e-3
    # Files have the sum.
    model.save_weights(tmp_path / "model.weights.h5")
    plain = tiny.make_model(head)
    plain.load_weights(tmp_path / "model.weights.h5")
    checks.assert_equal(plain(inputs), model(inputs), 1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("form", ["safetensors", "h5", "weights.h5", "keras"])
def test_checkpoints_have_lora_added(form, policy, tmp_path):
    head = "ForMaskedLM"
    model = checks.seeded(tiny.make_model, head, dtype=policy)
    model.enable_lora(2, lora_alpha=6)
    model.get_input_embeddings().enable_lora(3)
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if "lora" in weight.path:
            weight.assign(rng.normal(0, 0.1, weight.shape))
    before = checks.arrays(model.weights)
    model.save_pretrained(tmp_path, form, dtype="float32")
    checks.assert_equal(model.weights, before, 0)
    plain = type(model).from_pretrained(tmp_path)
    inputs = tiny.make_inputs(head)
    tolerance = checks.TOLERANCE[policy]
    checks.assert_equal(plain(inputs).logits, model(inputs).logits, tolerance)
    layer = model.longformer.encoder.blocks[0].attention.query
    a, b = checks.arrays([layer.lora_kernel_a, layer.lora_kernel_b])
    wanted = checks.arrays([layer._kernel])[0] + 3 * a @ b
    found = plain.longformer.encoder.blocks[0].attention.query.kernel
    # Keras adds in the type that the layer computes in.
    rounded = form == "keras" and policy != "float32"
    checks.assert_equal([found], [wanted], 1e-2 if rounded else 1e-6)


# What a model can be made of, and how far its logits may then be from those
# of the float32 model as it was: LoRA starts at zero, int8 rounds.
VARIANTS = {
    "lora": ("float32", lambda model: model.enable_lora(2), 0.0, 1e-6),
    "int8": ("float32", lambda model: model.quantize("int8"), 1e-5, 0.1),
    "both": (
        "mixed_bfloat16",
        lambda model: (model.enable_lora(2), model.quantize("int8")),
        1e-5,
        0.2,
    ),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*does not have a `quantize`")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("head", tiny.HEADS)
def test_variants_in_every_mode(head, variant, reference):
    """LoRA and int8: eager, graph and XLA, with any global tokens."""
    policy, change, least, most = VARIANTS[variant]
    model = checks.seeded(tiny.make_model, head, dtype=policy)
    change(model)
    calls = {
        "eager": model,
        "graph": tf.function(lambda inputs: model(inputs)),
        "xla": tf.function(lambda inputs: model(inputs), jit_compile=True),
    }
    for kind in ("none", "some", "all"):
        inputs = inputs_of(head, kind)
        found = {mode: call(inputs) for mode, call in calls.items()}
        wanted = reference[head, kind]
        assert list(found["eager"]) == list(wanted)
        assert least <= checks.difference(found["eager"], wanted) <= most
        for mode in ("graph", "xla"):
            distance = checks.difference(found[mode], found["eager"])
            assert distance < checks.TOLERANCE[policy], mode


def test_lora_of_the_tied_table():
    model = checks.seeded(tiny.make_model, "ForMaskedLM")
    inputs = tiny.make_inputs("ForMaskedLM")
    table = model.get_input_embeddings()
    table.enable_lora(2)
    table.lora_embeddings_b.assign(0.5 + table.lora_embeddings_b)
    changed = model(inputs)
    plain = checks.seeded(tiny.make_model, "ForMaskedLM")
    plain.get_input_embeddings().embeddings.assign(table.embeddings)
    checks.assert_equal(plain(inputs), changed, 1e-5)


def test_lora_needs_a_layer():
    model = tiny.make_model("Model")
    with pytest.raises(ValueError, match="must name layers of .*'query'"):
        model.enable_lora(2, target_names=["q_proj"])
