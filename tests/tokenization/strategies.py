"""What hypothesis draws for tokenizers."""

from hypothesis import strategies as st

PIECES = [
    *" \t\n\r\u00a0\u3000\x85\x1c\x00\u200b\u2028",
    *"abesthmldvr'’.,!?-_",
    *"0129¾Ⅷ٣²𝟘",
    *"éßǅ日本語한\u0301😀👩\u200d\ufffd\ufeff",
    "'s",
    "'ll",
    "'re",
    " the",
    "  ",
    "\n\n",
    "<mask>",
    "<s>",
    "</s>",
    "<pad>",
    "NEW",
    "new word",
    "abc",
]
TEXTS = st.one_of(
    st.text(max_size=20),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.from_regex(r"[ \n\u00a0]{0,4}'?[a-z]{0,3}'[a-z]{0,4}", fullmatch=True),
)


@st.composite
def calls(draw, words=False):
    """Keyword arguments of a call."""
    one = st.lists(TEXTS, max_size=5) if words else TEXTS
    call = {
        "return_offsets_mapping": True,
        "return_special_tokens_mask": True,
        "add_special_tokens": draw(st.booleans()),
        "is_split_into_words": words,
    }
    pair, several = draw(st.booleans()), draw(st.booleans())
    if several:
        one = st.lists(one, min_size=3, max_size=3)
    call["text"] = draw(one)
    if pair:
        call["text_pair"] = draw(one)
    if draw(st.booleans()):
        call["truncation"] = draw(
            st.sampled_from(["longest_first", "only_first", "only_second"])
        )
        # With less room, or a longer stride, ours always raise.
        length = call["max_length"] = draw(st.integers(4, 24))
        longest = max(min(length - 5, 3), 0)
        call["stride"] = draw(st.one_of(st.just(0), st.integers(0, longest)))
        call["return_overflowing_tokens"] = draw(st.booleans())
    if draw(st.booleans()):
        call["padding"] = "max_length" if "max_length" in call else True
        call["padding_side"] = draw(st.sampled_from(["left", "right"]))
    return call
