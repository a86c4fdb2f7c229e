"""What Keras users reach for on a model, beyond its own methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from tf_longformer.compat import sublayers
from tf_longformer.configuration import LongformerConfig
from tf_longformer.layers.frozen import freeze_parts
from tf_longformer.layers.frozen import frozen_parts
from tf_longformer.layers.quantized import quantize_parts
from tf_longformer.layers.quantized import quantized_parts

# Of what `get_config` returns; another number is another meaning of it.
FORMAT = 1


class KerasMixin:
    """Configuration, export and LoRA, for models with a config.

    The class it is mixed into gives `config`, `longformer` and `input_rank`.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValueError as error:
            state = (keras.layers.Layer, keras.Variable)
            if not any(isinstance(x, state) for x in keras.tree.flatten(value)):
                raise
            raise ValueError(
                "Layers of a subclass must be made in `create_head` and built "
                "in `build_head`, as all weights exist once a model is made. "
                f"Received: `{name}`, set later. Override these two methods, "
                "and have them call those of `super()`."
            ) from error

    def get_config(self) -> dict[str, Any]:
        """Returns what `from_config` makes an equal model from."""
        fields = self.config.to_dict()
        # Where a model came from says nothing on another machine.
        fields.pop("_name_or_path", None)
        config = {
            **keras.layers.Layer.get_config(self),
            "format": FORMAT,
            "config": fields,
        }
        changed = {
            "quantized": quantized_parts(self),
            "frozen": frozen_parts(self),
        }
        return {**config, **{k: v for k, v in changed.items() if v}}

    @classmethod
    def from_config(cls, config: Any, custom_objects: Any = None) -> Any:
        """Makes a model from `get_config()`, or from a `LongformerConfig`.

        Raises:
            ValueError: if another version of the package wrote the config
                in a format that this one does not know.
        """
        if isinstance(config, LongformerConfig):
            return cls(config)
        config = dict(config)
        written = config.pop("format", None)
        if written != FORMAT:
            raise ValueError(
                f"A saved {cls.__name__} must have the format {FORMAT}. "
                f"Received: format {written}, of another version of "
                "tf_longformer. Load it with that version and pass it on by "
                "`save_pretrained`, whose format stays."
            )
        modes, frozen = config.pop("quantized", {}), config.pop("frozen", ())
        fields = LongformerConfig.from_dict(config.pop("config"))
        model = cls(fields, **config)
        quantize_parts(model, modes)
        if frozen:
            freeze_parts(model, frozen)
        return model

    def export(
        self,
        filepath: Any,
        format: str = "tf_saved_model",
        verbose: bool | None = None,
        input_signature: Any = None,
        **kwargs: Any,
    ) -> None:
        """Exports for inference, as `keras.Model.export` does.

        Args:
            filepath: where to write.
            format: `"tf_saved_model"`, `"onnx"`, `"openvino"`, `"litert"`.
                Defaults to the first.
            verbose: bool, whether to print what was written.
            input_signature: as Keras has it. Defaults to a dict of
                `input_ids`, `attention_mask` and `global_attention_mask`, of
                any batch and length.
            **kwargs: further arguments of `keras.Model.export`.
        """
        if input_signature is None:
            shape = (None,) * self.input_rank
            input_signature = [
                {
                    name: keras.InputSpec(shape=shape, dtype="int32", name=name)
                    for name in (
                        "input_ids",
                        "attention_mask",
                        "global_attention_mask",
                    )
                }
            ]
        super().export(
            filepath,
            format=format,
            verbose=verbose,
            input_signature=input_signature,
            **kwargs,
        )

    def enable_lora(
        self,
        rank: int,
        target_names: Sequence[str] = (
            "query",
            "value",
            "query_global",
            "value_global",
        ),
        **kwargs: Any,
    ) -> None:
        """Trains low-rank updates of the body's matrices and the head.

        All other weights of the body are frozen. Files, of Keras and of
        `save_pretrained`, hold the matrices with the updates added, so that
        what is loaded is a plain model. Compile after it.

        Args:
            rank: int, of the updates.
            target_names: names of the layers to update. Defaults to the
                projections to queries and values.
            **kwargs: further arguments of `keras.layers.Dense.enable_lora`,
                such as `lora_alpha`.

        Raises:
            ValueError: if no layer has one of the names.

        Reference:
            - [Hu et al., 2021](https://arxiv.org/abs/2106.09685)
        """
        parts = [part for part in sublayers(self.longformer) if part.weights]
        chosen = [
            part
            for part in parts
            if part.name in target_names and hasattr(part, "enable_lora")
        ]
        if not chosen:
            known = sorted({p.name for p in parts if hasattr(p, "enable_lora")})
            raise ValueError(
                f"`target_names` must name layers of {known}. Received: "
                f"{list(target_names)}. Correct the names."
            )
        for part in parts:
            # A part that holds others stays open for them.
            if part not in chosen and not sublayers(part):
                part.trainable = False
        for part in chosen:
            part.enable_lora(rank, **kwargs)
            part.bias.trainable = False
