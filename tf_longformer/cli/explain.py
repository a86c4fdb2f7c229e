"""`tf-longformer explain`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Annotated

import typer

from tf_longformer.cli.console import error_console
from tf_longformer.cli.console import import_backend
from tf_longformer.cli.console import say

if TYPE_CHECKING:
    from rich.progress import TaskID

    from tf_longformer.explain import Explanation

# Endings of files of text: such a name is no text, even if there is no file.
_ENDINGS = (".txt", ".md", ".rst", ".html", ".text")
_SHOWN = 3
_LONGEST_QUOTE = 70


def explain(
    source: Annotated[
        str,
        typer.Argument(
            metavar="TEXT_OR_FILE", help="The document, or a file with it."
        ),
    ],
    model: Annotated[
        str,
        typer.Option(help="A checkpoint's folder, mini, or an id of the hub."),
    ],
    html: Annotated[
        Path, typer.Option(help="The page to write; a file is replaced.")
    ],
    question: Annotated[
        str | None,
        typer.Option(
            help="Of question answering; of a model without a head, a text "
            "to compare the document with."
        ),
    ] = None,
    choice: Annotated[
        list[str] | None,
        typer.Option(help="Of multiple choice. May be repeated."),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="The label, word or choice to explain; the predicted one."
        ),
    ] = None,
    word: Annotated[
        str | None,
        typer.Option(
            help="Of token classification: the word whose label is explained."
        ),
    ] = None,
    global_attention: Annotated[
        str | None,
        typer.Option(
            help="Tokens that attend to all: none, cls, question or choices; "
            "those of the model."
        ),
    ] = None,
    sentences: Annotated[
        int,
        typer.Option(
            min=1,
            help="Most sentences to tell apart; of more, neighbours are taken "
            "together.",
        ),
    ] = 64,
    occlusion: Annotated[
        bool,
        typer.Option(
            help="Leave out each sentence in turn, which takes most of the "
            "time."
        ),
    ] = True,
    max_length: Annotated[
        int | None,
        typer.Option(min=3, help="Most tokens; the model's limit."),
    ] = None,
    kilobytes: Annotated[
        int,
        typer.Option(
            min=1, help="Size of the page; what is too much is left out."
        ),
    ] = 500,
) -> None:
    """Show where a model looks in a document, and what its prediction rests on.

    Writes one page of HTML with all that it needs in it: the attention of each
    layer and head, from the whole document down to its words; the pattern of
    windows and global tokens; and which sentences speak for what the model
    predicts, found in two ways.
    """
    text, title = _read(source)
    if html.is_dir():
        raise ValueError(
            "--html must be a file. Received: "
            f"{html}, which is a folder. Name a file in it, such as "
            f"{html / 'page.html'}."
        )
    # Now, and not when all is worked out.
    html.parent.mkdir(parents=True, exist_ok=True)
    import_backend()
    from tf_longformer.explain import explain as explain_document
    from tf_longformer.loading import Checkpoint

    checkpoint = Checkpoint(model)
    tokenizer = checkpoint.load_tokenizer()
    if tokenizer is None:
        raise ValueError(
            "A checkpoint must have a tokenizer to take texts. Received: "
            f"{model}, without one. Save the tokenizer there."
        )
    loaded = checkpoint.load_model("pooler")
    with _progress() as progress:
        explanation = explain_document(
            loaded,
            tokenizer,
            text,
            question=question,
            choices=choice or None,
            label=label,
            word=word,
            global_tokens=global_attention,
            max_sentences=sentences,
            occlusion=occlusion,
            max_length=max_length,
            title=title,
            progress=progress,
        )
    _show(explanation)
    explanation.save(html, kilobytes)
    size = html.stat().st_size / 1000
    say(f"wrote {html} ({size:,.0f} kB): open it in a browser")


def _read(source: str) -> tuple[str, str]:
    """Returns a text and its title, of a file or as it was given."""
    path = Path(source)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):  # too long for a name, or with a NUL
        is_file = False
    if not is_file:
        looks_so = path.suffix.lower() in _ENDINGS and len(source.split()) == 1
        if looks_so:
            raise FileNotFoundError(
                "The document must be a file or a text. Received: "
                f"{source}, which is named like a file, but there is none. "
                "Check the path."
            )
        return source, ""
    try:
        return path.read_text("utf-8-sig"), path.name
    except UnicodeDecodeError as error:
        raise ValueError(
            "A document must be text in UTF-8. Received: "
            f"{path}, which isn't at byte {error.start}. Convert it first."
        ) from error


def _show(explanation: Explanation) -> None:
    prediction = explanation.prediction
    if prediction is None:
        say("attention alone: without a question there is no prediction")
        return
    chance = prediction.probability
    score = f"{prediction.score:.3f}" if chance is None else f"{chance:.1%}"
    say(f"{prediction.title}: {prediction.name} ({score})")
    for name in ("occlusion", "gradient"):
        effects = [
            (getattr(effect, name), effect)
            for effect in prediction.effects
            if getattr(effect, name) is not None
        ]
        effects.sort(key=lambda one: -one[0])
        if effects:
            way = "gradient x input" if name == "gradient" else name
            say(f"rests most on, by {way}:")
        for value, effect in effects[:_SHOWN]:
            quote = explanation.text[effect.start : effect.end]
            quote = " ".join(quote.split())
            if len(quote) > _LONGEST_QUOTE:
                quote = quote[: _LONGEST_QUOTE - 3] + "..."
            say(f"  {value:+.3f}  {quote}")


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Yields a function that shows how far each step is."""
    # A log isn't to be filled with bars.
    if not error_console.is_terminal:
        yield lambda name, done, total: None
        return
    from rich.progress import BarColumn
    from rich.progress import MofNCompleteColumn
    from rich.progress import Progress
    from rich.progress import TextColumn
    from rich.progress import TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=error_console,
    ) as bar:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        yield show
