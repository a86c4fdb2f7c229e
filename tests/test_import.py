"""What importing the package costs, and what it says without a backend."""

import ast
import importlib
import json
import os
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

import tf_longformer
from tf_longformer.keras_registry import MODULES

BACKENDS = ("keras", "tensorflow", "jax", "torch")
FREE = [
    "BatchEncoding",
    "LongformerConfig",
    "LongformerTokenizer",
    "LongformerTokenizerFast",
    "MaskedLanguageModelCollator",
    "PaddingCollator",
    "align_entities",
    "align_labels",
    "decode_answers",
    "describe_attention",
    "encode_choices",
    "encode_questions",
    "global_attention_mask",
]
# Stands before a script that must not find some modules.
HIDE = """
import sys

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hide())
"""


def run(tmp_path, script, hidden=(), **environment):
    """Runs a script in a process that has the package, but not its tree."""
    return subprocess.run(
        [sys.executable, "-c", HIDE.format(hidden=hidden) + script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": str(Path(tf_longformer.__file__).parents[1]),
            **environment,
        },
    )


def import_error(tmp_path, name, hidden, **environment):
    """Returns the message of the `ImportError` that a name raises, twice."""
    script = (
        "messages = set()\n"
        "for _ in range(2):\n"
        "    try:\n"
        f"        from tf_longformer import {name}\n"
        "    except ImportError as error:\n"
        "        messages.add(str(error))\n"
        "    else:\n"
        "        messages.add('nothing')\n"
        "print(*messages, end='')\n"
    )
    done = run(tmp_path, script, hidden, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "statement",
    [
        "import tf_longformer",
        "import tf_longformer; dir(tf_longformer)",
        "import tf_longformer.checkpoints.match",
        "import tf_longformer.checkpoints.files.safetensors_file",
        "import tf_longformer.cli.app",
        *(f"from tf_longformer import {name}" for name in FREE),
    ],
)
def test_light_import(tmp_path, statement):
    script = (
        f"{statement}\n"
        f"loaded = set({BACKENDS!r}) & set(sys.modules)\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    done = run(tmp_path, script)
    assert done.returncode == 0, done.stderr


def test_free_names_work_without_backend(tmp_path):
    script = "".join(f"from tf_longformer import {name}\n" for name in FREE)
    done = run(tmp_path, script, BACKENDS)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["TFLongformerModel", "to_dense_attention"])
def test_without_backend_the_error_names_the_extra(tmp_path, name):
    message = import_error(tmp_path, name, ("tensorflow",))
    assert message.startswith(
        f"`tf_longformer.{name}` needs Keras and the backend that it is set "
        "to. Received: ModuleNotFoundError: No module named 'tensorflow"
    )
    assert message.endswith(
        "Install TensorFlow: pip install 'tf-longformer[cpu]', or "
        "'tf-longformer[gpu]' for NVIDIA cards; or name a backend that is "
        "installed in KERAS_BACKEND."
    )


def test_the_backend_is_that_of_the_environment(tmp_path):
    name = "TFLongformerModel"
    message = import_error(tmp_path, name, ("jax",), KERAS_BACKEND="jax")
    assert "Received: ModuleNotFoundError: No module named 'jax" in message


