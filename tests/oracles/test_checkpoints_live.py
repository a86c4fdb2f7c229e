"""Checkpoints that transformers writes, through us, and into it again.

Name the interpreters of environments with transformers 4 and 5 in
TF_LONGFORMER_ORACLE_4 and TF_LONGFORMER_ORACLE_5.
"""

from __future__ import annotations

import json
from pathlib import Path

import comparison
import ml_dtypes
import numpy as np
import pytest
from checkpoints import files
from safetensors.numpy import load_file
from safetensors.numpy import save_file

from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.match import Matching
from tf_longformer.checkpoints.match import match
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import grouped
from tf_longformer.heads import HEADS

pytestmark = pytest.mark.oracle

# What each version writes.
WRITTEN = {
    4: tuple(files.FORMATS),
    5: (
        *("safetensors", "safetensors_sharded"),
        *("torch_legacy", "torch_half", "torch_bfloat16", "torch_double"),
    ),
}


@pytest.fixture(scope="module", params=[4, 5])
def oracle(request, tmp_path_factory) -> tuple[int, Path]:
    folder = tmp_path_factory.mktemp(f"checkpoints_{request.param}")
    comparison.run_oracle(
        request.param, "write", folder, script="checkpoint_worker"
    )
    return request.param, folder


def add_case(folder: Path, name: str, reference: Path | None = None) -> None:
    case = {"name": name, "reference": reference and str(reference)}
    (folder / "case.json").write_text(json.dumps(case), "utf-8")


def reports(version: int, folder: Path) -> dict[str, dict]:
    """Has transformers open all cases of a folder."""
    comparison.run_oracle(version, "open", folder, script="checkpoint_worker")
    found = {
        str(path.parent.relative_to(folder)): json.loads(
            path.read_text("utf-8")
        )
        for path in folder.rglob("hf.json")
    }
    assert len(found) == len(list(folder.rglob("case.json")))
    return found


def test_through_us_and_back(oracle, tmp_path):
    """Each format and head comes back with all of its bits."""
    version, root = oracle
    for head in files.HEADS:
        for form in WRITTEN[version]:
            source, target = root / head / form, tmp_path / head / form
            save(version, source, target, head)
            reference = root / head / "state_dict.npz"
            # What was rounded is compared with what was rounded.
            if form in ("torch_half", "torch_bfloat16"):
                reference = round_reference(
                    reference, target / "rounded.npz", form
                )
            for folder in target.iterdir():
                if folder.is_dir():
                    prefix = "TF" if folder.name == "h5" else ""
                    add_case(folder, f"{prefix}Longformer{head}", reference)
    found = reports(version, tmp_path)
    wrong = {
        name: report for name, report in found.items() if any(report.values())
    }
    assert not wrong


def save(version: int, source: Path, target: Path, head: str) -> None:
    """Saves a checkpoint by our models, or where they did so before without.

    Every head and every format is read into a model once; shards and HF's
    TensorFlow are written of every head.
    """
    first = "safetensors"
    if source.name != first and head != "ForMaskedLM":
        convert(locate(source), target / "one")
        return
    model, info = comparison.model_class(head).from_pretrained(
        source, output_loading_info=True
    )
    assert not any(info.values())
    model.save_pretrained(target / "one")
    if source.name == first:
        model.save_pretrained(target / "sharded", max_shard_size="1KB")
        if version < 5:
            model.save_pretrained(target / "h5", "h5")


def round_reference(source: Path, target: Path, form: str) -> Path:
    dtype = np.float16 if form == "torch_half" else ml_dtypes.bfloat16
    with np.load(source) as file:
        arrays = {n: file[n].astype(dtype) for n in file.files}
    np.savez(target, **{n: a.astype(np.float32) for n, a in arrays.items()})
    return target


