"""What a SavedModel returns beside the model's outputs, a class a head.

The class that a head has is named in its record (`export` in
`tf_longformer.heads`). The numbers come from `tf_longformer.decoding`; the
texts are put in here.
"""

from __future__ import annotations

import functools
from typing import Any

import tensorflow as tf

from tf_longformer import decoding
from tf_longformer.configuration import LongformerConfig
from tf_longformer.configuration.labels import label_names
from tf_longformer.export.request_checks import require
from tf_longformer.heads import Head
from tf_longformer.tokenization import LongformerTokenizer


class Results:
    """The model's outputs alone; what subclasses add is for their head.

    Args:
        head: the model's `Head`.
        config: the model's config.
        tokenizer: its tokenizer, or `None`.
        top_k: int, how many answers, or tokens for a mask.
        max_answer_len: int, tokens of an answer at most.
    """

    meanings = {
        "last_hidden_state": "what the last layer makes of each token",
        "pooler_output": "what it makes of the first token of each row",
        "embedding": "a vector for each row",
    }

    def __init__(
        self,
        head: Head,
        config: LongformerConfig,
        tokenizer: LongformerTokenizer | None,
        top_k: int,
        max_answer_len: int,
    ) -> None:
        self.texts = head.texts
        self.token_outputs = head.token_outputs
        self.config = config
        self.tokenizer = tokenizer
        self.top_k = top_k
        self.max_answer_len = max_answer_len

    def meaning(self, output: str) -> str:
        """Returns a phrase about an output, for those who write clients."""
        return self.meanings.get(output, "an output of the model's head")

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        """Returns outputs and results for a request of ids.

        Args:
            outputs: dict of the model's outputs, float32.
            ids: int32 `[batch, seq]` or `[batch, choices, seq]`.
            mask: int32 alike, the attention mask.
        """
        return outputs

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        """Returns outputs and results for a request of texts.

        Args:
            outputs: dict of the model's outputs, float32.
            encoded: dict of int32 tensors: `input_ids`, `attention_mask`,
                `offset_mapping` and `sequence_ids`.
            texts: the string tensors, one for each of the head's texts.
        """
        return self.of_ids(
            outputs, encoded["input_ids"], encoded["attention_mask"]
        )

    def label_texts(self, labels: Any) -> Any:
        """Returns the names of labels, strings shaped as their numbers."""
        return tf.gather(tf.constant(label_names(self.config)), labels)


