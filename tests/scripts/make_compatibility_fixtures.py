"""Makes `tests/compatibility/files`, which were written by commit 486b773.

They stand for what users have on their disks, so they are never made anew
with a later state of the code. To make further ones, run this script with
the code of that commit, which `TREE` holds:

    git worktree add TREE 486b773
    PYTHONPATH=TREE python tests/scripts/make_compatibility_fixtures.py FOLDER

Everything is tiny: one or two layers of width 8. `expected.npz` beside a file
has the inputs (`input/NAME`), the weights (`weight/NUMBER`, in the model's
order) and the outputs (`output/NAME`) as they were then.
"""

from __future__ import annotations

import contextlib
import json
import lzma
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

import tf_longformer  # noqa: E402
from tf_longformer import LongformerConfig  # noqa: E402
from tf_longformer import LongformerTextPreprocessor  # noqa: E402
from tf_longformer import LongformerTokenizer  # noqa: E402
from tf_longformer import LongformerTokenizerFast  # noqa: E402
from tf_longformer import TFLongformerEmbeddings  # noqa: E402
from tf_longformer import TFLongformerEncoder  # noqa: E402
from tf_longformer import TFLongformerSelfAttention  # noqa: E402
from tf_longformer.cli.app import main as command_line  # noqa: E402

HEADS = (
    "Model",
    "ForMaskedLM",
    "ForQuestionAnswering",
    "ForSequenceClassification",
    "ForTokenClassification",
    "ForMultipleChoice",
)
# With one layer, so that all files together stay small.
SHALLOW = HEADS[3:]
VOCABULARY = 31
BATCH, LENGTH = 3, 11
SEPARATOR, PADDING = 2, 1
TOKENIZER = Path(__file__).parents[1] / "golden/tokenizer/small"
TEXTS = (
    "",
    "A dog <mask>.",
    "  two  spaces\t\r\n and lines ",
    "<s> special </s></s> tokens <pad> inside",
    "é ǅ ß 日本語 \u0301 combining 👩\u200d👧 \u0085",
    "'s it's we'll 1234567890 ¾ Ⅷ ٣",
)
QUESTIONS = ("Who was it?", "Where did the dog go?")
CONTEXTS = ("It was Ada, who wrote notes.", "The dog went home, at last.")


def main() -> None:
    """Writes all files."""
    folder = Path(sys.argv[1])
    for seed, head in enumerate(HEADS):
        write_head(folder / head, head, seed)
    write_layers(folder / "layers")
    write_text_preprocessor(folder / "text_preprocessor")
    write_tokenizers(folder / "tokenizers")
    write_config(folder / "config")
    write_saved_model(folder / "saved_model")


def make(head: str, **fields: Any) -> Any:
    """Makes a model whose weights are large enough to show in outputs."""
    if head == "ForTokenClassification":
        fields["id2label"] = {0: "O", 1: "B-PER", 2: "I-PER"}
    if head in SHALLOW:
        fields |= {"num_hidden_layers": 1, "attention_window": 4}
    config = LongformerConfig(
        **{
            "vocab_size": VOCABULARY,
            "hidden_size": 8,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "intermediate_size": 12,
            "attention_window": [4, 6],
            "max_position_embeddings": 29,
            "type_vocab_size": 1,
            "hidden_dropout_prob": 0.0,
            "attention_probs_dropout_prob": 0.0,
            "initializer_range": 0.3,
            **fields,
        }
    )
    model = getattr(tf_longformer, f"TFLongformer{head}")(config)
    generator = np.random.default_rng(1)
    for weight in model.weights:
        # Biases and scales too, which start alike.
        noise = generator.normal(0, 0.1, weight.shape).astype("float32")
        weight.assign(weight.numpy() + noise)
    return model


def make_inputs(head: str) -> dict[str, np.ndarray]:
    """Draws rows of three parts, the second one padded."""
    generator = np.random.default_rng(2)
    shape: tuple[int, ...] = (BATCH, LENGTH)
    if head == "ForMultipleChoice":
        shape = (BATCH, 2, LENGTH)
    ids = generator.integers(5, VOCABULARY, shape)
    ids[..., [3, 4, 8]] = SEPARATOR
    mask = np.ones(shape)
    ids[1, ..., 9:], mask[1, ..., 9:] = PADDING, 0
    chosen = generator.random(shape) < 0.3
    inputs = {
        "input_ids": ids,
        "attention_mask": mask,
        "global_attention_mask": chosen,
    }
    return {name: value.astype("int32") for name, value in inputs.items()}


