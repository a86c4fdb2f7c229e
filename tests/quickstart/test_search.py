import numpy as np
import pytest

from tf_longformer.quickstart import search as search_module
from tf_longformer.quickstart.search import read_documents
from tf_longformer.quickstart.search import search

WORDS = " ".join(["word"] * 300)


def _write(folder, name, source):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source)


def test_documents_are_docstrings_of_what_is_public(tmp_path):
    _write(
        tmp_path,
        "long.py",
        f'"""About it.\n\n{WORDS}"""\n'
        "x = 'no docstring'\n"
        'class A:\n    """A class."""\n'
        '    async def f(self):\n        """A method."""\n'
        'def _g():\n    """Private."""\n'
        "def h(): pass\n",
    )
    documents = read_documents(tmp_path)
    assert list(documents) == ["long"]
    assert documents["long"] == (
        f"long: About it.\n\n{WORDS}\n\nA: A class.\n\nf: A method."
    )


def test_other_files_are_no_documents(tmp_path):
    docstring = f'"""{WORDS}"""'
    _write(tmp_path, "package/__init__.py", docstring)
    _write(tmp_path, "package/module.py", docstring)
    for name in (
        "short.py",
        "_private.py",
        "_private/module.py",
        "test/module.py",
        "package/__main__.py",
        "long.txt",
    ):
        _write(
            tmp_path, name, '"""Few words."""' if "short" in name else docstring
        )
    _write(tmp_path, "broken.py", f"{docstring}\nx =")
    assert list(read_documents(tmp_path)) == ["package", "package.module"]


def test_long_documents_end_with_a_paragraph(tmp_path):
    paragraphs = [f"{number} {WORDS}" for number in range(9)]
    text = "\n\n".join(paragraphs)
    _write(tmp_path, "long.py", f'"""{text}"""')
    found = read_documents(tmp_path)["long"]
    assert len(found) <= 8000
    assert f"long: {text}".startswith(f"{found}\n\n")


def test_this_machine_has_long_documents():
    documents = read_documents()
    assert len(documents) >= 50
    assert {"argparse", "random", "smtplib", "tarfile"} <= set(documents)
    assert all(300 <= len(text.split()) for text in documents.values())


@pytest.fixture
def counted_letters(monkeypatch):
    """A vector is how often a, b and c stand in a text."""

    def embed(model, tokenizer, texts, spans=None, scale=1.0):
        def vector(text):
            counts = np.array([text.count(letter) for letter in "abc"], "float")
            return scale * counts / np.linalg.norm(counts)

        if spans is None:
            return np.stack([vector(text) for text in texts])
        assert spans == "paragraphs"
        found, start = [], 0
        for part in texts.split("\n\n"):
            span = {"start": start, "end": start + len(part)}
            found.append({**span, "embedding": vector(part)})
            start += len(part) + 2
        return found

    monkeypatch.setattr(search_module, "embed", embed)


def test_the_nearest_document_and_paragraph_are_found(counted_letters):
    documents = {
        "one": "aab",
        "two": "ac\n\naacc\n\ncccc",
        "three": "b",
        "4": "c",
    }
    first, second = search(None, None, documents, ["b", "c"], scale=1.0)
    assert first.names[0] == "three"
    assert first.passage == "b"
    assert first.cosines == sorted(first.cosines, reverse=True)
    assert len(first.names) == len(first.cosines) == 3
    assert second.names[:2] == ["4", "two"]


def test_a_passage_is_of_the_best_document(counted_letters):
    documents = {"one": "aab", "two": "aa\n\nacc\n\naaac"}
    (found,) = search(None, None, documents, ["acc"])
    assert found.names == ["two", "one"]
    assert found.passage == "acc"
