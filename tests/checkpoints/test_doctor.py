"""What would go wrong with a checkpoint: folders as people have them."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from checkpoints import files
from safetensors.numpy import save_file

from tf_longformer.checkpoints.doctor import find_problems
from tf_longformer.checkpoints.locate import locate
from tf_longformer.cli.app import main
from tf_longformer.errors import CheckpointError

HEAD = "ForQuestionAnswering"


def write(folder, name, content):
    text = content if isinstance(content, str) else json.dumps(content)
    (folder / name).write_text(text, "utf-8")


@pytest.fixture
def folder(hf, tmp_path):
    return files.copy(hf / HEAD / "safetensors", tmp_path / "x")


def test_what_transformers_writes_is_well(hf, folder):
    for head in files.HEADS:
        assert find_problems(locate(hf / head / "torch")) == []
    assert find_problems(locate(hf / HEAD / "tensorflow_sharded")) == []
    vocab = {
        token: index for index, token in enumerate("<s> <pad> </s>".split())
    }
    write(folder, "vocab.json", vocab)
    write(folder, "tokenizer_config.json", {"model_max_length": int(1e30)})
    assert find_problems(locate(folder)) == []


def test_a_bert_made_long(hf, tmp_path):
    """As coastalcph's are: WordPiece, padding 0, a separator left at 2."""
    folder = files.copy(
        hf / HEAD / "safetensors", tmp_path / "x", pad_token_id=0
    )
    words = ["[PAD]", "a", "b", "c", "[CLS]", "[SEP]", *"defgijk"]
    write(folder, "vocab.txt", "\n".join(words) + "\n")
    write(folder, "tokenizer_config.json", {"model_max_length": 17})
    length, separator = find_problems(locate(folder))
    assert "`model_max_length` is 17, but texts may have 16 tokens" in length
    assert "of the 17 rows of positions 1 (`pad_token_id` + 1)" in length
    assert "`model.extend_positions(17)`" in length
    assert "`sep_token_id` is 2, but the tokenizer's '[SEP]' is 5" in separator
    assert "`from_pretrained(…, sep_token_id=5)`" in separator


def test_a_tokenizer_of_another_model(folder):
    tokens = [{"id": 40, "content": "<mask>"}, {"id": 9, "content": "<pad>"}]
    write(folder, "tokenizer.json", {"model": {}, "added_tokens": tokens})
    special = {"pad_token": {"content": "<pad>"}}
    write(folder, "special_tokens_map.json", special)
    more, padding = find_problems(locate(folder))
    assert "ids up to 40, the model only 13 rows" in more
    assert "`model.resize_token_embeddings(41)`" in more
    assert "`pad_token_id` is 1, but the tokenizer's '<pad>' is 9" in padding


@pytest.mark.parametrize("name", ["tokenizer_config.json", "vocab.txt"])
def test_a_damaged_tokenizer(folder, name):
    (folder / name).write_bytes(b"\xff{")
    (problem,) = find_problems(locate(folder))
    assert "tokenizer's files can't be read" in problem


@pytest.mark.parametrize("name", ["layer_norm_eps", "pad_token_id"])
def test_a_field_that_falls_back(folder, name):
    path = folder / "config.json"
    fields = json.loads(path.read_text("utf-8"))
    default = fields.pop(name)
    write(folder, "config.json", fields)
    (problem,) = find_problems(locate(folder))
    assert f"has no `{name}`, so that the default, {default!r}" in problem


def test_windows_of_one_side(hf, tmp_path):
    folder = files.copy(
        hf / HEAD / "safetensors",
        tmp_path / "x",
        model_type="roberta",
        attention_mode="sliding_chunks",
        attention_dilation=[1, 1],
    )
    (problem,) = find_problems(locate(folder))
    assert "AllenAI's, of one side (4 and 8); they are read as 8 and" in problem


ENCODER = {"attention_window": None, "model_type": "bert"}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, r"of which a Longformer can be made: .*convert"),
        ({"is_decoder": True}, r"no Longformer can be made\. .*is_decoder"),
        (
            {"model_type": "electra", "embedding_size": 3},
            r"no Longformer can be made\. .*embedding_size=3",
        ),
    ],
)
def test_encoders_for_short_texts(hf, tmp_path, capsys, fields, message):
    folder = files.copy(
        hf / HEAD / "safetensors", tmp_path / "x", **{**ENCODER, **fields}
    )
    (problem,) = find_problems(locate(folder))
    assert re.search(message, problem)
    # It is all that `info` says, without advice that no command can take.
    with pytest.raises(SystemExit, match="2"):
        main(["info", str(folder)])
    out, err = capsys.readouterr()
    assert out == ""
    assert " ".join(err.split()) == f"error: {' '.join(problem.split())}"


