"""The steps of the quickstart, one after the other."""

from __future__ import annotations

import json
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from tf_longformer.export.saved_model import export_saved_model
from tf_longformer.memory import peak_bytes
from tf_longformer.models.sequence_classification import (
    TFLongformerForSequenceClassification,
)
from tf_longformer.quickstart import report
from tf_longformer.quickstart.baselines import BagOfWords
from tf_longformer.quickstart.baselines import accuracy
from tf_longformer.quickstart.baselines import predict_majority
from tf_longformer.quickstart.batches import beginnings
from tf_longformer.quickstart.batches import random_crops
from tf_longformer.quickstart.checks import require_equal
from tf_longformer.quickstart.checks import run_with_tensorflow_only
from tf_longformer.quickstart.classifier import batch_size_for
from tf_longformer.quickstart.classifier import make_config
from tf_longformer.quickstart.classifier import plan_stages
from tf_longformer.quickstart.classifier import predict_logits
from tf_longformer.quickstart.classifier import train
from tf_longformer.quickstart.corpus import Corpus
from tf_longformer.quickstart.corpus import build_corpus
from tf_longformer.quickstart.output import REPORT
from tf_longformer.quickstart.output import filled_output
from tf_longformer.quickstart.progress import ProgressBar
from tf_longformer.quickstart.projects import find_projects
from tf_longformer.quickstart.settings import SHORT_LENGTH
from tf_longformer.quickstart.settings import Settings
from tf_longformer.tokenization import LongformerTokenizerFast

MAJORITY = "majority class"
BAG = "bag of words, whole document"


