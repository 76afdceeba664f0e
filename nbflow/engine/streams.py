"""Takes what activities print and log, out of ``sys.stdout``, ``sys.stderr`` and `logging`.

The streams are wrapped once and stay so. Whoever is no activity's code writes through them as
ever; nobody asks which attempt runs before something is written, so silence costs nothing.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Protocol

from nbflow.core.redact import redact
from nbflow.engine.job import Job, _context
from nbflow.engine.output import Rules, Transcript

_DEPTH: Final = 40
"""How far up the stack a logging handler is looked for."""
_HANDLE: Final = logging.Handler.handle.__code__
_OWN: Final = "nbflow"
_METHODS: Final = frozenset({"write", "writelines", "flush"})


class Sink(Protocol):
    """Who is told what an attempt writes, by any thread."""

    def wrote(self, job: Job, channel: str, text: str) -> None:
        """Take text; must return at once and not raise."""


class _State:
    """Where text goes in this process."""

    def __init__(self) -> None:
        self.rules = Rules()
        self.lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Take nothing any more. A forked child has no engine and no pool to tell."""
        self.lock = threading.Lock()
        self.runs: dict[str, Sink] = {}
        self.attempts: dict[int, Sink] = {}
        self.default: Sink | None = None
        self.flushed: Callable[[Job], object] | None = None

    def sink(self, job: Job) -> Sink | None:
        """Give who is to be told of an attempt."""
        return self.attempts.get(id(job)) or self.runs.get(job.run) or self.default


_state = _State()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_state.forget)


def sink_of(job: Job) -> Sink | None:
    """Give who is told of an attempt in this process."""
    return _state.sink(job)


def rules() -> Rules:
    """Give what becomes of text in this process."""
    return _state.rules


def use(new: Rules) -> None:
    """Say what becomes of text from now on."""
    if new != _state.rules:
        _state.rules = new


def listen(run: str, sink: Sink) -> None:
    """Tell `sink` what the attempts of a run write in this process, until `unlisten`."""
    with _state.lock:
        _state.runs[run] = sink
        install()


def unlisten(run: str) -> None:
    """End that."""
    with _state.lock:
        _state.runs.pop(run, None)
        _uninstall()


def serve(sink: Sink, flushed: Callable[[Job], object]) -> None:
    """Tell `sink` of all attempts for good: for a worker process of our own.

    Args:
        sink: Who is told.
        flushed: Called when an attempt flushes a stream: what it wrote should be safe then.
    """
    with _state.lock:
        _state.default, _state.flushed = sink, flushed
        install()


class Recorder:
    """Keeps what one attempt writes, to travel home with its answer.

    Attributes:
        words: What it wrote; None if it wrote nothing.
    """

    def __init__(self, limit: int) -> None:
        self.words: Transcript | None = None
        self._limit = limit

    def wrote(self, job: Job, channel: str, text: str) -> None:  # noqa: ARG002
        """Take text."""
        if self.words is None:
            self.words = Transcript(self._limit)
        self.words.write(channel, text)


@contextmanager
def recording(job: Job, wanted: Rules) -> Iterator[Recorder]:
    """Record what an attempt writes in the process of a foreign pool."""
    use(wanted.elsewhere())
    recorder = Recorder(wanted.attempt)
    with _state.lock:
        _state.attempts[id(job)] = recorder
        install()
    try:
        yield recorder
    finally:
        with _state.lock:
            del _state.attempts[id(job)]
            _uninstall()