class SequenceClassification(Results):
    """Labels of rows."""

    meanings = {
        "logits": "the score of each label, in the config's order",
        "probabilities": "the probability of each label, in that order",
        "labels": "the labels of each row, the best first",
        "scores": "their probabilities; the values themselves in regression",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        values = decoding.label_scores(outputs["logits"], self.config)
        scores, labels = tf.math.top_k(values, self.config.num_labels)
        results = {
            **outputs,
            "labels": self.label_texts(labels),
            "scores": scores,
        }
        if not decoding.is_regression(self.config):
            results["probabilities"] = values
        return results


class TokenClassification(Results):
    """Labels of tokens, and entities."""

    meanings = {
        "logits": "the score of each label for each token",
        "probabilities": "the probability of each label for each token",
        "labels": "the best label of each token",
        "scores": "its probability",
        "offset_mapping": "first character of each token, and the one behind "
        "it; 0 for special tokens",
        "entity_labels": "type of each entity, its label without B-, I-, ...; "
        "empty where a row has fewer",
        "entity_scores": "mean probability of its words",
        "entity_starts": "its first character",
        "entity_ends": "the character behind it",
        "entity_words": "its text",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        probabilities = tf.nn.softmax(outputs["logits"])
        best = tf.argmax(outputs["logits"], -1, tf.int32)
        return {
            **outputs,
            "probabilities": probabilities,
            "labels": self.label_texts(best),
            "scores": tf.reduce_max(probabilities, -1),
        }

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        results = self.of_ids(outputs, None, None)
        offsets, ids = encoded["offset_mapping"], encoded["input_ids"]
        codes = tf.strings.unicode_decode(texts[0], "UTF-8").to_tensor()
        starts = decoding.word_starts(
            codes,
            offsets,
            ids,
            self.tokenizer.unk_token_id,
            decoding.tokens_within_words(self.tokenizer),
        )
        labels = decoding.EntityLabels.read(label_names(self.config))
        strategy = decoding.entity_strategy(self.config)
        if strategy == "none":
            # Tokens one by one are what `labels` and `scores` are.
            strategy = "simple"
        entities = decoding.find_entities(
            results["probabilities"],
            encoded["sequence_ids"] == 0,
            starts,
            labels,
            strategy,
        )
        counts = tf.reduce_sum(tf.cast(entities.first >= 0, tf.int32), 1)
        most = tf.reduce_max(counts)
        kinds, scores, first, last = (x[:, :most] for x in entities)
        begins, ends, words = _characters(texts[0], offsets, first, last)
        # The last name, an empty one, is for places without an entity.
        names = tf.constant([*labels.types, ""])
        return {
            **results,
            "offset_mapping": offsets,
            "entity_labels": tf.gather(
                names, tf.where(kinds < 0, len(labels.types), kinds)
            ),
            "entity_scores": scores,
            "entity_starts": begins,
            "entity_ends": ends,
            "entity_words": words,
        }


class QuestionAnswering(Results):
    """Answers as spans."""

    meanings = {
        "start_logits": "the score of each token as an answer's first",
        "end_logits": "the score of each token as an answer's last",
        "scores": "the probability of each answer, the best first; 0 where "
        "there are no more",
        "no_answer_scores": "the probability that there is no answer",
        "start_tokens": "the first token of each answer, -1 for none",
        "end_tokens": "its last token, -1 for none",
        "starts": "its first character in the context",
        "ends": "the character behind it",
        "answers": "its text",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        inside = decoding.find_context(ids, mask, self.config)
        spans = self._spans(outputs, inside, mask)
        return {
            **outputs,
            "start_tokens": spans.first,
            "end_tokens": spans.last,
            "scores": spans.scores,
            "no_answer_scores": spans.no_answer,
        }

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        inside = encoded["sequence_ids"] == 1
        spans = self._spans(outputs, inside, encoded["attention_mask"])
        begins, ends, answers = _characters(
            texts[1], encoded["offset_mapping"], spans.first, spans.last
        )
        return {
            **outputs,
            "scores": spans.scores,
            "no_answer_scores": spans.no_answer,
            "starts": begins,
            "ends": ends,
            "answers": answers,
        }

    def _spans(
        self, outputs: dict[str, Any], inside: Any, mask: Any
    ) -> decoding.Spans:
        return decoding.best_spans(
            outputs["start_logits"],
            outputs["end_logits"],
            inside,
            mask,
            self.max_answer_len,
            self.top_k,
        )


class MultipleChoice(Results):
    """The best of several choices."""

    meanings = {
        "logits": "the score of each choice",
        "probabilities": "the probability of each choice",
        "choice": "the number of the best choice, from 0",
        "answers": "its text",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        logits = outputs["logits"]
        return {
            **outputs,
            "probabilities": tf.nn.softmax(logits),
            "choice": tf.argmax(logits, -1, tf.int32),
        }

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        results = self.of_ids(outputs, None, None)
        best = results["choice"][:, None]
        answers = tf.gather(texts[1], best, batch_dims=1)[:, 0]
        return {**results, "answers": answers}


class MaskedLM(Results):
    """Tokens for masks."""

    meanings = {
        "logits": "the score of each token of the vocabulary",
        "mask_positions": "where each mask is in its row; -1 where a row has "
        "fewer",
        "mask_logits": "the scores of the vocabulary for each mask",
        "token_ids": "the best tokens for each mask, -1 for none",
        "tokens": "their texts",
        "scores": "their probabilities",
        "starts": "the first character of each mask in the text",
        "ends": "the character behind it",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        if self.tokenizer is None or self.tokenizer.mask_token_id is None:
            return outputs
        positions = _find_masks(ids, self.tokenizer.mask_token_id)
        logits = decoding.take_positions(outputs["logits"], positions)
        return {**outputs, **self._filled(logits, positions)}

    def find_masks(self, encoded: dict[str, Any]) -> Any:
        """Returns the masks' positions; a text without a mask is an error."""
        tokenizer, ids = self.tokenizer, encoded["input_ids"]
        counts = tf.cast(ids == tokenizer.mask_token_id, tf.int32)
        counts = tf.reduce_sum(counts, 1)
        rule = (
            tf.reduce_all(counts > 0),
            f"Each `text` must have a mask. Write {tokenizer.mask_token} "
            "where a word is wanted. Received (masks):",
            counts,
        )
        ids = require({"input_ids": ids}, rule)["input_ids"]
        return _find_masks(ids, tokenizer.mask_token_id)

    def of_masks(
        self, logits: Any, encoded: dict[str, Any], positions: Any
    ) -> dict[str, Any]:
        """Returns the results, given the logits of the masks alone."""
        offsets = decoding.take_positions(encoded["offset_mapping"], positions)
        starts, ends = (
            tf.where(positions >= 0, place, 0)
            for place in tf.unstack(offsets, axis=-1)
        )
        return {
            "mask_logits": logits,
            **self._filled(logits, positions),
            "starts": starts,
            "ends": ends,
        }

    def _filled(self, logits: Any, positions: Any) -> dict[str, Any]:
        top_k = min(self.top_k, self.config.vocab_size)
        scores, ids = decoding.best_tokens(logits, positions, top_k)
        texts = tf.gather(tf.constant(self.token_texts), tf.maximum(ids, 0))
        return {
            "mask_positions": positions,
            "token_ids": ids,
            "tokens": tf.where(ids >= 0, texts, ""),
            "scores": scores,
        }

    @functools.cached_property
    def token_texts(self) -> list[str]:
        """The text of each id; `""` where there is no token."""
        known = set(self.tokenizer.get_vocab().values())
        return [
            self.tokenizer.decode([index]) if index in known else ""
            for index in range(self.config.vocab_size)
        ]


def _find_masks(ids: Any, mask_token_id: int) -> Any:
    """Returns the places of masks, int32 `[batch, masks]`; -1 for none."""
    is_mask = ids == mask_token_id
    seq = tf.shape(ids)[1]
    places = tf.where(is_mask, tf.range(seq)[None], seq)
    most = tf.reduce_max(tf.reduce_sum(tf.cast(is_mask, tf.int32), 1))
    first = tf.sort(places, axis=1)[:, :most]
    return tf.where(first < seq, first, -1)


def _characters(
    texts: Any, offsets: Any, first: Any, last: Any
) -> tuple[Any, Any, Any]:
    """Returns the first character, the end and the text of spans of tokens.

    `texts` is `[batch]`; `first` and `last`, the tokens, are `[batch, spans]`,
    and so are the three results: 0, 0 and `""` where `first` is -1.
    """
    begins, ends = (
        tf.where(
            first >= 0, decoding.take_positions(offsets, places)[:, :, side], 0
        )
        for side, places in enumerate((first, last))
    )
    wide = tf.broadcast_to(texts[:, None], tf.shape(begins))
    words = tf.strings.substr(wide, begins, ends - begins, unit="UTF8_CHAR")
    return begins, ends, words
