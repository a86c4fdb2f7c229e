"""Metrics as the field's own scorers compute them, in NumPy, without a backend.

```python
from tf_longformer.metrics import entity_metrics

entity_metrics([["B-PER", "I-PER", "O"]], [["B-PER", "O", "O"]])
# {"precision": 0.0, "recall": 0.0, "f1": 0.0, "accuracy": 0.67, ...}
```

Texts and choices as scikit-learn has it, entities as seqeval, answers as
SQuAD's script.
"""

from tf_longformer.metrics.answer_metrics import question_answering_metrics
from tf_longformer.metrics.entity_metrics import entity_metrics
from tf_longformer.metrics.entity_metrics import span_metrics
from tf_longformer.metrics.label_metrics import multiple_choice_metrics
from tf_longformer.metrics.label_metrics import text_classification_metrics
from tf_longformer.metrics.language_model_metrics import masked_lm_metrics

__all__ = [
    "entity_metrics",
    "masked_lm_metrics",
    "multiple_choice_metrics",
    "question_answering_metrics",
    "span_metrics",
    "text_classification_metrics",
]
