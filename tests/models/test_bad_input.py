"""Bad input: the rule, what was received, and what to do."""

import json
import shutil
import warnings
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf

import tf_longformer

FIELDS = {
    "vocab_size": 37,
    "hidden_size": 6,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 5,
    "attention_window": 4,
    # Room for 20 tokens.
    "max_position_embeddings": 22,
    "type_vocab_size": 1,
}
IDS = np.full((2, 7), 5, "int32")


def make(name="Model", **fields):
    keras.utils.set_random_seed(0)
    cls = getattr(tf_longformer, f"TFLongformer{name}")
    return cls(tf_longformer.LongformerConfig(**{**FIELDS, **fields}))


@pytest.fixture(scope="module")
def model():
    return make()


def changed(value, dtype="int32"):
    array = np.zeros(IDS.shape, dtype)
    array[1, 3] = value
    return array


# What is wrong, and what the message has to say: rule, received, fix.
VALUES = [
    ({"input_ids": changed(37)}, r"in \[0, 37\).*0 to 37.*tokenizer"),
    ({"input_ids": changed(-1)}, r"in \[0, 37\).*-1 to 0"),
    ({"input_ids": np.full((1, 21), 5)}, "= 20.*21 tokens.*truncation"),
    (
        {"input_ids": IDS, "attention_mask": changed(2)},
        "`attention_mask` must lie.*0 to 2.*`global_attention_mask`",
    ),
    ({"input_ids": IDS, "attention_mask": changed(-1)}, "-1 to 0"),
    ({"input_ids": IDS, "attention_mask": changed(0.5, "f4")}, "not all whole"),
    ({"input_ids": IDS, "global_attention_mask": changed(2)}, "0 to 2"),
    ({"input_ids": IDS, "token_type_ids": changed(1)}, "one type, 0"),
    ({"input_ids": IDS, "position_ids": changed(22)}, r"in \[0, 22\)"),
]
SHAPES = [
    ({}, "Exactly one of.*neither"),
    (
        {"input_ids": IDS, "inputs_embeds": np.zeros((2, 7, 6))},
        "Received: both",
    ),
    ({"inputs_embeds": np.zeros((2, 7, 5))}, r"hidden_size=6\].*\(2, 7, 5\)"),
    ({"inputs_embeds": np.zeros((2, 7, 6), int)}, "must be floating point"),
    ({"input_ids": np.zeros((1, 2, 3), int)}, r"must be \[batch, seq\]"),
    ({"input_ids": IDS.astype("float32")}, "must be integers"),
    ({"input_ids": np.zeros((2, 0), int)}, "at least one token"),
    ({"input_ids": IDS, "attention_mask": np.ones((2, 8))}, r"\(2, 8\)"),
    ({"input_ids": IDS, "attention_mask": np.ones(7)}, "missing axis"),
    ({"input_ids": IDS, "global_attention_mask": IDS[:1]}, r"\(1, 7\)"),
    ({"input_ids": IDS, "head_mask": np.ones(2)}, r"head_mask.*\(1, 2\)"),
]


@pytest.mark.parametrize(("inputs", "message"), VALUES + SHAPES)
def test_eager(model, inputs, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        model(**inputs)


@pytest.mark.parametrize(("inputs", "message"), VALUES)
def test_graph_raises_when_it_runs(model, inputs, message):
    """In other words: values are not known when the message is made."""
    specs = {
        name: tf.TensorSpec([None] * value.ndim, value.dtype)
        for name, value in inputs.items()
    }
    if "input_ids" in specs:
        specs["input_ids"] = tf.TensorSpec([None, None], tf.int32)
        inputs = {**inputs, "input_ids": inputs["input_ids"].astype("int32")}
    if np.any(changed(0.5, "f4") == inputs.get("attention_mask")):
        pytest.skip("a graph takes any number that is in range")
    call = tf.function(lambda inputs: model(inputs), input_signature=[specs])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must "):
        call({name: tf.constant(value) for name, value in inputs.items()})


@pytest.mark.parametrize("name", ["input_ids", "attention_mask"])
@pytest.mark.parametrize("dtype", ["array", "tensor", "text", "list"])
def test_texts_are_no_numbers(model, name, dtype):
    text = {
        "array": np.array([["a"] * 7] * 2),
        "tensor": tf.constant([["a"] * 7] * 2),
        "text": "a text",
        "list": ["a text"],
    }[dtype]
    with pytest.raises(ValueError, match=f"`{name}` must hold numbers.*token"):
        model(**{"input_ids": IDS, name: text})


@pytest.fixture
def embeds():
    """Embeddings, of which two numbers are none."""
    embeds = np.zeros((2, 7, 6), "float32")
    embeds[1, 2, 3], embeds[0, 0, 0] = np.nan, np.inf
    return embeds


def test_embeddings_that_are_not_finite(model, embeds):
    with pytest.raises(ValueError, match="(?s)be finite.*2 of 84.*Look for"):
        model(inputs_embeds=embeds)
    other = make()
    # XLA drops assertions, so that the host looks.
    other.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match="be finite"):
        other.predict({"inputs_embeds": embeds}, verbose=0)


