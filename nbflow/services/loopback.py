"""What emulators of services share: HTTP/1.1 on loopback, their time, and how they are run."""

from __future__ import annotations

import asyncio
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, Protocol, TextIO, TypeAlias
from urllib.parse import urlsplit

from nbflow.core.errors import NbflowError

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_HEAD: Final = 65_536
_END: Final = b"\r\n\r\n"
_GRACE: Final = 5.0
_PATIENCE: Final = 60.0
_BAD: Final = 400
_TOO_LARGE: Final = 413


class Request(NamedTuple):
    """A request as it came in; `target` is the path with what stands behind the ``?``."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Reply(NamedTuple):
    """An answer on its way out; `body` None: the connection is ended without one."""

    status: int
    body: bytes | None
    headers: tuple[tuple[str, str], ...] = ()


Answered: TypeAlias = Callable[[Reply], None]
Forget: TypeAlias = Callable[[], None]


class Service(Protocol):
    """What answers."""

    most: int
    """Bytes of a request."""

    def handle(self, request: Request, answered: Answered) -> Forget | None:
        """Answer a request by calling `answered` once, now or later.

        Returns:
            What is to be called if the client goes away before it has its answer, or None.
        """

    def refusal(self, status: int, message: str) -> Reply:
        """Say no to what is no request at all."""


class Malformed(ValueError):
    """What came in is no request.

    Attributes:
        status: The HTTP status that it is refused with.
    """

    def __init__(self, message: str, status: int = _BAD) -> None:
        super().__init__(message)
        self.status = status


class Clock:
    """An emulator's time: real, moved on by request, or standing still but for that.

    Args:
        frozen: Whether it stands still.
    """

    def __init__(self, *, frozen: bool = False) -> None:
        self._frozen = time.time() if frozen else None
        self._moved = 0.0

    @property
    def frozen(self) -> bool:
        """Whether time passes only by request."""
        return self._frozen is not None

    def now(self) -> float:
        """Give the time in seconds since the epoch."""
        return self._moved + (time.time() if self._frozen is None else self._frozen)

    def advance(self, seconds: float) -> None:
        """Let so many seconds have passed."""
        self._moved += seconds

    def reach(self, when: float) -> None:
        """Let it be at least that time, in seconds since the epoch."""
        self._moved += max(0.0, when - self.now())


class Connection(asyncio.Protocol):
    """One connection: its requests are answered one after the other."""

    def __init__(self, service: Service, open_: set[Connection]) -> None:
        self._service = service
        self._open = open_
        self._read = b""
        self._busy = False
        self._forget: Forget | None = None
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
        """End: what waits must not take what it waits for to nobody."""
        self._transport = None
        self._open.discard(self)
        if self._busy and self._forget is not None:
            self._forget()

    def data_received(self, data: bytes) -> None:
        """Take in a piece of a request."""
        self._read += data
        self._next()

    def _next(self) -> None:
        while not self._busy and self._transport is not None:
            try:
                request = self._request()
            except Malformed as error:
                refusal = self._service.refusal(error.status, str(error))
                self._transport.write(_response(refusal))
                self._transport.close()
                return
            if request is None:
                return
            self._busy = True
            self._forget = self._service.handle(request, self._reply)

    def _request(self) -> Request | None:
        """Give the next request if all of it is there."""
        end = self._read.find(_END)
        if end < 0:
            if len(self._read) > _HEAD:
                raise Malformed("The head of the request is too long")
            return None
        method, target, headers = _head(self._read[:end])
        length = int(headers.get("content-length") or 0)
        if length > self._service.most:
            raise Malformed(f"A request has at most {self._service.most} bytes", _TOO_LARGE)
        whole = end + len(_END) + length
        if len(self._read) < whole:
            if headers.get("expect", "").lower() == "100-continue" and self._transport:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        host = headers.get("host", "").rpartition("//")[2]
        if host.rpartition(":")[0].strip("[]") not in LOOPBACK:
            # A page in a browser may be made to believe that its host is here.
            raise Malformed("Requests are sent to a loopback address")
        body, self._read = self._read[end + len(_END) : whole], self._read[whole:]
        return Request(method, target, headers, body)

    def _reply(self, reply: Reply) -> None:
        if not self._busy:
            return
        self._busy = False
        if self._transport is None:
            return
        if reply.body is None:
            self._transport.abort()
            return
        # In one piece: with two, clients wait for the second for 40 ms.
        self._transport.write(_response(reply))
        if self._read:
            # Not at once: `handle` may still be under way.
            asyncio.get_running_loop().call_soon(self._next)


def _head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = raw.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    if not headers.get("content-length", "0").isdigit() or "transfer-encoding" in headers:
        raise Malformed("Content-Length is no number")
    method, _, rest = first.partition(" ")
    return method, rest.rpartition(" ")[0], headers


def _response(reply: Reply) -> bytes:
    body = reply.body or b""
    lines = [
        f"HTTP/1.1 {reply.status} {'OK' if reply.status == 200 else 'Error'}",  # noqa: PLR2004
        *(f"{name}: {value}" for name, value in reply.headers),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join(lines).encode() + _END + body


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
        """End it, and the connections to it, whether they wait for something or not."""
        self._listening.close()
        for connection in list(self._open):
            connection.end()


async def listen(service: Service, host: str = "127.0.0.1", port: int = 0) -> Listener:
    """Listen on loopback.

    Args:
        service: What answers.
        host: A loopback address.
        port: 0 for one that is free.

    Raises:
        NbflowError: It is no loopback address: whoever can reach an emulator can use it.
    """
    if host not in LOOPBACK:
        raise NbflowError(f"the emulator listens on loopback only, not on {host!r}: use 127.0.0.1")
    open_: set[Connection] = set()
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(lambda: Connection(service, open_), host, port)
    real = listening.sockets[0].getsockname()[1]
    return Listener(f"http://{f'[{host}]' if ':' in host else host}:{real}", listening, open_)


async def serve(service: Any, host: str, port: int, ends: TextIO | None = None) -> None:
    """Listen, print the address, and serve until a signal comes or `ends` is at its end.

    Args:
        service: What answers; its `begin` is called first, and its `stop` at the end.
        host: A loopback address.
        port: 0 for one that is free.
        ends: A text, such as the standard input, whose end is the end of this.

    Raises:
        NbflowError: See `listen`.
    """
    loop, over = asyncio.get_running_loop(), asyncio.Event()

    def read() -> None:
        if ends is not None and not ends.readline():
            over.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, over.set)
    if ends is not None:
        loop.add_reader(ends, read)
    service.begin()
    listener = await listen(service, host, port)
    sys.stdout.write(f"{listener.url}\n")
    sys.stdout.flush()
    await over.wait()
    listener.close()
    service.stop()


def ask(
    url: str, path: str, headers: dict[str, str], given: dict[str, Any]
) -> tuple[int, dict[str, Any]]:
    """Ask an emulator for something of its own; give the HTTP status and what it said.

    Args:
        url: Its address.
        path: Of the request.
        headers: Of the request.
        given: What is sent, as JSON.

    Raises:
        NbflowError: Nobody answers there.
    """
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_PATIENCE)
    try:
        connection.request("POST", path, json.dumps(given), headers)
        answer = connection.getresponse()
        said: dict[str, Any] = json.loads(answer.read())
    except OSError as error:
        raise NbflowError(f"no emulator answers at {url}: {error}") from error
    finally:
        connection.close()
    return answer.status, said


@contextmanager
def in_process(command: list[str]) -> Iterator[str]:
    """Run an emulator in a process of its own, which ends with this one; give its address.

    The process says its address in its first line, and ends when its input does.

    Raises:
        NbflowError: It did not start.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as child:  # noqa: S603 - ours
        assert child.stdin is not None  # noqa: S101 - both are pipes
        assert child.stdout is not None  # noqa: S101 - both are pipes
        url = child.stdout.readline().strip()
        if not url:
            raise NbflowError(f"the emulator did not start: it ended with code {child.wait()}")
        try:
            yield url
        finally:
            child.stdin.close()
            try:
                child.wait(_GRACE)
            except subprocess.TimeoutExpired:
                child.kill()


@contextmanager
def in_thread(service: Any, port: int, name: str) -> Iterator[str]:
    """Run an emulator in a thread of this process; give its address.

    Args:
        service: What answers; `stop` is called at its end.
        port: 0 for one that is free.
        name: Of the thread.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name=name, daemon=True)
    thread.start()

    def run(what: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(what, loop).result(_PATIENCE)

    async def begin() -> Listener:
        service.begin()
        return await listen(service, port=port)

    async def end(listener: Listener) -> None:
        listener.close()
        service.stop()
        # Once more around, so that the connections have ended before the loop does.
        await asyncio.sleep(0)

    try:
        listener: Listener = run(begin())
        try:
            yield listener.url
        finally:
            run(end(listener))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_GRACE)
        loop.close()
