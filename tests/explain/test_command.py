"""`tf-longformer explain`."""

import pytest

from tf_longformer.cli.app import main

TEXT = "the dog § saw § the fox. A red fox near Oslo. Old Anna."


@pytest.fixture(scope="module")
def folder(known_model, tokenizer, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "known"
    known_model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as error:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return error.value.code, captured.out, captured.err

    return run


def test_help_has_an_example(run):
    code, out, err = run("explain", "--help")
    assert (code, err) == (0, "")
    assert "Example: tf-longformer explain report.txt" in out


@pytest.mark.parametrize(
    "as_file", [pytest.param(False, marks=pytest.mark.slow), True]
)
def test_command(run, folder, tmp_path, as_file):
    source, page = TEXT, tmp_path / "page.html"
    if as_file:
        source = tmp_path / "a document.txt"
        source.write_text(TEXT, "utf-8")
    code, out, err = run(
        *("explain", source, "--model", folder, "--html", page),
        *("--label", "gold", "--kilobytes", 120),
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("label: gold (")
    assert "the dog § saw § the fox." in lines[2]
    assert "the dog § saw § the fox." in lines[6]
    assert lines[-1].startswith(f"wrote {page} (")
    written = page.read_text("utf-8")
    assert len(written) < 120_000
    assert ("a document.txt" in written) is as_file


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.txt"], "named like a file"),
        ([TEXT, "--label", "tin"], "`label` must be a label"),
        ([TEXT, "--html", "{tmp}"], "is a folder"),
        ([TEXT, "--model", "{tmp}/none"], "none"),
        (["{tmp}/latin.txt"], "UTF-8"),
        ([TEXT, "--global-attention", "some"], "--global-attention"),
        ([TEXT, "--sentences", "0"], "--sentences"),
        ([TEXT, "--word", "fox"], "takes label. Received: word"),
    ],
)
def test_bad_input(run, folder, tmp_path, arguments, message):
    (tmp_path / "latin.txt").write_bytes(b"na\xefve")
    given = [x.replace("{tmp}", str(tmp_path)) for x in arguments]
    source, *rest = given
    options = {"--model": folder, "--html": tmp_path / "page.html"}
    options |= dict(zip(rest[::2], rest[1::2], strict=True))
    flat = [x for pair in options.items() for x in pair]
    code, out, err = run("explain", source, *flat)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in " ".join(err.split())
    assert not (tmp_path / "page.html").exists()
