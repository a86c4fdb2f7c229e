import os
import subprocess
import sys

import pytest

import tf_longformer
from tf_longformer.cli import app as app_module
from tf_longformer.cli.app import main


def _run(capsys, *arguments):
    with pytest.raises(SystemExit) as error:
        main(arguments)
    captured = capsys.readouterr()
    return error.value.code, captured.out, captured.err


def test_no_arguments_show_the_help(capsys):
    code, out, err = _run(capsys)
    assert code == 2
    assert "quickstart" in out + err
    assert "error" not in err


@pytest.mark.parametrize("command", [[], ["quickstart"]])
def test_help_has_an_example(capsys, command):
    code, out, err = _run(capsys, *command, "--help")
    assert code == 0
    assert "Example: tf-longformer quickstart" in out
    assert err == ""


def test_version(capsys):
    expected = f"tf-longformer {tf_longformer.__version__}\n"
    assert _run(capsys, "--version") == (0, expected, "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "nonsense"),
        (["quickstart", "--nonsense"], "--nonsense"),
        (["quickstart", "--seed", "x"], "--seed"),
        (["quickstart", "--steps", "0"], "--steps"),
        (["quickstart", "--documents", "7"], "--documents"),
        (["quickstart", "--max-length", "128"], "--max-length"),
    ],
)
def test_bad_input_gives_code_2_and_one_line(capsys, arguments, message):
    code, out, err = _run(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("error: ")
    assert message in err


def _fails_with(monkeypatch, error):
    def run(*arguments, **options):
        raise error

    monkeypatch.setattr(app_module, "app", run)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            ValueError("Rule.\n  Received: [x]."),
            2,
            "error: Rule. Received: [x].",
        ),
        (
            FileNotFoundError(2, "No such file or directory", "a/b"),
            2,
            "error: No such file or directory: a/b",
        ),
        (FileExistsError("There already."), 2, "error: There already."),
        (
            RuntimeError("broken"),
            1,
            "error: RuntimeError: broken (run again with --debug to see where)",
        ),
    ],
)
def test_errors_of_a_command(capsys, monkeypatch, error, code, line):
    _fails_with(monkeypatch, error)
    assert _run(capsys, "quickstart") == (code, "", f"{line}\n")


@pytest.mark.parametrize(
    "arguments", [["--debug", "quickstart"], ["quickstart", "--debug"]]
)
def test_debug_shows_the_traceback(capsys, monkeypatch, arguments):
    _fails_with(monkeypatch, ValueError("Rule."))
    code, _, err = _run(capsys, *arguments)
    assert code == 2
    assert "Traceback" in err
    assert err.endswith("error: Rule.\n")


def test_interruption(capsys, monkeypatch):
    _fails_with(monkeypatch, KeyboardInterrupt())
    code, _, err = _run(capsys, "quickstart")
    assert code == 130
    assert err == "\nInterrupted.\n"


def test_foreign_output_folder_is_refused_before_the_work(capsys, tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    code, out, err = _run(capsys, "quickstart", "--output", str(tmp_path))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert "thesis.tex" in err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def _python(script, **environment):
    """Runs a script as a user would, whatever the tests have set."""
    inherited = dict(os.environ)
    for name in ("TF_CPP_MIN_LOG_LEVEL", "KERAS_BACKEND"):
        inherited.pop(name, None)
    return subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**inherited, **environment},
        check=False,
    )


def test_help_needs_no_backend():
    finished = _python(
        "import sys\n"
        "from tf_longformer.cli.app import main\n"
        "try:\n"
        "    main(['quickstart', '--help'])\n"
        "except SystemExit:\n"
        "    loaded = {'keras', 'tensorflow', 'numpy'} & set(sys.modules)\n"
        "    sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    assert finished.returncode == 0, finished.stderr


def test_without_tensorflow_the_error_names_the_extra():
    finished = _python(
        "import sys\n"
        "sys.modules['tensorflow'] = None\n"
        "from tf_longformer.cli.app import main\n"
        "main(['quickstart'])\n"
    )
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "pip install 'tf-longformer[cpu]'" in finished.stderr


def test_another_backend_is_refused(tmp_path):
    pytest.importorskip("jax", reason="needs a second Keras backend")
    finished = _python(
        "from tf_longformer.cli.app import main\n"
        f"main(['quickstart', '--output', {str(tmp_path / 'out')!r}])\n",
        KERAS_BACKEND="jax",
    )
    assert finished.returncode == 2
    assert finished.stderr.count("\n") == 1
    assert "KERAS_BACKEND=tensorflow" in finished.stderr
    assert list(tmp_path.iterdir()) == []


def _stderr_of(script):
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, env=_environment()
    )
    return done.returncode, done.stderr.decode()


def _environment():
    return {n: v for n, v in os.environ.items() if n != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.mark.skipif(sys.platform == "win32", reason="has no such signals")
def test_start_up_hides_no_error():
    """Not one that ends the process, nor what Python says."""
    code, err = _stderr_of(
        """
import os, sys
from tf_longformer.cli.console import _without_start_up_messages
with _without_start_up_messages():
    for line in (
        "WARNING: All log messages before absl::InitializeLog() is called",
        "I0000 00:00:1795920328.415530    8907 port.cc:153] oneDNN is on.",
        "2026-01-01 00:00:00.000000: I tensorflow/x.cc:1] This TensorFlow",
        "To enable the following instructions: AVX2, in other operations,",
        "E0000 00:00:1.2 7 cuda_fft.cc:4] Unable to register cuFFT factory: x",
        "E0000 00:00:1.2 7 cuda_driver.cc:4] failed call to cuInit: broken",
    ):
        os.write(2, f"{line}\\n".encode())
    print("of Python", file=sys.stderr)
    os.write(2, b"F0000 the library was compiled for another CPU\\n")
    os.abort()
"""
    )
    assert code == -6
    first, *rest = err.splitlines()
    assert "failed call to cuInit: broken" in first
    assert rest == [
        "of Python",
        "F0000 the library was compiled for another CPU",
    ]


def test_start_up_says_nothing():
    script = """
from tf_longformer.cli.console import import_backend
import_backend()
import tensorflow as tf
tf.transpose(tf.zeros([2, 2], "int64"))
"""
    assert _stderr_of(script) == (0, "")
