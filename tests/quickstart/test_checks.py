import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tf_longformer.quickstart import checks
from tf_longformer.quickstart.checks import require_equal
from tf_longformer.quickstart.checks import run_with_tensorflow_only


def test_equal_logits_give_their_relative_difference():
    expected = np.array([[1.0, -4.0]])
    assert require_equal("It", expected.copy(), expected) == 0.0
    assert require_equal("It", expected + 2e-4, expected) == pytest.approx(5e-5)


@pytest.mark.parametrize(
    "found",
    [
        np.array([[1.0, -4.001]]),
        np.array([[1.0, np.nan]]),
        np.array([[1.0, -4.0, 0.0]]),
    ],
)
def test_other_logits_are_an_error(found):
    with pytest.raises(RuntimeError, match="^It (differs|gives)"):
        require_equal("It", found, np.array([[1.0, -4.0]]))


def test_a_folder_that_does_not_run_is_an_error(tmp_path):
    inputs = {"input_ids": np.zeros((1, 4), "int32")}
    with pytest.raises(RuntimeError, match="TensorFlow alone.*does not exist"):
        run_with_tensorflow_only(tmp_path / "nothing", inputs)


@pytest.mark.parametrize("package", ["keras", "tf_longformer"])
def test_the_script_really_blocks(package):
    script = Path(checks.__file__).with_name("tensorflow_only.py")
    finished = subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlib.util, sys\n"
            "spec = importlib.util.spec_from_file_location("
            f"'script', {str(script)!r})\n"
            "script = importlib.util.module_from_spec(spec)\n"
            "spec.loader.exec_module(script)\n"
            "sys.meta_path.insert(0, script._Blocker())\n"
            f"import {package}\n",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 1
    assert "may not be imported here" in finished.stderr
