"""The tokenizer and the one in the graph agree about every character."""

import numpy as np
import pytest
import tensorflow as tf
from tokenization.conftest import SMALL
from tokenizers import AddedToken

from tf_longformer import LongformerTextPreprocessor
from tf_longformer import LongformerTokenizer

pytestmark = pytest.mark.slow
CODES = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]
STEP = 1 << 14
# Between others, behind and before spaces, beside a token that takes spaces
# with it, alone, and beside one that doesn't stand beside a word.
CONTEXT = "a{0}1 {0} {0}<mask>{0}NEW</s>"


def test_every_character():
    tokenizer = LongformerTokenizer.from_pretrained(SMALL)
    tokenizer.add_tokens(AddedToken("NEW", single_word=True, rstrip=True))
    layer = LongformerTextPreprocessor(tokenizer)
    encode = tf.function(
        lambda texts: layer(texts)["input_ids"],
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    for start in range(0, len(CODES), STEP):
        text = "".join(
            CONTEXT.format(chr(code)) for code in CODES[start : start + STEP]
        )
        wanted = np.array(tokenizer.encode(text))
        which = f"of {start:X} and on"
        np.testing.assert_array_equal(encode([text])[0], wanted, which)