@pytest.mark.slow
def test_embeddings_that_are_not_finite_in_a_graph(model, embeds):
    call = tf.function(lambda x: model(inputs_embeds=x).last_hidden_state)
    with pytest.raises(tf.errors.InvalidArgumentError, match="be finite"):
        call(tf.constant(embeds))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    make("ForSequenceClassification").save_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"hidden_size": 8}, r"embeddings.weight \(file \(37, 6\), model"),
        ({"intermediate_size": 7}, "intermediate.dense.weight .*file"),
        ({"vocab_size": 38}, r"\(file \(37, 6\), model \(38, 6\)\)"),
        ({"max_position_embeddings": 30}, "position_embeddings.weight"),
        ({"num_hidden_layers": 2}, r"missing \(22\): .*layer.1.attention"),
        ({"num_labels": 5}, "`ignore_mismatched_sizes=True`"),
        ({"num_attention_heads": 4}, "`hidden_size` must be a multiple"),
        ({"attention_window": [4, 4]}, "a list of one per layer"),
        ({"hidden_act": "gelo"}, "the name of an activation"),
    ],
)
def test_overrides_that_contradict_the_weights(folder, overrides, message):
    cls = tf_longformer.TFLongformerForSequenceClassification
    with pytest.raises(ValueError, match=f"(?s){message}"):
        cls.from_pretrained(folder, **overrides)


