"""From logits to results: labels, answers, entities, tokens for masks, vectors.

All functions take and return tensors and use `keras.ops`.
`tf_longformer.tasks` calls them and `tf_longformer.export` traces them, so
that Python and a SavedModel give the same results. Those two add the texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from tf_longformer.configuration import LongformerConfig
from tf_longformer.entity_schemes import read_labels
from tf_longformer.projections import Projection

# How a word gets its label from its tokens; with "simple" each token is a word.
STRATEGIES = ("simple", "first", "average", "max")
# What `str.isspace` says of each code point; it says no to all later ones.
_IS_SPACE = np.array([chr(code).isspace() for code in range(0x3002)])
# The log probability of what can't be. Its `exp` is 0; it is finite, so that no
# difference of two of them is NaN.
_IMPOSSIBLE = -1e30


def is_regression(config: LongformerConfig) -> bool:
    """Returns whether a text's logits are values, not scores of labels."""
    kind = config.problem_type
    return kind == "regression" or (kind is None and config.num_labels == 1)


def label_scores(logits: Any, config: LongformerConfig) -> Any:
    """Returns the score of each label of a text.

    Args:
        logits: float `[batch, labels]`.
        config: the model's config, whose `problem_type` decides.

    Returns:
        Tensor of the same shape: in regression the logits themselves, else
        probabilities. For `"multi_label_classification"` each label has its
        own; otherwise those of a text sum to 1.
    """
    if is_regression(config):
        return logits
    if config.problem_type == "multi_label_classification":
        return ops.sigmoid(logits)
    return ops.softmax(logits)


def best_tokens(
    logits: Any,
    positions: Any,
    top_k: int,
    targets: Sequence[int] | None = None,
) -> tuple[Any, Any]:
    """Finds the most probable tokens for masks.

    Args:
        logits: float `[batch, masks, vocabulary]`, those of the masks alone.
        positions: int32 `[batch, masks]`, -1 where there is no mask.
        top_k: int, how many tokens for each mask.
        targets: ids among which they are looked for. Defaults to all.

    Returns:
        Their probabilities, and their ids, `[batch, masks, top_k]`, the best
        first; 0 and -1 where there is no mask.
    """
    scores = ops.softmax(logits)
    if targets is not None:
        among = ops.convert_to_tensor(targets, "int32")
        scores = ops.take(scores, among, axis=-1)
    scores, ids = ops.top_k(scores, top_k)
    if targets is not None:
        ids = ops.take(among, ids)
    is_mask = positions[:, :, None] >= 0
    ids = ops.where(is_mask, ops.cast(ids, "int32"), -1)
    return ops.where(is_mask, scores, 0.0), ids


def take_positions(values: Any, positions: Any) -> Any:
    """Gathers `[batch, n, d]` from `[batch, seq, d]`; -1 counts as 0."""
    places = ops.maximum(positions, 0)[:, :, None]
    return ops.take_along_axis(values, places, axis=1)


def behind_separators(separators: Any, config: LongformerConfig) -> Any:
    """Returns which tokens stand behind the separators between two texts.

    Args:
        separators: int32 `[batch, seq]`, 1 where a token is a separator.
        config: `LongformerConfig`, which says how many of them there are.

    Returns:
        bool `[batch, seq]`.
    """
    first = ops.cast(ops.argmax(separators, axis=1), "int32")[:, None]
    positions = ops.arange(ops.shape(separators)[1], dtype="int32")[None]
    if config.doubles_separator:
        return positions > first + 1
    # Configs that name another end of texts than the tokenizer double it too.
    is_second = (positions == first + 1) & (separators > 0)
    return (positions > first) & ~is_second


def find_context(
    input_ids: Any, attention_mask: Any, config: LongformerConfig
) -> Any:
    """Returns which tokens are of the second text of a pair.

    Args:
        input_ids: int32 `[batch, seq]`, rows `<s> A </s></s> B </s>` or
            `[CLS] A [SEP] B [SEP]`.
        attention_mask: int32 `[batch, seq]`.
        config: `LongformerConfig`.

    Returns:
        bool `[batch, seq]`: the tokens between the separators in the middle
        and the last one.
    """
    attended = attention_mask > 0
    is_separator = (input_ids == config.sep_token_id) & attended
    separators = ops.cast(is_separator, "int32")
    # How many separators there are up to a token, itself included.
    seen = ops.cumsum(separators, axis=1)
    behind = behind_separators(separators, config)
    return attended & behind & (seen < seen[:, -1:])


