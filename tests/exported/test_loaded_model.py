"""What a model refuses, the order of its results, and one that is replaced."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from tf_longformer import atomic
from tf_longformer.errors import RequestError
from tf_longformer.exported import loaded_model
from tf_longformer.exported.loaded_model import LoadedModel


def test_what_a_model_refuses(toy):
    signature = LoadedModel(toy).signature()
    ids = np.array([[1, 99]], "int32")
    with pytest.raises(RequestError) as error:
        signature.run({"input_ids": ids, "attention_mask": ids})
    assert error.value.status == 400
    # The sentence and the value, and nothing of the graph.
    assert str(error.value) == (
        "`input_ids` must lie in [0, 61). Received: [1 99]"
    )
    mask = np.ones((1, 3), "int32")
    with pytest.raises(RequestError, match="Incompatible shapes") as error:
        signature.run({"input_ids": mask[:, :2], "attention_mask": mask})
    assert "node" not in str(error.value)


def test_results_are_in_the_order_of_their_names(toy, monkeypatch):
    """Whatever TensorFlow's is, which changes from process to process."""
    signature = LoadedModel(toy).signature("text")
    run = signature._function
    for order in (["label", "score"], ["score", "label"]):

        def run_in_order(*, order=order, **inputs):
            outputs = run(**inputs)
            return {name: outputs[name] for name in order}

        monkeypatch.setattr(signature, "_function", run_in_order)
        found = signature.run({"text": np.array([b"a b"], object)})
        assert list(found) == ["label", "score"]


def test_a_model_that_others_replace_while_it_is_read(
    toy, tmp_path, monkeypatch
):
    """It was there when it was found, and isn't for the moment."""
    folder, aside = tmp_path / "1", tmp_path / "aside"
    shutil.copytree(toy, folder)
    find_version = loaded_model.find_version
    taken = []

    def find_and_take(path):
        version = find_version(path)
        if len(taken) < 20:
            taken.append(folder.rename(aside))
        return version

    def put_back(seconds):
        if aside.exists():
            aside.rename(folder)

    monkeypatch.setattr(loaded_model, "find_version", find_and_take)
    monkeypatch.setattr(atomic.time, "sleep", put_back)
    version, model, _ = loaded_model.load_version(folder)
    assert len(taken) == 20
    assert version.path == folder
    assert model.signatures
