"""Makes vectors of the records of a file."""

from __future__ import annotations

import hashlib
from typing import Any

from tf_longformer.batch.checkpoint_predictor import CheckpointPredictor
from tf_longformer.batch.rows import Row
from tf_longformer.checkpoints.locate import Location
from tf_longformer.heads import BARE
from tf_longformer.projections import Projection
from tf_longformer.projections import projected_width
from tf_longformer.tasks import embed
from tf_longformer.tasks.sentence_transformers import read_options

RESULT = "embedding"


class Embedder(CheckpointPredictor):
    """Runs the body of a checkpoint, of whatever head, as a `Predictor`.

    A record is a text, or an object with `text`. The result is `embedding`,
    or with `spans` a list `spans` of objects with `start`, `end` and
    `embedding`.

    Args:
        checkpoint: as of `CheckpointPredictor`.
        pooling: as of `tf_longformer.tasks.embed`. Defaults to what a model
            of sentence-transformers says, else to `"mean"`.
        normalize: the same, else `True`. Its projections are applied too.
        spans: `"sentences"` or `"paragraphs"`. Defaults to none.

    Raises:
        ValueError: the checkpoint or its tokenizer can't be read.
    """

    def __init__(
        self,
        checkpoint: str,
        pooling: str | None = None,
        normalize: bool | None = None,
        spans: str | None = None,
    ) -> None:
        given = {"pooling": pooling, "normalize": normalize, "spans": spans}
        self._given = {name: x for name, x in given.items() if x is not None}
        super().__init__(checkpoint, BARE)
        self.result = RESULT if spans is None else "spans"
        self._predict = _embed

    def _read_settings(self, location: Location) -> dict[str, Any]:
        self.options = {
            **read_options(location),
            **self._given,
        }
        pooling = self.options.get("pooling", "mean")
        if "spans" in self.options and pooling != "mean":
            raise ValueError(
                "The vectors of spans are means of their tokens. Received: "
                f"spans of a model whose vectors are pooled by {pooling!r}. "
                'Add --pooling mean if you want means (`pooling="mean"`), or '
                "leave the spans out."
            )
        settings = super()._read_settings(location)
        if "projections" in self.options:
            # JSON knows no arrays.
            digests = [_digest(one) for one in self.options["projections"]]
            settings["options"] = {**self.options, "projections": digests}
        return settings

    @property
    def width(self) -> int:
        """The size of a vector."""
        return projected_width(
            self.options.get("projections", ()), self.model.config.hidden_size
        )

    def prepare(self, value: Any) -> Row:
        """See `Predictor`."""
        given = {"text": value} if isinstance(value, str) else value
        if not isinstance(given, dict) or "text" not in given:
            names = list(given)[:5] if isinstance(given, dict) else []
            raise ValueError(
                "A record must be a text, or have `text`. Received: "
                f"{', '.join(names) or str(value)[:40]}. Name it text."
            )
        return super().prepare({"text": given["text"]})


def _digest(projection: Projection) -> str:
    """Returns a text that is another one for each other projection."""
    digest = hashlib.sha256(projection.activation.encode())
    for array in (projection.kernel, projection.bias):
        if array is not None:
            digest.update(str(array.shape).encode() + array.tobytes())
    return digest.hexdigest()


def _embed(*arguments: Any, **options: Any) -> Any:
    """Returns what JSON knows: lists in the place of arrays within lists."""
    results = embed(*arguments, **options)
    if options.get("spans") is None:
        return results
    return [
        [{**span, RESULT: span[RESULT].tolist()} for span in spans]
        for spans in results
    ]
