"""Makes `tests/checkpoints/hf.tar.xz`; runs where torch is.

Usage, in an environment with transformers 4.57.1 and TensorFlow
(tests/oracles has the requirements):

    python tests/scripts/make_checkpoint_fixtures.py

The archive has a folder for each head with a tiny model as transformers
writes it in each of its formats, and `state_dict.npz`, PyTorch's arrays by
its names.
"""

from __future__ import annotations

import io
import lzma
import os
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "oracles"))

import drawing  # noqa: E402
import hf_worker  # noqa: E402

# Sizes all differ, so that no transposed or swapped matrix fits.
CONFIG = {
    "attention_window": [4, 8],
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "hidden_size": 6,
    "intermediate_size": 7,
    "vocab_size": 13,
    "max_position_embeddings": 17,
    "type_vocab_size": 2,
    "num_labels": 5,
}
HEADS = (
    drawing.BASE,
    drawing.MASKED_LM,
    drawing.ANSWERING,
    drawing.SEQUENCE,
    drawing.TOKENS,
    drawing.CHOICE,
)
SHARD = "1KB"


def main() -> None:
    """Writes the archive."""
    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as folder:
        for seed, head in enumerate(HEADS):
            write_head(Path(folder) / head, head, seed)
        pack(Path(folder), TESTS / "checkpoints" / "hf.tar.xz")


def write_head(folder: Path, head: str, seed: int) -> None:
    """Writes a model in all formats."""
    labels = {"num_labels": 2} if head == drawing.ANSWERING else {}
    config = transformers.LongformerConfig(**{**CONFIG, **labels})
    model = getattr(transformers, f"Longformer{head}")(config)
    hf_worker.draw_weights(model, seed, 0.2)
    # In reach of all types that the formats store.
    model.half().float()
    write_torch(folder, model)
    if hf_worker.VERSION < 5:
        write_tensorflow(folder, head)
    arrays = {n: t.numpy() for n, t in model.state_dict().items()}
    np.savez(folder / "state_dict.npz", **arrays)


def write_torch(folder: Path, model: Any) -> None:
    """Writes PyTorch's formats."""
    model.save_pretrained(folder / "safetensors")
    model.save_pretrained(folder / "safetensors_sharded", max_shard_size=SHARD)
    if hf_worker.VERSION < 5:
        model.save_pretrained(folder / "torch", safe_serialization=False)
        model.save_pretrained(
            folder / "torch_sharded",
            safe_serialization=False,
            max_shard_size=SHARD,
        )
    state = model.state_dict()
    for name, dtype in (
        ("legacy", torch.float32),
        ("half", torch.float16),
        ("bfloat16", torch.bfloat16),
        ("double", torch.float64),
    ):
        target = folder / f"torch_{name}"
        model.config.save_pretrained(target)
        torch.save(
            {key: value.to(dtype) for key, value in state.items()},
            target / "pytorch_model.bin",
            _use_new_zipfile_serialization=name != "legacy",
        )


def write_tensorflow(folder: Path, head: str) -> None:
    """Writes the formats of the TensorFlow class."""
    model = getattr(transformers, f"TFLongformer{head}").from_pretrained(
        folder / "torch", from_pt=True
    )
    model.save_pretrained(folder / "tensorflow")
    model.save_pretrained(
        folder / "tensorflow_safetensors", safe_serialization=True
    )
    model.save_pretrained(folder / "tensorflow_sharded", max_shard_size=SHARD)


def pack(folder: Path, target: Path) -> None:
    """Packs a folder, alike in each run."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                info = tarfile.TarInfo(str(path.relative_to(folder)))
                info.size = path.stat().st_size
                with path.open("rb") as file:
                    archive.addfile(info, file)
    target.write_bytes(lzma.compress(buffer.getvalue(), preset=9))


if __name__ == "__main__":
    main()
