"""Who may import what: the table, a checker, planted violations."""

import ast
import graphlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import tf_longformer

PACKAGE = "tf_longformer"
# Imports go to a lower rank; parts of one rank don't import one another.
RANKS = {
    "folders": -1,
    "errors": -2,
    "atomic": 0,
    "hub": 0,
    "presets": 0,
    "projections": 0,
    "json_files": 0,
    "entity_schemes": 0,
    "list_arguments": 0,
    "old_keywords": 0,
    "backend": 0,
    "keras_private": -1,
    "keras_registry": 2,
    "configuration": 1,
    "heads": 0,
    "families": 0,
    "old_names": 1,
    "tokenization": 2,
    "attention": 2,
    "decoding": 2,
    "vocabulary_loss": 1,
    "losses": 2,
    "outputs": 2,
    "memory": 2,
    "checkpoints": 3,
    "inputs": 3,
    "metrics": 3,
    "data": 3,
    "graph_tokenization": 4,
    "layers": 4,
    "training": 4,
    "models": 5,
    "exported": 5,
    "loading": 6,
    "tasks": 6,
    "explain": 7,
    "export": 7,
    "serving": 7,
    "batch": 7,
    "finetuning": 7,
    "quickstart": 8,
    "cli": 9,
    "__main__": 10,
}
# What the ranks would allow.
FORBIDDEN = {
    "attention": {"configuration"},
    "layers": {"tokenization", "checkpoints", "data"},
    "models": {"tokenization", "data"},
    "data": {"checkpoints", "attention", "losses", "outputs"},
    "graph_tokenization": {"checkpoints", "attention", "layers", "losses"},
}
WITHOUT_BACKEND = {
    "__init__",
    "__main__",
    "errors",
    "folders",
    "atomic",
    "entity_schemes",
    "hub",
    "json_files",
    "metrics",
    "list_arguments",
    "old_keywords",
    "keras_registry",
    "old_names",
    "families",
    "presets",
    "projections",
    "configuration",
    "heads",
    "tokenization",
    "checkpoints",
    "data",
    "memory",
}
# A base name says where to look, once; but a command's module is called after
# the command.
TWINS = {"convert"}
BACKENDS = {"keras", "tensorflow", "jax"}
# Modules, or all of a part, that TensorFlow belongs to by nature ...
TENSORFLOW = {
    "export",
    "exported",
    "quickstart",
    "graph_tokenization",
    "finetuning.datasets",
    "finetuning.fine_tune",
    "finetuning.workers",
}
# ... and those that ask it something inside a function, when it is the
# backend.
TENSORFLOW_INSIDE = {
    "backend",
    "keras_private",
    "tokenization.batch_encoding",
    "training.compiled_adam",
    "training.freed_memory",
    "training.keras_steps",
    "cli.console",
}
JAX_INSIDE = {"backend", "keras_private"}
PRIVATE = {("keras", "src"), ("tensorflow", "python"), ("tf", "python")}
DEPENDENCIES = {
    *("keras", "numpy", "optree", "h5py", "safetensors", "tokenizers"),
    *("rich", "typer", "tensorflow", "jax"),
    *("ml_dtypes", "huggingface_hub"),
    "google",  # protobuf, which comes with TensorFlow
    *("orjson", "prometheus_client", "starlette", "uvicorn"),
    "h11",  # which comes with uvicorn
}


class Import(NamedTuple):
    """An import of `target`, which may name a module or a thing in one."""

    target: str
    line: int
    inside: bool  # of a function
    typing: bool  # only for type checkers


class Module(NamedTuple):
    name: str  # below the package: "attention.blocks"
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        return self.name.split(".")[0]

    def among(self, names: set[str]) -> bool:
        return self.name in names or self.part in names


def read(root: Path) -> dict[str, Module]:
    modules = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if len(parts) > 1 and parts[-1] == "__init__":
            parts = parts[:-1]
        name = ".".join(parts)
        tree = ast.parse(path.read_text("utf-8"))
        modules[name] = Module(name, path, tree)
    return modules


