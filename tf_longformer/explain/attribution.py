"""What a prediction rests on, sentence by sentence, found in two ways.

Occlusion leaves out a sentence and looks how the prediction's number falls.
Gradient times input follows the number's slope: what a token's embedding,
less the mean of the document's, would contribute if the model were linear. It
takes one pass back, occlusion one forward for each sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from typing import NamedTuple

import numpy as np
from keras import ops

from tf_longformer.backend import compile_inference
from tf_longformer.data.text_spans import split_spans
from tf_longformer.data.windows import Window
from tf_longformer.explain.document import Document
from tf_longformer.explain.targets import Target

# A sentence of more tokens is cut, as texts without full stops are one.
_LONGEST = 64
# Tokens of the rows that go through the model together.
_BATCH_TOKENS = 8192


class Part(NamedTuple):
    """A piece of a document: tokens from `first` to before `last`."""

    first: int
    last: int


def find_parts(text: str, window: Window, most: int) -> list[Part]:
    """Returns a window's sentences, in order and without a gap.

    A sentence of more than 64 tokens is cut, between words. If there are more
    than `most`, neighbours are joined until there are not.

    Args:
        text: the document.
        window: the `Window` of it.
        most: int, most parts.
    """
    tokens = np.flatnonzero(window.inside)
    if not tokens.size:
        return []
    ends = np.array([end for _, end in split_spans(text, "sentences")] or [0])
    sentence = np.searchsorted(ends, window.offsets[tokens, 0], "right")
    changes = np.flatnonzero(np.diff(sentence)) + 1
    borders = [0, *changes.tolist(), len(tokens)]
    pieces: list[int] = []
    for begin, end in zip(borders, borders[1:], strict=False):
        while end - begin > _LONGEST:
            pieces.append(begin)
            begin = _word_before(window.words[tokens], begin + _LONGEST, begin)
        pieces.append(begin)
    least = -(-len(tokens) // most) if len(pieces) > most else 0
    joined: list[int] = []
    for begin in pieces:
        if not joined or begin - joined[-1] >= least:
            joined.append(begin)
    joined.append(len(tokens))
    offset = int(tokens[0])
    return [
        Part(offset + begin, offset + end)
        for begin, end in zip(joined, joined[1:], strict=False)
    ]


def _word_before(words: np.ndarray, place: int, begin: int) -> int:
    """Returns the beginning of the word at a place, if that isn't far off."""
    start = place
    while start > begin + _LONGEST // 2 and words[start] == words[start - 1]:
        start -= 1
    return start if words[start] != words[start - 1] else place


def gradient_times_input(document: Document, target: Target) -> np.ndarray:
    """Returns what each token contributes, `[seq]`.

    The input is what the first layer gets: the normalized sum of a token's
    embeddings. Before that, normalization would take any scale out again, and
    with it the product.
    """
    states, gradient = document.encode(target.window).differentiate(
        lambda x: target.score(x, ops.ones(ops.shape(x)[:2], dtype="int32"))
    )
    inside = target.window.inside
    mean = states[inside].mean(axis=0) if inside.any() else 0
    return ((states - mean) * gradient).sum(axis=1)


def occlude(
    document: Document,
    target: Target,
    parts: list[Part],
    progress: Callable[[int, int], None],
) -> np.ndarray:
    """Returns the score without each part, and last the whole's.

    No token attends to those of a part that is left out, and what is read
    from the document does without them; all others keep their places. Tokens
    that the score is read at stay.

    Args:
        document: `Document`.
        target: `Target`.
        parts: list of `Part`.
        progress: function of the rows that are done and of all.

    Returns:
        float32 array `[parts + 1]`.
    """
    inputs = document.inputs(target.window)
    seq = inputs["input_ids"].shape[1]
    masks = np.ones((len(parts) + 1, seq), "int32")
    for mask, part in zip(masks, parts, strict=False):
        mask[part.first : part.last] = 0
        mask[list(target.kept)] = 1
    del inputs["attention_mask"]
    body = document.model.longformer

    def run(mask: Any, *others: Any) -> Any:
        given = dict(zip(inputs, others, strict=True))
        states = body(attention_mask=mask, **given).last_hidden_state
        return target.score(states, mask)

    rows = min(len(masks), max(1, _BATCH_TOKENS // seq))
    compiled = compile_inference(
        run, document.model.variables, len(inputs) + 1, shape=(rows, seq)
    )
    # All batches are alike, as JAX compiles for each shape.
    others = [np.repeat(x, rows, axis=0) for x in inputs.values()]
    scores: list[np.ndarray] = []
    for begin in range(0, len(masks), rows):
        some = masks[begin : begin + rows]
        missing = rows - len(some)
        padded = np.pad(some, [(0, missing), (0, 0)], "edge")
        found = ops.convert_to_numpy(
            ops.cast(compiled(padded, *others), "float32")
        )
        scores.append(found[: len(some)])
        progress(begin + len(some), len(masks))
    return np.concatenate(scores)
