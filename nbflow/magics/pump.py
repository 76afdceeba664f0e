"""Has clicks heard while a cell waits for a run.

A cell holds up the kernel's main thread, and messages from widgets wait behind it: a click on
Cancel would arrive when there is nothing left to cancel. While code waits for a run in that
thread, the pump looks through what has arrived in the meantime, handles the messages of widgets
and gives everything else back, in its order, to be handled when the cell is over.

ipykernel has no public way to do this. Whatever is not as expected ends the pumping and leaves
plain waiting: clicks are then heard after the cell, or where the front end has a subshell for
them.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, Final, Protocol

from nbflow.running.watching import Tick, meanwhile

_log = logging.getLogger("nbflow")

COMMS: Final = frozenset({"comm_open", "comm_msg", "comm_close"})
"""The messages of widgets. All others have an answer, for which a client waits in order."""


class Inbox(Protocol):
    """Where messages for the main thread arrive, in one version of ipykernel."""

    def take(self) -> list[Any]:
        """Take out all that has arrived; do not wait for more."""

    def frames(self, item: Any, /) -> list[Any]:
        """Give the parts of a message, or nothing if it is none."""

    def give_back(self, items: list[Any], /) -> None:
        """Have these handled when the cell is over, before any that arrive later."""


class Queue:
    """The inbox of ipykernel 6: a queue beside the socket, read by one coroutine."""

    def __init__(self, kernel: Any) -> None:
        self._stream, self._queue, self._loop = (
            kernel.shell_stream,
            kernel.msg_queue,
            kernel.io_loop,
        )
        self._dispatch = kernel.dispatch_shell

    def take(self) -> list[Any]:
        """Take all; see `Inbox`."""
        self._stream.flush()
        return [self._queue.get_nowait() for _ in range(self._queue.qsize())]

    def frames(self, item: Any, /) -> list[Any]:
        """Give the parts of an entry; some entries are the kernel's notes to itself."""
        _, dispatch, arguments = item
        return list(arguments[0]) if dispatch == self._dispatch else []

    def give_back(self, items: list[Any], /) -> None:
        """Put them to the head of the queue."""
        for item in (*items, *self.take()):
            self._queue.put_nowait(item)
        self._loop.add_callback(lambda: None)  # wakes it up


class Socket:
    """The inbox of ipykernel 7: a socket from the thread that reads the shell channel."""

    def __init__(self, kernel: Any) -> None:
        thread = kernel.shell_channel_thread
        if threading.current_thread() is not thread.parent_thread:
            message = "the main thread is not where this kernel runs its cells"
            raise RuntimeError(message)
        pair = thread.manager._shell_channel_to_main  # noqa: SLF001 - there is no public way
        self._socket, self._stream, self._loop = pair.to_socket, pair.to_stream, kernel.io_loop
        self._receive = pair.to_stream._recv_callback  # noqa: SLF001 - as above
        self._kept: deque[Any] = deque()
        if not callable(self._receive):
            message = "nobody reads the main thread's messages"
            raise TypeError(message)

    def take(self) -> list[Any]:
        """Take all; see `Inbox`."""
        import zmq  # noqa: PLC0415 - there is a kernel, so it is loaded

        found = []
        with contextlib.suppress(zmq.Again):
            while True:
                found.append(self._socket.recv_multipart(zmq.NOBLOCK, copy=False))
        return found

    def frames(self, item: Any, /) -> list[Any]:
        """Give the parts of a message."""
        return list(item)

    def give_back(self, items: list[Any], /) -> None:
        """Have the kernel receive them first.

        The stream may be about to receive already, so order is kept at the place where it hands
        over, and not by when the loop gets to it.
        """
        self._kept.extend(items)
        if self._kept:
            self._stream.on_recv(self._after_kept, copy=False)
        self._loop.add_callback(self._hand_over)

    def _after_kept(self, frames: Any) -> Any:
        self._start_kept()
        return self._receive(frames)

    def _hand_over(self) -> None:
        self._start_kept()
        self._stream.on_recv(self._receive, copy=False)

    def _start_kept(self) -> None:
        while self._kept:
            # The kernel's own lock handles them one by one, in the order in which they began.
            self._loop.asyncio_loop.create_task(self._receive(self._kept.popleft()))


