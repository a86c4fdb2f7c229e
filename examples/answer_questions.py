"""Question answering: an answer that a document has in several places.

    python examples/answer_questions.py longformer-base-4096 \
        train.jsonl dev.jsonl my-answers

A line of the files is an object with `question`, `context` and `answers`, as
SQuAD has them. All tokens of the question are global, as in the paper. An
answer such as a name stands in a long document again and again, and nobody
says which place was meant: all of them are right, and the model may choose
("OR loss", Clark and Gardner, 2018; the paper's TriviaQA).
"""

import sys

import keras
import numpy as np
from keras import ops

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForQuestionAnswering
from tf_longformer import encode_questions
from tf_longformer import make_optimizer
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.evaluation import evaluate_file
from tf_longformer.data.examples import read_examples
from tf_longformer.data.questions import find_tokens

EPOCHS, BATCH_SIZE, LEARNING_RATE = 3, 2, 3e-5
SHARED = 128  # tokens of two windows of a longer document


def any_of(allowed: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Returns minus the log of the probability that any allowed one has."""
    only = ops.where(allowed > 0, logits, -1e9)
    return ops.logsumexp(logits, axis=-1) - ops.logsumexp(only, axis=-1)


def all_places(context: str, answers: list[dict]) -> list[tuple[int, int]]:
    """Returns the characters of all places where an answer stands."""
    places = []
    for text in {answer["text"] for answer in answers}:
        start = context.find(text)
        while start >= 0:
            places.append((start, start + len(text)))
            start = context.find(text, start + 1)
    return places


def main(source: str, train_file: str, dev_file: str, output: str) -> dict:
    keras.utils.set_random_seed(0)
    tokenizer = LongformerTokenizerFast.from_pretrained(source)
    model = TFLongformerForQuestionAnswering.from_pretrained(source)
    length = model.config.max_tokens
    rows = [r.fields for r in read_examples(train_file, "question-answering")]
    encoded = encode_questions(
        tokenizer,
        [row["question"] for row in rows],
        [row["context"] for row in rows],
        max_length=length,
        stride=min(SHARED, length // 4),
        where="question",
    )
    shape = encoded.inputs["input_ids"].shape
    starts, ends = np.zeros(shape, "float32"), np.zeros(shape, "float32")
    for window, number in enumerate(encoded.examples):
        for place in all_places(
            rows[number]["context"], rows[number]["answers"]
        ):
            tokens = find_tokens(encoded.offsets[window], place)
            if tokens is not None:
                starts[window, tokens[0]] = ends[window, tokens[1]] = 1
        if not starts[window].any():
            # The first token stands for "not in this window".
            starts[window, 0] = ends[window, 0] = 1
    steps = EPOCHS * -(-len(starts) // BATCH_SIZE)
    losses = {"start_logits": any_of, "end_logits": any_of}
    model.compile(make_optimizer(LEARNING_RATE, steps), loss=losses)
    labels = {"start_logits": starts, "end_logits": ends}
    model.fit(encoded.inputs, labels, BATCH_SIZE, EPOCHS, verbose=2)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return evaluate_file(CheckpointPredictor(output), dev_file)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
