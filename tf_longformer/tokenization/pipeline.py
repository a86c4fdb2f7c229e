"""A pipeline of the `tokenizers` library: what makes one tokenizer another."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from typing import Any

import numpy as np
from tokenizers import AddedToken
from tokenizers import Encoding
from tokenizers import Tokenizer
from tokenizers import models

from tf_longformer.errors import shown
from tf_longformer.tokenization import byte_level
from tf_longformer.tokenization import wordpiece
from tf_longformer.tokenization.kinds import kind_of
from tf_longformer.tokenization.layout import Layout
from tf_longformer.tokenization.layout import check_stride_of_pairs
from tf_longformer.tokenization.special_tokens import as_added_token
from tf_longformer.tokenization.special_tokens import describe

_BPE_OPTIONS = (
    "dropout",
    "unk_token",
    "continuing_subword_prefix",
    "end_of_word_suffix",
    "fuse_unk",
    "byte_fallback",
    "ignore_merges",
)


class Pipeline:
    """The library's `Tokenizer`, as `library`, for one thread at a time.

    Truncation and padding are settings of the library's object: a lock keeps
    other threads out between setting and using them.

    Args:
        content: dict, what `tokenizer.json` holds. Its truncation and padding
            are left out: a call says what it wants.

    Attributes:
        kind: `Kind`.
        added: dict of ids to `AddedToken`, tokens that are found in the text
            before it is cut into words, in the order of their ids.

    Raises:
        ValueError: if the library can't make a tokenizer of it.
    """

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._lock = threading.Lock()
        self.kind = kind_of(content)
        if isinstance(vocab := content["model"].get("vocab"), Mapping):
            _check_ids(vocab)
        added = content.get("added_tokens") or []
        bare = {"added_tokens": added, "truncation": None, "padding": None}
        self.library = _make({**content, **bare})
        self._refresh()
        for token in added:
            self._check_id(token["content"], token["id"])

    def _refresh(self) -> None:
        """Reads what is derived from the library's object."""
        added = self.library.get_added_tokens_decoder()
        self.added: dict[int, AddedToken] = dict(sorted(added.items()))
        self.frames = [self._read_frame(pair) for pair in (False, True)]

    def _check_id(self, token: str, index: int) -> None:
        given = self.library.token_to_id(token)
        if given != index:
            raise ValueError(
                "An added token must have the id that it has in the "
                "vocabulary, or the next one behind it, without holes. "
                f"Received: {shown(token)} with id {index} in the place of "
                f"{given}. The files are not of one tokenizer."
            )

    def describe(self) -> dict[str, Any]:
        """Returns the pipeline as `tokenizer.json` has it."""
        with self._lock:
            content = json.loads(self.library.to_str())
        return {**content, "truncation": None, "padding": None}

    def is_standard(self, content: Mapping[str, Any]) -> bool:
        """Whether a class of transformers makes the same of the vocabulary.

        `content` is what `describe` returns.
        """
        kind, (single, pair) = self.kind, self.frames
        second = [(index, kind.second_type) for index, _ in single[1:]]
        return (
            kind.cuts_as_class(content)
            and [index is None for index, _ in single] == [False, True, False]
            and not any(token_type for _, token_type in single)
            and pair == [*single, *single[2:] * (kind.separators - 1), *second]
        )

    @property
    def normalizer_settings(self) -> dict[str, Any]:
        """What `tokenizer_config.json` says of BERT's normalizer."""
        normalizer = self.library.normalizer
        state = json.loads(normalizer.__getstate__()) if normalizer else {}
        if not wordpiece.has_bert_normalizer({"normalizer": state}):
            return {}
        return {
            argument: state[name]
            for argument, name in wordpiece.NORMALIZER_SETTINGS.items()
        }

    def id_of(self, token: str | None) -> int | None:
        """Returns the id of a token, `None` where it isn't known."""
        return None if token is None else self.library.token_to_id(token)

    def token_of(self, index: int) -> str | None:
        """Returns the token of an id, `None` where there is none."""
        if not 0 <= index < 2**32:
            return None
        return self.library.id_to_token(index)

    def add(self, tokens: Iterable[AddedToken]) -> int:
        """Adds tokens, or changes the flags of those that are there.

        Returns how many are new or have changed.
        """
        changed = {
            token.content: token
            for token in tokens
            if token.content and self.find_added(token.content) != token
        }
        with self._lock:
            self.library.add_tokens(list(changed.values()))
        self._refresh()
        return len(changed)

    def add_special(self, value: Any, lstrip: bool = False) -> str:
        """Makes a token special, adds it if it is missing, returns its text.

        A string changes no flags of a token that is special already. With
        `lstrip` a new one takes the spaces before it with it.
        """
        token = as_added_token(
            value, normalized=False, lstrip=lstrip, special=True
        )
        known = self.find_added(token.content)
        # `added_tokens.json` has no flags: what it adds isn't special yet.
        if not isinstance(value, str) or known is None or not known.special:
            self.add([token])
        return token.content

    def find_added(self, token: str) -> AddedToken | None:
        """Returns an added token with its flags, `None` for another one."""
        index = self.id_of(token)
        return None if index is None else self.added.get(index)

    def describe_token(self, token: str) -> dict[str, Any]:
        """Returns any token's flags, as files have them."""
        return describe(self.find_added(token) or AddedToken(token))

    def _read_frame(self, pair: bool) -> list[tuple[int | None, int]]:
        """Returns how special tokens stand around one text or two.

        For each place of a row the special token's id, `None` for a text, and
        the token type.
        """
        # Any token will do for a text.
        token = next((t.content for t in self.added.values()), None)
        if token is None:
            token = next(iter(self.library.get_vocab()), "")
        with self._lock:
            self.library.no_truncation()
            self.library.no_padding()
            try:
                row = self.library.encode(token, token if pair else None)
            # The library raises nothing narrower.
            except Exception as error:
                raise ValueError(
                    "A tokenizer must have ids for all texts. Received: "
                    f"{str(error)[:200]}. Fetch its vocabulary again."
                ) from error
        frame, last = [], None
        for index, kind, text_number in zip(
            row.ids, row.type_ids, row.sequence_ids, strict=True
        ):
            if text_number is None or text_number != last:
                frame.append((None if text_number is not None else index, kind))
            last = text_number
        return frame

    def surround(
        self, texts: Sequence[list[int]]
    ) -> tuple[list[int], list[int], list[int]]:
        """Puts special tokens around one text or two, lists of ids.

        Returns the ids, their token types, and 1 where a token is special.
        """
        ids, types, mask = [], [], []
        rest = iter(texts)
        for index, kind in self.frames[len(texts) - 1]:
            part = next(rest) if index is None else [index]
            ids += part
            types += [kind] * len(part)
            mask += [int(index is not None)] * len(part)
        return ids, types, mask

    def make_frame(self, cls: str, sep: str, **settings: bool) -> None:
        """Puts special tokens around texts, as it is usual with the kind.

        Of `settings` those of the post-processor count.
        """
        pairs = [(token, self.id_of(token)) for token in (cls, sep)]
        if self.kind.make_frame is not None:
            state = self.kind.make_frame(*pairs)
            known = {n: v for n, v in settings.items() if n in state}
            self._set_post_processor({**state, **known})

    def set_frame(self, place: str, token: str) -> None:
        """Has a token stand before (`"cls"`) or behind (`"sep"`) texts."""
        after = self.library.post_processor
        index = self.id_of(token)
        if after is None or index is None:
            return
        state = json.loads(after.__getstate__())
        self._set_post_processor(_reframed(state, place, token, index))

    def _set_post_processor(self, state: Mapping[str, Any]) -> None:
        # The library has no way to make one of a file's but with all else.
        model = {"type": "WordLevel", "vocab": {}, "unk_token": ""}
        parts = {"version": "1.0", "added_tokens": [], "model": model}
        made = _make({**parts, "post_processor": state}).post_processor
        with self._lock:
            self.library.post_processor = made
        self._refresh()

    def encode(
        self,
        rows: Sequence[Any],
        layout: Layout,
        pad: tuple[str | None, int | None],
        add_special_tokens: bool,
        is_split_into_words: bool,
        split_special_tokens: bool,
    ) -> list[Encoding]:
        """Encodes rows as `as_batch` returns them, truncated and padded.

        `pad` is the pad token and its id. Raises a `ValueError` if a row
        can't be truncated as asked.
        """
        options: dict[str, bool] = {
            "is_pretokenized": is_split_into_words,
            "add_special_tokens": add_special_tokens,
        }
        with self._lock:
            self.library.encode_special_tokens = split_special_tokens
            try:
                return self._encode(rows, layout, pad, options)
            except TypeError:
                # A string with surrogates has no UTF-8, which Rust needs.
                rows = [_without_surrogates(row) for row in rows]
                return self._encode(rows, layout, pad, options)

    def _encode(
        self,
        rows: Sequence[Any],
        layout: Layout,
        pad: tuple[str | None, int | None],
        options: dict[str, bool],
    ) -> list[Encoding]:
        if layout.truncation is not None and layout.stride:
            self._check_stride(rows, layout, options)
        self._set_truncation(layout)
        self._set_padding(layout, pad)
        try:
            return self.library.encode_batch(rows, **options)
        # The library has no class of errors: only the text tells.
        except Exception as error:
            raise _explain(error, layout) or error from None

    def _check_stride(
        self, rows: Sequence[Any], layout: Layout, options: dict[str, bool]
    ) -> None:
        """Raises where the library would panic: a stride as long as a piece.

        How long the pieces of a pair's texts are follows from the lengths of
        both texts, so these are encoded first to be counted.
        """
        pairs = [row for row in rows if isinstance(row, tuple)]
        if not pairs:
            return
        self.library.no_truncation()
        self.library.no_padding()
        texts = self.library.encode_batch_fast(
            [text for pair in pairs for text in pair],
            is_pretokenized=options["is_pretokenized"],
            add_special_tokens=False,
        )
        room = layout.max_length or 0
        if options["add_special_tokens"]:
            room -= self.library.num_special_tokens_to_add(is_pair=True)
        lengths = np.array([len(text) for text in texts])
        check_stride_of_pairs(layout, room, lengths[::2], lengths[1::2])

    def _set_truncation(self, layout: Layout) -> None:
        if layout.truncation is None:
            if self.library.truncation is not None:
                self.library.no_truncation()
            return
        truncation: dict[str, Any] = {
            "max_length": layout.max_length,
            "stride": layout.stride,
            "strategy": layout.truncation,
            "direction": layout.truncation_side,
        }
        if self.library.truncation != truncation:
            self.library.enable_truncation(**truncation)

    def _set_padding(
        self, layout: Layout, pad: tuple[str | None, int | None]
    ) -> None:
        if layout.padding is None:
            if self.library.padding is not None:
                self.library.no_padding()
            return
        fixed = layout.padding == "max_length"
        padding: dict[str, Any] = {
            "length": layout.max_length if fixed else None,
            "pad_to_multiple_of": layout.pad_to_multiple_of,
            "pad_id": pad[1],
            "pad_token": pad[0],
            "pad_type_id": 0,
            "direction": layout.padding_side,
        }
        if self.library.padding != padding:
            self.library.enable_padding(**padding)

    def __getstate__(self) -> dict[str, Any]:
        # A lock can't be copied, and each copy needs its own.
        return {**self.__dict__, "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state, _lock=threading.Lock())


def _check_ids(vocab: Mapping[str, int]) -> None:
    for token, index in vocab.items():
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise ValueError(
                "The ids of a vocabulary must be whole numbers from 0. "
                f"Received: {shown(index)} for {shown(token)}."
            )
    if len(set(vocab.values())) < len(vocab):
        index, _ = Counter(vocab.values()).most_common(1)[0]
        twice = [token for token, found in vocab.items() if found == index]
        raise ValueError(
            "The tokens of a vocabulary must have ids of their own. "
            f"Received: id {index} for {shown(twice)}. Give each another one."
        )


def _check_merges(
    merges: list[tuple[str, str]], model: Mapping[str, Any]
) -> None:
    """Raises a `ValueError` where the library would panic."""
    prefix = model.get("continuing_subword_prefix") or ""
    if not isinstance(prefix, str):
        return  # The library says so.
    for _, right in merges if prefix else ():
        if not right.startswith(prefix):
            raise ValueError(
                "The second token of a merge must begin with the prefix of "
                f"pieces within words. Received: {shown(right)}, and the "
                f"prefix {shown(prefix)}. The files are not of one tokenizer."
            )
    joined = [left + right[len(prefix) :] for left, right in merges]
    tokens = {*joined, *itertools.chain.from_iterable(merges)}
    missing = tokens - model["vocab"].keys()
    if not missing:
        return
    for (left, right), new in zip(merges, joined, strict=True):
        for token in (left, right, new):
            if token in missing:
                raise ValueError(
                    "A merge must join two tokens of the vocabulary to one. "
                    f"Received: {shown(left)} and {shown(right)}, but "
                    f"{shown(token)} is not "
                    "in the vocabulary. The vocabulary and the merges must be "
                    "of one tokenizer."
                )


def check_parts(content: Mapping[str, Any]) -> None:
    """Raises a `ValueError` unless the library takes what isn't the model."""
    model = {"type": "BPE", "vocab": {}, "merges": []}
    _make({**content, "model": model, "added_tokens": []})


def _make(content: Mapping[str, Any]) -> Tokenizer:
    """Returns the library's object of what `tokenizer.json` holds."""
    model, added = content["model"], content["added_tokens"]
    bpe = model.get("type") == "BPE"
    merges = []
    if bpe:
        # The library takes many merges sooner as they are than as JSON.
        merges = byte_level.merges_of(model)
        _check_merges(merges, model)
        empty = {**model, "vocab": {}, "merges": []}
        content = {**content, "model": empty, "added_tokens": []}
    try:
        made = Tokenizer.from_str(json.dumps(content, ensure_ascii=False))
        if bpe:
            options = {n: model[n] for n in _BPE_OPTIONS if n in model}
            made.model = models.BPE(model["vocab"], merges, **options)
            made.add_tokens([as_added_token(token) for token in added])
        return made
    # The library has no class of errors.
    except Exception as error:
        raise ValueError(
            "A tokenizer must be a pipeline that the library `tokenizers` can "
            f"make. Received: {str(error)[:200]}. Its vocabulary and merges "
            "must be of one tokenizer; a newer file may need a newer library."
        ) from None


def _reframed(
    state: dict[str, Any], place: str, token: str, index: int
) -> dict[str, Any]:
    """Returns a post-processor with another token before or behind texts."""
    if state["type"] == "Sequence":
        processors = [
            _reframed(part, place, token, index) for part in state["processors"]
        ]
        return {**state, "processors": processors}
    if place in state:
        return {**state, place: [token, index]}
    single = state.get("single", ())
    if [next(iter(part)) for part in single] != [
        "SpecialToken",
        "Sequence",
        "SpecialToken",
    ]:
        return state
    old = single[0 if place == "cls" else 2]["SpecialToken"]["id"]

    def replaced(part: dict[str, Any]) -> dict[str, Any]:
        special = part.get("SpecialToken", {})
        if special.get("id") != old:
            return part
        return {"SpecialToken": {**special, "id": token}}

    known = {n: t for n, t in state["special_tokens"].items() if n != old}
    known[token] = {"id": token, "ids": [index], "tokens": [token]}
    return {
        **state,
        "single": [replaced(part) for part in single],
        "pair": [replaced(part) for part in state["pair"]],
        "special_tokens": known,
    }


def _without_surrogates(row: Any) -> Any:
    """Replaces surrogates (halves of a character) by `?`."""
    if isinstance(row, str):
        return row.encode("utf-8", "replace").decode("utf-8")
    return type(row)(map(_without_surrogates, row))


def _explain(error: BaseException, layout: Layout) -> ValueError | None:
    """Returns a clearer error for one of truncation, `None` for others."""
    if "too short to respect" in str(error):
        return ValueError(
            "The text that is to be cut must be longer than what has to go. "
            f"Received: truncation={layout.truncation!r}, max_length="
            f"{layout.max_length}, and a row whose other text is too long. "
            "Use truncation='longest_first'."
        )
    if "Second sequence not provided" in str(error):
        return ValueError(
            "`truncation='only_second'` needs pairs. Received: a single "
            "text. Use truncation='only_first'."
        )
    return None
