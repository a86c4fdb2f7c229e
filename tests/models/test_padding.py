"""Padding is invisible: a row gives its numbers alone and in any company."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

import tf_longformer

HEADS = {
    "TFLongformerModel": ("last_hidden_state", "pooler_output"),
    "TFLongformerForMaskedLM": ("logits",),
    "TFLongformerForQuestionAnswering": ("start_logits", "end_logits"),
    "TFLongformerForSequenceClassification": ("logits",),
    "TFLongformerForTokenClassification": ("logits",),
}
PER_TOKEN = {"last_hidden_state", "start_logits", "end_logits"}


@pytest.fixture(scope="module")
def models():
    keras.utils.set_random_seed(3)
    config = tf_longformer.LongformerConfig(
        vocab_size=53,
        hidden_size=12,
        num_hidden_layers=3,
        num_attention_heads=3,
        intermediate_size=19,
        # The mix that HF can't have.
        attention_window=[8, 12, 2],
        max_position_embeddings=150,
        initializer_range=0.4,
        layer_norm_eps=1e-5,
    )
    made = {name: getattr(tf_longformer, name)(config) for name in HEADS}
    for model in made.values():
        rng = np.random.default_rng(0)
        for weight in model.trainable_weights:
            if weight.path.split("/")[-1] in ("bias", "beta", "gamma"):
                weight.assign_add(0.4 * rng.standard_normal(weight.shape))
    return made


def row_of(tokens, seed):
    """A pair, so that question answering has its question."""
    rng = np.random.default_rng(seed)
    ids = rng.integers(4, 53, tokens)
    ids[[0, -1]] = 0, 2
    ids[tokens // 3 : tokens // 3 + 2] = 2
    return ids, (rng.random(tokens) < 0.2).astype(int)


def batch_of(rows, lengths, sides, with_globals):
    width = max(lengths)
    arrays = {
        name: np.full((len(rows), width), fill, "int32")
        for name, fill in (
            ("input_ids", 1),
            ("attention_mask", 0),
            ("global_attention_mask", 0),
        )
    }
    places = []
    for index, ((ids, flags), side) in enumerate(zip(rows, sides, strict=True)):
        start = width - len(ids) if side == "left" else 0
        place = slice(start, start + len(ids))
        arrays["input_ids"][index, place] = ids
        arrays["attention_mask"][index, place] = 1
        arrays["global_attention_mask"][index, place] = flags
        # What is padding can't be global, whatever the mask says.
        padding = arrays["attention_mask"][index] == 0
        arrays["global_attention_mask"][index, padding] = 1
        places.append(place)
    if not with_globals:
        del arrays["global_attention_mask"]
    return arrays, places


@given(
    lengths=st.lists(st.integers(8, 90), min_size=1, max_size=3),
    extra=st.integers(0, 40),
    left=st.lists(st.booleans(), min_size=3, max_size=3),
    with_globals=st.booleans(),
    head=st.sampled_from(sorted(HEADS)),
    seed=st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None, derandomize=True)
def test_alone_and_in_company(
    models, lengths, extra, left, with_globals, head, seed
):
    model = models[head]
    rows = [row_of(n, seed + i) for i, n in enumerate(lengths)]
    sides = ["left" if is_left else "right" for is_left in left][: len(rows)]
    arrays, places = batch_of(
        rows, [*lengths, max(lengths) + extra], sides, with_globals
    )
    together = model(arrays)
    for index, (ids, flags) in enumerate(rows):
        alone = model(
            ids[None],
            global_attention_mask=flags[None] if with_globals else None,
        )
        for name in HEADS[head]:
            expected = alone[name].numpy()[0]
            found = together[name].numpy()[index]
            if name in PER_TOKEN or expected.ndim == 2:
                found = found[places[index]]
            assert found.shape == expected.shape
            gap = np.abs(found - expected).max() / np.abs(expected).max()
            assert gap < 1e-5, (name, index)


def test_multiple_choice_alone_and_in_company(models):
    config = models["TFLongformerModel"].config
    model = tf_longformer.TFLongformerForMultipleChoice(config)
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign_add(0.3 * rng.standard_normal(weight.shape))
    rows = [row_of(n, n) for n in (20, 33, 27, 12)]
    arrays, _ = batch_of(rows, [20, 33, 27, 12], ["right", "left"] * 2, True)
    arrays = {name: value.reshape(2, 2, -1) for name, value in arrays.items()}
    together = model(arrays).logits.numpy().ravel()
    for (ids, flags), logit in zip(rows, together, strict=True):
        alone = model(
            ids[None, None], global_attention_mask=flags[None, None]
        ).logits.numpy()
        assert np.isclose(alone.item(), logit, rtol=1e-5)