class Spans(NamedTuple):
    """The best spans of each row, the best first, and the score of no answer.

    Args:
        first: int32 `[batch, top_k]`, the first token of each span; -1 where
            a row has fewer spans.
        last: int32 `[batch, top_k]`, the last token; -1 likewise.
        scores: float32 `[batch, top_k]`, their probabilities; 0 likewise.
        no_answer: float32 `[batch]`, the probability of no answer.
    """

    first: Any
    last: Any
    scores: Any
    no_answer: Any


def best_spans(
    start_logits: Any,
    end_logits: Any,
    inside: Any,
    attention_mask: Any,
    max_answer_len: int,
    top_k: int,
) -> Spans:
    """Finds the best answers of each row.

    The rule is that of transformers' question answering pipeline. A softmax
    over the tokens of the context and the row's first token, which stands for
    no answer, gives the probability that an answer starts at a token; another
    one the probability that it ends there. A span's score is the product of
    the two.

    Args:
        start_logits: float32 `[batch, seq]`.
        end_logits: float32 `[batch, seq]`.
        inside: bool `[batch, seq]`, tokens of the context.
        attention_mask: int32 `[batch, seq]`.
        max_answer_len: int, most tokens of an answer.
        top_k: int, how many answers for each row.
    """
    seq = ops.shape(inside)[1]
    if isinstance(seq, int):
        max_answer_len = min(max_answer_len, seq)
    positions = ops.arange(seq, dtype="int32")[None]
    null = ops.cast(ops.argmax(attention_mask, axis=1), "int32")[:, None]
    kept = inside | (positions == null)
    start, end = (
        ops.log_softmax(ops.where(kept, logits, _IMPOSSIBLE))
        for logits in (start_logits, end_logits)
    )
    no_answer = ops.take_along_axis(start + end, null, axis=1)[:, 0]
    start, end = (ops.where(inside, x, _IMPOSSIBLE) for x in (start, end))
    # The score of each first token with each length of the answer:
    # [batch, seq, max_answer_len].
    end = ops.pad(
        end, [[0, 0], [0, max_answer_len]], constant_values=_IMPOSSIBLE
    )
    scores = ops.stack(
        [start + end[:, i : i + seq] for i in range(max_answer_len)],
        axis=2,
    )
    scores = ops.reshape(scores, (-1, seq * max_answer_len))
    # A short row may have fewer spans than `top_k`.
    scores = ops.pad(scores, [[0, 0], [0, top_k]], constant_values=_IMPOSSIBLE)
    scores, place = ops.top_k(scores, top_k)
    place = ops.cast(place, "int32")
    exists = scores > _IMPOSSIBLE / 2
    first = place // max_answer_len
    last = first + place % max_answer_len
    return Spans(
        ops.where(exists, first, -1),
        ops.where(exists, last, -1),
        ops.where(exists, ops.exp(scores), 0.0),
        ops.exp(no_answer),
    )


# How a row's vector is made of the states of its tokens.
POOLINGS = ("mean", "cls")


def pool_rows(states: Any, attention_mask: Any, pooling: str) -> Any:
    """Returns a vector for each row.

    Args:
        states: float32 `[batch, seq, d]`.
        attention_mask: int32 `[batch, seq]`.
        pooling: `"mean"` of all tokens but padding, special tokens included;
            or `"cls"`, the first of them.

    Returns:
        float32 `[batch, d]`; zeros for a row of padding only.
    """
    weights = ops.cast(attention_mask > 0, "float32")
    if pooling == "cls":
        # 1 where a token is the first that counts.
        weights *= ops.cast(ops.cumsum(weights, axis=1) == 1, "float32")
    total = ops.sum(weights, axis=1, keepdims=True)
    return weigh_tokens(states, weights / ops.maximum(total, 1))


def weigh_tokens(states: Any, weights: Any) -> Any:
    """Sums `[batch, seq, d]` over tokens, by weights `[batch, seq]`."""
    return ops.matmul(weights[:, None], states)[:, 0]


