"""What `tf-longformer finetune` reaches on real tasks, beside what is simple.

Usage:

    TF_LONGFORMER_TEST_DATA=DATA python benchmarks/finetuning.py \
        FOLDER [PART ...] [--table]

The parts are `authors`, `entities`, `answers` and `choices`; all, if none is
named. Files of examples, models and logs go to FOLDER, and a run whose output
is there is not done again. The model is all-MiniLM-L6-v2 (`minilm/` of the
data), made a Longformer of 4,096 tokens by `tf-longformer convert`; with
"from scratch" new weights are drawn. Results are kept in results/, and
`--table` prints what is kept there.

Examples to measure with are of other books, articles or stories than those
to train with. No run of eight words of theirs may stand in the examples to
train with: what does is taken out of these, and counted.

- authors: nine authors of novels, each with one book to train with and
  another to measure with, from the same passages cut to several lengths;
  beside it TF-IDF of words with logistic regression.
- entities: LitBank's openings of novels, the outermost layer of its labels;
  beside it each word as it was labelled most often.
- answers: SQuAD, first trained on paragraphs, then on whole articles;
  measured on whole articles; beside it the sentence most like the question.
- choices: CosmosQA; beside it the place that is right most often.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import held_out
import numpy as np
import results
from safetensors.numpy import load_file
from safetensors.numpy import save_file

DATA = Path(
    os.environ.get(
        "TF_LONGFORMER_TEST_DATA",
        Path(__file__).parents[2] / "shared/data",
    )
)
KIND = "fine-tuning"
PARTS = ("authors", "entities", "answers", "choices")
LENGTHS = (512, 1024, 2048, 4096)
CHARACTERS = 18_000  # 4,096 tokens and a little
PER_AUTHOR = {"train": 24, "eval": 12}
# The books of an author to train with, and to measure with.
AUTHORS = {
    "Alger": (5348, 18581),
    "Austen": (1342, 158),
    "Burroughs": (78, 62),
    "Conrad": (974, 219),
    "Dickens": (1023, 1400),
    "Grey": (3457, 502),
    "Haggard": (2166, 711),
    "Joyce": (4300, 2814),
    "Wells": (36, 5230),
}

# What a run begins with, and the option that says so.
BEGINNINGS = {"": "", ", from scratch": " --from-scratch"}

Row = dict[str, Any]


def write(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("\n".join(lines) + "\n", "utf-8")


def read(path: Path) -> list[Row]:
    return [
        json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]
    ]


def without_overlap(
    train: list[Row], held: list[Row], words_of: Callable[[Row], str]
) -> list[Row]:
    """Returns examples without those that share a run of words."""
    known = {run for row in held for run in held_out.runs(words_of(row))}
    kept = [
        row
        for row in train
        if not known.intersection(held_out.runs(words_of(row)))
    ]
    print(
        f"{len(train)} examples to train with, {len(train) - len(kept)} of "
        f"them left out for a run of {held_out.RUN} words; {len(held)} to "
        "measure with"
    )
    return kept


# Authors of novels.


def passages_of(number: int) -> list[str]:
    """Returns the passages of a book, without its first and last page."""
    files = [*DATA.glob(f"text/*/{number}_*.txt")]
    if files:
        text = files[0].read_text("utf-8")
        starts = range(3_000, len(text) - CHARACTERS - 3_000, CHARACTERS)
        return [text[start : start + CHARACTERS] for start in starts]
    found = []
    for name in ("train", "dev"):
        path = DATA / f"classification/gutenberg_authors/{name}.jsonl"
        found += [
            row["text"]
            for row in read(path)
            if row["book"].startswith(f"{number}_")
        ]
    return found


def prepare_authors(folder: Path) -> None:
    rows: dict[str, list[Row]] = {"train": [], "eval": []}
    for author, books in AUTHORS.items():
        for (name, count), book in zip(PER_AUTHOR.items(), books, strict=True):
            passages = passages_of(book)
            count = min(count, len(passages))
            places = np.linspace(0, len(passages), count, endpoint=False)
            chosen = [passages[int(place)] for place in places]
            random.Random(book).shuffle(chosen)
            rows[name] += [
                {"label": author, "book": book, "text": text, "turn": turn}
                for turn, text in enumerate(chosen)
            ]
    text_of = lambda row: row["text"]  # noqa: E731
    known = {run for row in rows["eval"] for run in held_out.runs(text_of(row))}
    shared = [
        sum(run in known for run in held_out.runs(text_of(row)))
        for row in rows["train"]
    ]
    print(
        f"authors: {len(rows['train'])} passages to train with, "
        f"{len(rows['eval'])} of other books to measure with; "
        f"{sum(map(bool, shared))} of the first share {sum(shared)} runs of "
        f"{held_out.RUN} words with one of the others"
    )
    for name, of_name in rows.items():
        # By turns, so that the first ones are of all authors.
        order = sorted(of_name, key=lambda row: row.pop("turn"))
        write(folder / f"{name}.jsonl", order)


def score_words(
    folder: Path, length: int, counts: tuple[int, int]
) -> dict[str, float]:
    """Returns what TF-IDF and logistic regression make of first tokens."""
    import keras

    from tf_longformer import LongformerTokenizerFast

    tokenizer = LongformerTokenizerFast.from_pretrained(DATA / "minilm")
    words: dict[str, list[Counter]] = {}
    labels: dict[str, list[str]] = {}
    for name, count in zip(PER_AUTHOR, counts, strict=True):
        rows = read(folder / f"{name}.jsonl")[:count]
        labels[name] = [row["label"] for row in rows]
        words[name] = []
        for row in rows:
            places = tokenizer(
                row["text"],
                truncation=True,
                max_length=length,
                return_offsets_mapping=True,
            )["offset_mapping"]
            text = row["text"][: max(end for _, end in places)].lower()
            words[name].append(Counter(re.findall(r"\w+", text)))
    seen = Counter(word for counter in words["train"] for word in counter)
    vocabulary = {w: n for n, w in enumerate(w for w in seen if seen[w] > 1)}
    count = len(words["train"])
    idf = np.log((1 + count) / (1 + np.array([seen[w] for w in vocabulary])))

    def vectors(counters: list[Counter]) -> np.ndarray:
        array = np.zeros((len(counters), len(vocabulary)), "float32")
        for row, counter in zip(array, counters, strict=True):
            for word in counter.keys() & vocabulary.keys():
                row[vocabulary[word]] = 1 + np.log(counter[word])
        array *= idf + 1
        return array / np.linalg.norm(array, axis=1, keepdims=True)

    names = sorted(set(labels["train"]))
    x, y = vectors(words["train"]), [names.index(n) for n in labels["train"]]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Dense(len(names))])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss)
    model.fit(x, np.array(y), batch_size=len(x), epochs=200, verbose=0)
    found = model.predict(vectors(words["eval"]), verbose=0).argmax(-1)
    right = [names.index(n) for n in labels["eval"]]
    return {"accuracy": float(np.mean(found == right))}


# Entities of LitBank.


def prepare_entities(folder: Path) -> None:
    files = sorted((DATA / "ner/litbank_entities").glob("*.tsv"))
    random.Random(0).shuffle(files)
    documents = []
    for path in files:
        cells = [
            line.split("\t")
            for line in path.read_text("utf-8").split("\n")
            if line.strip()
        ]
        documents.append(
            {"tokens": [c[0] for c in cells], "labels": [c[1] for c in cells]}
        )
    words_of = lambda row: " ".join(row["tokens"])  # noqa: E731
    held = documents[:16]
    print("entities:", end=" ")
    train = without_overlap(documents[16:], held, words_of)
    write(folder / "train.jsonl", train)
    write(folder / "eval.jsonl", held)


def score_usual_labels(
    folder: Path, samples: tuple[int, int]
) -> dict[str, float]:
    """Returns what the label that a word had most often is worth."""
    from tf_longformer.metrics import entity_metrics

    counts: dict[str, Counter] = {}
    for row in read(folder / "train.jsonl")[: samples[0]]:
        for word, label in zip(row["tokens"], row["labels"], strict=True):
            counts.setdefault(word.lower(), Counter())[label] += 1
    usual = {word: c.most_common(1)[0][0] for word, c in counts.items()}
    rows = read(folder / "eval.jsonl")[: samples[1]]
    found = [[usual.get(w.lower(), "O") for w in row["tokens"]] for row in rows]
    metrics = entity_metrics(found, [row["labels"] for row in rows])
    return {name: metrics[name] for name in ("f1", "precision", "recall")}


# Answers within SQuAD's articles.


def prepare_answers(folder: Path) -> None:
    path = DATA / "qa/squad2_dev_cs224n.json"
    articles = json.loads(path.read_text("utf-8"))["data"]
    random.Random(0).shuffle(articles)
    rows: dict[str, list[Row]] = {
        n: [] for n in ("paragraphs", "train", "eval")
    }
    for number, article in enumerate(articles):
        held = number < 4
        document = "\n\n".join(p["context"] for p in article["paragraphs"])
        start = 0
        for paragraph in article["paragraphs"]:
            for question in paragraph["qas"]:
                # "Nothing" would be wrong of a whole article.
                if not question["answers"]:
                    continue
                asked = {
                    "id": question["id"],
                    "article": article["title"],
                    "question": question["question"],
                }
                shifted = [
                    {**a, "answer_start": a["answer_start"] + start}
                    for a in question["answers"]
                ]
                rows["eval" if held else "train"].append(
                    {**asked, "context": document, "answers": shifted}
                )
                if not held:
                    rows["paragraphs"].append(
                        {
                            **asked,
                            "context": paragraph["context"],
                            "answers": question["answers"],
                        }
                    )
            start += len(paragraph["context"]) + 2
    known = {
        run
        for article in articles[:4]
        for p in article["paragraphs"]
        for run in held_out.runs(p["context"])
    }
    shared = [
        p["context"]
        for article in articles[4:]
        for p in article["paragraphs"]
        if known.intersection(held_out.runs(p["context"]))
    ]
    print(
        f"answers: {len(rows['train'])} questions to train with, "
        f"{len(rows['eval'])} of four other articles to measure with; "
        f"{len(shared)} paragraphs of the first share a run of "
        f"{held_out.RUN} words with the others"
    )
    for name, of_name in rows.items():
        random.Random(1).shuffle(of_name)
        write(folder / f"{name}.jsonl", of_name)


def score_sentences(folder: Path, samples: tuple[int, int]) -> dict[str, float]:
    """Returns what the sentence most like the question is worth.

    That is the one whose words of the question are the rarest in the
    document: the sum of their logarithms of sentences over sentences with it.
    """
    from tf_longformer.metrics import question_answering_metrics

    words_of = lambda text: set(re.findall(r"\w+", text.lower()))  # noqa: E731
    rows = read(folder / "eval.jsonl")[: samples[1]]
    predictions, references = {}, {}
    for row in rows:
        sentences = re.split(r"(?<=[.!?])\s+", row["context"])
        words = [words_of(sentence) for sentence in sentences]
        seen = Counter(word for of_one in words for word in of_one)
        asked = words_of(row["question"])
        scores = [
            sum(np.log(len(words) / seen[word]) for word in of_one & asked)
            for of_one in words
        ]
        predictions[row["id"]] = sentences[int(np.argmax(scores))]
        references[row["id"]] = [answer["text"] for answer in row["answers"]]
    return question_answering_metrics(predictions, references)


# Choices of CosmosQA.


def prepare_choices(folder: Path) -> None:
    path = DATA / "multiple_choice/cosmosqa_valid.csv"
    with open(path, encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    # Some stories have several questions.
    stories = sorted({line["context"] for line in lines})
    random.Random(0).shuffle(stories)
    held = set(stories[: len(stories) // 5])
    rows: dict[bool, list[Row]] = {True: [], False: []}
    for line in lines:
        rows[line["context"] in held].append(
            {
                # Question and answer are what is global.
                "prompt": line["context"],
                "choices": [
                    f"{line['question']} {line[f'answer{n}']}" for n in range(4)
                ],
                "label": int(line["label"]),
            }
        )
    print("choices:", end=" ")
    train = without_overlap(rows[False], rows[True], lambda row: row["prompt"])
    for name, of_name in (("train", train), ("eval", rows[True])):
        random.Random(1).shuffle(of_name)
        write(folder / f"{name}.jsonl", of_name)


def score_usual_place(
    folder: Path, samples: tuple[int, int]
) -> dict[str, float]:
    """Returns how often the place that is right most often is right."""
    labels = [
        [row["label"] for row in read(folder / f"{name}.jsonl")[:count]]
        for name, count in zip(("train", "eval"), samples, strict=True)
    ]
    usual = Counter(labels[0]).most_common(1)[0][0]
    return {"accuracy": float(np.mean(np.array(labels[1]) == usual))}


# Runs.


@dataclasses.dataclass(frozen=True)
class Run:
    """A run of the command.

    Args:
        name: as it is called in the table.
        task: of `tf-longformer finetune`.
        options: of the same.
        samples: the most examples to train and to measure with.
        passes: over those to train with.
        batch_size: rows of a step.
        model: the name of the run to go on from. Defaults to the encoder.
        train: name of the file to train with.
    """

    name: str
    task: str
    options: str
    samples: tuple[int, int]
    passes: float
    batch_size: int
    model: str = ""
    train: str = "train"

    @property
    def steps(self) -> int:
        return max(round(self.passes * self.samples[0] / self.batch_size), 1)

    @property
    def folder(self) -> str:
        return re.sub(r"\W+", "-", self.name)


def plan(part: str, scale: float) -> list[Run]:
    """Returns the runs of a part, with a share of what is trained with."""

    def some(train: int, held: int) -> tuple[int, int]:
        return max(int(train * scale), 1), held

    runs = []
    if part == "authors":
        runs = [
            Run(
                f"{length} tokens{source}",
                "text-classification",
                f"--max-length {length} --learning-rate 1e-4" + option,
                some(200, 105),
                2,
                4,
            )
            for source, option in BEGINNINGS.items()
            for length in LENGTHS
            # Without what the encoder knows two lengths are enough to see it.
            if not source or length in (512, 2048)
        ]
    if part == "entities":
        runs = [
            Run(
                f"whole openings{source}",
                "token-classification",
                "--max-length 4096 --learning-rate 3e-4 "
                "--global-attention none" + option,
                some(64, 16),
                8,
                2,
            )
            for source, option in BEGINNINGS.items()
        ]
    if part == "answers":
        runs = [
            Run(
                f"paragraphs{source}",
                "question-answering",
                "--max-length 512 --learning-rate 2e-4" + option,
                some(2000, 60),
                2,
                8,
                train="paragraphs",
            )
            for source, option in BEGINNINGS.items()
        ]
        runs += [
            Run(
                "paragraphs, then articles",
                "question-answering",
                "--max-length 4096 --learning-rate 5e-5",
                some(120, 60),
                1,
                1,
                model=runs[0].folder,
            )
        ]
    if part == "choices":
        runs = [
            Run(
                f"four answers{source}",
                "multiple-choice",
                "--max-length 256 --learning-rate 1e-4" + option,
                some(2381, 200),
                2,
                8,
            )
            for source, option in BEGINNINGS.items()
        ]
    return runs


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tf_longformer", *words]


def layers_of(folder: Path) -> int:
    """Returns how many layers the encoder has."""
    text = (folder / "encoder/config.json").read_text("utf-8")
    return json.loads(text)["num_hidden_layers"]


def make_encoder(folder: Path, layers: int) -> None:
    """Makes a Longformer of the encoder, or of its first layers."""
    source, kept = DATA / "minilm", folder / "source"
    shutil.copytree(
        source, kept, copy_function=shutil.copyfile, dirs_exist_ok=True
    )
    file = kept / "model.safetensors"
    weights = {
        name: array
        for name, array in load_file(file).items()
        if not (found := re.search(r"layer\.(\d+)\.", name))
        or int(found[1]) < layers
    }
    save_file(weights, file)
    fields = json.loads((kept / "config.json").read_text("utf-8"))
    fields["num_hidden_layers"] = layers
    (kept / "config.json").write_text(json.dumps(fields), "utf-8")
    options = ("--max-tokens", "4096", "--attention-window", "128")
    words = command("convert", str(kept), str(folder / "encoder"), *options)
    subprocess.run(words, check=True)


def run_one(part: str, run: Run, folder: Path, policy: str) -> dict[str, Any]:
    """Runs the command, unless it was run, and returns what it has come to."""
    options = f"{run.options} --policy {policy}"
    output = folder / part / run.folder
    model = folder / part / run.model if run.model else folder / "encoder"
    words = command(
        *("finetune", run.task, "--model", str(model)),
        *("--train", str(folder / part / f"{run.train}.jsonl")),
        *("--eval", str(folder / part / "eval.jsonl")),
        *("--output", str(output), "--resume"),
        *("--max-train-samples", str(run.samples[0])),
        *("--batch-size", str(run.batch_size)),
        *("--max-eval-samples", str(run.samples[1])),
        # Measured once, at the end: no model is chosen by what is measured.
        *("--steps", str(run.steps), "--eval-steps", str(run.steps)),
        *options.split(),
    )
    kept = folder / part / f"{run.folder}.json"
    if not kept.exists():
        print("$ tf-longformer", *words[3:], flush=True)
        start = time.perf_counter()
        before = os.times()
        with open(kept.with_suffix(".log"), "w", encoding="utf-8") as log:
            subprocess.run(
                words, check=True, stdout=log, stderr=subprocess.STDOUT
            )
        after = os.times()
        processor = (
            after.children_user
            + after.children_system
            - before.children_user
            - before.children_system
        )
        report = json.loads((output / "metrics.json").read_text("utf-8"))
        result = {
            "metrics": report["best"],
            "steps": report["history"][-1]["step"],
            "samples": run.samples,
            "layers": layers_of(folder),
            "options": options,
            "minutes": (time.perf_counter() - start) / 60,
            "processor minutes": processor / 60,
        }
        kept.write_text(json.dumps(result, indent=1), "utf-8")
    return json.loads(kept.read_text("utf-8"))


def baselines(
    part: str, folder: Path, samples: tuple[int, int]
) -> dict[str, dict[str, float]]:
    """Returns the metrics of what is simple."""
    if part == "authors":
        return {
            f"bag of words, {length} tokens": score_words(
                folder, length, samples
            )
            for length in LENGTHS
        }
    if part == "entities":
        return {"usual labels": score_usual_labels(folder, samples)}
    if part == "answers":
        return {
            "sentence most like the question": score_sentences(folder, samples)
        }
    if part == "choices":
        return {"usual place": score_usual_place(folder, samples)}
    return {}


PREPARE = {
    "authors": prepare_authors,
    "entities": prepare_entities,
    "answers": prepare_answers,
    "choices": prepare_choices,
}


def table() -> str:
    """Returns what is kept, of all machines, as Markdown.

    Examples are those to train and to measure with, minutes the processor's.
    """
    names = "task", "model", "layers", "examples", "steps", "result", "minutes"
    lines = []
    for kept in results.machines().values():
        for name, one in kept.get(KIND, {}).items():
            metrics = ", ".join(
                f"{metric.replace('_', ' ')} {value:.2f}"
                for metric, value in one["metrics"].items()
                if metric != "loss"
            )
            train, held = one["samples"]
            minutes = one.get("processor minutes")
            cells = (
                *name.split(": "),
                str(one.get("layers", "")),
                f"{train} / {held}",
                str(one.get("steps", "")),
                metrics,
                "" if minutes is None else f"{minutes:.0f}",
            )
            lines.append(f"| {' | '.join(cells)} |")
    lines.sort(key=lambda line: line.split("|")[1])
    head = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    return "\n".join(head + lines)


def parse_parts(
    parser: argparse.ArgumentParser, parts: Sequence[str]
) -> argparse.Namespace:
    """Reads the arguments: those of the parser, a folder, parts, `--table`."""
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("parts", nargs="*", metavar="PART")
    parser.add_argument("--table", action="store_true")
    # Parts may stand after options too.
    arguments = parser.parse_intermixed_args()
    unknown = set(arguments.parts) - set(parts)
    if not arguments.table and (arguments.folder is None or unknown):
        parser.error(
            f"There must be a folder, and parts of {', '.join(parts)}. "
            f"Received: {arguments.folder}, {', '.join(unknown)}."
        )
    return arguments


def main() -> None:
    """Prepares, runs, keeps and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--only", default="", help="name of a run")
    parser.add_argument(
        "--policy",
        default="mixed_bfloat16",
        help="float32 is faster where the processor has no bfloat16",
    )
    arguments = parse_parts(parser, PARTS)
    if arguments.table:
        print(table())
        return
    folder = arguments.folder
    if not (folder / "encoder").exists():
        make_encoder(folder, arguments.layers)
    for part in arguments.parts or PARTS:
        if not (folder / part / "eval.jsonl").exists():
            PREPARE[part](folder / part)
        runs = plan(part, arguments.scale)
        for run in runs:
            if arguments.only not in ("", run.name):
                continue
            result = run_one(part, run, folder, arguments.policy)
            results.keep(KIND, f"{part}: {run.name}", result)
            print(part, run.name, result["metrics"], flush=True)
        samples = runs[-1].samples
        for name, metrics in baselines(part, folder / part, samples).items():
            result = {"metrics": metrics, "samples": samples}
            results.keep(KIND, f"{part}: {name}", result)


if __name__ == "__main__":
    main()
