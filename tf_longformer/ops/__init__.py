"""Longformer attention as pure functions of tensors.

Nothing here knows a config, a layer, a variable or a `training` flag.
"""

from tf_longformer.ops.blocks import frame
from tf_longformer.ops.blocks import overlap_add
from tf_longformer.ops.dense_map import to_dense_attention
from tf_longformer.ops.dropout import ReplayableDropout
from tf_longformer.ops.global_attention import global_attention
from tf_longformer.ops.local_attention import local_attention
from tf_longformer.ops.plan import AttentionPlan
from tf_longformer.ops.plan import plan_attention
from tf_longformer.ops.probabilities import global_probabilities
from tf_longformer.ops.probabilities import local_probabilities

__all__ = [
    "AttentionPlan",
    "ReplayableDropout",
    "frame",
    "global_attention",
    "global_probabilities",
    "local_attention",
    "local_probabilities",
    "overlap_add",
    "plan_attention",
    "to_dense_attention",
]
