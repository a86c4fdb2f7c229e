"""Under JAX, attention by blocks that a kernel takes equals that by a loop.

There is no cuDNN on a CPU: `jax.nn.dot_product_attention` takes its operations
of XLA for the same blocks and masks.
"""

from unittest import mock

import jax
import keras
import numpy as np
from helpers import checks
from helpers import tiny

from tf_longformer.attention import assign_roles
from tf_longformer.attention import flash
from tf_longformer.attention import flash_windowed_attention
from tf_longformer.attention import windowed_attention
from tf_longformer.layers import self_attention

HEADS, HEAD_DIM = 2, 8
# Length, radius and global tokens of the first row. Up to 128 + 2 * radius
# tokens are one block; then there are whole blocks and not, of few and many
# pieces of keys. More than 16 global tokens aren't the kernel's.
CASES = (
    *[(1, 4, None), (7, 4, 0), (7, 50, 1), (130, 1, 16), (131, 3, 90)],
    *[(152, 12, 17), (153, 12, 16), (256, 20, None), (300, 64, 1)],
    *[(385, 100, 17), (700, 256, 0), (1024, 200, 16), (1024, 200, 90)],
)


def masks(random, seq, globals_):
    """Three rows: one whole, one with padding at both ends, and one empty."""
    attended = np.ones((3, seq), "int32")
    attended[1, : seq // 5] = attended[1, seq - seq // 3 :] = 0
    attended[2] = 0
    if globals_ is None:
        return attended, None
    is_global = np.zeros((3, seq), "int32")
    for row, share in zip(is_global, (1.0, 0.7, 0.3), strict=True):
        row[random.permutation(seq)[: int(globals_ * share)]] = 1
    return attended, is_global


def results(attend, roles, tensors, upstream):
    """The output and the gradients of query, key and value, compiled."""

    def run(tensors, upstream):
        output, pull_back = jax.vjp(lambda *x: attend(*x, roles), *tensors)
        return output, *pull_back(upstream)

    return jax.jit(run)(tensors, upstream)


def check_attention(seq, radius, globals_, dtype, tolerance):
    random = np.random.default_rng([seq, radius])
    tensors = [
        jax.numpy.asarray(random.normal(0, 2, (3, HEADS, seq, HEAD_DIM)), dtype)
        for _ in range(3)
    ]
    upstream = jax.numpy.asarray(
        random.normal(size=(3, seq, HEADS * HEAD_DIM)), dtype
    )
    roles = assign_roles(*masks(random, seq, globals_))
    ours, theirs = (
        results(
            lambda *x, attend=attend: attend(*x, radius),
            roles,
            tensors,
            upstream,
        )
        for attend in (flash_windowed_attention, windowed_attention)
    )
    for one, other in zip(ours, theirs, strict=True):
        checks.assert_equal(
            np.asarray(one, "float32"), np.asarray(other, "float32"), tolerance
        )


def run_model(head="ForTokenClassification", **fields):
    """Logits, and losses and weights of training; and calls of the kernel."""
    model = checks.seeded(tiny.make_model, head, **fields)
    model.flash_attention = True
    batch = {**tiny.make_inputs(head), **tiny.make_labels(head)}
    with mock.patch.object(
        flash, "flash_attention", wraps=flash.flash_attention
    ) as kernel:
        logits = model.predict(tiny.make_inputs(head), verbose=0)["logits"]
        predicted = kernel.call_count
        keras.utils.set_random_seed(3)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9))
        history = model.fit(batch, epochs=2, verbose=0, shuffle=False)
        trained = kernel.call_count - predicted
    weights = map(np.asarray, model.weights)
    return [logits, history.history["loss"], *weights], predicted, trained


def check_model(trains, **fields):
    """The same with a kernel, and where it isn't to be had as without one."""
    plain, *calls = run_model(**fields)
    assert calls == [0, 0]
    with mock.patch.object(
        self_attention, "has_flash_attention", return_value=True
    ):
        found, predicted, trained = run_model(**fields)
    assert predicted > 0
    assert (trained > 0) == trains
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-6)


def main():
    for case in CASES:
        check_attention(*case, "float32", 1e-5)
    check_attention(300, 64, 16, "bfloat16", 2e-2)
    whole = {"attention_probs_dropout_prob": 0.0, "hidden_dropout_prob": 0.3}
    check_model(True, **whole)
    check_model(True, gradient_checkpointing=True, **whole)
    # Dropout of the probabilities needs the probabilities.
    check_model(False, attention_probs_dropout_prob=0.2)


if __name__ == "__main__":
    main()
