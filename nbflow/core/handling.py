"""What becomes of a call that failed, where the workflow has a say in that."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from nbflow.core.errors import DefinitionError

if TYPE_CHECKING:
    from nbflow.core.call import CallState
    from nbflow.core.failure import Failure

_log = logging.getLogger("nbflow")

Verdict = Literal["none", "abort", "ignore", "retry_now", "retry_later", "cancel", "handled"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done: made by the ``decide_`` methods of a `FailureContext`.

    Attributes:
        what: Which of them.
        wait: Seconds until the next attempt.
        result: What the call gives instead.
    """

    what: Verdict
    wait: float = 0.0
    result: Any = None


NONE: Final = Decision("none")


@dataclass(slots=True)
class FailureContext:
    """What a workflow's ``on_task_failure`` is told, and decides by.

    Attributes:
        call: Id of the call.
        activity: Name of its activity.
        attempt: Which attempt failed, from 1.
        failure: What is kept of the exception.
        retry_in: Seconds until its own policy would try again; None: it would not.
        decision: What was decided.
        once: Whether it is a call of a ``once=True`` activity, which is never begun twice.

    Example:
        >>> def lenient(failure):
        ...     if isinstance(failure.exception, TimeoutError) and failure.attempt < 5:
        ...         return failure.decide_retry(wait=60)
        ...     return failure.decide_ignore()
        >>> @workflow(on_task_failure=lenient)
        ... def nightly(regions): ...
    """

    call: str
    activity: str
    attempt: int
    failure: Failure
    retry_in: float | None
    decision: Decision = field(default=NONE)
    once: bool = False

    @property
    def exception(self) -> BaseException:
        """The exception, as itself where it can be rebuilt."""
        return self.failure.rebuild()

    @property
    def retry_count(self) -> int:
        """How often it was tried again so far."""
        return self.attempt - 1

    @property
    def reason(self) -> str:
        """The exception's class and message."""
        return f"{self.failure.kind}: {self.failure.message}"

    @property
    def details(self) -> str:
        """Where it was raised, a line a frame."""
        return "\n".join(f"{f.file}:{f.line} in {f.function}" for f in self.failure.frames)

    def decide_abort(self) -> Decision:
        """Fail the run now, whatever its code would make of it."""
        return self._decide(Decision("abort"))

    def decide_ignore(self) -> Decision:
        """Settle the call: its result is None, and nothing else fails because of it."""
        return self._decide(Decision("ignore"))

    def decide_retry(self, wait: float = 0.0) -> Decision:
        """Try again, after so many seconds.

        Raises:
            DefinitionError: `wait` is no number of seconds, or the activity is ``once=True``.
        """
        if self.once:
            message = (
                f"{self.activity} is once=True, so {self.call} is not begun a second time: settle "
                "it by decide_handled(result), or decide something else"
            )
            raise DefinitionError(message)
        given: Any = wait
        if not isinstance(given, int | float) or isinstance(given, bool) or not given >= 0:
            message = f"decide_retry waits a number of seconds from 0, not {wait!r:.60}"
            raise DefinitionError(message)
        return self._decide(Decision("retry_later" if wait else "retry_now", float(wait)))

    def decide_cancel(self) -> Decision:
        """Settle the call as cancelled."""
        return self._decide(Decision("cancel"))

    def decide_handled(self, result: Any = None) -> Decision:
        """Settle the call as if it had given this result."""
        return self._decide(Decision("handled", result=result))

    def _decide(self, decision: Decision) -> Decision:
        self.decision = decision
        return decision


def judge(
    handler: Callable[..., Any],
    state: CallState,
    attempt: int,
    failure: Failure,
    retry_in: float | None,
) -> Decision:
    """Ask a workflow what becomes of a call. One that fails itself has decided nothing."""
    once = state.activity is not None and state.activity.settings.once
    context = FailureContext(state.id, state.name, attempt, failure, retry_in, once=once)
    try:
        given = handler(context)
    except BaseException:  # noqa: BLE001 - the user's own function may even exit
        _log.exception("nbflow: on_task_failure failed for %s: its policy decides", state.id)
        return NONE
    decided = given if isinstance(given, Decision) else context.decision
    if once and decided.what in {"retry_now", "retry_later"}:  # a decision made elsewhere
        _log.error("nbflow: %s is once=True, and is not tried again", state.id)
        return NONE
    return decided
