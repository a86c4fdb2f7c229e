"""Fine-tunes a document classifier on JSONL files, and evaluates it.

    python examples/finetune_classifier.py longformer-base-4096 \\
        train.jsonl dev.jsonl my-classifier

Each line of the files is an object with `text` and `label`; labels are
strings. The recipe is the paper's (Table 14): AdamW, a learning rate of 3e-5
with linear warm-up over a tenth of the steps and linear decay, the first
token global. Documents are padded to one of a few lengths, so that XLA
(`--jit`) compiles few programs.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_longformer import LongformerTokenizerFast
from tf_longformer import PaddingCollator
from tf_longformer import TFLongformerForSequenceClassification


def read(path: Path) -> tuple[list[str], list[str]]:
    """Returns the texts and the labels of a JSONL file."""
    # `splitlines` would cut at line ends that JSON has within strings.
    lines = path.read_text("utf-8").split("\n")
    rows = [json.loads(line) for line in lines if line.strip()]
    return [row["text"] for row in rows], [row["label"] for row in rows]


class Batches(keras.utils.PyDataset):
    """Batches of documents of about the same length, in a new order each time.

    Args:
        encoding: the tokenizer's, not padded.
        labels: list of ints.
        collator: `PaddingCollator`.
        batch_size: int.
        seed: int.
    """

    def __init__(
        self,
        encoding: Any,
        labels: list[int],
        collator: PaddingCollator,
        batch_size: int,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.examples = [
            {"input_ids": ids, "labels": label}
            for ids, label in zip(encoding["input_ids"], labels, strict=True)
        ]
        self.collator = collator
        self.batch_size = batch_size
        self.rng = np.random.default_rng(seed)
        self.on_epoch_end()

    def on_epoch_end(self) -> None:
        shuffled = self.rng.permutation(len(self.examples))
        lengths = [len(example["input_ids"]) for example in self.examples]
        by_length = sorted(shuffled, key=lambda i: lengths[i] // 256)
        batches = [
            by_length[start : start + self.batch_size]
            for start in range(0, len(by_length), self.batch_size)
        ]
        self.rng.shuffle(batches)
        self.batches = batches

    @property
    def num_batches(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[dict[str, np.ndarray]]:
        rows = [self.examples[i] for i in self.batches[index]]
        # Labels among the inputs bring the head's own loss.
        return (self.collator(rows),)


class WarmUpAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Rises over the first tenth of the steps, then falls to zero.

    Args:
        peak: float, the highest rate.
        steps: int, all steps.
    """

    def __init__(self, peak: float, steps: int) -> None:
        self.peak = peak
        self.steps = steps

    def __call__(self, step: Any) -> Any:
        step = keras.ops.cast(step, "float32")
        warmup = max(self.steps // 10, 1)
        rising = (step + 1) / warmup
        falling = (self.steps - step) / max(self.steps - warmup, 1)
        return self.peak * keras.ops.clip(
            keras.ops.minimum(rising, falling), 0.0, 1.0
        )

    def get_config(self) -> dict[str, Any]:
        return {"peak": self.peak, "steps": self.steps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="folder with weights and tokenizer")
    parser.add_argument("train", type=Path)
    parser.add_argument("dev", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--learning-rate", type=float, default=3e-5)
    parser.add_argument("--max-length", type=int, default=4096)
    parser.add_argument("--dtype", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--jit", action="store_true", help="compile with XLA")
    options = parser.parse_args()

    train_texts, train_labels = read(options.train)
    dev_texts, dev_labels = read(options.dev)
    names = sorted(set(train_labels))
    number = {name: index for index, name in enumerate(names)}
    unseen = sorted(set(dev_labels) - set(names))
    if unseen:
        parser.error(
            f"Labels of {options.dev} must occur in {options.train}. "
            f"Received: {', '.join(unseen)}. Add examples, or leave those out."
        )

    tokenizer = LongformerTokenizerFast.from_pretrained(options.model)
    model = TFLongformerForSequenceClassification.from_pretrained(
        options.model,
        dtype=options.dtype,
        id2label=dict(enumerate(names)),
        label2id=number,
    )
    length = min(options.max_length, model.config.max_tokens)
    buckets = [size for size in (256, 512, 1024, 2048) if size < length]
    collator = PaddingCollator(tokenizer, buckets=[*buckets, length])

    def batches(texts: list[str], labels: list[str]) -> Batches:
        encoding = tokenizer(texts, truncation=True, max_length=length)
        return Batches(
            encoding,
            [number[label] for label in labels],
            collator,
            options.batch_size,
        )

    train = batches(train_texts, train_labels)
    steps = train.num_batches * options.epochs
    model.compile(
        keras.optimizers.AdamW(
            WarmUpAndDecay(options.learning_rate, steps), weight_decay=0.01
        ),
        metrics=["accuracy"],
        jit_compile=options.jit,
    )
    model.fit(train, epochs=options.epochs)
    results = model.evaluate(batches(dev_texts, dev_labels), return_dict=True)
    print(f"dev accuracy: {results['accuracy']:.1%}")
    model.save_pretrained(options.output)
    tokenizer.save_pretrained(options.output)


if __name__ == "__main__":
    main()
