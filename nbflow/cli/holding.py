"""What holds while a run is driven by a command: Ctrl-C cancels it, and its prints go to stderr."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Final

import click

from nbflow.cli.faults import DONE, INTERRUPTED
from nbflow.core.errors import NbflowError
from nbflow.running.config import settings
from nbflow.running.session import sessions


@contextlib.contextmanager
def aside() -> Iterator[None]:
    """Have all that is printed go to stderr, by other processes and by C code as well."""
    with contextlib.redirect_stdout(sys.stderr), _descriptor_aside():
        yield


@contextlib.contextmanager
def _descriptor_aside() -> Iterator[None]:
    try:
        out, err = sys.__stdout__.fileno(), sys.__stderr__.fileno()  # type: ignore[union-attr]
        kept = os.dup(out)
    except (AttributeError, OSError, io.UnsupportedOperation):
        yield  # there are none, as in a window or in a test
        return
    os.dup2(err, out)
    try:
        yield
    finally:
        os.dup2(kept, out)
        os.close(kept)


_guest: Final[ContextVar[bool]] = ContextVar("guest", default=False)
"""Whether the process is a kernel's, or another program's, which goes on after the command."""


@contextlib.contextmanager
def as_guest() -> Iterator[None]:
    """Have commands leave the process alone: a second Ctrl-C ends the command, not the process."""
    before = _guest.set(True)
    try:
        yield
    finally:
        _guest.reset(before)


@contextlib.contextmanager
def interrupts() -> Iterator[None]:
    """Have Ctrl-C cancel the runs of this process, and the second one end it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    told, guest = [False], _guest.get()

    def heard(*_: object) -> None:
        if told[0] and guest:
            raise KeyboardInterrupt
        if told[0]:
            os._exit(INTERRUPTED)  # whatever a thread is at: the log is whole
        told[0] = True
        # Not here: a handler runs between any two instructions, with any lock held.
        threading.Thread(target=_cancel, daemon=True).start()

    before: dict[signal.Signals, Any] = {
        number: signal.signal(number, heard)
        for number in (signal.SIGINT, *(() if guest else (signal.SIGTERM,)))
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def ending_well() -> Iterator[None]:
    """Have SIGTERM end this process well, until what it is to be has a handler of its own.

    To be entered before it says what it is at: who reads that may ask it to end at once.
    """
    if threading.current_thread() is not threading.main_thread() or _guest.get():
        yield
        return

    def end(*_: object) -> None:
        os._exit(DONE)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, before)


def _cancel() -> None:
    for run, session in list(sessions.items()):
        if not session.done.done():
            text = f"\nnbflow: cancelling run {run}, which can be resumed. Once more to end at once"
            click.echo(text, err=True)
            session.live.cancel_run("interrupted")
    for service in settings.services():
        for run in service.driven():
            click.echo(f"\nnbflow: cancelling run {run}. Once more to end at once", err=True)
            with contextlib.suppress(NbflowError):  # then it is not over, and waited for
                service.cancel(run, "interrupted")
