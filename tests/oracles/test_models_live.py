"""Our models against HF PyTorch's, all outputs of all heads.

Name the interpreters of environments with transformers 4 and 5 in
TF_LONGFORMER_ORACLE_4 and TF_LONGFORMER_ORACLE_5.
"""

from __future__ import annotations

import functools
import json
import warnings
from pathlib import Path

import comparison
import dense_reference
import layout
import numpy as np
import pytest
from cases import KINDS
from cases import UNTIED
from cases import Case
from cases import forward_cases
from cases import untied_case
from drawing import CHOICE
from drawing import MASKED_LM
from safetensors.numpy import load_file

pytestmark = pytest.mark.oracle

CASES = forward_cases()
UNTIED_CASE = untied_case()
OPENED = (*KINDS, UNTIED)
MODES = ("eager", "graph", "xla")
NAMES = [case.name for case in CASES]


@pytest.fixture(scope="module", params=[4, 5])
def oracle(request, tmp_path_factory) -> tuple[int, Path]:
    version = request.param
    folder = tmp_path_factory.mktemp(f"models_{version}")
    cases = [*CASES, UNTIED_CASE]
    return version, comparison.run_cases(version, cases, folder)


def outputs_of(oracle: tuple[int, Path], case: Case) -> dict:
    version, root = oracle
    if version >= 5 and "head_mask" in case.inputs:
        pytest.skip("transformers 5 has no head_mask")
    return layout.load_arrays(root / case.name / f"hf{version}" / "outputs.npz")


def folder_of(oracle: tuple[int, Path], case: Case) -> Path:
    version, root = oracle
    return root / case.name / f"hf{version}" / "model"


@functools.cache
def our_outputs(number: int, mode: str, folder: Path, slots: int) -> dict:
    """Our outputs; HF's versions draw the same weights, so that one will do."""
    case = CASES[number]
    model = comparison.model_class(case.head).from_pretrained(
        folder, attention_slots=slots + 2 if mode == "xla" else None
    )
    call = comparison.in_mode(
        lambda inputs: model(
            inputs, output_attentions=True, output_hidden_states=True
        ),
        mode,
        case.inputs,
    )
    windows = [2 * radius for radius in model.config.radii]
    with warnings.catch_warnings():
        # HF's default is no global token at all, ours is to say so.
        warnings.simplefilter("ignore", UserWarning)
        outputs = call(case.inputs)
    return layout.as_arrays(outputs, windows, slots)


_first_folders: dict[int, Path] = {}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=lambda n: CASES[n].name
)
def test_outputs(oracle, number, mode):
    case = CASES[number]
    raw = outputs_of(oracle, case)
    folder = _first_folders.setdefault(number, folder_of(oracle, case))
    slots = int(layout.global_counts(case, raw).max())
    ours = our_outputs(number, mode, folder, slots)
    if case.padded_left:
        ours = {n: a for n, a in ours.items() if n != "pooler_output"}
    layout.assert_close(ours, layout.in_our_layout(case, raw))


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=lambda n: CASES[n].name
)
def test_their_folder_comes_back_bit_by_bit(oracle, number, tmp_path):
    case = CASES[number]
    outputs_of(oracle, case)
    folder = folder_of(oracle, case)
    model, info = comparison.model_class(case.head).from_pretrained(
        folder, output_loading_info=True
    )
    assert not any(info.values())
    model.save_pretrained(tmp_path)
    theirs = load_file(folder / "model.safetensors")
    ours = load_file(tmp_path / "model.safetensors")
    assert sorted(ours) == sorted(theirs)
    for name, array in theirs.items():
        assert ours[name].dtype == array.dtype
        assert ours[name].tobytes() == array.tobytes()
    first = load_file(_first_folders.get(number, folder) / "model.safetensors")
    assert all(np.array_equal(first[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize(
    "number", range(len(CASES)), ids=lambda n: CASES[n].name
)
def test_dense_reference(oracle, number):
    """The reference in NumPy, which judges attention, agrees with HF."""
    case = CASES[number]
    theirs = outputs_of(oracle, case)
    inputs = {
        name: value
        for name, value in case.hf_inputs().items()
        if name in comparison.INPUTS
    }
    if case.head == CHOICE:
        inputs = {
            name: value
            if name == "head_mask"
            else value.reshape(-1, *value.shape[2:])
            for name, value in inputs.items()
        }
    counts = layout.global_counts(case, theirs)
    if counts.any() and "global_attention_mask" not in inputs:
        pytest.skip("the reference is of the bare model, without defaults")
    weights = load_file(folder_of(oracle, case) / "model.safetensors")
    ours = dense_reference.forward(
        {n.removeprefix("longformer."): a for n, a in weights.items()},
        case.config,
        **inputs,
    )
    for layer, hidden_states in enumerate(ours["hidden_states"]):
        gap = layout.difference(hidden_states, theirs[f"hidden_states.{layer}"])
        assert gap < 1e-5


def test_output_matrix_of_its_own(oracle):
    """Version 5 adds the decoder's bias, which the head's bias is not."""
    theirs = outputs_of(oracle, UNTIED_CASE)
    model = comparison.model_class(MASKED_LM).from_pretrained(
        folder_of(oracle, UNTIED_CASE)
    )
    assert not model.config.tie_word_embeddings
    logits = model(UNTIED_CASE.inputs).logits.numpy()
    assert layout.difference(logits, theirs["logits"]) < layout.TOLERANCE


def test_attention_is_far_from_uniform(oracle):
    """Otherwise a wrong mask or a swapped key would hardly show."""
    ratios = []
    for case in CASES:
        if oracle[0] >= 5 and "head_mask" in case.inputs:
            continue
        shares = outputs_of(oracle, case)["attentions.0"]
        keys = (shares > 0).sum(axis=-1)
        ratios.extend((shares.max(axis=-1) * keys)[keys > 3])
    assert np.mean(ratios) > 2


@pytest.fixture(scope="module", params=[4, 5])
def opened(request, tmp_path_factory) -> tuple[int, Path]:
    """Folders that we wrote, as HF found them."""
    root = tmp_path_factory.mktemp(f"opened_{request.param}")
    for number, (head, fields) in enumerate(OPENED):
        config = comparison.tf_longformer.LongformerConfig(
            **{**CASES[number].config, **fields}
        )
        model = comparison.model_class(head)(config)
        rng = np.random.default_rng(number)
        for weight in model.trainable_weights:
            weight.assign(rng.standard_normal(weight.shape))
        model.save_pretrained(root / str(number) / "ours")
        case = {"task": "open", "head": head, "folder": "ours"}
        text = json.dumps(case)
        (root / str(number) / "case.json").write_text(text, "utf-8")
    comparison.run_oracle(request.param, root)
    return request.param, root


@pytest.mark.parametrize("number", range(len(OPENED)))
def test_hf_opens_our_folder(opened, number):
    version, root = opened
    file = root / str(number) / f"hf{version}.json"
    report = json.loads(file.read_text("utf-8"))
    assert report["version"].startswith(f"{version}.")
    assert report["class"] == f"Longformer{OPENED[number][0]}"
    lists = ("missing", "unexpected", "mismatched", "absent", "different")
    assert {name: report[name] for name in lists} == dict.fromkeys(lists, [])
    assert report["count"] > 20
    head, fields = OPENED[number]
    tied = ["lm_head.decoder.bias", "lm_head.decoder.weight"]
    if head != MASKED_LM:
        tied = []
    elif fields:
        # Even version 4 has one bias, and version 5 reads the decoder's.
        tied.pop()
    assert report["tied"] == tied
