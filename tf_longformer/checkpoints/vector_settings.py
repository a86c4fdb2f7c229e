"""How sentence-transformers makes vectors with a model: its folder's files.

Beside the model and its tokenizer such a folder has `modules.json`, which
lists what texts go through, and folders for some of these. They go with the
weights: whoever loads, converts or saves a model of such a folder keeps them.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tf_longformer import folders
from tf_longformer.atomic import Replacement
from tf_longformer.checkpoints.dense_modules import open_projection
from tf_longformer.checkpoints.dense_modules import write_projection
from tf_longformer.checkpoints.locate import Location
from tf_longformer.errors import cut
from tf_longformer.errors import listed
from tf_longformer.errors import shown
from tf_longformer.json_files import read_json
from tf_longformer.projections import Projection
from tf_longformer.projections import check_width

logger = logging.getLogger("tf_longformer")

_MODULES = "modules.json"
_PROMPTS = "config_sentence_transformers.json"
_POOLING = "1_Pooling"
# Each is in memory as long as the model.
_MOST_DENSE = 16
# What the first module reads; it is written by the first of these names.
_LENGTHS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "xlm-roberta")
)
# The keys of older versions, each true or false; version 6 has `pooling_mode`.
_OLD_POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


@dataclasses.dataclass(frozen=True)
class VectorSettings:
    """How vectors are made of what a model makes of tokens.

    Attributes:
        poolings: names as sentence-transformers has them; the vectors of
            several follow one another.
        normalize: bool, whether vectors get the length 1.
        max_length: int, `max_seq_length`, where texts are cut; `None` for
            the limit of model and tokenizer.
        do_lower_case: bool, whether texts are lowered before the tokenizer.
        include_prompt: bool, whether tokens of a prompt are pooled too.
        prompts: what `config_sentence_transformers.json` holds, such as
            `prompts` and `default_prompt_name`.
        projections: `Projection`s that pooled vectors go through, before
            they get the length 1.
    """

    poolings: tuple[str, ...]
    normalize: bool
    max_length: int | None = None
    do_lower_case: bool = False
    include_prompt: bool = True
    prompts: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    projections: tuple[Projection, ...] = ()

    @property
    def is_known(self) -> bool:
        """Whether `tf_longformer.tasks.embed` pools so."""
        return self.poolings in (("mean",), ("cls",))

    @property
    def default_prompt(self) -> str:
        """What stands before each text, unless a caller says otherwise."""
        prompts = self.prompts.get("prompts")
        name = self.prompts.get("default_prompt_name")
        found = prompts.get(name) if isinstance(prompts, Mapping) else None
        return found if isinstance(found, str) else ""


def read_vector_settings(location: Location) -> VectorSettings | None:
    """Reads a folder of sentence-transformers; `None` for any other one.

    Args:
        location: `Location`.

    Raises:
        ValueError: for other modules than `VectorSettings` has, or a damaged
            file.
    """
    find, where = location.find, location.where
    path = find(_MODULES)
    if path is None:
        return None
    kinds, folders_of = _read_modules(path)
    normalize = kinds[-1:] == ["Normalize"]
    dense = kinds[2 : len(kinds) - normalize]
    if kinds[:2] != ["Transformer", "Pooling"] or {*dense} - {"Dense"}:
        raise ValueError(
            "A model of sentence-transformers must be a Transformer, Pooling, "
            "maybe Dense, and maybe Normalize. Received: "
            f"{listed(kinds)} in {where}. Use sentence-transformers "
            "for it."
        )
    inside, pooling, *dense_folders = folders_of[: 2 + len(dense)]
    if inside:
        raise ValueError(
            "The model must lie in the folder itself. Received: "
            f"{where}, where it is in {shown(inside)}. Save it with a newer "
            "sentence-transformers."
        )
    for name in (pooling, *dense_folders):
        if not folders.is_plain_name(name):
            raise ValueError(
                f"{_MODULES} must name folders within its own. Received: "
                f"{shown(name)} in {where}. Don't use this folder if it is a "
                "stranger's."
            )
    poolings, include_prompt = _read_pooling(find, f"{pooling}/config.json")
    lengths = _read_first(find, _LENGTHS)
    length = lengths.get("max_seq_length")
    if length is not None and (type(length) is not int or length < 1):
        raise ValueError(
            "`max_seq_length` must be a number of tokens. Received: "
            f"{shown(length)} in {where}. Correct it there."
        )
    return VectorSettings(
        poolings,
        normalize,
        length,
        bool(lengths.get("do_lower_case")),
        include_prompt,
        _read_first(find, (_PROMPTS,)),
        _read_projections(location, dense_folders, len(poolings)),
    )


def vector_settings_to_keep(
    location: Location, max_tokens: int | None
) -> VectorSettings | None:
    """Returns the same, to be saved with the model again.

    What can't be kept is no reason not to load a model, and is said.

    Args:
        location: `Location`.
        max_tokens: int, the length that the model gets; `None` if it keeps
            its own.
    """
    try:
        found = read_vector_settings(location)
    except OSError:
        # A model in the hub's cache, and no connection.
        return None
    except ValueError as error:
        logger.warning(
            "%s: its settings of sentence-transformers aren't kept. %s",
            location.where,
            error,
        )
        return None
    if found is None or max_tokens is None:
        return found
    return dataclasses.replace(found, max_length=max_tokens)


def write_vector_settings(
    replacement: Replacement, settings: VectorSettings | None, width: int
) -> None:
    """Writes settings to a folder; with `None` it is no longer of that kind.

    Args:
        replacement: `Replacement` of the folder's files.
        settings: `VectorSettings`.
        width: int, numbers of a token's vector.
    """
    if settings is None:
        replacement.removed.add(_MODULES)
        return
    kinds = ["Transformer", "Pooling", *["Dense"] * len(settings.projections)]
    if settings.normalize:
        kinds.append("Normalize")
    paths = ["", *(f"{n}_{kind}" for n, kind in enumerate(kinds) if n)]
    lengths = {
        "max_seq_length": settings.max_length,
        "do_lower_case": settings.do_lower_case,
    }
    if settings.max_length is None:
        del lengths["max_seq_length"]
    contents: dict[str, Any] = {
        f"{_POOLING}/config.json": {
            "word_embedding_dimension": width,
            **{
                k: kind in settings.poolings
                for k, kind in _OLD_POOLINGS.items()
            },
            "include_prompt": settings.include_prompt,
        },
        _LENGTHS[0]: lengths,
        _MODULES: [
            {
                "idx": number,
                "name": str(number),
                "path": path,
                "type": f"sentence_transformers.models.{kind}",
            }
            for number, (kind, path) in enumerate(
                zip(kinds, paths, strict=True)
            )
        ],
    }
    if settings.prompts:
        contents[_PROMPTS] = dict(settings.prompts)
    for name, content in contents.items():
        path = replacement.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content, indent=2) + "\n", "utf-8")
    for name, projection in zip(paths[2:], settings.projections, strict=False):
        write_projection(replacement.path / name, projection)


def _read_modules(path: Path) -> tuple[list[str], list[str]]:
    """Returns the modules' kinds, and the folders that they name."""
    try:
        modules = json.loads(folders.read_text(path))
        kinds = [module["type"].rpartition(".")[2] for module in modules]
        named = [module["path"] for module in modules]
        if not all(isinstance(name, str) for name in named):
            raise TypeError("a `path` that is no text")
    except (
        *(ValueError, LookupError, TypeError),
        *(AttributeError, RecursionError),
    ) as error:
        raise ValueError(
            f"{_MODULES} must list modules with `type` and `path`. Received: "
            f"{path}, where: {cut(str(error))}. Save or fetch it again."
        ) from error
    return kinds, named


