"""PEFT's `adapter_config.json`: what of it can be loaded exactly, and how.

Only LoRA is read. Which layers it updates is said by the tensors beside the
file, so that `target_modules` and what else selects layers isn't interpreted.
A field that changes the result in a way that isn't known here is refused by
its name.

Reference: https://github.com/huggingface/peft (the format)
"""

from __future__ import annotations

import collections
import math
import sys
from collections.abc import Collection
from collections.abc import Mapping
from typing import Any
from typing import TypeGuard

from tf_longformer.checkpoints.name_patterns import LONGEST_PATTERN
from tf_longformer.checkpoints.name_patterns import NamePatterns
from tf_longformer.configuration.rules import is_int
from tf_longformer.errors import CheckpointError
from tf_longformer.errors import cut
from tf_longformer.errors import listed
from tf_longformer.errors import shown

ADAPTER_CONFIG_NAME = "adapter_config.json"

# Fields that are interpreted, and those that change nothing once an adapter
# is trained: they chose its layers, how it started or what was written down.
_KNOWN = frozenset(
    (
        *("peft_type", "task_type", "auto_mapping", "peft_version"),
        *("base_model_name_or_path", "revision", "inference_mode"),
        *("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern"),
        *("target_modules", "exclude_modules", "modules_to_save", "bias"),
        *("layers_to_transform", "layers_pattern", "lora_dropout"),
        *("init_lora_weights", "ensure_weight_tying", "eva_config"),
        # Without effect on linear layers and on anything but Megatron, GPTQ.
        *("fan_in_fan_out", "megatron_core", "qalora_group_size"),
        "merge_weights",
    )
)
# Others, such as "pissa", change the weights of the base before training.
_INITIALIZATIONS = (None, True, False, "gaussian", "eva", "orthogonal")
# The head that each of PEFT's kinds of task has.
TASK_TYPES = {
    "SEQ_CLS": "LongformerForSequenceClassification",
    "TOKEN_CLS": "LongformerForTokenClassification",
    "QUESTION_ANS": "LongformerForQuestionAnswering",
    "FEATURE_EXTRACTION": "LongformerModel",
}
_ADVICE = (
    "Merge it with PEFT (`merge_and_unload`), save that model, and load its "
    "folder."
)


def check_adapter_config(fields: Mapping[str, Any], where: str) -> None:
    """Raises unless the adapter is a LoRA that can be applied exactly.

    Args:
        fields: what the `adapter_config.json` holds.
        where: str, what messages call the adapter.

    Raises:
        CheckpointError: that names the kind or the field.
    """
    kind = fields.get("peft_type")
    if kind != "LORA":
        what = (
            "no `peft_type`, as in another library's adapters"
            if kind is None
            else f"peft_type={shown(kind)}"
        )
        raise CheckpointError(
            f"An adapter must be PEFT's LoRA. Received: {where} with {what}. "
            f"{_ADVICE}"
        )
    unknown = {n: v for n, v in fields.items() if v and n not in _KNOWN}
    if fields.get("init_lora_weights") not in _INITIALIZATIONS:
        unknown["init_lora_weights"] = fields["init_lora_weights"]
    if unknown:
        found = [f"{cut(n, 40)}={shown(v)}" for n, v in unknown.items()]
        raise CheckpointError(
            "An adapter must be a plain LoRA, whose update of a matrix is a "
            f"product of two. Received: {where} with {listed(found)}. {_ADVICE}"
        )


def head_of_adapter(fields: Mapping[str, Any]) -> str:
    """Returns HF's class that an adapter was trained in, or something else."""
    mapping = fields.get("auto_mapping")
    named = mapping.get("base_model_class") if _is_map(mapping) else ""
    task = fields.get("task_type")
    head = TASK_TYPES.get(task) if isinstance(task, str) else None
    return head or (named if isinstance(named, str) else "")