# Changes of the tensors, fields of the config, and what is to be said.
KINDS = {
    "rotary": (
        lambda t: t | {"encoder.rotary_emb.inv_freq": np.ones(3, "f4")},
        {},
        r"positions are rotary.*inv_freq.*wrong results",
    ),
    "rotary by name": (
        dict,
        {"position_embedding_type": "rope"},
        r"positions are rotary.*position_embedding_type='rope'",
    ),
    "relative": (
        lambda t: t | {"encoder.relative_attention_bias": np.ones(3, "f4")},
        {"model_type": "mpnet"},
        r"positions are relative.*relative_attention_bias",
    ),
    "encoder-decoder": (
        lambda t: {f"led.decoder.layers.0.{n}": a for n, a in t.items()},
        {"model_type": "led", "is_encoder_decoder": True},
        r"encoder-decoder \(model_type='led'\).*encoder alone",
    ),
    "bitsandbytes": (
        lambda t: t | {"longformer.x.weight.absmax": np.ones(3, "f4")},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        r"quantized by 'bitsandbytes' \(longformer\.x.*dequantize",
    ),
    "whole numbers": (
        lambda t: {
            n: a.astype("i1") if a.ndim == 2 else a for n, a in t.items()
        },
        {},
        r"were quantized \(.*, \.\.\.\) by another library",
    ),
    "missing": (
        lambda t: {n: a for n, a in t.items() if "layer.1.output" not in n},
        {},
        r"lacks 4 weights of a LongformerForQuestionAnswering",
    ),
    "sizes": (
        dict,
        {"vocab_size": 19},
        r"\(13, 6\) in the file, and \(19, 6\)",
    ),
    "names": (
        lambda t: {f"esm.{n.replace('.', '_')}": a for n, a in t.items()},
        {"architectures": None},
        r"no Longformer \(they begin with esm\)",
    ),
    "no global projections": (
        lambda t: {n: a for n, a in t.items() if "_global" not in n},
        {"model_type": "roberta"},
        r"no projections of global tokens",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore:.*position_embedding_type")
def test_other_kinds(hf, kind, tmp_path):
    change, fields, said = KINDS[kind]
    folder = files.rewrite(hf, HEAD, tmp_path / "x", change, **fields)
    found = find_problems(locate(folder))
    assert len(found) == 1, found
    assert re.search(said, found[0]), found[0]


def test_what_an_encoder_for_short_texts_becomes(hf, tmp_path):
    folder = files.copy(
        hf / HEAD / "safetensors", tmp_path / "x", model_type="bert"
    )
    path = folder / "config.json"
    fields = json.loads(path.read_text("utf-8"))
    del fields["attention_window"]
    path.write_text(json.dumps(fields), "utf-8")
    (advice,) = find_problems(locate(folder))
    assert f"`tf-longformer convert {folder} FOLDER --max-tokens" in advice


def test_a_tokenizer_that_cannot_be_run(folder):
    (folder / "sentencepiece.bpe.model").write_bytes(b"x")
    (problem,) = find_problems(locate(folder))
    assert "Have transformers write tokenizer.json" in problem


@pytest.mark.parametrize(
    ("modules", "pooling", "problem"),
    [
        (
            ["Transformer", "Pooling"],
            "max",
            "in a way that `embed` lacks (max)",
        ),
        (["Transformer", "Pooling", "Dense"], "mean", "Received: 2_Dense with"),
        (["Transformer", "Pooling", "LSTM"], "mean", "Pooling, LSTM in "),
        (["Transformer", "Pooling"], "mean", None),
    ],
)
def test_vectors_of_sentence_transformers(folder, modules, pooling, problem):
    folders = ["", "1_Pooling", f"2_{modules[-1]}"]
    listed = [
        {"type": f"x.{kind}", "path": path}
        for kind, path in zip(modules, folders, strict=False)
    ]
    (folder / "1_Pooling").mkdir()
    write(folder, "modules.json", listed)
    write(folder, "1_Pooling/config.json", {"pooling_mode": pooling})
    found = find_problems(locate(folder))
    assert len(found) == (problem is not None)
    assert problem is None or problem in found[0]


def test_names_of_another_architecture(folder):
    """As ModernBERT's, under the config of a Longformer."""
    array = np.ones((3, 3), "float32")
    weights = {f"model.layers.{n}.attn.Wqkv.weight": array for n in range(50)}
    save_file(weights, folder / "model.safetensors")
    (problem,) = find_problems(locate(folder))
    assert "of no Longformer (they begin with model)" in problem


def test_files_of_other_programs(folder):
    (folder / "model.safetensors").unlink()
    (folder / "model.Q4.gguf").write_bytes(b"GGUF")
    with pytest.raises(CheckpointError, match="'model.Q4.gguf'. Take the weig"):
        find_problems(locate(folder))
    (folder / "config.json").unlink()
    with pytest.raises(OSError, match="'model.Q4.gguf'. Take the weights"):
        find_problems(locate(folder))
