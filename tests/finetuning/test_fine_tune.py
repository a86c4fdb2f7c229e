"""Runs from files of examples to measured models."""

import dataclasses
import json
import resource
import signal

import numpy as np
import pytest
from finetuning import killed_runs
from helpers import checks
from helpers import processes
from helpers import small_tasks
from safetensors.numpy import load_file
from tensorflow.python.framework import config

import tf_longformer
from tf_longformer import make_optimizer
from tf_longformer import tasks
from tf_longformer.data.batches import Batches
from tf_longformer.data.examples import labels_of
from tf_longformer.data.examples import order_labels
from tf_longformer.data.examples import read_examples
from tf_longformer.data.features import Encoding
from tf_longformer.data.features import encode_examples
from tf_longformer.errors import BadExamples
from tf_longformer.finetuning import callbacks
from tf_longformer.finetuning.datasets import dataset_of_passes
from tf_longformer.finetuning.fine_tune import TASKS
from tf_longformer.finetuning.fine_tune import fine_tune
from tf_longformer.finetuning.measuring import measure
from tf_longformer.finetuning.training_state import FILE_NAME
from tf_longformer.heads import HEADS
from tf_longformer.loading import Checkpoint
from tf_longformer.models.transformers_methods import shares_projections
from tf_longformer.training.fit import build_optimizer

pytestmark = pytest.mark.filterwarnings(
    # It says so of `tf.data`, where eager steps are asked for.
    "ignore:Even though the `tf.config:UserWarning"
)

# What guessing gets, and by how much more a model must get.
BASELINES = {
    # One label of two.
    "text-classification": ("accuracy", 0.5, 0.3),
    # No entity at all.
    "token-classification": ("f1", 0.0, 0.8),
    # Any word of the context.
    "question-answering": ("exact_match", 10.0, 60.0),
    # One choice of three.
    "multiple-choice": ("accuracy", 1 / 3, 0.5),
    # Each of the words as likely as any other.
    "masked-lm": ("loss", np.log(len(small_tasks.WORDS)), -0.3),
}


def run(given, **changes):
    lines = []
    given = dataclasses.replace(given, **changes)
    return fine_tune(given, lines.append, verbose=0), lines


@pytest.mark.slow
@pytest.mark.parametrize("task", small_tasks.TASKS)
def test_better_than_guessing(source, tmp_path, task):
    """Three seeds of one model, which is traced once."""
    tokenizer = tf_longformer.LongformerTokenizerFast.from_pretrained(
        source, add_prefix_space=True
    )
    path = tmp_path / "rows.jsonl"
    found = {}
    for seed in (0, 1, 2, 1000):
        count = 64 if seed == 1000 else 400
        small_tasks.write(path, task, count, seed)
        found[seed] = read_examples(path, task)
    names = order_labels([n for one in found[0] for n in labels_of(one)])
    label2id = {name: index for index, name in enumerate(names)}
    fields = {"label2id": label2id} if "classification" in task else {}
    model_class = HEADS[TASKS[task].head].model_class()
    model = model_class.from_pretrained(source, **fields)
    batches = {
        seed: Batches(
            encode_examples(
                tokenizer, task, examples, Encoding(64, label2id=label2id)
            ),
            tokenizer,
            16,
            max_length=64,
            seed=seed,
            shuffle=seed != 1000,
            mask_probability=0.15 if task == "masked-lm" else None,
        )
        for seed, examples in found.items()
    }
    steps = 3 * len(batches[0])
    model.compile(make_optimizer(5e-3, steps))
    build_optimizer(model)
    variables = [*model.variables, *model.optimizer.variables]
    start = [np.array(variable.value) for variable in variables]
    name, guessed, margin = BASELINES[task]
    for seed in (0, 1, 2):
        for variable, value in zip(variables, start, strict=True):
            variable.assign(value)
        for generator in (v for v in variables if "seed" in v.path):
            generator.assign([seed, 1])
        passes = dataset_of_passes(batches[seed])
        model.fit(passes, epochs=3, shuffle=False, verbose=0)
        result = measure(model, task, batches[1000], found[1000])
        if margin > 0:
            assert result[name] > guessed + margin, (seed, result)
        else:
            assert result[name] < guessed + margin, (seed, result)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_the_output_is_a_model(arguments):
    given = arguments("token-classification", epochs=1, eval_steps=2)
    result, lines = run(given)
    assert lines[0] == f"{given.train}: 96 examples"
    report = json.loads((given.output / "metrics.json").read_text("utf-8"))
    assert report["best"] == result.best
    assert [entry["step"] for entry in report["history"]] == [2, 4, 6]
    assert report["labels"] == ["O", "B-LOC", "B-PER"]
    picture = (given.output / "learning_curve.svg").read_text("utf-8")
    assert "val_loss" in picture
    assert ">f1</text>" in picture
    checkpoint = Checkpoint(str(given.output))
    model, tokenizer = checkpoint.load_model(), checkpoint.load_tokenizer()
    assert model.config.id2label == {0: "O", 1: "B-LOC", 2: "B-PER"}
    assert isinstance(tasks.tag(model, tokenizer, "Anna in Rome"), list)


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_kinds_of_texts(arguments, tmp_path):
    for kind, labels in (
        ("multi_label_classification", [["a"], ["a", "b"], []]),
        ("regression", [0.5, 1.5, -2]),
    ):
        rows = [{"text": f"sea {n}", "label": x} for n, x in enumerate(labels)]
        path = tmp_path / "kinds.jsonl"
        path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
        given = arguments(
            "text-classification",
            train=path,
            eval=path,
            steps=1,
            output=tmp_path / kind,
            lora_rank=2,
            freeze_embeddings=True,
            checkpointing=True,
        )
        result, _ = run(given)
        assert result.best.keys() >= {
            "loss",
            "mse" if labels[0] == 0.5 else "micro_f1",
        }
        config = tf_longformer.LongformerConfig.from_pretrained(given.output)
        assert config.problem_type == kind


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("kind", ["new", "copies", "lora", "own"])
def test_projections_of_global_tokens(arguments, source, tmp_path, kind):
    """They follow those of other tokens, unless they are others."""
    load = tf_longformer.TFLongformerForMaskedLM.from_pretrained
    model = load(source)
    assert not shares_projections(model)
    if kind in ("copies", "lora"):
        model.copy_projections_to_global()
        tokenizer = tf_longformer.LongformerTokenizerFast.from_pretrained(
            source
        )
        source = tmp_path / "source"
        model.save_pretrained(source)
        tokenizer.save_pretrained(source)
    given = arguments(
        "masked-lm",
        model=str(source),
        from_scratch=kind == "new",
        lora_rank=2 if kind == "lora" else None,
        steps=2,
    )
    run(given)
    trained = load(given.output)
    before, after = (
        x.longformer.encoder.blocks[0].attention for x in (model, trained)
    )
    assert not np.array_equal(before.query.kernel, after.query.kernel)
    assert shares_projections(trained) == (kind != "own")
    if kind == "own":
        checks.assert_equal(
            before.query_global.kernel, after.query_global.kernel, 0
        )


