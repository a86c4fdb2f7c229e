"""`from_pretrained` and `save_pretrained`: models and their checkpoints.

Files and names are those of `tf_longformer.checkpoints`, which works on arrays.
Here arrays become variables, and variables arrays.
"""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from typing import NamedTuple

import numpy as np
from keras import ops

from tf_longformer import atomic
from tf_longformer import heads
from tf_longformer import json_files
from tf_longformer import old_keywords
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints import save
from tf_longformer.checkpoints.files import keras_archive
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.locate import locate
from tf_longformer.checkpoints.match import Matching
from tf_longformer.checkpoints.match import match
from tf_longformer.checkpoints.match import require_layers
from tf_longformer.checkpoints.match import untie_what_differs
from tf_longformer.checkpoints.names import Weight
from tf_longformer.checkpoints.other_encoders import as_longformer
from tf_longformer.checkpoints.stated_tokens import find_separator
from tf_longformer.checkpoints.vector_settings import VectorSettings
from tf_longformer.checkpoints.vector_settings import vector_settings_to_keep
from tf_longformer.checkpoints.vector_settings import write_vector_settings
from tf_longformer.configuration import LongformerConfig
from tf_longformer.configuration import json_file
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.models.lora import lora_updates
from tf_longformer.models.lora import plain_variables

logger = logging.getLogger("tf_longformer")

# Arguments of transformers' `save_pretrained` that ours doesn't have: the
# values that change nothing, and what to do instead of the others.
_OLD_KEYWORDS = {
    "push_to_hub": old_keywords.PUSH,
    "safe_serialization": (
        (True,),
        "PyTorch's pickles are only read: leave it out, or use "
        "`save_format='h5'`.",
    ),
    "saved_model": (
        (False,),
        "Export with `tf_longformer.export_saved_model(model, folder)`.",
    ),
}

# Letters of a list of names in a line of the log.
_LONGEST_LIST = 2000
# Keywords that say how long the table of positions is.
_LENGTHS = frozenset(("max_tokens", "max_position_embeddings"))


def load_model(
    model_class: type,
    name_or_path: str | os.PathLike | Location,
    config: Any,
    subfolder: str,
    hub_options: dict[str, Any],
    ignore_mismatched_sizes: bool,
    keras_options: dict[str, Any],
    config_overrides: dict[str, Any],
) -> tuple[Any, dict[str, list[Any]]]:
    """Loads a model; see `TFLongformerPreTrainedModel.from_pretrained`.

    Returns:
        The model and the loading info.
    """
    location = locate(name_or_path, subfolder, **hub_options)
    if config is not None:
        config = _config_fields(config, hub_options)
    config, own, open_file, vectors = location.of_one_save(
        lambda files: _read_config(files, config, config_overrides)
    )
    config.name_or_path = location.name
    model_type = own.get("model_type")
    # Before the model is built, so that a damaged file, or a config of other
    # sizes, costs neither time nor memory.
    resized = not _LENGTHS.isdisjoint(config_overrides)
    file = as_longformer(open_file(config), config, own, resized)
    require_layers(file, config)
    head = heads.head_of(model_class)
    untie_what_differs(config, head, file)
    table = names.weights(config, head)
    matching = match(table.values(), file, config, model_type)
    # A subclass may add weights, so that names are unexplained only later.
    dataclasses.replace(matching, unexplained=[]).require_complete(
        ignore_mismatched_sizes
    )
    matrices = _StoredMatrices(matching)
    model = model_class(config, initial_values=matrices, **keras_options)
    # Matched again, with the weights that a subclass has added.
    variables = named_variables(model)
    matching = match(
        [weight for weight, _ in variables.values()], file, config, model_type
    )
    matching.require_complete(ignore_mismatched_sizes)
    for weight, array in matching.read(besides=matrices.finish()):
        variable = variables[weight.path].variable
        variable.assign(save.cast(array, np.dtype(variable.dtype)))
    # What a head makes of tokens is no vector of a text.
    model.vector_settings = vectors if head.name == heads.BARE else None
    _log_loading(
        model_class.__name__, matching, model.vector_settings is not None
    )
    return model, _loading_info(head, matching)