def variants() -> list[tuple[str, str, str]]:
    """Thirty ways to damage a file: class, what, which tensor."""
    layer = "longformer.encoder.layer.1."
    ours = "ForSequenceClassification"
    found = [
        (ours, what, name)
        for what in ("drop", "reshape", "longer")
        for name in (
            "longformer.embeddings.word_embeddings.weight",
            "longformer.embeddings.LayerNorm.bias",
            f"{layer}attention.self.key.bias",
            f"{layer}attention.self.value_global.weight",
            f"{layer}output.dense.weight",
            "classifier.out_proj.weight",
        )
    ]
    found += [
        (ours, "add", name)
        for name in (
            f"{layer}attention.self.scale",
            "longformer.encoder.layer.2.output.dense.bias",
            "longformer.pooler.dense.weight",
            "lm_head.bias",
            "classifier.weight",
            "adapter.weight",
        )
    ]
    found += [
        (ours, "drop all", "classifier."),
        (ours, "drop all", layer),
        ("ForMaskedLM", "drop", "lm_head.dense.weight"),
        ("ForMaskedLM", "drop", "lm_head.bias"),
        ("Model", "drop all", "pooler."),
        ("Model", "add", "lm_head.bias"),
    ]
    return found


def damage(source: Path, target: Path, what: str, name: str) -> None:
    """Copies a checkpoint with one thing wrong."""
    files.copy(source, target)
    path = target / "model.safetensors"
    tensors = load_file(path)
    if what == "drop":
        del tensors[name]
    elif what == "drop all":
        tensors = {n: a for n, a in tensors.items() if not n.startswith(name)}
    elif what == "add":
        tensors[name] = np.ones((2, 3), "float32")
    elif what == "reshape":
        tensors[name] = tensors[name].reshape(-1, 1)
    else:
        tensors[name] = np.concatenate([tensors[name]] * 2)
    save_file(tensors, path, {"format": "pt"})


def plain(items: list[str]) -> set[str]:
    """Names without the body's prefix; the two tied biases are one."""
    return {
        item.removeprefix("longformer.").replace("decoder.bias", "bias")
        for item in items
    }


def test_damaged_files_are_reported_alike(oracle, tmp_path):
    version, root = oracle
    cases = variants()
    assert len(cases) == 30
    for number, (head, what, name) in enumerate(cases):
        source = root / head / "safetensors"
        folder = tmp_path / f"{number}"
        damage(source, folder, what, name)
        add_case(folder, f"Longformer{head}")
    theirs = reports(version, tmp_path)
    for number, (head, what, name) in enumerate(cases):
        folder = tmp_path / f"{number}"
        location = locate(folder)
        config = LongformerConfig.from_dict(location.config_fields())
        wanted = names.weights(config, HEADS[f"Longformer{head}"])
        ours = match(wanted.values(), location.read(False)[1](config), config)
        case = (number, head, what, name)
        report = theirs[str(number)]
        missing = [weight.torch[0] for weight in ours.missing]
        mismatched = [weight.torch[0] for weight, *_ in ours.mismatched]
        assert plain(missing) == plain(report["missing"]), case
        assert plain(ours.unexpected) == plain(report["unexpected"]), case
        assert plain(mismatched) == plain(report["mismatched"]), case
        check_loading(folder, head, ours)


def check_loading(folder: Path, head: str, ours: Matching) -> None:
    """What transformers lets pass, and only warns of, raises here."""
    cls = comparison.model_class(head)
    new = {weight.part for weight in ours.missing} - {"body"}
    kept = {weight.part for weight, _ in ours.found}
    lost = [w for w in ours.missing if w.part not in new or w.part in kept]
    harmless = not (lost or ours.mismatched or ours.unexplained)
    if harmless:
        _, info = cls.from_pretrained(folder, output_loading_info=True)
        assert len(info["missing_keys"]) == len(ours.missing)
        assert info["unexpected_keys"] == ours.unexpected
        return
    with pytest.raises(CheckpointError) as error:
        cls.from_pretrained(folder)
    message = str(error.value)
    shapes = [
        f"{name} (file {theirs}, model {shape})"
        for name, theirs, shape in error.value.mismatched_keys
    ]
    for items in (
        error.value.missing_keys,
        error.value.unexpected_keys,
        shapes,
    ):
        # Names that differ in the number of their layer share a line.
        assert all(line in message for line in grouped(items))
