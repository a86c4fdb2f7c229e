"""Other encoders, as HF has them; runs in an oracle's environment.

Usage: python encoder_worker.py write FOLDER
       python encoder_worker.py archive FILE
       python encoder_worker.py open FOLDER
       python encoder_worker.py run FOLDER
       python encoder_worker.py ask FOLDER

`write` makes `<family>/<class>` with a tiny model of random weights, for all
families and heads, and `expected.npz` with inputs and outputs. With
TensorFlow at hand (version 4), also `tf_model.h5` of some. `archive` makes
tests/checkpoints/encoders.tar.xz of it. `open` opens each folder that has a
`case.json` {"class": ..., "inputs": file} and writes `hf.npz`. `run` reads
`texts.json` {"pairs": ..., "passages": ...} in the folder of a `BertModel`, and
writes `expected.npz` of the pairs and `vectors.npy` of the passages. `ask`
writes `results.json`, of pipelines where there are some, beside each
`questions.json`.
"""

from __future__ import annotations

import json
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

SIZES = {
    "hidden_size": 12,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 14,
    "vocab_size": 29,
    "max_position_embeddings": 16,
    "layer_norm_eps": 1e-3,
}
ROBERTA = SIZES | {"max_position_embeddings": 18, "type_vocab_size": 1}
BERT = SIZES | {"type_vocab_size": 2, "pad_token_id": 0}
# `model_type`: the beginning of its classes' names, and its configuration.
FAMILIES = {
    "bert": ("Bert", BERT),
    "roberta": ("Roberta", ROBERTA),
    "xlm-roberta": ("XLMRoberta", ROBERTA),
    "camembert": ("Camembert", ROBERTA | {"eos_token_id": 6}),
    "distilbert": (
        "DistilBert",
        {
            **{"dim": 12, "n_layers": 2, "n_heads": 3, "hidden_dim": 14},
            **{"vocab_size": 29, "max_position_embeddings": 16},
            **{"pad_token_id": 0},
        },
    ),
    "electra": ("Electra", BERT | {"embedding_size": 12}),
}
HEADS = (
    "Model",
    "ForMaskedLM",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForQuestionAnswering",
    "ForMultipleChoice",
    "ForPreTraining",
)
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WORDS = [*SPECIAL, *map(chr, range(97, 121))]
# Of all families; of BERT all are.
ARCHIVED = ("Model", "ForMaskedLM", "ForSequenceClassification")
LENGTH, PADDED = 13, 4


def write(root: Path) -> None:
    for family, (prefix, fields) in FAMILIES.items():
        for head in HEADS:
            labels = 2 if head == "ForQuestionAnswering" else 5
            config = transformers.CONFIG_MAPPING[family](
                **fields, num_labels=labels
            )
            name = f"{prefix}{head}"
            # These two are RoBERTas.
            if family in ("xlm-roberta", "camembert") and head not in HEADS[:2]:
                continue
            if hasattr(transformers, name):
                write_model(root / family / head, name, config)
        if config.pad_token_id == 0:
            write_tokenizer(root / family / "Model")


def write_tokenizer(folder: Path) -> None:
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", "utf-8")
    text = json.dumps({"model_max_length": 16})
    (folder / "tokenizer_config.json").write_text(text, "utf-8")


def write_model(folder: Path, name: str, config: Any) -> None:
    torch.manual_seed(len(name))
    model = getattr(transformers, name)(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.3)
    model.save_pretrained(folder)
    inputs = make_inputs(config, name.endswith("MultipleChoice"))
    np.savez(folder / "expected.npz", **inputs, **outputs_of(model, inputs))
    has_tensorflow = hasattr(transformers, f"TF{name}") and (
        transformers.utils.is_tf_available()
    )
    if has_tensorflow and name.endswith(("Model", "MaskedLM")):
        other = getattr(transformers, f"TF{name}").from_pretrained(
            folder, from_pt=True
        )
        other.save_pretrained(folder / "tensorflow")


def make_inputs(config: Any, choices: bool) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    ids = rng.integers(5, config.vocab_size, (2, LENGTH))
    mask = np.ones_like(ids)
    ids[1, -PADDED:], mask[1, -PADDED:] = config.pad_token_id, 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    if getattr(config, "type_vocab_size", 1) > 1:
        inputs["token_type_ids"] = rng.integers(0, 2, ids.shape)
    return {k: v[None] for k, v in inputs.items()} if choices else inputs


