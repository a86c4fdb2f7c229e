import os

import pytest

from tf_longformer.quickstart.output_folder import filled_output


def _fill(folder, text):
    (folder / "model").mkdir()
    (folder / "model" / "config.json").write_text(text)
    (folder / "report.json").write_text(text)


def _content(folder):
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_new_nested_folder(tmp_path):
    with filled_output(tmp_path / "a" / "b", False) as folder:
        _fill(folder, "1")
        assert not (tmp_path / "a" / "b").exists()
    assert _content(tmp_path) == {
        "a/b/model/config.json": "1",
        "a/b/report.json": "1",
    }


def test_own_folder_is_replaced(tmp_path):
    for text in "12":
        with filled_output(tmp_path / "out", False) as folder:
            _fill(folder, text)
    assert set(_content(tmp_path).values()) == {"2"}


def test_what_the_new_run_does_not_write_goes_away(tmp_path):
    output = tmp_path / "out"
    with filled_output(output, False) as folder:
        _fill(folder, "1")
        (folder / "savedmodel").mkdir()
    with filled_output(output, False) as folder:
        _fill(folder, "2")
    assert sorted(p.name for p in output.iterdir()) == ["model", "report.json"]


def test_foreign_folder_is_refused_and_untouched(tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.tex").write_text("mine")
    with pytest.raises(ValueError, match=r"thesis\.tex.*--overwrite"):
        with filled_output(output, False):
            raise AssertionError("must not begin")
    assert _content(tmp_path) == {"out/thesis.tex": "mine"}


def test_a_folder_named_model_does_not_make_it_ours(tmp_path):
    (tmp_path / "out" / "model").mkdir(parents=True)
    with pytest.raises(ValueError, match="'model'"):
        with filled_output(tmp_path / "out", False):
            raise AssertionError("must not begin")


def test_overwrite_leaves_other_files(tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "thesis.tex").write_text("mine")
    with filled_output(output, True) as folder:
        _fill(folder, "1")
    assert _content(output) == {
        "thesis.tex": "mine",
        "model/config.json": "1",
        "report.json": "1",
    }


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_failure_leaves_the_old_folder_and_no_rest(tmp_path, error):
    output = tmp_path / "out"
    with filled_output(output, False) as folder:
        _fill(folder, "1")
    before = _content(tmp_path)

    def fail():
        with filled_output(output, False) as folder:
            _fill(folder, "2")
            raise error

    with pytest.raises(error):
        fail()
    assert _content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_interrupted_renames_leave_the_old_folder(
    tmp_path, monkeypatch, number
):
    output = tmp_path / "out"
    with filled_output(output, False) as folder:
        _fill(folder, "1")
    before = _content(tmp_path)
    rename = os.rename
    calls = []

    def interrupted(source, target):
        calls.append(source)
        if len(calls) == number:
            raise KeyboardInterrupt
        return rename(source, target)

    monkeypatch.setattr(os, "rename", interrupted)

    def replace():
        with filled_output(output, False) as folder:
            _fill(folder, "2")

    with pytest.raises(KeyboardInterrupt):
        replace()
    assert _content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(ValueError, match="which is a file"):
        with filled_output(tmp_path / "out", True):
            raise AssertionError("must not begin")
