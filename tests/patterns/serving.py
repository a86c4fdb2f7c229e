"""SavedModels that serve: signatures of one's own, Spark NLP's, Keras's."""

from __future__ import annotations

import tensorflow as tf
from patterns.material import TEXTS

from tf_longformer import LongformerTokenizerFast
from tf_longformer import TFLongformerForSequenceClassification
from tf_longformer import TFLongformerModel


def load(name):
    tokenizer = LongformerTokenizerFast.from_pretrained(name)
    batch = tokenizer(TEXTS, padding=True, return_tensors="tf")
    return batch["input_ids"], batch["attention_mask"]


def signature_of_a_classifier(hub, scratch):
    """A function with names and shapes, as the blog on serving has it."""
    name = hub / "ForSequenceClassification"
    ids, mask = load(name)
    model = TFLongformerForSequenceClassification.from_pretrained(name)

    @tf.function(
        input_signature=[
            {
                "input_ids": tf.TensorSpec((None, None), tf.int32, "input_ids"),
                "attention_mask": tf.TensorSpec(
                    (None, None), tf.int32, "attention_mask"
                ),
            }
        ]
    )
    def serving(inputs):
        return {"logits": model(inputs).logits}

    path = str(scratch / "classifier/1")
    tf.saved_model.save(model, path, signatures={"serving_default": serving})
    loaded = tf.saved_model.load(path)
    serve = loaded.signatures["serving_default"]
    served = serve(input_ids=ids, attention_mask=mask)["logits"]
    tf.debugging.assert_near(served, model(ids, mask).logits, atol=1e-5)
    return {"logits": served}


def module_for_spark(hub, scratch):
    """A `tf.Module` around the encoder, as Spark NLP's notebooks write it."""
    name = hub / "Model"
    ids, mask = load(name)

    class Encoder(tf.Module):
        def __init__(self):
            super().__init__()
            self.encoder = TFLongformerModel.from_pretrained(name)

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None], tf.int32),
                tf.TensorSpec([None, None], tf.int32),
            ]
        )
        def serve(self, input_ids, attention_mask):
            outputs = self.encoder(
                {"input_ids": input_ids, "attention_mask": attention_mask}
            )
            return {"last_hidden_state": outputs.last_hidden_state}

    module = Encoder()
    path = str(scratch / "spark")
    tf.saved_model.save(module, path, signatures=module.serve)
    loaded = tf.saved_model.load(path)
    states = loaded.signatures["serving_default"](
        input_ids=ids, attention_mask=mask
    )
    return dict(states)


def concrete_function(hub, scratch):
    """`get_concrete_function(**batch)`, and `output[0][0]`."""
    name = hub / "Model"
    ids, mask = load(name)
    model = TFLongformerModel.from_pretrained(name)
    call = tf.function(
        lambda input_ids, attention_mask: model(
            input_ids, attention_mask=attention_mask
        )
    )
    concrete = call.get_concrete_function(
        input_ids=tf.TensorSpec([None, None], tf.int32),
        attention_mask=tf.TensorSpec([None, None], tf.int32),
    )
    output = concrete(input_ids=ids, attention_mask=mask)
    return {"first": output[0][0], "pooled": output[1]}
