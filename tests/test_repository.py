"""What README, CI and metadata promise each other."""

import configparser
import os
import re
import subprocess
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import tf_longformer

ROOT = Path(__file__).parents[1]
CI = (ROOT / ".ci/run").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PLATFORMS = {
    ("linux", "x86_64"): "tensorflow-cpu",
    ("linux", "aarch64"): "tensorflow",
    ("darwin", "arm64"): "tensorflow",
    ("darwin", "x86_64"): "tensorflow",
    ("win32", "AMD64"): "tensorflow-cpu",
}


def bash(*arguments):
    return subprocess.run(
        ["bash", *arguments],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.fixture(scope="module")
def options():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def shell_blocks():
    found = BLOCK.findall(README)
    return [text for language, text in found if language != "python"]


def test_readme_begins_with_two_commands():
    quickstart, tests = shell_blocks()
    beginning = re.fullmatch(
        r"# tf_longformer\n\n[^\n#`]+(?:\n[^\n#`]+)*\n\n"
        r"```bash\n(.+)\n```\n\n```bash\n(.+)\n```",
        README[: README.index("```\n\nBoth") + 3],
    )
    assert (quickstart, tests) == (f"{beginning[1]}\n", f"{beginning[2]}\n")
    assert quickstart.startswith("python3 -m venv .venv && ")
    assert quickstart.endswith("/tf-longformer quickstart\n")
    assert tests.startswith("python3 -m venv .venv && ")
    assert tests.endswith("/pytest\n")


def test_ci_runs_the_second_command():
    (command,) = re.findall(r"bash [-a-z ]+ -c \"\$\((.*)\)\"", CI)
    assert bash("-c", command) == shell_blocks()[1]


@pytest.mark.parametrize("script", ["run", "corners"])
def test_ci_scripts_can_be_run(script):
    path = ROOT / ".ci" / script
    assert os.access(path, os.X_OK)
    assert path.read_text("utf-8").startswith("#!/usr/bin/env bash\n")
    bash("-n", str(path))


def test_ci_runs_what_contributing_names():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    hooks = (ROOT / ".pre-commit-config.yaml").read_text("utf-8")
    for tool in ("pre-commit", "pyright", "pytest", "ruff"):
        assert tool in text
        assert tool in CI + hooks
    workflow = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    for script in (".ci/run", ".ci/corners"):
        assert script in text
        assert f"run: {script}\n" in workflow


def test_actions_are_pinned():
    for path in (ROOT / ".github/workflows").iterdir():
        for action in re.findall(r"uses: (.*)", path.read_text("utf-8")):
            assert re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v[\d.]+", action)


def test_every_oracle_has_an_environment():
    named = set()
    for path in (ROOT / "tests").rglob("*.py"):
        source = path.read_text("utf-8")
        named |= set(re.findall(r"TF_LONGFORMER_ORACLE_(?:\d|[A-Z]+)", source))
    assert named
    for variable in named:
        assert f"{variable}=" in CI
    for name in re.findall(r"tests/oracles/requirements\S*\.txt", CI):
        lines = (ROOT / name).read_text("utf-8").splitlines()
        pins = [line for line in lines if not line.startswith("#")]
        assert pins
        assert all("==" in pin for pin in pins)


def test_the_next_release_has_its_notes():
    notes = (ROOT / "CHANGELOG.md").read_text("utf-8")
    first = re.search(r"^## (.*)$", notes, re.MULTILINE)[1]
    assert first.startswith(f"[{tf_longformer.__version__}] - ")


def test_the_citation_is_of_this_version():
    text = (ROOT / "CITATION.cff").read_text("utf-8")
    fields = dict(re.findall(r"^([\w-]+): (.+)$", text, re.MULTILINE))
    assert fields["cff-version"] == "1.2.0"
    assert fields["title"] == "tf_longformer"
    assert fields["version"] == tf_longformer.__version__
    assert "arXiv:2004.05150" in text


def test_metadata_has_one_home(options):
    assert "[project" not in (ROOT / "pyproject.toml").read_text("utf-8")
    assert options["metadata"]["version"] == "attr: tf_longformer.__version__"


def test_oracles_are_no_dependencies(options):
    lines = options["options"]["install_requires"]
    for extra in options["options.extras_require"].values():
        lines += f"\n{extra}"
    names = {
        Requirement(line).name.lower()
        for line in lines.splitlines()
        if line.strip()
    }
    assert not names & {"torch", "transformers"}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_cpu_extra_brings_one_tensorflow(options, platform):
    system, machine = platform
    where = {"sys_platform": system, "platform_machine": machine}
    lines = options["options.extras_require"]["cpu"].strip().splitlines()
    found = [Requirement(line) for line in lines]
    names = [one.name for one in found if one.marker.evaluate(where)]
    assert names == [PLATFORMS[platform]]


def test_each_promise_of_the_security_page_has_its_test():
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    sources = {p.name: p for p in (ROOT / "tests").rglob("*.py")}
    tests = "".join(p.read_text("utf-8") for p in sources.values())
    named = re.findall(
        r"`((?:tests/)?[\w/]*\btest_\w+(?:\.py)?|tests/\w+)`", text
    )
    assert len(named) > 15
    for name in named:
        path = name.rpartition("/")[2]
        if name.startswith("tests/"):
            assert (ROOT / name).exists(), name
        elif name.endswith(".py"):
            assert path in sources, name
        else:
            assert f"def {name}(" in tests, name
    assert "(SECURITY.md)" in README
