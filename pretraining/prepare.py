"""Makes what `mini` learns from: texts, a vocabulary, a teacher's vectors.

    python pretraining/prepare.py DATA work

The first folder has public-domain novels in `text/novels` and
`text/gutenberg`, proposals of programming languages and of Ethereum in
`text/documents/proposals.jsonl`, and the encoder all-MiniLM-L6-v2 in
`minilm`. Into the second go

- `train.jsonl` and `held_out.jsonl`: whole novels and proposals. What is held
  out is held out whole. A paragraph of a text to train with is left out where
  it has stood in one before, or where eight words in a row of it stand in a
  text that is held out.
- `start`: the tokenizer, and the model that training begins with: the first
  layers of the teacher, with the busiest units of their feed-forward parts. A
  token has the mean of the vectors of the teacher's pieces of it.
- `passages.jsonl` and `vectors.npy`: passages of some texts, one after the
  other, and what the teacher makes of each.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tf_longformer import LongformerConfig
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import convert_to_longformer
from tf_longformer.tasks import embed

HELD_OUT_NOVELS = ("4276_", "36_", "1155_")
HELD_OUT_PROPOSALS = 10  # every tenth
RUN = 8  # words
SHORTEST_REPEATED = 80  # characters
VOCABULARY = 8192
LAYERS, INTERMEDIATE = 3, 832
MAX_TOKENS = 4096
# Words of a passage; its logarithm is drawn.
PASSAGE_WORDS = (12, 170)
# Texts are cut so long before passages are drawn from some of the pieces.
SECTION = 24_000  # characters
PASSAGES = 40_000

Text = dict[str, Any]


def read_texts(data: Path) -> Iterator[tuple[bool, Text]]:
    """Yields whether a text is held out, and the text."""
    novels = [*data.glob("text/novels/*"), *data.glob("text/gutenberg/*")]
    for path in sorted(novels):
        yield (
            path.name.startswith(HELD_OUT_NOVELS),
            {
                "source": "novel",
                "name": path.stem,
                "licence": "public domain",
                "text": path.read_text("utf-8"),
            },
        )
    file = data / "text/documents/proposals.jsonl"
    # `splitlines` would cut at line ends that JSON has within strings.
    for number, line in enumerate(file.read_text("utf-8").split("\n")[:-1]):
        yield number % HELD_OUT_PROPOSALS == 0, json.loads(line)


def runs(text: str) -> list[int]:
    """Returns a number for each run of words, the same for the same run."""
    words = re.findall(r"\w+", text.lower())
    return [
        hash(tuple(words[start : start + RUN]))
        for start in range(len(words) - RUN + 1)
    ]


def split_texts(data: Path, output: Path) -> list[Text]:
    """Writes and returns the texts to train with; writes the others."""
    train, held_out = [], []
    for is_held_out, text in read_texts(data):
        (held_out if is_held_out else train).append(text)
    known = {run for text in held_out for run in runs(text["text"])}
    seen: set[str] = set()
    repeated, shared = 0, 0
    for text in train:
        kept = []
        for paragraph in re.split(r"\n\s*\n", text["text"]):
            plain = " ".join(paragraph.lower().split())
            if len(plain) >= SHORTEST_REPEATED and plain in seen:
                repeated += len(paragraph)
            elif not known.isdisjoint(runs(paragraph)):
                shared += len(paragraph)
            else:
                seen.add(plain)
                kept.append(paragraph)
        text["text"] = "\n\n".join(kept)
    train = [text for text in train if text["text"].strip()]
    np.random.default_rng(0).shuffle(train)
    for name, texts in (("train", train), ("held_out", held_out)):
        write(output / f"{name}.jsonl", texts)
        size = sum(len(text["text"]) for text in texts)
        print(f"{name}: {len(texts):,} texts, {size:,} characters")
    print(
        f"left out of those to train with: {repeated:,} characters of "
        f"paragraphs that stand twice, {shared:,} of paragraphs that share "
        f"{RUN} words in a row with what is held out"
    )
    return train


def write(path: Path, rows: list[Text]) -> None:
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines) + "\n", "utf-8")


def make_start(texts: list[Text], teacher: Path, output: Path) -> None:
    """Writes the tokenizer and the model that training begins with."""
    tokenizer = LongformerTokenizerFast.train_from_iterator(
        [text["text"] for text in texts],
        VOCABULARY,
        show_progress=False,
        model_max_length=MAX_TOKENS,
    )
    keras.utils.set_random_seed(0)
    source = convert_to_longformer(teacher, None, 512)
    config = LongformerConfig(
        vocab_size=len(tokenizer),
        hidden_size=source.config.hidden_size,
        num_hidden_layers=LAYERS,
        num_attention_heads=source.config.num_attention_heads,
        intermediate_size=INTERMEDIATE,
        attention_window=128,
        # Positions of real tokens start after the padding's.
        max_position_embeddings=MAX_TOKENS + 2,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        sep_token_id=2,
        layer_norm_eps=source.config.layer_norm_eps,
    )
    model = TFLongformerForMaskedLM(config)
    pieces = LongformerTokenizerFast.from_pretrained(teacher)
    known = {
        weight.path.partition("/longformer/")[2]: np.array(weight)
        for weight in source.weights
    }
    table = known["embeddings/word_embeddings/embeddings"]
    known["embeddings/word_embeddings/embeddings"] = mean_of_pieces(
        table, pieces, tokenizer
    )
    positions = known["embeddings/position_embeddings/embeddings"][-512:]
    repeated = np.tile(positions, (MAX_TOKENS // len(positions), 1))
    known["embeddings/position_embeddings/embeddings"] = np.pad(
        repeated, ((2, 0), (0, 0))
    )
    types = known["embeddings/token_type_embeddings/embeddings"]
    known["embeddings/token_type_embeddings/embeddings"] = types[:1]
    sample = pieces(
        [text["text"][:2000] for text in texts[:100]],
        truncation=True,
        max_length=256,
        padding=True,
        return_tensors="np",
    )
    states = source(sample, output_hidden_states=True).hidden_states
    for number in range(LAYERS):
        layer = f"encoder/layer_{number}"
        keep_busiest(known, layer, np.array(states[number]))
    for weight in model.weights:
        name = weight.path.partition("/longformer/")[2]
        if name in known:
            weight.assign(known[name])
    model.save_pretrained(output)
    tokenizer.save_pretrained(output)


def mean_of_pieces(
    table: np.ndarray, pieces: Any, tokenizer: Any
) -> np.ndarray:
    """Returns a table of tokens from one of another tokenizer's pieces."""
    rng = np.random.default_rng(0)
    words = rng.normal(0, table.std(), (len(tokenizer), table.shape[1]))
    vocabulary = pieces.get_vocab()
    for number in tokenizer.get_vocab().values():
        text = tokenizer.decode([number])
        inner = vocabulary.get(f"##{text.lower()}")
        if number in tokenizer.all_special_ids:
            continue
        if text == text.lstrip() and inner is not None:
            words[number] = table[inner]
        elif text.strip() and "\ufffd" not in text:
            ids = pieces(text, add_special_tokens=False)["input_ids"]
            # Control characters are no pieces.
            words[number] = table[ids].mean(0) if ids else words[number]
    for name in ("cls", "sep", "unk", "mask"):
        of_tokenizer = getattr(tokenizer, f"{name}_token_id")
        words[of_tokenizer] = table[getattr(pieces, f"{name}_token_id")]
    words[tokenizer.pad_token_id] = 0
    return words.astype("float32")