@pytest.mark.slow
def test_entities_of_texts(arguments, tmp_path):
    text = "the sea Anna and Rome "
    spans = [
        [start + len(text) * time, start + len(text) * time + 4, kind]
        for time in range(8)
        for start, kind in ((8, "PER"), (17, "LOC"))
    ]
    rows = [{"text": text * 8, "entities": spans}] * 16
    path = tmp_path / "entities.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    given = arguments(
        "token-classification",
        train=path,
        eval=path,
        epochs=12,
        max_length=32,
    )
    result, lines = run(given)
    assert "16 longer than 32 tokens, split" in lines[0]
    assert result.best["f1"] > 0.8


@pytest.fixture
def deterministic():
    """Takes it back for the process, as TensorFlow has no public way."""
    yield
    config.disable_op_determinism()


@pytest.mark.slow
@pytest.mark.usefixtures("deterministic")
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_broken_run_goes_on_bit_for_bit(arguments, monkeypatch, accumulate):
    given = arguments(
        "masked-lm",
        count=60,
        dev=16,
        batch_size=8 // accumulate,
        accumulate=accumulate,
        eval_steps=2,
        deterministic=True,
    )
    given = dataclasses.replace(given, epochs=2)
    whole, _ = run(given)
    other = given.output.with_name("other")
    count = callbacks.StopAtStep.on_train_batch_end

    def broken(self, batch, logs=None):
        count(self, batch, logs)
        if self.done == 5 * accumulate:
            raise KeyboardInterrupt

    monkeypatch.setattr(callbacks.StopAtStep, "on_train_batch_end", broken)
    with pytest.raises(KeyboardInterrupt):
        run(given, output=other)
    monkeypatch.undo()
    with pytest.raises(ValueError, match="other seed than in"):
        run(given, output=other, resume=True, seed=1)
    with pytest.raises(FileExistsError, match="--resume"):
        run(given, output=other)
    resumed, lines = run(given, output=other, resume=True)
    assert "resumed at step 4" in lines
    assert resumed == whole
    for name in (FILE_NAME, "model.safetensors"):
        one, two = (load_file(x / name) for x in (given.output, other))
        assert one.keys() == two.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], two[key])
    # What is over is only reported again.
    again, _ = run(given, output=other, resume=True)
    assert again == whole


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_a_loss_that_is_not_finite(arguments):
    given = arguments("masked-lm", count=32, dev=8, steps=4, eval_steps=1)

    def spoil(self, epoch, logs=None):
        if epoch == 1:
            embeddings = self.model.get_input_embeddings().embeddings
            embeddings.assign(np.full(embeddings.shape, np.nan))

    saved = {}

    def remember(self, epoch, logs=None):
        for path in given.output.glob("*.safetensors"):
            saved[path] = path.read_bytes()
        spoil(self, epoch)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.StopAtStep, "on_epoch_begin", remember)
        with pytest.raises(callbacks.NonFiniteLoss, match="learning rate"):
            run(given)
    assert len(saved) == 2
    for path, content in saved.items():
        assert path.read_bytes() == content


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize("file", ["model.safetensors", FILE_NAME])
def test_a_full_disk(arguments, file):
    given = arguments("masked-lm", count=32, dev=8, steps=3, eval_steps=1)
    whole, _ = run(given, output=given.output.with_name("whole"))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    saved = {}

    def fill(self, epoch, logs=None):
        if epoch == 1:
            for path in given.output.iterdir():
                saved[path] = path.read_bytes()
            # The state is larger than the model.
            size = (given.output / file).stat().st_size
            resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1000, hard))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(callbacks.StopAtStep, "on_epoch_begin", fill)
        try:
            with pytest.raises(OSError, match="too large") as error:
                run(given)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(error.value.filename).startswith(str(given.output))
    assert (given.output / FILE_NAME).read_bytes() == (
        saved[given.output / FILE_NAME]
    )
    assert not list(given.output.glob("*.tmp"))
    # The model that is there can be loaded, and the run goes on.
    assert Checkpoint(str(given.output)).load_model()
    resumed, _ = run(given, resume=True)
    assert resumed == whole


