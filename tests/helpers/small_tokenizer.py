"""The folder of the small tokenizer that tests share: 700 tokens."""

from pathlib import Path

FOLDER = Path(__file__).parents[1] / "golden/tokenizer/small"
