"""Tracking servers that are away, slow or dead."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

SLOW = 0.2  # seconds before each byte of an answer


@contextmanager
def listening(how: str) -> Iterator[str]:
    """The address of a server that is ``away``, never answers (``dead``), or answers byte by byte (``slow``)."""
    server = socket.create_server(("127.0.0.1", 0))
    address = f"http://127.0.0.1:{server.getsockname()[1]}"
    if how == "away":
        server.close()
        yield address
        return
    held: list[socket.socket] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            held.append(connection)
            if how == "slow":
                threading.Thread(target=drip, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield address
    finally:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        for connection in held:
            connection.close()


def drip(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n":
        time.sleep(SLOW)
        try:
            connection.send(bytes([byte]))
        except OSError:
            return