def numbers(model: Any, inputs: Any, outputs: Any) -> dict[str, Any]:
    """Returns what `expected.npz` holds."""
    if not isinstance(inputs, dict):
        inputs = {"states": inputs}
    if not isinstance(outputs, dict):
        outputs = {"states": outputs}
    weights = {str(i): w.numpy() for i, w in enumerate(model.weights)}
    return {
        f"{part}/{name}": np.asarray(value)
        for part, found in (
            ("input", inputs),
            ("weight", weights),
            ("output", dict(outputs.items())),
        )
        for name, value in found.items()
    }


def save_numbers(folder: Path, model: Any, inputs: Any, **more: Any) -> None:
    """Writes `expected.npz`."""
    found = numbers(model, inputs, model(inputs))
    np.savez_compressed(folder / "expected.npz", **found, **more)


def write_head(folder: Path, head: str, seed: int) -> None:
    """Writes one model in every form; the variants for masked words."""
    keras.utils.set_random_seed(seed)
    model, inputs = make(head), make_inputs(head)
    model.save_pretrained(folder / "safetensors")
    model.save(folder / "model.keras")
    save_numbers(folder, model, inputs)
    if head == "ForMaskedLM":
        model.save_pretrained(folder / "h5", "h5")
        model.save_weights(folder / "model.weights.h5")
        for write in (write_trained, write_lora, write_int8, write_bfloat16):
            keras.utils.set_random_seed(seed)
            target = folder / write.__name__.removeprefix("write_")
            target.mkdir()
            write(target, make(head), inputs)


def write_trained(folder: Path, model: Any, inputs: Any) -> None:
    """Writes a model that was trained, with a frozen layer, compiled."""
    labels = np.where(inputs["input_ids"] % 3 == 0, inputs["input_ids"], -100)
    data = {**inputs, "labels": labels.astype("int32")}
    model.longformer.encoder.blocks[0].trainable = False
    model.compile(keras.optimizers.AdamW(1e-2), run_eagerly=True)
    model.fit(data, shuffle=False, verbose=0)
    model.save(folder / "model.keras")
    state = {
        f"optimizer/{i}": variable.numpy()
        for i, variable in enumerate(model.optimizer.variables)
    }
    save_numbers(
        folder,
        model,
        inputs,
        **state,
        labels=data["labels"],
        loss=model.evaluate(data, verbose=0),
        trainable=[weight.trainable for weight in model.weights],
    )


def write_lora(folder: Path, model: Any, inputs: Any) -> None:
    """Writes a model with adapters, whose files hold the sums."""
    model.enable_lora(2)
    for weight in model.weights:
        if weight.name.endswith("lora_kernel_b"):
            weight.assign(weight.numpy() + 0.05)
    path = folder / "model.keras"
    model.save(path)
    found = numbers(keras.models.load_model(path), inputs, model(inputs))
    np.savez_compressed(folder / "expected.npz", **found)


def write_int8(folder: Path, model: Any, inputs: Any) -> None:
    """Writes a model whose matrices are integers."""
    model.quantize("int8")
    model.save(folder / "model.keras")
    save_numbers(folder, model, inputs)


def write_bfloat16(folder: Path, model: Any, inputs: Any) -> None:
    """Writes a model of another policy."""
    config, weights = model.config, model.get_weights()
    model = type(model)(config, dtype="mixed_bfloat16")
    model.set_weights(weights)
    model.save(folder / "model.keras")
    found = numbers(model, inputs, {})
    logits = np.asarray(keras.ops.cast(model(inputs).logits, "float32"))
    np.savez_compressed(
        folder / "expected.npz", **found, **{"output/logits": logits}
    )


def write_layers(folder: Path) -> None:
    """Writes a functional model of the public layers."""
    folder.mkdir(parents=True)
    keras.utils.set_random_seed(11)
    ids = keras.Input([None], dtype="int32", name="input_ids")
    mask = keras.Input([None], dtype="int32", name="attention_mask")
    chosen = keras.Input([None], dtype="int32", name="global_attention_mask")
    states = TFLongformerEmbeddings(
        vocab_size=VOCABULARY,
        hidden_size=8,
        max_position_embeddings=29,
        initializer_range=0.3,
    )(ids)
    states = TFLongformerEncoder(
        num_layers=2,
        num_heads=2,
        intermediate_size=12,
        attention_window=[4, 6],
        initializer_range=0.3,
    )(states, attention_mask=mask, global_attention_mask=chosen)
    states = TFLongformerSelfAttention(
        num_heads=2,
        attention_window=4,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.5),
        name="last",
    )(states, attention_mask=mask, global_attention_mask=chosen)
    model = keras.Model([ids, mask, chosen], states)
    model.save(folder / "model.keras")
    save_numbers(folder, model, make_inputs("Model"))


