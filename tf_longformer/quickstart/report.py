"""What the user sees: what each step shows, its results, what to type next."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn
from rich.progress import MofNCompleteColumn
from rich.progress import Progress
from rich.progress import TextColumn
from rich.progress import TimeRemainingColumn
from rich.table import Table

from tf_longformer.explain import Explanation
from tf_longformer.quickstart.corpus import Corpus
from tf_longformer.quickstart.corpus import count_tokens
from tf_longformer.quickstart.one_request import request_body
from tf_longformer.quickstart.search import Found

_WIDTH = 78
_BAR_WIDTH = 20
_BEGINNING_WIDTH = 34
_MAX_MISTAKES = 3
_MAX_EFFECTS = 3
_MAX_PASSAGE = 220

_BEGIN = (
    "mini is a small Longformer that comes with the package. Five steps show "
    "what one does; each ends with what to type next, once all are done."
)
# Of each step: its title, what it shows, and what to type next.
_STEPS = {
    "fill": (
        "1. Fill in words",
        "mini has read novels and technical proposals, and has learned from "
        "them to guess words that are hidden.",
        'echo \'{{"text": "He opened the <mask>."}}\' > masked.jsonl\n'
        "{program} predict mini masked.jsonl words.jsonl",
    ),
    "search": (
        "2. Search by meaning",
        "What a module of Python's standard library says about itself is a "
        "document. It becomes a vector, a question becomes one too, and the "
        "nearest document answers. Its paragraphs have vectors of their own.",
        "{program} embed mini {output}/documents.jsonl vectors.npy\n"
        "{program} embed mini {output}/documents.jsonl paragraphs.jsonl "
        "--spans paragraphs",
    ),
    "classify": (
        "3. Fine-tune a classifier",
        "Which project wrote this source file? Names of projects and files, "
        "imports, licences and module docstrings are removed, and no "
        "sub-package stands on both sides. mini learns it in a few steps; so "
        "does the same model without what mini knows; and words are counted.",
        "{program} evaluate {output}/model {output}/held_out.jsonl\n"
        "{program} predict {output}/model {output}/held_out.jsonl labels.jsonl",
    ),
    "explain": (
        "4. Explain a prediction",
        "Of the held-out file whose label is the surest, each sentence is left "
        "out in turn. What the label rests on is what it misses most; where "
        "all numbers are small, it rests on the whole.",
        "{program} explain {file} \\\n"
        "    --model {output}/model --html page.html",
    ),
    "export": (
        "5. Export and serve",
        "The classifier is loaded again from its folder, run by TensorFlow "
        "alone from texts, and asked over HTTP. Each has to say the same.",
        "{program} serve {output}/savedmodel\n"
        "curl http://127.0.0.1:8501/v1/models/savedmodel:predict -d \\\n"
        "    {request}",
    ),
}
_CHECKS = {
    "reloaded": "loaded from model/",
    "saved_model": "TensorFlow alone",
    "served": "the server",
}
_END = """\
  model/            config, weights and tokenizer, for from_pretrained
  savedmodel/1/     the same for TensorFlow alone, which takes texts
  explain.html      open it in a browser: where the model looks, and why
  documents.jsonl   what was searched
  held_out.jsonl    what the classifier was tested with
  report.json       the numbers above"""


class Report:
    """Shows the quickstart.

    Args:
        console: `rich.console.Console`.
        output: `Path`, the folder that the user will find.
    """

    def __init__(self, console: Console, output: Path) -> None:
        self._console = console
        self._output = output

    def begin(self) -> None:
        """Says what is about to happen."""
        self._paragraph(_BEGIN)

    def step(self, name: str) -> None:
        """Says what a step shows."""
        title, shows, _ = _STEPS[name]
        self._console.print(f"\n[bold]{title}[/bold]")
        self._paragraph(shows, "dim")

    def next(self, name: str) -> None:
        """Says what to type after a step."""
        commands = _STEPS[name][2].format(
            program=_program("tf-longformer"),
            output=shlex.quote(str(self._output)),
            file=shlex.quote(contextlib.__file__),
            request=shlex.quote(request_body("def add(x, y): ...")),
        )
        self._console.print("  Next:")
        self._console.print(
            textwrap.indent(commands, "  "),
            style="cyan",
            markup=False,
            soft_wrap=True,
        )

    def end(self, cost: dict[str, Any]) -> None:
        """Says where everything lies, and what it took."""
        self._console.print(
            f"\n[bold]Everything lies in {escape(str(self._output))}[/bold]\n"
            f"{_END}",
            soft_wrap=True,
        )
        memory = cost["peak_memory_gb"]
        self._console.print(
            f"\nDone in {cost['seconds']:.0f} s"
            + (f" with at most {memory:.1f} GB of memory." if memory else ".")
        )

    def busy(self, doing: str) -> contextlib.AbstractContextManager:
        """Shows on a terminal what is going on."""
        return self._console.status(f"  {doing}")

    def progress(self, title: str, num_steps: int) -> ProgressBar:
        """Shows steps, loss and remaining time of a training run."""
        return ProgressBar(self._console, title.ljust(23), num_steps)

    def show_filled(
        self, sentences: Sequence[str], found: Sequence[Sequence[dict]]
    ) -> None:
        """Shows the best words for the mask of each sentence."""
        for sentence, of_sentence in zip(sentences, found, strict=True):
            words = ", ".join(
                f"[green]{escape(one['token_str'].strip())}[/green] "
                f"{one['score']:.0%}"
                for one in of_sentence
            )
            self._console.print(f"  {escape(sentence)}\n      {words}")

    def show_found(
        self,
        questions: Sequence[str],
        found: Sequence[Found],
        num_documents: int,
    ) -> None:
        """Shows the best documents for each question, and a passage."""
        self._console.print(f"  {num_documents} documents")
        for question, one in zip(questions, found, strict=True):
            best = ", ".join(
                f"[green]{escape(name)}[/green] {cosine:.2f}"
                for name, cosine in zip(one.names, one.cosines, strict=True)
            )
            passage = textwrap.fill(
                textwrap.shorten(one.passage, _MAX_PASSAGE, placeholder=" ..."),
                _WIDTH,
                initial_indent="      ",
                subsequent_indent="      ",
            )
            self._console.print(f"  {question}\n      {best}")
            self._console.print(escape(passage), style="italic")

    def show_corpus(self, corpus: Corpus) -> None:
        """Shows the classes and how long their documents are."""
        table = _table("  project")
        for column in ("train", "held out", "sub-packages", "median words"):
            table.add_column(column, justify="right")
        halves = (corpus.train, corpus.held_out)
        for label, name in enumerate(corpus.label_names):
            train, held_out = (
                [document for document in half if document.label == label]
                for half in halves
            )
            words = [count_tokens(document.text) for document in train]
            table.add_row(
                f"  {name}",
                str(len(train)),
                str(len(held_out)),
                str(len({document.group for document in train + held_out})),
                f"{int(np.median(words)):,}",
            )
        self._console.print(table)

    def show_accuracies(
        self, accuracies: dict[str, float], num_documents: int
    ) -> None:
        """Shows a bar for each classifier."""
        table = _table("")
        table.add_column("right", justify="right")
        table.add_column("held-out accuracy")
        for title, value in accuracies.items():
            table.add_row(
                f"  {title}",
                f"{round(value * num_documents)} of {num_documents}",
                f"{value:6.1%} [cyan]{'━' * round(value * _BAR_WIDTH)}[/cyan]",
            )
        self._console.print(table)

    def show_predictions(
        self, corpus: Corpus, found: Sequence[Sequence[dict[str, Any]]]
    ) -> None:
        """Shows what was predicted of some held-out documents.

        Args:
            corpus: `Corpus`.
            found: for each held-out document a list of dicts with `label`
                and `score`, the best first.
        """
        names = corpus.label_names
        mistakes = [
            index
            for index, (of_text, document) in enumerate(
                zip(found, corpus.held_out, strict=True)
            )
            if of_text[0]["label"] != names[document.label]
        ]
        first = len(names)
        later = [index for index in mistakes if index >= first]
        table = _table()
        for column in ("  a held-out document begins", "by", "predicted"):
            table.add_column(column, no_wrap=True)
        table.add_column("sure", justify="right", no_wrap=True)
        for index in [*range(first), *later[:_MAX_MISTAKES]]:
            document, best = corpus.held_out[index], found[index][0]
            colour = "red" if index in mistakes else "green"
            start = " ".join(document.text[:200].split())
            if len(start) > _BEGINNING_WIDTH:
                start = start[: _BEGINNING_WIDTH - 1] + "…"
            table.add_row(
                f"  {escape(start)}",
                names[document.label],
                f"[{colour}]{best['label']}[/{colour}]",
                f"{best['score']:.0%}",
            )
        self._console.print(table)

    def show_explanation(
        self, explanation: Explanation, group: str, truth: str
    ) -> None:
        """Shows what a prediction rests on."""
        prediction = explanation.prediction
        self._console.print(
            f"  {escape(group)} is of {truth}. Predicted: "
            f"[green]{prediction.name}[/green], {prediction.probability:.0%} "
            "sure.\n  What speaks for it most, in log-odds:"
        )
        effects = sorted(prediction.effects, key=lambda one: -one.occlusion)
        for effect in effects[:_MAX_EFFECTS]:
            quote = textwrap.shorten(
                explanation.text[effect.start : effect.end],
                _WIDTH - 10,
                placeholder=" ...",
            )
            self._console.print(
                f"  {effect.occlusion:+.2f}  [italic]{escape(quote)}[/italic]"
            )
        self._console.print(
            f"  The page: {escape(str(self._output))}/explain.html"
        )

    def show_check(self, name: str, difference: float) -> None:
        """Says by how much logits differ."""
        same = "exactly the same logits"
        if difference:
            same = f"the same logits (difference {difference:.0e})"
        self._console.print(f"  {_CHECKS[name].ljust(20)}{same}")

    def show_answer(self, answer: dict[str, Any]) -> None:
        """Shows a server's answer about one text."""
        pairs = zip(answer["labels"], answer["scores"], strict=True)
        says = ", ".join(f"{label} {score:.0%}" for label, score in pairs)
        says = textwrap.shorten(says, _WIDTH - 22, placeholder=" ...")
        self._console.print(f"  its answer          {escape(says)}")

    def say_what_serves(self) -> None:
        """Says what a server needs."""
        self._paragraph(
            "The server isn't installed, so it wasn't asked: pip install "
            "'tf-longformer[serve]'"
        )

    def _paragraph(self, text: str, style: str | None = None) -> None:
        self._console.print(textwrap.fill(escape(text), _WIDTH), style=style)


