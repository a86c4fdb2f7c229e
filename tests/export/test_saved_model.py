"""The exported folder of one head: numbers, texts, contract, bad requests.

All heads, and the runtimes that load them, are in test_consumers.py.
"""

import copy
import json
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import small_exports as small

from tf_longformer.cli.app import main
from tf_longformer.export import contract
from tf_longformer.export import export_saved_model
from tf_longformer.export.stored_weights import StoredWeights
from tf_longformer.exported.warmup import read_requests
from tf_longformer.quickstart.tensorflow_only import run_with_tensorflow_only
from tf_longformer.tasks import classify

GOLDEN = Path(__file__).parents[2] / "savedmodels/signatures"
HEAD = "ForSequenceClassification"


def run_cli(*arguments):
    with pytest.raises(SystemExit) as error:
        main([str(argument) for argument in arguments])
    return error.value.code


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    model = small.make(HEAD)
    model.save_pretrained(folder / "checkpoint")
    small.tokenizer().save_pretrained(folder / "checkpoint")
    assert run_cli("export", folder / "checkpoint", folder / "1") == 0
    return small.Exported(HEAD, model, folder / "1")


def _ids(values, **masks):
    values = np.array(values, "int32")
    given = {"input_ids": values, "attention_mask": np.ones_like(values)}
    for name, mask in masks.items():
        given[name] = np.array(mask, "int32")
    return given


GOOD = [0, 7, 2, 2, 8, 2]
BAD_IDS = [
    (_ids(np.zeros((0, 3))), "at least one row"),
    (_ids(np.zeros((2, 0))), "at least one token"),
    (_ids([[0, 700]]), r"must lie in \[0, 700\). Send ids"),
    (_ids([[0, -1]]), r"must lie in \[0, 700\)"),
    (_ids([GOOD], attention_mask=[[1, 1, 1, 1, 1, 2]]), "Send 1 for a token"),
    (_ids([GOOD], attention_mask=[[1, 1]]), "the shape of `input_ids`"),
    (_ids([[0] + [7] * small.LIMIT]), "not have more than 133 tokens.*Cut it"),
    (
        _ids([GOOD], global_attention_mask=[[0, 0, 0, 0, 0, -1]]),
        "`global_attention_mask` must hold 0 and 1",
    ),
]
BAD_TEXTS = [
    ([b"a \xff b"], "must be UTF-8. Encode"),
    ([b"\xed\xa0\x80"], "must be UTF-8"),
    ([b"\xc0\xaf"], "must be UTF-8"),
    (["a b c " * 50], "A text must not have more than 133 tokens"),
    (tf.zeros([0], tf.string), "at least one text"),
]


# One test, as each starts from new seeds, for which TensorFlow prepares all
# functions anew.
def test_ids(exported):
    for with_globals in (False, True):
        name = "with_global_attention" if with_globals else "serving_default"
        for shape in small.SHAPES:
            inputs = small.ids(exported.model, *shape, with_globals)
            small.assert_close(
                exported(name, inputs), exported.reference(inputs)
            )
    for inputs, sentence in BAD_IDS:
        signature = "serving_default"
        if "global_attention_mask" in inputs:
            signature = "with_global_attention"
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            exported(signature, inputs)
    # It lives on.
    assert exported("serving_default", _ids([GOOD]))
    for signature, inputs in read_requests(exported.folder):
        if signature != "text":
            assert exported(signature, inputs)


def test_texts(exported):
    (request, _) = small.texts(HEAD)
    found = exported("text", request)
    encoded = small.encode(HEAD, request)
    small.assert_close(found, exported.reference(encoded))
    expected = classify(exported.model, small.tokenizer(), request["text"])
    for row, labels in enumerate(expected):
        assert [label.decode() for label in found["labels"][row]] == [
            one["label"] for one in labels
        ]
        np.testing.assert_allclose(
            found["scores"][row], [one["score"] for one in labels], rtol=1e-4
        )
    for texts, sentence in BAD_TEXTS:
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            exported("text", {"text": texts})
    requests = dict(read_requests(exported.folder))
    assert set(requests) == set(exported.signatures)
    assert exported("text", requests["text"])


def test_contract(exported):
    golden = json.loads((GOLDEN / f"{HEAD}.json").read_text("utf-8"))
    written = exported.folder / contract.FILE
    assert json.loads(written.read_text("utf-8")) == golden
    for signature, function in exported.signatures.items():
        described = golden[signature]
        inputs = function.structured_input_signature[1]
        assert {
            key: (spec.dtype.name, spec.shape.as_list())
            for key, spec in inputs.items()
        } == {
            key: (entry["dtype"], entry["shape"])
            for key, entry in described["inputs"].items()
        }
        assert set(function.structured_outputs) == set(described["outputs"])


