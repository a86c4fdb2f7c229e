"""Damaged checkpoints and tokenizers: what they hold, or one of our errors.

Nothing here needs a backend. A file is damaged as `fuzz.damage` says, or a link
takes its place.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from checkpoints import files
from fuzz import damage
from fuzz.target import Target
from fuzz.target import require_own_error
from helpers import small_tokenizer

from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.files import hdf5_listing
from tf_longformer.checkpoints.locate import locate

TESTS = Path(__file__).parents[1]
MEMORY = 3 << 30
HEAD = "ForTokenClassification"
# By name, how often. HDF5's files take a process each.
SOURCES = {
    "safetensors": 5,
    "safetensors_sharded": 3,
    "tensorflow_safetensors": 1,
    "torch": 4,
    "torch_legacy": 4,
    "torch_sharded": 2,
    "torch_bfloat16": 1,
    "adapter": 3,
    "tokenizer": 5,
    "tensorflow": 0.2,
    "tensorflow_sharded": 0.1,
    "weights": 0.2,
    "keras": 0.3,
}
LINKS = ("itself", "nowhere", ".", "/dev/zero", "/dev/full", "another")
TEXTS = ["A text <mask> of\nseveral words…", "", "1 é 日本"]
TOKENIZERS = (LongformerTokenizer, LongformerTokenizerFast)


class Fuzzed(Target):
    seconds = 60.0
    cpu_seconds = 8.0

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        hdf5_listing.SECONDS = 4
        archives = scratch / "archives"
        for name in ("hf", "adapters"):
            path = TESTS / f"checkpoints/{name}.tar.xz"
            with tarfile.open(path) as archive:
                archive.extractall(archives / name, filter="data")
        self.folders = {
            name: archives / f"hf/{HEAD}/{name}" for name in SOURCES
        }
        self.folders["tokenizer"] = small_tokenizer.FOLDER
        self.folders["weights"] = scratch / "weights"
        self.folders["keras"] = scratch / "keras"
        self.folders["keras"].mkdir()
        # The heads of what lies elsewhere.
        self.heads = {"keras": "ForMaskedLM", "adapter": "Model"}
        kept = TESTS / "compatibility/files/ForMaskedLM"
        shutil.copy(kept / "model.keras", self.folders["keras"])
        convert(
            locate(self.folders["safetensors"]),
            self.folders["weights"],
            "weights.h5",
        )
        self.folders["adapter"] = self._make_adapter(archives / "adapters/bare")
        self.originals = {
            name: self._load(name, folder)
            for name, folder in self.folders.items()
            if name != "tokenizer"
        }
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def _make_adapter(self, case: Path) -> Path:
        """Puts an adapter beside its base, by which it names it."""
        for path in (case / "adapter").iterdir():
            shutil.copy(path, case / "base")
        path = case / "base/adapter_config.json"
        fields = json.loads(path.read_text("utf-8"))
        fields["base_model_name_or_path"] = "."
        path.write_text(json.dumps(fields), "utf-8")
        return case / "base"

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        source = rng.choices(list(SOURCES), list(SOURCES.values()))[0]
        names = sorted(path.name for path in self.folders[source].iterdir())
        name = rng.choice(names)
        case: dict[str, Any] = {"source": source, "file": name}
        if rng.random() < 0.03:
            return {**case, "link": rng.choice(LINKS)}
        data = (self.folders[source] / name).read_bytes()
        steps = []
        for _ in range(rng.choice((1, 1, 2))):
            steps.append(damage.draw(data, rng))
            data = damage.apply(steps[-1], data)
        return {**case, "damage": steps}

    def run(self, case: dict[str, Any]) -> str:
        folder = self.scratch / "case"
        shutil.rmtree(folder, ignore_errors=True)
        source = case["source"]
        shutil.copytree(self.folders[source], folder)
        path = folder / case["file"]
        before = data = path.read_bytes()
        if "link" in case:
            self._link(path, case["link"])
        else:
            for step in case["damage"]:
                data = damage.apply(step, data)
            path.write_bytes(data)
        if source == "tokenizer":
            return self._tokenize(folder)
        try:
            found = self._load(source, folder)
        except Exception as error:
            require_own_error(error)
            return "refused"
        expected = self.originals[source]
        same = expected.keys() == found.keys() and all(
            array.shape == expected[name].shape
            and array.tobytes() == expected[name].tobytes()
            for name, array in found.items()
        )
        if same:
            return "the same" if data != before else "not damaged"
        assert all(isinstance(array, np.ndarray) for array in found.values())
        assert not self._is_checked(case), "other weights without a word"
        return "another checkpoint"

    def _load(self, source: str, folder: Path) -> dict[str, np.ndarray]:
        return files.load(folder, self.heads.get(source, HEAD))[1]

    def _link(self, path: Path, target: str) -> None:
        path.unlink()
        if target == "itself":
            target = path.name
        elif target == "another":
            target = min((p.name for p in path.parent.iterdir()), default=".")
        os.symlink(target, path)

    def _is_checked(self, case: dict[str, Any]) -> bool:
        """Whether the format shows that such damage was done.

        Bits of numbers may go wrong unseen: safetensors and HDF5 have no
        checksum, and PyTorch doesn't look at that of its archives either. A
        header may say something else that is possible.
        """
        kinds = {step[0] for step in case.get("damage", ())}
        details = {step[1] for step in case.get("damage", ())}
        if case["file"].endswith(".index.json"):
            return True
        if case["file"].endswith(".json") or "link" in case:
            return False
        if kinds != {"bytes"}:
            return False
        if case["file"].endswith((".h5", ".keras")):
            return details == {"cut"}
        if case["source"] == "torch_legacy":
            # PyTorch takes what follows for another object.
            return details <= {"cut", "remove"}
        return details <= {"cut", "remove", "copy"}

    def _tokenize(self, folder: Path) -> str:
        outcomes = []
        for kind in TOKENIZERS:
            try:
                tokenizer = kind.from_pretrained(folder)
                for ids in tokenizer(TEXTS)["input_ids"]:
                    tokenizer.decode(ids)
                outcomes.append("loaded")
            except Exception as error:
                require_own_error(error)
                outcomes.append("refused")
        return f"tokenizers {' and '.join(sorted(set(outcomes)))}"
