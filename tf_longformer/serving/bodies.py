"""Bodies that come packed."""

from __future__ import annotations

import zlib

from tf_longformer.serving.errors import RequestError

_PLAIN = ("", "identity")
_GZIP = ("gzip", "x-gzip")


def check_coding(coding: str) -> None:
    """Checks the header Content-Encoding.

    Args:
        coding: string, its value; empty for none.

    Raises:
        RequestError: the server can't unpack it.
    """
    if coding.strip().lower() not in (*_PLAIN, *_GZIP):
        raise RequestError(
            "A body may be packed with gzip only. Received: Content-Encoding "
            f"{coding}. Send it with gzip, or as it is.",
            415,
        )


def decode(body: bytes, coding: str, most: int) -> bytes:
    """Unpacks a body.

    Args:
        body: bytes, as they came.
        coding: string, one that `check_coding` takes.
        most: int, the most bytes that may come out.

    Returns:
        Bytes.

    Raises:
        RequestError: it isn't of that coding, or has more bytes.
    """
    if coding.strip().lower() in _PLAIN:
        return body
    unpacker = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        # One byte more than allowed says that there are more.
        plain = unpacker.decompress(body, most + 1)
    except zlib.error as error:
        raise _damaged(str(error)) from error
    if len(plain) > most:
        raise too_large(most)
    if not unpacker.eof:
        raise _damaged("it ends too early")
    if unpacker.unused_data:
        raise _damaged("something follows it")
    return plain


def too_large(most: int) -> RequestError:
    """Returns the error of a body that has more than `most` bytes."""
    return RequestError(
        f"A body must have at most {most} bytes, unpacked too. This one has "
        "more. Send the rows in several requests.",
        413,
    )


def _damaged(reason: str) -> RequestError:
    return RequestError(
        "A body with Content-Encoding gzip must be one gzip file. Received: "
        f"one that isn't ({reason}). Pack it again."
    )
