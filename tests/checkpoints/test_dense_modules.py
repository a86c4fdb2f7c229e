"""`Dense` modules of sentence-transformers, as files.

That its version 6.2 writes and reads such files, and computes the same, was
seen with `tasks/test_sentence_transformers.py`; it isn't needed here.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from checkpoints import fake_torch
from safetensors.numpy import load_file
from safetensors.numpy import save_file

from tf_longformer.checkpoints import dense_modules
from tf_longformer.checkpoints.dense_modules import open_projection
from tf_longformer.checkpoints.dense_modules import write_projection
from tf_longformer.checkpoints.doctor import find_problems
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.vector_settings import read_vector_settings
from tf_longformer.configuration import LongformerConfig
from tf_longformer.errors import CheckpointError
from tf_longformer.projections import ACTIVATIONS
from tf_longformer.projections import Projection
from tf_longformer.projections import projected_width

WEIGHT = np.arange(6, dtype="float32").reshape(2, 3)
BIAS = np.array([5, 7], "float32")
FIELDS = {
    "in_features": 3,
    "out_features": 2,
    "bias": True,
    "activation_function": "torch.nn.modules.linear.Identity",
}


def write(folder, fields=FIELDS, **arrays):
    """Writes a module as sentence-transformers does."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(fields))
    arrays = arrays or {"weight": WEIGHT, "bias": BIAS}
    save_file(
        {f"linear.{name}": array for name, array in arrays.items()},
        folder / "model.safetensors",
    )


def read(folder):
    return open_projection(locate(folder.parent).find, folder.name).read()


def test_what_is_written_is_read(tmp_path):
    write(tmp_path / "2_Dense")
    found = read(tmp_path / "2_Dense")
    np.testing.assert_array_equal(found.kernel, WEIGHT.T)
    np.testing.assert_array_equal(found.bias, BIAS)
    assert found.activation == "linear"
    write_projection(tmp_path / "again", found)
    names = ("config.json", "model.safetensors")
    fields, arrays = (tmp_path / "again" / name for name in names)
    assert json.loads(fields.read_text()) == FIELDS
    loaded = load_file(arrays)
    assert loaded.keys() == {"linear.weight", "linear.bias"}
    np.testing.assert_array_equal(loaded["linear.weight"], WEIGHT)
    for activation in ACTIVATIONS:
        given = Projection(WEIGHT.T, None, activation)
        write_projection(tmp_path / "other", given)
        found = read(tmp_path / "other")
        assert (found.bias, found.activation) == (None, activation)


def test_what_others_wrote(tmp_path):
    folder = tmp_path / "a"
    # Old versions had names for the class of their own; new ones more keys.
    for name, activation in (
        ("torch.nn.modules.activation.Tanh", "tanh"),
        ("torch.nn.GELU", "gelu"),
        ("torch.nn.modules.activation.ReLU", "relu"),
    ):
        more = {
            "activation_function": name,
            "module_input_name": "sentence_embedding",
            "module_output_name": None,
            "use_residual": False,
        }
        write(folder, {**FIELDS, **more})
        assert read(folder).activation == activation
    # What is missing has sentence-transformers' default.
    write(folder, {"in_features": 3, "out_features": 2})
    assert read(folder).activation == "tanh"
    half = {"weight": WEIGHT.astype("float16"), "bias": BIAS}
    write(folder, FIELDS, **half)
    assert read(folder).kernel.dtype == np.float32
    # A pickle of PyTorch's is read where it is alone.
    storages = {"0": -WEIGHT.ravel(), "1": -BIAS}
    items = {
        "linear.weight": fake_torch.View("0", 0, (2, 3), (3, 1)),
        "linear.bias": fake_torch.View("1", 0, (2,), (1,)),
    }
    code = fake_torch.program(items, storages)
    fake_torch.write_zip(folder / "pytorch_model.bin", code, storages)
    np.testing.assert_array_equal(read(folder).kernel, WEIGHT.T)
    (folder / "model.safetensors").unlink()
    found = read(folder)
    np.testing.assert_array_equal(found.kernel, -WEIGHT.T)
    np.testing.assert_array_equal(found.bias, -BIAS)
    code = code.replace(b"torch._utils\n_rebuild_tensor_v2", b"os\nsystem")
    fake_torch.write_zip(folder / "pytorch_model.bin", code, storages)
    with pytest.raises(CheckpointError, match="os"):
        read(folder)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"activation_function": "somewhere.Evil"}, "one of torch.nn's"),
        ({"activation_function": "torch.nn.Softmax"}, "Received: 'torch.nn"),
        ({"activation_function": "torch.hub.Tanh"}, "one of torch.nn's"),
        ({"activation_function": None}, "one of torch.nn's"),
        ({"use_residual": True}, "Received: use_residual=True"),
        ({"module_input_name": "tokens"}, "module_input_name='tokens'"),
        ({"another": 1}, "Received: another=1"),
        ({"another" * 10**5: 1}, r"Received: (another)*[a-z]*\.\.\.=1"),
        ({"activation_function": [["a"]]}, "one of torch.nn's"),
        ({"in_features": 2}, "shapes that its config.json says"),
        ({"out_features": "2"}, "shapes that its config.json says"),
        ({"bias": False}, "shapes that its config.json says"),
    ],
)
def test_another_layer_is_refused(tmp_path, fields, match):
    write(tmp_path / "a", {**FIELDS, **fields})
    with pytest.raises(CheckpointError, match=match):
        read(tmp_path / "a")