def run_quickstart(settings: Settings, console: Console) -> dict[str, Any]:
    """Runs the main job from the documents to the checked SavedModel.

    Args:
        settings: `Settings`.
        console: `rich.console.Console`, where the results are shown.

    Returns:
        The content of the report: `settings`, `corpus`, `accuracy`,
        `checks`, `cost` and `versions`.

    Raises:
        ValueError: the output folder may not be written, too few documents
            were found, or Keras runs on another backend than TensorFlow.
        RuntimeError: what was saved or exported gives other numbers than
            the trained model.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "The quickstart exports a SavedModel, which needs Keras's "
            "TensorFlow backend. Received: "
            f"backend={keras.backend.backend()}. Set "
            "KERAS_BACKEND=tensorflow."
        )
    start = time.perf_counter()
    keras.utils.set_random_seed(settings.seed)
    # Its INFO lines about assets and retracing aren't for this audience.
    tf.get_logger().setLevel("ERROR")
    with filled_output(settings.output, settings.overwrite) as folder:
        results = _Quickstart(settings, console, folder).run()
        results["cost"] = {
            "seconds": round(time.perf_counter() - start, 1),
            "peak_memory_gb": _peak_memory_gb(),
        }
        results["versions"] = {
            "python": sys.version.split()[0],
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": metadata.version("numpy"),
        }
        (folder / REPORT).write_text(
            json.dumps(results, indent=2) + "\n", encoding="utf-8"
        )
    report.show_next_steps(console, str(settings.output), settings.max_length)
    cost = results["cost"]
    memory = cost["peak_memory_gb"]
    console.print(
        f"\nDone in {cost['seconds']:.0f} s"
        + (f" with at most {memory:.1f} GB of memory." if memory else ".")
    )
    return results


class _Quickstart:
    """Holds what one step hands to the next."""

    def __init__(
        self, settings: Settings, console: Console, folder: Path
    ) -> None:
        self.settings = settings
        self.console = console
        self.folder = folder
        self.accuracies: dict[str, float] = {}

    def run(self) -> dict[str, Any]:
        settings = self.settings
        self.step("Reading source files and training a tokenizer on them")
        with self.console.status("  reading"):
            corpus = build_corpus(
                find_projects(),
                settings.documents,
                settings.seed,
                settings.min_tokens,
            )
            tokenizer = LongformerTokenizerFast.train_from_iterator(
                [document.text for document in corpus.train],
                vocab_size=settings.vocab_size,
                min_frequency=2,
                show_progress=False,
            )
            documents = tokenizer(
                [document.text for document in corpus.train],
                add_special_tokens=False,
            )["input_ids"]
        lengths = [len(document) for document in documents]
        report.show_corpus(self.console, corpus, lengths)
        self.console.print(
            "The task: which project wrote this file? Names of projects and "
            "files, imports,\nlicences and module docstrings are removed. No "
            "sub-package stands on both sides.",
            style="dim",
        )
        self.step("Setting the bar")
        with self.console.status("  learning words"):
            self.baselines(corpus)
        self.step("Training two Longformers from scratch")
        self.train(corpus, tokenizer, documents, SHORT_LENGTH)
        model, held_out = self.train(
            corpus, tokenizer, documents, settings.max_length
        )
        self.step("Held-out accuracy")
        report.show_accuracies(
            self.console, self.accuracies, len(corpus.held_out)
        )
        self.step("Some held-out documents, mistakes included")
        report.show_predictions(
            self.console,
            corpus,
            keras.ops.convert_to_numpy(keras.ops.softmax(held_out)),
        )
        self.step("Saving, reloading, exporting")
        with self.console.status("  writing and comparing"):
            checks = self.save(model, tokenizer, corpus)
        return {
            "created_by": "tf-longformer quickstart",
            "settings": {
                name: str(value) if isinstance(value, Path) else value
                for name, value in vars(settings).items()
            },
            "corpus": {
                "projects": list(corpus.label_names),
                "train": len(corpus.train),
                "held_out": len(corpus.held_out),
                "median_tokens": int(np.median(lengths)),
                "shortest_tokens": min(lengths),
            },
            "accuracy": self.accuracies,
            "checks": checks,
        }

    def step(self, title: str) -> None:
        self.console.print(f"\n[bold]{title}[/bold]")

    def baselines(self, corpus: Corpus) -> None:
        labels = [document.label for document in corpus.train]
        truth = [document.label for document in corpus.held_out]
        self.accuracies[MAJORITY] = accuracy(
            predict_majority(labels, len(truth)), truth
        )
        bag = BagOfWords(self.settings.seed).fit(
            [document.text for document in corpus.train], labels
        )
        self.accuracies[BAG] = accuracy(
            bag.predict([document.text for document in corpus.held_out]), truth
        )
        for name in (MAJORITY, BAG):
            self.console.print(f"  {name}: {self.accuracies[name]:.1%}")

    def train(
        self,
        corpus: Corpus,
        tokenizer: LongformerTokenizerFast,
        documents: list[list[int]],
        length: int,
    ) -> tuple[TFLongformerForSequenceClassification, np.ndarray]:
        settings = self.settings
        stages = plan_stages(length, settings.steps)
        labels = [document.label for document in corpus.train]
        examples = [
            random_crops(
                documents,
                labels,
                stage.steps * stage.batch_size,
                stage.length,
                tokenizer,
                # The second stage visits the documents in another order.
                seed=settings.seed + stage.length,
            )
            for stage in stages
        ]
        config = make_config(len(tokenizer), corpus.label_names, length)
        title = f"Longformer, {length:,} tokens"
        with ProgressBar(
            self.console, title.ljust(24), settings.steps
        ) as progress:
            model = train(config, stages, examples, [progress])
        held_out = beginnings(
            [document.text for document in corpus.held_out], length, tokenizer
        )
        logits = predict_logits(model, held_out, batch_size_for(length))
        self.accuracies[title] = accuracy(
            logits.argmax(axis=-1),
            [document.label for document in corpus.held_out],
        )
        return model, logits

    def save(
        self,
        model: TFLongformerForSequenceClassification,
        tokenizer: LongformerTokenizerFast,
        corpus: Corpus,
    ) -> dict[str, float]:
        # One document of each project.
        inputs = beginnings(
            [
                document.text
                for document in corpus.held_out[: len(corpus.label_names)]
            ],
            self.settings.max_length,
            tokenizer,
        )
        logits = model(**inputs).logits.numpy()
        folder = self.folder / "model"
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        reloaded = TFLongformerForSequenceClassification.from_pretrained(folder)
        checks = {
            "reloaded": require_equal(
                "The reloaded model", reloaded(**inputs).logits.numpy(), logits
            )
        }
        self.console.print(
            f"  model/          loaded again: {_same(checks['reloaded'])}"
        )
        exported = export_saved_model(model, self.folder / "savedmodel" / "1")
        served = run_with_tensorflow_only(exported, inputs)
        checks["saved_model"] = require_equal(
            "The SavedModel", served["logits"], logits
        )
        self.console.print(
            "  savedmodel/1/   run by TensorFlow alone: "
            f"{_same(checks['saved_model'])}"
        )
        return checks


def _same(difference: float) -> str:
    if difference == 0.0:
        return "exactly the same logits"
    return f"the same logits (difference {difference:.0e})"


def _peak_memory_gb() -> float | None:
    """Largest resident size of this process; `None` where it isn't known."""
    peak = peak_bytes()
    return None if peak is None else round(peak / 1e9, 2)
