"""The site can be built, and has a page for each page."""

import importlib.util
import os
import re
import subprocess
import sys

import pytest
from helpers.docs_pages import DOCS
from helpers.docs_pages import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not importlib.util.find_spec("mkdocs")
        or not importlib.util.find_spec("mkdocstrings"),
        reason="needs the extra named docs",
    ),
]


def test_the_site_is_built_without_a_warning(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", tmp_path],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr, done.stderr
    pages = {
        page.removeprefix("docs/").replace(".md", ".html") for page in DOCS
    }
    there = {
        path.relative_to(tmp_path).as_posix()
        for path in tmp_path.rglob("*.html")
    }
    assert pages < there
    assert "repository/benchmarks/index.html" in there
    assert not list(tmp_path.rglob("*.py")) or all(
        "repository" in path.parts for path in tmp_path.rglob("*.py")
    )
    models = (tmp_path / "reference/models.html").read_text("utf-8")
    assert "TFLongformerForMaskedLM" in models
    # Layers' and models' calls have their arguments as a list.
    assert re.search(r"Call arguments.{0,200}<ul>", models, re.DOTALL)
    # Nothing is fetched from elsewhere.
    index = (tmp_path / "index.html").read_text("utf-8")
    assert not re.search(r'(?:src|stylesheet" href)="https?:', index)
