"""The part of the interpreter behind cancelling: how code learns of it, and what it may do then.

A request to cancel is an entry of the log. Code is told of it where it waits, once it has seen
what was settled before: by `Cancelled`, in coroutines by `asyncio.CancelledError`. From there on
it may clean up, with calls and timers, until it ends or its time is up.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NoReturn

from nbflow.core.errors import Cancelled, Continued, NondeterminismError, StoreError
from nbflow.core.future import current
from nbflow.core.hooks import hook_context

if TYPE_CHECKING:
    from nbflow.core.call import CallState
    from nbflow.core.driver import Driver
    from nbflow.core.eventloop import LogLoop
    from nbflow.core.history import History
    from nbflow.core.hooks import Hooks
    from nbflow.core.recall import Recall

_log = logging.getLogger("nbflow")


class Stopping:
    """What an interpreter does when its run is to be cancelled.

    Attributes:
        cancelled: What the code was told, None if it was not.
        loop: What drives its coroutines, while there are some.
        hooks: What the workflow wants to be told and asked.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        cancelled: Cancelled | None
        loop: LogLoop | None
        hooks: Hooks
        history: History
        driver: Driver
        recall: Recall
        position: int
        run: str
        _answered: int

        def awaited(self, result: Any) -> Any: ...  # noqa: D102 - the interpreter has it
        def _settle_all(self) -> None: ...

    def untold(self, index: int) -> bool:
        """Whether the code is to hear of a cancel before it sees that entry of the settled."""
        asked = self.history.cancelling
        return asked is not None and asked.seq > self._answered and index >= self.history.cancel_at

    def _block(self, state: CallState | None) -> bool:
        """Wait, or tell the code that it is to stop; give whether it was that."""
        asked = self.history.cancelling
        if asked is None or asked.seq <= self._answered:
            self.recall.block(state, self.position)
            return False
        self._answered = asked.seq  # type: ignore[misc] # a slot of the interpreter
        if self._refuses(asked.reason):
            self.driver.answer(refused=True)
            return True
        self.cancelled = Cancelled(asked.reason)  # type: ignore[misc] # as above
        self.recall.let_go()
        self.driver.answer(refused=False)
        self._stop(asked.reason)
        return True

    def _stop(self, reason: str) -> None:
        if self.loop is None:
            raise Cancelled(reason)
        self.loop.stop_main(reason)
        if self.loop.within:  # a coroutine that waits without awaiting
            raise self.loop.cancelled(reason)

    def _refuses(self, reason: str) -> bool:
        """Ask the code whether the run may be cancelled; a question that fails is no refusal."""
        ask = self.hooks.should_cancel
        if ask is None or self.recall.strict:  # what a whole log holds was decided then
            return False
        token = current.set(None)  # it answers a question, and is no part of what is replayed
        try:
            return not self.awaited(ask(hook_context(self, "running", reason=reason)))
        except Exception:  # noqa: BLE001 - a user's own function
            _log.exception("nbflow: should_cancel failed for run %s: it is cancelled", self.run)
            return False
        finally:
            current.reset(token)

    def over(self, error: BaseException) -> bool:
        """Whether an error is an end of the code that was told to stop."""
        if isinstance(error, NondeterminismError | StoreError) or self.recall.error is not None:
            return False
        stopped = isinstance(error, Exception | Cancelled | Continued)
        return stopped or type(error).__name__ == "CancelledError"

    def clean_up(self, error: BaseException | None) -> NoReturn:
        """Call the workflow's ``on_canceled``, wait for what was asked for, and end the code.

        Raises:
            Cancelled: Always; its cause is what the code failed with while it cleaned up.
        """
        stopped = self.cancelled
        assert stopped is not None  # noqa: S101 - whoever calls this has looked
        cause = error if isinstance(error, Exception) else None
        hook = self.hooks.on_canceled
        try:
            if hook is not None:
                context = hook_context(self, "cancelled", error=cause, reason=str(stopped))
                self.awaited(hook(context))
            self._settle_all()
        except BaseException as failed:
            if not self.over(failed):
                raise
            if isinstance(failed, Exception):
                _log.exception("nbflow: on_canceled failed for run %s", self.run)
        raise stopped from cause
