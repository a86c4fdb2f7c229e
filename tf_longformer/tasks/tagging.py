"""Entities in documents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from tf_longformer.backend import common_size
from tf_longformer.configuration.labels import label_names
from tf_longformer.data.any_tokenizer import check_strings
from tf_longformer.data.windows import Window
from tf_longformer.decoding import EntityLabels
from tf_longformer.decoding import entity_strategy
from tf_longformer.decoding import find_entities
from tf_longformer.decoding import tokens_within_words
from tf_longformer.decoding import word_starts
from tf_longformer.entity_schemes import OUTSIDE
from tf_longformer.list_arguments import refuse_string
from tf_longformer.tasks import steps

_HEAD = "TFLongformerForTokenClassification"


def tag(
    model: Any,
    tokenizer: Any,
    texts: str | Sequence[str],
    aggregate: bool = True,
    ignore_labels: str | Sequence[str] = ("O",),
    batch_size: int = 8,
    stride: int = 128,
    max_length: int | None = None,
    aggregation_strategy: str | None = None,
) -> Any:
    """Finds entities in documents of any length.

    Where windows overlap, a token's probabilities are averaged. The tokens of
    a word get one label, and words in a row with labels of one type become
    one entity. Labels may follow BIO (`B-PER`), BIOES or BILOU, in either
    case, or be the types themselves.

    Args:
        model: `TFLongformerForTokenClassification`.
        tokenizer: its tokenizer, or a fast one of transformers.
        texts: a string or a list of strings.
        aggregate: bool, whether tokens become entities; `False` is the
            strategy `"none"`. Defaults to `True`.
        ignore_labels: types of entities (`"PER"`), or labels, that are left
            out. Defaults to `"O"`.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.
        aggregation_strategy: how a word gets its label, as in transformers'
            pipeline: from its `"first"` token, from the token with the
            highest probability (`"max"`), or from the `"average"` of their
            probabilities. With `"simple"` each token is a word, with
            `"none"` an entity. Words stand between white space, or are what
            WordPiece cuts into pieces. Defaults to what the config's
            `task_specific_params` say, such as `{"token-classification":
            {"aggregation_strategy": "simple"}}` for a model that learned
            spans of characters (`align_entities`), else to `"first"`, as
            `align_labels` labels first tokens.

    Returns:
        List of dicts with `entity_group` (without aggregation `entity` and
        `index`, the token's place in its row), `score`, `word`, and the
        characters `start` and `end`; for a list of texts a list of such
        lists. As in the pipeline, `word` is the text of the tokens with any
        space before it, without aggregation the token as the vocabulary
        spells it.

    Raises:
        TypeError: for another model, or texts or labels that are none.
        ValueError: for a window of impossible size, a batch below 1, or
            another strategy.
    """
    steps.check_head(model, "logits", "tag", _HEAD)
    strategy = entity_strategy(model.config, aggregation_strategy)
    joined = aggregate and strategy != "none"
    rows, single = steps.as_list("texts", texts)
    ignored, _ = steps.as_list("ignore_labels", ignore_labels)
    names = label_names(model.config)
    labels = (
        EntityLabels.read(names, ignored)
        if joined
        else EntityLabels.of_tokens(names, ignored)
    )
    strategy = strategy if joined else "simple"
    windows = steps.cut(model, tokenizer, rows, stride, max_length)
    by_text = steps.by_text(windows)
    means = _mean_probabilities(model, by_text, windows, batch_size)
    within_words = tokens_within_words(tokenizer)
    results: list[list[dict[str, Any]]] = [[] for _ in rows]
    # Texts of like length are decoded together. An empty one has no entities.
    filled = [number for number, scores in enumerate(means) if len(scores)]
    filled.sort(key=lambda number: len(means[number]))
    for begin in range(0, len(filled), batch_size):
        batch = filled[begin : begin + batch_size]
        ids, offsets = (
            [
                steps.join(by_text[n], [getattr(w, name) for w in by_text[n]])
                for n in batch
            ]
            for name in ("ids", "offsets")
        )
        entities = find_entities(
            _pad([means[n] for n in batch]),
            _pad([np.ones(len(row), bool) for row in ids]),
            word_starts(
                _pad([_code_points(rows[n]) for n in batch]),
                _pad(offsets),
                _pad(ids),
                tokenizer.unk_token_id,
                within_words,
            ),
            labels,
            strategy,
        )
        columns = map(ops.convert_to_numpy, entities)
        for number, row_ids, places, *found in zip(
            batch, ids, offsets, *columns, strict=True
        ):
            # Tokens before the text, which the pipeline counts too.
            before = int(by_text[number][0].inside.argmax())
            for kind, score, first, last in zip(*found, strict=True):
                if kind < 0:
                    break
                text = rows[number]
                start, end = int(places[first, 0]), int(places[last, 1])
                tokens = tokenizer.convert_ids_to_tokens(
                    row_ids[first : last + 1].tolist()
                )
                if first == last and row_ids[first] == tokenizer.unk_token_id:
                    tokens = [text[start:end]]
                one = {
                    "entity_group" if joined else "entity": labels.types[kind],
                    "score": float(score),
                }
                if joined:
                    one["word"] = tokenizer.convert_tokens_to_string(tokens)
                else:
                    one["index"] = before + int(first)
                    (one["word"],) = tokens
                results[number].append({**one, "start": start, "end": end})
    return results[0] if single else results


def tag_words(
    model: Any,
    tokenizer: Any,
    words: Sequence[Any],
    batch_size: int = 8,
    stride: int = 128,
    max_length: int | None = None,
) -> Any:
    """Labels the words of documents of any length that are split into words.

    A word has the label of its first token, as `align_labels` has it. Where
    windows overlap, a token's probabilities are averaged.

    Args:
        model: `TFLongformerForTokenClassification`.
        tokenizer: its tokenizer, or a fast one of transformers.
        words: list of strings, a document; or a list of such lists.
        batch_size: int, windows that go through the model at once. Defaults
            to `8`.
        stride: int, tokens that a window shares with the one before, at
            most half a window. Defaults to `128`.
        max_length: int, tokens of a window. Defaults to the model's limit.

    Returns:
        List of strings, a label for each word; for a list of documents a list
        of such lists. A word without a token has the label of no entity, `O`,
        or else the first.

    Raises:
        TypeError: for another model, or words that are none.
        ValueError: for a window of impossible size, or a batch below 1.
    """
    steps.check_head(model, "logits", "tag_words", _HEAD)
    refuse_string("words", words)
    single = bool(len(words)) and isinstance(words[0], str)
    rows = [
        check_strings("words", row) for row in ([words] if single else words)
    ]
    names = label_names(model.config)
    nothing = next((name for name in names if name in OUTSIDE), names[0])
    windows = steps.cut(
        model, tokenizer, rows, stride, max_length, is_split_into_words=True
    )
    by_text = steps.by_text(windows)
    means = _mean_probabilities(model, by_text, windows, batch_size)
    labels = []
    for row, of_text, scores in zip(rows, by_text, means, strict=True):
        word = steps.join(of_text, [window.words for window in of_text])
        _, first = np.unique(word, return_index=True)
        found = [nothing] * len(row)
        for place in first:
            found[word[place]] = names[scores[place].argmax()]
        labels.append(found)
    return labels[0] if single else labels


def _pad(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Stacks rows of several lengths, padded with zeros."""
    longest = common_size(max(map(len, rows)))
    padded = np.zeros((len(rows), longest, *rows[0].shape[1:]), rows[0].dtype)
    for line, row in zip(padded, rows, strict=True):
        line[: len(row)] = row
    return padded


def _code_points(text: str) -> np.ndarray:
    codes = text.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(codes, "<u4").astype("int32")


def _mean_probabilities(
    model: Any,
    by_text: list[list[Window]],
    windows: list[Window],
    batch_size: int,
) -> list[np.ndarray]:
    """Returns `[tokens, labels]` for each text, means over its windows."""
    sums, counts = [], []
    for of_text in by_text:
        tokens = of_text[-1].last
        sums.append(np.zeros((tokens, model.config.num_labels), "float32"))
        counts.append(np.zeros((tokens, 1), "float32"))
    for batch in steps.run(model, windows, batch_size):
        values = ops.convert_to_numpy(ops.softmax(batch.logits()))
        for window, value in zip(batch.windows, values, strict=True):
            place = slice(window.first, window.last)
            sums[window.text][place] += value[: len(window.ids)][window.inside]
            counts[window.text][place] += 1
    return [total / count for total, count in zip(sums, counts, strict=True)]
