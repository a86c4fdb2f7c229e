"""From any format into Keras's archive, which only Keras can write."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tf_longformer import atomic_folder
from tf_longformer.checkpoints import conversion
from tf_longformer.checkpoints import saving
from tf_longformer.checkpoints.locate import Location
from tf_longformer.checkpoints.locate import locate
from tf_longformer.models.longformer import TFLongformerModel
from tf_longformer.models.masked_lm import TFLongformerForMaskedLM
from tf_longformer.models.multiple_choice import TFLongformerForMultipleChoice
from tf_longformer.models.question_answering import (
    TFLongformerForQuestionAnswering,
)
from tf_longformer.models.sequence_classification import (
    TFLongformerForSequenceClassification,
)
from tf_longformer.models.token_classification import (
    TFLongformerForTokenClassification,
)

CLASSES = {
    cls.__name__: cls
    for cls in (
        TFLongformerModel,
        TFLongformerForMaskedLM,
        TFLongformerForQuestionAnswering,
        TFLongformerForSequenceClassification,
        TFLongformerForTokenClassification,
        TFLongformerForMultipleChoice,
    )
}


def convert_to_keras(
    location: Location,
    folder: Path,
    head: str | None = None,
    dtype: str | None = None,
) -> list[str]:
    """Writes a checkpoint as a folder with `model.keras`.

    Args:
        location: `Location` of the checkpoint.
        folder: the folder to write to.
        head: as for `conversion.convert`.
        dtype: as for `save_pretrained`.

    Returns:
        Names of the file that are left out.

    Raises:
        CheckpointError: as `conversion.convert` does.
        OSError: the same.
        ValueError: the same.
    """
    saving.check_dtype(dtype, "keras")
    saving.check_hiding(folder, saving.check_format("keras"))
    with tempfile.TemporaryDirectory() as plain:
        left_out = conversion.convert(location, Path(plain), head=head)
        written = locate(plain)
        (name,) = written.config_fields()["architectures"]
        model = CLASSES[f"TF{name}"].from_pretrained(plain)
        with atomic_folder.replacing(folder) as replacement:
            model.save_pretrained(replacement.path, "keras", dtype=dtype)
            conversion.copy_tokenizer(written, replacement)
    return left_out
