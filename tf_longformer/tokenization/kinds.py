"""What tokenizers of a kind have beside the pipeline: names and defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from collections.abc import Mapping
from typing import Any

from tf_longformer.tokenization import byte_level
from tf_longformer.tokenization import wordpiece
from tf_longformer.tokenization.special_tokens import DEFAULT_TOKENS


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of pipelines.

    Args:
        name: str, for messages.
        tokenizer_class: str, the class of transformers that makes such a
            pipeline of its vocabulary alone.
        cuts_as_class: function of a `tokenizer.json`: whether the class cuts
            texts as this pipeline does.
        make_frame: function of the tokens before and behind a text, each with
            its id: the post-processor that puts them there. `None` for none.
        separators: int, how many of the latter stand between two texts.
        second_type: int, the token type of a second text.
        roles: dict of roles to their tokens, where nothing else says.
        mask_takes_space: bool, whether a new mask token takes the spaces
            before it with it: it stands for a word, which has a space.
        model_input_names: tuple of str, what a call returns.
    """

    name: str
    tokenizer_class: str
    cuts_as_class: Callable[[Mapping[str, Any]], bool]
    make_frame: Callable[..., dict[str, Any]] | None
    separators: int
    second_type: int
    roles: Mapping[str, str | None]
    mask_takes_space: bool
    model_input_names: tuple[str, ...]


def _never(content: Mapping[str, Any]) -> bool:
    return False


# The class that opens any `tokenizer.json`.
ANY_CLASS = "PreTrainedTokenizerFast"

BYTE_LEVEL = Kind(
    name="byte-level BPE",
    tokenizer_class="LongformerTokenizer",
    cuts_as_class=byte_level.cuts_as_roberta,
    make_frame=byte_level.make_frame,
    separators=2,
    second_type=0,
    roles=DEFAULT_TOKENS,
    mask_takes_space=True,
    model_input_names=("input_ids", "attention_mask"),
)
WORDPIECE = Kind(
    name="WordPiece",
    tokenizer_class="BertTokenizerFast",
    cuts_as_class=wordpiece.cuts_as_bert,
    make_frame=wordpiece.make_frame,
    separators=1,
    second_type=1,
    roles=wordpiece.ROLES,
    mask_takes_space=False,
    model_input_names=("input_ids", "token_type_ids", "attention_mask"),
)
OTHER = dataclasses.replace(
    BYTE_LEVEL,
    name="another kind",
    tokenizer_class=ANY_CLASS,
    cuts_as_class=_never,
    make_frame=None,
)


def kind_of(content: Mapping[str, Any]) -> Kind:
    """Returns the kind of a pipeline, as `tokenizer.json` has it."""
    name = content["model"].get("type")
    if name == "WordPiece":
        return WORDPIECE
    if byte_level.is_byte_level(content):
        return BYTE_LEVEL
    return dataclasses.replace(OTHER, name=name)
