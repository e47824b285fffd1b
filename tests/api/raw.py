"""Requests as bytes over a socket, for what no HTTP client would send."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tests.api.service import TIMEOUT_SECONDS, Service


@contextmanager
def connect(service: Service) -> Iterator[socket.socket]:
    """Open a connection to the API."""
    address = (service.client.base_url.host, service.client.base_url.port or 80)
    with socket.create_connection(address, TIMEOUT_SECONDS) as connection:
        yield connection


def send_raw(service: Service, request: bytes, *, is_closed_early: bool = False) -> bytes:
    """Send bytes and return the response.

    Args:
        service: The running API.
        request: The bytes to send.
        is_closed_early: Whether the client closes its side before it reads.
    """
    with connect(service) as connection:
        connection.sendall(request)
        if is_closed_early:
            connection.shutdown(socket.SHUT_WR)
        response = b""
        while part := connection.recv(65_536):
            response += part
        return response
