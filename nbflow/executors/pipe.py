"""The wire between the pool and its workers: how messages are framed, and what is in them.

A message is plain data: numbers, text, bytes, and the dataclasses of the core. Code, arguments
and results travel as bytes within it, so that no class of a user's can break the wire itself.
"""

from __future__ import annotations

import contextlib
import linecache
import math
import pickle
import select
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from nbflow.core import payload
from nbflow.core.buffers import Bytes
from nbflow.core.events import Report
from nbflow.core.failure import Failure
from nbflow.core.held import Held
from nbflow.core.payload import Blob, Packed, Stored
from nbflow.core.pickling import joined
from nbflow.engine.job import Answer, Code, Job, inlined, no_blobs
from nbflow.engine.output import Rules
from nbflow.executors.segments import LEAST as LARGE
from nbflow.executors.segments import Far, Segment, Shelf, Side

CODES = 256
"""How many functions a worker keeps. Both ends count alike, so neither needs to tell the other."""

_HEADER = struct.Struct("<Q")
_SMALL = 64 * 1024
_LARGE = 1024 * 1024
_LIGHT = 8 * 1024
_FIXED = 64
BATCH_BYTES = 64 * 1024
"""So much, by weight, is sent to a busy worker at once: it has room for that without reading."""


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
        rules: What becomes from now on of what activities write; None: as before.
        secrets: The values of secrets, by reference; None: as before.
        far: How many of the values are `Far`: their segments are sent beside the message.
    """

    place: Place | None
    code: tuple[str, str]
    blob: bytes | None
    job: tuple[str, str, int]
    args: tuple[Stored | Far, ...]
    kwargs: dict[str, Stored | Far] | None
    inputs: dict[str, Stored | Far] | None
    rules: Rules | None = None
    secrets: tuple[tuple[str, str], ...] | None = None
    far: int = 0

    @classmethod
    def of_early(cls, early: Early) -> Request:
        """Make it of one that was sent early, without all that is as before."""
        code, job, args, kwargs, inputs = early
        return cls(None, code, None, job, args, kwargs, inputs)  # type: ignore[arg-type]


Early = tuple[
    tuple[str, str],
    tuple[str, str, int],
    tuple[Stored, ...],
    dict[str, Stored] | None,
    dict[str, Stored] | None,
]
"""A request that is sent while others run, in a list: code, job, args, kwargs and inputs.

The worker may begin it only if there is a ticket for it.
"""


class Channel:
    """One end of a connection."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._data = b""
        self._at = 0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def waiting(self, milliseconds: float = 0) -> bool:
        """Whether a message, or the end, is there or comes within that time."""
        return self._at < len(self._data) or bool(self._poll.poll(milliseconds))

    def heard(self) -> bool:
        """Whether a message, or the beginning of one, has been read already."""
        return self._at < len(self._data)

    def send(self, message: tuple[object, ...] | list[Early]) -> None:
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
        data, at = self._data, self._at
        while len(data) - at < _HEADER.size:
            data, at = data[at:] + self._some(_SMALL), 0
        start = at + _HEADER.size
        end = start + _HEADER.unpack_from(data, at)[0]
        if end <= len(data):
            self._data, self._at = data, end
            return payload.loads(data[start:end])
        self._data, self._at = b"", 0
        body = bytearray(end - start)
        body[: len(data) - start] = data[start:]
        self._fill(memoryview(body)[len(data) - start :])
        return payload.loads(body)

    def _fill(self, room: memoryview) -> None:
        while room:
            if not (count := self._sock.recv_into(room, min(len(room), _LARGE))):
                raise EOFError
            room = room[count:]

    def _some(self, most: int) -> bytes:
        if data := self._sock.recv(most):
            return data
        raise EOFError

    def close(self) -> None:
        """Close this end; the other one then reads the end of file."""
        self._sock.close()


def request(
    job: Job,
    known: set[str],
    place: Place | None,
    rules: Rules | None = None,
    luggage: Luggage | None = None,
) -> Request:
    """Make the message for a job; `known` are the digests of the code that the worker has.

    Pickles the code and reads blobs from the store, so that it may take its time, and raise
    whatever these raise. Large values go to `luggage`, if there is one.
    """
    code, blob = job.code, job.code.blob()
    carried = luggage.carried if luggage is not None else inlined
    return Request(
        place,
        (code.name, code.digest),
        None if code.digest in known else blob,
        job.key,
        tuple([carried(a, job) for a in job.args]),
        {k: carried(a, job) for k, a in job.kwargs.items()} if job.kwargs else None,
        {k: carried(a, job) for k, a in job.inputs.items()} if job.inputs else None,
        rules=rules,
        far=len(luggage.segments) if luggage is not None else 0,
    )


