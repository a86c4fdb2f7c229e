"""The pages of the documentation, and the links of each."""

import importlib.util
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
README = "README.md"
DOCS = sorted(
    path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/**/*.md")
)
OTHERS = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "savedmodels/README.md",
)


def load_script(name):
    """Returns a module of docs/scripts, which is no package."""
    path = ROOT / f"docs/scripts/{name}.py"
    spec = importlib.util.spec_from_file_location(f"docs_{name}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def read(page):
    return (ROOT / page).read_text("utf-8")


def snippets(page):
    return [
        source
        for language, source in BLOCK.findall(read(page))
        if language == "python"
    ]