def project_vectors(vectors: Any, projections: Sequence[Projection]) -> Any:
    """Applies projections to vectors `[n, width]`, one after another.

    Returns:
        float32 `[n, out]`, `out` of the last one.
    """
    for one in projections:
        vectors = ops.matmul(vectors, one.kernel)
        if one.bias is not None:
            vectors = vectors + one.bias
        vectors = keras.activations.get(one.activation)(vectors)
    return vectors


def normalize_vectors(vectors: Any) -> Any:
    """Gives vectors `[n, d]` the length 1; zeros stay zeros."""
    length = ops.sqrt(ops.sum(ops.square(vectors), axis=-1, keepdims=True))
    return vectors / ops.maximum(length, 1e-12)


class EntityLabels(NamedTuple):
    """What the labels of tokens say about entities.

    Args:
        types: list of strings, the types of entities.
        type_ids: list of ints, for each label the place of its type in
            `types`; -1 for a label that is no entity.
        begins: list of bools, for each label whether its token begins an
            entity even after a token of the same type.
        ends: list of bools, for each label whether its token ends an entity.
    """

    types: list[str]
    type_ids: list[int]
    begins: list[bool]
    ends: list[bool]

    @classmethod
    def read(
        cls, names: Sequence[str], ignored: Sequence[str] = ("O",)
    ) -> EntityLabels:
        """Reads the names of labels.

        They may follow BIO, BIOES or BILOU, or be the types themselves (see
        `tf_longformer.entity_schemes`).

        Args:
            names: strings, the labels in the order of the logits.
            ignored: labels and types that are no entity. `"O"` stands for
                `"o"` too. Defaults to `"O"`.
        """
        read = read_labels(names)
        labels = [read[name] for name in names]
        skipped = _ignored_names(ignored)
        # The type of each label, `None` where it is no entity.
        kinds = [
            None if {name, label.kind} & skipped else label.kind
            for name, label in zip(names, labels, strict=True)
        ]
        types = sorted({kind for kind in kinds if kind is not None})
        return cls(
            types,
            [-1 if kind is None else types.index(kind) for kind in kinds],
            [label.begins for label in labels],
            [label.ends for label in labels],
        )

    @classmethod
    def of_tokens(
        cls, names: Sequence[str], ignored: Sequence[str] = ("O",)
    ) -> EntityLabels:
        """Makes each token an entity of its own, whose type is its label."""
        every, skipped = [True] * len(names), _ignored_names(ignored)
        ids = [-1 if n in skipped else i for i, n in enumerate(names)]
        return cls(list(names), ids, every, every)


# Where a config says how words get their labels, as in transformers' pipelines.
_STRATEGY_KEYS = ("token-classification", "aggregation_strategy")


def name_strategy(config: LongformerConfig, strategy: str) -> None:
    """Writes into a config how its model's words get their labels."""
    task, name = _STRATEGY_KEYS
    params = getattr(config, "task_specific_params", None) or {}
    of_task = {**(params.get(task) or {}), name: strategy}
    config.task_specific_params = {**params, task: of_task}


def entity_strategy(
    config: LongformerConfig, strategy: str | None = None
) -> str:
    """Returns how words get their labels: a name of `STRATEGIES`, or `"none"`.

    Args:
        config: the model's config, of which `task_specific_params` may name
            the `aggregation_strategy` of `token-classification`.
        strategy: what the caller says. Defaults to the config's, or else
            `"first"`.

    Raises:
        ValueError: for another name.
    """
    name = "`aggregation_strategy`"
    if strategy is None:
        given: Any = getattr(config, "task_specific_params", None)
        for key in _STRATEGY_KEYS:
            given = given.get(key) if isinstance(given, Mapping) else None
        strategy = "first" if given is None else given
        name = f"{name} of the config's `task_specific_params`"
    if strategy not in ("none", *STRATEGIES):
        raise ValueError(
            f"{name} must be one of none, {', '.join(STRATEGIES)}. Received: "
            f"{str(strategy)[:60]!r}. Leave it out to label words by their "
            "first tokens."
        )
    return strategy


