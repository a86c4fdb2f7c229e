"""A run of fine-tuning, from files of examples to a measured model."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import json
import math
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from typing import NamedTuple

import keras
import tensorflow as tf

from tf_longformer import atomic
from tf_longformer import folders
from tf_longformer.checkpoints import save
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.stated_tokens import find_separator
from tf_longformer.configuration import LongformerConfig
from tf_longformer.configuration.labels import label_names
from tf_longformer.data.batches import Batches
from tf_longformer.data.examples import MULTI_LABEL
from tf_longformer.data.examples import REGRESSION
from tf_longformer.data.examples import Example
from tf_longformer.data.examples import check_labels
from tf_longformer.data.examples import find_problem_type
from tf_longformer.data.examples import labels_of
from tf_longformer.data.examples import order_labels
from tf_longformer.data.examples import read_examples
from tf_longformer.data.features import Encoding
from tf_longformer.data.features import Features
from tf_longformer.data.features import default_stride
from tf_longformer.data.features import encode_examples
from tf_longformer.decoding import name_strategy
from tf_longformer.errors import shown
from tf_longformer.finetuning import callbacks
from tf_longformer.finetuning import training_state
from tf_longformer.finetuning.arguments import RESUMABLE
from tf_longformer.finetuning.arguments import Arguments
from tf_longformer.finetuning.datasets import dataset_of_steps
from tf_longformer.finetuning.learning_curve import draw_learning_curve
from tf_longformer.finetuning.measuring import LOSS
from tf_longformer.finetuning.measuring import Settings
from tf_longformer.finetuning.measuring import measure
from tf_longformer.finetuning.optimizers import make_optimizer
from tf_longformer.finetuning.workers import Workers
from tf_longformer.heads import HEADS
from tf_longformer.loading import tokenizer_of
from tf_longformer.models.transformers_methods import shares_projections
from tf_longformer.tokenization import LongformerTokenizerFast

METRICS = "metrics.json"
CURVE = "learning_curve.svg"
# Folders that TensorBoard's callback writes to.
_LOGS = ("logs", "logs/train", "logs/validation")
# Further arguments of AdamW, as PyTorch's and, of the last, RoBERTa's.
_ADAM = {"epsilon": 1e-8}
_ADAM_OF_ROBERTA = {"beta_2": 0.98, "epsilon": 1e-6}


class Task(NamedTuple):
    """A task of the command.

    Args:
        head: name of HF's class.
        metrics: names of metrics that are shown, of which the first decides
            which model is the best.
        adam: arguments of AdamW.
    """

    head: str
    metrics: tuple[str, ...]
    adam: dict[str, float] = _ADAM


TASKS = {
    "text-classification": Task(
        "LongformerForSequenceClassification", ("accuracy", "macro_f1")
    ),
    "token-classification": Task(
        "LongformerForTokenClassification",
        ("f1", "precision", "recall", "accuracy"),
    ),
    "question-answering": Task(
        "LongformerForQuestionAnswering",
        ("f1", "exact_match"),
    ),
    "multiple-choice": Task("LongformerForMultipleChoice", ("accuracy",)),
    "masked-lm": Task(
        "LongformerForMaskedLM",
        ("loss", "perplexity", "bits_per_character"),
        adam=_ADAM_OF_ROBERTA,
    ),
}
# Metrics of texts whose labels aren't one each.
_METRICS_OF_TEXTS = {
    MULTI_LABEL: ("micro_f1", "macro_f1", "subset_accuracy"),
    REGRESSION: ("mse", "mae", "pearson", "spearman"),
}


class Result(NamedTuple):
    """What a run has come to.

    Args:
        steps: int, batches that were trained on.
        best: dict of all metrics of the model that was kept, by their names;
            empty without examples to measure with.
        history: list of dicts, one for each measurement: `step`, `loss`,
            `learning_rate` and the shown metrics as `val_...`.
        is_chief: bool, whether this process wrote the output; of several
            workers one does. Defaults to `True`.
    """

    steps: int
    best: dict[str, float]
    history: list[dict[str, float]]
    is_chief: bool = True


def fine_tune(
    arguments: Arguments, say: Callable[[str], None] = print, verbose: int = 2
) -> Result:
    """Trains a model on a file of examples, and keeps the best one.

    The output folder then holds the model and its tokenizer, as
    `from_pretrained` and transformers open them, `metrics.json`,
    `learning_curve.svg`, and the state of training.

    With `strategy="multiworker"` it is called in several processes, each with
    its environment variable `TF_CONFIG`, before TensorFlow does anything else
    in them. One, the chief, writes and prints.

    Args:
        arguments: `Arguments`.
        say: function that prints a line. Defaults to `print`.
        verbose: int, as of `fit`. Defaults to `2`, a line for each pass.

    Returns:
        `Result`.

    Raises:
        BadExamples: for lines that are no examples, with file and line.
        CheckpointError: if the model, or the state of a run to go on with, is
            damaged.
        FileExistsError: if the output holds other files.
        ImportError: for logs without the package `tensorboard`.
        NonFiniteLoss: if the loss becomes infinite or not a number.
        OSError: if a file can't be read or written; the last model and state
            that were saved stay.
        ValueError: for arguments that don't fit one another, the model, or
            those of other workers; if another run writes to the output.
        WorkerLost: if another worker ends before the run does.
    """
    _check(arguments)
    workers = Workers(arguments.strategy)
    with workers.until_the_end():
        return _Run(arguments, say, workers).train(verbose)


def _check(given: Arguments) -> None:
    """Raises for arguments that don't fit one another."""
    if given.task not in TASKS:
        raise ValueError(
            f"A task must be one of {', '.join(TASKS)}. Received: "
            f"{shown(given.task)}."
        )
    if given.patience is not None and given.eval is None:
        raise ValueError(
            "--patience needs examples to measure with. Received: no "
            "--eval. Pass a file, or leave the option out."
        )
    backend = keras.backend.backend()
    if given.strategy is not None and backend != "tensorflow":
        raise ValueError(
            "--strategy is TensorFlow's. Received: --strategy "
            f"{given.strategy} with Keras's backend {backend}. Leave it out; "
            "on JAX call `keras.distribution.set_distribution` before `fit`."
        )
    if given.strategy is not None and given.xla:
        raise ValueError(
            "XLA doesn't compile steps of several replicas. Received: "
            "--xla with --strategy. Leave one of them out."
        )
    if given.strategy is not None and given.policy == "mixed_float16":
        raise ValueError(
            "Keras scales the loss by what one replica sees, so that an "
            "overflow on another one would become NaN in all weights. "
            "Received: --policy mixed_float16 with --strategy. Use "
            "mixed_bfloat16."
        )


