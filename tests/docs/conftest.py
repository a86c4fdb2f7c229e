import json
import lzma
import shutil
import tarfile
from pathlib import Path

import pytest

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerForSequenceClassification

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def material(tmp_path_factory):
    """What pages take for granted, in small: checkpoints and examples."""
    folder = tmp_path_factory.mktemp("material")
    model = folder / "longformer-base-4096"
    config = LongformerConfig(
        vocab_size=261,
        hidden_size=12,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        attention_window=8,
        max_position_embeddings=64,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        sep_token_id=2,
    )
    TFLongformerForMaskedLM(config).save_pretrained(model)
    kept = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = range(256, 256 + 256 - len(kept))
    letters = [chr(code) for code in [*kept, *others]]
    tokens = ["<s>", "<pad>", "</s>", "<unk>", *letters, "<mask>"]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    (model / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (model / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    classifier = TFLongformerForSequenceClassification.from_pretrained(model)
    classifier.save_pretrained(folder / "my-classifier")
    tokenizer = LongformerTokenizerFast.from_pretrained(model)
    tokenizer.save_pretrained(folder / "my-classifier")
    for name in ("train", "dev"):
        lines = [json.dumps({"text": x, "label": x}) for x in "abba"]
        (folder / f"{name}.jsonl").write_text("\n".join(lines), "utf-8")
    archive = TESTS / "checkpoints/encoders.tar.xz"
    with lzma.open(archive) as file, tarfile.open(fileobj=file) as encoders:
        for member in encoders:
            path = Path(member.name)
            if path.parent.as_posix() == "bert/Model" and member.isfile():
                target = folder / "bert-base-uncased" / path.name
                target.parent.mkdir(exist_ok=True)
                target.write_bytes(encoders.extractfile(member).read())
    return folder


@pytest.fixture
def reader(material, tmp_path, monkeypatch):
    """The folder of somebody who follows a page, without a network."""
    shutil.copytree(material, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path
