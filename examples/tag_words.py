"""Token classification: the entities of a document that is split into words.

    python examples/tag_words.py longformer-base-4096 \
        train.jsonl dev.jsonl my-tagger

A line of the files is an object with `tokens`, the words, and `labels`, such
as `B-PER`, one for each. A document is one row, with its whole text before a
word is labelled; past the limit it is cut into windows that overlap. No token
is global: in the paper neither are any where each token is told from what
stands around it.
"""

import sys

import keras

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForTokenClassification
from tf_longformer import make_dataset
from tf_longformer import make_optimizer
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.evaluation import evaluate_file
from tf_longformer.data.examples import order_labels
from tf_longformer.data.examples import read_examples

TASK = "token-classification"
EPOCHS, BATCH_SIZE, LEARNING_RATE = 3, 1, 3e-5


def main(source: str, train_file: str, dev_file: str, output: str) -> dict:
    keras.utils.set_random_seed(0)
    # Words that are given one by one stand after a space each.
    tokenizer = LongformerTokenizerFast.from_pretrained(
        source, add_prefix_space=True
    )
    documents = read_examples(train_file, TASK)
    names = order_labels([x for one in documents for x in one.fields["labels"]])
    label2id = {name: number for number, name in enumerate(names)}
    model = TFLongformerForTokenClassification.from_pretrained(
        source, label2id=label2id, id2label=dict(enumerate(names))
    )
    train = make_dataset(
        TASK,
        train_file,
        tokenizer,
        max_length=model.config.max_tokens,
        batch_size=BATCH_SIZE,
        label2id=label2id,
        global_attention="none",
    )
    model.compile(make_optimizer(LEARNING_RATE, EPOCHS * len(train)))
    model.fit(train, epochs=EPOCHS, shuffle=False, verbose=2)
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    return evaluate_file(CheckpointPredictor(output), dev_file)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
