"""The part of a reader that is about what a run is told: signals, a cancel, calls settled by hand.

SWF has no request that ends one activity of an execution, nor one that gives its result. So
whoever wants that sends a signal of ours, `BY_HAND`, with the event that settles the call. From
the decision on that sees it the call is over; what is under way for it is told so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from nbflow.core.events import CallCancelled, CallSucceeded, CancelRequested, SignalReceived
from nbflow.core.history import History
from nbflow.services.swf.codec.records import CLOSE, SETTLE, Attempt, flag

if TYPE_CHECKING:
    from nbflow.core.events import CallFailed, Event
    from nbflow.services.swf.codec.records import Open
    from nbflow.services.swf.codec.texts import Texts
    from nbflow.services.swf.events import HistoryEvent

ACTIVITY: Final = "activity"
TIMER: Final = "timer"
CHILD: Final = "child"


class Told:
    """What a reader knows of what came from outside.

    Attributes:
        dropping: What is under way for calls that somebody settled by hand, and was not told so
            yet: ids of activities, timers and children, with what each is; of a child, with its
            ``parent_close`` too.
    """

    def __init__(self) -> None:
        self.dropping: dict[str, str] = {}
        self._why = ""
        self._signals: dict[str, int] = {}
        self._told: set[str] = set()
        self._by_hand: set[int] = set()
        self._given_up: set[str] = set()

    if TYPE_CHECKING:
        texts: Texts
        log: list[Event]
        open: dict[str, Attempt]
        children: dict[str, Attempt]
        functions: dict[str, Attempt]
        failing: dict[str, CallFailed]
        waiting: dict[str, str]
        carried: Open
        flags: dict[str, frozenset[str]]
        _next: dict[str, int]

        def _tell(self, event: HistoryEvent, told: Event) -> None: ...
        def _step(self, call: str, number: int) -> None: ...

    def _signalled(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.input)
        told: Any = note.events[0] if note is not None and note.events else None
        if note is not None and note.words[0] == "cancel":
            self._why = str(told.result)
            return
        if note is not None and note.words[0] == SETTLE:
            if isinstance(told, CallCancelled | CallSucceeded):
                self._by_hand.add(event.id)
                self._tell(event, told)
            return
        if not isinstance(told, SignalReceived):
            told = SignalReceived(0, 0.0, event.signal_name, 0, event.input)
        if told.id and told.id in self._told:
            return
        self._tell(event, self._numbered(told))

    def _numbered(self, told: SignalReceived) -> SignalReceived:
        """Give a signal the number that it has among those of its name."""
        self._told.add(told.id)
        number = self._signals[told.name] = self._signals.get(told.name, 0) + 1
        return told._replace(number=number)

    def _asked_to_cancel(self, event: HistoryEvent) -> None:
        who = event.external_workflow_execution
        why = f"asked by {who.workflow_id}" if who else self._why
        self._tell(event, CancelRequested(0, 0.0, why))

    def _taken_over(self, number: int, call: str) -> bool:
        """Let go what is under way of a call that an event settles, if that was done by hand.

        Returns:
            Whether the event counts: not if the call is settled already, or there is none.
        """
        if number not in self._by_hand:
            return True
        state = History.of(self.log).calls.get(call)
        if state is None or not state.name or state.outcome is not None:
            return False
        self._given_up.add(call)
        self._drop(self.open.pop(call, None), ACTIVITY)
        policy = flag(self.flags.get(call, frozenset()), CLOSE)
        self._drop(self.children.pop(call, None), f"{CHILD} {policy}")
        self.functions.pop(call, None)
        self.failing.pop(call, None)
        self.carried.calls.discard(call)
        for timer in [t for t, other in self.waiting.items() if other == call]:
            del self.waiting[timer]
            self.dropping[timer] = TIMER
        self._step(call, self._next.get(call, 0) + 1)
        return True

    def _drop(self, attempt: Attempt | None, kind: str) -> None:
        if attempt is not None:
            self.dropping[attempt.task] = kind

    def _dropped(self, event: HistoryEvent) -> None:
        """Take note that something was told that it is given up, or is over anyway."""
        given = event.attributes
        for name in ("activityId", "timerId", "workflowId"):
            self.dropping.pop(given.get(name, ""), None)


HEARD: Final[dict[str, Callable[[Any, HistoryEvent], None]]] = {
    "WorkflowExecutionSignaled": Told._signalled,  # noqa: SLF001 - of this module, as all of these
    "WorkflowExecutionCancelRequested": Told._asked_to_cancel,  # noqa: SLF001
    "ActivityTaskCancelRequested": Told._dropped,  # noqa: SLF001
    "RequestCancelActivityTaskFailed": Told._dropped,  # noqa: SLF001
    "CancelTimerFailed": Told._dropped,  # noqa: SLF001
    "RequestCancelExternalWorkflowExecutionInitiated": Told._dropped,  # noqa: SLF001
}
"""What is done with each kind of event."""
