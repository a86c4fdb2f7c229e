"""Text classification: which kind of text a long document is.

    python examples/classify_texts.py longformer-base-4096 \
        train.jsonl dev.jsonl my-classifier

A line of the files is an object with `text` and `label`, a name. The first
token, of which the label is told, attends to all tokens and they to it, as in
the paper.
"""

import sys

import keras

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import make_dataset
from tf_longformer import make_optimizer
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.evaluation import evaluate_file
from tf_longformer.data.examples import read_examples

TASK = "text-classification"
EPOCHS, BATCH_SIZE, LEARNING_RATE = 3, 4, 3e-5


def main(source: str, train_file: str, dev_file: str, output: str) -> dict:
    keras.utils.set_random_seed(0)
    tokenizer = LongformerTokenizerFast.from_pretrained(source)
    rows = read_examples(train_file, TASK)
    names = sorted({row.fields["label"] for row in rows})
    label2id = {name: number for number, name in enumerate(names)}
    model = TFLongformerForSequenceClassification.from_pretrained(
        source, label2id=label2id, id2label=dict(enumerate(names))
    )
    train = make_dataset(
        TASK,
        train_file,
        tokenizer,
        max_length=model.config.max_tokens,
        batch_size=BATCH_SIZE,
        label2id=label2id,
        global_attention="cls",
    )
    model.compile(
        make_optimizer(LEARNING_RATE, EPOCHS * len(train)),
        metrics=["accuracy"],
    )
    # The dataset's order is another one in each epoch already.
    model.fit(train, epochs=EPOCHS, shuffle=False, verbose=2)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return evaluate_file(CheckpointPredictor(output), dev_file)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
