"""Errors that callers may want to tell apart."""

from __future__ import annotations

from collections.abc import Sequence


class CheckpointError(ValueError):
    """A checkpoint can't be read, or does not fit the model.

    Args:
        message: what is wrong, and what to do.
        missing_keys: names that the model has and the file doesn't. Defaults
            to none.
        unexpected_keys: names that the file has and the model doesn't.
            Defaults to none.
        mismatched_keys: tuples of a name, the file's shape and the model's.
            Defaults to none.
    """

    def __init__(
        self,
        message: str,
        missing_keys: Sequence[str] = (),
        unexpected_keys: Sequence[str] = (),
        mismatched_keys: Sequence[
            tuple[str, tuple[int, ...], tuple[int, ...]]
        ] = (),
    ) -> None:
        super().__init__(message)
        self.missing_keys = list(missing_keys)
        self.unexpected_keys = list(unexpected_keys)
        self.mismatched_keys = list(mismatched_keys)
