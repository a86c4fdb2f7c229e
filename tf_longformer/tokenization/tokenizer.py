"""Text to ids and back: the one tokenizer, on the `tokenizers` library."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any
from typing import TypeVar

from tokenizers import AddedToken
from tokenizers import Encoding
from tokenizers import Tokenizer

from tf_longformer import hub
from tf_longformer import old_keywords
from tf_longformer.errors import shown
from tf_longformer.list_arguments import refuse_string
from tf_longformer.tokenization import byte_level
from tf_longformer.tokenization import files
from tf_longformer.tokenization import layout as layouts
from tf_longformer.tokenization import text_arguments
from tf_longformer.tokenization import training
from tf_longformer.tokenization import wordpiece
from tf_longformer.tokenization.batch_encoding import BatchEncoding
from tf_longformer.tokenization.batch_encoding import check_tensor_type
from tf_longformer.tokenization.kinds import BYTE_LEVEL
from tf_longformer.tokenization.layout import Layout
from tf_longformer.tokenization.pipeline import Pipeline
from tf_longformer.tokenization.special_tokens import ROLES
from tf_longformer.tokenization.special_tokens import RoleToken
from tf_longformer.tokenization.special_tokens import RoleTokenId
from tf_longformer.tokenization.special_tokens import as_added_token

logger = logging.getLogger("tf_longformer")

T = TypeVar("T", bound="LongformerTokenizer")

# Arguments of the class that are attributes too, and that a
# `tokenizer_config.json` may hold.
SETTINGS = (
    "errors",
    "add_prefix_space",
    "trim_offsets",
    "model_max_length",
    "padding_side",
    "truncation_side",
    "clean_up_tokenization_spaces",
    "split_special_tokens",
    "model_input_names",
)
# Special tokens without a role, by transformers 4 and by transformers 5.
ADDITIONAL = ("additional_special_tokens", "extra_special_tokens")
# Keywords of transformers' methods: see `old_keywords.check`.
_CONSTRUCTION = {"from_slow": ((True, False), "")}
_NORMALIZATION = {
    "do_lower_case": (
        (False,),
        "The vocabulary has capitals: lower the texts before, `text.lower()`.",
    ),
    "strip_accents": ((False,), "Leave it out: it is of BERT's normalizer."),
    "tokenize_chinese_chars": (
        (False,),
        "Leave it out: it is of BERT's normalizer.",
    ),
}
_SAVING = {
    "push_to_hub": old_keywords.PUSH,
    "legacy_format": ((), "Leave it out: the files of both forms are written."),
    "filename_prefix": (
        ("",),
        "Prefixes are for `save_vocabulary(folder, filename_prefix=...)`.",
    ),
}

# What `clean_up_tokenization` replaces: old datasets have spaces before
# punctuation and English endings.
_CLEANED = (
    (" .", "."),
    (" ?", "?"),
    (" !", "!"),
    (" ,", ","),
    (" ' ", "'"),
    (" n't", "n't"),
    (" 'm", "'m"),
    (" 's", "'s"),
    (" 've", "'ve"),
    (" 're", "'re"),
)


# The roles whose tokens stand before and behind texts, and their places.
_FRAME_ROLES = {"cls": "cls_token", "sep": "sep_token"}


class _AsItsKind:
    """The default of arguments for which each kind has its own."""

    def __repr__(self) -> str:
        return "as its kind"


AS_ITS_KIND = _AsItsKind()


class LongformerTokenizer:
    """A Longformer's tokenizer: a pipeline of the `tokenizers` library.

    Most are byte-level BPE as RoBERTa's, whose rows are `<s> A </s>`, or
    `<s> A </s></s> B </s>` for a pair; models that were made of a BERT have
    WordPiece, others Unigram. Encoding runs in Rust, many texts at once.
    `LongformerTokenizerFast` is another name of this class.

    Args:
        vocab_file: path of `vocab.json`, or of BERT's `vocab.txt`. Defaults
            to none.
        merges_file: path of `merges.txt`, which `vocab.json` needs. Defaults
            to none.
        tokenizer_file: path of `tokenizer.json`, in place of the two.
            Defaults to none.
        tokenizer_object: `tokenizers.Tokenizer`, or a dict with what
            `tokenizer.json` holds, in place of files. Defaults to none.
        vocab: dict of tokens to ids, of byte-level BPE. Defaults to none.
        merges: list of pairs of tokens, with `vocab`. Defaults to none.
        errors: str, what decoding does with bytes that aren't UTF-8, as of
            `bytes.decode`. Defaults to `"replace"`.
        bos_token: str or `AddedToken`. Defaults to what is usual with the
            kind: `"<s>"`, and none with WordPiece. What the vocabulary lacks
            is added to it.
        eos_token: the same, `"</s>"`, and none with WordPiece.
        sep_token: the same, `"</s>"` or `"[SEP]"`.
        cls_token: the same, `"<s>"` or `"[CLS]"`.
        unk_token: the same, `"<unk>"` or `"[UNK]"`.
        pad_token: the same, `"<pad>"` or `"[PAD]"`.
        mask_token: the same, `"<mask>"` or `"[MASK]"`; but for WordPiece, as
            a string it takes the spaces before it with it.
        additional_special_tokens: list of further special tokens. Defaults
            to none.
        extra_special_tokens: another name of it, as in transformers 5; or a
            dict of names (`"image_token"`) to tokens, which become
            attributes as roles are. Defaults to none.
        add_prefix_space: bool, of byte-level BPE: whether a text gets a
            space before its first word, so that it is spelt as any other.
            Needed for texts that are split into words. Defaults to `False`,
            whatever `tokenizer_file` says, as in transformers.
        trim_offsets: bool, of byte-level BPE: whether offsets leave out
            spaces. Defaults to `True`, whatever `tokenizer_file` says.
        do_lower_case: bool, of BERT's normalizer. Defaults to what the
            pipeline says, and to `True` for `vocab.txt`.
        strip_accents: bool, of the same; `None` if it lowers. Defaults to
            what the pipeline says, and to `None` for `vocab.txt`.
        tokenize_chinese_chars: bool, of the same, whether each is a word.
            Defaults to what the pipeline says, and to `True` for
            `vocab.txt`.
        model_max_length: int, `max_length` where a call names none. Defaults
            to no bound.
        max_len: another name of it, as in old files. Defaults to none.
        padding_side: `"right"` or `"left"`. Defaults to `"right"`.
        truncation_side: the side that is cut. Defaults to `"right"`.
        clean_up_tokenization_spaces: bool, whether decoding removes spaces
            before punctuation. Defaults to `False`.
        split_special_tokens: bool, whether special tokens in a text are cut
            as any other word. Defaults to `False`.
        model_input_names: list of names that a call returns. Defaults to
            `("input_ids", "attention_mask")`, for WordPiece with
            `"token_type_ids"` between them.
        **unknown: none; what old code passes is named in the error.

    Raises:
        FileNotFoundError: if there is no vocabulary.
        ValueError: if the files or values don't fit together.
        TypeError: for a token that isn't one, or an unknown argument.
    """

    is_fast = True
    pad_token_type_id = 0

    bos_token = RoleToken()
    eos_token = RoleToken()
    unk_token = RoleToken()
    sep_token = RoleToken()
    pad_token = RoleToken()
    cls_token = RoleToken()
    mask_token = RoleToken()
    bos_token_id = RoleTokenId()
    eos_token_id = RoleTokenId()
    unk_token_id = RoleTokenId()
    sep_token_id = RoleTokenId()
    pad_token_id = RoleTokenId()
    cls_token_id = RoleTokenId()
    mask_token_id = RoleTokenId()

    def __init__(
        self,
        vocab_file: str | os.PathLike | None = None,
        merges_file: str | os.PathLike | None = None,
        tokenizer_file: str | os.PathLike | None = None,
        *,
        tokenizer_object: Tokenizer | Mapping[str, Any] | None = None,
        vocab: Mapping[str, int] | None = None,
        merges: Sequence[tuple[str, str]] = (),
        errors: str = "replace",
        bos_token: Any = AS_ITS_KIND,
        eos_token: Any = AS_ITS_KIND,
        sep_token: Any = AS_ITS_KIND,
        cls_token: Any = AS_ITS_KIND,
        unk_token: Any = AS_ITS_KIND,
        pad_token: Any = AS_ITS_KIND,
        mask_token: Any = AS_ITS_KIND,
        additional_special_tokens: Sequence[Any] | None = None,
        extra_special_tokens: Sequence[Any] | Mapping[str, Any] | None = None,
        add_prefix_space: bool = False,
        trim_offsets: bool = True,
        do_lower_case: Any = AS_ITS_KIND,
        strip_accents: Any = AS_ITS_KIND,
        tokenize_chinese_chars: Any = AS_ITS_KIND,
        model_max_length: int | None = None,
        max_len: int | None = None,
        padding_side: str = "right",
        truncation_side: str = "right",
        clean_up_tokenization_spaces: bool = False,
        split_special_tokens: bool = False,
        model_input_names: Sequence[str] | None = None,
        **unknown: Any,
    ) -> None:
        old_keywords.check(type(self).__name__, unknown, _CONSTRUCTION)
        if tokenizer_object is not None:
            content = _read_object(tokenizer_object)
        elif vocab is not None:
            content = _read_values(vocab, merges)
        else:
            content = files.read_pipeline(
                vocab_file, merges_file, tokenizer_file
            )
        content = byte_level.with_settings(
            content, bool(add_prefix_space), bool(trim_offsets)
        )
        normalizer_settings = {
            name: value
            for name, value in (
                ("do_lower_case", do_lower_case),
                ("strip_accents", strip_accents),
                ("tokenize_chinese_chars", tokenize_chinese_chars),
            )
            if value is not AS_ITS_KIND
        }
        if wordpiece.has_bert_normalizer(content):
            content = wordpiece.with_settings(content, normalizer_settings)
        else:
            old_keywords.check(
                type(self).__name__, normalizer_settings, _NORMALIZATION
            )
        self.pipeline = pipeline = Pipeline(content)
        layouts.check_side("padding_side", padding_side)
        layouts.check_side("truncation_side", truncation_side)
        self.errors = errors
        refuse_string("model_input_names", model_input_names)
        additional, named = _read_additional(
            additional_special_tokens, extra_special_tokens
        )
        self.add_prefix_space = bool(add_prefix_space)
        self.trim_offsets = bool(trim_offsets)
        if model_max_length is None:
            model_max_length = max_len
        self.model_max_length = layouts.read_max_length(model_max_length)
        self.padding_side = padding_side
        self.truncation_side = truncation_side
        self.clean_up_tokenization_spaces = bool(clean_up_tokenization_spaces)
        self.split_special_tokens = bool(split_special_tokens)
        self.model_input_names = list(
            model_input_names or pipeline.kind.model_input_names
        )
        self.name_or_path = ""
        # What a config says beside the settings, to be written back.
        self._other_settings: dict[str, Any] = {}
        # Whether a row longer than `model_max_length` has been logged.
        self._warned = False
        roles = {
            "bos_token": bos_token,
            "eos_token": eos_token,
            "unk_token": unk_token,
            "sep_token": sep_token,
            "pad_token": pad_token,
            "cls_token": cls_token,
            "mask_token": mask_token,
        }
        usual = {**pipeline.kind.roles, **self._read_frame_roles()}
        given = {n: t for n, t in roles.items() if t is not AS_ITS_KIND}
        # Tokens that the vocabulary lacks get the next ids, in this order.
        self._roles: dict[str, str | None] = {
            name: None
            if token is None
            else pipeline.add_special(
                token,
                name == "mask_token" and pipeline.kind.mask_takes_space,
            )
            for name, token in {**roles, **usual, **given, **named}.items()
        }
        self._additional = [pipeline.add_special(token) for token in additional]
        if pipeline.library.post_processor is None:
            self._make_frame()
        for place, name in _FRAME_ROLES.items():
            if name in given and (token := self._roles[name]) is not None:
                pipeline.set_frame(place, token)

    def _read_frame_roles(self) -> dict[str, str | None]:
        """Returns the tokens that the pipeline puts around a text."""
        single, _ = self.pipeline.frames
        if [index is None for index, _ in single] != [False, True, False]:
            return {}
        (cls, _), _, (sep, _) = single
        tokens = self.convert_ids_to_tokens([cls, sep])
        return dict(zip(_FRAME_ROLES.values(), tokens, strict=True))

    def _make_frame(self) -> None:
        """Has the usual tokens put around texts; a `ValueError` without them.

        Pipelines of other kinds stay as they are.
        """
        cls, sep = self.cls_token, self.sep_token
        if self.pipeline.kind.make_frame is None:
            return
        if cls is None or sep is None:
            raise ValueError(
                "Texts need a `cls_token` before and a `sep_token` behind. "
                f"Received: cls_token={cls!r}, sep_token={sep!r}. Leave them "
                "at their defaults."
            )
        self.pipeline.make_frame(
            cls,
            sep,
            trim_offsets=self.trim_offsets,
            add_prefix_space=self.add_prefix_space,
        )

    def __call__(
        self,
        text: Any = None,
        text_pair: Any = None,
        *,
        text_target: Any = None,
        text_pair_target: Any = None,
        add_special_tokens: bool = True,
        padding: Any = False,
        truncation: Any = None,
        max_length: int | None = None,
        stride: int = 0,
        is_split_into_words: bool = False,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_offsets_mapping: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        split_special_tokens: bool | None = None,
        **unknown: Any,
    ) -> BatchEncoding:
        """Encodes a text or a pair, or several of them.

        Args:
            text: a string or a list of strings; with `is_split_into_words` a
                list of words, or a list of such lists.
            text_pair: second texts, of the same form. Defaults to none.
            text_target: texts whose ids are the `labels`; without `text`
                they are encoded in its place. Defaults to none.
            text_pair_target: second texts of these. Defaults to none.
            add_special_tokens: bool, whether to put `<s>` and `</s>` around
                the texts. Defaults to `True`.
            padding: `True` or `"longest"` fills rows up to the longest one,
                `"max_length"` up to `max_length`. Defaults to `False`.
            truncation: `True` or `"longest_first"` takes tokens from the
                longer text of a pair, `"only_first"` and `"only_second"`
                from that one. Defaults to `False`; to `True` where there is
                a `max_length` and no padding.
            max_length: int, tokens of a row with its special tokens.
                Defaults to `model_max_length`.
            stride: int, tokens that a piece of a long text shares with the
                one before. Defaults to `0`.
            is_split_into_words: bool. Needs `add_prefix_space`. Defaults to
                `False`.
            pad_to_multiple_of: int, of which the rows' length becomes a
                multiple. Defaults to none.
            padding_side: `"right"` or `"left"`. Defaults to the tokenizer's.
            return_tensors: `"np"` or `"tf"`. Defaults to lists.
            return_token_type_ids: bool; they are all 0. Defaults to `False`.
            return_attention_mask: bool. Defaults to `True`.
            return_overflowing_tokens: bool, whether what was cut off follows
                as rows of its own, with `overflow_to_sample_mapping`.
                Defaults to `False`.
            return_special_tokens_mask: bool, 1 for special tokens that stand
                around texts and for padding. Defaults to `False`.
            return_offsets_mapping: bool, whether to return each token's
                characters as pairs. Defaults to `False`.
            return_length: bool, whether to return the rows' lengths, as
                `length`. Defaults to `False`.
            verbose: bool, whether a row longer than `model_max_length` is
                logged, once. Defaults to `True`.
            split_special_tokens: bool, whether special tokens in a text are
                cut as any other word. Defaults to the tokenizer's.
            **unknown: none; what old code passes is named in the error.

        Returns:
            `BatchEncoding` of lists: `[seq]` for a single text, `[batch,
            seq]` for several or with overflowing tokens. Tensors always have
            both axes.

        Raises:
            TypeError: if the texts aren't strings, or an argument is unknown.
            ValueError: if arguments don't go together, or texts can't be cut
                to `max_length` as asked.
        """
        text_arguments.refuse_unknown(unknown)
        if text is None:
            text, text_pair = text_target, text_pair_target
            text_target = None
        kind = check_tensor_type(return_tensors)
        if split_special_tokens is None:
            split_special_tokens = self.split_special_tokens
        if (
            is_split_into_words
            and self._is_byte_level
            and not self.add_prefix_space
        ):
            raise ValueError(
                "Texts that are split into words need a tokenizer with "
                "`add_prefix_space=True`. Received: one without. Load it with "
                f"`{type(self).__name__}.from_pretrained(folder, "
                "add_prefix_space=True)`."
            )
        rows, batched = text_arguments.as_batch(
            text, text_pair, is_split_into_words
        )
        layout = layouts.choose_layout(
            self,
            padding,
            truncation,
            max_length,
            stride,
            pad_to_multiple_of,
            padding_side,
        )
        encodings, origins = self._encode_rows(
            rows,
            layout,
            add_special_tokens,
            is_split_into_words,
            split_special_tokens,
            return_overflowing_tokens,
        )
        wanted = {
            "input_ids": ("ids", True),
            "token_type_ids": ("type_ids", return_token_type_ids),
            "attention_mask": ("attention_mask", return_attention_mask),
            "special_tokens_mask": (
                "special_tokens_mask",
                return_special_tokens_mask,
            ),
            "offset_mapping": ("offsets", return_offsets_mapping),
        }
        data: dict[str, Any] = {}
        for name, (attribute, asked) in wanted.items():
            if name in self.model_input_names if asked is None else asked:
                data[name] = [getattr(one, attribute) for one in encodings]
        if return_length:
            data["length"] = [len(ids) for ids in data["input_ids"]]
        if return_overflowing_tokens:
            data["overflow_to_sample_mapping"] = origins
        if text_target is not None:
            rows, _ = text_arguments.as_batch(
                text_target, text_pair_target, is_split_into_words
            )
            targets, _ = self._encode_rows(
                rows,
                layout,
                add_special_tokens,
                is_split_into_words,
                split_special_tokens,
                return_overflowing_tokens,
            )
            data["labels"] = [one.ids for one in targets]
        if verbose and max_length is None:
            self._warn_if_long(data.get("labels", []))
            self._warn_if_long(data["input_ids"])
        if not batched and kind is None and not return_overflowing_tokens:
            data = {
                name: value[0] if isinstance(value[0], list) else value
                for name, value in data.items()
            }
        return BatchEncoding(data, encodings, tensor_type=kind)

    def _encode_rows(
        self,
        rows: list[Any],
        layout: Layout,
        add_special_tokens: bool,
        is_split_into_words: bool,
        split_special_tokens: bool,
        with_overflowing: bool,
    ) -> tuple[list[Encoding], list[int]]:
        """Returns encodings, and the number of the row that each is of."""
        if add_special_tokens:
            for pair in {isinstance(row, tuple) for row in rows}:
                special_tokens = self.num_special_tokens_to_add(pair)
                layouts.check_room(layout, special_tokens)
        else:
            layouts.check_room(layout, 0)
        encodings = self.pipeline.encode(
            rows,
            layout,
            (self.pad_token, self.pad_token_id),
            add_special_tokens,
            is_split_into_words,
            split_special_tokens,
        )
        if not with_overflowing:
            return encodings, list(range(len(encodings)))
        pieces = [[one, *one.overflowing] for one in encodings]
        origins = [n for n, part in enumerate(pieces) for _ in part]
        return [one for part in pieces for one in part], origins

    def encode_plus(self, *args: Any, **kwargs: Any) -> BatchEncoding:
        """Another name of a call, as old code has it."""
        return self(*args, **kwargs)

    def batch_encode_plus(
        self, batch_text_or_text_pairs: Sequence[Any], **kwargs: Any
    ) -> BatchEncoding:
        """A call with a list of texts or of pairs, as old code has it."""
        refuse_string("batch_text_or_text_pairs", batch_text_or_text_pairs)
        return self(list(batch_text_or_text_pairs), **kwargs)

    def encode(self, text: Any, text_pair: Any = None, **kwargs: Any) -> Any:
        """Returns the ids of a text or a pair.

        Args:
            text: str.
            text_pair: str. Defaults to none.
            **kwargs: further arguments of a call.

        Returns:
            List of ints, or a tensor with `return_tensors`.
        """
        return self(text, text_pair, **kwargs)["input_ids"]

    def tokenize(
        self,
        text: str,
        pair: str | None = None,
        add_special_tokens: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """Cuts a text into tokens, in the vocabulary's spelling.

        Args:
            text: str.
            pair: str. Defaults to none.
            add_special_tokens: bool. Defaults to `False`.
            **kwargs: further arguments of a call.

        Returns:
            List of strings.

        Raises:
            TypeError: for several texts.
        """
        if not isinstance(text, str) and not kwargs.get("is_split_into_words"):
            raise TypeError(
                "`tokenize` takes one text. Received: "
                f"{type(text).__name__}. Call it for each, or pass the list "
                "to the tokenizer itself and ask `tokens(row)`."
            )
        kwargs["add_special_tokens"] = add_special_tokens
        return self(text, pair, **kwargs).tokens()

    def pad(
        self,
        encoded_inputs: Any,
        padding: Any = True,
        max_length: int | None = None,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_attention_mask: bool | None = None,
        return_tensors: str | None = None,
        verbose: bool = True,
    ) -> BatchEncoding:
        """Fills rows of ids up to one length.

        Args:
            encoded_inputs: `BatchEncoding`, mapping of names to rows, or a
                list of mappings with a row each. `input_ids` must be there;
                masks are filled up too, all else is left as it is.
            padding: as of a call. Defaults to `True`.
            max_length: int, for `padding="max_length"`. Defaults to the
                tokenizer's.
            pad_to_multiple_of: int. Defaults to none.
            padding_side: `"right"` or `"left"`. Defaults to the tokenizer's.
            return_attention_mask: bool. Defaults to `True`.
            return_tensors: `"np"` or `"tf"`. Defaults to lists, and to
                `"np"` for arrays.
            verbose: accepted for old code, without effect.

        Returns:
            `BatchEncoding` without encodings.

        Raises:
            ValueError: if `input_ids` are missing or rows are of unequal
                number.
        """
        layout = layouts.choose_layout(
            self,
            padding,
            False,
            max_length,
            0,
            pad_to_multiple_of,
            padding_side,
        )
        if return_attention_mask is None:
            return_attention_mask = "attention_mask" in self.model_input_names
        data, arrays = layouts.pad_rows(
            encoded_inputs, layout, self.pad_token_id, return_attention_mask
        )
        kind = return_tensors or ("np" if arrays else None)
        return BatchEncoding(data, tensor_type=kind)

    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> Any:
        """Returns the text of ids.

        Args:
            token_ids: int, list of ints, array, or tensor; for rows of ids
                there is a list of texts.
            skip_special_tokens: bool. Defaults to `False`.
            clean_up_tokenization_spaces: bool, whether to remove spaces
                before punctuation. Defaults to the tokenizer's.
            spaces_between_special_tokens: accepted for old code, without
                effect, as in the fast tokenizer of transformers.

        Returns:
            str, or a list of them. Ids that there are not give nothing.

        Raises:
            TypeError: if the ids aren't whole numbers.
            ValueError: if one is negative, as -100 among labels.
        """
        ids = text_arguments.to_ids(token_ids)
        if isinstance(ids, list) and ids and isinstance(ids[0], list):
            return [
                self.decode(
                    row, skip_special_tokens, clean_up_tokenization_spaces
                )
                for row in ids
            ]
        if not isinstance(ids, list):
            ids = [ids]
        if min(ids, default=0) < 0:
            raise ValueError(
                "Ids must be 0 or more to be decoded. Received: "
                f"{min(ids)}. Take out what labels ignore first, e.g. "
                "`np.where(labels < 0, tokenizer.pad_token_id, labels)`."
            )
        if self._joins_bytes_itself:
            added = self.pipeline.added if skip_special_tokens else {}
            kept = [i for i in ids if not (i in added and added[i].special)]
            tokens = self.convert_ids_to_tokens(kept)
            text = self.convert_tokens_to_string([t for t in tokens if t])
        else:
            # The library takes no larger ids, of which there are none.
            ids = [index for index in ids if index < 2**32]
            text = self.pipeline.library.decode(ids, skip_special_tokens)
        if clean_up_tokenization_spaces is None:
            clean_up_tokenization_spaces = self.clean_up_tokenization_spaces
        if clean_up_tokenization_spaces:
            return self.clean_up_tokenization(text)
        return text

    def batch_decode(
        self,
        sequences: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        spaces_between_special_tokens: bool = True,
    ) -> list[str]:
        """Returns the texts of rows of ids, arguments as of `decode`."""
        rows = text_arguments.to_ids(sequences)
        return [
            self.decode(row, skip_special_tokens, clean_up_tokenization_spaces)
            for row in (rows if isinstance(rows, list) else [rows])
        ]

    @staticmethod
    def clean_up_tokenization(out_string: str) -> str:
        """Removes spaces before punctuation and English endings."""
        for before, after in _CLEANED:
            out_string = out_string.replace(before, after)
        return out_string

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        """Returns the text of tokens, as `tokenize` returned them."""
        refuse_string("tokens", tokens)
        if self._joins_bytes_itself:
            return byte_level.join_bytes(tokens, self.errors)
        decoder = self.pipeline.library.decoder
        return decoder.decode(list(tokens)) if decoder else " ".join(tokens)

    @property
    def _joins_bytes_itself(self) -> bool:
        """Whether the library's decoder can't: it knows no other `errors`."""
        return self._is_byte_level and self.errors != "replace"

    @property
    def vocab_size(self) -> int:
        """Entries of the vocabulary, without those that were added."""
        return self.pipeline.library.get_vocab_size(with_added_tokens=False)

    def __len__(self) -> int:
        """Entries of the vocabulary with those that were added."""
        return self.pipeline.library.get_vocab_size(with_added_tokens=True)

    def __bool__(self) -> bool:
        return True

    def get_vocab(self) -> dict[str, int]:
        """Returns all tokens with their ids."""
        return self.pipeline.library.get_vocab(with_added_tokens=True)

    @property
    def vocab(self) -> dict[str, int]:
        """All tokens with their ids."""
        return self.get_vocab()

    def get_added_vocab(self) -> dict[str, int]:
        """Returns the tokens that are found whole, with their ids."""
        return {t.content: index for index, t in self.pipeline.added.items()}

    @property
    def added_tokens_encoder(self) -> dict[str, int]:
        """The tokens that are found whole, with their ids."""
        return self.get_added_vocab()

    @property
    def added_tokens_decoder(self) -> dict[int, AddedToken]:
        """The tokens that are found whole, by their ids."""
        return dict(self.pipeline.added)

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """Returns the id of a token, or of each of several.

        Args:
            tokens: str, or iterable of strings.

        Returns:
            int, or list of ints; that of `unk_token` for what isn't known.

        Raises:
            TypeError: for something else.
        """
        if isinstance(tokens, str):
            return self.convert_tokens_to_ids([tokens])[0]
        if not isinstance(tokens, Iterable):
            raise TypeError(
                "Tokens must be a string or several strings. Received: "
                f"{shown(tokens)}. For ids use `convert_ids_to_tokens`."
            )
        unknown = self.unk_token_id
        ids = map(self.pipeline.id_of, tokens)
        return [unknown if index is None else index for index in ids]

    def convert_ids_to_tokens(
        self, ids: Any, skip_special_tokens: bool = False
    ) -> Any:
        """Returns the token of an id, or of each of several.

        Args:
            ids: int, or iterable, array or tensor of ints.
            skip_special_tokens: bool, whether to leave out special tokens of
                several. Defaults to `False`.

        Returns:
            str, or list of strings; `None` for an id that there isn't.

        Raises:
            TypeError: if the ids aren't whole numbers.
        """
        numbers = text_arguments.to_ids(ids)
        if not isinstance(numbers, list):
            return self.pipeline.token_of(numbers)
        skipped = set(self.all_special_ids) if skip_special_tokens else ()
        return [self.pipeline.token_of(i) for i in numbers if i not in skipped]

    def add_tokens(self, new_tokens: Any, special_tokens: bool = False) -> int:
        """Adds tokens, which are then found in texts before anything else.

        Args:
            new_tokens: str, `AddedToken`, or a list of them.
            special_tokens: bool, whether decoding can skip them. Defaults to
                `False`.

        Returns:
            How many of them were new. Resize the model's embeddings to
            `len(tokenizer)`.

        Raises:
            TypeError: for what isn't a token.
        """
        if not isinstance(new_tokens, list | tuple):
            new_tokens = [new_tokens]
        defaults = {}
        if special_tokens:
            defaults = {"special": True, "normalized": False}
        return self.pipeline.add(
            [as_added_token(token, **defaults) for token in new_tokens]
        )

    def add_special_tokens(
        self,
        special_tokens_dict: Mapping[str, Any],
        replace_additional_special_tokens: bool = True,
        replace_extra_special_tokens: bool = True,
    ) -> int:
        """Gives roles new tokens, and adds those to the vocabulary.

        Args:
            special_tokens_dict: dict of roles (`"pad_token"`) to strings or
                `AddedToken`s; `"additional_special_tokens"`, in transformers
                5 `"extra_special_tokens"`, to a list.
            replace_additional_special_tokens: bool, whether that list takes
                the place of the old one. Defaults to `True`.
            replace_extra_special_tokens: another name of it, as in
                transformers 5. Defaults to `True`.

        Returns:
            How many tokens were new.

        Raises:
            TypeError: for what isn't a token, or a string as a list.
            ValueError: for a role that there isn't.
        """
        unknown = sorted(set(special_tokens_dict) - {*self._roles, *ADDITIONAL})
        if unknown:
            raise ValueError(
                f"A special token must have one of the roles {list(ROLES)}, "
                "or be in `additional_special_tokens`. Received: "
                f"{shown(unknown)}. Correct the name."
            )
        extra, named = _read_additional(
            *map(special_tokens_dict.get, ADDITIONAL)
        )
        named |= {
            name: value
            for name, value in special_tokens_dict.items()
            if name not in ADDITIONAL
        }
        count = self.add_tokens([*named.values(), *extra], special_tokens=True)
        for name, value in named.items():
            self._set_role(name, value)
        if not set(ADDITIONAL).isdisjoint(special_tokens_dict):
            keep = not (
                replace_additional_special_tokens
                and replace_extra_special_tokens
            )
            names = [getattr(value, "content", value) for value in extra]
            old = self._additional if keep else []
            self._additional = list(dict.fromkeys([*old, *names]))
        return count

    def _set_role(self, name: str, value: Any) -> None:
        content = getattr(value, "content", value)
        if content is not None:
            if not isinstance(content, str):
                raise TypeError(
                    f"`{name}` must be a string. Received: {shown(value)}."
                )
            if self.pipeline.id_of(content) is None:
                raise ValueError(
                    f"`{name}` must be a token of the vocabulary. Received: "
                    f"{shown(content)}. Add it: `tokenizer.add_special_tokens("
                    f"{{{shown(name)}: {shown(content)}}})`."
                )
        self._roles[name] = content
        for place, role in _FRAME_ROLES.items():
            if name == role and content is not None:
                self.pipeline.set_frame(place, content)

    def __getattr__(self, name: str) -> Any:
        # Names that `extra_special_tokens` gave to tokens. While a copy is
        # being made there are no roles yet.
        roles = self.__dict__.get("_roles", {})
        if name in roles:
            return roles[name]
        role = name.removesuffix("_id")
        if role != name and role in roles:
            return self.pipeline.id_of(roles[role])
        raise AttributeError(
            f"{type(self).__name__!r} has no attribute {shown(name)}"
        )

    @property
    def additional_special_tokens(self) -> list[str]:
        """Special tokens without a role; they can be set to others.

        Those that the vocabulary lacks are added to it.
        """
        return list(self._additional)

    @additional_special_tokens.setter
    def additional_special_tokens(self, value: Sequence[Any] | None) -> None:
        self.add_special_tokens({"additional_special_tokens": value})

    @property
    def additional_special_tokens_ids(self) -> list[int]:
        """Ids of the special tokens without a role; they can be set too."""
        return self.convert_tokens_to_ids(self._additional)

    @additional_special_tokens_ids.setter
    def additional_special_tokens_ids(self, value: Sequence[int]) -> None:
        tokens = self.convert_ids_to_tokens(value)
        if None in tokens:
            raise ValueError(
                "`additional_special_tokens_ids` must be ids of tokens. "
                f"Received: {shown(value)}, where ids end at {len(self) - 1}. "
                "Add the tokens with `tokenizer.add_special_tokens`."
            )
        self._additional = tokens

    # Names of transformers 5.
    extra_special_tokens = additional_special_tokens
    extra_special_tokens_ids = additional_special_tokens_ids

    @property
    def special_tokens_map(self) -> dict[str, Any]:
        """Tokens by role; those without one are a list."""
        found: dict[str, Any] = {
            name: token for name, token in self._roles.items() if token
        }
        if self._additional:
            found["additional_special_tokens"] = list(self._additional)
        return found

    @property
    def _named_tokens(self) -> dict[str, str | None]:
        """The tokens to which `extra_special_tokens` gave names."""
        return {
            name: token
            for name, token in self._roles.items()
            if name not in ROLES
        }

    @property
    def init_kwargs(self) -> dict[str, Any]:
        """What the tokenizer was made with, and what its files say beside."""
        return {
            **self._other_settings,
            **{name: getattr(self, name) for name in SETTINGS},
            **self.special_tokens_map,
            "name_or_path": self.name_or_path,
        }

    @property
    def all_special_tokens(self) -> list[str]:
        """All special tokens, each once, in the order of the roles."""
        tokens = self._roles.values()
        return list(dict.fromkeys(t for t in tokens if t)) + [
            token for token in self._additional if token not in tokens
        ]

    @property
    def all_special_ids(self) -> list[int]:
        """Ids of `all_special_tokens`."""
        return self.convert_tokens_to_ids(self.all_special_tokens)

    def num_special_tokens_to_add(self, pair: bool = False) -> int:
        """Returns how many special tokens a row gets: 2, a pair 3 or 4."""
        return self.pipeline.library.num_special_tokens_to_add(pair)

    @property
    def is_bounded(self) -> bool:
        """Whether `model_max_length` bounds anything."""
        return layouts.is_bounded(self.model_max_length)

    @property
    def max_len_single_sentence(self) -> int:
        """Tokens of a text that has room in `model_max_length`."""
        return self.model_max_length - self.num_special_tokens_to_add()

    @property
    def max_len_sentences_pair(self) -> int:
        """Tokens of both texts that have room in `model_max_length`."""
        return self.model_max_length - self.num_special_tokens_to_add(True)

    def build_inputs_with_special_tokens(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Puts special tokens around ids, such as `<s> A </s></s> B </s>`.

        Args:
            token_ids_0: list of ints.
            token_ids_1: list of ints, of the second text. Defaults to none.

        Returns:
            List of ints.
        """
        return self._surround(token_ids_0, token_ids_1)[0]

    def _surround(
        self, first: list[int], second: list[int] | None
    ) -> tuple[list[int], list[int], list[int]]:
        """Returns a row's ids, token types, and 1 for special tokens."""
        texts = [first] if second is None else [first, second]
        return self.pipeline.surround([list(text) for text in texts])

    def prepare_for_model(
        self,
        ids: list[int],
        pair_ids: list[int] | None = None,
        add_special_tokens: bool = True,
        padding: Any = False,
        truncation: Any = None,
        max_length: int | None = None,
        stride: int = 0,
        pad_to_multiple_of: int | None = None,
        padding_side: str | None = None,
        return_tensors: str | None = None,
        return_token_type_ids: bool | None = None,
        return_attention_mask: bool | None = None,
        return_overflowing_tokens: bool = False,
        return_special_tokens_mask: bool = False,
        return_length: bool = False,
        verbose: bool = True,
        prepend_batch_axis: bool = False,
    ) -> BatchEncoding:
        """Makes a row of ids: truncated, with special tokens, padded.

        Args:
            ids: list of ints, without special tokens.
            pair_ids: list of ints, of the second text. Defaults to none.
            add_special_tokens: bool. Defaults to `True`.
            padding: as of a call.
            truncation: as of a call.
            max_length: int, as of a call.
            stride: int, tokens before those cut off that are returned with
                them. Defaults to `0`.
            pad_to_multiple_of: int, as of a call.
            padding_side: str, as of a call.
            return_tensors: `"np"` or `"tf"`. Defaults to lists.
            return_token_type_ids: bool, as of a call.
            return_attention_mask: bool, as of a call.
            return_overflowing_tokens: bool, whether to return what was cut
                off, as `overflowing_tokens`, and `num_truncated_tokens`.
                Defaults to `False`.
            return_special_tokens_mask: bool, as of a call.
            return_length: bool, as of a call.
            verbose: bool, as of a call.
            prepend_batch_axis: bool, whether tensors have a first axis of 1.
                Defaults to `False`.

        Returns:
            `BatchEncoding` of one row `[seq]`, without encodings.

        Raises:
            TypeError: if the ids aren't whole numbers.
            ValueError: if they can't be cut as asked.
        """
        layout = layouts.choose_layout(
            self,
            padding,
            truncation,
            max_length,
            stride,
            pad_to_multiple_of,
            padding_side,
        )
        pair = pair_ids is not None
        texts = [text_arguments.to_ids(ids)]
        if pair:
            texts.append(text_arguments.to_ids(pair_ids))
        special_tokens = (
            self.num_special_tokens_to_add(pair) if add_special_tokens else 0
        )
        layouts.check_room(layout, special_tokens)
        before = sum(map(len, texts))
        texts, overflowing = layouts.truncate_ids(
            texts, layout, special_tokens, return_overflowing_tokens
        )
        if add_special_tokens:
            row, types, mask = self.pipeline.surround(texts)
        else:
            row = [index for text in texts for index in text]
            types, mask = [0] * len(row), [0] * len(row)
        if verbose and max_length is None:
            self._warn_if_long([row])
        wanted = {
            "overflowing_tokens": (overflowing, return_overflowing_tokens),
            "num_truncated_tokens": (
                before - sum(map(len, texts)),
                return_overflowing_tokens,
            ),
            "input_ids": (row, True),
            "token_type_ids": (types, return_token_type_ids),
            "special_tokens_mask": (mask, return_special_tokens_mask),
        }
        padded = self.pad(
            {
                name: [value]
                for name, (value, asked) in wanted.items()
                if (name in self.model_input_names if asked is None else asked)
            },
            padding,
            max_length,
            pad_to_multiple_of,
            padding_side,
            return_attention_mask,
        )
        data = {name: value[0] for name, value in padded.items()}
        if return_length:
            data["length"] = len(data["input_ids"])
        return BatchEncoding(
            data,
            tensor_type=return_tensors,
            prepend_batch_axis=prepend_batch_axis,
        )

    def create_token_type_ids_from_sequences(
        self, token_ids_0: list[int], token_ids_1: list[int] | None = None
    ) -> list[int]:
        """Returns token types, one for each token with the special tokens.

        All are 0, but for the second text of a BERT.
        """
        return self._surround(token_ids_0, token_ids_1)[1]

    def get_special_tokens_mask(
        self,
        token_ids_0: list[int],
        token_ids_1: list[int] | None = None,
        already_has_special_tokens: bool = False,
    ) -> list[int]:
        """Returns 1 for special tokens and 0 for others.

        Args:
            token_ids_0: list of ints.
            token_ids_1: list of ints, of the second text. Defaults to none.
            already_has_special_tokens: bool, whether the ids have them
                already; else the mask is of what
                `build_inputs_with_special_tokens` makes. Defaults to
                `False`.

        Returns:
            List of ints.

        Raises:
            ValueError: for a second text that would already be in the first.
        """
        if already_has_special_tokens:
            if token_ids_1 is not None:
                raise ValueError(
                    "Ids that have their special tokens are one list. "
                    "Received: a second one. Leave it out."
                )
            special = set(self.all_special_ids)
            return [int(index in special) for index in token_ids_0]
        return self._surround(token_ids_0, token_ids_1)[2]

    @classmethod
    def from_pretrained(
        cls: type[T],
        pretrained_model_name_or_path: str | os.PathLike,
        *,
        subfolder: str = "",
        revision: str | None = None,
        cache_dir: str | os.PathLike | None = None,
        token: str | bool | None = None,
        local_files_only: bool = False,
        force_download: bool = False,
        **settings: Any,
    ) -> T:
        """Loads a tokenizer from a folder or from the Hugging Face hub.

        Args:
            pretrained_model_name_or_path: as models take it: a folder with
                `tokenizer.json`, or `vocab.json` and `merges.txt`, or BERT's
                `vocab.txt`, or a file in it; `"mini"`, which comes with the
                package; a preset or an id of the hub, which needs
                `huggingface_hub`. `tokenizer_config.json`,
                `special_tokens_map.json` and `added_tokens.json` are read
                where they are.
            subfolder: str, folder within it. Defaults to none.
            revision: str, branch, tag or commit. Defaults to the main one.
            cache_dir: folder for what is fetched. Defaults to the hub's.
            token: str, access token. Defaults to the one that is stored.
            local_files_only: bool, whether to use only what was fetched
                before. Defaults to `False`.
            force_download: bool, whether to fetch again. Defaults to
                `False`.
            **settings: arguments of the class, which take the place of what
                the files say; `tokenizer_file`, or `vocab_file` and
                `merges_file`, of the folder's own. `use_fast`, `from_slow`
                and `trust_remote_code` are accepted for old code, without
                effect.

        Returns:
            The tokenizer.

        Raises:
            ImportError: for an id of the hub, without `huggingface_hub`.
            OSError: if there is no such folder or repository
                (`FileNotFoundError`), or it has no vocabulary, or the hub
                can't be reached.
            TypeError: for a setting that there isn't.
            ValueError: if the files are damaged, of another kind, or not of
                one tokenizer.
        """
        settings = old_keywords.of_loading(settings)
        token = settings.pop("token", token)
        vocabulary_files = {
            name: settings.pop(name, None)
            for name in ("vocab_file", "merges_file", "tokenizer_file")
        }
        normalizer = set(wordpiece.NORMALIZER_SETTINGS)
        known = {*SETTINGS, *ROLES, *ADDITIONAL, *normalizer, "max_len"}
        unknown = sorted(set(settings) - known)
        if unknown:
            raise TypeError(
                f"`from_pretrained` takes arguments of {cls.__name__}. "
                f"Received: unknown {shown(unknown)}. Correct the name or "
                "leave it "
                "out; `truncation` and the like are passed to the call."
            )
        content, options = files.read(
            pretrained_model_name_or_path,
            subfolder,
            revision=revision,
            cache_dir=cache_dir,
            token=token,
            local_files_only=local_files_only,
            force_download=force_download,
            **vocabulary_files,
        )
        if wordpiece.has_bert_normalizer(content):
            options |= wordpiece.read_settings(options)
        else:
            known -= normalizer
        if "DistilBert" in str(options.get("tokenizer_class")):
            # The one of WordPiece's classes whose models have no token types.
            options.setdefault(
                "model_input_names", ["input_ids", "attention_mask"]
            )
        given = {name: options.pop(name) for name in known & set(options)}
        # transformers 5 gives tokens with names a place of their own.
        named = options.pop("model_specific_special_tokens", None)
        if named and not given.get("extra_special_tokens"):
            given["extra_special_tokens"] = named
        for name in given.get("extra_special_tokens") or ():
            options.pop(name, None)
        tokenizer = cls(tokenizer_object=content, **{**given, **settings})
        tokenizer._other_settings = options
        tokenizer.name_or_path = os.fspath(pretrained_model_name_or_path)
        return tokenizer

    def get_config(self) -> dict[str, Any]:
        """Returns all that makes this tokenizer, as JSON has it."""
        return {
            "tokenizer": self.pipeline.describe(),
            **{name: self._roles[name] for name in ROLES},
            "extra_special_tokens": self._named_tokens,
            "additional_special_tokens": list(self._additional),
            **{name: getattr(self, name) for name in SETTINGS},
        }

    @classmethod
    def from_config(cls: type[T], config: Mapping[str, Any]) -> T:
        """Makes a tokenizer of what `get_config` returned.

        Args:
            config: mapping.

        Returns:
            The tokenizer.
        """
        config = dict(config)
        if "vocab" in config:
            # Written before there were other kinds.
            content = byte_level.make_pipeline(
                config.pop("vocab"), config.pop("merges")
            )
            content["added_tokens"] = [
                {**token, "id": int(index)}
                for index, token in config.pop("added_tokens").items()
            ]
            config["tokenizer"] = content
        return cls(tokenizer_object=config.pop("tokenizer"), **config)

    def save_pretrained(
        self, save_directory: str | os.PathLike, **unknown: Any
    ) -> tuple[str, ...]:
        """Writes all files of a tokenizer, as transformers 4 and 5 read them.

        They are replaced at once: a killed process leaves the old ones or
        the new ones.

        Args:
            save_directory: the folder, made where it is missing.
            **unknown: none; what old code passes is named in the error.

        Returns:
            Paths of the files.

        Raises:
            OSError: if the folder can't be written to, or is a file.
            TypeError: for a keyword.
        """
        old_keywords.check("save_pretrained", unknown, _SAVING)
        settings = {name: getattr(self, name) for name in SETTINGS}
        named = self._named_tokens
        contents = files.build_contents(
            self.pipeline,
            self._roles,
            self._additional,
            {
                **self._other_settings,
                **settings,
                **({"extra_special_tokens": named} if named else {}),
            },
        )
        # Old files that aren't written anew must go: a later load would read
        # them as a part of this tokenizer.
        return files.write(save_directory, contents, removed=files.FILES)

    push_to_hub = hub.push_to_hub

    def save_vocabulary(
        self, save_directory: str | os.PathLike, filename_prefix: str = ""
    ) -> tuple[str, ...]:
        """Writes `vocab.json` and `merges.txt` alone, or BERT's `vocab.txt`.

        Args:
            save_directory: the folder, made where it is missing.
            filename_prefix: str, put before the names with a hyphen.
                Defaults to none.

        Returns:
            Paths of the files.

        Raises:
            OSError: if the folder can't be written to, or is a file.
            ValueError: if the prefix can't begin a file's name, or the
                vocabulary has no file but `tokenizer.json`.
        """
        prefix = f"{filename_prefix}-" if filename_prefix else ""
        contents = files.vocabulary_contents(self.pipeline.describe())
        if not contents:
            raise ValueError(
                "Byte-level BPE and WordPiece have files of the vocabulary "
                f"alone. Received: {self.pipeline.kind.name}. Save all with "
                "`save_pretrained`."
            )
        return files.write(
            save_directory,
            {prefix + name: text for name, text in contents.items()},
        )

    @classmethod
    def train_from_iterator(
        cls: type[T],
        texts: Iterable[str] | Iterable[list[str]],
        vocab_size: int,
        min_frequency: int = 2,
        show_progress: bool = True,
        length: int | None = None,
        **settings: Any,
    ) -> T:
        """Learns a new vocabulary from texts.

        The special tokens have the ids that RoBERTa's have: `<s>` 0, `<pad>`
        1, `</s>` 2, `<unk>` 3, and `<mask>` the last.

        Args:
            texts: iterable of texts, or of lists of texts.
            vocab_size: int, entries with the 256 bytes and special tokens,
                of which there are as many as that at least.
            min_frequency: int, how often a pair must occur to be merged.
                Defaults to `2`.
            show_progress: bool. Defaults to `True`.
            length: int, number of texts, for the progress bar. Defaults to
                none.
            **settings: arguments of the class.

        Returns:
            The tokenizer.

        Raises:
            TypeError: if the texts are a single string, or not texts.
            ValueError: if `vocab_size` isn't a whole number.
        """
        usual = cls(vocab={}, **settings)
        # Special tokens get their ids with the vocabulary.
        return usual.train_new_from_iterator(
            texts,
            vocab_size,
            length,
            min_frequency=min_frequency,
            show_progress=show_progress,
        )

    def train_new_from_iterator(
        self: T,
        text_iterator: Iterable[str] | Iterable[list[str]],
        vocab_size: int,
        length: int | None = None,
        new_special_tokens: Sequence[Any] | None = None,
        special_tokens_map: Mapping[str, str] | None = None,
        show_progress: bool = True,
        **trainer_arguments: Any,
    ) -> T:
        """Learns a new vocabulary; all else is this tokenizer's.

        Special tokens get the first ids: of byte-level BPE as RoBERTa's have
        them, with the mask the last of all; of others in their order. What
        isn't explained here is as of `train_from_iterator`.

        Args:
            text_iterator: its `texts`.
            vocab_size: int.
            length: int. Defaults to none.
            new_special_tokens: list of further special tokens. Defaults to
                none.
            special_tokens_map: dict of special tokens to their new spelling.
                Defaults to none.
            show_progress: bool. Defaults to `True`.
            **trainer_arguments: further arguments of the trainer in
                `tokenizers.trainers`, such as `min_frequency`.

        Returns:
            A new tokenizer.
        """
        refuse_string("new_special_tokens", new_special_tokens)
        renamed = dict(special_tokens_map or {})

        def rename(token: str) -> AddedToken:
            flags = self.pipeline.describe_token(token)
            return as_added_token(
                {**flags, "content": renamed.get(token, token)}
            )

        settings: dict[str, Any] = {
            name: getattr(self, name) for name in SETTINGS
        }
        for name in ROLES:
            token = self._roles[name]
            settings[name] = None if token is None else rename(token)
        settings["extra_special_tokens"] = {
            name: rename(token)
            for name, token in self._named_tokens.items()
            if token is not None
        }
        settings["additional_special_tokens"] = [
            *map(rename, self._additional),
            *(
                as_added_token(token, normalized=False, special=True)
                for token in new_special_tokens or ()
            ),
        ]
        if self._is_byte_level:
            first = [settings[name] for name in training.FIRST_ROLES]
            last = [
                settings["mask_token"],
                *settings["extra_special_tokens"].values(),
                *settings["additional_special_tokens"],
            ]
        else:
            first = [
                *(
                    rename(token.content)
                    for token in self.pipeline.added.values()
                ),
                *settings["additional_special_tokens"],
            ]
            last = []
        content = training.train(
            self.pipeline.describe(),
            text_iterator,
            vocab_size,
            length,
            [token for token in first if token is not None],
            len([token for token in last if token is not None]),
            renamed,
            show_progress=show_progress,
            **trainer_arguments,
        )
        return type(self)(tokenizer_object=content, **settings)

    def __repr__(self) -> str:
        roles = {name: token for name, token in self._roles.items() if token}
        return (
            f"{type(self).__name__}(name_or_path={self.name_or_path!r}, "
            f"vocab_size={self.vocab_size}, model_max_length="
            f"{self.model_max_length}, is_fast={self.is_fast}, "
            f"padding_side={self.padding_side!r}, truncation_side="
            f"{self.truncation_side!r}, special_tokens={roles})"
        )

    @property
    def backend_tokenizer(self) -> Tokenizer:
        """The `tokenizers.Tokenizer` that does the work."""
        return self.pipeline.library

    @property
    def _is_byte_level(self) -> bool:
        return self.pipeline.kind == BYTE_LEVEL

    def _warn_if_long(self, rows: list[list[int]]) -> None:
        longest = max(map(len, rows), default=0)
        if longest > self.model_max_length and not self._warned:
            self._warned = True
            logger.warning(
                "A text has %d tokens, more than the model's %d. Cut it: "
                "`truncation=True`.",
                longest,
                self.model_max_length,
            )