def test_the_backend_is_that_of_the_file(tmp_path):
    settings = {"backend": "jax", "floatx": "float32", "epsilon": 1e-7}
    (tmp_path / "keras.json").write_text(json.dumps(settings))
    where = {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": ""}
    script = (
        "import os\ndel os.environ['KERAS_BACKEND']\n"
        "try:\n    from tf_longformer import TFLongformerModel\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = run(tmp_path, script, ("jax",), **where)
    assert done.returncode == 0, done.stderr
    assert "Received: ModuleNotFoundError: No module named 'jax" in done.stdout


@pytest.mark.skipif(not find_spec("jax"), reason="jax is not installed")
def test_another_backend_needs_no_tensorflow(tmp_path):
    hidden, backend = ("tensorflow",), {"KERAS_BACKEND": "jax"}
    name = "TFLongformerForMaskedLM"
    assert import_error(tmp_path, name, hidden, **backend) == "nothing"
    message = import_error(tmp_path, "export_saved_model", hidden, **backend)
    assert message.startswith(
        "`tf_longformer.export_saved_model` needs TensorFlow. Received: "
    )
    assert message.endswith("'tf-longformer[gpu]' for NVIDIA cards.")


# A Keras that has a registry and nothing else.
SMALL_KERAS = """
class saving:
    registry = {}

    def get_custom_objects():
        return saving.registry

    def register_keras_serializable(package):
        def register(cls):
            saving.registry[f"{package}>{cls.__name__}"] = cls
        return register
"""
REGISTERED = """
assert sys.modules["keras"].__spec__.loader is sys.modules["keras"].__loader__
from keras import saving
print(*sorted(saving.registry))
"""


@pytest.mark.parametrize(
    "imports",
    [
        "import keras\nimport tf_longformer\n",
        "import tf_longformer\nimport keras\n",
        # One that can't be imported at first.
        "import tf_longformer\n"
        "try:\n    sys.broken = True\n    import keras\n"
        "except RuntimeError:\n    sys.broken = False\n    import keras\n",
    ],
)
def test_keras_knows_the_classes_in_either_order(tmp_path, imports):
    """What it knows them for is seen in `models/test_keras_files.py`."""
    (tmp_path / "keras.py").write_text(
        "import sys\n"
        "if getattr(sys, 'broken', False):\n    raise RuntimeError\n"
        f"{SMALL_KERAS}"
    )
    script = f"sys.path.insert(0, '.')\n{imports}{REGISTERED}"
    done = run(tmp_path, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [
        f"tf_longformer>{name}"
        for name in sorted(["LongformerConfig", *MODULES])
    ]


def test_an_old_keras_is_left_alone(tmp_path):
    (tmp_path / "keras.py").touch()
    script = "sys.path.insert(0, '.')\nimport tf_longformer, keras\n"
    done = run(tmp_path, script)
    assert done.returncode == 0, done.stderr


def test_all_registered_classes_are_listed():
    keras = pytest.importorskip("keras", reason="Keras is not installed")
    for module in set(MODULES.values()):
        importlib.import_module(f"tf_longformer.{module}")
    registered = {
        name.removeprefix("tf_longformer>"): found
        for name, found in keras.saving.get_custom_objects().items()
        if name.startswith("tf_longformer>")
    }
    config = registered.pop("LongformerConfig")
    assert config is tf_longformer.LongformerConfig
    # Of a class that isn't where the list says, a stand-in would be found.
    assert {
        name: found.__module__.removeprefix("tf_longformer.")
        for name, found in registered.items()
    } == MODULES


def test_every_name_is_what_it_says():
    # One class has two names, as in transformers 5.
    aliases = {"LongformerTokenizerFast": "LongformerTokenizer"}
    for name in tf_longformer.__all__:
        found = getattr(tf_longformer, name).__name__
        assert found == aliases.get(name, name)
    assert tf_longformer.attention.gelu.__name__ == "gelu"


def test_lists_of_names_agree():
    tables = tf_longformer._MODULES.values()
    lazy = {
        f"{name}": module for table in tables for name, module in table.items()
    }
    assert sorted(lazy) == sorted(tf_longformer.__all__)
    assert set(tf_longformer._MODULES[None]) == set(FREE)
    tree = ast.parse(Path(tf_longformer.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    typed = {
        alias.name: node.module.removeprefix("tf_longformer").lstrip(".")
        for node in block.body
        for alias in node.names
    }
    assert typed == lazy


def test_dir_lists_what_is_not_yet_imported(tmp_path):
    script = "import tf_longformer\nprint(*dir(tf_longformer))\n"
    listed = run(tmp_path, script).stdout.split()
    assert set(listed) >= {*tf_longformer.__all__, "__version__"}
    assert listed == sorted(listed)


def test_unknown_name():
    with pytest.raises(AttributeError, match="no attribute 'TFLongformer'"):
        _ = tf_longformer.TFLongformer


def test_version():
    try:
        installed = metadata.version("tf-longformer")
    except metadata.PackageNotFoundError:
        pytest.skip("tf-longformer runs from its source folder")
    assert tf_longformer.__version__ == installed


def test_typed():
    assert Path(tf_longformer.__file__).with_name("py.typed").is_file()


def test_run_as_module(tmp_path):
    done = run(
        tmp_path,
        "import runpy\n"
        "sys.argv = ['tf_longformer', '--version']\n"
        "runpy.run_module('tf_longformer', run_name='__main__')\n",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("tf-longformer ")


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        ("create_optimizer", "tf_longformer.make_optimizer"),
        ("AdamWeightDecay", "exclude_from_weight_decay"),
        ("DataCollatorWithPadding", "tf_longformer.PaddingCollator"),
        ("DataCollatorForLanguageModeling", "MaskedLanguageModelCollator"),
        ("KerasMetricCallback", "`metrics`"),
        ("PushToHubCallback", "push_to_hub"),
        ("pipeline", "tf_longformer.tasks"),
        ("AutoTokenizer", "tf_longformer.LongformerTokenizerFast"),
        ("AutoConfig", "tf_longformer.LongformerConfig"),
        ("TFAutoModel", "tf_longformer.TFLongformerModel"),
        ("TFAutoModelForMaskedLM", "tf_longformer.TFLongformerForMaskedLM"),
        ("LongformerForMultipleChoice", "TFLongformerForMultipleChoice"),
        ("TFLongformerForPreTraining", "TFLongformerForMaskedLM"),
        ("Trainer", "model.fit"),
    ],
)
def test_names_of_transformers(name, instead):
    with pytest.raises(ImportError, match=f"'{name}'.*{instead}"):
        exec(f"from tf_longformer import {name}")
    with pytest.raises(AttributeError, match=f"'{name}'.*{instead}"):
        getattr(tf_longformer, name)


def test_names_that_nobody_knows():
    with pytest.raises(ImportError, match="cannot import name 'nonsense'"):
        exec("from tf_longformer import nonsense")
    assert not hasattr(tf_longformer, "nonsense")
