"""Writes `mini` as it comes with the package, and how it was trained.

    python pretraining/finish.py work tf_longformer/presets/mini

The second folder is one that sentence-transformers opens too: the masked
language model in bfloat16, its tokenizer, and the projection of vectors.
`log.csv` and `curve.svg`, beside this file, have the lines of both stages.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from train import STEPS_PER_LINE

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import atomic
from tf_longformer.checkpoints.vector_settings import VectorSettings
from tf_longformer.checkpoints.vector_settings import write_vector_settings
from tf_longformer.finetuning.learning_curve import draw_learning_curve
from tf_longformer.projections import Projection

HERE = Path(__file__).parent


def write_model(trained: Path, output: Path) -> None:
    model = TFLongformerForMaskedLM.from_pretrained(trained)
    tokenizer = LongformerTokenizerFast.from_pretrained(trained)
    kernel = np.load(trained / "projection.npy")
    settings = VectorSettings(
        ("mean",),
        normalize=True,
        max_length=model.config.max_tokens,
        projections=(Projection(kernel, None, "linear"),),
    )
    with atomic.replacing_files(output) as replacement:
        model.save_pretrained(output, dtype="bfloat16")
        tokenizer.save_pretrained(output)
        write_vector_settings(replacement, settings, model.config.hidden_size)


def write_log(folder: Path) -> None:
    history, step = [], 0
    for stage in ("words", "vectors"):
        with open(folder / stage / "log.csv", newline="") as file:
            for line in csv.DictReader(file):
                step += STEPS_PER_LINE
                entry = {"step": step, "stage": stage}
                # The loss of words is the first stage's only one.
                entry["words"] = float(line.get("words", line["loss"]))
                for name in ("cosine", "picked"):
                    if name in line:
                        entry[name] = float(line[name])
                history.append(entry)
    names = ("step", "stage", "words", "cosine", "picked")
    with open(HERE / "log.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(history)
    for entry in history:
        del entry["stage"]
    curve = draw_learning_curve(history)
    (HERE / "curve.svg").write_text(curve, "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    write_model(options.folder / "vectors", options.output)
    write_log(options.folder)


if __name__ == "__main__":
    main()
