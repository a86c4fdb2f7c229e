"""Says what would go wrong with a checkpoint, in sentences with the fix.

What can't be loaded is named, and so is what loads and then gives other
numbers than its author's. Nothing but JSON files, vocabularies and the headers
of weights is read.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Iterator
from collections.abc import Mapping
from typing import Any

from tf_longformer.checkpoints import dialects
from tf_longformer.checkpoints import names
from tf_longformer.checkpoints.files.tensor_file import FLOATS
from tf_longformer.checkpoints.files.tensor_file import TensorFile
from tf_longformer.checkpoints.find_head import find_head
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.match import match
from tf_longformer.checkpoints.other_encoders import as_longformer
from tf_longformer.checkpoints.stated_tokens import special_token
from tf_longformer.checkpoints.stated_tokens import vocabulary
from tf_longformer.checkpoints.vector_settings import read_vector_settings
from tf_longformer.configuration import LongformerConfig
from tf_longformer.configuration import json_file
from tf_longformer.configuration import rules
from tf_longformer.errors import cut
from tf_longformer.errors import shown
from tf_longformer.families import DECODERS
from tf_longformer.families import FAMILIES
from tf_longformer.heads import HEADS
from tf_longformer.json_files import read_json
from tf_longformer.tokenization import files

# Fields whose default is right for some Longformers only. What transformers
# takes where they are missing isn't what a model made of a RoBERTa had.
_TOLD_BY_NOTHING = {
    "layer_norm_eps": "a RoBERTa's is 1e-5, a BERT's 1e-12",
    "pad_token_id": "positions are counted from it",
}
_DECODERS = (*DECODERS, "longformer-encoder-decoder")
# How tensors are called that other libraries have quantized.
_QUANTIZED = (
    *("qweight", "qzeros", "scales", "quant_state", "absmax", "quant_map"),
    *("SCB", "weight_format", "weight_scale", "_packed_params", "nested"),
)
_ROTARY = ("rotary", "inv_freq", "embed_positions")
_RELATIVE = (
    *("rel_pos", "relative_attention", "relative_position", "rel_embeddings"),
    "distance_embedding",
)
# A tokenizer without a limit writes a number of this kind.
_ENDLESS = 10**12
_MOST_SHOWN = 3


def find_problems(location: Location) -> list[str]:
    """Returns a sentence or two for each problem of a checkpoint.

    Args:
        location: `Location`. Its files may be anything. Where no config is
            made of them, the error of that isn't repeated.

    Raises:
        OSError: if there is no configuration.
        ValueError: if files are damaged.
    """
    return location.of_one_save(lambda files: problems_of(files, *files.read()))


def problems_of(
    location: Location,
    fields: Mapping[str, Any],
    open_file: Callable[[LongformerConfig | None], TensorFile],
) -> list[str]:
    """Returns the same of what `location.read` has returned."""
    file = open_file(None)
    found = [
        *_problems_of_kind(fields, list(file.tensors)),
        *_problems_of_precision(fields, file),
    ]
    try:
        config = LongformerConfig.from_dict(fields)
    except (TypeError, ValueError):
        if not found and str(fields.get("model_type")) in FAMILIES:
            found.append(_what_to_make_of_it(location, fields))
        return [*found, *_problems_of_vectors(location)]
    return [
        *found,
        *_problems_of_vectors(location),
        *_problems_of_config(fields, config),
        *_problems_of_readable_tokenizer(location, config),
        # What is no Longformer, or isn't floats, lacks more than can be told.
        *(
            ()
            if found
            else _problems_of_weights(open_file(config), fields, config)
        ),
    ]


def _what_to_make_of_it(location: Location, fields: Mapping[str, Any]) -> str:
    """Says of an encoder whether `convert` takes it, and if not, why."""
    what = f"It is an encoder for short texts ({fields['model_type']})"
    try:
        LongformerConfig.from_dict(fields, attention_window=2)
    except (TypeError, ValueError) as error:
        return f"{what}, of which no Longformer can be made. {error}"
    return (
        f"{what}, of which a Longformer can be made: `tf-longformer convert "
        f"{location.where} FOLDER --max-tokens 4096`."
    )


def _problems_of_kind(
    fields: Mapping[str, Any], given: list[str]
) -> Iterator[str]:
    """Yields why these weights are no Longformer's."""
    kind = fields.get("model_type")
    in_decoder = [n for n in given if ".decoder.layers." in f".{n}"]
    if fields.get("is_encoder_decoder") or kind in _DECODERS or in_decoder:
        yield (
            f"It is an encoder-decoder (model_type={shown(kind)}), which has a "
            "decoder that a Longformer lacks. Load it with transformers, or "
            "use a checkpoint of the encoder alone."
        )
        return
    positions = fields.get("position_embedding_type") or "absolute"
    if not isinstance(positions, str):
        positions = shown(positions)
    rotary = _shown(n for n in given if any(part in n for part in _ROTARY))
    relative = _shown(n for n in given if any(part in n for part in _RELATIVE))
    if rotary or relative or positions != "absolute":
        said = f"position_embedding_type={shown(positions)}" * (
            positions != "absolute"
        )
        what = " and ".join(filter(None, (said, rotary or relative)))
        is_relative = "relative" in positions or relative
        is_rotary = rotary or not is_relative
        kind_of = "rotary or other" if is_rotary else "relative"
        yield (
            f"Its positions are {kind_of} ones ({what}), and a Longformer's "
            "are a table: loaded as one, here or by transformers, it gives "
            "wrong results. Use the code that it was trained with, or a "
            "checkpoint with absolute positions."
        )


