"""A head that isn't ours is a class and a record, and nothing else.

The toy scores each token with parameters of its own. The package reads what
it needs of it from the record: names in files, default global tokens,
labels, what an export and a prediction return.
"""

from __future__ import annotations

import dataclasses
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from helpers import checks
from helpers import small_exports as small
from safetensors.numpy import load_file

from tf_longformer import TFLongformerPreTrainedModel
from tf_longformer import export_saved_model
from tf_longformer import heads
from tf_longformer import losses
from tf_longformer.checkpoints.convert import convert
from tf_longformer.checkpoints.find_head import find_head
from tf_longformer.checkpoints.locate import locate
from tf_longformer.cli.app import main
from tf_longformer.configuration import LongformerConfig
from tf_longformer.layers.initializers import dense
from tf_longformer.outputs import TFLongformerTokenClassifierOutput

NAME = "LongformerForTokenScoring"


@keras.saving.register_keras_serializable("toy")
class TFLongformerForTokenScoring(TFLongformerPreTrainedModel):
    head_record = heads.Head(
        NAME,
        f"{__name__}:TFLongformerForTokenScoring",
        task="token-scoring",
        part="scorer",
        layers=(
            heads.HeadLayer("squeeze", "dense", ("width", 5)),
            heads.HeadLayer("score", "dense", (5, 1)),
        ),
        default_globals="cls",
        label_names=("labels",),
        token_outputs=("logits",),
    )
    output_class = TFLongformerTokenClassifierOutput

    def create_head(self):
        self.squeeze = dense(self, 5, "squeeze", "tanh")
        self.score = dense(self, 1, "score")

    def build_head(self):
        self.squeeze.build((None, None, self.config.hidden_size))
        self.score.build((None, None, 5))

    def head(self, body, inputs, training):
        scores = self.score(self.squeeze(body.last_hidden_state))
        return {"logits": scores[..., 0]}

    def loss_terms(self, labels, outputs, sample_weight=None):
        return [
            losses.mean_squared_error(
                labels["labels"], outputs["logits"], sample_weight
            )
        ]


@pytest.fixture(autouse=True)
def _registered():
    heads.register_head(TFLongformerForTokenScoring.head_record)
    yield
    del heads.HEADS[NAME]


@pytest.fixture
def model():
    like = small.make("Model")
    return checks.seeded(TFLongformerForTokenScoring, like.config)


def ids_and_mask(model):
    inputs = small.ids(model, 2, 6)
    return {name: inputs[name] for name in ("input_ids", "attention_mask")}


def test_labels_and_default_global_tokens(model):
    inputs = ids_and_mask(model)
    # The first token that isn't padding.
    first = np.zeros_like(inputs["input_ids"])
    first[[0, 1], [0, 1]] = 1
    checks.assert_equal(
        model(inputs), model(**inputs, global_attention_mask=first), 0
    )
    labels = np.ones(inputs["input_ids"].shape, "float32")
    model.compile(keras.optimizers.SGD(1e-2), run_eagerly=True)
    data = {**inputs, "labels": labels}
    history = model.fit(data, epochs=2, verbose=0).history["loss"]
    assert history[1] < history[0]


def test_files(model, tmp_path):
    inputs = ids_and_mask(model)
    model.save_pretrained(tmp_path / "saved")
    arrays = load_file(tmp_path / "saved/model.safetensors")
    shapes = {
        name: array.shape
        for name, array in arrays.items()
        if not name.startswith("longformer.")
    }
    # PyTorch's names and layout.
    assert shapes == {
        "squeeze.weight": (5, 10),
        "squeeze.bias": (5,),
        "score.weight": (1, 5),
        "score.bias": (1,),
    }
    left_out = convert(locate(tmp_path / "saved"), tmp_path / "h5", "h5")
    assert left_out == []
    model.save(tmp_path / "model.keras")
    for loaded in (
        TFLongformerForTokenScoring.from_pretrained(tmp_path / "saved"),
        TFLongformerForTokenScoring.from_pretrained(tmp_path / "h5"),
        keras.models.load_model(tmp_path / "model.keras"),
    ):
        checks.assert_equal(loaded(inputs), model(inputs), 0)


def test_its_files_are_recognised(model, tmp_path):
    model.save_pretrained(tmp_path)
    location = locate(tmp_path)
    config = LongformerConfig.from_dict(location.config_fields())
    assert config.architectures == [NAME]
    config.architectures = None
    assert find_head(location.read(False)[1](config), config) == NAME


def test_export(model, tmp_path, monkeypatch):
    """Ids, and texts by the names that the record gives them."""
    record = dataclasses.replace(model.head_record, texts=("title", "body"))
    monkeypatch.setattr(type(model), "head_record", record)
    monkeypatch.setitem(heads.HEADS, NAME, record)
    inputs = ids_and_mask(model)
    export_saved_model(model, tmp_path / "1", small.tokenizer())
    served = tf.saved_model.load(tmp_path / "1").signatures
    found = served["serving_default"](
        **{name: tf.constant(value) for name, value in inputs.items()}
    )
    assert set(found) == {"logits"}
    checks.assert_equal(found["logits"], model(inputs).logits, 1e-5)
    found = served["text"](
        title=tf.constant(["A dog."]), body=tf.constant(["A cat."])
    )
    encoding = small.tokenizer()(["A dog."], ["A cat."], return_tensors="np")
    checks.assert_equal(found["logits"], model(encoding).logits, 1e-5)


def test_predict_command(model, tmp_path):
    model.save_pretrained(tmp_path / "model")
    small.tokenizer().save_pretrained(tmp_path / "model")
    texts = ["A dog.", "A cat and a dog."]
    records = [{"text": text} for text in texts]
    records.append({"input_ids": [0, 5, 6, 2]})
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(map(json.dumps, records)), "utf-8")
    with pytest.raises(SystemExit) as finished:
        main(["predict", *map(str, (tmp_path / "model", source, target))])
    assert finished.value.code == 0
    found = map(json.loads, target.read_text("utf-8").splitlines())
    rows = [small.tokenizer()(text)["input_ids"] for text in texts]
    rows.append([0, 5, 6, 2])
    for row, result in zip(rows, found, strict=True):
        expected = model([row]).logits[0]
        np.testing.assert_allclose(result["logits"], expected, atol=1e-5)


def test_a_name_is_given_once(model):
    record = model.head_record
    assert heads.register_head(record) is record
    other = heads.Head(NAME, "elsewhere:Other")
    with pytest.raises(ValueError, match="a name of its own.*TokenScoring"):
        heads.register_head(other)


def test_what_is_not_registered_is_refused(model, tmp_path):
    class Unregistered(TFLongformerForTokenScoring):
        head_record = heads.Head("LongformerForNothing", "")

    with pytest.raises(ValueError, match="Received: Unregistered.*register"):
        Unregistered(model.config).save_pretrained(tmp_path)
