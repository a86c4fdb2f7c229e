"""`tf-longformer bench`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Annotated
from typing import Any

import typer

from tf_longformer.cli.console import console
from tf_longformer.cli.console import import_backend


def bench(
    checkpoint: Annotated[
        str | None,
        typer.Argument(
            help="A folder, mini, or an id of the hub; without it random "
            "weights of the size of longformer-base-4096."
        ),
    ] = None,
    length: Annotated[
        list[int] | None,
        typer.Option(min=1, help="Tokens of a row; may be repeated."),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Rows.")] = 1,
    global_tokens: Annotated[
        int, typer.Option(min=0, help="Global tokens of a row.")
    ] = 1,
    layers: Annotated[
        int | None,
        typer.Option(min=1, help="Layers, where the weights are random."),
    ] = None,
    policy: Annotated[
        str, typer.Option(help="Dtype policy, such as mixed_bfloat16.")
    ] = "float32",
    xla: Annotated[
        bool, typer.Option(help="Compile with XLA, as JAX always does.")
    ] = False,
    training: Annotated[
        bool, typer.Option(help="Time training steps, not forward passes.")
    ] = False,
    repeat: Annotated[int, typer.Option(min=1, help="Timed calls.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a line of JSON a length.")
    ] = False,
) -> None:
    """Time a model on this machine: your shapes, your policy.

    Prints the median of the calls, tokens a second, and the peak memory of
    the process so far beside the estimate.
    """
    import_backend()
    import keras

    from tf_longformer.memory import estimate_memory
    from tf_longformer.memory import peak_bytes

    keras.config.set_dtype_policy(policy)
    lengths = sorted(length or [512, 1024, 2048, 4096])
    model = _make_model(checkpoint, layers, lengths[-1], training)
    for tokens in lengths:
        seconds = _time_calls(
            _make_call(model, batch, tokens, global_tokens, xla, training),
            repeat,
        )
        estimate = estimate_memory(
            model.config, batch, tokens, training, policy
        )
        row = {
            "length": tokens,
            "batch": batch,
            "seconds": statistics.median(seconds),
            "tokens_per_second": batch * tokens / statistics.median(seconds),
            "peak_bytes": peak_bytes(),
            "estimated_bytes": estimate.total,
        }
        if as_json:
            console.print_json(data=row, indent=None)
            continue
        console.print(
            f"{batch} x {tokens:6} tokens  {row['seconds']:8.3f} s  "
            f"{row['tokens_per_second']:10,.0f} tokens/s  "
            f"{_mib(row['peak_bytes'])} MiB, estimated {_mib(estimate.total)}"
        )


def _make_model(
    checkpoint: str | None, layers: int | None, longest: int, training: bool
) -> Any:
    from tf_longformer import LongformerConfig
    from tf_longformer import TFLongformerForSequenceClassification
    from tf_longformer import TFLongformerModel

    cls = (
        TFLongformerForSequenceClassification if training else TFLongformerModel
    )
    if checkpoint is None:
        return cls(
            LongformerConfig(
                vocab_size=50265,
                type_vocab_size=1,
                num_hidden_layers=layers or 12,
                max_position_embeddings=longest + 2,
            )
        )
    if layers is not None:
        raise ValueError(
            "A checkpoint has its own layers. Received: a checkpoint and "
            f"--layers {layers}. Leave one of them out."
        )
    model = cls.from_pretrained(checkpoint)
    limit = model.config.max_tokens
    if longest > limit:
        raise ValueError(
            f"The checkpoint has positions for {limit} tokens. Received: "
            f"--length {longest}. Use a shorter one."
        )
    return model


def _make_call(
    model: Any,
    batch: int,
    length: int,
    global_tokens: int,
    xla: bool,
    training: bool,
) -> Callable[[], Any]:
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    low = min(3, model.config.vocab_size - 1)
    ids = rng.integers(low, model.config.vocab_size, (batch, length), "int32")
    marked = np.zeros_like(ids)
    marked[:, :global_tokens] = 1
    x = {
        "input_ids": ids,
        "attention_mask": np.ones_like(ids),
        "global_attention_mask": marked,
    }
    # Without XLA, JAX has no graph: it would run one operation at a time.
    compiled = xla or keras.backend.backend() == "jax"
    model.compile(keras.optimizers.AdamW(3e-5), jit_compile=compiled)
    if training:
        labels = np.zeros(batch, "int32")
        return lambda: model.train_on_batch(x, labels)
    return lambda: model.predict_on_batch(x)


def _time_calls(call: Callable[[], Any], repeat: int) -> list[float]:
    """Seconds of calls after two that compile and warm up."""
    seconds = []
    for _ in range(repeat + 2):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds[2:]


def _mib(size: int | None) -> str:
    return "?" if size is None else f"{size / 2**20:,.0f}"