def write_text_preprocessor(folder: Path) -> None:
    """Writes a functional model from texts to ids."""
    folder.mkdir(parents=True)
    tokenizer = LongformerTokenizerFast.from_pretrained(TOKENIZER)
    texts = keras.Input((), dtype="string")
    layer = LongformerTextPreprocessor(tokenizer, max_length=16)
    model = keras.Model(texts, layer(texts))
    model.save(folder / "model.keras")
    outputs = model(tf.constant(TEXTS))
    np.savez_compressed(
        folder / "expected.npz",
        **{f"output/{name}": value.numpy() for name, value in outputs.items()},
        texts=np.array(TEXTS),
    )


def write_tokenizers(folder: Path) -> None:
    """Writes a folder of each class, with a token of the user's."""
    for name, kind in (
        ("slow", LongformerTokenizer),
        ("fast", LongformerTokenizerFast),
    ):
        tokenizer = kind.from_pretrained(TOKENIZER, model_max_length=40)
        tokenizer.add_tokens(["dog"])
        tokenizer.save_pretrained(folder / name)
        encoding = tokenizer(list(TEXTS))
        expected = {
            "texts": TEXTS,
            "input_ids": encoding["input_ids"],
            "decoded": tokenizer.batch_decode(encoding["input_ids"]),
            "pair": tokenizer(QUESTIONS[0], CONTEXTS[0])["input_ids"],
            "model_max_length": tokenizer.model_max_length,
        }
        text = json.dumps(expected, indent=1)
        (folder / name / "expected.json").write_text(text + "\n", "utf-8")


def write_config(folder: Path) -> None:
    """Writes a configuration that differs from the defaults in much."""
    config = LongformerConfig(
        attention_window=[4, 6],
        num_hidden_layers=2,
        hidden_size=8,
        num_attention_heads=2,
        id2label={0: "no", 1: "maybe", 2: "yes"},
        problem_type="single_label_classification",
        classifier_dropout=0.25,
        hidden_act="gelu_new",
        attention_slots=3,
        somebodys_own={"a": [1, 2]},
    )
    config.save_pretrained(folder)
    text = json.dumps(config.to_dict(), indent=1, sort_keys=True)
    (folder / "expected.json").write_text(text + "\n", "utf-8")


def write_saved_model(folder: Path) -> None:
    """Writes an export that answers questions, packed, and its answers."""
    folder.mkdir(parents=True)
    tokenizer = LongformerTokenizerFast.from_pretrained(TOKENIZER)
    keras.utils.set_random_seed(5)
    model = make(
        "ForQuestionAnswering",
        vocab_size=max(tokenizer.get_vocab().values()) + 1,
        max_position_embeddings=66,
    )
    with tempfile.TemporaryDirectory() as made:
        path = Path(made) / "1"
        tf_longformer.export_saved_model(model, path, tokenizer)
        packed = folder / "saved_model.tar.xz"
        with lzma.open(packed, "w", preset=9) as file:
            with tarfile.open(fileobj=file, mode="w") as archive:
                archive.add(path, "1")
        records = [
            {"question": question, "context": context}
            for question, context in zip(QUESTIONS, CONTEXTS, strict=True)
        ]
        questions, answers = (
            folder / "questions.jsonl",
            folder / "answers.jsonl",
        )
        lines = "".join(f"{json.dumps(record)}\n" for record in records)
        questions.write_text(lines, "utf-8")
        with contextlib.suppress(SystemExit):
            command_line(["predict", str(path), str(questions), str(answers)])
        signatures = tf.saved_model.load(str(path)).signatures
        outputs = signatures["text"](
            question=tf.constant(QUESTIONS), context=tf.constant(CONTEXTS)
        )
        ids = tokenizer(list(QUESTIONS), list(CONTEXTS), padding=True)
        rows = {
            name: tf.constant(ids[name], tf.int32)
            for name in ("input_ids", "attention_mask")
        }
        served = signatures["serving_default"](**rows)
    strings = {
        name: value.numpy().astype(str)
        if value.dtype == tf.string
        else value.numpy()
        for name, value in outputs.items()
    }
    np.savez_compressed(
        folder / "expected.npz",
        questions=np.array(QUESTIONS),
        contexts=np.array(CONTEXTS),
        **{f"text/{name}": value for name, value in strings.items()},
        **{f"input/{name}": value.numpy() for name, value in rows.items()},
        **{f"output/{name}": value.numpy() for name, value in served.items()},
    )


if __name__ == "__main__":
    main()
