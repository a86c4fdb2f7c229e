"""Longformer attention as functions of tensors.

Where to look:

- `roles`: from the two masks to who is global, local or padding.
- `windowed`: the scores of a window (`_attend_blocks`), by blocks that
  `blocking` cuts; `windowed_gradient` makes them again.
- `flash`: the same by a kernel of cuDNN's, where it is asked for.
- `globals`: the rows of the global tokens. With `windowed` the fast path.
- `reference`: both at once, for other runtimes and returned probabilities.
- `recompute`: dropout that is replayed, and what else the backward pass
  computes again.
- `scores` and `shapes`: what these share. `dense_map`: a map for a look.

Nothing here knows a config, a layer, a variable or a `training` flag.
"""

from tf_longformer.attention.dense_map import to_dense_attention
from tf_longformer.attention.flash import flash_windowed_attention
from tf_longformer.attention.globals import global_attention
from tf_longformer.attention.globals import global_attention_by_kernels
from tf_longformer.attention.recompute import ReplayableDropout
from tf_longformer.attention.recompute import add_and_normalize
from tf_longformer.attention.recompute import gelu
from tf_longformer.attention.recompute import gelu_dense
from tf_longformer.attention.reference import attend_by_reference
from tf_longformer.attention.reference import attention_probabilities
from tf_longformer.attention.roles import TokenRoles
from tf_longformer.attention.roles import assign_roles
from tf_longformer.attention.roles import take_columns
from tf_longformer.attention.shapes import take_tokens
from tf_longformer.attention.windowed import windowed_attention

__all__ = [
    "ReplayableDropout",
    "TokenRoles",
    "add_and_normalize",
    "assign_roles",
    "attend_by_reference",
    "attention_probabilities",
    "flash_windowed_attention",
    "gelu",
    "gelu_dense",
    "global_attention",
    "global_attention_by_kernels",
    "take_columns",
    "take_tokens",
    "to_dense_attention",
    "windowed_attention",
]
