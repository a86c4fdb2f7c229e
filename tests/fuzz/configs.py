"""Configs of random values: an error that names the field, or one that works.

Without a backend; a config that is taken, and is small, names the weights of
each head. Beside a checkpoint's weights it fits them, or an error says so in no
time: nothing of the size that it names is made.
"""

from __future__ import annotations

import dataclasses
import json
import random
import resource
import shutil
import tarfile
from pathlib import Path
from typing import Any

from checkpoints import files
from fuzz.damage import VALUES
from fuzz.target import Target
from fuzz.target import require_own_error

from tf_longformer import LongformerConfig
from tf_longformer.checkpoints import names
from tf_longformer.configuration import fields as table
from tf_longformer.heads import HEADS
from tf_longformer.memory import estimate_memory

TESTS = Path(__file__).parents[1]
MEMORY = 3 << 30
HEAD = "ForTokenClassification"
NAMES = sorted(table.NAMES)
SIZES = {
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "max_position_embeddings",
    "type_vocab_size",
    "num_labels",
    "attention_window",
}
# Values that a rule may take, besides what is absurd anywhere.
PLAUSIBLE: tuple[Any, ...] = (
    *(0, 1, 2, 3, 4, 6, 8, 12, 16, 64, 512, 10**6, 2**31 - 1, 10**10),
    *(2**64 + 2, -2, 0.0, 0.1, 0.999, 1.0, 1e-300, 1e300, -0.5),
    *(True, False, None, "gelu", "relu", "float32", "bfloat16", "regression"),
    *("single_label_classification", "2", "None", "é"),
    *([2, 4], [4], [4, 4], [0, 2], [4, 5], ["4"], [[4]], [None]),
    *({"0": "a", "1": "b"}, {"a": 0, "b": 1}, {"0": "a", "2": "b"}),
    *({"0": "a", "1": "a"}, {"x": 1}, {"0": None}, {"-1": "a"}),
)
ABSURD = "absurd: "


class Fuzzed(Target):
    seconds = 60.0
    cpu_seconds = 5.0

    def __init__(self, scratch: Path) -> None:
        super().__init__(scratch)
        with tarfile.open(TESTS / "checkpoints/hf.tar.xz") as archive:
            archive.extractall(scratch / "hf", filter="data")
        self.folder = scratch / f"hf/{HEAD}/safetensors"
        text = (self.folder / "config.json").read_text("utf-8")
        self.fields = json.loads(text)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))

    def draw(self, rng: random.Random, shared: random.Random) -> dict[str, Any]:
        values = {}
        for _ in range(rng.choice((1, 1, 2, 3))):
            name = rng.choice(NAMES)
            if name in SIZES and rng.random() < 0.3:
                values[name] = rng.randint(1, 30)
            elif rng.random() < 0.6:
                values[name] = rng.choice(PLAUSIBLE)
            else:
                values[name] = f"{ABSURD}{rng.choice(list(VALUES))}"
        return {"fields": values, "beside": rng.random() < 0.4}

    def simpler(self, case: dict[str, Any]) -> Any:
        fields = case["fields"]
        for name in fields if len(fields) > 1 else ():
            others = {n: v for n, v in fields.items() if n != name}
            yield {**case, "fields": others}

    def run(self, case: dict[str, Any]) -> str:
        values = {
            name: VALUES[value.removeprefix(ABSURD)]
            if isinstance(value, str) and value.startswith(ABSURD)
            else value
            for name, value in case["fields"].items()
        }
        if case["beside"]:
            return self._load(values)
        try:
            config = LongformerConfig(**values)
        except Exception as error:
            require_own_error(error)
            message = str(error)
        else:
            self._check(config)
            return "taken"
        # Rules between fields name the other one.
        assert any(f"`{name}`" in message for name in self._said(values))
        return "refused"

    def _said(self, values: dict[str, Any]) -> set[str]:
        """Returns names of fields, one of which an error must name."""
        said = set(values)
        if said & {"id2label", "label2id", "num_labels"}:
            said |= {"id2label", "label2id", "num_labels"}
        if "num_hidden_layers" in said:
            said.add("attention_window")
        if "num_attention_heads" in said:
            said.add("hidden_size")
        if said & {"vocab_size", "max_position_embeddings"}:
            said |= {"pad_token_id", "max_position_embeddings"}
        if "pad_token_id" in said:
            said.add("max_position_embeddings")
        return said

    def _check(self, config: LongformerConfig) -> None:
        if config.num_labels > 10**5:
            return  # It takes seconds.
        text = config.to_json_string()
        again = LongformerConfig.from_dict(json.loads(text))
        assert again == config
        assert again.to_json_string() == text
        assert len(repr(config)) > 0
        assert estimate_memory(config).total > 0
        if config.num_hidden_layers < 100:
            for head in HEADS.values():
                for weight in names.weights(config, head).values():
                    assert all(
                        size > 0 or "bias" in weight.path
                        for size in weight.shape
                    )

    def _load(self, values: dict[str, Any]) -> str:
        """Reads the weights with a config beside them that is another."""
        folder = self.scratch / "case"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        text = json.dumps({**self.fields, **values})
        (folder / "config.json").write_text(text, "utf-8")
        try:
            matching, arrays = files.load(folder, HEAD)
        except Exception as error:
            require_own_error(error)
            return "refused beside weights"
        assert len(arrays) == len(matching.found)
        return "taken beside weights"


# A field that is added is drawn too.
assert {row.name for row in dataclasses.fields(LongformerConfig)} <= {*NAMES}
