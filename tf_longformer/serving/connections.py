"""Connections whose requests must begin in time, with errors in JSON."""

from __future__ import annotations

import asyncio
import http
import json
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


def connections(seconds: float) -> type[H11Protocol]:
    """Returns the protocol of a server's connections.

    uvicorn waits without end for the head of a request: for all of it on a
    new connection, for the rest of it on one that has had a request before.

    Args:
        seconds: float, how long the head may take, from the connection or
            the head's first byte. One of which a part has come is answered
            with 408.
    """

    class Connection(H11Protocol):
        """Ends when no request begins."""

        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._deadline = self.loop.call_later(seconds, self._give_up)

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.conn.their_state is not h11.IDLE:
                self._stop_waiting()
            elif self._deadline is None:
                self._deadline = self.loop.call_later(seconds, self._give_up)

        def _stop_waiting(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _give_up(self) -> None:
            if self.transport.is_closing():
                return
            begun, _ = self.conn.trailing_data
            if begun:
                self._refuse(
                    408,
                    f"A request must be sent within {seconds:g} seconds. This "
                    "one was not. Send it at once.",
                )
            else:
                self.transport.close()

        def send_400_response(self, msg: str) -> None:
            self._refuse(400, f"{msg} Send HTTP/1.1.")

        def _refuse(self, status: int, message: str) -> None:
            body = json.dumps({"error": message}).encode()
            headers = [
                ("content-type", "application/json"),
                ("content-length", str(len(body))),
                ("connection", "close"),
            ]
            events = [
                h11.Response(
                    status_code=status,
                    headers=headers,
                    reason=http.HTTPStatus(status).phrase.encode(),
                ),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ]
            # Not into the middle of an answer.
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                for event in events:
                    self.transport.write(self.conn.send(event) or b"")
            self.transport.close()

    return Connection