class _Run:
    """A run, step by step: what each one finds is an attribute."""

    def __init__(
        self, arguments: Arguments, say: Callable[[str], None], workers: Workers
    ):
        self.given = arguments
        self.workers = workers
        self.say = say if workers.is_chief else lambda line: None
        self.task = TASKS[arguments.task]
        self.output = Path(arguments.output)
        self.state_file = self.output / training_state.FILE_NAME
        with workers.failing_together():
            base = self._read_all()
        # Before any weight is drawn.
        keras.utils.set_random_seed(arguments.seed)
        if arguments.deterministic:
            tf.config.experimental.enable_op_determinism()
        with workers.scope():
            self.model = self._load_model(base)
        self.encoding = self._encoding()
        self.train_batches = self._batches(self.train_examples, shuffle=True)
        self.eval_batches = (
            self._batches(self.eval_examples, shuffle=False)
            if self.eval_examples
            else None
        )
        self._plan()
        self.best: dict[str, float] = {}
        self.history: list[dict[str, float]] = []

    # Before any training: whatever can be wrong is found here.

    def _read_all(self) -> Location:
        """Reads what can be read before there is a model; returns the base."""
        given = self.given
        self.facts = self._find_state()
        self._check_output()
        self.train_examples = self._read(given.train, given.max_train_samples)
        self.eval_examples = (
            []
            if given.eval is None
            else self._read(given.eval, given.max_eval_samples)
        )
        base = self._open_base()
        self.labels: dict[str, Any] = self._find_labels()
        self.shown, self.metric = self._find_metrics()
        return base

    def _find_state(self) -> dict[str, Any] | None:
        """Returns the facts of a run to go on with, if there is one."""
        given, name = self.given, training_state.FILE_NAME
        if given.resume and folders.find_file(self.output, name):
            facts = training_state.read_facts(self.state_file)
            now, then = self._fingerprint(), facts["arguments"]
            differ = sorted(n for n in now if now[n] != then.get(n))
            if differ:
                raise ValueError(
                    "A run is resumed with the arguments and files that it "
                    "was begun with. Received: other "
                    f"{', '.join(differ)} than in {self.state_file}. Give the "
                    "same, or begin anew with --overwrite."
                )
            return facts
        # Others may come when the first has begun to write.
        if not self.workers.is_chief:
            return None
        if self.output.is_dir() and any(
            path.name != training_state.LOCK for path in self.output.iterdir()
        ):
            if not (given.overwrite or given.resume):
                raise FileExistsError(
                    "The output must be a new folder, or an empty one. "
                    f"Received: {self.output}. Go on with --resume, or begin "
                    "anew with --overwrite."
                )
        return None

    def _check_output(self) -> None:
        """Raises if what the run writes would land elsewhere, or not be read.

        Files are replaced under their names, so that links among them are
        never followed. TensorBoard's callback follows those of folders.
        """
        if not self.workers.is_chief:
            return
        save.check_target(self.output, "safetensors")
        if self.output.is_dir():
            # Again when training begins: until then the folder may be missing.
            with training_state.only_run(self.output):
                pass
        for name in _LOGS if self.given.tensorboard else ():
            path = self.output / name
            if not folders.is_own_folder_or_missing(path):
                raise ValueError(
                    "Logs must be written to folders in the output, and "
                    f"through no link. Received: {shown(str(path))}, which is "
                    "a link or no folder. Remove it, or leave out "
                    "--tensorboard."
                )
        # TensorFlow would say so after the first pass.
        if self.given.tensorboard and not importlib.util.find_spec(
            "tensorboard"
        ):
            raise ImportError(
                "--tensorboard needs the package `tensorboard`. Received: a "
                "Python without it. Install it, pip install tensorboard, or "
                "leave the option out."
            )

    def _fingerprint(self) -> dict[str, Any]:
        """Returns what decides about the course of a run, files included."""
        values = self.given.to_json()
        for name in RESUMABLE:
            # Which tokens are hidden goes by batches.
            if (name, values["task"]) != ("eval_batch_size", "masked-lm"):
                del values[name]
        for name in ("train", "eval"):
            if values[name] is not None:
                values[name] = _hash(Path(values[name]))
        return json.loads(json.dumps(values))

    def _read(self, path: Path | None, limit: int | None) -> list[Example]:
        return read_examples(
            Path(path or ""), self.given.task, self.given.columns, limit
        )

    def _find_labels(self) -> dict[str, Any]:
        """Returns the fields of the configuration that examples decide."""
        task = self.given.task
        if task not in ("text-classification", "token-classification"):
            return {}
        every = [*self.train_examples, *self.eval_examples]
        fields: dict[str, Any] = {}
        if task == "text-classification":
            kind = find_problem_type(every, self.given.problem_type)
            fields["problem_type"] = kind
            if kind == REGRESSION:
                return {**fields, "num_labels": 1}
        names = order_labels(
            [name for one in self.train_examples for name in labels_of(one)]
        )
        if set(names) <= set(self.known_labels):
            names = self.known_labels
        check_labels(self.eval_examples, names)
        if len(names) < 2 and fields.get("problem_type") != MULTI_LABEL:
            raise ValueError(
                "There must be two labels to tell apart. Received: "
                f"{', '.join(names)} alone in {self.given.train}. Add examples "
                "of others."
            )
        return {
            **fields,
            "id2label": dict(enumerate(names)),
            "label2id": {name: index for index, name in enumerate(names)},
        }

    def _find_metrics(self) -> tuple[tuple[str, ...], str]:
        """Returns what is shown, and what the best model is best at."""
        kind = self.labels.get("problem_type", "")
        names = _METRICS_OF_TEXTS.get(kind, self.task.metrics)
        metric = self.given.metric or names[0]
        shown = tuple(dict.fromkeys((LOSS, *names)))
        if metric not in shown:
            raise ValueError(
                f"--metric must be one of {', '.join(shown)}. Received: "
                f"{metric!r}."
            )
        return shown, metric

    def _open_base(self) -> Location:
        """Opens the model to begin with; loads its labels and tokenizer.

        Configuration, weights and tokenizer are of one save, or of one commit
        on the hub, whatever is saved or pushed meanwhile.
        """
        location = locate(self.given.model)

        def read(files: Location) -> tuple[Any, LongformerTokenizerFast]:
            if self.given.from_scratch:
                opened: Any = files.config_fields(), None
            else:
                opened = files.read()
            fields = opened[0]
            config = LongformerConfig.from_dict(fields, **self._sizes())
            if config.sep_token_id is None:
                fields["sep_token_id"] = find_separator(files)
            return opened, self._load_tokenizer(files)

        opened, self.tokenizer = location.of_one_save(read)
        names = opened[0].get("id2label")
        self.known_labels = (
            [str(name) for name in names.values()]
            if isinstance(names, dict)
            else []
        )
        return dataclasses.replace(location, opened=opened)

    def _load_tokenizer(self, files: Location) -> LongformerTokenizerFast:
        tokenizer = tokenizer_of(files)
        words = any("tokens" in one.fields for one in self.train_examples)
        if words and not tokenizer.add_prefix_space:
            # Words that are given one by one stand after a space each.
            with contextlib.suppress(TypeError):
                tokenizer = tokenizer_of(files, add_prefix_space=True)
        return tokenizer

    def _sizes(self) -> dict[str, Any]:
        """Returns the fields of the configuration that arguments decide."""
        return {
            name: getattr(self.given, name)
            for name in ("max_tokens", "attention_window")
            if getattr(self.given, name) is not None
        }

    def _load_model(self, base: Location) -> Any:
        given = self.given
        model_class = HEADS[self.task.head].model_class()
        overrides = self._sizes() | self.labels
        if given.from_scratch:
            fields, _ = base.read()
            config = LongformerConfig.from_dict(fields, **overrides)
            config.name_or_path = given.model
            model = model_class(config, dtype=given.policy)
        else:
            names = [*self.labels.get("id2label", {}).values()]
            model = model_class.from_pretrained(
                base,
                dtype=given.policy,
                # A head for other labels is drawn anew, which is logged.
                ignore_mismatched_sizes=names != self.known_labels,
                **overrides,
            )
        if len(self.tokenizer) > model.config.vocab_size:
            raise ValueError(
                "A tokenizer must have no more tokens than the model has "
                f"embeddings. Received: {len(self.tokenizer)} and "
                f"{model.config.vocab_size} in {given.model}. Call "
                "`model.resize_token_embeddings(len(tokenizer))` and save it."
            )
        if all("entities" in one.fields for one in self.train_examples):
            # All tokens of an entity were labelled, not words by their first.
            name_strategy(model.config, "simple")
        if given.checkpointing:
            model.gradient_checkpointing_enable()
        if given.freeze_embeddings:
            model.longformer.embeddings.trainable = False
        # Where no row has a global token, their projections follow those of
        # other tokens, unless they were others before.
        self.projections_are_shared = (
            given.task == "masked-lm"
            and given.global_attention in (None, "none")
            and (given.from_scratch or shares_projections(model))
        )
        if given.lora_rank is not None:
            model.enable_lora(given.lora_rank)
        return model

    def _encoding(self) -> Encoding:
        given, model = self.given, self.model
        limit = model.config.max_tokens
        if given.max_tokens is not None or limit < (
            self.tokenizer.model_max_length
        ):
            self.tokenizer.model_max_length = limit
        limit = min(limit, self.tokenizer.model_max_length)
        length = given.max_length or limit
        if length > limit:
            raise ValueError(
                f"--max-length must be at most {limit}, the limit of the model "
                f"and its tokenizer. Received: {length}. Give the model room: "
                f"--max-tokens {length}"
            )
        stride = given.doc_stride
        if stride is None:
            stride = default_stride(given.task, length)
        return Encoding(
            length,
            stride,
            given.global_attention,
            self.labels.get("label2id", {}),
            self.labels.get("problem_type"),
        )

    def _batches(self, examples: list[Example], shuffle: bool) -> Batches:
        given = self.given
        features = encode_examples(
            self.tokenizer, given.task, examples, self.encoding
        )
        self._say_lengths(examples, features)
        size = given.batch_size
        if not shuffle:
            size = given.eval_batch_size or size
        is_lm = given.task == "masked-lm"
        return Batches(
            features,
            self.tokenizer,
            size,
            max_length=self.encoding.max_length,
            shuffle=shuffle,
            # What is measured is hidden by a seed of its own.
            seed=given.seed if shuffle else given.seed + 1,
            accumulate=given.accumulate if shuffle else 1,
            mask_probability=given.mask_probability if is_lm else None,
        )

    def _say_lengths(self, examples: list[Example], features: Features) -> None:
        line = f"{examples[0].path}: {len(examples):,} examples"
        if features.long:
            line += (
                f", {features.long:,} longer than "
                f"{self.encoding.max_length:,} tokens, "
            )
            splits = self.encoding.doc_stride is not None
            if splits or self.given.task == "masked-lm":
                line += f"split: {len(features):,} rows in all"
            else:
                line += "cut off"
        elif len(features) != len(examples):
            line += f" in {len(features):,} rows"
        self.say(line)

    def _plan(self) -> None:
        """Counts batches, and compiles the model."""
        given = self.given
        of_pass = len(self.train_batches)
        if given.steps is not None:
            steps = given.steps
        else:
            steps = math.ceil(given.epochs * of_pass / given.accumulate)
        steps = max(steps, 1)
        self.last = steps * given.accumulate
        turn = (
            of_pass
            if given.eval_steps is None
            else given.eval_steps * given.accumulate
        )
        self.turn = min(turn, self.last)
        clip = given.clip_norm or None
        with self.workers.scope():
            self.model.compile(
                make_optimizer(
                    given.learning_rate,
                    steps,
                    warmup=given.warmup,
                    schedule=given.schedule,
                    weight_decay=given.weight_decay,
                    clip_norm=clip,
                    accumulate=given.accumulate,
                    **self.task.adam,
                ),
                jit_compile=given.xla,
            )

    # Training.

    def train(self, verbose: int) -> Result:
        """Trains from where the run stands to its end."""
        with contextlib.ExitStack() as stack:
            with self.workers.failing_together():
                if self.workers.is_chief:
                    stack.enter_context(self._alone())
            return self._train(verbose)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps other runs out of the output until this one ends.

        Raises:
            OSError: if the folder can't be made or written to.
            ValueError: if another run writes to it, or has done so since it
                was read.
        """
        self.output.mkdir(parents=True, exist_ok=True)
        with training_state.only_run(self.output):
            steps = [
                facts and facts["step"]
                for facts in (self.facts, self._find_state())
            ]
            if steps[0] != steps[1]:
                raise ValueError(
                    "A folder is written by one run at a time. Received: "
                    f"{self.output}, which another run has gone on with "
                    "meanwhile. Begin again."
                )
            yield

    def _train(self, verbose: int) -> Result:
        given = self.given
        keep = self._make_keep_best()
        done = 0
        if self.facts is not None:
            training_state.load_state(self.state_file, self.model)
            done = self.facts["step"]
            self.best, self.history = (
                self.facts["metrics"],
                self.facts["history"],
            )
            keep.best, keep.waited = self.facts["best"], self.facts["waited"]
            self.say(f"resumed at step {done // given.accumulate:,}")
        self._compare_workers(done)
        if self.workers.is_chief:
            if self.facts is None:
                # That of an older run, kept until nothing can be wrong any
                # more; a run that is resumed must not go on from it.
                self.state_file.unlink(missing_ok=True)
        steps = self.last // given.accumulate
        self.say(
            f"{steps:,} steps of {given.batch_size * given.accumulate} rows, "
            f"{self.model.num_parameters(only_trainable=True):,} weights to "
            "train"
        )
        if done < self.last and not keep.is_over:
            self._fit(keep, done, verbose)
        self._write_report()
        return Result(
            self.history[-1]["step"] if self.history else done,
            self.best,
            self.history,
            self.workers.is_chief,
        )

    def _compare_workers(self, done: int) -> None:
        """Raises if other workers would train on other rows or weights."""
        if self.workers.count == 1:
            return
        both = (self.train_batches, self.eval_batches)
        lengths = [x and x.features.lengths for x in both]
        weights = hashlib.sha256()
        for variable in self.model.variables:
            weights.update(keras.ops.convert_to_numpy(variable).tobytes())
        self.workers.require_same(
            {
                **self._fingerprint(),
                # Which may differ when a run is resumed, but not here.
                "eval_batch_size": self.given.eval_batch_size,
                # A folder may be elsewhere; its weights are compared.
                "model": None,
                "steps so far": done,
                "lengths of rows": hashlib.sha256(
                    json.dumps(lengths).encode()
                ).hexdigest(),
                "weights of the model": weights.hexdigest(),
            }
        )

    def _make_keep_best(self) -> callbacks.KeepBest:
        measured = self.eval_batches is not None
        return callbacks.KeepBest(
            self._save_best,
            f"val_{self.metric}" if measured else None,
            self.given.patience,
        )

    def _save_best(self) -> None:
        self.best = dict(self.measured.metrics) if self.measured else {}
        if self.projections_are_shared:
            self.model.copy_projections_to_global()
        if self.workers.is_chief:
            # In one step: a folder never has a model with the tokenizer of
            # another, also if the run began in a folder with an older one.
            with atomic.replacing_files(self.output):
                self.model.save_pretrained(self.output)
                self.tokenizer.save_pretrained(self.output)

    def _fit(self, keep: callbacks.KeepBest, done: int, verbose: int) -> None:
        """Has Keras train, in turns between two measurements."""
        given = self.given
        settings = Settings(given.max_answer_length, given.null_threshold)
        found: list[Any] = [callbacks.StopAtNonFiniteLoss()]
        self.measured = None
        if self.eval_batches is not None:
            self.measured = callbacks.Measure(
                lambda model: measure(
                    model,
                    given.task,
                    self.eval_batches,
                    self.eval_examples,
                    settings,
                ),
                self.shown,
            )
            found.append(self.measured)
        found += [
            keep,
            callbacks.StopAtStep(self.last, done),
            callbacks.SaveState(
                self.state_file if self.workers.is_chief else None,
                lambda epoch, logs: self._note(epoch, logs, keep),
            ),
        ]
        if given.tensorboard and self.workers.is_chief:
            logs = str(self.output / "logs")
            found.append(keras.callbacks.TensorBoard(logs, write_graph=False))
        self.model.fit(
            dataset_of_steps(self.train_batches, done, self.last),
            initial_epoch=done // self.turn,
            epochs=-(-self.last // self.turn),
            steps_per_epoch=self.turn,
            # The batches are in their order already.
            shuffle=False,
            callbacks=found,
            verbose=verbose if self.workers.is_chief else 0,
        )

    def _note(
        self, epoch: int, logs: dict[str, float], keep: callbacks.KeepBest
    ) -> dict[str, Any]:
        """Returns what the state holds beside values, after a turn."""
        batches = min((epoch + 1) * self.turn, self.last)
        steps = batches // self.given.accumulate
        rate = float(self.model.optimizer.learning_rate)
        entry = {"step": steps, **logs, "learning_rate": rate}
        self.history.append(
            {name: float(value) for name, value in entry.items()}
        )
        self.history[-1]["step"] = steps
        self._write_report()
        return {
            "step": batches,
            "best": keep.best,
            "waited": keep.waited,
            "metrics": self.best,
            "history": self.history,
            "arguments": self._fingerprint(),
        }

    def _write_report(self) -> None:
        if not self.workers.is_chief:
            return
        report = {
            "task": self.given.task,
            "best": self.best,
            "history": self.history,
            "labels": label_names(self.model.config) if self.labels else None,
            "arguments": self.given.to_json(),
        }
        texts = {
            METRICS: f"{json.dumps(report, indent=2)}\n",
            CURVE: draw_learning_curve(self.history),
        }
        for name, text in texts.items():
            path = self.output / name
            # There is one writer: killed ones leave a single draft.
            atomic.write_text(path, text, draft=f"{path}.tmp")


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while piece := file.read(1 << 20):
            digest.update(piece)
        return digest.hexdigest()
