"""The steps of the quickstart, one after the other."""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import time
from collections.abc import Iterable
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from rich.console import Console

from tf_longformer.configuration import LongformerConfig
from tf_longformer.explain import explain
from tf_longformer.export.saved_model import export_saved_model
from tf_longformer.memory import peak_bytes
from tf_longformer.models.longformer import TFLongformerModel
from tf_longformer.models.masked_lm import TFLongformerForMaskedLM
from tf_longformer.models.sequence_classification import (
    TFLongformerForSequenceClassification,
)
from tf_longformer.quickstart import classifiers
from tf_longformer.quickstart import output_folder
from tf_longformer.quickstart.corpus import MIN_TOKENS
from tf_longformer.quickstart.corpus import Corpus
from tf_longformer.quickstart.corpus import build_corpus
from tf_longformer.quickstart.corpus import find_projects
from tf_longformer.quickstart.one_request import ask_server
from tf_longformer.quickstart.one_request import server_is_installed
from tf_longformer.quickstart.report import Report
from tf_longformer.quickstart.search import QUESTIONS
from tf_longformer.quickstart.search import read_documents
from tf_longformer.quickstart.search import search
from tf_longformer.quickstart.tensorflow_only import run_with_tensorflow_only
from tf_longformer.tasks import classify
from tf_longformer.tasks import fill_mask
from tf_longformer.tasks import sentence_transformer_options
from tf_longformer.tokenization import LongformerTokenizerFast

# The checkpoint that the package brings.
MINI = "mini"
SENTENCES = (
    "She opened the <mask> and looked out into the garden.",
    "He took off his hat and sat down by the <mask>.",
    "This proposal adds a new <mask> to the standard library.",
)
# The highest learning rates, each the best of those tried.
FROM_SCRATCH_RATE = 1e-3
FINE_TUNING_RATE = 5e-4
# XLA, plain TensorFlow and another process add numbers up in another order.
TOLERANCE = 1e-4
MAJORITY = "majority class"
BAG = "bag of words, whole document"
FINE_TUNED = "Longformer from mini"
FROM_SCRATCH = "Longformer from scratch"


@dataclass(frozen=True)
class Settings:
    """The options of the quickstart.

    Args:
        output: `Path`. The folder that is written.
        seed: int. Chooses documents, split, weights and order. Defaults to
            `0`.
        documents: int. Most documents per project, train and held-out
            together. Defaults to `100`.
        min_tokens: int. Words and marks of the shortest document. Defaults
            to `1000`.
        max_length: int. Tokens of a document that the classifiers read.
            Defaults to `1024`.
        steps: int. Training steps of each classifier. Defaults to `80`.
        overwrite: bool. Whether to write into a folder that holds something
            else than an earlier quickstart. Defaults to `False`.
    """

    output: Path
    seed: int = 0
    documents: int = 100
    min_tokens: int = MIN_TOKENS
    max_length: int = 1024
    steps: int = 80
    overwrite: bool = False


