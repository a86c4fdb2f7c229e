"""Makes links that leave docs/ work in the site; a hook of MkDocs.

On GitHub `[the page](../benchmarks/README.md)` leads to a file of the
repository. MkDocs knows only what lies in docs/. So every file that such a link
leads to becomes a file of the site, below `repository/`, with the files that
it leads to in turn; and each link is written anew to lead there.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCS = "docs/"
OTHERS = "repository/"
# Pages that the navigation names.
ALWAYS = ("CHANGELOG.md",)
_FENCE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(\]\()(?!\w+:|#|/)([^)\s#]+)")


def map_links(markdown: str, change: Callable[[str], str]) -> str:
    """Changes the targets of relative links that aren't in fenced code.

    Args:
        markdown: text of a page.
        change: from a link's target, without `#...`, to the new one.

    Returns:
        The text with the new targets.
    """
    parts = _FENCE.split(markdown)
    for number in range(0, len(parts), 2):
        parts[number] = _LINK.sub(
            lambda found: found[1] + change(found[2]), parts[number]
        )
    return "".join(parts)


def linked_files(path: str) -> list[str]:
    """Returns where the relative links of a page lead to, from the root.

    Args:
        path: of the page, from the root of the repository.
    """
    found = []

    def note(target: str) -> str:
        found.append(_join(path, target))
        return target

    map_links((ROOT / path).read_text("utf-8"), note)
    return found


def _join(page: str, target: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target))


def _in_site(path: str) -> str:
    """Returns a file's path in the site, from its path in the repository."""
    if path.startswith(DOCS):
        return path.removeprefix(DOCS)
    return OTHERS + path


def _in_repository(path: str) -> str:
    """Returns a file's path in the repository, from its path in the site."""
    if path.startswith(OTHERS):
        return path.removeprefix(OTHERS)
    return DOCS + path


def on_files(files: Any, config: Any) -> Any:
    """Adds what pages link to outside of docs/."""
    from mkdocs.structure.files import File
    from mkdocs.structure.files import InclusionLevel

    waiting = [_in_repository(page.src_uri) for page in files]
    waiting = [path for path in waiting if path.endswith(".md")]
    known = set(waiting)
    waiting += ALWAYS
    while waiting:
        path = waiting.pop()
        if not path.startswith(DOCS) and path not in known:
            known.add(path)
            if (ROOT / path).is_file():
                file = File.generated(
                    config, _in_site(path), abs_src_path=str(ROOT / path)
                )
                if path not in ALWAYS:
                    file.inclusion = InclusionLevel.NOT_IN_NAV
                files.append(file)
        if path.endswith(".md") and (ROOT / path).is_file():
            waiting += [
                target
                for target in linked_files(path)
                if not target.startswith(DOCS) and target not in known
            ]
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Writes the links of a page anew."""
    here = page.file.src_uri
    path = _in_repository(here)

    def change(target: str) -> str:
        there = _in_site(_join(path, target))
        return posixpath.relpath(there, posixpath.dirname(here) or ".")

    return map_links(markdown, change)