class Luggage:
    """The segments that go with a request.

    Args:
        shelf: Where those of earlier requests are.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self.segments: list[Segment] = []

    def carried(self, stored: Stored, job: Job) -> Stored | Far:
        """Give what stands in the message for a value."""
        if type(stored) is Blob and stored.codec == "pickle" and stored.size >= LARGE:
            return self._far(self._shelf.of(stored, job.fetch), stored.refused)
        if type(stored) is Held and type(stored.elsewhere) is Segment:
            return self._far(stored.elsewhere)
        found = inlined(stored, job)
        if type(found) is Packed and type(found.data) is bytes and found.size >= LARGE:
            return self._far(Segment.of(found.data), found.refused)
        return found

    def _far(self, segment: Segment, refused: str = "") -> Far:
        self.segments.append(segment)
        return Far(segment.size, refused)


def arrived(request: Request, side: Side) -> Request:
    """Put the values of a request in their places, whose segments came beside it.

    Raises:
        EOFError: The pool has closed.
        OSError: Too many files are open here.
    """

    def here(value: Stored | Far) -> Stored:
        if type(value) is not Far:
            return value  # type: ignore[return-value]
        return Packed("pickle", side.receive(value.size).own(), value.refused)

    return request._replace(
        args=tuple([here(value) for value in request.args]),
        kwargs={name: here(value) for name, value in (request.kwargs or {}).items()},
        inputs={call: here(value) for call, value in (request.inputs or {}).items()},
    )


def early(job: Job) -> Early:
    """Make the message for a light job that is sent while others run; a list of them is sent."""
    return (job.code.name, job.code.digest), job.key, job.args, job.kwargs, job.inputs


def weight(job: Job) -> int | None:
    """Give about how many bytes the message for a job has, given that its code is known.

    Returns:
        None: it is too much, or has to be fetched first, or may bring down whoever runs it.
    """
    if job.timeout == math.inf:
        return None
    values = [*job.args]
    if job.kwargs:
        values += job.kwargs.values()
    if job.inputs:
        values += job.inputs.values()
    found = _FIXED
    for value in values:
        if isinstance(value, Blob | Held):
            return None
        found += _FIXED
        if isinstance(value, Packed):
            found += value.size
        elif isinstance(value, str):
            found += len(value)
    return found if found <= _LIGHT else None


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


def job_of(request: Request, code: Code, parcel: Parcel) -> Job:
    """Make the job of a request again, in the worker; a large result goes to `parcel`."""
    return Job(
        *request.job,
        code,
        request.args,  # type: ignore[arg-type] # all of them have arrived
        request.kwargs,  # type: ignore[arg-type]
        request.inputs,  # type: ignore[arg-type]
        live=None,
        timeout=None,
        fetch=no_blobs,
        put=parcel.put,
    )


def reply(answer: Answer, read: int) -> tuple[object, ...]:
    """Make the message for an answer. A flat tuple: half the time of pickling the dataclasses.

    Args:
        answer: What came of the job.
        read: How many early requests the worker has read so far.
    """
    return (read, *answer.report[1:], answer.result, answer.error)


class Parcel:
    """Takes large results of jobs, one after the other, from where they lie into segments."""

    def __init__(self) -> None:
        self._segment: Segment | None = None
        self._data = b""

    def put(self, *parts: Bytes) -> str:
        """Be `Job.put`."""
        if sum(map(len, parts)) >= LARGE:
            with contextlib.suppress(OSError):  # without room for it it goes with the answer
                self._segment = Segment.of(*parts)
                return ""
        self._data = joined(parts)
        return ""

    def sent(self, answer: Answer, side: Side) -> Answer:
        """Send the segment, if there is one; its `Far` stands for the result then.

        Raises:
            OSError: The pool has closed.
        """
        if type(answer.result) is Blob:
            if self._segment is None:
                answer.result = Packed("pickle", self._data)
            else:
                side.send(self._segment)
                answer.result = Far(self._segment.size)  # type: ignore[assignment]
        self._segment, self._data = None, b""
        return answer


def answer_of(reply: Any, worker: str) -> tuple[Answer, int]:
    """Take a reply apart again, in the pool's process."""
    read, *figures, result, error = reply
    failure = None if error is None else _with_sources(error)
    return Answer(Report(worker, *figures), result, failure), read


def fetched(answer: Answer, side: Side, job: Job) -> Answer:
    """Take the result of an answer that was sent in a segment.

    What is not to be stored stays there, for those that take it.

    Raises:
        EOFError: The worker's end is closed.
    """
    far: Any = answer.result
    if type(far) is not Far:
        return answer
    try:
        segment = side.receive(far.size)
        if job.code.held:
            answer.result = Held.of_elsewhere(segment)
        else:
            answer.result = Packed("pickle", segment.seen())
    except (OSError, MemoryError) as error:
        error.add_note("The activity ran to its end, so its side effects have happened.")
        answer.result, answer.error = None, Failure.of(error)
    return answer


def _with_sources(failure: Failure) -> Failure:
    """Fill in the source lines of notebook cells, which only this process has."""
    frames = tuple(
        f if f.source else replace(f, source=linecache.getline(f.file, f.line).strip())
        for f in failure.frames
    )
    return replace(failure, frames=frames)