def run_quickstart(settings: Settings, console: Console) -> dict[str, Any]:
    """Runs all steps, from a masked word to the answer of a server.

    Args:
        settings: `Settings`.
        console: `rich.console.Console`, where the results are shown.

    Returns:
        The content of the report: `settings`, `filled`, `search`, `corpus`,
        `accuracy`, `explanation`, `checks`, `cost` and `versions`.

    Raises:
        ValueError: the output folder may not be written, too few documents
            were found, or Keras runs on another backend than TensorFlow.
        RuntimeError: what was saved, exported or served gives other numbers
            than the trained model.
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
    report = Report(console, settings.output)
    with (
        _errors_alone_are_logged(),
        output_folder.filled_output(
            settings.output, settings.overwrite
        ) as folder,
    ):
        results = _Quickstart(settings, report, folder).run()
        peak = peak_bytes()
        results["cost"] = {
            "seconds": round(time.perf_counter() - start, 1),
            # `None` where it isn't known.
            "peak_memory_gb": peak and round(peak / 1e9, 2),
        }
        results["versions"] = {
            "python": sys.version.split()[0],
            "keras": keras.__version__,
            "tensorflow": tf.__version__,
            "numpy": metadata.version("numpy"),
        }
        (folder / output_folder.REPORT).write_text(
            json.dumps(results, indent=2) + "\n", encoding="utf-8"
        )
    report.end(results["cost"])
    return results


@contextlib.contextmanager
def _errors_alone_are_logged() -> Iterator[None]:
    # Notes on assets and retracing tell users nothing, and that heads are new
    # is said in other words.
    loggers = (tf.get_logger(), logging.getLogger("tf_longformer"))
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


class _Learned(NamedTuple):
    """What came of the classifiers.

    Args:
        accuracies: dict from titles to fractions of the held-out documents.
        model: the fine-tuned one.
        texts: list of strings, what it reads of the held-out documents.
        found: its labels of each and their scores, the best first.
    """

    accuracies: dict[str, float]
    model: TFLongformerForSequenceClassification
    texts: list[str]
    found: list[list[dict[str, Any]]]


class _Quickstart:
    """Holds what one step hands to the next."""

    def __init__(
        self, settings: Settings, report: Report, folder: Path
    ) -> None:
        self.settings = settings
        self.report = report
        self.folder = folder
        self.tokenizer = LongformerTokenizerFast.from_pretrained(MINI)

    def run(self) -> dict[str, Any]:
        """Returns the report, less what it cost."""
        settings = self.settings
        self.report.begin()
        filled = self.fill()
        found = self.search()
        corpus = self.read_corpus()
        learned = self.classify(corpus)
        explanation = self.explain(learned, corpus)
        checks = self.export(
            learned.model, learned.texts[: len(corpus.label_names)]
        )
        return {
            "created_by": "tf-longformer quickstart",
            "settings": {
                name: str(value) if isinstance(value, Path) else value
                for name, value in vars(settings).items()
            },
            "filled": filled,
            "search": found,
            "corpus": {
                "projects": list(corpus.label_names),
                "train": len(corpus.train),
                "held_out": len(corpus.held_out),
            },
            "accuracy": learned.accuracies,
            "explanation": explanation,
            "checks": checks,
        }

    def fill(self) -> dict[str, list[str]]:
        """Fills in masked words; returns the best ones of each sentence."""
        self.report.step("fill")
        model = TFLongformerForMaskedLM.from_pretrained(MINI)
        found = fill_mask(model, self.tokenizer, list(SENTENCES), top_k=4)
        self.report.show_filled(SENTENCES, found)
        self.report.next("fill")
        return {
            sentence: [one["token_str"].strip() for one in of_sentence]
            for sentence, of_sentence in zip(SENTENCES, found, strict=True)
        }

    def search(self) -> dict[str, list[str]]:
        """Searches the documents; returns the best ones for each question."""
        self.report.step("search")
        documents = read_documents()
        self._write_lines(
            output_folder.DOCUMENTS,
            ({"name": name, "text": text} for name, text in documents.items()),
        )
        with self.report.busy(f"reading {len(documents)} documents"):
            found = search(
                TFLongformerModel.from_pretrained(MINI),
                self.tokenizer,
                documents,
                QUESTIONS,
                **sentence_transformer_options(MINI),
            )
        self.report.show_found(QUESTIONS, found, len(documents))
        self.report.next("search")
        return {
            question: one.names
            for question, one in zip(QUESTIONS, found, strict=True)
        }

    def read_corpus(self) -> Corpus:
        """Reads the source files that are to be classified."""
        self.report.step("classify")
        with self.report.busy("reading source files"):
            corpus = build_corpus(
                find_projects(),
                self.settings.documents,
                self.settings.seed,
                self.settings.min_tokens,
            )
        self.report.show_corpus(corpus)
        return corpus

    def classify(self, corpus: Corpus) -> _Learned:
        """Trains all classifiers, and asks them about what was held out."""
        names = corpus.label_names
        labels = [document.label for document in corpus.train]
        truth = [document.label for document in corpus.held_out]
        train = [document.text for document in corpus.train]
        held_out = [document.text for document in corpus.held_out]
        with self.report.busy("counting words"):
            majority = classifiers.predict_majority(labels, len(truth))
            words = classifiers.predict_by_words(
                train, labels, held_out, self.settings.seed
            )
        accuracies = {
            MAJORITY: classifiers.accuracy(majority, truth),
            BAG: classifiers.accuracy(words, truth),
        }
        texts = classifiers.beginnings(
            held_out, self.settings.max_length, self.tokenizer
        )
        self._write_lines(
            output_folder.HELD_OUT,
            (
                {"text": text, "label": names[label]}
                for text, label in zip(texts, truth, strict=True)
            ),
        )
        stages = classifiers.plan_stages(
            self.settings.max_length, self.settings.steps
        )
        examples = classifiers.draw_examples(
            stages, train, labels, self.tokenizer, self.settings.seed
        )

        def train_one(
            title: str,
            model: TFLongformerForSequenceClassification,
            learning_rate: float,
        ) -> list[list[dict[str, Any]]]:
            with self.report.progress(title, self.settings.steps) as progress:
                classifiers.train(
                    model, stages, examples, learning_rate, [progress]
                )
            found = classify(model, self.tokenizer, texts)
            predicted = [names.index(best["label"]) for best, *_ in found]
            accuracies[title] = classifiers.accuracy(predicted, truth)
            return found

        named = {
            "id2label": dict(enumerate(names)),
            "label2id": {name: index for index, name in enumerate(names)},
        }
        model_class = TFLongformerForSequenceClassification
        config = LongformerConfig.from_pretrained(MINI, **named)
        train_one(FROM_SCRATCH, model_class(config), FROM_SCRATCH_RATE)
        model = model_class.from_pretrained(MINI, **named)
        found = train_one(FINE_TUNED, model, FINE_TUNING_RATE)
        self.report.show_accuracies(accuracies, len(truth))
        self.report.show_predictions(corpus, found)
        self.report.next("classify")
        return _Learned(accuracies, model, texts, found)

    def explain(self, learned: _Learned, corpus: Corpus) -> dict[str, Any]:
        """Writes a page about the document whose label is the surest."""
        self.report.step("explain")
        scores = [best["score"] for best, *_ in learned.found]
        surest = int(np.argmax(scores))
        document = corpus.held_out[surest]
        with self.report.busy("leaving out one sentence after another"):
            explanation = explain(
                learned.model,
                self.tokenizer,
                learned.texts[surest],
                max_sentences=32,
                title=f"a file of {document.group}",
            )
        explanation.save(self.folder / output_folder.PAGE)
        self.report.show_explanation(
            explanation, document.group, corpus.label_names[document.label]
        )
        self.report.next("explain")
        prediction = explanation.prediction
        return {
            "document": document.group,
            "predicted": prediction.name,
            "probability": round(prediction.probability, 4),
        }

    def export(
        self, model: TFLongformerForSequenceClassification, texts: list[str]
    ) -> dict[str, float]:
        """Saves, exports and serves; returns by how much each differs."""
        self.report.step("export")
        encoding = self.tokenizer(texts, padding=True, return_tensors="np")
        logits = model(encoding).logits.numpy()
        checks = {}

        def check(name: str, what: str, found: np.ndarray) -> None:
            expected = logits[: len(found)]
            checks[name] = require_equal(what, found, expected)
            self.report.show_check(name, checks[name])

        folder = self.folder / "model"
        model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        reloaded = TFLongformerForSequenceClassification.from_pretrained(folder)
        check(
            "reloaded", "The reloaded model", reloaded(encoding).logits.numpy()
        )
        versions = self.folder / "savedmodel"
        with self.report.busy("exporting"):
            exported = export_saved_model(model, versions / "1", self.tokenizer)
            outputs = run_with_tensorflow_only(
                exported, {"text": np.array(texts)}, "text"
            )
        check("saved_model", "The SavedModel", outputs["logits"])
        if server_is_installed():
            with self.report.busy("starting a server"):
                answer = ask_server(versions, texts[0])
            check("served", "The server", np.array([answer["logits"]]))
            self.report.show_answer(answer)
        else:
            self.report.say_what_serves()
        self.report.next("export")
        return checks

    def _write_lines(self, name: str, records: Iterable[Any]) -> None:
        lines = (json.dumps(record) + "\n" for record in records)
        (self.folder / name).write_text("".join(lines), encoding="utf-8")


def require_equal(what: str, found: np.ndarray, expected: np.ndarray) -> float:
    """Compares logits.

    Args:
        what: string. The name of what gave `found`.
        found: float array.
        expected: float array.

    Returns:
        The largest difference relative to the largest expected value.

    Raises:
        RuntimeError: they differ.
    """
    if found.shape != expected.shape:
        raise RuntimeError(
            f"{what} gives logits of shape {found.shape}, the trained model "
            f"of {expected.shape}."
        )
    difference = float(
        np.max(np.abs(found - expected)) / np.max(np.abs(expected))
    )
    # Not `difference > TOLERANCE`, which would be false for NaN.
    if not difference <= TOLERANCE:
        raise RuntimeError(
            f"{what} differs from the trained model by {difference:.1e} "
            f"relative to its largest logit; {TOLERANCE:.0e} is allowed."
        )
    return difference
