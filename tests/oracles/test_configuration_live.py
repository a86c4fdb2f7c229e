"""`LongformerConfig` against transformers 4 and 5, both ways.

Name their interpreters in TF_LONGFORMER_ORACLE_4 and TF_LONGFORMER_ORACLE_5.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tf_longformer.configuration import LongformerConfig

pytestmark = pytest.mark.oracle

WINDOWS = {"num_hidden_layers": 3, "attention_window": [8, 12, 2]}
CASES = [
    {},
    {"attention_window": 64},
    WINDOWS,
    {
        "vocab_size": 50265,
        "max_position_embeddings": 4098,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-05,
        "attention_window": [512] * 12,
        "attention_mode": "longformer",
        "ignore_attention_mask": False,
    },
    {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16},
    {"num_labels": 1, "problem_type": "regression"},
    {"num_labels": 2},
    {"num_labels": 7, "problem_type": "single_label_classification"},
    {"num_labels": 3, "problem_type": "multi_label_classification"},
    {"id2label": {"0": "no", "1": "yes"}},
    {"id2label": {"0": "no", "1": "yes"}, "label2id": {"no": 0, "yes": 1}},
    {"id2label": {"2": "c", "0": "ä", "1": "b"}},
    {"id2label": {"0": "O", "1": "O"}, "label2id": {"O": 0}},
    {"id2label": {"0": 0, "1": 1}, "label2id": {"0": 0, "1": 1}},
    {"pad_token_id": 0, "bos_token_id": None, "sep_token_id": None},
    {"eos_token_id": [2, 5], "sep_token_id": 102, "bos_token_id": 101},
    {"hidden_act": "gelu_new", "intermediate_size": 99},
    {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0},
    {"tie_word_embeddings": False, "onnx_export": True},
    {"output_attentions": True, "output_hidden_states": True},
    {"return_dict": False, "chunk_size_feed_forward": 4},
    {"return_dict": None, "output_hidden_states": None},
    {"dtype": "float16", "architectures": ["LongformerForMaskedLM"]},
    {"torch_dtype": "bfloat16"},
    {"initializer_range": 0.0, "attention_slots": 4, "mine": {"a": [1, None]}},
]
# What only says who wrote the file, or from where it was loaded.
PASSING = {"transformers_version", "_name_or_path"}


@pytest.fixture(scope="module", params=[4, 5])
def oracle(request, tmp_path_factory) -> Path:
    """The folder that the oracle's script left (see there)."""
    variable = f"TF_LONGFORMER_ORACLE_{request.param}"
    interpreter = os.environ.get(variable)
    if not interpreter:
        pytest.skip(
            f"{variable} doesn't name the interpreter of an environment "
            f"with transformers {request.param}"
        )
    folder = tmp_path_factory.mktemp(f"configuration_{request.param}")
    (folder / "cases.json").write_text(json.dumps(CASES), "utf-8")
    for number, case in enumerate(CASES):
        LongformerConfig(**case).save_pretrained(folder / f"ours/{number}")
    script = Path(__file__).with_name("configuration_oracle.py")
    done = subprocess.run(
        [interpreter, str(script), str(folder)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.fail(f"the oracle's script failed:\n{done.stderr}")
    return folder


def load(path: Path) -> dict:
    fields = json.loads(path.read_text("utf-8"))
    return {name: fields[name] for name in fields.keys() - PASSING}


def as_json(config: LongformerConfig) -> dict:
    fields = json.loads(json.dumps(config.to_dict()))
    return {name: fields[name] for name in fields.keys() - PASSING}


@pytest.mark.parametrize("number", range(len(CASES)))
def test_transformers_reads_ours_as_its_own(oracle, number):
    read = load(oracle / f"read/{number}.json")
    assert read == load(oracle / f"built/{number}.json")
    # And every field of ours has arrived.
    assert read.items() >= as_json(LongformerConfig(**CASES[number])).items()


@pytest.mark.parametrize("number", range(len(CASES)))
def test_we_read_theirs_as_our_own(oracle, number):
    read = LongformerConfig.from_pretrained(oracle / f"theirs/{number}")
    assert as_json(read) == as_json(LongformerConfig(**CASES[number]))
    assert read.transformers_version.split(".")[0] in "45"


@pytest.mark.parametrize("number", range(len(CASES)))
def test_we_read_their_full_files_and_keep_all(oracle, number):
    path = oracle / f"full/{number}/config.json"
    read = as_json(LongformerConfig.from_pretrained(path))
    assert read == load(path)
    assert read.items() >= as_json(LongformerConfig(**CASES[number])).items()


@pytest.mark.parametrize("number", range(len(CASES)))
def test_we_write_the_fields_that_transformers_5_writes(oracle, number):
    theirs = load(oracle / f"theirs/{number}/config.json")
    ours = load(oracle / f"ours/{number}/config.json")
    # transformers 4 leaves this one out where it is at its default.
    theirs.setdefault("tie_word_embeddings", True)
    assert ours == theirs
