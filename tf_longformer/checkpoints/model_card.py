"""The model card: the page of a model on the hub."""

from __future__ import annotations

from tf_longformer.configuration import LongformerConfig
from tf_longformer.heads import HEADS

_CARD = """---
library_name: tf-longformer
{task}tags:
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
    """Returns a model card in Markdown, for a model of a head of `HEADS`."""
    task = HEADS[head].task
    windows = sorted({2 * radius for radius in config.radii})
    return _CARD.format(
        # A head of a user's may have no task that the hub knows.
        task=f"pipeline_tag: {task}\n" if task else "",
        name=repo_id.rpartition("/")[2],
        head=head,
        layers=config.num_hidden_layers,
        width=config.hidden_size,
        windows=" and ".join(str(window) for window in windows),
        tokens=config.max_tokens,
        vocabulary=config.vocab_size,
        repo_id=repo_id,
    )
