"""Documents as vectors, and words of them."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from patterns.material import QUESTIONS
from patterns.material import TEXTS

from tf_longformer import LongformerTokenizer
from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForMaskedLM
from tf_longformer import TFLongformerModel


class Encoder:
    """What services wrap: padded to a length, averaged, as NumPy."""

    def __init__(self, name, max_length=32):
        self.tokenizer = LongformerTokenizer.from_pretrained(name)
        self.model = TFLongformerModel.from_pretrained(name)
        self.max_length = max_length

    def tokenize(self, sentences):
        return self.tokenizer(
            sentences, padding="max_length", truncation=True,
            max_length=self.max_length, return_tensors="tf",
        )  # fmt: skip

    def plain(self, sentences):
        states = self.model(self.tokenize(sentences)).last_hidden_state
        return np.average(states.numpy(), axis=1)

    def masked(self, sentences):
        encoding = self.tokenize(sentences)
        states = self.model(**encoding, training=False).last_hidden_state
        mask = tf.cast(encoding["attention_mask"][..., None], tf.float32)
        total = tf.reduce_sum(states * mask, axis=1)
        return total / tf.maximum(tf.reduce_sum(mask, axis=1), 1e-9)


def compare_documents(hub, scratch):
    encoder = Encoder(hub / "Model")
    plain = encoder.plain(TEXTS)
    documents, questions = map(encoder.masked, (TEXTS, QUESTIONS))
    similarities = tf.matmul(
        tf.math.l2_normalize(questions, axis=1),
        tf.math.l2_normalize(documents, axis=1),
        transpose_b=True,
    )
    assert tf.reduce_max(tf.abs(similarities)) <= 1.001
    return {"plain": plain, "masked": documents, "cosines": similarities}


class TextEncoder(tf.keras.layers.Layer):
    """A framework's layer: a mask of bools, no markers, another vocabulary."""

    def __init__(self, name, num_tokens, trainable=True, **kwargs):
        super().__init__(**kwargs)
        self.transformer = TFLongformerModel.from_pretrained(name)
        self.transformer.trainable = trainable
        self.transformer.resize_token_embeddings(num_tokens)

    def call(self, inputs, training=None, mask=None):
        if mask is not None:
            mask = tf.cast(mask, dtype=tf.int32)
        outputs = self.transformer(
            {
                "input_ids": inputs,
                "attention_mask": mask,
                "token_type_ids": tf.zeros_like(inputs),
            },
            training=training,
        )
        return tf.reduce_mean(outputs[0][:, 1:-1, :], axis=1)


def layer_of_a_framework(hub, scratch):
    name = hub / "Model"
    encoding = LongformerTokenizer.from_pretrained(name)(
        TEXTS, padding=True, return_tensors="tf"
    )
    encoder = TextEncoder(name, num_tokens=700, trainable=False)
    vectors = encoder(
        encoding["input_ids"], mask=encoding["attention_mask"] > 0
    )
    assert not encoder.transformer.trainable_variables
    return {"vectors": vectors}


def vectors_of_words(hub, scratch):
    """Tokens of a word averaged, over several layers, by `word_ids`."""
    name = hub / "Model"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    model = TFLongformerModel.from_pretrained(name, output_hidden_states=True)
    encoding = tokenizer(TEXTS[3], return_tensors="tf")
    states = model(encoding).hidden_states
    assert len(states) == model.config.num_hidden_layers + 1
    summed = tf.add_n(list(states[-2:]))[0].numpy()
    words = encoding.word_ids(0)
    vectors = [
        summed[
            [place for place, other in enumerate(words) if other == word]
        ].mean(axis=0)
        for word in sorted({word for word in words if word is not None})
    ]
    return {"vectors": np.stack(vectors)}


class LanguageModel:
    """Text augmentation: `model.call` as a function that is traced once."""

    def __init__(self, name):
        self.model = TFLongformerForMaskedLM.from_pretrained(
            name, local_files_only=True
        )
        self.caller = tf.function(self.model.call)
        self.tokenizer = LongformerTokenizerFast.from_pretrained(
            name, local_files_only=True
        )

    def __call__(self, texts):
        batch = self.tokenizer(
            list(texts), return_tensors="tf", padding=True, truncation=True
        )
        return self.caller(batch.data)[0]


def scores_of_a_traced_call(hub, scratch):
    language_model = LanguageModel(hub / "ForMaskedLM")
    return {"logits": language_model(TEXTS[:2])}


def global_tokens_by_hand(hub, scratch):
    """Two phrases before a document are global; all attentions come back."""
    name = hub / "Model"
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    text = "</s>".join(["saves money", "no", *TEXTS])
    encoding = tokenizer(
        text, max_length=64, truncation=True, padding="max_length",
        return_tensors="tf",
    )  # fmt: skip
    mask = np.zeros(encoding["input_ids"].shape, dtype="int32")
    separators = np.flatnonzero(
        encoding["input_ids"][0] == tokenizer.sep_token_id
    )
    mask[:, : separators[1]] = 1
    outputs = TFLongformerModel.from_pretrained(name)(
        encoding["input_ids"],
        attention_mask=encoding["attention_mask"],
        global_attention_mask=tf.constant(mask),
        output_attentions=True,
    )
    count = int(mask.sum())
    assert len(outputs.attentions) == len(outputs.global_attentions) == 2
    return {
        "states": outputs.last_hidden_state,
        "pooled": outputs.pooler_output,
        "attentions": outputs.attentions[1],
        "globals": outputs.global_attentions[1][:, :, :64, :count],
    }
