"""Trains an encoder made long on documents of yours, without labels.

    python examples/train_long_encoder.py all-MiniLM-L6-v2 novels my-encoder

`novels` is a folder of `.txt` files, each a text, and of `.jsonl` files, whose
lines are objects with `text`; or one such file. The encoder is made a
Longformer first, with its table of positions repeated. Then it learns that a
span within its whole document ("late chunk") has a vector like a passage of
it, which is read alone, as a query will be:

- the span picks its passage among those of the batch and of batches before
  (Wang et al., 2020), a batch being as small as two cores want it. Passages
  have the vectors of the source, which stays as it is: those of batches
  before stay true, and there is no way to bring all vectors together;
- a passage picks its span among those of the batch;
- a passage's own vector stays that of the source.

Some passages are taken out of their documents (Lee et al., 2019): there it
counts what stands around them, and not their words. Documents are short
first, then longer, as in the Longformer's paper.

The folder is written after each epoch, for `tf-longformer embed` and
sentence-transformers. Started again after an interruption, training goes on
where the last epoch ended.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from tf_longformer import LongformerTokenizerFast
from tf_longformer import convert_to_longformer
from tf_longformer.tasks import save_sentence_transformer

# A document's tokens for each of its spans, and a passage's at most.
CELL = 256
PASSAGE = 64
# The share of passages that are taken out of their documents.
TAKEN_OUT = 0.2
# Passages of batches before that a span tells its own from.
REMEMBERED = 1024
TEMPERATURE = 0.05


def read(path: Path) -> Iterator[str]:
    """Yields the texts of a file, or of all files of a folder."""
    if path.is_dir():
        for file in sorted(path.iterdir()):
            if file.suffix in (".txt", ".jsonl"):
                yield from read(file)
    elif path.suffix == ".jsonl":
        # `splitlines` would cut at line ends that JSON has within strings.
        for line in path.read_text("utf-8").split("\n"):
            if line.strip():
                yield json.loads(line)["text"]
    else:
        yield path.read_text("utf-8")


def tokenize(tokenizer: Any, text: str, most: int) -> list[int]:
    """Returns the tokens of a text, the first of so many, no special ones."""
    # Enough characters for these tokens; the rest isn't looked at.
    return tokenizer(
        text[: 8 * most],
        add_special_tokens=False,
        truncation=True,
        max_length=most,
    )["input_ids"]


class Batches(keras.utils.PyDataset):
    """Batches of documents that follow one another from a random place on.

    Args:
        texts: list of strings.
        tokenizer: `LongformerTokenizerFast`.
        length: int, tokens of a document, special tokens included; a multiple
            of `CELL`.
        batch_size: int, documents.
        steps: int, batches.
        seed: list of ints.
    """

    def __init__(
        self,
        texts: list[str],
        tokenizer: Any,
        length: int,
        batch_size: int,
        steps: int,
        seed: list[int],
    ) -> None:
        super().__init__()
        self.texts = texts
        self.tokenizer = tokenizer
        self.shape = (batch_size, length)
        self.steps = steps
        self.seed = seed

    @property
    def num_batches(self) -> int:
        return self.steps

    def cut(self, rng: np.random.Generator) -> Iterator[tuple[int, list[int]]]:
        """Yields documents, and the numbers of their texts."""
        inside = self.shape[1] - 2
        most = self.shape[0] * inside
        sizes = np.array([len(text) for text in self.texts])
        number = rng.choice(len(sizes), p=sizes / sizes.sum())
        start = rng.integers(max(sizes[number] - 4 * most, 1))
        while True:
            ids = tokenize(self.tokenizer, self.texts[number][start:], most)
            for first in range(0, len(ids) - 2 * PASSAGE + 1, inside):
                yield number, ids[first : first + inside]
            number, start = (number + 1) % len(sizes), 0

    def __getitem__(self, index: int) -> tuple[dict, dict, dict]:
        rng = np.random.default_rng([*self.seed, index])
        batch_size, length = self.shape
        spans = length // CELL
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        pad = self.tokenizer.pad_token_id
        ids = np.full(self.shape, pad, "int32")
        mask = np.zeros(self.shape, "int32")
        in_span = np.zeros(self.shape, "int32")
        passages = np.full((batch_size, spans, PASSAGE + 2), pad, "int32")
        # An empty one, where a document has no such span.
        passages[:, :, :2] = first, last
        weights = np.zeros((batch_size, spans), "float32")
        numbers = np.zeros(batch_size, "int32")
        for row, (number, document) in zip(
            range(batch_size), self.cut(rng), strict=False
        ):
            numbers[row] = number
            size = len(document) + 2
            ids[row, :size] = first, *document, last
            mask[row, :size] = 1
            for span in range(spans):
                end = min((span + 1) * CELL, size - 1)
                room = end - max(span * CELL, 1)
                if room < 2 * PASSAGE:
                    continue
                width = rng.integers(2 * PASSAGE, room + 1)
                start = end - rng.integers(width, room + 1)
                in_span[row, start : start + width] = 1
                asked = rng.integers(PASSAGE // 4, PASSAGE + 1)
                start += rng.integers(width - asked + 1)
                taken = slice(start, start + asked)
                passages[row, span, 1 : asked + 2] = *ids[row, taken], last
                weights[row, span] = 1
                if rng.random() < TAKEN_OUT:
                    mask[row, taken] = 0
        inputs = {
            "input_ids": ids,
            "attention_mask": mask,
            "in_span": in_span * mask,
            "passages": passages.reshape(-1, PASSAGE + 2),
            "texts": np.repeat(numbers, spans),
        }
        own = np.arange(batch_size * spans)
        targets = {
            "passage_of_span": own,
            "span_of_passage": own,
            "same_passage": np.ones((len(own), 1), "float32"),
        }
        return inputs, targets, dict.fromkeys(targets, weights.reshape(-1))


class Remember(keras.layers.Layer):
    """Puts vectors of batches before behind those of this batch.

    Each has a number, of its text.
    """

    def build(self, shape: tuple) -> None:
        self.vectors = self.add_weight(
            (REMEMBERED, shape[-1]), "zeros", trainable=False, name="vectors"
        )
        self.texts = self.add_weight(
            (REMEMBERED,),
            keras.initializers.Constant(-1),
            "int32",
            trainable=False,
            name="texts",
        )

    def call(self, vectors: Any, texts: Any, training: bool = False) -> Any:
        vectors = ops.concatenate([vectors, self.vectors])
        texts = ops.concatenate([texts, self.texts])
        if training:
            self.vectors.assign(vectors[:REMEMBERED])
            self.texts.assign(texts[:REMEMBERED])
        return vectors, texts


class PassageFinder(keras.Model):
    """Finds the passages of spans, and the spans of passages.

    Args:
        encoder: `TFLongformerModel`, which is trained.
        source: `TFLongformerModel`, the encoder that it was.
    """

    def __init__(self, encoder: Any, source: Any) -> None:
        super().__init__()
        self.encoder = encoder
        self.source = source
        self.source.trainable = False
        freeze(encoder)
        self.remember = Remember()

    def call(self, inputs: dict, training: bool = False) -> dict:
        # Without dropout a few steps teach more.
        states = self.encoder(
            inputs["input_ids"], inputs["attention_mask"], training=False
        ).last_hidden_state
        spans = pool(
            ops.reshape(states, (-1, CELL, states.shape[-1])),
            ops.reshape(inputs["in_span"], (-1, CELL)),
        )
        ids = inputs["passages"]
        mask = ops.cast(ids != self.encoder.config.pad_token_id, "int32")

        def read(model: Any) -> Any:
            states = model(ids, mask, training=False).last_hidden_state
            return pool(states, mask)

        passages, of_source = read(self.encoder), read(self.source)
        known, texts = self.remember(
            of_source, inputs["texts"], training=training
        )
        found = ops.matmul(spans, ops.transpose(known))
        # Of the same text it may have been the same passage.
        count = ops.shape(spans)[0]
        before = ops.arange(ops.shape(known)[0]) >= count
        same = inputs["texts"][:, None] == texts[None]
        found = ops.where(ops.logical_and(same, before[None]), -1.0, found)
        return {
            "passage_of_span": found / TEMPERATURE,
            "span_of_passage": ops.matmul(passages, ops.transpose(spans))
            / TEMPERATURE,
            "same_passage": ops.sum(
                passages * of_source, axis=-1, keepdims=True
            ),
        }


def pool(states: Any, mask: Any) -> Any:
    """Returns vectors of length 1, of the mean of the states of a mask."""
    sums = ops.einsum("bsh,bs->bh", states, ops.cast(mask, states.dtype))
    return ops.cast(ops.normalize(sums, axis=-1), "float32")


def freeze(encoder: Any) -> None:
    """Freezes words, and what vectors don't depend on."""
    encoder.longformer.pooler.trainable = False
    for block in encoder.longformer.encoder.layer:
        for name in ("query_global", "key_global", "value_global"):
            getattr(block.attention, name).trainable = False
    # Few of the words come up in a short training: it leaves all as they are.
    encoder.longformer.embeddings.word_embeddings.trainable = False


