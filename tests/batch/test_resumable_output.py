"""What `tf-longformer predict` does to files, and two runs to each other."""

from __future__ import annotations

import json
import multiprocessing
import os
import sys

import pytest
from helpers.other_run import hold_output
from helpers.tiny import make_model
from helpers.toy_saved_model import save_toy
from helpers.toy_saved_model import sums

from tf_longformer.batch import prediction
from tf_longformer.batch.prediction import predict_file
from tf_longformer.batch.resumable_output import ResumableOutput
from tf_longformer.batch.saved_model_predictor import SavedModelPredictor

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")
ROWS = [[3, 4], [5]]


@pytest.fixture(scope="module")
def predictor(toy):
    return SavedModelPredictor(toy, "serving_default")


def write(path, rows=ROWS):
    lines = [json.dumps({"input_ids": row}) + "\n" for row in rows]
    path.write_text("".join(lines), "utf-8")
    return path


def read(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


EXPECTED = [{"logits": sums(row)} for row in ROWS]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "name", ["out", "out.partial", "out.partial.json", "out.partial.json.new"]
)
def test_the_input_is_never_written(predictor, tmp_path, name, overwrite):
    source = write(tmp_path / name)
    before = source.read_bytes()
    with pytest.raises(ValueError, match="a file of their own"):
        predict_file(predictor, source, tmp_path / "out", overwrite=overwrite)
    assert source.read_bytes() == before
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("name", ["out.partial", "out.partial.json"])
def test_files_of_other_programs_stay(predictor, tmp_path, name):
    source, other = write(tmp_path / "in"), tmp_path / name
    other.write_text("another program's")
    with pytest.raises(ValueError, match=r"journal.*\(--overwrite\)"):
        predict_file(predictor, source, tmp_path / "out")
    assert other.read_text() == "another program's"
    assert sorted(tmp_path.iterdir()) == [source, other]
    predict_file(predictor, source, tmp_path / "out", overwrite=True)
    assert read(tmp_path / "out") == EXPECTED
    assert sorted(tmp_path.iterdir()) == [source, tmp_path / "out"]


def test_nothing_is_left_of_nothing(predictor, tmp_path):
    source = write(tmp_path / "in", [[99]])
    with pytest.raises(ValueError, match="line 1"):
        predict_file(predictor, source, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [source]


def test_a_run_that_was_killed_before_its_first_piece(predictor, tmp_path):
    source, target = write(tmp_path / "in"), tmp_path / "out"
    killed = ResumableOutput(target, source, {"of": "other options"}, False)
    killed._file.write(b"half a pie")
    killed._file.close()
    assert predict_file(predictor, source, target) == 2
    assert read(target) == EXPECTED


@posix
def test_what_is_no_regular_file_stays(predictor, tmp_path):
    source, pipe = write(tmp_path / "in"), tmp_path / "pipe"
    os.mkfifo(pipe)
    # One that lies where the results are to lie, too.
    os.mkfifo(tmp_path / "out.partial")
    for target in (pipe, os.devnull, tmp_path, tmp_path / "out"):
        rule = "a regular file. Received|a file of its own. Received"
        with pytest.raises(ValueError, match=rule):
            predict_file(predictor, source, target, overwrite=True)
    assert pipe.is_fifo()


@posix
@pytest.mark.parametrize("exists", [False, True])
def test_a_link_leads_to_the_output(predictor, tmp_path, exists):
    source = write(tmp_path / "in")
    (tmp_path / "there").mkdir()
    real, link = tmp_path / "there/real", tmp_path / "link"
    link.symlink_to("there/real")
    if exists:
        real.write_text("old")
        with pytest.raises(FileExistsError):
            predict_file(predictor, source, link)
    predict_file(predictor, source, link, overwrite=exists)
    assert link.is_symlink()
    assert read(real) == EXPECTED


@posix
@pytest.mark.parametrize("overwrite", [False, True])
def test_two_runs_at_once(predictor, tmp_path, overwrite):
    source, target = write(tmp_path / "in"), tmp_path / "out"
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    other = context.Process(
        target=hold_output, args=(target, source, held, done)
    )
    other.start()
    assert held.wait(60)
    try:
        with pytest.raises(ValueError, match="another one is writing"):
            predict_file(predictor, source, target, overwrite=overwrite)
        assert (tmp_path / "out.partial").read_bytes() == source.read_bytes()
    finally:
        done.set()
        other.join()
    # The lock has gone with its process.
    assert predict_file(predictor, source, target, overwrite=True) == 2
    assert read(target) == EXPECTED


@posix
def test_a_run_that_ends_while_another_begins(tmp_path, monkeypatch):
    """The file that was opened is the finished one when it is locked."""
    import fcntl

    source, target = write(tmp_path / "in"), tmp_path / "out"
    partial = tmp_path / "out.partial"
    lock = fcntl.flock

    def finish_and_lock(*arguments):
        partial.write_text("all\n")
        os.replace(partial, target)
        lock(*arguments)

    monkeypatch.setattr(fcntl, "flock", finish_and_lock)
    with pytest.raises(ValueError, match="another one is writing"):
        ResumableOutput(target, source, {}, False)
    assert target.read_text() == "all\n"


class Killed(BaseException):
    """Ends a run at once."""


def interrupt(predictor, source, target):
    """Predicts until the second piece."""
    run, calls = predictor.run, []

    def dying(rows):
        calls.append(rows)
        if len(calls) > 1:
            raise Killed
        return run(rows)

    predictor.run = dying
    with pytest.raises(Killed):
        predict_file(predictor, source, target)
    predictor.run = run


@pytest.mark.parametrize("form", ["checkpoint", "exported"])
def test_output_in_the_folder_of_the_model(tmp_path, monkeypatch, form):
    """It changes the folder, and not the model; nor does a slash."""
    from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor

    monkeypatch.setattr(prediction, "PIECE_ROWS", 1)
    folder = tmp_path / "model/1"

    def load(path):
        if form == "checkpoint":
            return CheckpointPredictor(path)
        return SavedModelPredictor(path, "serving_default")

    if form == "checkpoint":
        make_model("ForSequenceClassification").save_pretrained(folder)
        changed = folder / "config.json"
    else:
        changed = save_toy(folder) / "saved_model.pb"
    source, target = write(folder / "in.txt"), folder / "out.json"
    interrupt(load(str(folder)), source, target)
    assert (folder / "out.json.partial").stat().st_size
    again = load(f"{folder}/")
    assert predict_file(again, source, target) == 2
    interrupt(again, source, tmp_path / "out")
    os.utime(changed, (0, 0))
    changed_model = load(str(folder))
    with pytest.raises(ValueError, match="the model has changed"):
        predict_file(changed_model, source, tmp_path / "out")
