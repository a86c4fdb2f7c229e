"""The page of a model on the hub."""

from __future__ import annotations

from tf_longformer.configuration import LongformerConfig

_TASKS = {
    "LongformerModel": "feature-extraction",
    "LongformerForMaskedLM": "fill-mask",
    "LongformerForQuestionAnswering": "question-answering",
    "LongformerForSequenceClassification": "text-classification",
    "LongformerForTokenClassification": "token-classification",
    "LongformerForMultipleChoice": "multiple-choice",
}

_CARD = """---
library_name: tf-longformer
pipeline_tag: {task}
tags:
- longformer
- keras
- tensorflow
---

# {name}

A `{head}`: {layers} layers of width {width}, attention windows of {windows}
tokens, texts of up to {tokens} tokens, a vocabulary of {vocabulary}.

```python
from tf_longformer import TF{head}

model = TF{head}.from_pretrained("{repo_id}")
```

The weights are stored as transformers has them, whose `{head}` opens them
too.
"""


def write_card(repo_id: str, head: str, config: LongformerConfig) -> str:
    """Returns a model card in Markdown.

    Args:
        repo_id: str, `owner/name`.
        head: str, a key of `names.HEADS`.
        config: `LongformerConfig`.
    """
    windows = sorted({2 * radius for radius in config.radii})
    return _CARD.format(
        task=_TASKS[head],
        name=repo_id.rpartition("/")[2],
        head=head,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        windows=" and ".join(str(window) for window in windows),
        tokens=config.max_tokens,
        vocabulary=config.vocab_size,
        repo_id=repo_id,
    )
