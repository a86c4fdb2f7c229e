"""Tokenizers of other models: read, saved and trained as transformers does.

For each family transformers writes a folder; what its class says of texts
must be what ours says, of its folder and of what we save of it.
"""

import json
import os
import subprocess

import pytest
from oracles import tokenizer_kinds_oracle as oracle
from oracles import tokenizer_oracle
from tokenization.conftest import DATA

from tf_longformer import LongformerTokenizer

pytestmark = pytest.mark.oracle

# transformers 5 makes these of the vocabulary, and drops a normalizer that
# isn't sentencepiece's.
REMADE_BY_5 = {"XLMRobertaTokenizerFast", "CamembertTokenizerFast"}


def run(version, *arguments):
    interpreter = os.environ.get(f"TF_LONGFORMER_ORACLE_{version}")
    if not interpreter:
        pytest.skip(f"TF_LONGFORMER_ORACLE_{version} names no interpreter")
    done = subprocess.run(
        [interpreter, oracle.__file__, *map(str, arguments)],
        env={**os.environ, "HF_HUB_OFFLINE": "1", "PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_families(tmp_path):
    vocab = DATA / "minilm" / "vocab.txt"
    if not vocab.is_file():
        pytest.skip(f"there is no vocabulary of a BERT in {DATA}")
    classes = run(4, "write", vocab, tmp_path)
    theirs = {n: run(n, "read", tmp_path) for n in (4, 5)}
    saved = tmp_path / "saved"
    for name, class_name in classes.items():
        tokenizer = LongformerTokenizer.from_pretrained(tmp_path / name)
        ours = oracle.answer(tokenizer, tokenizer_oracle)
        for version, answers in theirs.items():
            if version == 5 and class_name in REMADE_BY_5:
                continue
            assert ours == answers[name], (name, version)
        tokenizer.save_pretrained(saved / name)
        oracle.write_config(saved / name, class_name)
    for version in (4, 5):
        again = run(version, "auto", saved)
        for name in classes:
            tokenizer = LongformerTokenizer.from_pretrained(saved / name)
            assert oracle.answer(tokenizer, tokenizer_oracle) == again[name], (
                name,
                version,
            )
    trained = run(4, "train", tmp_path)
    for name in classes:
        tokenizer = LongformerTokenizer.from_pretrained(tmp_path / name)
        found = oracle.answer(oracle.train(tokenizer), tokenizer_oracle)
        # The library itself numbers trained pieces anew each time: the roles,
        # their ids and the size are compared.
        assert found[0] == trained[name][0], name