def outputs_of(
    model: Any, inputs: dict[str, np.ndarray], **more: Any
) -> dict[str, np.ndarray]:
    tensors = {k: torch.tensor(v) for k, v in {**inputs, **more}.items()}
    with torch.no_grad():
        found = model(**tensors, output_hidden_states=True, return_dict=True)
    arrays = {}
    for name, value in found.items():
        if name == "hidden_states":
            for number, state in enumerate(value):
                arrays[f"hidden_state_{number}"] = state.numpy()
        else:
            name = "logits" if name == "prediction_logits" else name
            arrays[name] = value.numpy()
    return arrays


def open_cases(root: Path) -> None:
    for path in sorted(root.rglob("case.json")):
        case = json.loads(path.read_text("utf-8"))
        model, info = getattr(transformers, case["class"]).from_pretrained(
            path.parent, output_loading_info=True
        )
        with np.load(case["inputs"]) as file:
            inputs = {
                name: file[name]
                for name in ("input_ids", "attention_mask", "token_type_ids")
                if name in file.files
            }
        if case["class"] == "LongformerModel" and inputs["input_ids"].ndim > 2:
            inputs = {name: array[0] for name, array in inputs.items()}
        is_global = np.zeros_like(inputs["input_ids"])
        is_global[..., 0] = 1
        outputs = outputs_of(
            model.eval(), inputs, global_attention_mask=is_global
        )
        report = {
            name: sorted(map(str, info[name]))
            for name in ("missing_keys", "unexpected_keys", "mismatched_keys")
        }
        report["config"] = model.config.to_dict()
        if (path.parent / "vocab.txt").exists():
            tokenizer = transformers.AutoTokenizer.from_pretrained(path.parent)
            report["ids"] = tokenizer("a b c")["input_ids"]
            report["model_max_length"] = tokenizer.model_max_length
        np.savez(path.parent / "hf.npz", **outputs)
        (path.parent / "hf.json").write_text(json.dumps(report), "utf-8")


def run(folder: Path) -> None:
    model = transformers.BertModel.from_pretrained(folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    texts = json.loads((folder / "texts.json").read_text("utf-8"))
    inputs = dict(
        tokenizer(
            *map(list, zip(*texts["pairs"], strict=True)),
            truncation=True,
            max_length=model.config.max_position_embeddings,
            padding=True,
            return_tensors="np",
        )
    )
    np.savez(folder / "expected.npz", **inputs, **outputs_of(model, inputs))
    passages, vectors = texts["passages"], []
    for start in range(0, len(passages), 20):
        batch = tokenizer(
            passages[start : start + 20], padding=True, return_tensors="pt"
        )
        with torch.no_grad():
            states = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None].float()
        mean = (states * mask).sum(1) / mask.sum(1)
        vectors.append(torch.nn.functional.normalize(mean).numpy())
    np.save(folder / "vectors.npy", np.concatenate(vectors))


def ask(root: Path) -> None:
    for path in sorted(root.rglob("questions.json")):
        folder = path.parent
        asked = json.loads(path.read_text("utf-8"))
        fields = json.loads((folder / "config.json").read_text("utf-8"))
        (name,) = fields["architectures"]
        model = getattr(transformers, name).from_pretrained(folder).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        if name.endswith("MultipleChoice"):
            (first, choices) = asked
            row = tokenizer([first] * len(choices), choices, padding=True)
            inputs = {k: torch.tensor(v)[None] for k, v in row.items()}
            with torch.no_grad():
                found = model(**inputs).logits[0].tolist()
        elif name.endswith("QuestionAnswering"):
            run = transformers.pipeline(
                "question-answering", model=model, tokenizer=tokenizer
            )
            found = run(**asked, align_to_words=False)
        else:
            run = transformers.pipeline(
                "text-classification", model=model, tokenizer=tokenizer
            )
            found = run(asked, top_k=None)
        (folder / "results.json").write_text(json.dumps(found), "utf-8")


def archive(path: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root)
        with tarfile.open(path, "w:xz") as file:
            for item in sorted(root.glob("*/*")):
                if item.name in ARCHIVED or item.parent.name == "bert":
                    file.add(item, str(item.relative_to(root)))


if __name__ == "__main__":
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)
    tasks = {
        **{"write": write, "archive": archive},
        **{"open": open_cases, "run": run, "ask": ask},
    }
    tasks[sys.argv[1]](Path(sys.argv[2]))
