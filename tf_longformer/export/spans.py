"""Answers and entities: spans of tokens and of characters, in the graph."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_longformer._configuration_labels import label_names
from tf_longformer.configuration import LongformerConfig

# As a log probability: never, and finite, so that nothing becomes NaN.
_NEVER = -1e30


def find_context(ids: Any, mask: Any, sep_token_id: int) -> Any:
    """Returns which tokens are of the second text of a pair.

    Args:
        ids: int32 `[batch, seq]`, rows `<s> A </s></s> B </s>`.
        mask: int32 alike, the attention mask.
        sep_token_id: int.

    Returns:
        bool `[batch, seq]`: what lies between the second and the last
        separator.
    """
    attended = mask > 0
    separators = tf.cast((ids == sep_token_id) & attended, tf.int32)
    upto = tf.cumsum(separators, 1)
    before = upto - separators
    return attended & (before >= 2) & (upto < upto[:, -1:])


def best_spans(
    start_logits: Any,
    end_logits: Any,
    inside: Any,
    mask: Any,
    longest: int,
    top_k: int,
) -> dict[str, Any]:
    """Finds the best answers.

    A span's score is the product of the probabilities of its ends, among the
    tokens of the context and the first one, which stands for no answer.

    Args:
        start_logits: float32 `[batch, seq]`.
        end_logits: tensor alike.
        inside: bool `[batch, seq]`, tokens of the context.
        mask: int32 `[batch, seq]`, the attention mask.
        longest: int, tokens of an answer at most.
        top_k: int, answers.

    Returns:
        Dict of `start_tokens`, `end_tokens` (the last token of each) and
        `scores` `[batch, top_k]`, the best first, -1 and 0 where there are
        no more spans; and `no_answer_scores` `[batch]`.
    """
    seq = tf.shape(inside)[1]
    first = tf.argmax(mask, 1, tf.int32)[:, None]
    kept = inside | (tf.range(seq)[None] == first)
    start, end = (
        tf.nn.log_softmax(tf.where(kept, logits, _NEVER))
        for logits in (start_logits, end_logits)
    )
    nothing = tf.gather(start + end, first, batch_dims=1)[:, 0]
    start, end = (tf.where(inside, x, _NEVER) for x in (start, end))
    end = tf.pad(end, [[0, 0], [0, longest]], constant_values=_NEVER)
    scores = tf.stack(
        [start + end[:, width : width + seq] for width in range(longest)], 2
    )
    scores = tf.reshape(scores, [-1, seq * longest])
    scores = tf.pad(scores, [[0, 0], [0, top_k]], constant_values=_NEVER)
    scores, place = tf.math.top_k(scores, top_k)
    there = scores > _NEVER / 2
    start_tokens = place // longest
    end_tokens = start_tokens + place % longest
    return {
        "start_tokens": tf.where(there, start_tokens, -1),
        "end_tokens": tf.where(there, end_tokens, -1),
        "scores": tf.where(there, tf.exp(scores), 0.0),
        "no_answer_scores": tf.exp(nothing),
    }


def as_characters(
    texts: Any, offsets: Any, first: Any, last: Any
) -> tuple[Any, Any, Any]:
    """Cuts spans of tokens out of texts.

    Args:
        texts: strings `[batch]`.
        offsets: int32 `[batch, seq, 2]`, characters of each token.
        first: int32 `[batch, spans]`, the first token of each; -1 for none.
        last: int32 alike, the last one.

    Returns:
        int32 `[batch, spans]`, the character that each begins with; the
        one behind its end; and strings `[batch, spans]`. 0, 0 and `""` for
        none.
    """
    there = first >= 0
    begins, ends = (
        tf.where(
            there,
            tf.gather(offsets[:, :, side], tf.maximum(x, 0), batch_dims=1),
            0,
        )
        for side, x in enumerate((first, last))
    )
    wide = tf.broadcast_to(texts[:, None], tf.shape(begins))
    words = tf.strings.substr(wide, begins, ends - begins, unit="UTF8_CHAR")
    return begins, ends, words


def find_entities(
    probabilities: Any, inside: Any, config: LongformerConfig
) -> dict[str, Any]:
    """Joins tokens of like labels to entities.

    Tokens in a row are one entity where their labels differ by no more than
    `B-` and `I-`; `B-` begins another one, and `O` is none.

    Args:
        probabilities: float32 `[batch, seq, labels]`.
        inside: bool `[batch, seq]`, tokens of the text.
        config: the model's config.

    Returns:
        Dict of `entity_labels`, `entity_scores` (the mean over its tokens),
        and `first` and `last`, its tokens, `[batch, entities]`; `""`, 0 and
        -1 fill up.
    """
    names = label_names(config)
    groups = [name[2:] if name[:2] in ("B-", "I-") else name for name in names]
    distinct = sorted(set(groups))
    best = tf.argmax(probabilities, -1, tf.int32)
    group = tf.gather([distinct.index(name) for name in groups], best)
    begins = tf.gather([name.startswith("B-") for name in names], best)
    is_entity = inside & ~tf.gather([name == "O" for name in names], best)
    group = tf.where(is_entity, group, -1)
    before = tf.pad(group, [[0, 0], [1, 0]], constant_values=-1)[:, :-1]
    starts = is_entity & ((group != before) | begins)
    number = tf.cumsum(tf.cast(starts, tf.int32), 1) - 1
    most = tf.reduce_max(number) + 1
    batch, seq = tf.shape(best)[0], tf.shape(best)[1]
    # What is no entity goes to a segment behind all others.
    segment = tf.where(
        is_entity, number + tf.range(batch)[:, None] * most, batch * most
    )
    place = tf.broadcast_to(tf.range(seq)[None], [batch, seq])

    def reduced(reduce: Any, values: Any) -> Any:
        flat = reduce(
            tf.reshape(values, [-1]),
            tf.reshape(segment, [-1]),
            batch * most + 1,
        )
        return tf.reshape(flat[:-1], [batch, most])

    count = reduced(tf.math.unsorted_segment_sum, tf.ones_like(place))
    there = count > 0
    total = reduced(
        tf.math.unsorted_segment_sum, tf.reduce_max(probabilities, -1)
    )
    kind = reduced(tf.math.unsorted_segment_max, group)
    count = tf.cast(tf.maximum(count, 1), tf.float32)
    return {
        "entity_labels": tf.where(
            there, tf.gather(distinct, tf.maximum(kind, 0)), ""
        ),
        "entity_scores": tf.where(there, total / count, 0.0),
        "first": tf.where(
            there, reduced(tf.math.unsorted_segment_min, place), -1
        ),
        "last": tf.where(
            there, reduced(tf.math.unsorted_segment_max, place), -1
        ),
    }
