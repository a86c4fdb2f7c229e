"""PEFT's adapters: what `oracles/adapter_worker.py` wrote, and what is wrong.

PEFT's own outputs lie beside them.
"""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from checkpoints import files
from helpers import checks
from helpers import tiny
from safetensors.numpy import load_file
from safetensors.numpy import save_file

import tf_longformer
from tf_longformer.checkpoints.adapter_config import scale_of
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.describe import describe
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.locate import locate_adapter
from tf_longformer.checkpoints.name_patterns import NamePatterns
from tf_longformer.errors import CheckpointError
from tf_longformer.loading import Checkpoint

CASES = {
    "sequence": "ForSequenceClassification",
    "tokens": "ForTokenClassification",
    "answers": "ForQuestionAnswering",
    "words": "ForMaskedLM",
    "tables": "ForMaskedLM",
    "untied": "ForMaskedLM",
    "bare": "Model",
    "choices": "ForMultipleChoice",
}
CONFIG = "adapter_config.json"


def arrays(path):
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def assert_as_peft(model, case):
    found, expected = (
        model(arrays(case / "inputs.npz")),
        arrays(case / "expected.npz"),
    )
    ours = {name: found[name] for name in expected}
    checks.assert_equal(ours, expected, 1e-5)


def model_class(case):
    return getattr(tf_longformer, f"TFLongformer{CASES[case]}")


@pytest.fixture
def copied(adapters, tmp_path):
    """A case of one's own: a function that copies it and edits its config."""

    def copy(case, **fields):
        folder = tmp_path / case
        shutil.copytree(adapters / case, folder)
        path = folder / "adapter" / CONFIG
        known = json.loads(path.read_text("utf-8"))
        base = str(folder / "base")
        known |= {"base_model_name_or_path": base, **fields}
        path.write_text(json.dumps(known), "utf-8")
        return folder

    return copy


@pytest.mark.parametrize("case", CASES)
def test_an_adapters_folder_is_the_base_with_its_updates(adapters, case):
    cls = model_class(case)
    model, info = cls.from_pretrained(
        adapters / case / "adapter", output_loading_info=True
    )
    assert not info["missing_keys"]
    assert_as_peft(model, adapters / case)


@pytest.mark.parametrize("case", ["tokens", "answers"])
def test_kept_saved_and_loaded_again(adapters, case, tmp_path):
    """The updates stay apart, and are what trains; files have the sums."""
    cls = model_class(case)
    model = cls.from_pretrained(adapters / case / "base")
    # What is compiled would go on without them.
    model.predict_function = model.test_function = model.train_function = len
    model.load_adapter(adapters / case / "adapter")
    assert model.predict_function is model.train_function is None
    assert_as_peft(model, adapters / case)
    known = set(locate_adapter(adapters / case / "adapter").file.tensors)
    assert len(model.trainable_weights) == len(known)
    model.save_adapter(tmp_path / "adapter")
    assert known == set(locate_adapter(tmp_path / "adapter").file.tensors)
    # The adapter lies elsewhere than its base: that has to be loaded.
    with pytest.raises(CheckpointError, match=r"chooses no other.*load_adap"):
        cls.from_pretrained(tmp_path / "adapter")
    other = cls.from_pretrained(adapters / case / "base")
    other.load_adapter(tmp_path / "adapter")
    assert_as_peft(other, adapters / case)
    model.save_pretrained(tmp_path / "sums")
    assert_as_peft(cls.from_pretrained(tmp_path / "sums"), adapters / case)


def test_trained_and_saved(tmp_path):
    """`enable_lora`, a step, `save_adapter`: the base is not in the file."""
    head = "ForMaskedLM"
    checks.seeded(tiny.make_model, head).save_pretrained(tmp_path / "base")
    cls = tf_longformer.TFLongformerForMaskedLM
    model = cls.from_pretrained(tmp_path / "base")
    model.enable_lora(2, lora_alpha=6)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.3)
    model.save_adapter(tmp_path / "adapter")
    fields = json.loads((tmp_path / "adapter" / CONFIG).read_text("utf-8"))
    assert fields["target_modules"] == [
        *("query", "query_global", "value", "value_global")
    ]
    assert (fields["r"], fields["lora_alpha"]) == (2, 6)
    assert fields["modules_to_save"] == ["lm_head.dense", "lm_head.layer_norm"]
    inputs = tiny.make_inputs(head)
    loaded = cls.from_pretrained(tmp_path / "adapter")
    assert loaded.config.tie_word_embeddings
    checks.assert_equal(loaded(inputs).logits, model(inputs).logits, 1e-5)
    model.get_input_embeddings().enable_lora(1)
    with pytest.raises(ValueError, match="output is tied to"):
        model.save_adapter(tmp_path / "words")
    assert not (tmp_path / "words").exists()


