"""Figures of processes that serve, in Prometheus' text format, on the loopback interface alone.

It is a few lines of text over a socket that somebody's loop waits for anyway: no thread, and no
library.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

HOST: Final = "127.0.0.1"
_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS: Final = 0.5
_LONGEST: Final = 8_192
_PLACES: Final = ("/metrics", "/")


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure, or one for each of some labels.

    Attributes:
        name: Its name; that of a counter ends in ``_total``.
        kind: Whether it only grows, or is as it is now.
        help: What it is, with its unit.
        values: By the values of the labels, in the order of `labels`.
        labels: The names of the labels.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = field(default=())


def exposition(metrics: Iterable[Metric]) -> str:
    r"""Write figures down as Prometheus reads them.

    Example:
        >>> exposition([Metric("up", "gauge", "Whether it is up.", {(): 1})])
        '# HELP up Whether it is up.\n# TYPE up gauge\nup 1\n'
    """
    lines: list[str] = []
    for each in metrics:
        lines += [f"# HELP {each.name} {each.help}", f"# TYPE {each.name} {each.kind}"]
        for values, number in each.values.items():
            pairs = zip(each.labels, values, strict=True)
            inner = ",".join(f'{name}="{_escaped(value)}"' for name, value in pairs)
            lines.append(f"{each.name}{f'{{{inner}}}' if inner else ''} {number:.15g}")
    return "".join(f"{line}\n" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


class Listener:
    """A socket that answers requests for figures, one at a time, when it is told to.

    Args:
        port: Of the loopback interface; 0 for one that is free.

    Raises:
        OSError: The port is taken, or is not one that this user may have.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_server((HOST, port))
        self._socket.setblocking(False)  # noqa: FBT003 - of the library

    @property
    def url(self) -> str:
        """Where the figures are."""
        return f"http://{HOST}:{self._socket.getsockname()[1]}/metrics"

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when somebody asks."""
        return self._socket.fileno()

    def answer(self, text: str) -> None:
        """Answer whoever asks; one who says nothing soon, or goes away, is left."""
        with contextlib.suppress(OSError):
            asking, _ = self._socket.accept()
            with asking:
                asking.settimeout(_SECONDS)
                asking.sendall(_reply(asking.recv(_LONGEST), text))

    def close(self) -> None:
        """Stop listening."""
        self._socket.close()


def _reply(request: bytes, text: str) -> bytes:
    words = request.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
    asked = words[1].partition("?")[0] if len(words) > 1 else ""
    if words[0] not in {"GET", "HEAD"}:
        status, body = "405 Method Not Allowed", "only GET\n"
    elif asked not in _PLACES:
        status, body = "404 Not Found", "the figures are at /metrics\n"
    else:
        status, body = "200 OK", text
    data = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {_TYPE}\r\nContent-Length: {len(data)}\r\n"
    head += "Connection: close\r\n\r\n"
    return head.encode() + (b"" if words[0] == "HEAD" else data)