def save_model(
    model: Any,
    save_directory: str | os.PathLike,
    save_format: str,
    max_shard_size: int | str,
    dtype: str | None,
    unknown: Mapping[str, Any],
) -> None:
    """Saves a model; see `TFLongformerPreTrainedModel.save_pretrained`."""
    old_keywords.check("save_pretrained", unknown, _OLD_KEYWORDS)
    target = save.check_target(
        save_directory, save_format, dtype, max_shard_size
    )
    stored = target.dtype
    config = model.config.copy()
    head = heads.head_of(type(model)).name
    config.architectures = [head]
    if stored is not None or config.dtype is not None:
        config.dtype = str(stored or np.dtype(model.variable_dtype))
    with atomic.replacing_files(target.folder) as replacement:
        if save_format == "keras":
            path = replacement.path / target.form.file_name
            _write_archive(model, path, stored)
        else:
            save.write(replacement, target, weights_of(model, stored))
        config.save_pretrained(target.folder)
        vectors = model.vector_settings
        if vectors is not None or head != heads.BARE:
            write_vector_settings(replacement, vectors, config.hidden_size)


def _read_config(
    files: Location,
    given: dict[str, Any] | None,
    overrides: dict[str, Any],
) -> tuple[LongformerConfig, dict[str, Any], Any, VectorSettings | None]:
    """Returns a model's config, the file's fields, what opens weights, and
    the settings of vectors.

    `given` are fields that take the place of the file's.
    """
    found, open_file = files.read(needs_config=given is None)
    fields = found if given is None else given
    # The config that was given may be of what the file's becomes.
    own = found or fields
    unknown = sorted(
        set(overrides) - LongformerConfig.known_fields() - fields.keys()
    )
    if unknown:
        raise TypeError(
            "`from_pretrained` takes its own keywords and fields of "
            f"LongformerConfig. Received: unknown {unknown}. Correct the "
            "name or leave it out."
        )
    config = LongformerConfig.from_dict(fields, **overrides)
    if config.sep_token_id is None:
        config.sep_token_id = find_separator(files)
    length = None if _LENGTHS.isdisjoint(overrides) else config.max_tokens
    return config, own, open_file, vector_settings_to_keep(files, length)


class NamedVariable(NamedTuple):
    """A weight of the table of names, and the model's variable for it."""

    weight: Weight
    variable: Any


def named_variables(model: Any) -> dict[str, NamedVariable]:
    """Returns the weights of a model that a checkpoint has, by our path.

    They include those that a subclass has added. They don't include the
    seeds of dropout and the factors of LoRA.

    Raises:
        ValueError: if layers were quantised.
    """
    table = names.weights(model.config, heads.head_of(type(model)))
    layers = {path.rpartition("/")[0] for path in table}
    found = {}
    for path, variable in plain_variables(model).items():
        weight = table.get(path)
        if weight is None and path.rpartition("/")[0] in layers:
            raise ValueError(
                "A model's own weights must be plain floats to be loaded or "
                f"saved as a checkpoint. Received: the variable {shown(path)} "
                "of a layer that was quantised. Use Keras's `save` and "
                "`save_weights`."
            )
        if weight is None:
            weight = names.added_weight(path, tuple(variable.shape))
        found[path] = NamedVariable(weight, variable)
    return found