@pytest.mark.slow
def test_killed_runs(tmp_path):
    assert killed_runs.check(tmp_path, kills=2, seed=0) >= 0


@pytest.mark.slow
@pytest.mark.usefixtures("eagerly")
def test_patience(arguments):
    given = arguments(
        "text-classification", count=32, dev=8, epochs=50, patience=2
    )
    result, _ = run(given, learning_rate=1e-9)
    assert [entry["step"] for entry in result.history] == [2, 4, 6]


def test_what_is_wrong_is_said_before_training(arguments, tmp_path):
    given = arguments("text-classification")
    with open(given.eval, "a", encoding="utf-8") as file:
        file.write('{"text": "rain", "label": "weather"}\n')
    with pytest.raises(BadExamples, match=r"dev\.jsonl, line 33: A label"):
        run(given)
    with pytest.raises(ValueError, match="two labels to tell apart"):
        run(given, max_train_samples=1, eval=None)
    with pytest.raises(ValueError, match="--max-length must be at most 64"):
        run(given, max_length=100, eval=None)
    with pytest.raises(ValueError, match="--patience"):
        run(given, patience=1, eval=None)
    with pytest.raises(ValueError, match="--metric.*accuracy"):
        run(given, metric="f1", max_eval_samples=32)
    with pytest.raises(ValueError, match="Use mixed_bfloat16"):
        run(given, policy="mixed_float16", strategy="mirrored")
    (tmp_path / "output").mkdir(exist_ok=True)
    (tmp_path / "output/mine").touch()
    with pytest.raises(FileExistsError, match="new folder"):
        run(given)


@pytest.mark.slow
def test_replicas_and_workers_are_one(tmp_path):
    # Keras draws each replica's dropout apart.
    source = small_tasks.write_model(tmp_path / "source", dropout=0.0)
    script = "finetuning/replicas_run.py", source, tmp_path
    processes.run(*script)
    (status, first), (killed, second) = processes.run_workers(*script)
    assert status == 1
    assert killed == -signal.SIGKILL
    assert "WorkerLost: All 2 workers must stay until the end" in first
    for text in (first, second):
        # Each is told what went wrong with the other.
        assert "No such file or directory" in text
        assert "Received: other lengths of rows, train on worker 1" in text
    assert "on worker 1: FileNotFoundError" in first
    (status, first), (other, second) = processes.run_workers(*script)
    assert (status, other) == (0, 0), first + second
    assert "resumed at step 2" in first
    # One of them writes and prints.
    assert f"wrote {tmp_path / 'multiworker'}" in first.replace("\n", "")
    assert "wrote" not in second
    assert "Epoch" not in second
    assert_equal(tmp_path / "None", tmp_path / "mirrored")
    assert_equal(tmp_path / "None", tmp_path / "multiworker")


def assert_equal(one, other):
    """Two runs have the same weights, values of the optimizer, and metrics."""
    for name in (FILE_NAME, "model.safetensors"):
        ours, theirs = (load_file(x / name) for x in (one, other))
        assert ours.keys() == theirs.keys()
        for key in ours:
            np.testing.assert_allclose(ours[key], theirs[key], atol=1e-6)
    histories = [
        json.loads((folder / "metrics.json").read_text("utf-8"))["history"]
        for folder in (one, other)
    ]
    for ours, theirs in zip(*histories, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