def imports(node: ast.AST, inside=False, typing=False) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(alias.name, child.lineno, inside, typing)
        elif isinstance(child, ast.ImportFrom):
            prefix = "." * child.level + (child.module or "")
            for alias in child.names:
                target = f"{prefix}.{alias.name}"
                yield Import(target, child.lineno, inside, typing)
        elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(
            child.test
        ):
            yield from imports(child, inside, True)
        else:
            function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from imports(child, inside or function, typing)


def resolve(target: str, modules: dict[str, Module]) -> str | None:
    """The module of ours that an import leads to; `None` if not ours."""
    parts = target.split(".")
    if parts[0] != PACKAGE or target == f"{PACKAGE}.__version__":
        return None
    public = {
        name: module
        for table in tf_longformer._MODULES.values()
        for name, module in table.items()
    }
    if len(parts) == 2 and parts[1] in public:
        return public[parts[1]]
    for end in (len(parts), len(parts) - 1):
        name = ".".join(parts[1:end])
        if name in modules:
            return name
    return "__init__"


def check_inner(module: Module, target: str) -> Iterator[str]:
    """Checks an import of another module of ours."""
    there = Module(target, module.path, module.tree).part
    if module.part in (there, "__init__"):
        return
    if there == "__init__":
        yield "imports the package, not a module of it"
    elif module.part not in RANKS or there not in RANKS:
        yield f"has no rank, or {there} has none"
    elif RANKS[there] >= RANKS[module.part]:
        yield f"imports {there}, which isn't below it"
    elif there in FORBIDDEN.get(module.part, ()):
        yield f"must not know {there}"


def check_outer(module: Module, found: Import) -> Iterator[str]:
    """Checks an import of something that isn't ours."""
    first, *rest = found.target.split(".")
    if first == PACKAGE:
        return
    if first == "":
        yield "imports relatively"
    elif first not in DEPENDENCIES and first not in sys.stdlib_module_names:
        yield f"imports {first}, which isn't a dependency"
    if (first, *rest[:1]) in PRIVATE and module.name != "keras_private":
        yield f"imports the private {first}.{rest[0]}"
    asked_for = module.name in TENSORFLOW_INSIDE and found.inside
    if (
        first in BACKENDS
        and module.part in WITHOUT_BACKEND
        and not module.among(TENSORFLOW)
        and not (first == "tensorflow" and asked_for)
    ):
        yield f"imports {first} where no backend may be needed"
    elif first == "tensorflow" and not module.among(TENSORFLOW):
        if not module.among(TENSORFLOW_INSIDE):
            yield "imports tensorflow"
        elif not found.inside:
            yield "imports tensorflow outside functions"
    elif first == "jax":
        if not (module.among(JAX_INSIDE) and found.inside):
            yield "imports jax"
    elif first == "keras" and module.part == "cli" and not found.inside:
        yield "imports keras before the command is known"


def check_module(
    module: Module, modules: dict[str, Module]
) -> Iterator[tuple[int, str]]:
    for found in imports(module.tree):
        target = resolve(found.target, modules)
        if target is None:
            messages = check_outer(module, found)
        else:
            messages = check_inner(module, target)
        yield from ((found.line, message) for message in messages)
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = (node.value.id, node.attr)
            if names in PRIVATE and module.name != "keras_private":
                yield node.lineno, f"touches the private {'.'.join(names)}"


def find_cycle(modules: dict[str, Module]) -> list[str]:
    graph = {
        name: {
            resolve(found.target, modules)
            for found in imports(module.tree)
            if not found.typing
        }
        - {None, name}
        for name, module in modules.items()
    }
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def find_twins(modules: dict[str, Module]) -> set[str]:
    """Returns base names that two modules have."""
    names = [
        module.path.stem
        for module in modules.values()
        if module.path.name != "__init__.py"
    ]
    return {name for name in names if names.count(name) > 1}


