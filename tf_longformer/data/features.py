"""From checked examples to rows of ids with labels, of any length each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np

from tf_longformer.data.any_tokenizer import encode_texts
from tf_longformer.data.entities import align_entities
from tf_longformer.data.examples import MULTI_LABEL
from tf_longformer.data.examples import REGRESSION
from tf_longformer.data.examples import Example
from tf_longformer.data.examples import example_format
from tf_longformer.data.global_masks import global_attention_mask
from tf_longformer.data.global_masks import read_rows
from tf_longformer.data.questions import encode_questions
from tf_longformer.data.windows import cut_into_windows
from tf_longformer.data.windows import trim_span
from tf_longformer.data.word_labels import IGNORED
from tf_longformer.data.word_labels import align_labels
from tf_longformer.errors import BadExamples
from tf_longformer.errors import shown

# Examples that are encoded together, and padded to one length meanwhile.
_AT_ONCE = 64
_MASK = "attention_mask"
# What two windows share, as in transformers' scripts.
_STRIDE = 128


@dataclasses.dataclass(frozen=True)
class Encoding:
    """How examples become rows.

    Attributes:
        max_length: int, tokens of a row at most.
        doc_stride: int, tokens that two rows of a document past `max_length`
            share; `None` where the document is cut off. Defaults to `None`.
        global_attention: global tokens, as of `global_attention_mask`.
            Defaults to none said: the model chooses its head's.
        label2id: dict from the names of labels to ids. Defaults to none.
        problem_type: of text classification. Defaults to one label each.
    """

    max_length: int
    doc_stride: int | None = None
    global_attention: str | None = None
    label2id: Mapping[str, int] = dataclasses.field(default_factory=dict)
    problem_type: str | None = None


@dataclasses.dataclass
class Features:
    """Rows of ids, what they are rows of, and where their tokens are from.

    Attributes:
        rows: list of dicts of arrays `[seq]` (`[choices, seq]`), as
            `PaddingCollator` takes them: `input_ids`, `attention_mask`, maybe
            `global_attention_mask`, and labels. Not padded.
        origins: list of ints, the example that each row is of.
        places: list of int arrays, one for each row. Of question answering
            `[seq, 2]`, the characters of each token in the context, -1 for
            others; of token classification the same where entities are spans
            of characters, and `[seq]` where words have labels: the word that
            a token's label is of, -1 for others; of masked language modelling
            `[seq]`, the characters that each token stands for. Else empty.
        long: int, how many examples are longer than a row.
    """

    rows: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    origins: list[int] = dataclasses.field(default_factory=list)
    places: list[np.ndarray] = dataclasses.field(default_factory=list)
    long: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row; of the longest choice."""
        return [row[_MASK].shape[-1] for row in self.rows]

    def add(
        self,
        origin: int,
        of_tokens: Mapping[str, np.ndarray],
        places: np.ndarray | None = None,
        **of_row: Any,
    ) -> None:
        """Adds a row, without its padding.

        Args:
            origin: int, its example.
            of_tokens: arrays with a value for each token.
            places: array of its tokens' places.
            **of_row: labels of the whole row.
        """
        real = np.flatnonzero(np.atleast_2d(of_tokens[_MASK]).any(0))
        kept = slice(real[0], real[-1] + 1) if real.size else slice(0)
        row = {name: value[..., kept] for name, value in of_tokens.items()}
        for name, value in of_row.items():
            is_place = name.endswith("_positions")
            row[name] = value - kept.start if is_place else value
        self.rows.append(row)
        self.origins.append(origin)
        if places is not None:
            self.places.append(places[kept])


