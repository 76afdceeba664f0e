"""Keeps telling that this process drives its runs, so that no other one takes them for lost."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from nbflow.core.errors import NbflowError, RunError, StoreConflict
from nbflow.store.base import Store
from nbflow.store.lease import RENEW, Lease, new_lease

_log = logging.getLogger("nbflow")


class Held:
    """This process's claim to one run, from when it is made until it is let go.

    Args:
        store: Where the run is.
        run: Its id.
        force: Take it from a process that is still there.
        lost: Is told when another process has taken it.

    Raises:
        RunError: Another process drives the run.
    """

    def __init__(
        self, store: Store, run: str, lost: Callable[[Exception], object], *, force: bool = False
    ) -> None:
        self._store = store
        self._run = run
        self._lost = lost
        self._lease = new_lease()
        other = store.hold(run, self._lease, force=force)
        if other is not None:
            raise RunError(_driven(run, other))
        with _lock:
            _held.append(self)
            if len(_held) == 1:
                threading.Thread(target=_renew, name="nbflow leases", daemon=True).start()

    def renew(self) -> None:
        """Give a sign of life."""
        try:
            other = self._store.hold(self._run, replace(self._lease, seen=time.time()))
        except NbflowError:
            _log.warning("the lease of run %s was not renewed", self._run, exc_info=True)
            return
        if other is not None:
            self._lost(StoreConflict(f"run {self._run} was taken over by {_words(other)}"))

    def release(self) -> None:
        """Let the run go; others may drive it from now on. May be called twice."""
        with _lock:
            if self not in _held:
                return
            _held.remove(self)
            if not _held:
                _wake.set()
        with contextlib.suppress(NbflowError):  # it will be seen that this process is gone
            self._store.release(self._run, self._lease)


def holder_of(store: Store, run: str) -> Lease | None:
    """Give the lease of the process that drives a run, or None."""
    try:
        return store.holder(run)
    except NbflowError:
        return None


def _driven(run: str, other: Lease) -> str:
    return (
        f"run {run} is driven by {_words(other)}, so this is a view of it. Stop it there, or "
        "take it over with run.resume(force=True)"
    )


def _words(lease: Lease) -> str:
    return lease.words(time.time())


_held: list[Held] = []
_lock = threading.Lock()
_wake = threading.Event()


def _renew() -> None:
    while True:
        _wake.wait(RENEW)
        with _lock:
            _wake.clear()
            held = list(_held)
            if not held:
                return
        for one in held:
            one.renew()