def _ignored_names(ignored: Sequence[str]) -> set[str]:
    return {*ignored, *("o" for name in ignored if name == "O")}


def tokens_within_words(tokenizer: Any) -> np.ndarray | None:
    """Returns which tokens go on with a word, where their spelling says so.

    Args:
        tokenizer: the tokenizer.

    Returns:
        bool array `[tokens]`, `True` for WordPiece's `##ing`; `None` for
        other models.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    prefix = getattr(
        getattr(backend, "model", None), "continuing_subword_prefix", None
    )
    if not prefix:
        return None
    vocabulary = tokenizer.get_vocab()
    within = np.zeros(max(vocabulary.values(), default=-1) + 1, bool)
    for token, index in vocabulary.items():
        within[index] = token.startswith(prefix)
    return within


def word_starts(
    code_points: Any,
    offsets: Any,
    ids: Any = None,
    unknown_id: int | None = None,
    within_words: np.ndarray | None = None,
) -> Any:
    """Returns which tokens begin a word.

    Those at or after white space do, and unknown tokens; with `within_words`
    all that it doesn't name.

    Args:
        code_points: int32 `[batch, characters]`, the texts, padded with 0.
        offsets: int32 `[batch, seq, 2]`, the characters of each token, with
            or without the space before it.
        ids: int32 `[batch, seq]`, for the two that follow.
        unknown_id: int, the unknown token. Defaults to none.
        within_words: what `tokens_within_words` returned. Defaults to none.

    Returns:
        bool `[batch, seq]`.
    """
    if within_words is not None:
        within = ops.take(ops.convert_to_tensor(within_words), ids, axis=0)
        return ops.logical_not(within)
    codes = ops.pad(code_points, [[0, 0], [0, 1]])
    codes = ops.minimum(codes, len(_IS_SPACE) - 1)
    is_space = ops.take(ops.convert_to_tensor(_IS_SPACE), codes, axis=0)
    first = offsets[:, :, 0]
    here, before = (
        ops.take_along_axis(is_space, place, axis=1)
        for place in (first, ops.maximum(first - 1, 0))
    )
    starts = (first == 0) | here | before
    return starts if unknown_id is None else starts | (ids == unknown_id)


class Entities(NamedTuple):
    """The entities of each row in order, padded to the number of tokens.

    Args:
        types: int32 `[batch, seq]`, places in `EntityLabels.types`; -1 where
            a row has fewer entities.
        scores: float32 `[batch, seq]`, the mean probability of the entity's
            words; 0 likewise.
        first: int32 `[batch, seq]`, the first token; -1 likewise.
        last: int32 `[batch, seq]`, the last token; -1 likewise.
    """

    types: Any
    scores: Any
    first: Any
    last: Any


def find_entities(
    probabilities: Any,
    inside: Any,
    starts_word: Any,
    labels: EntityLabels,
    strategy: str = "first",
) -> Entities:
    """Joins words to entities, as transformers' token classification does.

    Words in a row are one entity if their labels are of one type, unless a
    label says that a new entity begins or that the last one has ended.

    Args:
        probabilities: float32 `[batch, seq, labels]`.
        inside: bool `[batch, seq]`, tokens of the text.
        starts_word: bool `[batch, seq]`, tokens that begin a word.
        labels: `EntityLabels`.
        strategy: how a word gets its label: from its `"first"` token, from
            the token with the highest probability (`"max"`), or from the
            `"average"` of their probabilities; with `"simple"` each token is
            a word. Defaults to `"first"`.
    """
    seq = ops.shape(probabilities)[1]
    positions = ops.arange(seq, dtype="int32")[None]
    if strategy == "simple":
        starts_word = inside
    else:
        # The text's first token begins a word in any case.
        starts_word = inside & (starts_word | ~_previous(inside, False))
        probabilities = _word_probabilities(
            probabilities, inside, starts_word, strategy
        )
    label = ops.cast(ops.argmax(probabilities, axis=-1), "int32")
    score = ops.max(probabilities, axis=-1)

    def by_label(values: list[Any], dtype: str) -> Any:
        return ops.take(ops.convert_to_tensor(values, dtype), label, axis=0)

    kind = ops.where(inside, by_label(labels.type_ids, "int32"), -1)
    is_entity = kind >= 0
    # An entity begins with a word of another type than the one before, or where
    # the label of this word, or of the one before, says so.
    begins = kind != _previous(kind, -1)
    begins |= by_label(labels.begins, "bool")
    begins |= _previous(by_label(labels.ends, "bool"), False)
    begins &= is_entity & starts_word
    continues = is_entity & ~begins
    ends = is_entity & ~_next(continues, False)
    first, last = (
        # The positions of marked tokens in order, then `seq` for all others.
        ops.sort(ops.where(marked, positions, seq), axis=1)
        for marked in (begins, ends)
    )
    exists = first < seq
    first, last = (ops.where(exists, x, -1) for x in (first, last))
    entity = ops.cumsum(ops.cast(begins, "int32"), axis=1) - 1
    segments = _segments(entity, is_entity)
    # A word counts once, whatever the number of its tokens.
    is_word = ops.cast(starts_word, score.dtype)
    total, count = (
        _segment_sums(values[:, :, None], segments)[:, :, 0]
        for values in (score * is_word, is_word)
    )
    place = ops.maximum(first, 0)
    return Entities(
        ops.where(exists, ops.take_along_axis(kind, place, axis=1), -1),
        ops.where(exists, total / ops.maximum(count, 1), 0.0),
        first,
        last,
    )


def _word_probabilities(
    probabilities: Any, inside: Any, starts_word: Any, strategy: str
) -> Any:
    """Gives each token the probabilities of its word."""
    batch, seq, labels = ops.shape(probabilities)
    word = ops.cumsum(ops.cast(starts_word, "int32"), axis=1) - 1
    segments = _segments(word, inside)
    # Where a token's word is in `[batch * seq]`. Tokens outside of the text
    # have no word, and read any.
    flat = ops.minimum(segments, batch * seq - 1)
    if strategy == "first":
        weights = starts_word
    elif strategy == "max":
        highest = ops.reshape(ops.max(probabilities, axis=-1), (-1,))
        best = ops.segment_max(highest, segments, batch * seq + 1)
        is_best = highest == ops.take(best, segments, axis=0)
        # Of several best tokens the first: numbers that fall along the row
        # make it the one with the largest.
        falling = seq - ops.arange(seq, dtype="int32")[None]
        falling = ops.where(ops.reshape(is_best, (batch, seq)), falling, 0)
        chosen = ops.segment_max(
            ops.reshape(falling, (-1,)), segments, batch * seq + 1
        )
        chosen = ops.reshape(ops.take(chosen, flat, axis=0), (batch, seq))
        weights = inside & (falling == chosen)
    else:
        weights = inside
    weights = ops.cast(weights, probabilities.dtype)[:, :, None]
    total = _segment_sums(probabilities * weights, segments)
    count = _segment_sums(weights, segments)
    mean = ops.reshape(total / ops.maximum(count, 1), (-1, labels))
    return ops.reshape(ops.take(mean, flat, axis=0), (batch, seq, labels))


def _segments(number: Any, counted: Any) -> Any:
    """Numbers segments through all rows; uncounted tokens share the last."""
    batch, seq = ops.shape(number)
    row = ops.arange(batch, dtype="int32")[:, None]
    segments = ops.where(counted, number + row * seq, batch * seq)
    return ops.reshape(segments, (-1,))


def _segment_sums(values: Any, segments: Any) -> Any:
    """Sums `[batch, seq, d]` by segment; the sums are `[batch, seq, d]` too."""
    batch, seq, depth = ops.shape(values)
    flat = ops.reshape(values, (-1, depth))
    sums = ops.segment_sum(flat, segments, batch * seq + 1)
    return ops.reshape(sums[:-1], (batch, seq, depth))


def _previous(values: Any, fill: Any) -> Any:
    """Returns for each token the value of the one before, or `fill`."""
    first = ops.full_like(values[:, :1], fill)
    return ops.concatenate([first, values[:, :-1]], axis=1)


def _next(values: Any, fill: Any) -> Any:
    """Returns for each token the value of the next one, or `fill`."""
    last = ops.full_like(values[:, :1], fill)
    return ops.concatenate([values[:, 1:], last], axis=1)
