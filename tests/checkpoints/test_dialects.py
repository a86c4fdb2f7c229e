"""Names of files of all ages: prefixes, buffers, other ages' names."""

from __future__ import annotations

import numpy as np
import pytest
from checkpoints import files
from checkpoints.files import rewrite
from safetensors.numpy import load_file

from tf_longformer.errors import CheckpointError

WRAPPERS = ("", "module.model.", "0.auto_model.")
BODY = "longformer."


def renamed(function):
    return lambda tensors: {function(n): a for n, a in tensors.items()}


@pytest.mark.parametrize("wrapper", WRAPPERS)
@pytest.mark.parametrize("body", ["longformer.", "roberta."])
@pytest.mark.parametrize("head", ["ForMaskedLM", "ForTokenClassification"])
def test_prefixes(hf, head, wrapper, body, tmp_path):
    folder = rewrite(
        hf,
        head,
        tmp_path / "x",
        renamed(lambda n: wrapper + n.replace(BODY, body)),
    )
    matching, arrays = files.load(folder, head)
    assert not matching.unexpected
    assert not matching.copied
    files.assert_same_bits(arrays, dict(files.expected(hf / head)))


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_bare_names(hf, wrapper, tmp_path):
    """Lightning's module has the bare model as `model`, its head beside."""

    def rename(name):
        if name.startswith(BODY):
            return wrapper + name.removeprefix(BODY)
        return name

    head = "ForQuestionAnswering"
    folder = rewrite(hf, head, tmp_path / "x", renamed(rename))
    _, arrays = files.load(folder, head)
    files.assert_same_bits(arrays, dict(files.expected(hf / head)))


def test_two_models_in_a_file(hf, tmp_path):
    """One that is kept as usual is read, else neither is guessed."""

    def twice(one, other):
        return lambda tensors: {
            **renamed(lambda n: one + n)(tensors),
            **{other + n: a + 1 for n, a in tensors.items()},
        }

    folder = rewrite(hf, "Model", tmp_path / "x", twice("model.", "ema."))
    _, arrays = files.load(folder, "Model")
    files.assert_same_bits(arrays, dict(files.expected(hf / "Model")))
    folder = rewrite(hf, "Model", tmp_path / "y", twice("query.", "text."))
    with pytest.raises(CheckpointError, match=r"under each of query\., text"):
        files.load(folder, "Model")


def test_names_of_something_else(hf, tmp_path):
    folder = rewrite(
        hf,
        "Model",
        tmp_path / "x",
        renamed(lambda n: n.replace("embeddings", "embed")),
    )
    with pytest.raises(
        CheckpointError, match=r"not used \(5\): embed.LayerNorm.bias,"
    ) as error:
        files.load(folder, "Model")
    assert len(error.value.missing_keys) == 5


def test_gamma_and_beta(hf, tmp_path):
    def rename(name):
        stem, _, last = name.rpartition(".")
        if stem.endswith(("LayerNorm", "layer_norm")):
            last = {"weight": "gamma", "bias": "beta"}[last]
        return f"{stem}.{last}"

    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", renamed(rename))
    assert any("gamma" in n for n in load_file(folder / "model.safetensors"))
    matching, arrays = files.load(folder, "ForMaskedLM")
    assert matching.unexpected == []
    files.assert_same_bits(arrays, dict(files.expected(hf / "ForMaskedLM")))


@pytest.mark.parametrize("length", [17, 5])
def test_position_ids_are_no_weight(hf, length, tmp_path):
    buffer = {f"{BODY}embeddings.position_ids": np.arange(length)[None]}
    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", lambda t: t | buffer)
    matching, _ = files.load(folder, "ForMaskedLM")
    assert matching.unexpected == []


@pytest.mark.parametrize("names", [("bias",), ("decoder.bias",), None])
@pytest.mark.parametrize("matrix", [False, True])
def test_tied_head(hf, names, matrix, tmp_path):
    def change(tensors):
        bias = tensors.pop("lm_head.bias")
        for name in names or ("bias", "decoder.bias"):
            tensors[f"lm_head.{name}"] = bias.copy()
        if matrix:
            words = f"{BODY}embeddings.word_embeddings.weight"
            tensors["lm_head.decoder.weight"] = tensors[words].copy()
        return tensors

    folder = rewrite(hf, "ForMaskedLM", tmp_path / "x", change)
    matching, arrays = files.load(folder, "ForMaskedLM")
    assert matching.unexpected == []
    files.assert_same_bits(arrays, dict(files.expected(hf / "ForMaskedLM")))


def test_of_two_biases_the_decoder_adds_its_own(hf, tmp_path):
    """Both versions of transformers compute with it."""
    bias = np.arange(13, dtype="f4")
    folder = rewrite(
        hf,
        "ForMaskedLM",
        tmp_path / "x",
        lambda t: t | {"lm_head.decoder.bias": bias},
    )
    _, arrays = files.load(folder, "ForMaskedLM")
    np.testing.assert_array_equal(arrays["lm_head/bias"], bias)


def test_a_weight_twice(hf, tmp_path):
    name = f"{BODY}embeddings.LayerNorm"
    folder = rewrite(
        hf,
        "ForMaskedLM",
        tmp_path / "x",
        lambda t: t | {f"{name}.gamma": t[f"{name}.weight"].copy()},
    )
    with pytest.raises(CheckpointError, match="each weight once"):
        files.load(folder, "ForMaskedLM")
