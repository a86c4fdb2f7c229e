"""What a client did wrong, with the status that TensorFlow Serving gives."""

from __future__ import annotations

# TensorFlow's error codes and HTTP's; all others are 500.
STATUS_CODES = {
    3: 400,  # INVALID_ARGUMENT
    4: 504,  # DEADLINE_EXCEEDED
    5: 404,  # NOT_FOUND
    6: 409,  # ALREADY_EXISTS
    7: 403,  # PERMISSION_DENIED
    8: 429,  # RESOURCE_EXHAUSTED
    9: 400,  # FAILED_PRECONDITION
    10: 409,  # ABORTED
    11: 400,  # OUT_OF_RANGE
    12: 501,  # UNIMPLEMENTED
    14: 503,  # UNAVAILABLE
    16: 401,  # UNAUTHENTICATED
}


class RequestError(ValueError):
    """A request that can't be answered.

    Args:
        message: string, the rule, what was received, what to send.
        status: int, the status of HTTP. Defaults to `400`.
    """

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status
