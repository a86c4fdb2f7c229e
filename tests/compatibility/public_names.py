"""What users can type: names, parameters, commands, as plain data."""

from __future__ import annotations

import inspect
from typing import Any

import typer

import tf_longformer
from tf_longformer import export
from tf_longformer import memory
from tf_longformer import tasks
from tf_longformer.cli.app import app

MODULES: dict[str, Any] = {
    "tf_longformer": tf_longformer,
    "tf_longformer.tasks": tasks,
    "tf_longformer.export": export,
}
# How the parts of the package talk to one another, though the names have no
# underscore.
INTERNAL = {
    "build_head",
    "check_labels",
    "count_positions",
    "create_head",
    "default_global_mask",
    "draw_seeds",
    "encodings",
    "fields",
    "flatten_inputs",
    "has_pooler",
    "head",
    "in_step",
    "input_rank",
    "internal_loss",
    "known_fields",
    "label_names",
    "loss_given",
    "loss_terms",
    "main_output",
    "output_class",
    "plan",
    "radii",
    "radius",
    "roles",
    "seeds",
    "upload_options",
    "validate",
    "vocabulary",
}


def public_names() -> dict[str, dict[str, Any]]:
    """Returns the public surface.

    Returns:
        Dict with `callables` (dotted name: parameters), `attributes` (class:
        names) and `commands` (command: the spellings of its options).
        Parameters are texts as they stand in a signature: `text`, `top_k=5`,
        and `*` before those that are keywords only.
    """
    found = {
        f"{home}.{name}": getattr(module, name)
        for home, module in MODULES.items()
        for name in module.__all__
    }
    estimate = memory.estimate_memory
    found["tf_longformer.memory.estimate_memory"] = estimate
    callables, attributes = {}, {}
    for name, value in found.items():
        callables[name] = parameters(value)
        if inspect.isclass(value):
            attributes[name] = []
            for member in _members(value):
                if _is_method(value, member):
                    callables[f"{name}.{member}"] = _method(value, member)
                else:
                    attributes[name].append(member)
    return {
        "callables": callables,
        "attributes": attributes,
        "commands": _commands(),
    }


def parameters(value: Any) -> list[str]:
    """Returns parameters as they stand in a signature, without types."""
    texts = []
    for name, parameter in inspect.signature(value).parameters.items():
        if name in INTERNAL:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            # Whatever it is called inside.
            name = "others"
        if parameter.kind is parameter.KEYWORD_ONLY and not any(
            text.startswith("*") for text in texts
        ):
            texts.append("*")
        bare = parameter.replace(annotation=parameter.empty, name=name)
        texts.append(str(bare))
    return texts


def _members(kind: type) -> list[str]:
    """Returns the public members that this package defines, also inherited.

    Keras makes models of any class; what all of ours have is listed once, with
    their base class.
    """
    base = tf_longformer.TFLongformerPreTrainedModel
    if kind is not base and issubclass(kind, base):
        return ["call"]
    members = {
        name
        for owner in kind.__mro__
        if owner.__module__.startswith("tf_longformer")
        for name in vars(owner)
    }
    return sorted(
        name for name in members - INTERNAL if not name.startswith("_")
    )


def _method(kind: type, name: str) -> list[str]:
    """Returns parameters of a method but the object itself."""
    found = parameters(getattr(kind, name))
    value = inspect.getattr_static(kind, name)
    return found[1:] if inspect.isfunction(value) else found


def _is_method(kind: type, name: str) -> bool:
    value = inspect.getattr_static(kind, name)
    return inspect.isroutine(value) or isinstance(
        value, (classmethod, staticmethod)
    )


def _commands() -> dict[str, list[str]]:
    program: Any = typer.main.get_command(app)
    return {
        name: sorted(
            spelling
            for parameter in command.params
            for spelling in (*parameter.opts, *parameter.secondary_opts)
        )
        for name, command in {"": program, **program.commands}.items()
    }
