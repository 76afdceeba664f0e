"""Just enough HTTP/1.1 for the AWS clients, on loopback."""

from __future__ import annotations

import asyncio
import itertools
from typing import Final, NamedTuple

from nbflow.core.errors import NbflowError
from nbflow.services.swf.emulator.faults import Fault, invalid
from nbflow.services.swf.emulator.server import Reply, Server, Waiter

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_HEAD: Final = 65_536
_END: Final = b"\r\n\r\n"
_REASONS: Final = {200: "OK", 400: "Bad Request", 413: "Content Too Large", 500: "Server Error"}
_NUMBERS: Final = itertools.count(1)


class Request(NamedTuple):
    """A request as it came in."""

    method: str
    headers: dict[str, str]
    body: bytes


class Connection(asyncio.Protocol):
    """One connection: its requests are answered one after the other."""

    def __init__(self, server: Server, open_: set[Connection]) -> None:
        self._server = server
        self._open = open_
        self._read = b""
        self._busy = False
        self._waiter: Waiter | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a server's always is
        self._transport = transport
        self._open.add(self)

    def end(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it came
        """End: a poll whose client is gone must not take a task with it."""
        self._transport = None
        self._open.discard(self)
        if self._waiter is not None:
            self._waiter.answered = None

    def data_received(self, data: bytes) -> None:
        """Take in a piece of a request."""
        self._read += data
        self._next()

    def _next(self) -> None:
        while not self._busy and self._transport is not None:
            try:
                request = self._request()
            except Fault as fault:
                self._refuse(fault)
                return
            if request is None:
                return
            self._busy = True
            self._answer(request)

    def _request(self) -> Request | None:
        """Give the next request if all of it is there."""
        end = self._read.find(_END)
        if end < 0:
            if len(self._read) > _HEAD:
                raise invalid("The head of the request is too long")
            return None
        method, headers = _head(self._read[:end])
        length = int(headers.get("content-length") or 0)
        if length > self._server.limits.request:
            most = self._server.limits.request
            raise Fault("RequestEntityTooLarge", f"A request has at most {most} bytes")
        if len(self._read) < end + len(_END) + length:
            if headers.get("expect", "").lower() == "100-continue" and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = self._read[end + len(_END) : end + len(_END) + length]
        self._read = self._read[end + len(_END) + length :]
        return Request(method, headers, body)

    def _answer(self, request: Request) -> None:
        host = request.headers.get("host", "").rpartition(":")[0].strip("[]")
        target = request.headers.get("x-amz-target", "")
        if request.method != "POST" or host not in LOOPBACK:
            # A page in a browser can send a request to loopback, but not with this header.
            self._refuse(invalid("Requests are sent by POST, to a loopback address"))
            return
        waiter = self._server.handle(target, request.body, self._reply)
        if waiter is not None and waiter.answered is not None:
            self._waiter = waiter

    def _refuse(self, fault: Fault) -> None:
        """Answer what is no request to the service, and end the connection."""
        if self._transport is not None:
            body = f'{{"__type":"{fault.kind}","message":"{fault.message}"}}'.encode()
            self._transport.write(_response(Reply(fault.status, body)))
            self._transport.close()

    def _reply(self, reply: Reply) -> None:
        self._busy, self._waiter = False, None
        if self._transport is None:
            return
        if reply.body is None:
            self._transport.abort()
            return
        self._transport.write(_response(reply))
        if self._read:
            self._next()


def _head(raw: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if not headers.get("content-length", "0").isdigit():
        raise invalid("Content-Length is no number")
    return first.partition(" ")[0], headers


def _response(reply: Reply) -> bytes:
    body = reply.body or b""
    head = (
        f"HTTP/1.1 {reply.status} {_REASONS.get(reply.status, 'Error')}\r\n"
        "Content-Type: application/x-amz-json-1.0\r\n"
        f"Content-Length: {len(body)}\r\n"
        f"x-amzn-RequestId: emulated-{next(_NUMBERS)}\r\n\r\n"
    )
    return head.encode() + body


class Listener:
    """An address that requests are taken at.

    Attributes:
        url: The address.
    """

    def __init__(self, url: str, listening: asyncio.Server, open_: set[Connection]) -> None:
        self.url = url
        self._listening = listening
        self._open = open_

    def close(self) -> None:
        """End it, and the connections to it, waiting polls or not."""
        self._listening.close()
        for connection in list(self._open):
            connection.end()


async def listen(server: Server, host: str = "127.0.0.1", port: int = 0) -> Listener:
    """Listen on loopback.

    Args:
        server: What answers.
        host: A loopback address.
        port: 0 for one that is free.

    Raises:
        NbflowError: It is no loopback address: whoever can reach the emulator can use it.
    """
    if host not in LOOPBACK:
        raise NbflowError(f"the emulator listens on loopback only, not on {host!r}: use 127.0.0.1")
    open_: set[Connection] = set()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(server, open_), host, port)
    real = listening.sockets[0].getsockname()[1]
    return Listener(f"http://{f'[{host}]' if ':' in host else host}:{real}", listening, open_)
