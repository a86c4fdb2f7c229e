import subprocess
import sys

import numpy as np
import pytest

from tf_longformer.quickstart import tensorflow_only


def test_a_folder_that_does_not_run_is_an_error(tmp_path):
    inputs = {"input_ids": np.zeros((1, 4), "int32")}
    with pytest.raises(RuntimeError, match="TensorFlow alone.*does not exist"):
        tensorflow_only.run_with_tensorflow_only(tmp_path / "nothing", inputs)


@pytest.mark.parametrize("package", ["keras", "tf_longformer"])
def test_the_script_really_blocks(package):
    finished = subprocess.run(
        [
            sys.executable,
            "-c",
            "import importlib.util, sys\n"
            "spec = importlib.util.spec_from_file_location("
            f"'script', {tensorflow_only.__file__!r})\n"
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
