"""Masked language modelling in stages: short and narrow first, then long.

    python examples/pretrain.py roberta-4096 train.jsonl dev.jsonl my-longformer

goes on from a model; with `--from-scratch` behind these, only the config and
the tokenizer of the first folder are read. A line of the files is an object
with `text`, a whole document: documents are packed into rows, and what is
hidden is another 15 percent in each pass, as RoBERTa has it. No token is
global. Each stage has twice the window and the length of the one before and
half its learning rate, as the paper's models of characters had; the last is
the model's own.
"""

import sys

import keras

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import make_dataset
from tf_longformer import make_optimizer
from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.evaluation import evaluate_file

STAGES, EPOCHS, TOKENS, LEARNING_RATE = 3, 1, 8192, 1e-4


def main(
    source: str, train_file: str, dev_file: str, output: str, how: str = ""
) -> dict:
    keras.utils.set_random_seed(0)
    tokenizer = LongformerTokenizerFast.from_pretrained(source)
    model = TFLongformerForMaskedLM.from_pretrained(source)
    if how == "--from-scratch":
        model = TFLongformerForMaskedLM(model.config)
    windows = [2 * radius for radius in model.config.radii]
    longest = model.config.max_tokens
    for stage in reversed(range(STAGES)):
        model.set_attention_window([window >> stage for window in windows])
        train = make_dataset(
            "masked-lm",
            train_file,
            tokenizer,
            max_length=longest >> stage,
            batch_size=max(TOKENS // (longest >> stage), 1),
            global_attention="none",
            # Other tokens are hidden in each stage.
            seed=stage,
        )
        rate = LEARNING_RATE * 2.0 ** (stage - STAGES + 1)
        # Adam's numbers are RoBERTa's.
        optimizer = make_optimizer(
            rate, EPOCHS * len(train), beta_2=0.98, epsilon=1e-6
        )
        model.compile(optimizer)
        model.fit(train, epochs=EPOCHS, shuffle=False, verbose=2)
    model.copy_projections_to_global()
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)
    # With bits per character, which don't depend on the tokenizer.
    return evaluate_file(CheckpointPredictor(output), dev_file)


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
