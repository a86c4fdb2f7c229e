"""Keywords that code written for transformers passes and our methods lack.

A value that asks for what we do anyway is accepted; for any other the error
says what to do instead.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from tf_longformer.errors import shown

# What `check` must know of `push_to_hub=`, which every `save_pretrained` of
# transformers has.
PUSH = ((False,), "Call `push_to_hub(repo_id)`.")

logger = logging.getLogger("tf_longformer")

# Of `from_pretrained`: what asks for nothing that could be done here, ...
_WITHOUT_EFFECT = frozenset(
    "code_revision from_flax from_slow low_cpu_mem_usage mirror proxies "
    "resume_download trust_remote_code use_fast weights_only".split()
)
# ... arguments of a tokenizer's call, which transformers ignores there too, ...
_OF_A_CALL = frozenset(
    "max_length model_max_len pad_to_multiple_of padding return_tensors stride "
    "truncation".split()
)
# ... what has an effect in transformers that it can't have here, ...
_LAYOUT = (
    ("auto",),
    "Keras places models: see `tf.device`, `keras.distribution`.",
)
_QUANTIZED = ((False,), "Load the model, then call `model.quantize('int8')`.")
_LOADING: dict[str, tuple[tuple[Any, ...], str]] = {
    "device_map": _LAYOUT,
    "max_memory": _LAYOUT,
    "tp_plan": _LAYOUT,
    "load_in_8bit": _QUANTIZED,
    "load_in_4bit": _QUANTIZED,
    "quantization_config": _QUANTIZED,
    "attn_implementation": (
        ("eager", "sdpa"),
        "There is one implementation: leave it out.",
    ),
    "state_dict": ((), "Save it as a file of weights beside a `config.json`."),
    "variant": ((), "Pass the path of the file of weights."),
}


def check(
    method: str,
    given: Mapping[str, Any],
    known: Mapping[str, tuple[tuple[Any, ...], str]],
) -> None:
    """Checks keywords that are no parameters of a method.

    Args:
        method: str, its name, for the message.
        given: keywords and their values.
        known: for each keyword of old code the values that are accepted,
            beside `None`, and the advice for others.

    Raises:
        TypeError: for other keywords or values.
    """
    wrong = {
        name: value
        for name, value in given.items()
        if name not in known or value not in (None, *known[name][0])
    }
    if not wrong:
        return
    advice = [known[name][1] for name in wrong if name in known]
    raise TypeError(
        f"`{method}` must be called with keywords that it has. Received: "
        + ", ".join(f"{name}={shown(value)}" for name, value in wrong.items())
        + f". {' '.join(advice) or 'Correct the name or leave it out.'}"
    )


def of_loading(given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns keywords of `from_pretrained` without those of old code.

    `use_auth_token` becomes `token`.

    Args:
        given: keywords and their values.

    Raises:
        TypeError: for those that ask for what isn't done here.
    """
    asked = {name: given[name] for name in _LOADING.keys() & given.keys()}
    check("from_pretrained", asked, _LOADING)
    if given.get("proxies"):
        logger.warning(
            "`proxies` has no effect: set HTTPS_PROXY in the environment."
        )
    ignored = sorted(_OF_A_CALL & given.keys())
    if ignored:
        logger.warning(
            "`from_pretrained` has no use for %s: pass them to each call of "
            "the tokenizer. A limit for all texts is `model_max_length`.",
            ignored,
        )
    rest = {
        {"use_auth_token": "token"}.get(name, name): value
        for name, value in given.items()
        if name not in _WITHOUT_EFFECT | _OF_A_CALL and name not in asked
    }
    if rest.get("torch_dtype") == "auto":
        del rest["torch_dtype"]
    return rest
