"""How well a masked language model fills masks in."""

from __future__ import annotations

import math


def masked_lm_metrics(
    loss_sum: float, tokens: int, characters: int | None = None
) -> dict[str, float]:
    """Returns the loss of a token, the perplexity, and bits per character.

    Args:
        loss_sum: float, the sum of the losses (nats) of all tokens that were
            to be found.
        tokens: int, how many there were.
        characters: int, how many characters of text these tokens stand for.
            Unlike a token's loss, bits per character compare models with
            different tokenizers. Defaults to none, and no such metric.

    Returns:
        Dict with `loss` (`loss_sum / tokens`), `perplexity` (its `exp`;
        infinite past the range of floats) and `bits_per_character`.

    Raises:
        ValueError: for no token or character, or a loss that isn't a number
            of at least 0.
    """
    if not (math.isfinite(loss_sum) and loss_sum >= 0):
        raise ValueError(
            "A sum of losses must be a finite number of at least 0. Received: "
            f"{loss_sum}. See that the model's weights are finite."
        )
    if tokens < 1 or (characters is not None and characters < 1):
        raise ValueError(
            "There must be tokens to find, and characters that they stand "
            f"for. Received: {tokens} tokens, {characters} characters. Mask "
            "more, or evaluate more text."
        )
    loss = loss_sum / tokens
    metrics = {
        "loss": float(loss),
        "perplexity": math.exp(loss) if loss < 709 else math.inf,
    }
    if characters is not None:
        metrics["bits_per_character"] = loss_sum / math.log(2) / characters
    return metrics
