"""Text in, readable results out, for models that have learned a task.

```python
from tf_longformer.tasks import answer

answer(model, tokenizer, "Who wrote it?", document)
# {"score": 0.93, "start": 120, "end": 131, "answer": "Ada Lovelace"}
```

Documents past the model's limit are cut into windows that overlap, and their
results are merged.
"""

from tf_longformer.projections import Projection
from tf_longformer.tasks.answering import answer
from tf_longformer.tasks.choosing import choose
from tf_longformer.tasks.classification import classify
from tf_longformer.tasks.embedding import embed
from tf_longformer.tasks.masks import fill_mask
from tf_longformer.tasks.redaction import redact
from tf_longformer.tasks.sentence_transformers import save_sentence_transformer
from tf_longformer.tasks.sentence_transformers import (
    sentence_transformer_options,
)
from tf_longformer.tasks.tagging import tag
from tf_longformer.tasks.tagging import tag_words

__all__ = [
    "Projection",
    "answer",
    "choose",
    "classify",
    "embed",
    "fill_mask",
    "redact",
    "save_sentence_transformer",
    "sentence_transformer_options",
    "tag",
    "tag_words",
]
