"""Every Python block of README and docs runs, and prints what it says."""

import contextlib
import io
import re

import keras
import pytest
import tensorflow as tf
from helpers.docs_pages import DOCS
from helpers.docs_pages import README
from helpers.docs_pages import snippets

from tf_longformer import heads

PAGES = [
    page for page in (README, "savedmodels/README.md", *DOCS) if snippets(page)
]
# Two export what the README exports too; the last one's is a pattern among
# tests/patterns.
SLOW = (
    "savedmodels/README.md",
    "docs/export-and-serve.md",
    "docs/answer.md",
    "docs/from-kerashub.md",
)
PROMISE = re.compile(r"^print\(.*\)  # (.*)$", re.MULTILINE)


@pytest.fixture
def _eagerly():
    """Without traces: what takes half a minute then takes three seconds.

    Other tests are about graphs; these are about the text.
    """
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def _own_heads():
    """The heads that a page registers are gone after it."""
    before = set(heads.HEADS)
    yield
    for name in heads.HEADS.keys() - before:
        del heads.HEADS[name]


@pytest.mark.usefixtures("_eagerly", "_own_heads")
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.exp")
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page in SLOW else ())
        for page in PAGES
    ],
)
def test_a_page_runs_from_its_first_block_to_its_last(page, reader):
    names = {"__name__": "__main__"}
    for source in snippets(page):
        keras.utils.set_random_seed(0)
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(source, page, "exec"), names)
        for promised in PROMISE.findall(source):
            assert promised in printed.getvalue().splitlines(), source
