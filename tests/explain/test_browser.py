"""The page in a browser: it draws, by mouse and keyboard, and asks for nothing.

The browser is spoken to by `helpers.browser`.
"""

from __future__ import annotations

import pytest
from explain.conftest import HOSTILE
from helpers.browser import browser
from helpers.browser import find_chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        find_chromium() is None, reason="needs Chromium on the PATH"
    ),
]
CHOSEN = "document.querySelector('[role=option][aria-selected=true]')"


@pytest.fixture(scope="module")
def window():
    with browser(find_chromium()) as page:
        yield page


@pytest.fixture
def show(window, tmp_path):
    def open_page(explanation):
        path = tmp_path / "page.html"
        explanation.save(path)
        window.problems.clear()
        window.requests.clear()
        window.resize(1200, 800)
        window.open(path)
        assert window.problems == []
        return window

    return open_page


def focus(page, name):
    page.evaluate(f"document.getElementById('{name}').focus()")


def test_it_draws_what_was_found(show, explained):
    page = show(explained)
    text = page.evaluate("document.body.innerText")
    assert "label: gold" in text
    assert "Both ways name the same sentence first: “the dog § saw" in text
    assert "1 layer of 1 head" in text
    assert page.evaluate(
        "document.querySelectorAll('#effects tbody tr').length"
    )
    # Something is painted on the map.
    assert page.evaluate(
        "new Set(document.getElementById('map').getContext('2d')"
        ".getImageData(0, 0, 300, 300).data).size > 10"
    )
    # The file itself, and nothing else.
    assert len(page.requests) == 1
    assert page.requests[0].startswith("file://")


def test_keyboard(show, explained):
    page = show(explained)
    focus(page, "reader")
    before = page.evaluate(f"{CHOSEN}.id")
    page.press("ArrowRight", 3)
    after = page.evaluate(f"{CHOSEN}.id")
    assert int(after[6:]) == int(before[6:]) + 3
    assert page.evaluate(
        "document.activeElement.getAttribute('aria-activedescendant')"
    ) == (after)
    page.press("End")
    assert "</s>" in page.evaluate("document.getElementById('links').innerText")
    page.press("Home")
    assert "<s>" in page.evaluate("document.getElementById('links').innerText")
    # The map has a passage chosen, and moves by passages.
    focus(page, "map")
    page.press("ArrowDown", 2)
    value = "document.getElementById('map').getAttribute('aria-valuenow')"
    assert page.evaluate(value) == "3"
    # From all layers to the only head of the only layer.
    page.evaluate("document.querySelector('#heads [tabindex=\"0\"]').focus()")
    page.press("ArrowDown")
    page.press("ArrowRight")
    label = "document.activeElement.getAttribute('aria-label')"
    assert page.evaluate(label).startswith("layer 1, head 1: ")
    assert page.evaluate(
        "document.activeElement.getAttribute('aria-checked')"
    ) == ("true")
    assert "layer 1, head 1" in page.evaluate(
        "document.getElementById('links').innerText"
    )
    # Every place that takes the focus can be reached.
    page.evaluate("document.activeElement.blur()")
    places = set()
    for _ in range(40):
        page.press("Tab")
        places.add(page.evaluate("document.activeElement.id"))
    assert {"whole", "map", "reader"} <= places
    assert page.problems == []


def test_screen_readers(show, explained):
    page = show(explained)
    nodes = page.spoken()
    roles = {node["role"] for node in nodes}
    assert {"listbox", "option", "slider", "radiogroup", "table"} <= roles
    for node in nodes:
        if node["role"] in ("button", "radio", "slider", "listbox", "image"):
            assert node["name"], node
    headings = [n["name"] for n in nodes if n["role"] == "heading"]
    assert "Where tokens look" in headings
    assert "The words" in headings


def test_light_dark_and_narrow(show, explained):
    page = show(explained)
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.resize(1200, 800, dark=True)
    page.wait_for(f"{background} !== '{light}'")
    # The switch counts more than the system.
    page.evaluate("document.querySelector('#theme [value=light]').click()")
    page.wait_for(f"{background} === '{light}'")
    for width in (1200, 700, 340):
        page.resize(width, 800)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.problems == []


def test_hostile_text(show, invent):
    page = show(invent(HOSTILE * 3, title=HOSTILE))
    text = page.evaluate("document.body.innerText")
    # It is shown, and what would be invisible by its number.
    assert "<script>alert(1)</script>" in text
    assert "⟨U+202E⟩" in text
    assert "\u202e" not in text
    assert "␀" in text
    assert page.evaluate("document.scripts.length") == 2
    focus(page, "reader")
    page.press("ArrowRight", 60)
    page.press("PageDown", 5)
    assert page.problems == []
    assert len(page.requests) == 1