def _read_pooling(
    find: Callable[[str], Path | None], name: str
) -> tuple[tuple[str, ...], bool]:
    path = find(name)
    if path is None:
        raise ValueError(
            f"A model of sentence-transformers must have {name}. "
            "Received: a folder without it. Save or fetch it again."
        )
    fields = read_json(path, "A configuration of pooling")
    old = [kind for key, kind in _OLD_POOLINGS.items() if fields.get(key)]
    given = fields.get("pooling_mode", old or ["mean"])
    poolings = given if isinstance(given, list) else [given]
    known = _OLD_POOLINGS.values()
    if not poolings or not all(one in known for one in poolings):
        raise ValueError(
            f"The pooling must be one of {', '.join(known)}. Received: "
            f"{shown(given)} in {path}. Correct it there."
        )
    return tuple(poolings), bool(fields.get("include_prompt", True))


def _read_projections(
    location: Location, names: list[str], poolings: int
) -> tuple[Projection, ...]:
    """Reads `Dense` modules, once all are known to fit one another."""
    if len(names) > _MOST_DENSE or len(set(names)) < len(names):
        raise ValueError(
            f"{_MODULES} must have at most {_MOST_DENSE} Dense modules, each "
            f"in a folder of its own. Received: {len(names)} in "
            f"{len(set(names))} folders, in {location.where}. Use "
            "sentence-transformers for it."
        )
    if not names:
        return ()
    modules = [open_projection(location.find, name) for name in names]
    fields = location.config_fields()
    # DistilBERT calls it otherwise.
    hidden = fields.get("hidden_size", fields.get("dim"))
    width = hidden * poolings if isinstance(hidden, int) else None
    for number, module in enumerate(modules):
        takes, gives = module.shape
        if width is not None:
            check_width(number, takes, width)
        width = gives
    return tuple(module.read() for module in modules)


def _read_first(
    find: Callable[[str], Path | None], names: tuple[str, ...]
) -> dict[str, Any]:
    """Returns what the first file that exists holds; else an empty dict."""
    for name in names:
        path = find(name)
        if path is not None:
            return read_json(path, "A file of sentence-transformers")
    return {}
