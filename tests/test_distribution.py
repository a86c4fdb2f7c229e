"""What is released: the files in it, and that it works where it is installed.

Wheel and sdist are built in an environment of their own, from the files that
git knows, and the wheel is installed into an empty one outside of the checkout.
Of its dependencies those of this environment are used: the README's commands
install them anew in CI.
"""

import os
import shutil
import subprocess
import sysconfig
import tarfile
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import tf_longformer

ROOT = Path(__file__).parents[1]
VERSION = tf_longformer.__version__
NAME = f"tf_longformer-{VERSION}"
SMOKE = """
import sys
from pathlib import Path

import numpy as np

import tf_longformer
from tf_longformer import LongformerConfig, LongformerTokenizerFast

assert "keras" not in sys.modules
from tf_longformer import TFLongformerForMaskedLM

where = Path(tf_longformer.__file__)
assert where.is_relative_to(sys.prefix), where
model = TFLongformerForMaskedLM(
    LongformerConfig(
        vocab_size=20,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        attention_window=4,
        max_position_embeddings=32,
    )
)
logits = model(np.full((1, 10), 5)).logits
assert logits.shape == (1, 10, 20) and np.isfinite(logits).all()
model.save_pretrained("saved")
again = TFLongformerForMaskedLM.from_pretrained("saved")
assert np.array_equal(again(np.full((1, 10), 5)).logits, logits)
print("smoke:", tf_longformer.__version__)
"""

pytestmark = pytest.mark.slow


def run(*command, **options):
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        **options,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def make_environment(folder):
    venv.create(folder, with_pip=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.fixture(scope="module")
def tracked():
    """Paths of the files that git knows, new ones too."""
    if not (ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("needs git and its repository")
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    names = run(*command, cwd=ROOT).splitlines()
    return [name for name in names if (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def built(tracked, tmp_path_factory):
    """The folder with wheel and sdist."""
    folder = tmp_path_factory.mktemp("built")
    source = folder / "source"
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, source / name)
    python = make_environment(folder / "builder")
    command = [python, "-m", "pip", "install", "-q", "build", "setuptools>=77"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs a package index: {done.stderr[-300:]}")
    # The sdist, and the wheel of what is in it.
    run(
        *(python, "-m", "build", "--no-isolation", "--outdir"),
        *(folder / "dist", source),
    )
    return folder / "dist"


def test_the_wheel_has_the_package_and_nothing_else(built, tracked):
    with zipfile.ZipFile(built / f"{NAME}-py3-none-any.whl") as wheel:
        names = set(wheel.namelist())
        metadata = message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))
    package = {name for name in tracked if name.startswith("tf_longformer/")}
    about = {
        f"{NAME}.dist-info/{name}"
        for name in (
            "METADATA",
            "RECORD",
            "WHEEL",
            "entry_points.txt",
            "licenses/LICENSE",
            "licenses/NOTICE",
            "top_level.txt",
        )
    }
    assert names == package | about
    for name in ("config.json", "model.safetensors", "2_Dense/config.json"):
        assert f"tf_longformer/presets/mini/{name}" in names
    assert metadata["Version"] == VERSION
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_payload().startswith("# tf_longformer")


def test_the_sdist_has_what_makes_the_wheel_and_nothing_else(built, tracked):
    with tarfile.open(built / f"{NAME}.tar.gz") as archive:
        names = {
            member.name.removeprefix(f"{NAME}/")
            for member in archive
            if member.isfile()
        }
    names = {
        name for name in names if not name.startswith("tf_longformer.egg-info/")
    }
    package = {name for name in tracked if name.startswith("tf_longformer/")}
    assert names == package | {
        "CHANGELOG.md",
        "CITATION.cff",
        "LICENSE",
        "MANIFEST.in",
        "NOTICE",
        "PKG-INFO",
        "README.md",
        "SECURITY.md",
        "pyproject.toml",
        "setup.cfg",
    }


def test_the_wheel_works_where_it_is_installed(built, tmp_path):
    python = make_environment(tmp_path / "empty")
    run(
        *(python, "-m", "pip", "install", "-q", "--no-deps"),
        built / f"{NAME}-py3-none-any.whl",
    )
    # After its own packages, those of this environment.
    packages = run(
        python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"
    ).strip()
    Path(packages, "dependencies.pth").write_text(
        sysconfig.get_path("purelib"), "utf-8"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH"
    }
    given = {"cwd": elsewhere, "env": environment}
    assert run(python, "-c", SMOKE, **given).endswith(f"smoke: {VERSION}\n")
    command = python.with_name("tf-longformer")
    assert run(command, "--version", **given).split()[-1] == VERSION
    told = run(command, "--help", **given)
    for name in ("quickstart", "finetune", "export", "serve"):
        assert name in told
    told = run(command, "info", "saved", **given)
    assert "LongformerForMaskedLM" in told
    # It comes with the package, and is found from anywhere.
    told = run(command, "info", "mini", **given)
    assert "mini (model.safetensors)" in told
    # A file that is no module.
    found = run(
        *(python, "-c"),
        "import tf_longformer.export as e; from pathlib import Path; "
        "print((Path(e.__file__).parent / 'aot_runtime.cc').exists())",
        **given,
    )
    assert found == "True\n"