class Pump:
    """Looks through the messages of one kernel.

    Args:
        kernel: The kernel of ipykernel, in its main thread.
    """

    def __init__(self, kernel: Any) -> None:
        self.kernel = kernel
        self._inbox: Inbox = (Queue if hasattr(kernel, "msg_queue") else Socket)(kernel)
        self._comms: deque[Any] = deque()
        self._others: list[Any] = []
        self._works = True

    def step(self) -> None:
        """Handle the messages of widgets that have arrived."""
        if not self._works:
            return
        try:
            with _uninterrupted():
                self._sort()
            while self._comms:
                self._handle(self._inbox.frames(self._comms.popleft()))
        except Exception:  # noqa: BLE001 - a private interface may change in any way
            self._works = False
            _log.debug("clicks are heard after the cell: this ipykernel is unknown", exc_info=True)

    def release(self) -> None:
        """Give back what is not for widgets, and what there was no time to handle."""
        with _uninterrupted():
            items = [*self._comms, *self._others]
            self._comms.clear()
            self._others.clear()
            self._inbox.give_back(items)

    def _sort(self) -> None:
        for item in self._inbox.take():
            if self._kind(self._inbox.frames(item)) in COMMS:
                self._comms.append(item)
            else:
                self._others.append(item)

    def _kind(self, frames: list[Any]) -> str:
        """Read the type of a message, "" if it has none.

        Only its header is looked at: a message that is given back must not have been opened, for
        the session takes the second opening for a forgery and drops it.
        """
        session = self.kernel.session
        try:
            _, (_, header, *_) = session.feed_identities(frames, copy=False)
            return str(session.unpack(getattr(header, "bytes", header))["msg_type"])
        except Exception:  # noqa: BLE001 - whatever it is, the kernel will know
            return ""

    def _handle(self, frames: list[Any]) -> None:
        """Do with a message of a widget what the kernel does between two cells."""
        kernel = self.kernel
        idents, rest = kernel.session.feed_identities(frames, copy=False)
        message = kernel.session.deserialize(rest, content=True, copy=False)
        handler = kernel.shell_handlers[message["header"]["msg_type"]]
        cell, ident = kernel.get_parent("shell"), kernel._parent_ident["shell"]  # noqa: SLF001
        _flush()
        kernel.set_parent(idents, message, channel="shell")
        try:
            kernel._publish_status("busy", "shell")  # noqa: SLF001 - what clients wait for
            handler(None, idents, message)
            _flush()
            kernel._publish_status("idle", "shell")  # noqa: SLF001 - as above
        finally:
            kernel.set_parent(ident, cell, channel="shell")
            kernel._publish_status("busy", "shell")  # noqa: SLF001 - the cell's: it still runs


def _flush() -> None:
    """Send what was printed as the output of whoever printed it."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Put an interrupt off to the end: a message that was taken out must not be lost."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        yield
        return
    late: list[tuple[Any, Any]] = []
    signal.signal(signal.SIGINT, lambda *what: late.append(what))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if late:
            handler(*late[-1])


# ---------------------------------------------------------------- where it is put in

_pumps: dict[int, Pump | None] = {}
"""By kernel; there is one. None if its ipykernel is unknown."""


@contextlib.contextmanager
def pumping() -> Iterator[Tick | None]:
    """Give what to call every now and then while this thread waits; None if there is no need."""
    kernel = _kernel()
    pump = _pump(kernel) if kernel is not None else None
    if pump is None:
        yield None
        return
    try:
        yield pump.step
    finally:
        try:
            pump.release()
        except Exception:  # noqa: BLE001 - as in `Pump.step`; yet this may be felt
            _log.exception("messages to the kernel may be lost: restart it if it does not answer")


def _kernel() -> Any:
    """Give the kernel whose main thread this is, if somebody is looking; else None."""
    if "ipykernel" not in sys.modules or threading.current_thread() is not threading.main_thread():
        return None
    from IPython import get_ipython  # noqa: PLC0415 - there is a kernel, so it is loaded

    from nbflow.viz.show import unattended  # noqa: PLC0415 - pictures only when asked for

    kernel = getattr(get_ipython(), "kernel", None)
    return None if kernel is None or unattended(kernel) else kernel


def _pump(kernel: Any) -> Pump | None:
    if id(kernel) not in _pumps:
        try:
            _pumps[id(kernel)] = Pump(kernel)
        except Exception:  # noqa: BLE001 - a private interface may change in any way
            _pumps[id(kernel)] = None
            _log.debug("clicks are heard after the cell: this ipykernel is unknown", exc_info=True)
    return _pumps[id(kernel)]


def install() -> None:
    """Have it work whenever code waits for a run; once, however often this is called."""
    if pumping not in meanwhile:
        meanwhile.append(pumping)
