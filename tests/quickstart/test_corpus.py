import random
import re
from collections import Counter

import pytest

from tf_longformer.quickstart.corpus import MIN_TOKENS
from tf_longformer.quickstart.corpus import Project
from tf_longformer.quickstart.corpus import build_corpus
from tf_longformer.quickstart.corpus import count_tokens
from tf_longformer.quickstart.corpus import find_projects

# Looked for in the documents by another way than the code removes them:
# as parts of identifiers, split at underscores and at capitals.
NAMES = {"keras", "tensorflow", "tf", "numpy", "np", "python", "hf", "pip"}


@pytest.fixture(scope="module")
def corpus():
    return build_corpus(find_projects(), documents_per_project=24, seed=3)


def _write(folder, name, marker, num_lines=60):
    rng = random.Random(f"{folder.name}/{name}/{marker}")
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "\n".join(
            f"{marker}_{rng.randrange(10**9)} = {rng.randrange(10**9)}"
            for _ in range(num_lines)
        )
    )
    return path


def _toy_projects(tmp_path, num_projects=4, num_groups=6, num_files=3):
    projects = []
    for project in range(num_projects):
        root = tmp_path / f"project{project}"
        for group in range(num_groups):
            for file in range(num_files):
                _write(root, f"group{group}/file{file}.py", f"p{project}")
        projects.append(Project(f"project{project}", root))
    return projects


def test_this_machine_has_enough_projects(corpus):
    assert len(corpus.label_names) >= 4
    assert {"python", "numpy", "keras"} <= set(corpus.label_names)


def test_halves_are_balanced(corpus):
    for half in (corpus.train, corpus.held_out):
        counts = Counter(document.label for document in half)
        assert set(counts) == set(range(len(corpus.label_names)))
        assert len(set(counts.values())) == 1
    assert len(corpus.train) > len(corpus.held_out) > 0


def test_no_sub_package_stands_on_both_sides(corpus):
    train = {document.group for document in corpus.train}
    held_out = {document.group for document in corpus.held_out}
    assert not train & held_out
    for document in corpus.train + corpus.held_out:
        project = corpus.label_names[document.label]
        assert document.group.startswith(f"{project}/")


def test_documents_are_long(corpus):
    for document in corpus.train + corpus.held_out:
        assert count_tokens(document.text) >= MIN_TOKENS


def test_documents_do_not_name_a_project(corpus):
    for document in corpus.train + corpus.held_out:
        for name in ("tensorflow", "keras", "numpy", "huggingface", "python"):
            assert name not in document.text.lower()
        parts = _identifier_parts(document.text)
        assert not NAMES & parts, (document.group, NAMES & parts)


def _identifier_parts(text):
    words = re.findall(r"[A-Za-z]+", text)
    parts = set()
    for word in words:
        parts.update(
            part.lower()
            for part in re.findall(
                r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", word
            )
        )
    return parts


def test_documents_have_no_imports_and_no_licence(corpus):
    for document in corpus.train + corpus.held_out:
        lines = [line.strip() for line in document.text.split("\n")]
        # In a docstring, the word may begin a line of prose.
        head = lines[:3]
        assert not any(line.startswith(("import ", "from ")) for line in head)
        assert not any("licensed under" in line.lower() for line in head)
        assert not any("copyright" in line.lower() for line in head)


def test_the_seed_decides_everything(tmp_path):
    projects = _toy_projects(tmp_path)
    corpora = [
        build_corpus(projects, 12, seed=seed, min_tokens=10)
        for seed in (5, 5, 6)
    ]
    assert corpora[0] == corpora[1]
    assert corpora[0] != corpora[2]


def test_copies_under_two_labels_are_dropped(tmp_path):
    projects = _toy_projects(tmp_path)
    original = tmp_path / "project0/group0/file0.py"
    copy = tmp_path / "project1/group0/vendored.py"
    # Vendored with another beginning.
    copy.write_text("x = 1\n" + original.read_text())
    corpus = build_corpus(projects, 50, min_tokens=10)
    texts = [d.text for d in corpus.train + corpus.held_out]
    line = original.read_text().split("\n")[5]
    assert not any(line in text for text in texts)


def test_copies_on_both_sides_are_dropped(tmp_path):
    projects = _toy_projects(tmp_path)
    text = (tmp_path / "project0/group0/file0.py").read_text()
    for group in range(6):
        path = tmp_path / f"project0/group{group}/copied.py"
        path.write_text(f"y{group} = {group}\n" + text)
    corpus = build_corpus(projects, 50, min_tokens=10)
    line = text.split("\n")[5]
    assert not any(line in document.text for document in corpus.held_out)


def test_tests_and_vendored_code_are_not_documents(tmp_path):
    root = tmp_path / "project"
    kept = _write(root, "core/array.py", "a")
    for name in (
        "core/tests/array.py",
        "_vendor/other/core.py",
        "core/test_array.py",
        "core/array_test.py",
        "core/array_pb2.py",
        "core/array.txt",
    ):
        _write(root, name, "a")
    files = list(Project("project", root).source_files())
    assert files == [("core", kept)]


def test_too_few_projects(tmp_path):
    projects = _toy_projects(tmp_path, num_projects=3)
    with pytest.raises(ValueError, match="needs 4 projects.*pip install"):
        build_corpus(projects, 12, min_tokens=10)


def test_too_few_documents(tmp_path):
    with pytest.raises(ValueError, match="at least 8.*documents=7"):
        build_corpus(_toy_projects(tmp_path), 7)
