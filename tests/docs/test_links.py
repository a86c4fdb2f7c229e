"""Links lead somewhere, on GitHub and in the site, and pages are found."""

import re

import pytest
from helpers.docs_pages import DOCS
from helpers.docs_pages import OTHERS
from helpers.docs_pages import README
from helpers.docs_pages import ROOT
from helpers.docs_pages import load_script
from helpers.docs_pages import read

import tf_longformer
import tf_longformer.explain
import tf_longformer.export
import tf_longformer.metrics
import tf_longformer.tasks

LINK = re.compile(r"\]\((?!\w+:)([^)\s#]*)(?:#([^)\s]+))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
hook = load_script("repository_pages")


def anchors(page):
    """Returns the anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", read(page))
    found = set()
    for heading in HEADING.findall(text):
        words = re.sub(r"[^\w\- ]", "", heading.lower())
        found.add(words.strip().replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", [README, *OTHERS, *DOCS])
def test_links_lead_to_files_and_headings(page):
    text = FENCE.sub("", read(page))
    for target, anchor in LINK.findall(text):
        path = (ROOT / page).parent / target if target else ROOT / page
        assert path.is_file(), f"{page}: {target}"
        path = path.resolve().relative_to(ROOT.resolve()).as_posix()
        if anchor:
            assert anchor in anchors(path), f"{page}: {target}#{anchor}"


@pytest.mark.parametrize("page", DOCS)
def test_every_page_is_in_the_navigation_and_is_led_to(page):
    name = page.removeprefix("docs/")
    navigation = read("mkdocs.yml").partition("\nnav:")[2]
    assert re.search(rf"[ :]{re.escape(name)}$", navigation, re.MULTILINE)
    others = {README, *DOCS} - {page}
    assert any(page in hook.linked_files(other) for other in others)


def test_the_site_writes_links_anew():
    text = (
        "[a](../benchmarks/README.md#x) [b](load.md) [c](https://d.e) [f](#g)\n"
        "```python\n[h](../i.md)\n```\n"
    )
    there = hook.map_links(text, str.upper)
    assert there == (
        "[a](../BENCHMARKS/README.MD#x) [b](LOAD.MD) [c](https://d.e) [f](#g)\n"
        "```python\n[h](../i.md)\n```\n"
    )
    assert "benchmarks/README.md" in hook.linked_files("docs/measured.md")


def test_the_reference_has_every_public_name():
    pages = [read(page) for page in DOCS if page.startswith("docs/reference/")]
    described = set(re.findall("^::: (.*)$", "\n".join(pages), re.MULTILINE))
    for module in (
        tf_longformer,
        tf_longformer.tasks,
        tf_longformer.explain,
        tf_longformer.metrics,
        tf_longformer.export,
    ):
        for name in module.__all__:
            public = getattr(module, name)
            path = f"{public.__module__}.{public.__qualname__}"
            assert path in described, f"{module.__name__}.{name}"
