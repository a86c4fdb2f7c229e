"""What importing the package costs, and what it says without a backend."""

import ast
import json
import os
import subprocess
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import pytest

import tf_longformer

BACKENDS = ("keras", "tensorflow", "jax", "torch")
FREE = [
    "BatchEncoding",
    "LongformerConfig",
    "LongformerTokenizer",
    "LongformerTokenizerFast",
    "MaskedLanguageModelCollator",
    "PaddingCollator",
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
        "import tf_longformer.checkpoints.transfer",
        "import tf_longformer.checkpoints.safetensors_file",
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


def test_ops_says_the_same(tmp_path):
    message = import_error(tmp_path, "ops", ("tensorflow",))
    assert message.startswith("`tf_longformer.ops` needs Keras")
    assert "tf-longformer[cpu]" in message


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


def test_every_name_is_what_it_says():
    for name in tf_longformer.__all__:
        assert getattr(tf_longformer, name).__name__ == name
    assert tf_longformer.ops.frame.__name__ == "frame"


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
    assert typed.pop("ops") == ""
    assert typed == lazy


def test_dir_lists_what_is_not_yet_imported(tmp_path):
    script = "import tf_longformer\nprint(*dir(tf_longformer))\n"
    listed = run(tmp_path, script).stdout.split()
    assert set(listed) >= {*tf_longformer.__all__, "ops", "__version__"}
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