def scale_of(
    fields: Mapping[str, Any],
    module: str,
    rank: int,
    where: str,
    patterns: NamePatterns,
) -> float:
    """Returns what the product of a layer's two factors is multiplied by.

    Args:
        fields: what the `adapter_config.json` holds.
        module: str, the layer's name in the model that was trained.
        rank: int, that of the factors.
        where: str, what messages call the adapter.
        patterns: the `NamePatterns` of the adapter.

    Raises:
        CheckpointError: if the fields are wrong, or say another rank.
    """
    layer = module, where, patterns
    stated = _value_for(fields, "rank_pattern", "r", *layer)
    alpha = _value_for(fields, "alpha_pattern", "lora_alpha", *layer)
    if stated != rank:
        raise CheckpointError(
            "The tensors of an adapter must have the rank that its "
            f"{ADAPTER_CONFIG_NAME} says. Received: {where} with rank {rank} "
            f"of {shown(module)}, and {shown(stated)} in the file. Save it "
            "again."
        )
    return alpha / (math.sqrt(rank) if fields.get("use_rslora") else rank)


def _value_for(
    fields: Mapping[str, Any],
    pattern_field: str,
    plain_field: str,
    module: str,
    where: str,
    patterns: NamePatterns,
) -> Any:
    """Returns a layer's number: of the first pattern for it, or the plain."""
    name, value = plain_field, fields.get(plain_field, 8)
    by_pattern = fields.get(pattern_field) or {}
    for pattern in by_pattern if _is_map(by_pattern) else ():
        try:
            is_for_layer = patterns.matches(pattern, module)
        except ValueError as error:
            raise CheckpointError(
                "The patterns of an adapter must be names of layers, or simple "
                f"regular expressions of up to {LONGEST_PATTERN} letters, "
                "without repeated groups. Received: "
                f"{shown(pattern)} in {where}; {error}. Write the names of "
                "layers there."
            ) from error
        if is_for_layer:
            name, value = pattern_field, by_pattern[pattern]
            break
    is_number = is_int(value) or isinstance(value, float)
    # Not of a number that is none, either, nor of a whole one beyond floats.
    if not is_number or not abs(value) <= sys.float_info.max:
        raise CheckpointError(
            f"`{name}` of an adapter must hold numbers. Received: "
            f"{shown(value)} in {where}. Save it again."
        )
    return value


def _is_map(value: Any) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def make_adapter_config(
    head: str,
    base: str | None,
    ranks: Mapping[str, tuple[int, float]],
    layers: Collection[str],
    *,
    saved: Collection[str],
    biases: bool,
) -> dict[str, Any]:
    """Returns the fields of an `adapter_config.json`, as PEFT reads them.

    Args:
        head: str, HF's class that the adapter was trained in.
        base: str, what the base is called; `None` where nothing is known.
        ranks: rank and alpha of each layer that is updated, by its name.
        layers: names of all layers that could be.
        saved: names of modules that are saved whole.
        biases: bool, whether biases of updated layers are saved.
    """
    kinds = collections.Counter(ranks.values())
    rank, alpha = kinds.most_common(1)[0][0]
    others = {name: x for name, x in ranks.items() if x != (rank, alpha)}
    tasks = {name: task for task, name in TASK_TYPES.items()}
    # PEFT saves the head of these tasks whole, and never updates it.
    task = None if _in_head(ranks) else tasks.get(head)
    mapping = {
        "base_model_class": head,
        "parent_library": "transformers.models.longformer.modeling_longformer",
    }
    return {
        "peft_type": "LORA",
        "task_type": task,
        "auto_mapping": None if task else mapping,
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": _plain_number(alpha),
        "lora_dropout": 0.0,
        "target_modules": _shortened(ranks, layers),
        "modules_to_save": sorted(saved) or None,
        "bias": "lora_only" if biases else "none",
        "rank_pattern": {n: r for n, (r, _) in others.items() if r != rank},
        "alpha_pattern": {
            name: _plain_number(a) for name, (_, a) in others.items()
        },
        "inference_mode": True,
    }


def _in_head(names: Collection[str]) -> bool:
    """Whether one of the layers is a classifier's."""
    return any(name.startswith(("classifier", "qa_outputs")) for name in names)


def _shortened(names: Collection[str], layers: Collection[str]) -> list[str]:
    """Returns names of layers; where all of a last name are meant, this."""
    left = {name.rpartition(".")[2] for name in set(layers) - set(names)}
    last = {name: name.rpartition(".")[2] for name in names}
    return sorted({n if last[n] in left else last[n] for n in names})


def _plain_number(value: float) -> float:
    return int(value) if value == int(value) else value
