"""The wire between the pool and its workers: how messages are framed, and what is in them.

A message is plain data: numbers, text, bytes, and the dataclasses of the core. Code, arguments
and results travel as bytes within it, so that no class of a user's can break the wire itself.
"""

from __future__ import annotations

import linecache
import pickle
import select
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from nbflow.core import payload
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.core.payload import Blob, Packed, Stored
from nbflow.engine.job import Answer, Code, Job, inlined, no_blobs
from nbflow.engine.output import Rules

CODES = 256
"""How many functions a worker keeps. Both ends count alike, so neither needs to tell the other."""

_HEADER = struct.Struct("<Q")
_SMALL = 64 * 1024
_LARGE = 1024 * 1024
_LIGHT = 8 * 1024
_FIXED = 64


class Place(NamedTuple):
    """Where activities run: the working directory, and where modules are imported from."""

    cwd: str
    path: list[str]


class Request(NamedTuple):
    """A job on its way to a worker.

    Attributes:
        place: Where to run from now on; None: as before.
        code: The activity's name and the digest of its code.
        blob: The code itself; None: the worker has it.
        job: Run, call and attempt.
        args: As in `Job`, without any `Blob`: workers have no store.
        kwargs: Likewise.
        inputs: Likewise.
        early: It was sent while another one runs. The worker may begin it only if its ticket is
            still there.
        rules: What becomes from now on of what activities write; None: as before.
        secrets: The values of secrets, by reference; None: as before.
    """

    place: Place | None
    code: tuple[str, str]
    blob: bytes | None
    job: tuple[str, str, int]
    args: tuple[Stored, ...]
    kwargs: dict[str, Stored] | None
    inputs: dict[str, Stored] | None
    early: bool
    rules: Rules | None = None
    secrets: tuple[tuple[str, str], ...] | None = None


class Channel:
    """One end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._rest = b""
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def waiting(self, milliseconds: float = 0) -> bool:
        """Whether a message, or the end, is there or comes within that time."""
        return bool(self._rest or self._poll.poll(milliseconds))

    def send(self, message: tuple[object, ...]) -> None:
        """Send a message and wait until the other end has taken most of it.

        Raises:
            OSError: The other end is closed.
        """
        body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        head = _HEADER.pack(len(body))
        if len(body) < _SMALL:
            self._sock.sendall(head + body)
        else:
            self._sock.sendall(head)
            self._sock.sendall(body)

    def receive(self) -> Any:
        """Wait for a message.

        Raises:
            EOFError: The other end is closed.
            OSError: The connection broke.
            Unserialisable: What came is no message.
        """
        data, self._rest = self._rest or self._some(_SMALL), b""
        while len(data) < _HEADER.size:
            data += self._some(_SMALL)
        end = _HEADER.size + _HEADER.unpack_from(data)[0]
        body, self._rest = data[_HEADER.size : end], data[end:]
        missing = end - len(data)
        if missing > 0:
            chunks = [body]
            while missing > 0:
                chunks.append(self._some(min(missing, _LARGE)))
                missing -= len(chunks[-1])
            body = b"".join(chunks)
        return payload.loads(body)

    def _some(self, most: int) -> bytes:
        if data := self._sock.recv(most):
            return data
        raise EOFError

    def close(self) -> None:
        """Close this end; the other one then reads the end of file."""
        self._sock.close()


def request(job: Job, known: set[str], place: Place | None, rules: Rules | None = None) -> Request:
    """Make the message for a job; `known` are the digests of the code that the worker has.

    Pickles the code and reads blobs from the store, so that it may take its time, and raise
    whatever these raise.
    """
    code, blob = job.code, job.code.blob()
    return Request(
        place,
        (code.name, code.digest),
        None if code.digest in known else blob,
        job.key,
        tuple([inlined(a, job) for a in job.args]),
        {k: inlined(a, job) for k, a in job.kwargs.items()} if job.kwargs else None,
        {k: inlined(a, job) for k, a in job.inputs.items()} if job.inputs else None,
        early=False,
        rules=rules,
    )


def early(job: Job) -> Request:
    """Make the message for a light job that is sent while another one runs."""
    code = (job.code.name, job.code.digest)
    return Request(None, code, None, job.key, job.args, job.kwargs, job.inputs, early=True)


def light(job: Job) -> bool:
    """Whether the message for a job is at once made and sent, given that its code is known."""
    values = [*job.args]
    if job.kwargs:
        values += job.kwargs.values()
    if job.inputs:
        values += job.inputs.values()
    weight = 0
    for value in values:
        if isinstance(value, Blob):
            return False
        weight += _FIXED
        if isinstance(value, Packed):
            weight += value.size
        elif isinstance(value, str):
            weight += len(value)
    return weight <= _LIGHT


class Shipped(Code):
    """Code that came as bytes, unpickled when it is first called.

    An error in doing so is then the call's own. It is tried again at the next call: the module
    that was missing may be there by then.
    """

    __slots__ = ("_loaded",)

    def __init__(self, name: str, digest: str, blob: bytes) -> None:
        self.name = name
        self.digest = digest
        self.held = ""  # where results go is for the pool's process to say
        self.stay = False
        self._blob: bytes | None = blob
        self._loaded: Callable[..., Any] | None = None

    @property
    def fn(self) -> Callable[..., Any]:  # type: ignore[override]
        """The function."""
        if self._loaded is None:
            assert self._blob is not None  # noqa: S101 - given up only for the function
            self._loaded = payload.loads(self._blob)
            self._blob = None
        return self._loaded


def job_of(request: Request, code: Code) -> Job:
    """Make the job of a request again, in the worker."""
    return Job(
        *request.job,
        code,
        request.args,
        request.kwargs,
        request.inputs,
        live=None,
        timeout=None,
        fetch=no_blobs,
    )


def reply(answer: Answer, read: int) -> tuple[object, ...]:
    """Make the message for an answer. A flat tuple: half the time of pickling the dataclasses.

    Args:
        answer: What came of the job.
        read: How many early requests the worker has read so far.
    """
    return (read, *answer.report[1:], answer.result, answer.error)


def answer_of(reply: Any, worker: str) -> tuple[Answer, int]:
    """Take a reply apart again, in the pool's process."""
    read, *figures, result, error = reply
    failure = None if error is None else _with_sources(error)
    return Answer(Report(worker, *figures), result, failure), read


def _with_sources(failure: Failure) -> Failure:
    """Fill in the source lines of notebook cells, which only this process has."""
    frames = tuple(
        f if f.source else replace(f, source=linecache.getline(f.file, f.line).strip())
        for f in failure.frames
    )
    return replace(failure, frames=frames)