class ProgressBar(keras.callbacks.Callback):
    """Shows steps, loss and remaining time of a training run.

    Args:
        console: `rich.console.Console`. Without a terminal only the final
            state is printed.
        title: string.
        num_steps: int.
    """

    def __init__(self, console: Console, title: str, num_steps: int) -> None:
        super().__init__()
        self._progress = Progress(
            TextColumn("  {task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
        )
        self._done = 0
        self._task = self._progress.add_task(
            title, total=num_steps, loss="tracing"
        )

    def __enter__(self) -> ProgressBar:
        self._progress.start()
        return self

    def __exit__(self, *exception: Any) -> None:
        # Also after an error or Ctrl-C, or the terminal's cursor stays away.
        self._progress.stop()

    def on_train_batch_end(
        self, batch: int, logs: dict[str, float] | None = None
    ) -> None:
        # Counted here, as `batch` starts anew with each stage.
        self._done += 1
        self._progress.update(
            self._task,
            completed=self._done,
            loss=f"loss {(logs or {}).get('loss', float('nan')):.3f}",
        )


def _table(*columns: str) -> Table:
    return Table(*columns, box=None, pad_edge=False, padding=(0, 3, 0, 0))


def _program(name: str) -> str:
    """How to start a program of this environment, activated or not."""
    here = Path(sys.executable).with_name(name)
    found = shutil.which(name)
    if found is not None and Path(found) == here:
        return name
    if here.is_relative_to(Path.cwd()):
        here = here.relative_to(Path.cwd())
    return shlex.quote(str(here))
