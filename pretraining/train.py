"""Trains `mini` on what `prepare.py` wrote, in two stages.

    python pretraining/train.py words work --steps 4000
    python pretraining/train.py vectors work --steps 1500

- `words` learns to fill masks in rows of 512 tokens. At its end the table of
  positions is repeated up to 4,096, as the Longformer's paper does.
- `vectors` goes on with that in rows of 1,024 to 4,096 tokens, and learns
  beside it to give passages and documents the teacher's vectors. A document's
  is the mean of its passages'. A projection takes the mean of the tokens'
  states to the teacher's width.

Each stage writes a folder of its name, and a line for each 100 steps to
`log.csv` there. Started again after an interruption, it goes on where the
last of these lines ended. The last stage's folder is the model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer import LongformerTokenizerFast
from tf_longformer import MaskedLanguageModelCollator
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import make_optimizer

STEPS_PER_LINE = 100
LEARNING_RATE = 5e-4
ROW, ROWS = 512, 8
# Tokens of documents and of passages, and how many of each a batch has.
SHAPES = ((1024, 4, 64, 48), (2048, 2, 128, 24), (4096, 1, 256, 12))
TEMPERATURE = 0.05
VECTORS_WEIGHT = 5.0


def read(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text("utf-8").split("\n")
    return [json.loads(line) for line in lines if line]


class Rows(keras.utils.PyDataset):
    """Rows of tokens of all texts, one behind the other, some hidden.

    Each pass has another order and hides other tokens.
    """

    def __init__(self, folder: Path, tokenizer: Any) -> None:
        super().__init__()
        kept = folder / "tokens.npy"
        if not kept.exists():
            tokens: list[int] = []
            for text in read(folder / "train.jsonl"):
                tokens += tokenizer(text["text"], verbose=False)["input_ids"]
            np.save(kept, np.array(tokens, "uint16"))
        tokens = np.load(kept)
        count = len(tokens) // ROW
        self.rows = tokens[: count * ROW].reshape(count, ROW).astype("int32")
        self.collate = MaskedLanguageModelCollator(tokenizer)
        self.first = 0

    @property
    def num_batches(self) -> int:
        return STEPS_PER_LINE

    def __getitem__(self, index: int) -> tuple[dict, Any]:
        per_pass = len(self.rows) // ROWS
        number, place = divmod(self.first + index, per_pass)
        order = np.random.default_rng(number).permutation(len(self.rows))
        chosen = order[place * ROWS : (place + 1) * ROWS]
        batch = self.collate(
            [{"input_ids": row} for row in self.rows[chosen].tolist()],
            seed=[number, place],
        )
        labels = batch.pop("labels")
        # All tokens are real.
        return {"input_ids": batch["input_ids"]}, labels


class Passages(keras.utils.PyDataset):
    """Documents, some of their tokens hidden, and passages of others.

    Both come with the vectors that they should have.
    """

    def __init__(self, folder: Path, tokenizer: Any) -> None:
        super().__init__()
        rows = read(folder / "passages.jsonl")
        self.ids = tokenizer(
            [row["text"] for row in rows], add_special_tokens=False
        )["input_ids"]
        self.section = np.array([row["section"] for row in rows])
        self.vectors = np.load(folder / "vectors.npy").astype("float32")
        self.lengths = np.array([len(ids) for ids in self.ids])
        most = [shape[2] - 2 for shape in SHAPES]
        groups = np.minimum(np.searchsorted(most, self.lengths), len(most) - 1)
        self.groups = [
            np.flatnonzero(groups == group) for group in range(len(most))
        ]
        self.tokenizer = tokenizer
        self.collate = MaskedLanguageModelCollator(tokenizer)
        self.first = 0

    @property
    def num_batches(self) -> int:
        return STEPS_PER_LINE

    def __getitem__(self, index: int) -> tuple[dict]:
        index += self.first
        rng = np.random.default_rng([1, index])
        kind = index % len(SHAPES)
        length, documents, short, count = SHAPES[kind]
        rows, targets = zip(
            *(self.draw_document(rng, length) for _ in range(documents)),
            strict=True,
        )
        batch = self.collate(
            [{"input_ids": row} for row in rows], seed=[1, index]
        )
        pad = self.tokenizer.pad_token_id
        chosen = rng.choice(self.groups[kind], count, replace=False)

        def padded(array: np.ndarray, size: int, value: int) -> np.ndarray:
            width = size - array.shape[1]
            return np.pad(array, ((0, 0), (0, width)), constant_values=value)

        passages = np.full((count, short), pad, "int32")
        for row, number in zip(passages, chosen, strict=True):
            ids = self.enclose(self.ids[number][: short - 2])
            row[: len(ids)] = ids
        inputs = {
            "documents": padded(batch["input_ids"], length, pad),
            "labels": padded(batch["labels"], length, -100),
            "passages": passages,
            "vectors": np.concatenate(
                [self.vectors[chosen], np.array(targets, "float32")]
            ),
        }
        return (inputs,)

    def enclose(self, ids: list[int]) -> list[int]:
        return [self.tokenizer.cls_token_id, *ids, self.tokenizer.sep_token_id]

    def draw_document(
        self, rng: np.random.Generator, length: int
    ) -> tuple[list[int], np.ndarray]:
        """Returns passages that follow one another, and their mean vector."""
        first = last = rng.integers(len(self.ids))
        ids: list[int] = []
        while (
            last < len(self.ids)
            and self.section[last] == self.section[first]
            and len(ids) + self.lengths[last] <= length - 2
        ):
            ids += self.ids[last]
            last += 1
        if last == first:
            return self.draw_document(rng, length)
        weights = self.lengths[first:last, None]
        vector = np.sum(self.vectors[first:last] * weights, axis=0)
        return self.enclose(ids), vector / np.linalg.norm(vector)


class WordsAndVectors(keras.Model):
    """A masked language model that has vectors of a teacher's width, too."""

    def __init__(self, model: Any, width: int) -> None:
        super().__init__()
        self.model = model
        self.projection = keras.layers.Dense(width, use_bias=False)
        self.trackers = {
            name: keras.metrics.Mean(name)
            for name in ("words", "cosine", "picked")
        }

    def call(self, inputs: dict, training: bool = False) -> dict:
        pad = self.model.config.pad_token_id
        documents, passages = inputs["documents"], inputs["passages"]
        of_documents = ops.cast(documents != pad, "int32")
        of_passages = ops.cast(passages != pad, "int32")
        outputs = self.model(
            documents,
            of_documents,
            labels=inputs["labels"],
            output_hidden_states=True,
            training=training,
        )
        states = self.model.longformer(
            passages, of_passages, training=training
        ).last_hidden_state
        pooled = ops.concatenate(
            [
                pool(states, of_passages),
                pool(outputs.hidden_states[-1], of_documents),
            ]
        )
        vectors = ops.normalize(self.projection(pooled), axis=-1)
        return {"words": ops.mean(outputs.loss), "vectors": vectors}

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        found, wanted = y_pred["vectors"], x["vectors"]
        cosine = ops.mean(ops.sum(found * wanted, axis=-1))
        # Which of the batch it is, and what else is like it.
        alike = ops.matmul(wanted, ops.transpose(wanted)) / TEMPERATURE
        scores = ops.matmul(found, ops.transpose(wanted)) / TEMPERATURE
        picked = keras.losses.CategoricalCrossentropy(from_logits=True)(
            ops.softmax(alike), scores
        )
        for name, value in (
            ("words", y_pred["words"]),
            ("cosine", cosine),
            ("picked", picked),
        ):
            self.trackers[name].update_state(value)
        return y_pred["words"] + VECTORS_WEIGHT * (1 - cosine) + picked


