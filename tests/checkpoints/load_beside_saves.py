"""Loads a model while two other processes save it, in any format.

Usage: python load_beside_saves.py OLD NEW SCRATCH FORMAT SECONDS

OLD and NEW are checkpoints that differ in config, weights and tokenizer,
SCRATCH an empty folder. FORMAT is one of `FORMATS`. A folder is read in all
ways that there are: its weights, the checkpoint with its tokenizer, `info` and
`convert`. Prints how many reads were of the old one, of the new one, and how
many were refused as the files were replaced all the time.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path[:0] = [
    str(Path(__file__).parents[1]),
    str(Path(__file__).parents[1] / "helpers"),
]

from checkpoints import files  # noqa: E402

from tf_longformer import LongformerTokenizer  # noqa: E402
from tf_longformer import atomic  # noqa: E402
from tf_longformer.checkpoints.convert import convert  # noqa: E402
from tf_longformer.checkpoints.describe import describe  # noqa: E402
from tf_longformer.checkpoints.locate import locate  # noqa: E402
from tf_longformer.errors import CheckpointError  # noqa: E402

HEAD = "ForTokenClassification"
# Those that `convert` writes, and what Keras and an export write.
CONVERTED = ("safetensors", "shards", "h5", "weights.h5")
FORMATS = (*CONVERTED, "keras", "keras_weights", "saved_model")
# A read returns parts that are to be of one version.
Read = Callable[[Path], list[Any]]


def weights(folder: Path) -> tuple[int, dict[str, bytes]]:
    matching, arrays = files.load(folder, HEAD)
    return len(matching.found), {n: a.tobytes() for n, a in arrays.items()}


def vocabulary(folder: Path) -> tuple:
    tokenizer = LongformerTokenizer.from_pretrained(folder)
    return sorted(tokenizer.get_vocab()), sorted(tokenizer.get_added_vocab())


def of_a_checkpoint(folder: Path) -> list[Any]:
    from tf_longformer.loading import Checkpoint

    checkpoint = Checkpoint(str(folder))
    fields, _ = checkpoint._location.opened
    tokenizer = checkpoint.load_tokenizer()
    tokens = sorted(tokenizer.get_vocab()), sorted(tokenizer.get_added_vocab())
    return [len(fields["id2label"]), tokens]


def of_info(folder: Path) -> list[Any]:
    found = describe(locate(folder))
    return [len(found.config["id2label"]), found.nbytes, found.problems]


def of_a_copy(folder: Path) -> list[Any]:
    copy = folder.with_name(f"{folder.name}-copy")
    convert(locate(folder), copy)
    return [weights(copy), vocabulary(copy)]


def read_folder() -> dict[str, Read]:
    return {
        "weights": lambda folder: [weights(folder)],
        "tokenizer": lambda folder: [vocabulary(folder)],
        "checkpoint": of_a_checkpoint,
        "info": of_info,
        "convert": of_a_copy,
    }


def save_folder(source: Path, form: str, folder: Path) -> None:
    size = "2KB" if form == "shards" else "5GB"
    form = "safetensors" if form == "shards" else form
    convert(locate(source), folder, form, max_shard_size=size)


def keras_savers(sources: list[Path], path: Path) -> Iterator[Callable]:
    from tf_longformer import TFLongformerForTokenClassification as Model

    for source in sources:
        model = Model.from_pretrained(source)
        if path.suffix == ".keras":
            yield lambda model=model: model.save(path)
        else:
            yield lambda model=model: model.save_weights(path)


def export_savers(sources: list[Path], path: Path) -> Iterator[Callable]:
    from tf_longformer.export.target_folder import new_folder

    def save(prepared: Path) -> None:
        with new_folder(path / "1", overwrite=True) as folder:
            shutil.copytree(prepared, folder, dirs_exist_ok=True)

    for source in sources:
        yield lambda source=source: save(source)


def make_export(path: Path, number: float) -> Path:
    import tensorflow as tf

    module = tf.Module()
    module.value = tf.Variable(tf.fill([1000], number))
    run = tf.function(
        lambda x: {"sum": x + module.value[0], "last": x + module.value[-1]},
        input_signature=[tf.TensorSpec([None], tf.float32, name="x")],
    )
    tf.saved_model.save(module, str(path), {"serving_default": run})
    return path


def of_an_export(path: Path) -> list[Any]:
    import numpy as np

    from tf_longformer.batch.saved_model_predictor import SavedModelPredictor

    predictor = SavedModelPredictor(path)
    found = predictor._signature.run({"x": np.zeros(1, "float32")})
    return [found["sum"].item(), found["last"].item()]


def of_keras_weights(path: Path) -> list[Any]:
    from tf_longformer.checkpoints.files.hdf5_file import Hdf5File

    def read(find: Callable[[str], Path | None]) -> dict[str, bytes]:
        file = Hdf5File(find("x"))
        return {name: file.read(name).tobytes() for name in file.tensors}

    return [atomic.of_one_save(lambda _: path, read)]


def writers(form: str, sources: list[Path], path: Path) -> list[Callable]:
    """Returns the functions that save the versions."""
    if form in CONVERTED:
        return [lambda x=x: save_folder(x, form, path) for x in sources]
    make = export_savers if form == "saved_model" else keras_savers
    return list(make(sources, path))


def write_forever(form: str, sources: list[Path], path: Path) -> None:
    saves = writers(form, sources, path)
    while True:
        for save in saves:
            save()


def main(
    old: Path, new: Path, scratch: Path, form: str, seconds: float
) -> None:
    path = scratch / "saved"
    reads: dict[str, Read] = {"weights": lambda path: [weights(path)]}
    if form in CONVERTED:
        reads = read_folder()
    elif form == "keras":
        path = scratch / "saved.keras"
    elif form == "keras_weights":
        path = scratch / "saved.weights.h5"
        reads = {"weights": of_keras_weights}
    else:
        old, new = (
            make_export(scratch / name, number)
            for name, number in (("old", 1.0), ("new", 2.0))
        )
        reads = {"export": of_an_export}
    versions: dict[str, dict[str, Any]] = {name: {} for name in reads}
    for version, save in zip(
        ("old", "new"), writers(form, [old, new], path), strict=True
    ):
        save()
        for name, read in reads.items():
            versions[name][version] = read(path)
    command = [sys.executable, __file__, "--write", form]
    processes = [
        subprocess.Popen([*command, str(a), str(b), str(path)])
        for a, b in ((old, new), (new, old))
    ]
    results = {
        name: dict.fromkeys(("old", "new", "refused"), 0) for name in reads
    }
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            assert all(process.poll() is None for process in processes)
            for name, read in reads.items():
                try:
                    found = read(path)
                except (CheckpointError, atomic.Unsteady) as error:
                    if "of one save" not in str(error):
                        raise
                    results[name]["refused"] += 1
                    continue
                known = versions[name].items()
                (version,) = [v for v, model in known if model == found]
                results[name][version] += 1
    finally:
        for process in processes:
            process.send_signal(signal.SIGKILL)
            process.wait()
    print(json.dumps(results))


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        _, _, form, *paths = sys.argv
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        *sources, target = map(Path, paths)
        write_forever(form, sources, target)
    main(*map(Path, sys.argv[1:4]), sys.argv[4], float(sys.argv[5]))
