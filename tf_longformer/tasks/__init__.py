"""Text in, readable results out, for models that have learned a task.

```python
from tf_longformer.tasks import answer

answer(model, tokenizer, "Who wrote it?", document)
# {"score": 0.93, "start": 120, "end": 131, "answer": "Ada Lovelace"}
```

Documents past the model's limit are cut into windows that overlap, and their
results are merged.
"""

from tf_longformer.tasks.answering import answer
from tf_longformer.tasks.classification import classify
from tf_longformer.tasks.masks import fill_mask
from tf_longformer.tasks.tagging import tag

__all__ = ["answer", "classify", "fill_mask", "tag"]