def pool(states: Any, mask: Any) -> Any:
    """Returns the mean of the states of real tokens."""
    mask = ops.cast(mask, states.dtype)
    sums = ops.einsum("bsh,bs->bh", states, mask)
    return sums / ops.sum(mask, axis=-1, keepdims=True)


def repeat_positions(model: Any) -> None:
    """Gives all positions what those of a row have learned."""
    layer = model.longformer.embeddings.position_embeddings
    table = np.array(layer.get_weights()[0])
    first = model.config.pad_token_id + 1
    for start in range(first, len(table), ROW):
        table[start : start + ROW] = table[first : first + ROW]
    layer.set_weights([table])


def fit(trained: Any, batches: Any, steps: int, folder: Path, schedule: str):
    """Trains, and keeps what is needed to go on."""
    trained.compile(
        make_optimizer(
            LEARNING_RATE,
            steps,
            warmup=min(200, steps // 4),
            schedule=schedule,
            beta_2=0.98,
        )
    )
    folder.mkdir(exist_ok=True)

    class Follow(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            batches.first = epoch * STEPS_PER_LINE

    trained.fit(
        batches,
        epochs=steps // STEPS_PER_LINE,
        shuffle=False,
        verbose=2,
        callbacks=[
            Follow(),
            keras.callbacks.TerminateOnNaN(),
            keras.callbacks.CSVLogger(folder / "log.csv", append=True),
            keras.callbacks.BackupAndRestore(
                folder / "backup", double_checkpoint=True
            ),
        ],
    )


def train_words(folder: Path, steps: int) -> None:
    start = folder / "start"
    tokenizer = LongformerTokenizerFast.from_pretrained(start)
    model = TFLongformerForMaskedLM.from_pretrained(
        start, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    )
    batches = Rows(folder, tokenizer)
    print(f"{batches.rows.size:,} tokens, {steps * ROW * ROWS:,} to be read")
    fit(model, batches, steps, folder / "words", "constant")
    repeat_positions(model)
    model.save_pretrained(folder / "words")
    tokenizer.save_pretrained(folder / "words")


def train_vectors(folder: Path, steps: int) -> None:
    start = folder / "words"
    tokenizer = LongformerTokenizerFast.from_pretrained(start)
    model = TFLongformerForMaskedLM.from_pretrained(start)
    batches = Passages(folder, tokenizer)
    both = WordsAndVectors(model, batches.vectors.shape[1])
    both(batches[0][0])
    fit(both, batches, steps, folder / "vectors", "linear")
    # No token was global.
    model.copy_projections_to_global()
    # The usual one, for those who train it on.
    model.config.hidden_dropout_prob = 0.1
    model.config.attention_probs_dropout_prob = 0.1
    model.save_pretrained(folder / "vectors")
    tokenizer.save_pretrained(folder / "vectors")
    np.save(folder / "vectors/projection.npy", both.projection.get_weights()[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("stage", choices=["words", "vectors"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    options = parser.parse_args()
    if options.steps < STEPS_PER_LINE or options.steps % STEPS_PER_LINE:
        parser.error(
            f"--steps must be a multiple of {STEPS_PER_LINE}. Received: "
            f"{options.steps}. Round it."
        )
    keras.utils.set_random_seed(0)
    stage = train_words if options.stage == "words" else train_vectors
    stage(options.folder, options.steps)


if __name__ == "__main__":
    main()
