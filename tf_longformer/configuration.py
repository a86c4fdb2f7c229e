"""The configuration of a Longformer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any
from typing import ClassVar

from tf_longformer import _configuration_labels as labels
from tf_longformer import _configuration_rules as rules
from tf_longformer._configuration_base import SavedConfig


class LongformerConfig(SavedConfig):
    """Sizes, windows and labels of a Longformer.

    The fields and their defaults are those of transformers, which reads the
    files written here as equal, and the other way round. The defaults alone
    are not those of a published checkpoint: `allenai/longformer-base-4096`
    has `vocab_size=50265`, `max_position_embeddings=4098`,
    `type_vocab_size=1` and `layer_norm_eps=1e-5`.

    Every field is an attribute. Fields may be changed until a model is built
    from the config, which calls `validate` again; a model never looks at the
    windows later. Keywords that aren't known are kept as attributes and
    written back.

    Args:
        attention_window: int or list of int, one per layer. How many
            neighbours a token sees, both sides together, so
            `attention_window // 2` on either. Even. Defaults to `512`.
        sep_token_id: int or `None`. The separator, from which the default
            global tokens of question answering are found. Defaults to `2`.
        pad_token_id: int. The padding token, and the last position number
            that no token has. Defaults to `1`.
        bos_token_id: int or `None`. Defaults to `0`.
        eos_token_id: int, list of int or `None`. Defaults to `2`.
        vocab_size: int. Defaults to `30522`.
        hidden_size: int. Width of the hidden states, a multiple of
            `num_attention_heads`. Defaults to `768`.
        num_hidden_layers: int. Defaults to `12`.
        num_attention_heads: int. Defaults to `12`.
        intermediate_size: int. Width inside the feed-forward part. Defaults
            to `3072`.
        hidden_act: string. Activation of the feed-forward part, by the name
            that transformers gives it. Defaults to `"gelu"`, the exact one.
        hidden_dropout_prob: float in [0, 1). Defaults to `0.1`.
        attention_probs_dropout_prob: float in [0, 1). Defaults to `0.1`.
        max_position_embeddings: int. Rows of the position table, of which
            the first `pad_token_id + 1` aren't for tokens: see `max_tokens`.
            Defaults to `512`.
        type_vocab_size: int. Defaults to `2`.
        initializer_range: float. Standard deviation of new weights. Defaults
            to `0.02`.
        layer_norm_eps: float. Defaults to `1e-12`.
        onnx_export: bool. Kept for transformers, without effect here.
            Defaults to `False`.
        tie_word_embeddings: bool. Whether the masked language model's output
            projection is the word embedding. Defaults to `True`.
        attention_slots: int or `None`. Columns that returned attentions have
            for global tokens under XLA, where they can't depend on the
            input. Not a field of transformers; written only when set.
            Defaults to `None`.
        num_labels: int. Outputs of a classification head; generates
            `id2label` and `label2id`. Defaults to `2`.
        id2label: dict of int (or digits) to string. Defaults to
            `{0: "LABEL_0", 1: "LABEL_1"}`.
        label2id: dict of string to int, the inverse of `id2label`. Stays
            `None` when only `id2label` is given, as in transformers. Given
            alone it makes `id2label`; transformers would ignore it.
        problem_type: `"regression"`, `"single_label_classification"`,
            `"multi_label_classification"` or `None`, which leaves it to the
            labels. Defaults to `None`.
        output_attentions: bool. Defaults to `False`.
        output_hidden_states: bool. Defaults to `False`.
        return_dict: bool. `False` has models return tuples. Defaults to
            `True`.
        chunk_size_feed_forward: int. Kept for transformers, without effect
            here. Defaults to `0`.
        is_encoder_decoder: bool. Kept for transformers. Defaults to `False`.
        architectures: list of string or `None`. Class names of the models
            whose weights lie beside the file. Defaults to `None`.
        dtype: string or `None`. Type of the stored weights; `torch_dtype` is
            read as an older name of it. Defaults to `None`.
        transformers_version: string or `None`. What a file that was read
            said. Defaults to `None`.
        **kwargs: Further fields, kept as they are.

    Raises:
        ValueError: if a field breaks a rule, or two contradict one another.

    Example:

    ```python
    config = LongformerConfig(
        attention_window=[32, 64], num_hidden_layers=2, num_labels=3
    )
    config.radii  # (16, 32)
    ```

    Reference: Beltagy et al., https://arxiv.org/abs/2004.05150
    """

    model_type = "longformer"
    _shared_defaults: ClassVar[Mapping[str, Any]] = {
        "architectures": None,
        "chunk_size_feed_forward": 0,
        "dtype": None,
        "id2label": {0: "LABEL_0", 1: "LABEL_1"},
        "is_encoder_decoder": False,
        "label2id": {"LABEL_0": 0, "LABEL_1": 1},
        "output_attentions": False,
        "output_hidden_states": False,
        "problem_type": None,
        "return_dict": True,
    }

    def __init__(
        self,
        attention_window: int | list[int] = 512,
        *,
        sep_token_id: int | None = 2,
        pad_token_id: int = 1,
        bos_token_id: int | None = 0,
        eos_token_id: int | list[int] | None = 2,
        vocab_size: int = 30522,
        hidden_size: int = 768,
        num_hidden_layers: int = 12,
        num_attention_heads: int = 12,
        intermediate_size: int = 3072,
        hidden_act: str = "gelu",
        hidden_dropout_prob: float = 0.1,
        attention_probs_dropout_prob: float = 0.1,
        max_position_embeddings: int = 512,
        type_vocab_size: int = 2,
        initializer_range: float = 0.02,
        layer_norm_eps: float = 1e-12,
        onnx_export: bool = False,
        tie_word_embeddings: bool = True,
        attention_slots: int | None = None,
        num_labels: int | None = None,
        id2label: Mapping[int | str, str] | None = None,
        label2id: Mapping[str, int] | None = None,
        problem_type: str | None = None,
        output_attentions: bool = False,
        output_hidden_states: bool = False,
        return_dict: bool = True,
        chunk_size_feed_forward: int = 0,
        is_encoder_decoder: bool = False,
        architectures: list[str] | None = None,
        dtype: str | None = None,
        transformers_version: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.attention_window = attention_window
        self.sep_token_id = sep_token_id
        self.pad_token_id = pad_token_id
        self.bos_token_id = bos_token_id
        self.eos_token_id = eos_token_id
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.intermediate_size = intermediate_size
        self.hidden_act = hidden_act
        self.hidden_dropout_prob = hidden_dropout_prob
        self.attention_probs_dropout_prob = attention_probs_dropout_prob
        self.max_position_embeddings = max_position_embeddings
        self.type_vocab_size = type_vocab_size
        self.initializer_range = initializer_range
        self.layer_norm_eps = layer_norm_eps
        self.onnx_export = onnx_export
        self.tie_word_embeddings = tie_word_embeddings
        self.attention_slots = attention_slots
        self.problem_type = problem_type
        self.output_attentions = output_attentions
        self.output_hidden_states = output_hidden_states
        self.return_dict = kwargs.pop("use_return_dict", return_dict)
        self.chunk_size_feed_forward = chunk_size_feed_forward
        self.is_encoder_decoder = is_encoder_decoder
        self.architectures = architectures
        torch_dtype = kwargs.pop("torch_dtype", None)
        self.dtype = torch_dtype if dtype is None else dtype
        self.transformers_version = transformers_version
        self._set_labels(num_labels, id2label, label2id)
        for name, value in kwargs.items():
            self._set_unknown(name, value)
        self.validate()

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, rules.normalize(name, value))

    def _set_labels(
        self,
        num_labels: int | None,
        id2label: Mapping[int | str, str] | None,
        label2id: Mapping[str, int] | None,
    ) -> None:
        if id2label is None and label2id is None:
            self.num_labels = 2 if num_labels is None else num_labels
            return
        if id2label is None:
            id2label = labels.invert(label2id)
        self.id2label = id2label
        self.label2id = label2id
        if num_labels is None:
            return
        labels.check_num_labels(num_labels)
        if num_labels != self.num_labels:
            raise ValueError(
                "`num_labels` must be the number of entries of `id2label`. "
                f"Received: num_labels={num_labels}, "
                f"id2label={self.id2label!r}. Leave one of them out."
            )

    def _set_unknown(self, name: str, value: Any) -> None:
        if name == "model_type":
            rules.check_model_type(value)
            return
        if callable(getattr(type(self), name, None)):
            raise ValueError(
                "A field can't have the name of a method of "
                f"`LongformerConfig`. Received: {name}={value!r}. Rename it."
            )
        # Straight into the instance: a file may hold `head_dim` or another
        # name that is a read-only property here, which goes on winning.
        vars(self)[name] = copy.deepcopy(value)

    @property
    def num_labels(self) -> int:
        """Number of entries of `id2label`.

        Setting another number generates both label maps anew.
        """
        names = vars(self).get("id2label")
        return len(names) if isinstance(names, Mapping) else 0

    @num_labels.setter
    def num_labels(self, num_labels: int) -> None:
        labels.check_num_labels(num_labels)
        if num_labels == self.num_labels:
            return
        self.id2label = {i: f"LABEL_{i}" for i in range(num_labels)}
        self.label2id = {f"LABEL_{i}": i for i in range(num_labels)}

    @property
    def use_return_dict(self) -> bool:
        """Whether models return an output object (a tuple otherwise)."""
        return bool(self.return_dict)

    @property
    def torch_dtype(self) -> str | None:
        """An older name of `dtype`."""
        return self.dtype

    @torch_dtype.setter
    def torch_dtype(self, dtype: str | None) -> None:
        self.dtype = dtype

    @property
    def radii(self) -> tuple[int, ...]:
        """Tokens that each layer sees on one side, from the first layer."""
        window = self.attention_window
        if not isinstance(window, list):
            window = [window] * self.num_hidden_layers
        return tuple(item // 2 for item in window)

    def radius(self, layer: int) -> int:
        """Returns how many tokens a layer sees on one side.

        Args:
            layer: int. The layer's place, from 0.

        Returns:
            int. Half of the layer's window.
        """
        return self.radii[layer]

    @property
    def head_dim(self) -> int:
        """Width of one attention head."""
        return self.hidden_size // self.num_attention_heads

    @property
    def max_tokens(self) -> int:
        """The longest sequence that the position table has room for."""
        return self.max_position_embeddings - self.pad_token_id - 1
