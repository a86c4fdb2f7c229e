"""The tokenizer in the graph gives what the tokenizer gives."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from graph_tokenization.conftest import EVERYTHING
from graph_tokenization.conftest import expected
from helpers import tiny
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from tokenization.conftest import SMALL
from tokenization.strategies import TEXTS
from tokenizers import AddedToken

from tf_longformer import LongformerTextPreprocessor
from tf_longformer import LongformerTokenizer
from tf_longformer.graph_tokenization import merges as graph_merges

ADDED = [
    AddedToken("NEW"),
    AddedToken("new word", rstrip=True, single_word=True),
    AddedToken("é", lstrip=True, rstrip=True, normalized=False),
    AddedToken("abc"),
    AddedToken("bcd", normalized=False),
    AddedToken("cda", normalized=False),
]


def make(prefix=False, trim=True, side="right", padding="right", added=()):
    tokenizer = LongformerTokenizer.from_pretrained(
        SMALL,
        add_prefix_space=prefix,
        trim_offsets=trim,
        truncation_side=side,
        padding_side=padding,
    )
    tokenizer.add_tokens(list(added))
    return tokenizer


CASES = [
    (False, True, "right", "right", None, "longest_first", "question"),
    (True, True, "left", "left", 12, "longest_first", "choices"),
    (True, False, "right", "left", 40, "only_second", "cls"),
    (False, True, "right", "right", 40, "only_first", "none"),
]


@pytest.mark.parametrize("case", CASES)
def test_any_text(case):
    prefix, trim, side, padding, length, truncation, where = case
    tokenizer = make(prefix, trim, side, padding, ADDED)
    layer = LongformerTextPreprocessor(
        tokenizer,
        max_length=length,
        truncation=truncation,
        global_attention=where,
        **EVERYTHING,
    )
    spec = tf.TensorSpec([None], tf.string)
    single = tf.function(lambda a: layer(a), input_signature=[spec])
    pair = tf.function(lambda a, b: layer(a, b), input_signature=[spec] * 2)
    call = {"max_length": length, "truncation": truncation} if length else {}

    rows = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=6)

    @given(rows, st.booleans())
    @settings(max_examples=25)
    def check(rows, with_pairs):
        texts, pairs = map(list, zip(*rows, strict=True))
        if not with_pairs and truncation == "only_second":
            return
        second = pairs if with_pairs else None
        inputs = (texts, pairs) if with_pairs else (texts,)
        inputs = [tf.constant(one) for one in inputs]
        function = pair if with_pairs else single
        try:
            wanted = expected(tokenizer, texts, second, where, **call)
        except ValueError:
            with pytest.raises(tf.errors.InvalidArgumentError, match="to go"):
                function(*inputs)
            return
        found = function(*inputs)
        assert set(found) == set(wanted)
        for name, value in wanted.items():
            assert found[name].dtype == tf.int32
            np.testing.assert_array_equal(found[name], value, name)

    check()


def test_added_tokens_beside_words():
    """What a random text has seldom: each kind of neighbour."""
    tokenizer = make(added=ADDED)
    layer = LongformerTextPreprocessor(tokenizer)
    around = ["", " ", "x", "7", "(", "é"]
    texts = [
        f"{before}{token}{after}{more}"
        for token in ("new word", "NEW", "é", "bcda", "<mask>")
        for before in around
        for after in around
        for more in ("", "x", " x")
    ]
    wanted = tokenizer(texts, padding=True, return_tensors="np")
    found = layer(texts)["input_ids"]
    np.testing.assert_array_equal(found, wanted["input_ids"])


def test_bytes_that_are_no_text():
    layer = LongformerTextPreprocessor(make())
    texts = [b"a\xff b", b"\xed\xa0\x80", b"\xf0\x9f\x98", b"a\x00b", b""]
    decoded = [text.decode("utf-8", "replace") for text in texts]
    wanted = make()(decoded, padding=True, return_tensors="np")
    found = layer(tf.constant(texts))["input_ids"]
    np.testing.assert_array_equal(found, wanted["input_ids"])


def test_shapes_of_any_batch():
    layer = LongformerTextPreprocessor(
        make(), max_length=8, padding="max_length", **EVERYTHING
    )
    assert layer("a text")["input_ids"].shape == (8,)
    assert layer(["a", "b c"])["offset_mapping"].shape == (2, 8, 2)
    # A text with each of its choices.
    both = layer([["a"], ["b"]], [["x", "y z", "w"], ["u", "v", ""]])
    assert both["input_ids"].shape == (2, 3, 8)
    row = make()(["b"], ["v"], padding="max_length", max_length=8)
    assert both["input_ids"][1, 1].numpy().tolist() == row["input_ids"][0]
    assert layer(tf.zeros([0], tf.string))["input_ids"].shape == (0, 8)
    longest = LongformerTextPreprocessor(make(), pad_to_multiple_of=8)
    assert longest(["a"])["input_ids"].shape == (1, 8)
    assert longest(tf.zeros([0], tf.string))["input_ids"].shape == (0, 0)


def test_in_a_dataset_and_a_functional_model(tmp_path):
    tokenizer = make()
    layer = LongformerTextPreprocessor(tokenizer, max_length=8)
    texts = ["a b", "c <mask> d", ""]
    wanted = tokenizer(
        texts, padding=True, max_length=8, truncation=True, return_tensors="np"
    )["input_ids"]
    dataset = tf.data.Dataset.from_tensor_slices(texts).batch(3).map(layer)
    (batch,) = dataset
    np.testing.assert_array_equal(batch["input_ids"], wanted)
    inputs = keras.Input((), dtype="string")
    outputs = layer(inputs)
    assert outputs["input_ids"].shape == (None, None)
    model = keras.Model(inputs, outputs)
    np.testing.assert_array_equal(
        model(tf.constant(texts))["input_ids"], wanted
    )
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        again(tf.constant(texts))["input_ids"], wanted
    )
    assert not again.layers[1].supports_jit


def test_in_a_saved_model(tmp_path):
    """Strings in, ids out, in a process with TensorFlow alone."""
    tokenizer = make(added=ADDED)
    module = tf.Module()
    module.layer = LongformerTextPreprocessor(tokenizer, max_length=16)
    module.serve = tf.function(
        lambda text: module.layer(text),
        input_signature=[tf.TensorSpec([None], tf.string, "text")],
    )
    tf.saved_model.save(
        module, tmp_path / "1", signatures={"serving_default": module.serve}
    )
    script = (
        "import sys\n"
        "class Hide:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('tf_longformer', 'tokenizers',\n"
        "                                  'tensorflow_text'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Hide())\n"
        "import tensorflow as tf\n"
        "model = tf.saved_model.load(sys.argv[1])\n"
        "found = model.signatures['serving_default'](\n"
        "    text=tf.constant(['It\\'s NEW <mask>', '', 'Wörter 123']))\n"
        "print(found['input_ids'].numpy().tolist())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "1")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    texts = ["It's NEW <mask>", "", "Wörter 123"]
    wanted = tokenizer(texts, padding=True)["input_ids"]
    assert done.stdout.strip().splitlines()[-1] == str(wanted)


def strings_to_logits():
    """A module that serves texts, and what a model gives for their ids."""
    tokenizer = make()
    module = tf.Module()
    module.model = tiny.make_model(
        "ForSequenceClassification", vocab_size=len(tokenizer)
    )
    module.layer = LongformerTextPreprocessor(
        tokenizer, max_length=16, padding="max_length"
    )
    compiled = tf.function(
        lambda inputs: module.model(inputs).logits, jit_compile=True
    )
    module.serve = tf.function(
        lambda texts: {"logits": compiled(module.layer(texts))},
        input_signature=[tf.TensorSpec([None], tf.string, "texts")],
    )
    encoding = tokenizer(
        FEW,
        truncation=True,
        max_length=16,
        padding="max_length",
        return_tensors="np",
    )
    # The head's own global token is the layer's default.
    return module, module.model(encoding).logits


FEW = ["A long text, <mask> and more.", "", "Wörter 123"]


def test_a_compiled_model_behind():
    """XLA has no strings, but what follows them has it."""
    module, wanted = strings_to_logits()
    found = module.serve(tf.constant(FEW))["logits"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_a_compiled_model_behind_in_files_and_training(tmp_path):
    module, wanted = strings_to_logits()
    tf.saved_model.save(
        module, tmp_path, signatures={"serving_default": module.serve}
    )
    serve = tf.saved_model.load(tmp_path).signatures["serving_default"]
    found = serve(texts=tf.constant(FEW))["logits"]
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    # In training the strings stay in the pipeline.
    data = tf.data.Dataset.from_tensor_slices((FEW, [0, 2, 1])).batch(3)
    module.model.compile("sgd", jit_compile=True)
    history = module.model.fit(
        data.map(lambda x, y: (module.layer(x), y)), shuffle=False, verbose=0
    )
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.checkpoint
def test_a_novel(data):
    """A whole book in one piece, of RoBERTa's tokens."""
    path = data / "text/gutenberg/1342_pride_and_prejudice.txt"
    text = path.read_text("utf-8")
    tokenizer = LongformerTokenizer.from_pretrained(data / "vocab")
    layer = LongformerTextPreprocessor(tokenizer, **EVERYTHING)
    found = tf.function(lambda texts: layer(texts))(tf.constant([text]))
    wanted = expected(tokenizer, [text], None, "cls")
    assert wanted["input_ids"].shape[1] > 100_000
    for name, value in wanted.items():
        np.testing.assert_array_equal(found[name], value, name)


