"""Results that were in memory only, computed again where a resumed run needs them."""

from __future__ import annotations

from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.call import CallState
from nbflow.core.errors import Cancelled
from nbflow.core.events import CallRepeated
from nbflow.core.held import Held
from nbflow.engine.clock import clock

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from nbflow.core.history import History

_LOOK: Final = 0.05
"""Seconds after which whoever waits looks whether the run is driven still."""


class Repeating:
    """The part of a run's owner that is about ``persist=False`` activities.

    Such a result is computed again by a call of its own, ``load-1~2`` for ``load-1``: so it is in
    the log, in pictures and under all rules of calls, and no result is given twice. It is asked
    for when an unsettled call is to start that takes the result, or when the code reads it.
    """

    if TYPE_CHECKING:
        history: History
        over: threading.Event
        _inbox: Any
        _stop: BaseException | None
        _emit: Callable[..., None]
        _next: Callable[[], int]

        def post(self, action: Callable[[], object]) -> None: ...  # noqa: D102
        def block(self, state: CallState | None, position: int) -> None: ...  # noqa: D102

    def _look_for_gone(self) -> None:
        """Find the results that are gone, as the run is taken up."""
        self._gone = {state.id for state in self.history.settled if _is_gone(state)}

    def restore(self, state: CallState) -> CallState:
        """Have a result computed again, from the workflow's thread, and wait for it.

        Returns:
            The call that has computed it, or has failed.
        """
        told: SimpleQueue[CallState] = SimpleQueue()
        self.post(lambda: told.put(self._repeat(state, "")))
        while True:
            if self._stop is not None:
                raise self._stop
            if self.over.is_set():
                raise Cancelled("the run is over")
            try:
                repeat = told.get(timeout=_LOOK)
            except Empty:
                continue
            self.block(repeat, 0)
            return repeat

    def _lacks(self, state: CallState) -> bool:
        """Have what a ready call takes computed again, if it is gone; give whether it waits."""
        giving = self.history.giving
        lacking = [dep for dep in dict.fromkeys(state.deps) if dep in self._gone]
        if not any(giving[dep].outcome is None or _is_gone(giving[dep]) for dep in lacking):
            return False
        # The caller is past writing this turn.
        self._inbox.append(partial(self._repeat_for, state, lacking))
        return True

    def _repeat_for(self, state: CallState, lacking: list[str]) -> None:
        if state.outcome is not None or self._stop is not None:
            return
        for dep in lacking:
            if _is_gone(self.history.giving[dep]):
                self._repeat(self.history.calls[dep], state.id)
        self._ready_again(state)

    def _repeat(self, state: CallState, needed: str) -> CallState:
        """Ask for a result to be computed again, unless that was done; give the call."""
        history = self.history
        known = history.again.get(state.id)
        if known is not None and not _is_gone(known):
            return known
        by = self._name(state.id)
        if by not in history.calls:
            asked = CallState(
                by,
                state.name,
                state.args,
                state.kwargs,
                state.deps,
                state.turn,
                (),
                state.code,
                group=state.group,
            )
            self._emit(asked.event(self._next(), clock.time()))
        self._emit(CallRepeated(self._next(), clock.time(), state.id, by, needed))
        repeat = history.calls[by]
        repeat.activity = state.activity
        self._ready_again(repeat)
        return repeat

    def _lost(self, state: CallState, calls: tuple[str, ...]) -> None:
        """Take note that results cannot be had any more, and have a call wait for their repeats."""
        self._gone.update(calls)
        self._ready_again(state)

    def _name(self, call: str) -> str:
        """Give the id of the next repeat; one that was cut off is begun again."""
        number = 2
        while True:
            by = f"{call}~{number}"
            known = self.history.calls.get(by)
            if known is None or known.outcome is None:
                return by
            number += 1

    def _ready_again(self, state: CallState) -> None:
        history = self.history
        history.await_again(state)
        if not state.missing and state.outcome is None:
            history.ready.append(state)


def _is_gone(state: CallState) -> bool:
    result = getattr(state.outcome, "result", None)
    return type(result) is Held and not result.there
