"""What the signatures of each head take and return."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from tf_longformer.configuration import LongformerConfig
from tf_longformer.export import rows
from tf_longformer.export import spans
from tf_longformer.export.checks import require


class Head:
    """The bare model; the other heads derive from it.

    Args:
        config: the model's config.
        tokens: list of strings, the text of each id, and `mask_token_id`,
            where there is a tokenizer.
        mask_token_id: int, or `None`.
        top_k: int, answers, and tokens of a mask.
        longest: int, tokens of an answer at most.
    """

    texts: tuple[str, ...] = ("text",)
    # Outputs with an axis of tokens.
    per_token: tuple[str, ...] = ("last_hidden_state",)
    meanings = {
        "last_hidden_state": "what the last layer makes of each token",
        "pooler_output": "what it makes of the first token of each row",
    }

    def __init__(
        self,
        config: LongformerConfig,
        tokens: list[str] | None,
        mask_token_id: int | None,
        top_k: int,
        longest: int,
    ) -> None:
        self.config = config
        self.tokens = tokens
        self.mask_token_id = mask_token_id
        self.top_k = top_k
        self.longest = longest

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        """Adds to the model's outputs what a client wants of them.

        Args:
            outputs: dict of the model's outputs, float32.
            ids: int32 `[batch, seq]` or `[batch, choices, seq]`.
            mask: int32 alike, the attention mask.
        """
        return outputs

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        """The same for what was sent as text.

        Args:
            outputs: dict of the model's outputs, float32.
            encoded: dict of int32 tensors: `input_ids`, `attention_mask`,
                `offset_mapping` and `sequence_ids`.
            texts: the string tensors.
        """
        return self.of_ids(
            outputs, encoded["input_ids"], encoded["attention_mask"]
        )


class SequenceClassification(Head):
    """Labels of rows."""

    per_token = ()
    meanings = {
        "logits": "the score of each label, in the config's order",
        "probabilities": "the probability of each label, in that order",
        "labels": "the labels of each row, the best first",
        "scores": "their probabilities; the values themselves in regression",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        return {
            **outputs,
            **rows.rank_labels(outputs["logits"], self.config),
        }


class TokenClassification(Head):
    """Labels of tokens, and entities."""

    per_token = ("logits",)
    meanings = {
        "logits": "the score of each label for each token",
        "probabilities": "the probability of each label for each token",
        "labels": "the best label of each token",
        "scores": "its probability",
        "offset_mapping": "first character of each token, and the one behind "
        "it; 0 for special tokens",
        "entity_labels": "label of each entity, without B- and I-; empty "
        "where a row has fewer",
        "entity_scores": "mean probability of its tokens",
        "entity_starts": "its first character",
        "entity_ends": "the character behind it",
        "entity_words": "its text",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        return {
            **outputs,
            **rows.label_tokens(outputs["logits"], self.config),
        }

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        offsets = encoded["offset_mapping"]
        results = self.of_ids(outputs, None, None)
        found = spans.find_entities(
            results["probabilities"], encoded["sequence_ids"] == 0, self.config
        )
        begins, ends, words = spans.as_characters(
            texts[0], offsets, found.pop("first"), found.pop("last")
        )
        return {
            **results,
            **found,
            "offset_mapping": offsets,
            "entity_starts": begins,
            "entity_ends": ends,
            "entity_words": words,
        }


class QuestionAnswering(Head):
    """Answers as spans."""

    texts = ("question", "context")
    per_token = ("start_logits", "end_logits")
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
        inside = spans.find_context(ids, mask, self.config.sep_token_id)
        return {**outputs, **self._spans(outputs, inside, mask)}

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        found = self._spans(
            outputs, encoded["sequence_ids"] == 1, encoded["attention_mask"]
        )
        begins, ends, answers = spans.as_characters(
            texts[1],
            encoded["offset_mapping"],
            found.pop("start_tokens"),
            found.pop("end_tokens"),
        )
        return {
            **outputs,
            **found,
            "starts": begins,
            "ends": ends,
            "answers": answers,
        }

    def _spans(
        self, outputs: dict[str, Any], inside: Any, mask: Any
    ) -> dict[str, Any]:
        return spans.best_spans(
            outputs["start_logits"],
            outputs["end_logits"],
            inside,
            mask,
            self.longest,
            self.top_k,
        )


class MultipleChoice(Head):
    """The best of several choices."""

    texts = ("prompt", "choices")
    per_token = ()
    meanings = {
        "logits": "the score of each choice",
        "probabilities": "the probability of each choice",
        "choice": "the number of the best choice, from 0",
        "answers": "its text",
    }

    def of_ids(
        self, outputs: dict[str, Any], ids: Any, mask: Any
    ) -> dict[str, Any]:
        return {**outputs, **rows.choose(outputs["logits"])}

    def of_texts(
        self, outputs: dict[str, Any], encoded: dict[str, Any], texts: list
    ) -> dict[str, Any]:
        results = self.of_ids(outputs, None, None)
        best = results["choice"][:, None]
        answers = tf.gather(texts[1], best, batch_dims=1)[:, 0]
        return {**results, "answers": answers}


class MaskedLM(Head):
    """Tokens for masks."""

    per_token = ("logits",)
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
        if self.mask_token_id is None:
            return outputs
        positions = rows.find_masks(ids, self.mask_token_id)
        logits = rows.take_positions(outputs["logits"], positions)
        return {**outputs, **self._filled(logits, positions)}

    def find_masks(self, encoded: dict[str, Any], mask_token: str) -> Any:
        """Returns the masks' positions, once each text has one."""
        ids = encoded["input_ids"]
        counts = tf.reduce_sum(tf.cast(ids == self.mask_token_id, tf.int32), 1)
        rule = (
            tf.reduce_all(counts > 0),
            f"Each `text` must have a mask. Write {mask_token} where a word "
            "is wanted. Received (masks):",
            counts,
        )
        ids = require({"input_ids": ids}, rule)["input_ids"]
        return rows.find_masks(ids, self.mask_token_id)

    def of_masks(
        self, logits: Any, encoded: dict[str, Any], positions: Any
    ) -> dict[str, Any]:
        """Returns what a client wants of the logits of masks alone."""
        starts, ends = (
            tf.where(positions >= 0, place, 0)
            for place in tf.unstack(
                rows.take_positions(encoded["offset_mapping"], positions),
                axis=-1,
            )
        )
        return {
            "mask_logits": logits,
            **self._filled(logits, positions),
            "starts": starts,
            "ends": ends,
        }

    def _filled(self, logits: Any, positions: Any) -> dict[str, Any]:
        return {
            "mask_positions": positions,
            **rows.fill_masks(logits, positions, self.tokens, self.top_k),
        }


HEADS: dict[str, type[Head]] = {
    "LongformerModel": Head,
    "LongformerForMaskedLM": MaskedLM,
    "LongformerForQuestionAnswering": QuestionAnswering,
    "LongformerForSequenceClassification": SequenceClassification,
    "LongformerForTokenClassification": TokenClassification,
    "LongformerForMultipleChoice": MultipleChoice,
}