def _problems_of_precision(
    fields: Mapping[str, Any], file: TensorFile
) -> Iterator[str]:
    """Yields whether the weights were quantized."""
    method = fields.get("quantization_config")
    if isinstance(method, Mapping):
        method = method.get("quant_method", True)
    named = [
        name
        for name, tensor in file.tensors.items()
        if name.rpartition(".")[2].startswith(_QUANTIZED)
        or ("weight" in name and tensor.dtype not in FLOATS)
    ]
    if method or named:
        by = f" by {method[:50]!r}" if isinstance(method, str) else ""
        found = f" ({_shown(named)})" if named else ""
        yield (
            f"Its weights were quantized{by}{found} by another library, which "
            "alone can read them. Load it there, call `dequantize()` if it is "
            "transformers, save that, or use the checkpoint from before."
        )


def _problems_of_vectors(location: Location) -> Iterator[str]:
    """Yields what of a folder of sentence-transformers would get lost."""
    try:
        settings = read_vector_settings(location)
    except ValueError as error:
        yield f"Its vectors can't be made as they were. {error}"
        return
    if settings is not None and not settings.is_known:
        yield (
            "Its vectors are pooled in a way that `embed` lacks "
            f"({cut(' and '.join(settings.poolings))}). Use "
            "sentence-transformers for them."
        )


def _problems_of_config(
    fields: Mapping[str, Any], config: LongformerConfig
) -> Iterator[str]:
    """Yields what the configuration leaves open, or says in another way."""
    for name, why in _TOLD_BY_NOTHING.items():
        if name not in fields:
            yield (
                f"Its config has no `{name}`, so that the default, "
                f"{getattr(config, name)!r}, is taken; {why}. If the model "
                f"was trained with another, pass `from_pretrained(…, {name}=…)`"
                f" or write it into {json_file.CONFIG_NAME}."
            )
    window = fields.get("attention_window")
    if json_file.has_one_sided_windows(fields) and window is not None:
        windows = sorted({2 * radius for radius in config.radii})
        yield (
            f"Its windows are AllenAI's, of one side ({_one_or_all(window)}); "
            f"they are read as {_one_or_all(windows)} of both sides. Save it "
            "with `save_pretrained`, whose config any library understands."
        )