def test_merges_in_any_order():
    """Lists that no training would make, where only one place may go first."""
    letters = "abcd"
    vocab = {letter: n for n, letter in enumerate(letters)}
    # "abab" is "aba b": the first "ab" takes an "a" before there is another.
    merges = [("ab", "a"), ("ab", "c"), ("b", "c"), ("a", "b"), ("a", "bc")]
    merges += [("d", "d"), ("abc", "dd"), ("b", "c"), ("dd", "dd"), ("bc", "a")]
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    table = graph_merges.build_merge_table(vocab, merges)
    assert table.waits.any()
    tokenizer = LongformerTokenizer(vocab=vocab, merges=merges)
    merge = tf.function(
        lambda words: graph_merges.merge_words(words, table).ids,
        input_signature=[tf.TensorSpec([None], tf.string)],
    )

    @example("abab")
    @given(st.text(letters, min_size=1, max_size=40))
    @settings(max_examples=60)
    def check(word):
        wanted = tokenizer.encode(word, add_special_tokens=False)
        assert merge(tf.constant([word])).numpy().tolist() == wanted

    check()


def test_a_very_long_word():
    tokenizer = make()
    layer = LongformerTextPreprocessor(tokenizer)
    for word in ("thelongformer" * 1500, "a" * 20_000, "日本" * 3_000):
        found = layer([word])["input_ids"]
        assert found[0].numpy().tolist() == tokenizer.encode(word)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tokenizer": "roberta-base"}, TypeError, "must be a Longformer"),
        ({"padding": "none"}, ValueError, "`padding` must be"),
        ({"truncation": "none"}, ValueError, "`truncation` must be"),
        ({"global_attention": "all"}, ValueError, "`global_attention`"),
        ({"padding": "max_length"}, ValueError, "needs a `max_length`"),
        ({"max_length": -1}, ValueError, "`max_length` must be"),
    ],
)
def test_bad_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        LongformerTextPreprocessor(**{"tokenizer": make(), **arguments})


def test_bad_texts():
    layer = LongformerTextPreprocessor(make(), max_length=3)
    with pytest.raises(TypeError, match="not ids"):
        layer([1, 2])
    with pytest.raises(TypeError, match="strings in lists of one length"):
        layer([["a"], ["b", "c"]])
    with pytest.raises(ValueError, match="leave room for the 4"):
        layer(["a"], ["b"])
    second = LongformerTextPreprocessor(
        make(), max_length=8, truncation="only_second"
    )
    with pytest.raises(ValueError, match="needs pairs"):
        second(["a"])
    with pytest.raises(ValueError, match="begins with a space"):
        LongformerTextPreprocessor(
            make(added=[AddedToken("x", rstrip=True), " y"])
        )
