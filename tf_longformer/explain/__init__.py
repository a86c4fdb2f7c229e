"""Where a model looks in a document, and what its prediction rests on.

```python
from tf_longformer.explain import explain

explain(model, tokenizer, document).save("explanation.html")
```

Where to look:

- `document` and `encoder_pass`: a text's way through a model, layer by layer.
- `attention_summary`: what is kept of the attention.
- `targets`: the number that is explained, for each head.
- `attribution`: what that number rests on.
- `explanation`: all of it. `page`: as HTML.
"""

from tf_longformer.explain.explanation import Effect
from tf_longformer.explain.explanation import Explanation
from tf_longformer.explain.explanation import Prediction
from tf_longformer.explain.explanation import explain

__all__ = ["Effect", "Explanation", "Prediction", "explain"]
