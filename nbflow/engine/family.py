"""What a run has to do with others: the runs that it calls, and what it is told."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.errors import NbflowError, RunNotFound
from nbflow.core.events import (
    ChildStarted,
    MarkerFailed,
    SignalReceived,
    SignalSent,
)
from nbflow.core.failure import Failure
from nbflow.engine.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbflow.core.call import CallState
    from nbflow.core.child import WorkflowOptions
    from nbflow.core.history import History
    from nbflow.store.base import Store

_log = logging.getLogger("nbflow")
_GENERATION: Final = re.compile(r"~(\d+)$")
_SEQUEL: Final = re.compile(r"\+(\d+)$")


class Family:
    """The part of a run's owner that is about other runs."""

    def __init__(self) -> None:
        super().__init__()
        self._passing: list[SignalReceived] = []
        self._letters: list[tuple[str, SignalReceived]] = []

    if TYPE_CHECKING:
        run: str
        history: History
        _inbox: Any
        _emit: Callable[..., None]
        _next: Callable[[], int]

        store: Store
        rules: WorkflowOptions
        deliver: Callable[[str, SignalReceived], None]

        def abort(self, error: Failure, call: str) -> None: ...  # noqa: D102
        def post(self, action: Callable[[], object]) -> None: ...  # noqa: D102

    # ------------------------------------------------------------ children

    def _unborn(self, state: CallState) -> bool:
        """Have it written that a call is a run of its own, before that run is created."""
        history = self.history
        if state.id in history.children and state.id not in history.renewed:
            return False
        self._inbox.append(partial(self._bear, state))
        return True

    def _bear(self, state: CallState) -> None:
        if state.outcome is None:
            run = child_id(self.run, state.id, self.history.children.get(state.id, ""))
            self._emit(ChildStarted(self._next(), clock.time(), state.id, run))
            self._letters.extend((run, told) for told in self._passing)
            self.history.ready.append(state)

    # ------------------------------------------------------------ signals

    def signalled(self, told: SignalReceived) -> None:
        """Take a signal; one that was taken before is dropped. From any thread."""
        self.post(partial(self._signalled, told))

    def _signalled(self, told: SignalReceived) -> None:
        history = self.history
        if told.id and told.id in history.told:
            return
        number = history.signals.get(told.name, 0) + 1
        self._emit(told._replace(seq=self._next(), at=clock.time(), number=number))
        if told.propagate:
            self._pass_on(told)

    def _pass_on(self, told: SignalReceived) -> None:
        """Have a signal go to the children, those to come as well, and to the parent."""
        self._passing.append(told)
        for call, run in self.history.children.items():
            if self.history.calls[call].outcome is None:
                self._letters.append((run, told))
        started = self.history.started
        if started is not None and started.parent and self.rules.propagate_signals_to_parent:
            self._letters.append((started.parent, told))

    def _pass_on_again(self) -> None:
        """Pass on what was told before the run was resumed: whoever has it drops it."""
        for state in self.history.settled:
            if type(state.outcome) is SignalReceived and state.outcome.propagate:
                self._pass_on(state.outcome)

    def _post_letters(self) -> None:
        """Send the signals that are to be passed on, once they are in this run's own log."""
        while self._letters:
            run, told = self._letters.pop(0)
            if told.sender == run:
                continue
            try:
                self.deliver(run, told)
            except RunNotFound:  # it is about to be created
                mail = getattr(self.store, "mail", None)
                if mail is not None:
                    mail.post(run, told)
            except NbflowError as error:  # one that is over hears no more, and no harm is done
                _log.info("nbflow: signal %s is not passed on to %s: %s", told.name, run, error)

    def _sent(self, state: CallState, event: SignalSent | MarkerFailed) -> None:
        if state.outcome is None:
            self.history.calls.setdefault(state.id, state)
            self._emit(event._replace(seq=self._next(), at=clock.time()))


def child_id(parent: str, call: str, before: str) -> str:
    """Give the id of a child run, which is the same whenever and wherever it is asked for.

    Args:
        parent: The run that calls it.
        call: The call.
        before: The run that the call was before it was asked to run again from the start.
    """
    if not before:
        return f"{parent}/{call}"
    last = _GENERATION.search(before)
    return f"{parent}/{call}~{int(last[1]) + 1 if last else 2}"


def onward_id(run: str) -> str:
    """Give the id of the run that one goes on in: ``flow-1f+2`` after ``flow-1f``."""
    last = _SEQUEL.search(run)
    return f"{run[: last.start()]}+{int(last[1]) + 1}" if last else f"{run}+2"
