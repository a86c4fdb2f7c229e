"""A checkpoint's head, model and tokenizer, by its name."""

import pytest
from helpers import small_exports as small
from helpers.tiny import make_model

from tf_longformer.heads import HEADS
from tf_longformer.loading import Checkpoint


def test_head_model_and_tokenizer(tmp_path):
    small.make("ForTokenClassification").save_pretrained(tmp_path / "a/b")
    small.tokenizer().save_pretrained(tmp_path / "a/b")
    loader = Checkpoint(str(tmp_path / "a"), subfolder="b")
    assert loader.head == HEADS["LongformerForTokenClassification"]
    model = loader.load_model(dtype="float32")
    assert type(model) is loader.head.model_class()
    assert loader.load_tokenizer().get_vocab() == small.tokenizer().get_vocab()
    # Of the same weights, without their head.
    bare = Checkpoint(str(tmp_path / "a"), "Model", "b")
    assert bare.head.name == "LongformerModel"
    with pytest.raises(ValueError, match="without pooler.dense.weight"):
        bare.load_model()
    assert bare.load_model("pooler").name


def test_a_file_without_a_tokenizer(tmp_path):
    make_model("ForMultipleChoice").save_pretrained(tmp_path)
    loader = Checkpoint(str(tmp_path / "model.safetensors"))
    assert loader.head.name == "LongformerForMultipleChoice"
    assert loader.load_tokenizer() is None


def test_a_head_without_weights(tmp_path):
    make_model("Model").save_pretrained(tmp_path)
    loader = Checkpoint(str(tmp_path), "ForQuestionAnswering")
    with pytest.raises(ValueError, match="without qa_outputs"):
        loader.load_model()
    with pytest.raises(ValueError, match="`head` must be one of"):
        Checkpoint(str(tmp_path), "ForSomething")
