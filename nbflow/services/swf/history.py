"""The fold of an SWF history: what became of each activity, timer, child, signal and so on.

It is built event by event and checks itself: an event that is not the next one, or that speaks of
something that never began or is over, raises `HistoryBroken`. Half a history would look like that
of another execution.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

from nbflow.services.swf.errors import HistoryBroken
from nbflow.services.swf.events import HistoryEvent, check


class Phase(NamedTuple):
    """Something that happened to an item: the state it has since, and the event that says so."""

    state: str
    event: HistoryEvent


@dataclass(slots=True)
class Item:
    """Something that an execution began: an attempt of an activity, a timer, a child and so on.

    Attributes:
        family: ``activity``, ``timer``, ``child``, ``function``, ``signal_sent``,
            ``cancel_sent`` or ``decision``.
        name: Its own id: activity id, timer id, workflow id, function id; "" for decisions.
        phases: What happened to it, in order.
    """

    family: str
    name: str
    phases: list[Phase] = field(default_factory=list)
    open: bool = True

    @property
    def state(self) -> str:
        """How it is: ``scheduled``, ``started``, ``completed`` and so on."""
        return self.phases[-1].state

    @property
    def id(self) -> int:
        """The number of its first event, which is what later ones call it by."""
        return self.phases[0].event.id

    @property
    def first(self) -> HistoryEvent:
        """The event that it began with."""
        return self.phases[0].event

    @property
    def last(self) -> HistoryEvent:
        """The latest event that speaks of it."""
        return self.phases[-1].event

    def at(self, state: str) -> float | None:
        """When it came into a state (seconds, epoch); None: it never did."""
        return next((phase.event.at for phase in self.phases if phase.state == state), None)

    def attribute(self, name: str) -> Any:
        """Give an attribute, by its name in Python, of the latest event that has it."""
        for phase in reversed(self.phases):
            found = getattr(phase.event, name, None)
            if found is not None:
                return found
        return None


class _Rule(NamedTuple):
    """What an event means: whose it is, the state it leads to, and the states it may come from."""

    family: str
    state: str
    of: str = ""
    after: tuple[str, ...] = ()
    ends: bool = False


def _ends(family: str, of: str, after: tuple[str, ...], **kinds: str) -> dict[str, _Rule]:
    return {kind: _Rule(family, state, of, after, ends=True) for kind, state in kinds.items()}


_TASK: Final = ("scheduled", "started", "cancel_requested")
_RULES: Final[Mapping[str, _Rule]] = {
    "ActivityTaskScheduled": _Rule("activity", "scheduled"),
    "ActivityTaskStarted": _Rule("activity", "started", "scheduledEventId", ("scheduled",)),
    **_ends(
        "activity",
        "scheduledEventId",
        _TASK,
        ActivityTaskCompleted="completed",
        ActivityTaskFailed="failed",
        ActivityTaskTimedOut="timed_out",
        ActivityTaskCanceled="canceled",
    ),
    "TimerStarted": _Rule("timer", "started"),
    **_ends("timer", "startedEventId", ("started",), TimerFired="fired", TimerCanceled="canceled"),
    "StartChildWorkflowExecutionInitiated": _Rule("child", "initiated"),
    "ChildWorkflowExecutionStarted": _Rule("child", "started", "initiatedEventId", ("initiated",)),
    **_ends(
        "child",
        "initiatedEventId",
        ("started",),
        ChildWorkflowExecutionCompleted="completed",
        ChildWorkflowExecutionFailed="failed",
        ChildWorkflowExecutionTimedOut="timed_out",
        ChildWorkflowExecutionCanceled="canceled",
        ChildWorkflowExecutionTerminated="terminated",
    ),
    "StartChildWorkflowExecutionFailed": _Rule(
        "child", "start_failed", "initiatedEventId", ("initiated",), ends=True
    ),
    "LambdaFunctionScheduled": _Rule("function", "scheduled"),
    "LambdaFunctionStarted": _Rule("function", "started", "scheduledEventId", ("scheduled",)),
    **_ends(
        "function",
        "scheduledEventId",
        ("scheduled", "started"),
        LambdaFunctionCompleted="completed",
        LambdaFunctionFailed="failed",
        LambdaFunctionTimedOut="timed_out",
        StartLambdaFunctionFailed="start_failed",
    ),
    "SignalExternalWorkflowExecutionInitiated": _Rule("signal_sent", "initiated"),
    **_ends(
        "signal_sent",
        "initiatedEventId",
        ("initiated",),
        ExternalWorkflowExecutionSignaled="delivered",
        SignalExternalWorkflowExecutionFailed="failed",
    ),
    "RequestCancelExternalWorkflowExecutionInitiated": _Rule("cancel_sent", "initiated"),
    **_ends(
        "cancel_sent",
        "initiatedEventId",
        ("initiated",),
        ExternalWorkflowExecutionCancelRequested="delivered",
        RequestCancelExternalWorkflowExecutionFailed="failed",
    ),
    "DecisionTaskScheduled": _Rule("decision", "scheduled"),
    "DecisionTaskStarted": _Rule("decision", "started", "scheduledEventId", ("scheduled",)),
    "DecisionTaskCompleted": _Rule(
        "decision", "completed", "scheduledEventId", ("started",), ends=True
    ),
    "DecisionTaskTimedOut": _Rule(
        "decision", "timed_out", "scheduledEventId", ("scheduled", "started"), ends=True
    ),
}
_NAMES: Final = {
    "activity": "activityId",
    "timer": "timerId",
    "child": "workflowId",
    "function": "id",
    "signal_sent": "workflowId",
    "cancel_sent": "workflowId",
}
_CLOSED: Final = {
    "WorkflowExecutionCompleted": "completed",
    "WorkflowExecutionFailed": "failed",
    "WorkflowExecutionTimedOut": "timed_out",
    "WorkflowExecutionCanceled": "canceled",
    "WorkflowExecutionTerminated": "terminated",
    "WorkflowExecutionContinuedAsNew": "continued_as_new",
}


class History:
    """The history of an execution.

    Attributes:
        events: All events so far.
        items: What was begun, by the number of its first event.
        status: ``open``, or how it ended: ``completed``, ``failed``, ``timed_out``, ``canceled``,
            ``terminated`` or ``continued_as_new``.
        cancel_requested: Whether somebody asked it to cancel itself.
        signals: The signals that came, in order.
        markers: The markers, in order.
        refused: Decisions that could not be carried out, in order: the ``...Failed`` events of
            decisions.
        unknown: Events of kinds that this version does not know.

    Example:
        ``history = History.of(execution.events()); history.activities["fetch-1"][-1].state``
    """

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []
        self.items: dict[int, Item] = {}
        self.status = "open"
        self.cancel_requested = False
        self.signals: list[HistoryEvent] = []
        self.markers: list[HistoryEvent] = []
        self.refused: list[HistoryEvent] = []
        self.unknown: list[HistoryEvent] = []
        self._named: dict[tuple[str, str], list[Item]] = {}

    @classmethod
    def of(cls, events: Iterable[HistoryEvent]) -> Self:
        """Make one of a whole history.

        Raises:
            HistoryBroken: It is not whole, or says what cannot be.
        """
        made = cls()
        for event in events:
            made.apply(event)
        return made

    def apply(self, event: HistoryEvent) -> None:
        """Take in the next event.

        Raises:
            HistoryBroken: It is not the next one, or cannot be where it is. It is not taken in.
        """
        self._expect(event)
        check(event)
        rule = _RULES.get(event.kind)
        if rule is not None:
            self._move(rule, event)
        else:
            _OTHERS.get(event.kind, _other)(self, event)
        self.events.append(event)

    def _expect(self, event: HistoryEvent) -> None:
        if event.id != len(self.events) + 1:
            raise HistoryBroken(f"event {event.id} follows event {len(self.events)}")
        if event.id == 1 and event.kind != "WorkflowExecutionStarted":
            raise HistoryBroken(f"a history begins with WorkflowExecutionStarted, not {event.kind}")
        if self.status != "open":
            raise HistoryBroken(f"{event.kind} as event {event.id}, when all was over")

    def _move(self, rule: _Rule, event: HistoryEvent) -> None:
        if not rule.of:
            name = event.attributes.get(_NAMES.get(rule.family, ""), "")
            item = self.items[event.id] = Item(rule.family, name)
            self._named.setdefault((rule.family, name), []).append(item)
        elif rule.ends and not event.attributes.get(rule.of):
            # The decision itself was refused, so nothing had begun.
            self.refused.append(event)
            return
        else:
            item = self._item(rule, event)
        item.phases.append(Phase(rule.state, event))
        item.open = not rule.ends

    def _item(self, rule: _Rule, event: HistoryEvent) -> Item:
        number = event.attributes.get(rule.of, 0)
        item = self.items.get(number)
        if item is None or item.family != rule.family:
            raise HistoryBroken(
                f"{event.kind}, event {event.id}: event {number} is no {rule.family}"
            )
        if not item.open or item.state not in rule.after:
            raise HistoryBroken(f"{event.kind}, event {event.id}: event {number} is {item.state}")
        return item

    def _cancelling(self, event: HistoryEvent) -> None:
        name = event.attributes["activityId"]
        latest = self._named.get(("activity", name), ())
        if not latest or not latest[-1].open:
            raise HistoryBroken(f"{event.kind}, event {event.id}: no activity {name!r} is open")
        latest[-1].phases.append(Phase("cancel_requested", event))

    # Views

    def _by_name(self, family: str) -> dict[str, list[Item]]:
        return {name: items for (kind, name), items in self._named.items() if kind == family}

    @property
    def activities(self) -> dict[str, list[Item]]:
        """The attempts of each activity id, in order."""
        return self._by_name("activity")

    @property
    def timers(self) -> dict[str, list[Item]]:
        """The timers of each id, in order."""
        return self._by_name("timer")

    @property
    def children(self) -> dict[str, list[Item]]:
        """The children of each workflow id, in order."""
        return self._by_name("child")

    @property
    def functions(self) -> dict[str, list[Item]]:
        """The Lambda functions of each id, in order."""
        return self._by_name("function")

    @property
    def decisions(self) -> list[Item]:
        """The decision tasks, in order."""
        return self._by_name("decision").get("", [])

    @property
    def started(self) -> HistoryEvent:
        """The event that all began with."""
        return self.events[0]

    @property
    def closed(self) -> HistoryEvent | None:
        """The event that ended it; None while it is open."""
        return self.events[-1] if self.status != "open" else None

    def open_items(self, family: str) -> Iterator[Item]:
        """Give what of a family is still open."""
        return (i for i in self.items.values() if i.open and i.family == family)


def _closing(history: History, event: HistoryEvent) -> None:
    history.status = _CLOSED[event.kind]


def _cancel(history: History, event: HistoryEvent) -> None:  # noqa: ARG001 - one signature
    history.cancel_requested = True


def _other(history: History, event: HistoryEvent) -> None:
    if not event.known:
        history.unknown.append(event)
    elif event.kind.endswith("Failed"):
        history.refused.append(event)


_OTHERS: Final[dict[str, Callable[[History, HistoryEvent], None]]] = {
    **dict.fromkeys(_CLOSED, _closing),
    "WorkflowExecutionCancelRequested": _cancel,
    "WorkflowExecutionSignaled": lambda history, event: history.signals.append(event),
    "MarkerRecorded": lambda history, event: history.markers.append(event),
    "ActivityTaskCancelRequested": History._cancelling,  # noqa: SLF001 - of this module
}
