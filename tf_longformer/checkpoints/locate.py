"""Finds a checkpoint by the name that a user gives, and opens its files.

A checkpoint is a folder, a file of weights, a model that comes with the
package, a preset or a model on the hub. Each becomes a `Location`, which finds
the files of the checkpoint by their names: in the folder, beside the file, or
on the hub.

PEFT's adapters are found here too. A folder that has one and weights is an
adapted base, as in transformers. Where it has only the adapter, the base is
what `adapter_config.json` names. That file may be a stranger's, so that it
doesn't choose among the folders of this machine: it may name a model of the
hub, or, from a folder here, one that lies beside it or in it.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from functools import cache
from functools import partial
from pathlib import Path
from typing import Any
from typing import TypeVar

from tf_longformer import atomic
from tf_longformer import hub
from tf_longformer import presets
from tf_longformer.checkpoints.adapter_config import ADAPTER_CONFIG_NAME
from tf_longformer.checkpoints.adapters import ADAPTER_WEIGHTS_NAMES
from tf_longformer.checkpoints.adapters import AdaptedFile
from tf_longformer.checkpoints.adapters import Adapter
from tf_longformer.checkpoints.files import keras_archive
from tf_longformer.checkpoints.files import sharded_file
from tf_longformer.checkpoints.files.formats import FORMATS
from tf_longformer.checkpoints.files.formats import Format
from tf_longformer.checkpoints.files.formats import Reader
from tf_longformer.checkpoints.files.formats import reader_of
from tf_longformer.checkpoints.files.tensor_file import HeldFile
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.configuration import LongformerConfig
from tf_longformer.configuration.json_file import CONFIG_NAME
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import shown
from tf_longformer.json_files import read_json
from tf_longformer.tokenization.files import VOCABULARY_FILES

# How the names of all files of weights begin, and of no others.
_WEIGHTS_PREFIXES = tuple(form.file_name.partition(".")[0] for form in FORMATS)

Result = TypeVar("Result")
# The fields of a configuration, and a function that reads the headers of the
# weights, which are open, for a model of that configuration.
Opened = tuple[dict[str, Any], Callable[[LongformerConfig | None], TensorFile]]


@dataclasses.dataclass
class Location:
    """Where a checkpoint is.

    Attributes:
        where: str, what messages call the place.
        find: function from a file's name to its path, or to `None` if there
            is no such file.
        file: the file of weights that the user named; `None` where they are
            to be searched for.
        repository: the model on the hub; `None` for a folder here.
        adapter: `Adapter` that is applied to the weights; `None` without.
        tokenizer: where the tokenizer is if only an adapter is here: with it,
            or with its base. `None` for this place.
        opened: what `read` returns, where that is open already; else `None`.
        name: str, what the user calls the place.
    """

    where: str
    find: Callable[[str], Path | None]
    file: Path | None = None
    repository: hub.Repository | None = None
    adapter: Adapter | None = None
    tokenizer: Location | None = None
    opened: Opened | None = None
    name: str = ""

    def config_fields(self) -> dict[str, Any]:
        """Returns the fields of the configuration, as they are in the file.

        Raises:
            OSError: if there is none.
            ValueError: if it isn't a JSON object.
        """
        fields = self._config_fields()
        return self.adapter.adapt_config(fields) if self.adapter else fields

    def _config_fields(self) -> dict[str, Any]:
        path = self.find(CONFIG_NAME)
        if path is not None:
            return read_json(path, "A config")
        archive = self.find(self.file.name if self.file else "model.keras")
        if archive is not None and archive.suffix == ".keras":
            return keras_archive.read_config(archive)
        if self.repository is not None:
            raise self.repository.missing(CONFIG_NAME)
        raise FileNotFoundError(
            f"A model's folder must hold {CONFIG_NAME}. Received: "
            f"{self.where} without it. "
            + (
                self._advice_on_others()
                or "Pass the folder that a model was saved to, or put the "
                "file there."
            )
        )

    def read(self, needs_config: bool = True) -> Opened:
        """Opens the configuration and the weights, of one save.

        Args:
            needs_config: bool, whether a folder without a configuration is
                an error. Without, its fields are empty. Defaults to `True`.

        Returns:
            The configuration's fields, and a function that reads the headers
            of the file that was named, or of the first of `FORMATS`. Its
            argument is the `LongformerConfig` of the model that is loaded;
            `None` for the file as it is, without an adapter's changes.

        Raises:
            CheckpointError: if there are none, or they are damaged.
            OSError: if there is no configuration.
            ValueError: if it isn't a JSON object.
        """
        if self.opened is not None:
            return self.opened

        def read(files: Location) -> tuple[dict[str, Any], Any]:
            has_fields = needs_config or files.find(CONFIG_NAME)
            fields = files.config_fields() if has_fields else {}
            return fields, files._open()

        fields, opened = self.of_one_save(read)
        return fields, partial(self._read_headers, cache(opened))

    def _read_headers(
        self, opened: Callable[[], TensorFile], config: LongformerConfig | None
    ) -> TensorFile:
        file = opened()
        if self.adapter is None or config is None:
            return file
        return AdaptedFile(file, self.adapter, config)

    def of_one_save(self, read: Callable[[Location], Result]) -> Result:
        """Reads files of one save, also while others are being written.

        Args:
            read: function of a `Location`, this one. It is called again if a
                file that it found has been replaced meanwhile.

        Raises:
            CheckpointError: if files are replaced all the time.
        """
        if self.repository is not None:
            # The hub's files are those of one commit.
            return read(self)

        def read_files(note: Callable[[str], Path | None]) -> Result:
            if self.file is not None:
                note(self.file.name)
            return read(dataclasses.replace(self, find=note))

        try:
            return atomic.of_one_save(self.find, read_files)
        except atomic.Unsteady as error:
            raise CheckpointError(str(error)) from error

    def _open(self) -> Callable[[], TensorFile]:
        """Opens all files of the weights; returns what reads their headers."""
        if self.file is not None:
            return self._open_file(self.find(self.file.name))
        for form in FORMATS:
            path = self.find(form.file_name)
            if path is not None:
                return _held(form.reader, path)
            index = self.find(form.index_name) if form.sharded else None
            if index is not None:
                return self._open_shards(index, form)
        names = ", ".join(form.file_name for form in FORMATS)
        raise CheckpointError(
            f"A checkpoint must have one of {names}, or an index of shards. "
            f"Received: {self.where} without any of them. "
            + (
                self._advice_on_others()
                or "Pass the folder that a model was saved to."
            )
        )

    def _advice_on_others(self) -> str:
        """Returns what to do with a file of another program, if one is here."""
        folder = Path(self.where)
        if self.repository is not None or not folder.is_dir():
            return ""
        for path in sorted(folder.iterdir()):
            if advice := _ADVICE.get(path.suffix.lower()):
                return f"It has {path.name[:200]!r}. {advice}"
        return ""

    def _open_file(self, path: Path | None) -> Callable[[], TensorFile]:
        if path is None:
            raise CheckpointError(
                "A file of weights must be there. Received: "
                f"{self.file}, which the last save of its folder has replaced "
                "by others. Pass the folder."
            )
        for form in FORMATS:
            if form.sharded and path.name == form.index_name:
                return self._open_shards(path, form)
        reader = reader_of(path)
        if reader is None:
            advice = "Pass the file of the weights, or the folder it lies in."
            raise CheckpointError(
                "A checkpoint file's name must end in .safetensors, .bin, "
                f".pt, .pth, .ckpt, .h5 or .keras. Received: {path}. "
                f"{_ADVICE.get(path.suffix.lower(), advice)}"
            )
        return _held(reader, path)

    def _open_shards(
        self, path: Path, form: Format
    ) -> Callable[[], TensorFile]:
        index = sharded_file.read_index(path)
        shards = {}
        for name in index.files:
            shard = self.find(name)
            if shard is None:
                where = self.file.parent if self.file else self.where
                raise CheckpointError(
                    "A sharded checkpoint must have all files of its index. "
                    f"Received: {where} without {shown(name)}. Download or "
                    "save it again."
                )
            shards[name] = _held(form.reader, shard)
        return lambda: sharded_file.ShardedFile(
            index, {name: read() for name, read in shards.items()}
        )


def _held(reader: Reader, path: Path) -> Callable[[], TensorFile]:
    """Opens a file; returns what reads its header."""
    return partial(reader, path, HeldFile(path))


# What to do with files that other programs make, by their extensions.
_ADVICE = {
    ".msgpack": "Have transformers 4 save it as PyTorch's: "
    "`from_pretrained(folder, from_flax=True)`.",
    **dict.fromkeys(
        (".gguf", ".onnx", ".tflite", ".pb"),
        "Take the weights that it was made from.",
    ),
    **dict.fromkeys((".zip", ".gz", ".tgz", ".tar", ".xz"), "Unpack it."),
}


def locate(
    name: str | os.PathLike | Location,
    subfolder: str = "",
    **hub_options: Any,
) -> Location:
    """Finds a checkpoint, and the base of an adapter.

    Args:
        name: a folder or file that exists, a model that comes with the
            package, a preset, or an id of the hub, in this order. A
            `Location` is returned as it is.
        subfolder: str, folder within. Defaults to none.
        **hub_options: further arguments of `hub.Repository`; of the others
            they change nothing.

    Raises:
        CheckpointError: if an adapter is damaged or of a kind that can't be
            applied, or names a base that it may not choose.
        FileNotFoundError: if it is none of these.
    """
    if isinstance(name, Location):
        return name
    found = _find_place(name, subfolder, hub_options)
    found.name = os.fspath(name)
    if found.file is not None or not _has_adapter(found):
        return found
    adapter = _open_adapter(found)
    if found.repository is None and _has_weights(found):
        return dataclasses.replace(found, adapter=adapter)
    base = _find_base(found, adapter, hub_options)
    tokenizer = found if any(map(found.find, VOCABULARY_FILES)) else base

    def find(file: str) -> Path | None:
        if file == CONFIG_NAME:
            return found.find(file) or base.find(file)
        is_weights = file.startswith(_WEIGHTS_PREFIXES)
        return (base if is_weights else tokenizer).find(file)

    return Location(
        f"{found.where} on {base.where}",
        find,
        repository=base.repository,
        adapter=adapter,
        tokenizer=tokenizer,
        name=found.name,
    )


def locate_adapter(
    name: str | os.PathLike, subfolder: str = "", **hub_options: Any
) -> Adapter:
    """Finds an adapter, of whatever base; arguments as for `locate`."""
    return _open_adapter(_find_place(name, subfolder, hub_options))


def _open_adapter(found: Location) -> Adapter:
    return found.of_one_save(lambda files: Adapter(files.find, files.where))


def _find_place(
    name: str | os.PathLike, subfolder: str, hub_options: dict[str, Any]
) -> Location:
    # Messages show the name that was given.
    shown_as, path = Path(name), Path(presets.path_of(name))
    # `pathlib` raises errors for names that no file can have.
    if os.path.isfile(path) or _is_coming(path):
        if path.name in ADAPTER_WEIGHTS_NAMES:
            return _find_place(path.parent, "", hub_options)
        return Location(str(path), _file_finder(path.parent, path.name), path)
    if os.path.isdir(path):
        path, shown_as = path / subfolder, shown_as / subfolder
        if not path.is_dir():
            raise FileNotFoundError(
                "`subfolder` must be a folder in the model's. Received: "
                f"{shown(str(shown_as))}, which doesn't exist. Check the path."
            )
        return Location(str(shown_as), _file_finder(path))
    repository = hub.Repository(
        hub.repo_id(os.fspath(name)), subfolder=subfolder, **hub_options
    )
    return Location(repository.repo_id, repository.find, repository=repository)


def _is_coming(path: Path) -> bool:
    """Whether a save that was killed has a file of weights still to move."""
    is_weights = reader_of(path) is not None or any(
        path.name == form.index_name for form in FORMATS
    )
    return (
        is_weights
        and os.path.isdir(path.parent)
        and _file_finder(path.parent)(path.name) is not None
    )


def _has_adapter(found: Location) -> bool:
    if found.repository is None or found.find(CONFIG_NAME) is None:
        return found.find(ADAPTER_CONFIG_NAME) is not None
    try:
        return found.find(ADAPTER_CONFIG_NAME) is not None
    except OSError:
        # A model in the cache, from a time when nobody asked for an adapter,
        # and no connection.
        return False


def _has_weights(found: Location) -> bool:
    return any(
        found.find(name)
        for form in FORMATS
        for name in (form.file_name, form.index_name)
    )


def _find_base(
    found: Location, adapter: Adapter, hub_options: dict[str, Any]
) -> Location:
    """Finds the base that an adapter names, where it may name one."""
    base = adapter.base
    wanted = (
        "Load the base yourself, and then the adapter: "
        "model = TFLongformer….from_pretrained(BASE); "
        f"model.load_adapter({found.where!r})."
    )
    if base is None:
        raise CheckpointError(
            "An adapter without weights beside it must name its base. "
            f"Received: no `base_model_name_or_path` in {found.where}. "
            f"{wanted}"
        )
    path = Path(base)
    if path.exists() or path.is_absolute():
        home = Path(found.where).resolve().parent
        is_near = found.repository is None and path.resolve().is_relative_to(
            home
        )
        if not is_near or not path.is_dir():
            raise CheckpointError(
                "The base of an adapter must be a model of the hub, or a "
                "folder that lies beside the adapter's: its file, which may "
                "be a stranger's, chooses no other. Received: "
                f"{base[:200]!r} in {found.where}. {wanted}"
            )
        hub_options = {}
    else:
        revision = adapter.fields.get("revision")
        hub_options = {**hub_options, "revision": revision}
    try:
        place = _find_place(base, "", hub_options)
    except OSError as error:
        missing = isinstance(error, FileNotFoundError)
        raise (FileNotFoundError if missing else OSError)(
            f"The base of an adapter must be there. Received: {base[:200]!r} "
            f"in {found.where}, which can't be had: {error} {wanted}"
        ) from error
    if _has_adapter(place):
        raise CheckpointError(
            "The base of an adapter must be a model. Received: "
            f"{base[:200]!r} in {found.where}, which has an adapter too. Save "
            "it as a model, `from_pretrained(…).save_pretrained(…)`, and load "
            "the adapter onto that."
        )
    return place


def _file_finder(folder: Path, named: str = "") -> Callable[[str], Path | None]:
    """Returns the function that finds the files of a local folder.

    They may be links, as in the hub's cache and in folders that people link
    together: they are only read. The one that a person has `named` is found
    as the others are, in the last save, and may be a link to anything.
    """

    def find(name: str) -> Path | None:
        try:
            return atomic.find(folder, name, is_named=name == named)
        except ValueError as error:
            raise CheckpointError(str(error)) from error

    return find