def keep_busiest(
    known: dict[str, np.ndarray], layer: str, states: np.ndarray
) -> None:
    """Keeps the units of a feed-forward layer that give most to its output."""
    inner = known[f"{layer}/intermediate/kernel"]
    bias = known[f"{layer}/intermediate/bias"]
    outer = known[f"{layer}/output/kernel"]
    # GELU, nearly; of the layer's input, which is what attention adds to.
    given = states @ inner + bias
    given = np.abs(given / (1 + np.exp(-1.702 * given))).mean(axis=(0, 1))
    weight = given * np.linalg.norm(outer, axis=1)
    kept = np.sort(np.argsort(weight)[-INTERMEDIATE:])
    known[f"{layer}/intermediate/kernel"] = inner[:, kept]
    known[f"{layer}/intermediate/bias"] = bias[kept]
    known[f"{layer}/output/kernel"] = outer[kept]


def cut_passages(texts: list[Text]) -> Iterator[list[str]]:
    """Yields the passages of a section of a text, in their order."""
    rng = np.random.default_rng(0)
    sections = [
        text["text"][start : start + SECTION]
        for text in texts
        for start in range(0, len(text["text"]), SECTION)
    ]
    low, high = np.log(PASSAGE_WORDS)
    for number in rng.permutation(len(sections)):
        section = sections[number]
        ends = [word.end() for word in re.finditer(r"\S+", section)]
        passages, start, word = [], 0, 0
        while word < len(ends):
            word += int(np.exp(rng.uniform(low, high)))
            end = ends[min(word, len(ends)) - 1]
            passages.append(section[start:end])
            start = end
        yield passages


def ask_teacher(texts: list[Text], teacher: Path, output: Path) -> None:
    """Writes passages and their vectors."""
    model = convert_to_longformer(teacher, None, 512)
    tokenizer = LongformerTokenizerFast.from_pretrained(teacher)
    rows: list[Text] = []
    for section, passages in enumerate(cut_passages(texts)):
        rows += [{"section": section, "text": text} for text in passages]
        if len(rows) >= PASSAGES:
            break
    found = embed(
        model,
        tokenizer,
        [row["text"] for row in rows],
        batch_size=16,
        max_length=256,
    )
    np.save(output / "vectors.npy", found.astype("float16"))
    write(output / "passages.jsonl", rows)
    print(f"{len(rows):,} passages")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    options = parser.parse_args()
    options.output.mkdir(exist_ok=True, parents=True)
    texts = split_texts(options.data, options.output)
    make_start(texts, options.data / "minilm", options.output / "start")
    ask_teacher(texts, options.data / "minilm", options.output)


if __name__ == "__main__":
    main()