def violations(root: Path) -> list[str]:
    modules = read(root)
    found = [
        f"{module.path.relative_to(root)}:{line} {message}"
        for module in modules.values()
        for line, message in sorted(set(check_module(module, modules)))
    ]
    return found + [f"a cycle: {cycle}" for cycle in find_cycle(modules)]


def test_package():
    root = Path(tf_longformer.__file__).parent
    assert len(read(root)) > 40
    assert violations(root) == []


def test_a_base_name_stands_for_one_module(tmp_path):
    root = Path(tf_longformer.__file__).parent
    assert find_twins(read(root)) == TWINS
    for name in ("a/x.py", "b/x.py", "b/y.py", "a/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert find_twins(read(tmp_path)) == {"x"}


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        ("attention/a.py", "import tensorflow as tf", "imports tensorflow"),
        (
            "attention/a.py",
            "from tf_longformer import losses",
            "imports losses",
        ),
        (
            "attention/a.py",
            "from tf_longformer.configuration import X",
            "not know",
        ),
        ("attention/a.py", "import jax", "imports jax"),
        ("layers/a.py", "from tf_longformer.models.b import C", "isn't below"),
        ("layers/a.py", "import tf_longformer.data", "must not know data"),
        ("layers/a.py", "from tf_longformer import TFLongformerModel", "below"),
        ("models/a.py", "def f():\n  import tensorflow", "imports tensorflow"),
        ("models/a.py", "import keras\nkeras.src.x()", "touches the private"),
        ("models/a.py", "from keras.src import backend", "private keras.src"),
        ("models/a.py", "from keras import src", "private keras.src"),
        ("export/a.py", "import tensorflow.python.x", "tensorflow.python"),
        ("models/a.py", "import tf_longformer", "imports the package"),
        ("models/a.py", "from tf_longformer.nothing import A", "the package"),
        ("models/a.py", "from . import b", "imports relatively"),
        ("models/a.py", "import torch", "imports torch"),
        ("models/a.py", "import requests", "isn't a dependency"),
        ("models/a.py", "import tf_longformer.cli.app", "imports cli"),
        ("backend.py", "import tensorflow", "outside functions"),
        ("configuration/a.py", "def f():\n  import keras", "no backend"),
        ("configuration/x.py", "import keras", "no backend"),
        ("configuration/x.py", "import tf_longformer.losses", "isn't below"),
        (
            "tokenization/a.py",
            "from tf_longformer import attention",
            "isn't below",
        ),
        ("checkpoints/a.py", "import keras", "no backend"),
        ("tokenization/batch_encoding.py", "import tensorflow", "no backend"),
        ("data/labels.py", "import keras", "no backend"),
        ("graph_tokenization/dense_rows.py", "import tensorflow", None),
        ("data/a.py", "import tf_longformer.attention.a", "not know"),
        (
            "tokenization/batch_encoding.py",
            "def f():\n  import jax",
            "no backend",
        ),
        (
            "tokenization/batch_encoding.py",
            "def f():\n  import tensorflow",
            None,
        ),
        ("cli/a.py", "import keras", "before the command"),
        ("new.py", "import tf_longformer.attention", "has no rank"),
        ("losses.py", "import tf_longformer.losses", None),
        ("attention/a.py", "import tf_longformer.attention.b", "a cycle"),
        ("backend.py", "def f():\n  import jax, tensorflow", None),
        ("cli/a.py", "from tf_longformer import __version__", None),
        ("models/a.py", "from tf_longformer import LongformerConfig", None),
        (
            "attention/a.py",
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n  import tf_longformer.attention.b",
            None,
        ),
    ],
)
def test_planted(tmp_path, file, source, message):
    planted = {
        "models/b.py": "class C: ...",
        "attention/b.py": "import tf_longformer.attention.a",
        "attention/a.py": "",
        "losses.py": "",
        "configuration/__init__.py": "class LongformerConfig: ...",
        file: source,
    }
    for name, text in planted.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for folder in ("cli", "data", "models", "attention"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "cli/app.py").touch()
    found = violations(tmp_path)
    if message is None:
        assert found == []
    else:
        assert len(found) == 1
        assert message in found[0]