def test_keras_files_that_are_none(folder, tmp_path):
    model = make("ForSequenceClassification")
    model.save(tmp_path / "model.keras")
    whole = (tmp_path / "model.keras").read_bytes()
    shutil.copy(folder / "config.json", tmp_path)
    for content in (b"no archive", whole[: len(whole) // 2]):
        (tmp_path / "model.keras").write_bytes(content)
        with pytest.raises(ValueError, match="`.keras` zip file"):
            keras.models.load_model(tmp_path / "model.keras")
        with pytest.raises(ValueError, match=r"no .keras file.*save it again"):
            type(model).from_pretrained(tmp_path)


def test_a_keras_file_of_another_version(tmp_path):
    model = make("ForSequenceClassification")
    model.save(tmp_path / "old.keras")
    with (
        zipfile.ZipFile(tmp_path / "old.keras") as old,
        zipfile.ZipFile(tmp_path / "new.keras", "w") as new,
    ):
        for name in old.namelist():
            content = old.read(name)
            if name == "config.json":
                config = json.loads(content)
                config["config"]["format"] = 99
                content = json.dumps(config)
            new.writestr(name, content)
    with pytest.raises(ValueError, match="format 99, of another version"):
        keras.models.load_model(tmp_path / "new.keras")


def fit_data(**changes):
    data = {"input_ids": IDS, "labels": np.array([0, 1]), **changes}
    return {name: np.asarray(value) for name, value in data.items()}


class Batches(keras.utils.PyDataset):
    def __init__(self, data):
        super().__init__()
        self.data = data

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return (self.data,)


def sources(data):
    yield "arrays", data
    yield "dataset", tf.data.Dataset.from_tensor_slices(data).batch(2)
    yield "batches", Batches(data)
    yield "generator", ((batch,) for batch in [data])


@pytest.mark.parametrize("jit_compile", [False, True])
@pytest.mark.parametrize(
    "source", ["arrays", "dataset", "batches", "generator"]
)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"input_ids": changed(37)}, "`input_ids` must lie"),
        ({"labels": [0, 2]}, "`labels` must lie"),
        ({"attention_mask": changed(2)}, "`attention_mask` must lie"),
    ],
)
def test_fit_names_what_is_out_of_range(jit_compile, source, changes, message):
    """XLA would clamp it without a word."""
    model = make("ForSequenceClassification")
    model.compile("sgd", jit_compile=jit_compile)
    before = [weight.numpy() for weight in model.trainable_weights]
    data = dict(sources(fit_data(**changes)))[source]
    with pytest.raises(
        (ValueError, tf.errors.InvalidArgumentError), match=message
    ):
        model.fit(data, shuffle=False, verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize(
    "source", ["arrays", "dataset", "batches", "generator"]
)
def test_checked_data_are_the_data(source):
    """A whole epoch under XLA, on a fresh model each, gives one loss."""
    losses = []
    for jit_compile in (False, True):
        model = make("ForSequenceClassification", hidden_dropout_prob=0.0)
        model.compile("sgd", jit_compile=jit_compile)
        data = dict(sources(fit_data()))[source]
        losses.append(model.evaluate(data, steps=1, verbose=0))
        assert np.isfinite(losses[-1])
    assert np.isclose(*losses, rtol=1e-5)


@pytest.mark.parametrize("method", ["predict", "evaluate"])
def test_predict_and_evaluate_look_too(method):
    model = make("ForSequenceClassification")
    model.compile("sgd", jit_compile=True)
    with pytest.raises(ValueError, match="`input_ids` must lie"):
        getattr(model, method)(fit_data(input_ids=changed(37)), verbose=0)


@pytest.mark.parametrize(
    "text",
    [["a dog"], "a dog", np.array(["a dog"]), np.array(["a"], object)],
    ids=str,
)
@pytest.mark.parametrize("method", ["fit", "predict", "predict_on_batch"])
def test_text_is_no_input(method, text):
    model = make("ForSequenceClassification")
    model.compile("sgd")
    for x in (text, {"input_ids": text}, {"input_ids": tf.constant(["a"])}):
        with pytest.raises(ValueError, match="ids with a tokenizer first"):
            getattr(model, method)(x)


@pytest.mark.parametrize(
    ("name", "labels", "message"),
    [
        ("ForSequenceClassification", [0, 2], r"in \[0, 2\).*-100"),
        ("ForSequenceClassification", [-1, 0], r"-1 to 0"),
        ("ForSequenceClassification", np.zeros((2, 2), int), "pass floats"),
        ("ForSequenceClassification", np.zeros((2, 3)), r"\[batch, 2\]"),
        (
            "ForSequenceClassification",
            np.array([[np.nan, 0.0], [0.0, 1.0]]),
            "must be finite",
        ),
        ("ForTokenClassification", changed(2), r"in \[0, 2\)"),
        ("ForTokenClassification", changed(0.5, "f4"), "must be integers"),
        ("ForMaskedLM", changed(37), r"in \[0, 37\)"),
        ("ForMultipleChoice", [3], r"in \[0, 3\)"),
        # Which would broadcast.
        ("ForSequenceClassification", [1], r"\[batch\].*shape \(1,\)"),
        ("ForSequenceClassification", 1, r"\[batch\].*shape \(\)"),
        ("ForSequenceClassification", np.ones((1, 2)), r"batch=2.*\(1, 2\)"),
        ("ForTokenClassification", IDS[:1] % 2, r"\[batch, seq\]"),
        ("ForTokenClassification", IDS[:, :1] % 2, r"\[batch, seq\]"),
        ("ForMaskedLM", IDS[:1], r"\[batch, seq\], here"),
        ("ForMultipleChoice", [0, 1], r"\[batch\], here \(1,\)"),
        ("ForMultipleChoice", [[0, 1]], r"\[batch\]"),
    ],
)
def test_labels(name, labels, message):
    model = make(name)
    ids = IDS
    if name == "ForMultipleChoice":
        ids = np.array([[[0, 5, 2, 2, 6, 7, 2]] * 3])
    with pytest.raises(ValueError, match=f"(?s)`?labels.*{message}"):
        model(ids, labels=labels)


@pytest.mark.parametrize("positions", [1, [1], [[1, 1], [1, 1]]])
def test_shapes_of_positions(positions):
    model = make("ForQuestionAnswering")
    ids = np.array([[0, 5, 2, 2, 6, 7, 2]] * 2)
    with pytest.raises(ValueError, match=r"`start_positions` must be \[batch"):
        model(ids, start_positions=positions, end_positions=[1, 1])


def test_labels_of_another_size_in_a_graph_of_any_shape():
    model = make("ForTokenClassification")
    spec = tf.TensorSpec([None, None], tf.int32)
    graph = tf.function(
        lambda ids, labels: model(ids, labels=labels).loss,
        input_signature=[spec, spec],
    )
    labels = IDS.astype("int32") % 2
    assert np.isfinite(graph(IDS.astype("int32"), labels))
    with pytest.raises(tf.errors.InvalidArgumentError):
        graph(IDS.astype("int32"), labels[:, :1])


def test_one_position_of_two():
    model = make("ForQuestionAnswering")
    ids = np.array([[0, 5, 2, 2, 6, 7, 2]])
    with pytest.raises(ValueError, match=r"no \['end_positions'\]"):
        model(ids, start_positions=[1])


def test_pairs_without_a_separator():
    model = make("ForQuestionAnswering", sep_token_id=None)
    with pytest.raises(ValueError, match="config.sep_token_id=None"):
        model(IDS)
    assert model(IDS, global_attention_mask=np.zeros_like(IDS))


@pytest.mark.parametrize("name", ["ForQuestionAnswering", "ForMultipleChoice"])
def test_rows_that_are_no_pair(name):
    model = make(name)
    pair, other = [0, 5, 2, 2, 6, 2, 6, 2], [0, 5, 6, 2, 6, 7, 7, 2]
    ids = np.array([pair, other])
    if name == "ForMultipleChoice":
        ids = ids[None]
    with pytest.raises(ValueError, match="2 in row 1.*`global_attention_mask`"):
        model(ids)
    # A graph can't know: that row has no global tokens.
    graph = tf.function(lambda ids: model(ids))(ids)
    mask = np.zeros_like(ids)
    mask.reshape(2, -1)[0] = (
        [1, 1, 0, 0, 0, 0, 0, 0]
        if name == "ForQuestionAnswering"
        else [0, 0, 0, 0, 1, 1, 1, 1]
    )
    for found, expected in zip(
        graph.to_tuple(),
        model(ids, global_attention_mask=mask).to_tuple(),
        strict=True,
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_padding_without_a_mask_warns(model):
    ids = IDS.copy()
    ids[0, -2:] = 1
    with pytest.warns(UserWarning, match="there is no `attention_mask`"):
        model(ids)


def test_many_global_tokens_warn_once(model):
    mask = np.ones_like(IDS)
    model = make()
    with pytest.warns(UserWarning, match="7 global tokens.*window of 4"):
        first = model(IDS, global_attention_mask=mask)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = model(IDS, global_attention_mask=mask)
    np.testing.assert_array_equal(
        first.last_hidden_state, second.last_hidden_state
    )


def test_a_model_is_made_from_a_config():
    with pytest.raises(TypeError, match="LongformerConfig.*Received: dict"):
        tf_longformer.TFLongformerModel({"hidden_size": 12})


def test_question_answering_has_two_outputs():
    with pytest.raises(ValueError, match="num_labels=3.*Set `num_labels=2`"):
        make("ForQuestionAnswering", num_labels=3)


def test_attention_slots_have_to_hold_the_globals():
    model = make(attention_slots=1)
    mask = np.zeros_like(IDS)
    mask[0, :2] = 1
    inputs = {"input_ids": IDS, "global_attention_mask": mask}

    def call(inputs):
        return model(inputs, output_attentions=True).attentions

    with pytest.raises(ValueError, match="a row with 2 global tokens"):
        call(inputs)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="attention_slots=1, and a row"
    ):
        tf.function(call)(inputs)


def test_attentions_under_xla_need_slots(model):
    call = tf.function(
        lambda ids, mask: model(
            ids, global_attention_mask=mask, output_attentions=True
        ),
        jit_compile=True,
    )
    with pytest.raises(ValueError, match="Set `attention_slots`"):
        call(tf.constant(IDS), tf.constant(changed(1)))