def test_damaged_files(tmp_path):
    folder = tmp_path / "a"
    for arrays in (
        {"weight": WEIGHT},
        {"weight": WEIGHT.T.copy(), "bias": BIAS},
        {"weight": WEIGHT, "bias": BIAS, "another": BIAS},
        {"weight": WEIGHT, "bias": np.array([5, 7])},
    ):
        write(folder, **arrays)
        with pytest.raises(CheckpointError, match="must be floats of the"):
            read(folder)
    (folder / "model.safetensors").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="must be whole"):
        read(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match="must have config.json and"):
        read(folder)


def write_modules(folder, dense):
    """Writes what a folder has beside its model and `Dense` modules."""
    config = LongformerConfig(hidden_size=12, num_hidden_layers=1)
    config.save_pretrained(folder)
    kinds = ["Transformer", "Pooling", *["Dense"] * len(dense)]
    modules = [
        {"type": f"x.{kind}", "path": path}
        for kind, path in zip(kinds, ["", "1_Pooling", *dense], strict=True)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling/config.json").write_text("{}")


def test_modules_are_few_and_differ(tmp_path):
    """Each takes the memory of its weights, however often it is named."""
    names = [f"{n}_Dense" for n in range(17)]
    for name in names:
        write_projection(tmp_path / name, Projection(np.ones((12, 12))))
    write_modules(tmp_path, names[:16])
    settings = read_vector_settings(locate(tmp_path))
    assert len(settings.projections) == 16
    for dense in (names, [names[0]] * 2, [names[0]] * 1000):
        write_modules(tmp_path, dense)
        with pytest.raises(ValueError, match="at most 16 Dense modules"):
            read_vector_settings(locate(tmp_path))


def test_widths_fit(tmp_path, monkeypatch):
    """Those of the modules one another's, and the first the model's."""
    write_modules(tmp_path, ["2_Dense", "3_Dense"])
    for widths, match in (
        ((12, 5, 5, 4), None),
        ((11, 5, 5, 4), "projection 0, which takes 11 numbers, .* of 12"),
        ((12, 5, 6, 4), "projection 1, which takes 6 numbers, .* of 5"),
    ):
        first, second = (np.ones(widths[i : i + 2]) for i in (0, 2))
        write_projection(tmp_path / "2_Dense", Projection(first))
        write_projection(tmp_path / "3_Dense", Projection(second, np.ones(4)))
        if match is None:
            settings = read_vector_settings(locate(tmp_path))
            assert projected_width(settings.projections, 12) == 4
            assert not settings.normalize
            # What doesn't fit isn't read.
            monkeypatch.setattr(dense_modules.DenseModule, "read", None)
            continue
        with pytest.raises(ValueError, match=match):
            read_vector_settings(locate(tmp_path))
    # The doctor says it too.
    save_file({"a.weight": np.ones(3)}, tmp_path / "model.safetensors")
    (said,) = [
        text for text in find_problems(locate(tmp_path)) if "vectors" in text
    ]
    assert "can't be made as they were. A projection must take" in said


def test_projections_are_checked():
    with pytest.raises(ValueError, match=r"a kernel \(3, 2\) and a bias \(3,"):
        Projection(np.ones((3, 2)), np.ones(3))
    with pytest.raises(ValueError, match=r"a kernel \(3,\) and no bias"):
        Projection(np.ones(3))
    with pytest.raises(ValueError, match="must be one of linear.*'elu'"):
        Projection(np.ones((3, 2)), activation="elu")
    with pytest.raises(TypeError, match="`Projection`s. Received: ndarray"):
        projected_width([np.ones((3, 2))], 3)
