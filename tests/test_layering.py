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
    "errors": 0,
    "atomic_folder": 0,
    "hub": 0,
    "keywords": 0,
    "compat": 0,
    "configuration": 1,
    "tokenization": 2,
    "ops": 2,
    "checkpoints": 2,
    "losses": 2,
    "outputs": 2,
    "memory": 2,
    "inputs": 3,
    "preprocessing": 3,
    "layers": 4,
    "models": 5,
    "export": 6,
    "tasks": 6,
    "serving": 7,
    "quickstart": 7,
    "cli": 8,
    "__main__": 9,
}
# What the ranks would allow.
FORBIDDEN = {
    "ops": {"configuration"},
    "layers": {"tokenization", "checkpoints", "inputs", "preprocessing"},
    "models": {"tokenization", "preprocessing"},
    "preprocessing": {"checkpoints", "ops", "losses", "outputs"},
}
WITHOUT_BACKEND = {
    "__init__",
    "__main__",
    "errors",
    "atomic_folder",
    "hub",
    "keywords",
    "configuration",
    "tokenization",
    "checkpoints",
    "preprocessing",
    "memory",
}
BACKENDS = {"keras", "tensorflow", "jax"}
# Modules, or all of a part, that TensorFlow belongs to by nature ...
TENSORFLOW = {
    "export",
    "quickstart",
    "preprocessing.graph_merges",
    "preprocessing.graph_rows",
    "preprocessing.graph_tokenizer",
    "preprocessing.graph_words",
    "preprocessing.text_preprocessor",
    "serving.saved_model",
    "serving.warmup",
}
# ... and those that ask it something inside a function, when it is the
# backend.
TENSORFLOW_INSIDE = {
    "compat",
    "tokenization.tensors",
    "inputs.checks",
    "models.replicas",
    "cli.console",
}
JAX_INSIDE = {"compat"}
PRIVATE = {("keras", "src"), ("tensorflow", "python"), ("tf", "python")}
DEPENDENCIES = {
    *("keras", "numpy", "optree", "h5py", "safetensors", "tokenizers"),
    *("rich", "typer", "tensorflow", "jax"),
    *("ml_dtypes", "huggingface_hub"),
    "google",  # protobuf, which comes with TensorFlow
    *("orjson", "prometheus_client", "starlette", "uvicorn"),
    "h11",  # which comes with uvicorn
}
MOST_LINES = 400


class Import(NamedTuple):
    """An import of `target`, which may name a module or a thing in one."""

    target: str
    line: int
    inside: bool  # of a function
    typing: bool  # only for type checkers


class Module(NamedTuple):
    name: str  # below the package: "ops.blocks"
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        first = self.name.split(".")[0]
        return "configuration" if "_configuration" in first else first

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
    if (first, *rest[:1]) in PRIVATE and module.name != "compat":
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
            if names in PRIVATE and module.name != "compat":
                yield node.lineno, f"touches the private {'.'.join(names)}"
    if module.part in ("layers", "models"):
        classes = [
            node
            for node in module.tree.body
            if isinstance(node, ast.ClassDef) and node.name[0] != "_"
        ]
        yield from (
            (node.lineno, f"has a second public class, {node.name}")
            for node in classes[1:]
        )
    lines = len(module.path.read_text("utf-8").splitlines())
    if lines > MOST_LINES:
        yield lines, f"has more than {MOST_LINES} lines"


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


@pytest.mark.parametrize(
    ("file", "source", "message"),
    [
        ("ops/a.py", "import tensorflow as tf", "imports tensorflow"),
        ("ops/a.py", "from tf_longformer import losses", "imports losses"),
        ("ops/a.py", "from tf_longformer.configuration import X", "not know"),
        ("ops/a.py", "import jax", "imports jax"),
        ("layers/a.py", "from tf_longformer.models.b import C", "isn't below"),
        ("layers/a.py", "import tf_longformer.inputs", "must not know inputs"),
        ("layers/a.py", "class A: ...\nclass B: ...", "second public class"),
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
        ("compat.py", "import tensorflow", "outside functions"),
        ("configuration.py", "def f():\n  import keras", "no backend"),
        ("_configuration_x.py", "import keras", "no backend"),
        ("_configuration_x.py", "import tf_longformer.losses", "isn't below"),
        ("tokenization/a.py", "from tf_longformer import ops", "isn't below"),
        ("checkpoints/a.py", "import keras", "no backend"),
        ("tokenization/tensors.py", "import tensorflow", "no backend"),
        ("preprocessing/labels.py", "import keras", "no backend"),
        ("preprocessing/graph_rows.py", "import tensorflow", None),
        ("preprocessing/a.py", "import tf_longformer.ops.a", "not know ops"),
        ("tokenization/tensors.py", "def f():\n  import jax", "no backend"),
        ("tokenization/tensors.py", "def f():\n  import tensorflow", None),
        ("cli/a.py", "import keras", "before the command"),
        ("new.py", "import tf_longformer.ops", "has no rank"),
        ("losses.py", "x = 1\n" * 401, "more than 400 lines"),
        ("losses.py", "import tf_longformer.losses", None),
        ("ops/a.py", "import tf_longformer.ops.b", "a cycle"),
        ("compat.py", "def f():\n  import jax, tensorflow", None),
        ("cli/a.py", "from tf_longformer import __version__", None),
        ("models/a.py", "class A: ...\nclass _B: ...", None),
        ("models/a.py", "from tf_longformer import LongformerConfig", None),
        (
            "ops/a.py",
            "from typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n  import tf_longformer.ops.b",
            None,
        ),
    ],
)
def test_planted(tmp_path, file, source, message):
    planted = {
        "models/b.py": "class C: ...",
        "ops/b.py": "import tf_longformer.ops.a",
        "ops/a.py": "",
        "losses.py": "",
        "configuration.py": "class LongformerConfig: ...",
        file: source,
    }
    for name, text in planted.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    for folder in ("cli", "inputs", "models", "ops"):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "__init__.py").touch()
    (tmp_path / "cli/app.py").touch()
    found = violations(tmp_path)
    if message is None:
        assert found == []
    else:
        assert len(found) == 1
        assert message in found[0]
