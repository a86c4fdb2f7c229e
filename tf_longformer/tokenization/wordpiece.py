"""WordPiece with BERT's normalizer, the kind of tokenizer that BERT has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Arguments of BERT's tokenizers, and their names in the normalizer.
NORMALIZER_SETTINGS = {
    "do_lower_case": "lowercase",
    "strip_accents": "strip_accents",
    "tokenize_chinese_chars": "handle_chinese_chars",
}
# What the arguments are where a class of BERT's family doesn't say.
_DEFAULTS = {
    "do_lower_case": True,
    "strip_accents": None,
    "tokenize_chinese_chars": True,
}
ROLES = {
    "bos_token": None,
    "eos_token": None,
    "unk_token": "[UNK]",
    "sep_token": "[SEP]",
    "pad_token": "[PAD]",
    "cls_token": "[CLS]",
    "mask_token": "[MASK]",
}
_MODEL = {
    "type": "WordPiece",
    "unk_token": "[UNK]",
    "continuing_subword_prefix": "##",
    "max_input_chars_per_word": 100,
}
# Classes of transformers, without "Fast", whose `vocab.txt` is BERT's.
CLASSES = (
    "BertTokenizer",
    "DistilBertTokenizer",
    "ElectraTokenizer",
    "MobileBertTokenizer",
)
FILE_CLASSES = (*CLASSES, "LongformerTokenizer", "PreTrainedTokenizer")


def make_pipeline(vocab: Mapping[str, int], unk_token: str) -> dict[str, Any]:
    """Returns BERT's pipeline, as `tokenizer.json` has it, without a frame."""
    return {
        "version": "1.0",
        "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer",
            "clean_text": True,
            "handle_chinese_chars": True,
            "strip_accents": None,
            "lowercase": True,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": None,
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {**_MODEL, "unk_token": unk_token, "vocab": dict(vocab)},
    }


def make_frame(cls: tuple[str, int], sep: tuple[str, int]) -> dict[str, Any]:
    """Returns what makes rows `[CLS] A [SEP]` and `[CLS] A [SEP] B [SEP]`."""
    return {"type": "BertProcessing", "sep": list(sep), "cls": list(cls)}


def with_settings(
    content: Mapping[str, Any], settings: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns a pipeline with settings of its normalizer, by argument."""
    changed = {NORMALIZER_SETTINGS[n]: value for n, value in settings.items()}
    return {**content, "normalizer": {**content["normalizer"], **changed}}


def has_bert_normalizer(content: Mapping[str, Any]) -> bool:
    """Whether a pipeline's normalizer is BERT's."""
    normalizer = content.get("normalizer") or {}
    return normalizer.get("type") == "BertNormalizer"


def cuts_as_bert(content: Mapping[str, Any]) -> bool:
    """Whether a pipeline cuts texts as BERT's does."""
    model = content["model"]
    before = content.get("pre_tokenizer") or {}
    return (
        has_bert_normalizer(content)
        and content["normalizer"].get("clean_text", False)
        and before.get("type") == "BertPreTokenizer"
        and all(
            model.get(name) == value
            for name, value in _MODEL.items()
            if name != "unk_token"
        )
    )


def has_settings(config: Mapping[str, Any]) -> bool:
    """Whether the class in a `tokenizer_config.json`, if any, has arguments of
    BERT's normalizer. Other classes leave it as `tokenizer.json` has it."""
    name = config.get("tokenizer_class")
    return name is None or str(name).removesuffix("Fast") in CLASSES


def read_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a `tokenizer_config.json` says of BERT's normalizer.

    As in transformers, a class of BERT's family has its defaults where the
    config is silent; otherwise `tokenizer.json` decides.
    """
    name = str(config.get("tokenizer_class")).removesuffix("Fast")
    known = _DEFAULTS if name in CLASSES else {}
    given = {name: config[name] for name in _DEFAULTS if name in config}
    return {**known, **given}
