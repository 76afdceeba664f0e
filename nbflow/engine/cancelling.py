"""How a run that is driven here is cancelled: asked for, heard by its code, and over in time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from nbflow.core.call import CallState
from nbflow.core.errors import Cancelled
from nbflow.core.events import CancelRefused, CancelRequested, RunClosed
from nbflow.core.failure import Failure
from nbflow.core.payload import Stored
from nbflow.engine.clock import clock
from nbflow.engine.keeper import Keeper
from nbflow.engine.timekeeper import timekeeper

if TYPE_CHECKING:
    from nbflow.core.child import WorkflowOptions

_CANCEL_GRACE = 2.0
"""Seconds that code which computes may take to come to where it hears of a cancel."""
_OPEN: Final = {
    "completed": "the code has not asked for it again",  # in a run that was resumed
    "failed": "the run failed",
    "cancelled": "the run was cancelled",
}
"""Why calls are given up that are open at a run's end, by how it ends."""


class Cancelling(Keeper):
    """The owner of a run as far as its end goes.

    Attributes:
        ending: Whether calls are given up since the run ends.
    """

    rules: WorkflowOptions
    ending = False
    _unheard = False
    """Whether a cancel was asked for that the code has not answered yet."""
    _calling = _nudged = False
    _cancelled = False

    def answer(self, *, refused: bool) -> None:
        """Learn, from the code, whether the run may be cancelled: it has heard of it."""
        self._nudged = False
        self.post(partial(self._answered, refused=refused))

    def cancel_run(self, reason: str) -> None:
        """Give up every call, and have the code clean up where it next waits.

        One that wants to be asked is asked there first, and may refuse.
        """
        self.post(partial(self._cancel_run, reason))

    def terminate(self) -> None:
        """Close a run that is being cancelled without waiting for its code."""
        self.post(partial(self._close, "cancelled"))

    def abort(self, error: Failure, call: str) -> None:
        """Fail the run, as its owner, and stop its code where it next waits."""
        self._close("failed", None, error, call)
        self._stop = Cancelled(f"{call} failed and the run was aborted")

    def _cancel_run(self, reason: str) -> None:
        if self._stop is not None or self._unheard or self._cancelled:
            return
        self._emit(CancelRequested(seq=self._next(), at=clock.time(), reason=reason))
        self._unheard = self._calling = True
        if self.rules.hooks.should_cancel is None:
            self._begin_cancel(reason)
            timekeeper.after(_CANCEL_GRACE, partial(self.post, self._not_heard))

    def _begin_cancel(self, reason: str) -> None:
        self.ending = self._cancelled = True
        self._cancel_open(reason)
        self._asked = self._asked_late  # type: ignore[method-assign]

    def _asked_late(self, asked: CallState, now: float) -> None:
        """Take a call that the code asks for before it has heard that the run is cancelled."""
        type(self)._asked(self, asked, now)  # noqa: SLF001 - its own, which this stands in for
        cancelling = self.history.cancelling
        self._cancel_call(asked.id, cancelling.reason if cancelling is not None else "")

    def _answered(self, *, refused: bool) -> None:
        asked = self.history.cancelling
        self._unheard = False
        if asked is None:
            return
        if refused:
            self._emit(CancelRefused(self._next(), clock.time(), asked.reason))
            return
        if not self._cancelled:
            self._begin_cancel(asked.reason)
        vars(self).pop("_asked", None)  # what it asks for now is to clean up
        limit = self.rules.clean_up_timeout
        timekeeper.after(limit, partial(self.post, partial(self._close, "cancelled")))

    def _not_heard(self) -> None:
        if self._unheard:
            self._close("cancelled")

    def _close(
        self, status: str, result: Stored = None, error: Failure | None = None, call: str = ""
    ) -> None:
        if self._cancelled or isinstance(self._stop, Cancelled):  # whatever its code made of that
            error = error if status == "cancelled" else None
            status, result, call = "cancelled", None, ""
        if status == "cancelled" and self._stop is None:
            self._stop = Cancelled("the run is closed")  # for code that still runs
        # What the workflow still had under way, nobody waits for any more.
        self.ending = True
        self._cancel_open(_OPEN.get(status, "the run is over"))
        self._write(self._scribe.close())
        self._emit(RunClosed(self._next(), clock.time(), status, result, error, call))
