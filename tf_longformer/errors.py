"""Errors that callers may want to tell apart."""


class CheckpointError(ValueError):
    """A checkpoint can't be read, or does not fit the model."""
