"""Tokenizers of BERT's and XLM-RoBERTa's families by transformers.

Runs in an oracle's environment, and prints a line of JSON:

    python tokenizer_kinds_oracle.py write VOCAB FOLDER   the classes by name
    python tokenizer_kinds_oracle.py read FOLDER          answers by name
    python tokenizer_kinds_oracle.py auto FOLDER          of `AutoTokenizer`
    python tokenizer_kinds_oracle.py train FOLDER         of new vocabularies

`answer` works with any tokenizer of the contract.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TEXTS = [
    "Hello, World! It's 3.14 naïve café ÀÉÎ.",
    "  double  spaces\tand\nlines ",
    "日本語 中文 mixed テスト",
    "[MASK] x [SEP] <mask> </s>",
    "",
    "ＦＵＬＬ ｗｉｄｔｈ ﬁ ½ ™ 😀👍🏽 zero\u200bwidth soft\u00adhyphen",
    " İstanbul ẞ ß ς a\u0301e\u0301 \u0000\ufffd\u2028",
    "x" * 150,
]
CALLS: list[dict[str, Any]] = [
    {
        "text": TEXTS,
        "return_offsets_mapping": True,
        "return_special_tokens_mask": True,
        "return_token_type_ids": True,
    },
    {"text": TEXTS[0], "text_pair": TEXTS[2], "return_token_type_ids": True},
    {
        "text": TEXTS[:4],
        "text_pair": TEXTS[1:5],
        "truncation": True,
        "max_length": 12,
        "padding": True,
        "return_offsets_mapping": True,
        "return_token_type_ids": True,
    },
    {
        "text": TEXTS[0],
        "truncation": True,
        "max_length": 8,
        "stride": 2,
        "return_overflowing_tokens": True,
        "return_token_type_ids": True,
    },
    {
        "text": [text.split() for text in TEXTS[:4]],
        "is_split_into_words": True,
        "return_token_type_ids": True,
    },
]
# Two classes that any version has, two vocabularies alone, and a pipeline.
WORDPIECE = {
    "bert": ("BertTokenizerFast", {}),
    "cased": ("BertTokenizerFast", {"do_lower_case": False}),
    "accents": (
        "BertTokenizerFast",
        {
            "do_lower_case": False,
            "strip_accents": True,
            "tokenize_chinese_chars": False,
            "model_max_length": 99,
        },
    ),
    "distilbert": ("DistilBertTokenizerFast", {}),
    "electra": ("ElectraTokenizerFast", {}),
}


def answer(tokenizer: Any, oracle: Any) -> Any:
    """What a tokenizer says of texts, with decoding left to the pipeline.

    `oracle` is the module `tokenizer_oracle`.
    """
    tokenizer.clean_up_tokenization_spaces = False
    known = oracle.facts(tokenizer)
    del known["vocab"]
    return json.loads(
        json.dumps(
            [known, *(oracle.observe(tokenizer, call) for call in CALLS)]
        )
    )


def train(tokenizer: Any) -> Any:
    """Learns a small vocabulary."""
    return tokenizer.train_new_from_iterator(
        TEXTS[:1] * 9, 120, new_special_tokens=["<n>"], show_progress=False
    )


def write_config(folder: Path, class_name: str) -> None:
    """Says that the folder is a Longformer's."""
    config = json.dumps({"model_type": "longformer"})
    (folder / "config.json").write_text(config)


def write(vocab: str, folder: Path) -> dict[str, str]:
    """Writes a folder of each family."""
    import shutil

    import transformers
    from tokenizers import Tokenizer
    from tokenizers import decoders
    from tokenizers import models
    from tokenizers import normalizers
    from tokenizers import pre_tokenizers
    from tokenizers import processors
    from tokenizers import trainers

    classes = {}
    for name, (class_name, options) in WORDPIECE.items():
        made = getattr(transformers, class_name)(vocab, **options)
        made.save_pretrained(folder / name)
        classes[name] = class_name
    for name, options in (("alone", {}), ("alone_cased", {"do_lower_case": 0})):
        (folder / name).mkdir()
        shutil.copy(vocab, folder / name / "vocab.txt")
        options = {"tokenizer_class": "BertTokenizer", **options}
        config = json.dumps(options).replace("0", "false")
        (folder / name / "tokenizer_config.json").write_text(config)
        classes[name] = "BertTokenizerFast"
    library = Tokenizer(models.Unigram())
    library.normalizer = normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Lowercase()]
    )
    library.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]
    )
    library.decoder = decoders.Metaspace()
    library.train_from_iterator(
        TEXTS * 5,
        trainers.UnigramTrainer(
            vocab_size=200,
            special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
            unk_token="<unk>",
            show_progress=False,
        ),
    )
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    file = str(folder / "unigram.json")
    library.save(file)
    for name, class_name in (
        ("xlmr", "XLMRobertaTokenizerFast"),
        ("camembert", "CamembertTokenizerFast"),
    ):
        made = getattr(transformers, class_name)(tokenizer_file=file)
        made.save_pretrained(folder / name)
        classes[name] = class_name
    (folder / "classes.json").write_text(json.dumps(classes))
    return classes


def read(folder: Path, use: Any) -> dict[str, Any]:
    """Answers of transformers' own classes for a folder of folders."""
    import tokenizer_oracle
    import transformers

    file = folder / "classes.json"
    if file.exists():
        classes = json.loads(file.read_text())
    else:
        classes = {path.name: "AutoTokenizer" for path in folder.iterdir()}
    return {
        name: answer(
            use(getattr(transformers, one).from_pretrained(folder / name)),
            tokenizer_oracle,
        )
        for name, one in classes.items()
    }


if __name__ == "__main__":
    action, *rest = sys.argv[1:]
    path = Path(rest[-1])
    if action == "write":
        result: Any = write(rest[0], path)
    else:
        result = read(path, train if action == "train" else lambda made: made)
    print("\n" + json.dumps(result))
