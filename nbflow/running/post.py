"""Signals between runs, and from people to runs, in this process and others."""

from __future__ import annotations

import secrets
import time
import weakref
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.errors import RunError, RunNotFound
from nbflow.core.events import SignalReceived
from nbflow.core.history import History
from nbflow.core.payload import pack, spill
from nbflow.engine.timekeeper import timekeeper

if TYPE_CHECKING:
    from nbflow.running.session import Session
    from nbflow.store.base import Store
    from nbflow.store.mail import Mail

CANCEL: Final = "nbflow:cancel"
"""The name of the letter by which another process asks that a run be cancelled."""
CANCEL_CALL: Final = "nbflow:cancel-call"
"""The name of that about one call, whose id is the letter's."""
OURS: Final = frozenset({CANCEL, CANCEL_CALL})
"""Names of letters that are for whoever drives a run, and no signals of its code."""
ATTEND: Final = 1.0
"""Seconds between two looks for such letters."""
LOOK: Final = 0.2
"""Seconds between two looks for signals that other processes have sent."""


def deliver(store: Store, run: str, told: SignalReceived) -> None:
    """Have a signal get to a run, or to the one that it goes on in.

    Raises:
        RunError: It is over, or its store keeps no signals.
        RunNotFound: There is no such run.
        StoreError: It could not be written.
    """
    from nbflow.running.session import known  # noqa: PLC0415 - sessions deliver signals

    while True:
        session = known(run, store)
        if session is None and _unborn(store, run, known(told.sender, store)):
            _mail(store).post(run, told)  # the child finds it when it waits for one
            return
        history = session.history if session is not None else History.of(_events(store, run, told))
        if history.continued is None:
            break
        run = history.continued.run
    if history.closed is not None:
        message = (
            f"signal {told.name} cannot be sent: run {run} has {history.closed.status}, and hears "
            "no more"
        )
        raise RunError(message)
    _mail(store).post(run, told)
    if session is not None:
        session.mailbox.look()


def _unborn(store: Store, run: str, sender: Session | None) -> bool:
    """Whether it is a child that the sender's code has asked for, and that is not created yet."""
    if sender is None or not run.startswith(f"{sender.run}/"):
        return False
    try:
        store.events(run)
    except RunNotFound:
        call = run.removeprefix(f"{sender.run}/")
        return any(state.id == call for state in sender.interpreter._asked)  # noqa: SLF001
    return False


def _events(store: Store, run: str, told: SignalReceived) -> Any:
    try:
        return store.events(run)
    except RunNotFound:
        message = f"signal {told.name} cannot be sent: no run {run} in {store.path}"
        raise RunNotFound(message) from None


def ask_to_cancel(store: Store, run: str, reason: str) -> None:
    """Ask the process that drives a run to cancel it.

    Raises:
        RunError: Its store keeps no letters.
        StoreError: The letter could not be written.
    """
    _mail(store).post(run, letter(store, CANCEL, reason, "", propagate=False))


def ask_to_cancel_call(store: Store, run: str, call: str, reason: str) -> None:
    """Ask the process that drives a run to cancel one call of it.

    Raises:
        RunError: Its store keeps no letters.
        StoreError: The letter could not be written.
    """
    _mail(store).post(run, letter(store, CANCEL_CALL, reason, call, propagate=False))


def letter(store: Store, name: str, value: object, id: str, *, propagate: bool) -> SignalReceived:  # noqa: A002
    """Make the signal that a person sends."""
    stored = spill(pack(value, f"the value of signal {name}"), store.put)
    return SignalReceived(
        0, time.time(), name, 0, stored, id or secrets.token_hex(8), propagate=propagate
    )


def _mail(store: Store) -> Mail:
    mail: Mail | None = getattr(store, "mail", None)
    if mail is None:
        message = f"the store {store.path} keeps no signals: its class has no `mail`"
        raise RunError(message)
    return mail


def _obey(session: Session, told: SignalReceived) -> None:
    """Do what another process has asked for by a letter."""
    reason = str(told.result or "")
    if told.name == CANCEL:
        session.live.cancel_run(reason)
    else:
        session.live.cancel_call(told.id, reason)


class Mailbox:
    """Brings a run its letters, and drops those that its log has.

    Args:
        session: The run, which this does not keep alive.
    """

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)
        self._mail: Mail | None = getattr(session.store, "mail", None)
        self._listening = False
        started = session.history.started
        before = started.continues if started is not None else ""
        self._boxes = [box for box in (before, session.run) if box]
        self._had: set[str] = set()
        timekeeper.after(ATTEND, self._attend)

    def _attend(self) -> None:
        """Look now and then whether the run is to be cancelled."""
        session = self._session()
        if session is not None and not session.live.over.is_set():
            self.look(attending=True)
            timekeeper.after(ATTEND, self._attend)

    def forget_cancels(self) -> None:
        """Drop what asked an earlier drive of the run to end: this one shall not hear of it."""
        for box in self._boxes if self._mail is not None else ():
            for name, told in self._mail.letters(box):  # type: ignore[union-attr]
                if told.name in OURS:
                    self._mail.drop(box, name)  # type: ignore[union-attr]

    def listen(self) -> None:
        """Look now and then, until the run is over."""
        if not self._listening:
            self._listening = True
            self._look_again()

    def _look_again(self) -> None:
        session = self._session()
        if session is not None and not session.live.over.is_set():
            self.look()
            timekeeper.after(LOOK, self._look_again)

    def look(self, *, attending: bool = False) -> None:
        """Take what there is; of a run that only attends, what concerns others besides its code."""
        session = self._session()
        if session is None or self._mail is None or session.history.closed is not None:
            return
        for box in self._boxes:
            for name, told in self._mail.letters(box):
                if told.name in OURS:
                    self._mail.drop(box, name)
                    _obey(session, told)
                elif told.id not in session.history.told:
                    if self._listening or told.propagate or not attending:
                        session.live.signalled(told)
                elif name in self._had:  # at an earlier look, so the log has it by now
                    self._mail.drop(box, name)
                else:
                    self._had.add(name)

    def clear(self) -> None:
        """Drop what the log of a run that is over has."""
        session = self._session()
        if session is None or self._mail is None or session.history.closed is None:
            return
        for box in self._boxes:
            for name, told in self._mail.letters(box):
                if told.id in session.history.told or told.name in OURS:
                    self._mail.drop(box, name)
