"""Multiple choice: which of several answers fits what documents say.

    python examples/choose_answers.py longformer-base-4096 \
        train.jsonl dev.jsonl my-chooser

A line of the files is an object with `prompt`, the documents; `choices`, each
the question with one of the answers; and `label`, the number of the right one.
Question and answer are global, as question and candidates are in the paper's
WikiHop: without them it lost 8 points there.
"""

import sys

import keras

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMultipleChoice
from tf_longformer import make_dataset
from tf_longformer import make_optimizer
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.evaluation import evaluate_file

EPOCHS, BATCH_SIZE, LEARNING_RATE = 3, 2, 3e-5


def main(source: str, train_file: str, dev_file: str, output: str) -> dict:
    keras.utils.set_random_seed(0)
    tokenizer = LongformerTokenizerFast.from_pretrained(source)
    model = TFLongformerForMultipleChoice.from_pretrained(source)
    train = make_dataset(
        "multiple-choice",
        train_file,
        tokenizer,
        max_length=model.config.max_tokens,
        batch_size=BATCH_SIZE,
        # The second of the two texts, and all after it.
        global_attention="choices",
    )
    model.compile(
        make_optimizer(LEARNING_RATE, EPOCHS * len(train)),
        metrics=["accuracy"],
    )
    model.fit(train, epochs=EPOCHS, shuffle=False, verbose=2)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return evaluate_file(CheckpointPredictor(output), dev_file)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