def test_weights_and_adapters_are_saved_apart(copied):
    case = copied("bare")
    model = model_class("bare").from_pretrained(case / "base")
    with pytest.raises(ValueError, match="must have LoRA"):
        model.save_adapter(case / "new")
    model.enable_lora(1)
    with pytest.raises(ValueError, match=r"apart .*model\.safetensors"):
        model.save_adapter(case / "base")
    with pytest.raises(ValueError, match=f"added to its weights.*{CONFIG}"):
        model.save_pretrained(case / "adapter")
    with pytest.raises(ValueError, match="takes one adapter"):
        model.load_adapter(case / "adapter")


def test_an_adapter_beside_its_base(copied, tmp_path):
    """As in transformers, the base is in the folder, whatever it is called."""
    case = copied("sequence", base_model_name_or_path="no/such")
    for path in (case / "adapter").iterdir():
        shutil.copy(path, case / "base")
    assert_as_peft(model_class("sequence").from_pretrained(case / "base"), case)
    assert describe(locate(case / "base")).adapter == (
        "LoRA of rank 3 on 8 matrices, 4 weights whole"
    )
    convert(locate(case / "base"), tmp_path / "h5", "h5")
    found = model_class("sequence").from_pretrained(tmp_path / "h5")
    assert_as_peft(found, case)
    # A file that is named is read as it is.
    alone = locate(case / "base" / "model.safetensors")
    assert alone.adapter is None


def test_the_adapter_says_the_head_and_its_labels(copied, hf):
    """Of a base that is a language model."""
    case = copied("sequence")
    path = case / "base/config.json"
    fields = json.loads(path.read_text("utf-8"))
    fields |= {"architectures": ["LongformerForMaskedLM"]}
    fields.pop("id2label"), fields.pop("label2id")
    path.write_text(json.dumps(fields), "utf-8")
    checkpoint = Checkpoint(str(case / "adapter"))
    assert checkpoint.head.name == "LongformerForSequenceClassification"
    assert checkpoint.load_tokenizer() is None
    fits = describe(locate(case / "adapter")).fits
    assert fits["TFLongformerForSequenceClassification"].loads
    assert fits["TFLongformerForSequenceClassification"].new == []


KINDS = {
    "IA3": {"peft_type": "IA3"},
    "LoHa": {"peft_type": "LOHA"},
    "prefixes": {"peft_type": "PREFIX_TUNING"},
    "AdapterHub": {"peft_type": None, "config": {"mh_adapter": True}},
    "DoRA": {"use_dora": True},
    "PiSSA": {"init_lora_weights": "pissa"},
    "biases": {"lora_bias": True},
    "tokens": {"trainable_token_indices": [1, 2]},
    "later": {"some_new_kind": {"x": 1}},
}


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_are_refused_by_name(copied, kind):
    fields = KINDS[kind]
    case = copied("bare", **fields)
    name, value = next(iter(fields.items()))
    text = f"{name}={value!r}" if value else f"no `{name}`"
    with pytest.raises(CheckpointError) as error:
        locate(case / "adapter")
    assert text in str(error.value)
    assert "merge_and_unload" in str(error.value)


@pytest.mark.parametrize(
    ("base", "message"),
    [
        ("/etc", "chooses no other"),
        ("..", "chooses no other"),
        ("{root}/../elsewhere", "chooses no other"),
        ("{root}/link", "chooses no other"),
        ("{root}/base/config.json", "chooses no other"),
        ("{root}/adapter", "has an adapter too"),
        ("../no/../where", "must be a folder that exists, or an id"),
        (None, "must name its base"),
    ],
)
def test_a_strangers_file_chooses_no_folder(copied, base, message, tmp_path):
    case = copied("bare")
    shutil.copytree(case / "base", tmp_path / "elsewhere")
    (case / "link").symlink_to(tmp_path / "elsewhere")
    path = case / "adapter" / CONFIG
    fields = json.loads(path.read_text("utf-8"))
    fields["base_model_name_or_path"] = base and base.format(root=case)
    path.write_text(json.dumps(fields), "utf-8")
    with pytest.raises((CheckpointError, FileNotFoundError), match=message):
        locate(case / "adapter")


def without_b(tensors):
    return {n: a for n, a in tensors.items() if "lora_B" not in n}


def wider(tensors):
    return {
        n: np.ones((a.shape[0], a.shape[1] + 1), "f4") if "lora_A" in n else a
        for n, a in tensors.items()
    }


def other_rank(tensors):
    return {
        n: np.concatenate([a, a], int("lora_B" in n))
        for n, a in tensors.items()
    }


def further(tensors):
    name = "base_model.model.encoder.layer.7.output.dense.lora_{}.weight"
    return tensors | {
        name.format("A"): np.ones((1, 7), "f4"),
        name.format("B"): np.ones((6, 1), "f4"),
    }