def test_needs_neither_keras_nor_this_package(exported):
    inputs = small.ids(exported.model, 2, 21)
    found = run_with_tensorflow_only(exported.folder, inputs)
    small.assert_close(found, exported.reference(inputs))


def test_weights_are_stored_once(exported):
    stored = exported.folder / "variables/variables.data-00000-of-00001"
    numbers = sum(weight.numpy().nbytes for weight in exported.model.weights)
    assert numbers <= stored.stat().st_size < 1.1 * numbers + 4096


def test_loads_without_warnings(exported, caplog):
    tf.saved_model.load(str(exported.folder))
    assert caplog.records == []


@pytest.mark.parametrize(
    ("kind", "most", "share"), [("bfloat16", 3e-2, 0.51), ("int8", 8e-2, 0.5)]
)
def test_smaller_weights_give_nearly_the_same(kind, most, share):
    model = small.make("ForMaskedLM")
    inputs = small.ids(model, 2, 9)
    stored = StoredWeights(model, kind)
    expected = model(**inputs).logits.numpy()
    with stored.in_use():
        found = model(**inputs).logits.numpy()
    gap = np.max(np.abs(found - expected)) / np.max(np.abs(expected))
    assert 0 < gap < most
    size = sum(variable.numpy().nbytes for variable in stored.variables)
    assert size < share * sum(w.numpy().nbytes for w in model.weights)
    np.testing.assert_array_equal(model(**inputs).logits, expected)


def test_existing_folder(tmp_path):
    model = small.make("ForSequenceClassification")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match="isn't empty"):
        export_saved_model(model, tmp_path / "1")
    assert [p.name for p in (tmp_path / "1").iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"ids_dtype": "int8"}, ValueError, "`ids_dtype` must be one of"),
        ({"weights": "int4"}, ValueError, "`weights` must be one of"),
        ({"top_k": 0}, ValueError, "`top_k` must be at least 1"),
        ({"xla_lengths": [8]}, ValueError, "Pass `xla=True`"),
        ({"xla": True, "xla_lengths": [999]}, ValueError, "up to 133"),
        ({"xla": True, "xla_batches": []}, ValueError, "must be positive"),
        ({"tokenizer": "roberta"}, TypeError, "`tokenizer` must be"),
    ],
)
def test_bad_options(tmp_path, arguments, error, sentence):
    model = small.make("ForSequenceClassification")
    with pytest.raises(error, match=sentence):
        export_saved_model(model, tmp_path / "1", **arguments)
    assert list(tmp_path.iterdir()) == []


def test_tokenizer_of_another_model(tmp_path):
    model = small.make("ForSequenceClassification", vocab_size=61)
    with pytest.raises(ValueError, match="largest id is 699, the model's 60"):
        export_saved_model(model, tmp_path / "1", small.tokenizer())


def test_masks_need_a_mask_token(tmp_path):
    tokenizer = copy.deepcopy(small.tokenizer())
    tokenizer.mask_token = None
    model = small.make("ForMaskedLM")
    with pytest.raises(ValueError, match="mask_token=None. Set it, or leave"):
        export_saved_model(model, tmp_path / "1", tokenizer)


def test_rows_past_the_compiled_ones(tmp_path):
    """The sentence comes first, not what fails without it."""
    model = small.make("ForMultipleChoice")
    sizes = {"xla_lengths": [6], "xla_batches": [2]}
    folder = export_saved_model(
        model, tmp_path / "1", xla=True, warmup_requests=False, **sizes
    )
    served = small.Exported("ForMultipleChoice", model, folder)
    for shape, sentence in (
        ((2, 6), "takes up to 2 rows"),
        ((1, 7), "takes up to 6 tokens a row"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=sentence):
            served("xla", small.ids(model, *shape))


def test_other_models_are_refused(tmp_path):
    with pytest.raises(TypeError, match="Received: Sequential"):
        export_saved_model(keras.Sequential(), tmp_path / "1")
    assert not (tmp_path / "1").exists()


def test_cli_asks_before_it_replaces(tmp_path, capsys):
    small.make("ForSequenceClassification").save_pretrained(tmp_path / "a")
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "mine").touch()
    assert run_cli("export", tmp_path / "a", tmp_path / "1") == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "--overwrite" in captured


def test_cli_refuses_a_head_that_is_not_there(tmp_path, capsys):
    small.make("Model").save_pretrained(tmp_path / "a")
    head = ("--head", "LongformerForQuestionAnswering")
    assert run_cli("export", tmp_path / "a", tmp_path / "1", *head) == 2
    assert "without qa_outputs" in capsys.readouterr().err
    assert not (tmp_path / "1").exists()