def default_stride(task: str, max_length: int) -> int | None:
    """Returns the `doc_stride` of a task where nobody says another.

    Documents that answers or entities are found in are split, all others are
    cut off.
    """
    is_split = task in ("question-answering", "token-classification")
    return min(_STRIDE, max_length // 4) if is_split else None


def encode_examples(
    tokenizer: Any,
    task: str,
    examples: Sequence[Example],
    encoding: Encoding,
) -> Features:
    """Encodes examples as rows to train and to measure with.

    Args:
        tokenizer: `LongformerTokenizer`, or a fast one of transformers.
        task: str, such as `"question-answering"`.
        examples: list of `Example`, as `read_examples` returns them.
        encoding: `Encoding`.

    Returns:
        `Features`.

    Raises:
        BadExamples: for examples that can't be encoded, such as a question
            that leaves no room for its context, with file and line.
        ValueError: for an unknown task or an impossible stride.
    """
    example_format(task)
    if encoding.doc_stride is not None and not (
        0 <= encoding.doc_stride < encoding.max_length
    ):
        raise ValueError(
            "`doc_stride` must lie in [0, max_length). Received: "
            f"{encoding.doc_stride} with max_length={encoding.max_length}. "
            "Pass a quarter of the length, for example."
        )
    try:
        return _ENCODERS[task](tokenizer, examples, encoding)
    except ValueError:
        found: list[tuple[Example, str]] = []
        for example in examples:
            try:
                _ENCODERS[task](tokenizer, [example], encoding)
            except ValueError as error:
                found.append((example, str(error)))
        # What is wrong with all of many lines is an argument.
        alike = len(found) == len(examples) > 1
        if not found or (alike and len({message for _, message in found}) == 1):
            raise
        faults = [one.fault(message) for one, message in found]
        raise BadExamples(faults) from None


def _pieces(
    examples: Sequence[Example],
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Yields some examples' fields at once, and the number of the first."""
    for begin in range(0, len(examples), _AT_ONCE):
        some = examples[begin : begin + _AT_ONCE]
        yield begin, [example.fields for example in some]


def _encode(
    tokenizer: Any, texts: Sequence[Sequence[Any]], how: Encoding, **kwargs: Any
) -> tuple[dict[str, np.ndarray], Any, np.ndarray]:
    """Encodes texts as padded rows, of which several may be one text's.

    Returns the arrays for models, the encoding, and each row's text.
    """
    first, *second = texts
    if how.doc_stride is None:
        encoding = encode_texts(
            tokenizer,
            *texts,
            truncation="longest_first" if second else "only_first",
            max_length=how.max_length,
            padding=True,
            return_tensors="np",
            **kwargs,
        )
        origins = np.arange(len(first))
    else:
        if second:
            raise ValueError(
                "Pairs of texts can't be split into windows. Received: "
                f"doc_stride={how.doc_stride}. Leave it out."
            )
        _, encoding = cut_into_windows(
            tokenizer,
            first,
            max_length=how.max_length,
            stride=how.doc_stride,
            padding=True,
            return_tensors="np",
            **kwargs,
        )
        origins = np.asarray(encoding["overflow_to_sample_mapping"])
    arrays = {
        name: np.asarray(encoding[name], "int32")
        for name in ("input_ids", _MASK)
    }
    if how.global_attention is not None:
        arrays["global_attention_mask"] = global_attention_mask(
            encoding, how.global_attention
        )
    return arrays, encoding, origins


def _overlong(encoding: Any, origins: np.ndarray) -> int:
    """Returns how many texts were cut off, or have several rows."""
    cut = {
        int(origin)
        for origin, row in zip(origins, encoding.encodings, strict=True)
        if row.overflowing
    }
    texts, counts = np.unique(origins, return_counts=True)
    return len(cut | set(texts[counts > 1].tolist()))


def _row(arrays: Mapping[str, np.ndarray], number: int) -> dict[str, Any]:
    return {name: values[number] for name, values in arrays.items()}


def _encode_text_classification(
    tokenizer: Any, examples: Sequence[Example], how: Encoding
) -> Features:
    features = Features()
    pairs = any("text_pair" in example.fields for example in examples)
    for begin, some in _pieces(examples):
        texts = [[fields["text"] for fields in some]]
        if pairs:
            texts.append([fields.get("text_pair", "") for fields in some])
        arrays, encoding, origins = _encode(tokenizer, texts, how)
        features.long += _overlong(encoding, origins)
        for number, origin in enumerate(origins):
            label = _class_label(some[origin]["label"], how)
            row = _row(arrays, number)
            features.add(begin + int(origin), row, labels=label)
    return features


def _class_label(label: Any, how: Encoding) -> Any:
    if how.problem_type == REGRESSION:
        return np.float32(float(label))
    if how.problem_type == MULTI_LABEL:
        several = np.zeros(len(how.label2id), "float32")
        several[[how.label2id[str(one)] for one in label]] = 1
        return several
    return np.int32(how.label2id[str(label)])


def _encode_token_classification(
    tokenizer: Any, examples: Sequence[Example], how: Encoding
) -> Features:
    features = Features()
    for begin, some in _pieces(examples):
        for encode, name in (
            (_encode_words, "tokens"),
            (_encode_entities, "entities"),
        ):
            numbers = [n for n, fields in enumerate(some) if name in fields]
            if not numbers:
                continue
            given = [some[number] for number in numbers]
            arrays, origins, places, long = encode(tokenizer, given, how)
            features.long += long
            for row, origin in enumerate(origins):
                number = begin + numbers[int(origin)]
                features.add(number, _row(arrays, row), places[row])
    return features


def _encode_words(
    tokenizer: Any, some: list[dict[str, Any]], how: Encoding
) -> tuple[dict[str, Any], np.ndarray, np.ndarray, int]:
    """Encodes labelled words; each one's first token has its label."""
    words = [fields["tokens"] for fields in some]
    arrays, encoding, origins = _encode(
        tokenizer, [words], how, is_split_into_words=True
    )
    # The word of each token that gets its word's label.
    numbers = [range(len(of_one)) for of_one in words]
    places = align_labels(encoding, numbers, ignored=-1)
    labels = np.full_like(places, IGNORED)
    for number, origin in enumerate(origins):
        names = some[origin]["labels"]
        ids = np.array([how.label2id[name] for name in names] + [IGNORED])
        labels[number] = ids[places[number]]
    arrays["labels"] = labels
    return arrays, origins, places, _overlong(encoding, origins)


def _encode_entities(
    tokenizer: Any, some: list[dict[str, Any]], how: Encoding
) -> tuple[dict[str, Any], np.ndarray, np.ndarray, int]:
    """Encodes texts with entities, whose tokens all have labels."""
    texts = [fields["text"] for fields in some]
    arrays, encoding, origins = _encode(tokenizer, [texts], how)
    arrays["labels"] = align_entities(
        encoding,
        texts,
        [fields["entities"] for fields in some],
        how.label2id,
        stride=how.doc_stride or 0,
    )
    rows, _ = read_rows(encoding)
    places = np.array(
        [
            np.where(row.sequence_ids[:, None] == 0, row.offsets, -1)
            for row in rows
        ],
        "int32",
    )
    for row, origin in zip(places, origins, strict=True):
        # A window's first token may have the space before it too.
        for place in np.flatnonzero(row[:, 0] >= 0)[:1]:
            row[place] = trim_span(texts[origin], *row[place].tolist())
    return arrays, origins, places, _overlong(encoding, origins)


def _encode_question_answering(
    tokenizer: Any, examples: Sequence[Example], how: Encoding
) -> Features:
    features = Features()
    for begin, some in _pieces(examples):
        encoded = encode_questions(
            tokenizer,
            [fields["question"] for fields in some],
            [fields["context"] for fields in some],
            max_length=how.max_length,
            stride=how.doc_stride or 0,
            answers=[fields["answers"] for fields in some],
            where=how.global_attention or "question",
        )
        counts = np.bincount(encoded.examples, minlength=len(some))
        features.long += int((counts > 1).sum())
        for number, origin in enumerate(encoded.examples):
            row = _row(encoded.inputs, number)
            ends = {
                name: row.pop(name)
                for name in ("start_positions", "end_positions")
            }
            places = encoded.offsets[number].astype("int32")
            features.add(begin + int(origin), row, places, **ends)
    return features


def _encode_multiple_choice(
    tokenizer: Any, examples: Sequence[Example], how: Encoding
) -> Features:
    features = Features()
    for begin, some in _pieces(examples):
        prompts = [f["prompt"] for f in some for _ in f["choices"]]
        choices = [choice for f in some for choice in f["choices"]]
        encoding = encode_texts(
            tokenizer,
            prompts,
            choices,
            truncation="only_first",
            max_length=how.max_length,
            padding=True,
            return_tensors="np",
        )
        where = how.global_attention or "choices"
        arrays = {
            "input_ids": np.asarray(encoding["input_ids"], "int32"),
            _MASK: np.asarray(encoding[_MASK], "int32"),
            "global_attention_mask": global_attention_mask(encoding, where),
        }
        start = 0
        for number, fields in enumerate(some):
            stop = start + len(fields["choices"])
            row = {name: values[start:stop] for name, values in arrays.items()}
            cut = [bool(e.overflowing) for e in encoding.encodings[start:stop]]
            features.long += any(cut)
            label = np.int32(fields["label"])
            features.add(begin + number, row, labels=label)
            start = stop
    return features


def _encode_masked_lm(
    tokenizer: Any, examples: Sequence[Example], how: Encoding
) -> Features:
    """Packs whole documents into rows, and splits those past the limit.

    A row is `<s> document </s> document </s>`, as RoBERTa's.
    """
    features = Features()
    if how.global_attention not in (None, "none", "cls"):
        raise ValueError(
            "Of masked language modelling the first token may be global "
            f"('cls') or none. Received: {shown(how.global_attention)}."
        )
    begin_id, end_id = tokenizer.cls_token_id, tokenizer.sep_token_id
    room = how.max_length - 2
    if room < 1 or begin_id is None or end_id is None:
        raise ValueError(
            "A row must have room for a token between the first and the last "
            f"one. Received: max_length={how.max_length}, cls_token="
            f"{shown(tokenizer.cls_token)}, "
            f"sep_token={shown(tokenizer.sep_token)}."
        )
    ids: list[int] = []
    widths: list[int] = []
    origin = 0

    def flush() -> None:
        if ids:
            row = np.array([begin_id, *ids], "int32")
            arrays = {"input_ids": row, _MASK: np.ones_like(row)}
            if how.global_attention is not None:
                first = np.zeros_like(row)
                first[0] = how.global_attention == "cls"
                arrays["global_attention_mask"] = first
            features.add(origin, arrays, np.array([0, *widths], "int32"))
            ids.clear()
            widths.clear()

    for begin, some in _pieces(examples):
        encoding = encode_texts(
            tokenizer,
            [fields["text"] for fields in some],
            add_special_tokens=False,
            truncation=False,
            verbose=False,
        )
        for number, one in enumerate(encoding.encodings):
            sizes = [stop - start for start, stop in one.offsets]
            features.long += len(one.ids) > room
            for start in range(0, len(one.ids), room):
                part = one.ids[start : start + room]
                if len(ids) + len(part) + 1 > room + 1:
                    flush()
                if not ids:
                    origin = begin + number
                ids += [*part, end_id]
                widths += [*sizes[start : start + room], 0]
    flush()
    return features


_ENCODERS: dict[str, Callable[[Any, Sequence[Example], Encoding], Features]] = {
    "text-classification": _encode_text_classification,
    "token-classification": _encode_token_classification,
    "question-answering": _encode_question_answering,
    "multiple-choice": _encode_multiple_choice,
    "masked-lm": _encode_masked_lm,
}
