"""Model and runs of the tests of `tf-longformer predict`."""

import pytest
from helpers.toy_saved_model import save_toy

from tf_longformer.cli.app import main


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    return save_toy(tmp_path_factory.mktemp("models") / "toy/1").parent


@pytest.fixture
def run(capsys):
    """Returns the exit code and what was printed, on both streams."""

    def run(*arguments):
        with pytest.raises(SystemExit) as error:
            main(["predict", *(str(argument) for argument in arguments)])
        captured = capsys.readouterr()
        return error.value.code, captured.out, captured.err

    return run
