"""What the user sees of the results."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tf_longformer.quickstart.corpus import Corpus

_BAR_WIDTH = 20
_BEGINNING_WIDTH = 34
_MAX_MISTAKES = 3

_NEXT_STEPS = """\
import pathlib
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer.quickstart.cleaning import clean_source

folder = {folder!r}
tokenizer = LongformerTokenizerFast.from_pretrained(folder)
model = TFLongformerForSequenceClassification.from_pretrained(folder)

text = clean_source(pathlib.Path(pathlib.__file__).read_text())
encoding = tokenizer(
    [text], truncation=True, max_length={max_length}, return_tensors="np"
)
logits = model(encoding).logits.numpy()
print(model.config.id2label[int(logits.argmax())])"""


def show_corpus(
    console: Console, corpus: Corpus, lengths: Sequence[int]
) -> None:
    """Shows the classes and how long their documents are.

    Args:
        console: `rich.console.Console`.
        corpus: `Corpus`.
        lengths: list of ints. Tokens of each training document.
    """
    num_labels = len(corpus.label_names)
    table = Table("project", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("train", "held out", "sub-packages", "median tokens"):
        table.add_column(column, justify="right")
    for label, name in enumerate(corpus.label_names):
        groups = {
            document.group
            for document in corpus.train + corpus.held_out
            if document.label == label
        }
        own = [
            length
            for length, document in zip(lengths, corpus.train, strict=True)
            if document.label == label
        ]
        table.add_row(
            name,
            str(len(own)),
            str(len(corpus.held_out) // num_labels),
            str(len(groups)),
            f"{int(np.median(own)):,}",
        )
    console.print(table)


def show_accuracies(
    console: Console, accuracies: dict[str, float], num_documents: int
) -> None:
    """Shows one bar per classifier.

    Args:
        console: `rich.console.Console`.
        accuracies: dict from title to held-out accuracy.
        num_documents: int. Number of held-out documents.
    """
    table = Table("", box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("right", justify="right")
    table.add_column("held-out accuracy")
    for title, value in accuracies.items():
        table.add_row(
            title,
            f"{round(value * num_documents)} of {num_documents}",
            f"{value:6.1%} [cyan]{'━' * round(value * _BAR_WIDTH)}[/cyan]",
        )
    console.print(table)


def show_predictions(
    console: Console, corpus: Corpus, probabilities: np.ndarray
) -> None:
    """Shows the beginning, the truth and the prediction of some documents.

    Args:
        console: `rich.console.Console`.
        corpus: `Corpus`.
        probabilities: float array of shape `(held-out documents, labels)`.
    """
    names = corpus.label_names
    truth = np.array([document.label for document in corpus.held_out])
    mistakes = np.flatnonzero(probabilities.argmax(axis=-1) != truth)
    first = len(names)
    shown = [*range(first), *mistakes[mistakes >= first][:_MAX_MISTAKES]]
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    table.add_column("document begins", no_wrap=True)
    table.add_column("written by", no_wrap=True)
    table.add_column("predicted", no_wrap=True)
    table.add_column("sure", justify="right", no_wrap=True)
    for index in shown:
        document, row = corpus.held_out[index], probabilities[index]
        predicted = int(row.argmax())
        colour = "green" if predicted == document.label else "red"
        start = " ".join(document.text[:200].split())
        if len(start) > _BEGINNING_WIDTH:
            start = start[: _BEGINNING_WIDTH - 1] + "…"
        table.add_row(
            escape(start),
            names[document.label],
            f"[{colour}]{names[predicted]}[/{colour}]",
            f"{row[predicted]:.0%}",
        )
    console.print(table)


def show_next_steps(console: Console, output: str, max_length: int) -> None:
    """Says where everything lies and what to type next.

    Args:
        console: `rich.console.Console`.
        output: string. The output folder.
        max_length: int. Longest input of the model.
    """
    console.print(
        f"\n[bold]Everything lies in {escape(output)}[/bold]\n"
        "  model/          config, weights and tokenizer, for from_pretrained\n"
        "  savedmodel/1/   the same model for TensorFlow alone\n"
        "  report.json     the numbers above\n\n"
        "[bold]Next, ask it about another file[/bold], in "
        f"{escape(_program('python'))}"
    )
    snippet = _NEXT_STEPS.format(
        folder=f"{output}/model", max_length=max_length
    )
    for line in snippet.split("\n"):
        console.print(f"  {escape(line)}", style="cyan", soft_wrap=True)
    console.print(
        "\n[bold]or look at what a server would load[/bold]\n"
        f"  [cyan]{escape(_program('saved_model_cli'))} show --all --dir "
        f"{escape(output)}/savedmodel/1[/cyan]",
        soft_wrap=True,
    )


def _program(name: str) -> str:
    """How to start a program of this environment, activated or not."""
    here = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found is not None and Path(found) == here:
        return name
    return str(here)