def _problems_of_readable_tokenizer(
    location: Location, config: LongformerConfig
) -> list[str]:
    """Returns where the tokenizer and the model don't fit, or why it is none.

    A model whose tokenizer is damaged can be described all the same.
    """
    try:
        return list(_problems_of_tokenizer(location, config))
    except (OSError, ValueError) as error:
        return [f"Its tokenizer's files can't be read. {cut(str(error), 300)}"]


def _problems_of_tokenizer(
    location: Location, config: LongformerConfig
) -> Iterator[str]:
    """Yields where the tokenizer and the model don't fit."""
    path = location.find(files.CONFIG_FILE)
    said = read_json(path, "A tokenizer's config") if path else {}
    limit = said.get("model_max_length", said.get("max_len"))
    fits = config.max_tokens
    if rules.is_int(limit) and fits < limit < _ENDLESS:
        yield (
            f"The tokenizer's `model_max_length` is {limit}, but texts may "
            f"have {fits} tokens: of the {config.max_position_embeddings} rows "
            f"of positions {config.pad_token_id + 1} (`pad_token_id` + 1) are "
            f"no token's. Set `tokenizer.model_max_length = {fits}`, or make "
            f"the model longer: `model.extend_positions({limit})`."
        )
    files.find_all(location.find)
    ids = vocabulary(location)
    if not ids:
        return
    if (largest := max(ids.values())) >= config.vocab_size:
        yield (
            f"The tokenizer has ids up to {shown(largest)}, the model only "
            f"{config.vocab_size} rows of words. Call "
            f"`model.resize_token_embeddings({shown(largest + 1)})` and train, "
            "or use the tokenizer that the model was trained with."
        )
    for role in ("pad", "sep"):
        token = special_token(location, role, ids)
        index = ids.get(token) if token else None
        stated = getattr(config, f"{role}_token_id")
        if index is not None and index != stated:
            effect = {
                "pad": "positions and masks are counted from another token",
                "sep": "answering questions finds no question",
            }[role]
            yield (
                f"Its `{role}_token_id` is {stated}, but the tokenizer's "
                f"{shown(token)} is {shown(index)}: {effect}. If the tokenizer "
                "is right, pass "
                f"`from_pretrained(…, {role}_token_id={shown(index)})`."
            )


def _problems_of_weights(
    file: TensorFile, fields: Mapping[str, Any], config: LongformerConfig
) -> Iterator[str]:
    """Yields what of its own class the file lacks or has otherwise."""
    file = as_longformer(file, config, fields)
    head = find_head(file, config)
    body = dialects.translate(file.tensors, file.dialect, config).names
    if head is None or not {names.WORDS, names.POSITIONS} & body.keys():
        prefixes = _shown(sorted({n.partition(".")[0] for n in file.tensors}))
        yield (
            "The names of its weights are of no Longformer (they begin with "
            f"{prefixes}). Use the checkpoint of a Longformer."
        )
        return
    matching = match(
        names.weights(config, HEADS[head]).values(),
        file,
        config,
        fields.get("model_type"),
    )
    if matching.missing:
        missing = [weight.torch[0] for weight in matching.missing]
        yield (
            f"The file lacks {len(missing)} weights of a {head} "
            f"({_shown(missing)}). Those of a head are drawn and have to be "
            "trained; without others it doesn't load: use the complete file."
        )
    for weight, stored, wanted in matching.mismatched[:_MOST_SHOWN]:
        yield (
            f"{weight.torch[0]} is {shown(stored)} in the file, and {wanted} "
            "by the config. Use the config that it was saved with."
        )
    if matching.copied:
        yield (
            "It has no projections of global tokens, as it was no Longformer: "
            "those of the local ones are copied. Train it before use."
        )


def _shown(items: Any) -> str:
    """Returns the first of some names, and that there are more."""
    items = [str(item)[:80] for item in items]
    more = ", ..." if len(items) > _MOST_SHOWN else ""
    return ", ".join(items[:_MOST_SHOWN]) + more


def _one_or_all(windows: Any) -> str:
    values = windows if isinstance(windows, list) else [windows]
    return cut(" and ".join(map(str, sorted(set(values)))))