def install() -> None:
    """Wrap the streams, unless they are; have the tap see what is logged."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        # Somebody may have put another stream there since; then that one is wrapped.
        if stream is not None and type(stream) is not Stream:
            setattr(sys, name, Stream(stream, name))
    logging.root.parent = _above


def _uninstall() -> None:
    """Take the tap away once nobody is to be told. Streams stay: others may hold them by now."""
    if not (_state.runs or _state.attempts or _state.default) and logging.root.parent is _above:
        logging.root.parent = None


# -------------------------------------------------------------------- streams


class Stream:
    """Stands in front of an output stream, and is that stream but for what activities write."""

    _nbflow_channel: str
    _nbflow_stream: Any

    def __init__(self, stream: Any, channel: str) -> None:
        object.__setattr__(self, "_nbflow_stream", stream)
        object.__setattr__(self, "_nbflow_channel", channel)

    def write(self, text: str) -> int:
        """Write, and have it noted if it is an activity that does."""
        stream = self._nbflow_stream
        job = _context.get()
        if job is None or not _state.rules.log or not isinstance(text, str):
            return stream.write(text)  # type: ignore[no-any-return]
        sink = _state.sink(job)
        if sink is None:
            return stream.write(text)  # type: ignore[no-any-return]
        if text and not _from_logging(sys._getframe(1)):  # noqa: SLF001 - the way to the caller
            sink.wrote(job, self._nbflow_channel, text)
        if not _forwards():
            return len(text)
        # The stream may itself write to one of these: that is no second time.
        token = _context.set(None)
        try:
            stream.write(redact(text))
            return len(text)
        finally:
            _context.reset(token)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush; what an activity wrote is then as safe as can be."""
        if _state.flushed is not None and (job := _context.get()) is not None:
            _state.flushed(job)
        self._nbflow_stream.flush()

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        """Pass for the stream it stands for."""
        return type(self._nbflow_stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._nbflow_stream, name)

    def __setattr__(self, name: str, value: object) -> None:
        # IPython puts another `write` there during a cell, which calls this one.
        if name in _METHODS:
            object.__setattr__(self, name, value)
        else:
            setattr(self._nbflow_stream, name, value)

    def __delattr__(self, name: str) -> None:
        if name in _METHODS:
            object.__delattr__(self, name)
        else:
            delattr(self._nbflow_stream, name)

    def __iter__(self) -> Any:
        return iter(self._nbflow_stream)

    def __next__(self) -> Any:
        return next(self._nbflow_stream)

    def __enter__(self) -> Any:
        self._nbflow_stream.__enter__()
        return self

    def __exit__(self, *error: object) -> Any:
        return self._nbflow_stream.__exit__(*error)

    def __repr__(self) -> str:
        return repr(self._nbflow_stream)


def _forwards() -> bool:
    stream = _state.rules.stream
    if stream is None:
        return threading.get_ident() == threading.main_thread().ident
    return stream


# -------------------------------------------------------------------- logging


class _Tap(logging.Handler):
    """Takes log records, after all other handlers have had them, and leaves them as they are."""

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Need no lock: `Sink.wrote` may be called by any thread at any time."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """Take a record."""
        job = _context.get()
        if job is not None and _state.rules.log and not _is_own(record):
            sink = _state.sink(job)
            if sink is not None:
                sink.wrote(job, f"log:{record.levelname}", self._text(record) + "\n")
        # Without the tap, nobody would have been there, and this is what logging does then.
        last = logging.lastResort
        if last is not None and record.levelno >= last.level and not _has_handlers(record.name):
            last.handle(record)
        return True

    def _text(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception:  # noqa: BLE001 - arguments that do not fit, or a user's own __str__
            return f"{record.msg!s:.1000}"


_above: Final = logging.Logger("nbflow.output")  # noqa: LOG001 - not to be found by its name
"""Stands above the root logger, so that it gets what the root gets. A handler of the root's own
would keep `logging.basicConfig`, which does nothing where there is one, from setting logging up.
"""
_above.propagate = False
_above.addHandler(_Tap())


def _is_own(record: logging.LogRecord) -> bool:
    return record.name == _OWN or record.name.startswith(_OWN + ".")


def _upwards(name: str) -> Iterator[logging.Logger]:
    """Go from a logger to the last one that gets its records, the tap's own left out."""
    logger: logging.Logger | None = logging.getLogger(name) if name != "root" else logging.root
    while logger is not None and logger is not _above:
        yield logger
        logger = logger.parent if logger.propagate else None


def _has_handlers(name: str) -> bool:
    return any(logger.handlers for logger in _upwards(name))


def _from_logging(frame: FrameType | None) -> bool:
    """Whether a handler is writing a record that the tap gets, too, or that is nbflow's own."""
    for _ in range(_DEPTH):
        if frame is None:
            return False
        if frame.f_code is _HANDLE:
            record = frame.f_locals.get("record")
            if not isinstance(record, logging.LogRecord):
                return False
            return _is_own(record) or logging.root in _upwards(record.name)
        frame = frame.f_back
    return False
