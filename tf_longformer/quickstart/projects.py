"""The projects whose source files are the documents, and their names.

Every machine that has this package also has these files: the standard
library and the packages that Keras, TensorFlow and the tokenizer bring.
"""

from __future__ import annotations

import importlib.util
import os
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Folders that would give a wrong or a trivial answer: tests and generated
# tables read alike everywhere, vendored code belongs to somebody else, and
# `tensorflow/python/keras` is an old copy of Keras.
_SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__",
        "_vendor",
        "_distutils",
        "_unicode_data",
        "dist-packages",
        "distutils",
        "encodings",
        "ensurepip",
        "idlelib",
        "keras",
        "lib2to3",
        "lib-dynload",
        "pydoc_data",
        "site-packages",
        "test",
        "testing",
        "tests",
        "turtledemo",
    }
)
_SKIPPED_PREFIXES = ("gen_", "test_")
_SKIPPED_SUFFIXES = ("_pb2.py", "_pb2_grpc.py", "_test.py")


@dataclass(frozen=True)
class Project:
    """One class of the task: a project and where its source files lie.

    Args:
        name: string. The label that users see.
        root: `Path`. The folder whose children are the project's
            sub-packages.
    """

    name: str
    root: Path

    def source_files(self) -> Iterator[tuple[str, Path]]:
        """Walks over the project's own source files in a fixed order.

        Yields:
            Pairs `(group, path)`. `group` is the sub-package (or, for a
            module that lies directly in the root, the module): the unit
            that the train/held-out split never divides.
        """
        for folder, children, files in os.walk(self.root):
            children[:] = sorted(
                child for child in children if child not in _SKIPPED_FOLDERS
            )
            for file in sorted(files):
                if (
                    file.endswith(".py")
                    and not file.startswith(_SKIPPED_PREFIXES)
                    and not file.endswith(_SKIPPED_SUFFIXES)
                ):
                    path = Path(folder, file)
                    group = path.relative_to(self.root).parts[0]
                    yield group.removesuffix(".py"), path


# Label, importable package (None: the standard library), and the folder
# inside it whose children are the sub-packages.
_CANDIDATES = (
    ("python", None, ""),
    ("numpy", "numpy", ""),
    ("keras", "keras", "src"),
    ("tensorflow", "tensorflow", "python"),
    ("huggingface_hub", "huggingface_hub", ""),
)


def find_projects() -> list[Project]:
    """Finds the projects that are installed beside this package.

    Nothing is imported: the packages are only located.

    Returns:
        A list of `Project`, in a fixed order.
    """
    projects = []
    for name, package, folder in _CANDIDATES:
        if package is None:
            root = Path(sysconfig.get_path("stdlib"))
        else:
            spec = importlib.util.find_spec(package)
            if spec is None or not spec.submodule_search_locations:
                continue
            root = Path(next(iter(spec.submodule_search_locations)))
        root = root / folder
        if root.is_dir():
            projects.append(Project(name, root))
    return projects
