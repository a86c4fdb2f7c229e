"""Longformer attention, and what lies between, as functions of tensors.

Nothing here knows a config, a layer, a variable or a `training` flag.
"""

from tf_longformer.ops.blocks import frame
from tf_longformer.ops.blocks import overlap_add
from tf_longformer.ops.dense_map import to_dense_attention
from tf_longformer.ops.dropout import ReplayableDropout
from tf_longformer.ops.few_global_attention import few_global_attention
from tf_longformer.ops.few_global_attention import put_rows
from tf_longformer.ops.global_attention import global_attention
from tf_longformer.ops.global_attention import projected_global_attention
from tf_longformer.ops.local_attention import local_attention
from tf_longformer.ops.plan import GLOBAL_COLUMNS
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.plan import plan_attention
from tf_longformer.ops.pointwise import add_and_normalize
from tf_longformer.ops.pointwise import gelu
from tf_longformer.ops.pointwise import gelu_dense
from tf_longformer.ops.portable import attend_portably
from tf_longformer.ops.portable import is_portable
from tf_longformer.ops.portable import portable_attention
from tf_longformer.ops.probabilities import global_probabilities
from tf_longformer.ops.probabilities import local_probabilities
from tf_longformer.ops.tokens import join_heads
from tf_longformer.ops.tokens import split_heads
from tf_longformer.ops.tokens import take_tokens

__all__ = [
    "GLOBAL_COLUMNS",
    "AttentionPlan",
    "ReplayableDropout",
    "add_and_normalize",
    "attend_portably",
    "few_global_attention",
    "frame",
    "gelu",
    "gelu_dense",
    "global_attention",
    "global_probabilities",
    "is_portable",
    "join_heads",
    "local_attention",
    "local_probabilities",
    "overlap_add",
    "plan_attention",
    "portable_attention",
    "projected_global_attention",
    "put_rows",
    "split_heads",
    "take_tokens",
    "to_dense_attention",
]