def _read_object(tokenizer: Any) -> dict[str, Any]:
    """Returns what `tokenizer.json` holds of the library's object."""
    if isinstance(tokenizer, Tokenizer):
        return json.loads(tokenizer.to_str())
    if not isinstance(tokenizer, Mapping) or "model" not in tokenizer:
        raise TypeError(
            "`tokenizer_object` must be a `tokenizers.Tokenizer`. Received: "
            f"{str(tokenizer)[:200]!r} of type {type(tokenizer).__name__}."
        )
    return dict(tokenizer)


def _read_values(vocab: Any, merges: Any) -> dict[str, Any]:
    """Returns the pipeline of a dict and pairs, as callers pass them."""
    if not isinstance(vocab, Mapping):
        raise TypeError(
            "A vocabulary must be a mapping of tokens to ids. Received: "
            f"{type(vocab).__name__}. For a file pass `vocab_file`."
        )
    refuse_string("merges", merges)
    for merge in merges:
        if not isinstance(merge, list | tuple) or len(merge) != 2:
            raise TypeError(
                "Merges must be pairs of tokens. Received: "
                f"{shown(merge)} among them. Split a line, e.g. "
                "`tuple(line.split())`."
            )
    return byte_level.make_pipeline(vocab, merges)


def _read_additional(
    additional: Any, extra: Any
) -> tuple[list[Any], dict[str, Any]]:
    """Returns further special tokens, those without and those with a name."""
    named = {}
    if isinstance(extra, Mapping):
        named, extra = dict(extra), ()
    for name, tokens in zip(ADDITIONAL, (additional, extra), strict=True):
        refuse_string(name, tokens)
    return [*(additional or ()), *(extra or ())], named


# One class has both names, as in transformers 5.
LongformerTokenizerFast = LongformerTokenizer