def magnitudes(tensors):
    name = "base_model.model.pooler.dense.lora_magnitude_vector"
    return tensors | {name: np.ones(6, "f4")}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_b, "must be two matrices"),
        (wider, r"dense\.weight \(\d, \d\), .*and .* without"),
        (other_rank, "with rank 2 of .*, and 1 in the file"),
        (further, r"encoder\.layer\.7\.output\.dense"),
        (magnitudes, "lora_magnitude_vector"),
    ],
)
def test_what_does_not_fit_changes_nothing(copied, change, message):
    case = copied("bare")
    model = model_class("bare").from_pretrained(case / "base")
    before = checks.arrays(model.weights)
    path = case / "adapter/adapter_model.safetensors"
    save_file(change(load_file(path)), path)
    for load in (model.load_adapter, type(model).from_pretrained):
        with pytest.raises(CheckpointError, match=message):
            load(case / "adapter")
    checks.assert_equal(model.weights, before, 0)
    assert len(model.trainable_weights) == len(before)


def test_a_quantized_head_is_not_replaced(adapters):
    model = model_class("answers").from_pretrained(adapters / "answers/base")
    model.qa_outputs.quantize("int8")
    before = checks.arrays(model.weights)
    with pytest.raises(ValueError, match=r"floats.*qa_outputs/kernel.*int8"):
        model.load_adapter(adapters / "answers/adapter")
    checks.assert_equal(model.weights, before, 0)


@pytest.mark.parametrize("case", ["words", "tables"])
def test_a_head_that_stays_tied_refuses(adapters, case):
    model = model_class(case).from_pretrained(adapters / case / "base")
    with pytest.raises(CheckpointError, match="from_pretrained.*unties"):
        model.load_adapter(adapters / case / "adapter")


def scale(fields, module, rank=8):
    return scale_of(fields, module, rank, "here", NamePatterns())


def test_patterns_of_a_stranger():
    fields = {"r": 2, "lora_alpha": 6, "rank_pattern": {"a.query": 4}}
    assert scale(fields, "x.a.query", 4) == 1.5
    assert scale(fields, "x.b.query", 2) == 3
    # The first that matches.
    assert scale({"alpha_pattern": {"a": 16, ".*": 8, "b": 4}}, "x.b") == 1
    for pattern in (
        "(a+)+$",
        "(a)*",
        "(?=a).*",
        r"\b",
        "[z-a]",
        "(",
        "x" * 300,
    ):
        with pytest.raises(CheckpointError, match="patterns of an adapter"):
            scale({"alpha_pattern": {pattern: 1}}, "a" * 40)
    for alpha in ("8", float("nan"), float("inf"), 10**400, None, True):
        with pytest.raises(CheckpointError, match="`lora_alpha`.*numbers"):
            scale({"lora_alpha": alpha}, "a")


def test_an_adapter_that_takes_too_long_is_refused(copied):
    """Patterns have their steps together, not each for itself."""
    case = copied("bare", rank_pattern={f".*x{n}" * 25: 1 for n in range(9999)})
    with pytest.raises(CheckpointError, match="takes too long"):
        locate(case / "adapter")


def test_messages_about_adapters_have_an_end(copied):
    long = "x" * 300_000
    for fields in (
        {"peft_type": long},
        {long: long},
        {"rank_pattern": {long: 1}},
        {"lora_alpha": long},
    ):
        case = copied("bare", **fields)
        with pytest.raises(CheckpointError) as error:
            locate(case / "adapter")
        assert len(str(error.value)) < 1500
        shutil.rmtree(case)
    case = copied("bare")
    path = case / "adapter/adapter_model.safetensors"
    tensors = load_file(path)
    more = {f"a.{long}.lora_{x}.weight": np.ones((1, 1), "f4") for x in "AB"}
    for found in (
        {**tensors, **more},
        {**tensors, f"{long}.lora_A.weight": np.ones((1, 1), "f4")},
    ):
        save_file(found, path)
        with pytest.raises(CheckpointError) as error:
            model_class("bare").from_pretrained(case / "adapter")
        assert len(str(error.value)) < 1500


def test_a_base_in_another_dialect(adapters, hf, tmp_path):
    """TensorFlow's files hold matrices as we do, PyTorch's transposed."""
    case = tmp_path / "case"
    shutil.copytree(adapters / "sequence", case)
    convert(locate(case / "base"), case / "h5", "h5")
    shutil.copy(case / "base/config.json", case / "h5")
    path = case / "adapter" / CONFIG
    fields = json.loads(path.read_text("utf-8"))
    fields["base_model_name_or_path"] = str(case / "h5")
    path.write_text(json.dumps(fields), "utf-8")
    _, found = files.load(case / "adapter", CASES["sequence"])
    _, wanted = files.load(adapters / "sequence/adapter", CASES["sequence"])
    files.assert_same_bits(found, wanted)
