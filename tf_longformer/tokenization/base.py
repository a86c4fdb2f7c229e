"""The contract that both tokenizers keep: what goes in and what comes out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from tf_longformer.tokenization import arguments
from tf_longformer.tokenization import tensors
from tf_longformer.tokenization.arguments import Layout
from tf_longformer.tokenization.batch_encoding import BatchEncoding
from tf_longformer.tokenization.decoding import Decoding
from tf_longformer.tokenization.framing import Framing
from tf_longformer.tokenization.padding import pad_rows
from tf_longformer.tokenization.training import Training

logger = logging.getLogger("tf_longformer")


class BaseLongformerTokenizer(Training, Decoding, Framing):
    """What `LongformerTokenizer` and `LongformerTokenizerFast` share.

    Byte-level BPE as RoBERTa's: `<s> A </s>`, or `<s> A </s></s> B </s>` for
    a pair.

    Args:
        vocab_file: path of `vocab.json`. Defaults to none.
        merges_file: path of `merges.txt`. Defaults to none.
        tokenizer_file: path of `tokenizer.json`, in place of the two.
            Defaults to none.
        vocab: dict of tokens to ids, in place of files. Defaults to none.
        merges: list of pairs of tokens, with `vocab`. Defaults to none.
        errors: str, what decoding does with bytes that aren't UTF-8, as of
            `bytes.decode`. Defaults to `"replace"`.
        bos_token: str or `AddedToken`. Defaults to `"<s>"`. The roles that
            follow have the defaults of RoBERTa; what the vocabulary lacks is
            added to it.
        eos_token: the same, `"</s>"`.
        sep_token: the same, `"</s>"`.
        cls_token: the same, `"<s>"`.
        unk_token: the same, `"<unk>"`.
        pad_token: the same, `"<pad>"`.
        mask_token: the same, `"<mask>"`; as a string it takes the spaces
            before it with it.
        additional_special_tokens: list of further special tokens. Defaults
            to none.
        add_prefix_space: bool, whether a text gets a space before its first
            word, so that it is spelt as any other. Needed for texts that
            are split into words. Defaults to what `tokenizer_file` says,
            else `False`.
        trim_offsets: bool, whether offsets leave out spaces. Defaults to
            what `tokenizer_file` says, else `True`.
        model_max_length: int, `max_length` where a call names none. Defaults
            to no bound.
        padding_side: `"right"` or `"left"`. Defaults to `"right"`.
        truncation_side: the side that is cut. Defaults to `"right"`.
        clean_up_tokenization_spaces: bool, whether decoding removes spaces
            before punctuation. Defaults to `False`.
        model_input_names: names that a call returns. Defaults to
            `("input_ids", "attention_mask")`.
        **unknown: none; what old code passes is named in the error.

    Raises:
        FileNotFoundError: if there is no vocabulary.
        ValueError: if the files or values don't fit together.
        TypeError: for a token that isn't one, or an unknown argument.
    """

    _warned = False

    def _encode_rows(
        self,
        rows: Sequence[Any],
        add_special_tokens: bool,
        layout: Layout,
        is_split_into_words: bool,
    ) -> list[Any]:
        """Returns an encoding for each row, cut and filled up."""
        raise NotImplementedError

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
                logged. Defaults to `True`.
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
        arguments.refuse_unknown(unknown)
        if text is None:
            text, text_pair = text_target, text_pair_target
            text_target = None
        kind = tensors.check_kind(return_tensors)
        if is_split_into_words and not self.add_prefix_space:
            raise ValueError(
                "Texts that are split into words need a tokenizer with "
                "`add_prefix_space=True`. Received: one without. Load it with "
                f"`{type(self).__name__}.from_pretrained(folder, "
                "add_prefix_space=True)`."
            )
        rows, batched = arguments.as_batch(text, text_pair, is_split_into_words)
        layout = self._layout(
            padding,
            truncation,
            max_length,
            stride,
            pad_to_multiple_of,
            padding_side,
        )
        if add_special_tokens:
            pairs = {isinstance(row, tuple) for row in rows}
            for pair in pairs:
                arguments.check_room(
                    layout, self.num_special_tokens_to_add(pair)
                )
        else:
            arguments.check_room(layout, 0)
        encodings = self._encode_rows(
            rows, add_special_tokens, layout, is_split_into_words
        )
        origins = list(range(len(encodings)))
        if return_overflowing_tokens:
            pieces = [[one, *one.overflowing] for one in encodings]
            origins = [n for n, part in enumerate(pieces) for _ in part]
            encodings = [one for part in pieces for one in part]
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
            rows = self(
                text_target,
                text_pair_target,
                add_special_tokens=add_special_tokens,
                padding=padding,
                truncation=truncation,
                max_length=max_length,
                stride=stride,
                is_split_into_words=is_split_into_words,
                pad_to_multiple_of=pad_to_multiple_of,
                padding_side=padding_side,
                return_overflowing_tokens=return_overflowing_tokens,
                verbose=verbose,
            )["input_ids"]
            single = rows and not isinstance(rows[0], list)
            data["labels"] = [rows] if single else rows
        if verbose:
            self._warn_if_long(data["input_ids"], max_length)
        if not batched and kind is None and not return_overflowing_tokens:
            data = {
                name: value[0] if isinstance(value[0], list) else value
                for name, value in data.items()
            }
        return BatchEncoding(data, encodings, tensor_type=kind)

    def encode_plus(self, *args: Any, **kwargs: Any) -> BatchEncoding:
        """Another name of a call, as old code has it."""
        return self(*args, **kwargs)

    def batch_encode_plus(
        self, batch_text_or_text_pairs: Sequence[Any], **kwargs: Any
    ) -> BatchEncoding:
        """A call with a list of texts or of pairs, as old code has it."""
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
        layout = self._layout(
            padding, False, max_length, 0, pad_to_multiple_of, padding_side
        )
        if return_attention_mask is None:
            return_attention_mask = "attention_mask" in self.model_input_names
        data, arrays = pad_rows(
            encoded_inputs, layout, self.pad_token_id, return_attention_mask
        )
        kind = return_tensors or ("np" if arrays else None)
        return BatchEncoding(data, tensor_type=kind)

    def _layout(
        self,
        padding: Any,
        truncation: Any,
        max_length: int | None,
        stride: int,
        pad_to_multiple_of: int | None,
        padding_side: str | None,
    ) -> Layout:
        return arguments.choose_layout(
            padding,
            truncation,
            max_length,
            stride,
            pad_to_multiple_of,
            padding_side or self.padding_side,
            self.truncation_side,
            self.model_max_length,
            self.pad_token_id is not None,
        )

    def _warn_if_long(self, rows: list[list[int]], max_length: Any) -> None:
        if max_length is not None or self._warned:
            return
        longest = max(map(len, rows), default=0)
        if longest > self.model_max_length:
            self._warned = True
            logger.warning(
                "A text has %d tokens, more than the model's %d. Cut it: "
                "`truncation=True`.",
                longest,
                self.model_max_length,
            )