def compile_finder(finder: PassageFinder, rate: Any) -> None:
    """Compiles with the losses, and with a rate or a schedule of it."""
    pick = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    finder.compile(
        keras.optimizers.AdamW(rate, weight_decay=0.01, clipnorm=1.0),
        {
            "passage_of_span": pick,
            "span_of_passage": pick,
            "same_passage": "mean_absolute_error",
        },
        loss_weights={
            "passage_of_span": 1.0,
            "span_of_passage": 1.0,
            # As cosines are divided by the temperature in the others.
            "same_passage": 10.0,
        },
        weighted_metrics={
            "passage_of_span": "accuracy",
            "span_of_passage": "accuracy",
        },
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("source", help="an encoder with its tokenizer")
    parser.add_argument("texts", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--max-tokens", type=int, default=4096)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=5e-5)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    longest = options.max_tokens
    if longest < 4 * CELL or longest % (4 * CELL):
        parser.error(
            f"--max-tokens must be a multiple of {4 * CELL}. Received: "
            f"{longest}. Round it."
        )
    if not 1 <= options.epochs <= options.steps:
        parser.error(
            "There must be at least one step in each epoch. Received: "
            f"{options.steps} steps, {options.epochs} epochs. Change one."
        )

    keras.utils.set_random_seed(options.seed)
    tokenizer = LongformerTokenizerFast.from_pretrained(
        options.source, model_max_length=longest
    )
    # As many characters as tokens that a document must have.
    texts = [text for text in read(options.texts) if len(text) > 2 * PASSAGE]
    fewest = 2 * PASSAGE
    if not any(len(tokenize(tokenizer, t, fewest)) == fewest for t in texts):
        parser.error(
            f"A text must have {fewest} tokens. Received: "
            f"{options.texts}, without one. Name a folder of longer texts."
        )
    print(f"{len(texts):,} texts, {sum(map(len, texts)):,} characters")

    encoder = convert_to_longformer(options.source, longest, options.window)
    # Its window sees all of a passage.
    source = convert_to_longformer(options.source, None, 4 * PASSAGE)
    finder = PassageFinder(encoder, source)
    steps = options.steps // options.epochs
    warmup = max(steps * options.epochs // 10, 1)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(steps * options.epochs - warmup, 1),
        warmup_target=options.learning_rate,
        warmup_steps=warmup,
    )
    compile_finder(finder, schedule)
    kept = options.output.with_name(f"{options.output.name}-training")
    kept.mkdir(exist_ok=True, parents=True)
    callbacks = [
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.CSVLogger(kept / "curve.csv", append=True),
        # It isn't whole while it is written: the one before is kept, too.
        keras.callbacks.BackupAndRestore(
            kept / "backup", double_checkpoint=True, delete_checkpoint=False
        ),
    ]
    for epoch in range(options.epochs):
        done = epoch / options.epochs
        length = longest // (4 if done < 0.5 else 2 if done < 0.75 else 1)
        batches = Batches(
            texts,
            tokenizer,
            length,
            max(options.batch_tokens // length, 1),
            steps,
            [options.seed, epoch],
        )
        if not finder.built:
            finder(batches[0][0])
        history = finder.fit(
            batches,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            callbacks=callbacks,
            verbose=2,
        )
        if history.epoch:
            encoder.copy_projections_to_global()
            save_sentence_transformer(encoder, tokenizer, options.output)
    shutil.rmtree(kept / "backup")


if __name__ == "__main__":
    main()