def weights_of(model: Any, dtype: np.dtype | None) -> save.Source:
    """Returns a model's weights to be written, with LoRA merged into them.

    Args:
        model: one of our models.
        dtype: type of the file; `None` for that of each variable.
    """
    variables = named_variables(model)
    updates = lora_updates(model)

    def get(weight: Weight) -> np.ndarray:
        array = ops.convert_to_numpy(variables[weight.path].variable)
        if weight.path not in updates:
            return array
        *factors, scale = updates[weight.path]
        # In float32 at least, whatever type the factors are stored in.
        wide = np.promote_types(array.dtype, np.float32)
        a, b = (ops.convert_to_numpy(x).astype(wide) for x in factors)
        return array + scale * (a @ b)

    return save.Source(
        heads.head_of(type(model)).name,
        [weight for weight, _ in variables.values()],
        {
            path: dtype or np.dtype(variable.dtype)
            for path, (_, variable) in variables.items()
        },
        get,
    )


class _StoredMatrices:
    """Gives a model the matrices of a file as its initial values.

    They are read one by one while the model is built, so that its memory
    isn't first filled with random numbers. The initializer `Normal` asks for
    the matrix of each layer, which has one at most.
    """

    def __init__(self, matching: Matching):
        self._matching = matching
        self._found = {
            weight.path.rpartition("/")[0]: (weight, name)
            for weight, name in matching.found
            if len(weight.shape) == 2
        }
        self._read: set[str] = set()

    def __call__(self, layer: str, dtype: str) -> np.ndarray | None:
        # The path of the layer begins with the model's name, ours doesn't.
        found = self._found.get(layer.partition("/")[2])
        if found is None:
            return None
        self._read.add(found[0].path)
        return save.cast(self._matching.read_one(*found), np.dtype(dtype))

    def finish(self) -> set[str]:
        """Lets go of the file; returns our paths of the weights read."""
        del self._matching
        self._found = {}
        return self._read


def _config_fields(
    config: Any, hub_options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns the fields of a config, in whatever form it is given."""
    if isinstance(config, str | os.PathLike):
        if os.path.isfile(config):
            path = Path(config)
            # The same file of the last save, if that has one.
            found = atomic.find(path.parent, path.name, is_named=True)
            return json_files.read_json(found or path, "A config")
        return locate(config, **hub_options).config_fields()
    return dict(json_file.fields_of(config))


def _loading_info(head: heads.Head, matching: Matching) -> dict[str, list[Any]]:
    def torch_name(weight: Weight) -> str:
        return names.in_class(weight.torch[0], head.name)

    return {
        "missing_keys": [torch_name(weight) for weight in matching.missing],
        "unexpected_keys": matching.unexpected,
        "mismatched_keys": [
            (torch_name(weight), *shapes)
            for weight, *shapes in matching.mismatched
        ],
        "error_msgs": [],
    }


def _log_loading(name: str, matching: Matching, makes_vectors: bool) -> None:
    new = [weight.torch[0] for weight in matching.missing]
    new += [weight.torch[0] for weight, *_ in matching.mismatched]
    if new:
        # Vectors are made without the pooler.
        is_used = not makes_vectors or matching.new_parts != ["pooler"]
        logger.log(
            logging.WARNING if is_used else logging.INFO,
            "%s: newly drawn, train before use: %s",
            name,
            cut(", ".join(new), _LONGEST_LIST),
        )
    if matching.copied:
        logger.warning(
            "%s: %s has no projections of global tokens; those of the local "
            "ones were copied, train before use.",
            name,
            matching.file.path,
        )
    if matching.unexpected:
        # What a Longformer has no place for is lost when it's made of others.
        level = logging.WARNING if matching.copied else logging.INFO
        logger.log(
            level,
            "%s: not used of %s: %s",
            name,
            matching.file.path,
            cut(", ".join(matching.unexpected), _LONGEST_LIST),
        )


def _write_archive(model: Any, path: Path, dtype: np.dtype | None) -> None:
    """Writes Keras's archive, with weights of `dtype` if that is another."""
    model.save(path)
    if dtype is None or dtype == np.dtype(model.variable_dtype):
        return
    weights = path.with_name(keras_archive.WEIGHTS_MEMBER)
    save.write_keras_weights(weights, weights_of(model, dtype))
    keras_archive.replace_weights(path, weights)
    weights.unlink()
