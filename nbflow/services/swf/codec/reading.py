"""From an SWF history to the events of an nbflow run.

A decision is made of what its task has; what happens during it is seen by the next one. So the
order of the events here is: what a decision saw, what it decided, what came since. It does not
matter where the service puts ``DecisionTaskScheduled``.

Whether a failed attempt is tried again follows from the history alone: the first attempt's control
has the activity's policy, and what is random in a wait is derived from the run and the attempt.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from nbflow.core.errors import ActivityTimeout, NbflowError
from nbflow.core.events import (
    CallCancelled,
    CallFailed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    CallWrote,
    Event,
    RunContinued,
    SignalReceived,
    TimerFired,
)
from nbflow.core.failure import Failure
from nbflow.engine.limits import WORDS
from nbflow.services.swf.codec.others import CLOSINGS, OTHERS, Others, closing
from nbflow.services.swf.codec.records import (
    AT,
    JUDGED,
    KNOWN,
    LOST,
    WATCHED,
    Attempt,
    News,
    Next,
    Open,
    flag,
    is_of,
)
from nbflow.services.swf.codec.rules import Rule
from nbflow.services.swf.codec.texts import BROKEN, Note, Texts
from nbflow.services.swf.errors import HistoryBroken
from nbflow.services.swf.events import HistoryEvent


class Reader(Others):
    """Reads the history of an execution, event by event.

    Attributes:
        log: The events of the run that decisions have seen or made.
        open: The attempts that are scheduled and have not ended, by call.
        first: The event that scheduled the first attempt of each call: the later ones are like it.
        wanted: The next attempts that nothing was done for yet, by call.
        waiting: The calls that wait for their next attempt, by the timer.
        due: Which attempt of a call is to be scheduled now.
        timers: The timers of the code that are open.
        refused: How often SWF could not schedule an activity id, and when it last said so.
        closed: Whether the execution is over.
        failing: Failures of which the decider has still to say what becomes of them, by call.
        flags: What the first attempt of a call says besides its policy.
        carried: What is to be begun here of a log that was carried over.
        words: What stands in front of the first text.
        given: What the execution was started with, by the service's names.
        stays: Whether the run cannot go on in a new execution, its log being too long for SWF.
        now: When the latest decision task was handed out (seconds, epoch).
        last: The number of the latest event.
        started: The number of the event that handed the latest decision task out.
    """

    def __init__(self, texts: Texts) -> None:
        super().__init__()
        self.texts = texts
        self.log: list[Event] = []
        self.open: dict[str, Attempt] = {}
        self.first: dict[str, HistoryEvent] = {}
        self.wanted: dict[str, Next] = {}
        self.waiting: dict[str, str] = {}
        self.due: dict[str, int] = {}
        self.timers: set[str] = set()
        self.refused: dict[str, tuple[int, float]] = {}
        self.closed = False
        self.now = 0.0
        self.last = self.started = self._through = 0
        self._attempts: dict[int, Attempt] = {}
        self._next: dict[str, int] = {}
        self._rules: dict[str, Rule] = {}
        self.failing: dict[str, CallFailed] = {}
        self.flags: dict[str, frozenset[str]] = {}
        self.carried = Open(set(), {})
        self.words, self.stays = "run", False
        self.given: dict[str, Any] = {}
        self._news: deque[News] = deque()
        self._made: list[tuple[float, Event]] = []

    def feed(self, events: Iterable[HistoryEvent]) -> None:
        """Take in the next events of the history.

        Raises:
            HistoryBroken: One of them is not the next, or holds what is none of ours.
        """
        for event in events:
            if event.id != self.last + 1:
                raise HistoryBroken(f"event {event.id} follows event {self.last}")
            self.last = event.id
            try:
                self._take(event)
            except NbflowError:
                raise
            except BROKEN as error:
                said = f"what stands in event {event.id}, {event.kind}, is broken: {error!r:.200}"
                raise HistoryBroken(said) from error

    def _take(self, event: HistoryEvent) -> None:
        if event.kind == "DecisionTaskStarted":
            self._decided()
            self.now, self.started = event.at, event.id
        elif event.kind == "DecisionTaskCompleted":
            self._through = event.attributes["startedEventId"]
            self._see(self._through)
        handler = _HANDLERS.get(event.kind)
        if handler is not None:
            handler(self, event)
        if event.kind in CLOSINGS:
            self._over(event)

    # What a decision saw and made

    def see(self) -> list[Event]:
        """Let the decision task at hand see what happened before it; give the log."""
        self._see(self.started)
        return self.log

    def all(self) -> list[Event]:
        """Give the events with what no decision has seen yet, for whoever only looks."""
        self._take_all()
        return self.told()

    def told(self) -> list[Event]:
        """Give the events so far as folds of all of them want them.

        What was read before a turn of the code stands with the first call of that turn, as in any
        log. Here that call may come late, since it is heard of when it can run: so it is moved.
        """
        asked = [e for e in self.log if isinstance(e, CallScheduled)]
        read = {e.turn: e.after for e in asked if e.after}
        return [
            e._replace(after=read.pop(e.turn, ())) if isinstance(e, CallScheduled) else e
            for e in self.log
        ]

    def _take_all(self) -> None:
        self._decided()
        self._see(self.last)

    def _see(self, through: int) -> None:
        while self._news and self._news[0].id <= through:
            number, event = self._news.popleft()
            call = getattr(event, "call", "")
            if call in self._given_up and not isinstance(event, CallStarted):
                continue
            if not self._taken_over(number, call):
                continue
            if isinstance(event, CallFailed):
                if JUDGED in self.flags.get(call, ()) and not event.abandoned:
                    self.failing[call] = event
                    continue
                self.want(event)
            elif isinstance(event, SignalReceived) and event.propagate:
                self.passing.append(event)
            self._add(event.at, event)

    def want(self, event: CallFailed) -> None:
        """Take note of when a call is to be tried again."""
        number = event.attempt + 1
        if event.retry_at is not None and self._next.get(event.call, 0) < number:
            self.wanted[event.call] = Next(number, event.retry_at)

    def _decided(self) -> None:
        """Take what the latest answered decision saw and made into the log."""
        if self._through:
            self._see(self._through)
            for at, made in self._made:
                self._add(at, made)
            self._made.clear()
            self._through = 0

    def _add(self, at: float, event: Event) -> None:
        self.log.append(event._replace(seq=len(self.log) + 1, at=at))

    def _over(self, event: HistoryEvent) -> None:
        self._take_all()
        for failed in self.failing.values():
            self._add(event.at, failed._replace(retry_at=None))
        for sent in self.sending.values():
            self._add(event.at, sent)
        for made in closing(self, event):
            self._add(event.at, made)
        self.closed = True

    def _make(self, event: HistoryEvent, made: Event) -> None:
        # As late as the decision was handed out: that is when the code took it to be.
        self._made.append((self.now or event.at, made))

    def _tell(self, event: HistoryEvent, told: Event) -> None:
        self._news.append(News(event.id, told._replace(at=event.at)))

    # Activities

    def _scheduled(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.control)
        if note is not None:
            attempt = self._begin(event, note, event.activity_id)
            self._attempts[event.id] = self.open[attempt.call] = attempt

    def _begin(self, event: HistoryEvent, note: Note, task: str) -> Attempt:
        """Take in an attempt of a call; the first one says that the call was asked for."""
        if note.words[0] == "again":
            call, number = note.words[2], int(note.words[1])
        else:
            asked: Any = note.events[0]
            flags = frozenset(note.words[2:])
            call, number = asked.call, int(flag(flags, AT) or 1)
            self.first[call], self.flags[call] = event, flags
            self._rules[call] = Rule.read(note.words[1])
            for made in note.events[KNOWN in flags :]:
                self._make(event, made)
        self._step(call, number)
        self.refused.pop(task, None)
        return Attempt(call, number, task)

    def _step(self, call: str, number: int) -> None:
        """Take note that an attempt was seen to."""
        self._next[call] = number
        self.wanted.pop(call, None)
        self.due.pop(call, None)

    def _begun(self, event: HistoryEvent) -> None:
        attempt = self._attempts.get(event.scheduled_event_id)
        if attempt is not None:
            self.open[attempt.call] = attempt._replace(begun=True)
            worker = event.identity or "worker"
            self._tell(event, CallStarted(0, 0.0, attempt.call, attempt.number, worker))

    def _ended(self, event: HistoryEvent) -> None:
        attempt = self._attempts.pop(event.scheduled_event_id, None)
        if attempt is None:
            return
        self.open.pop(attempt.call, None)
        self.dropping.pop(attempt.task, None)
        if event.kind == "ActivityTaskCompleted":
            self._tell(event, self._success(event, attempt))
        elif event.kind == "ActivityTaskCanceled":
            self._tell(event, CallCancelled(0, 0.0, attempt.call, event.details or ""))
        else:
            self._fail(event, attempt, self._failure(event, attempt))

    def _fail(self, event: HistoryEvent, attempt: Attempt, failed: CallFailed) -> None:
        """See when a failed attempt is tried again, as its policy says."""
        call, number = attempt.call, attempt.number
        rule, flags = self._rules[call], self.flags[call]
        delay = rule.delay(failed.error, number, f"{self.texts.run} {call}")
        if failed.timeout == "HEARTBEAT" and WATCHED in flags:
            # Its worker is gone, and the activity has set no such limit: so it is run again.
            delay = 0.0 if number < LOST else delay
            failed = failed._replace(abandoned=delay is not None)
        retry_at = None if delay is None else event.at + delay
        ignored = rule.ignored and retry_at is None
        self._tell(event, failed._replace(retry_at=retry_at, ignored=ignored))

    def _success(self, event: HistoryEvent, attempt: Attempt) -> CallSucceeded:
        note = self.texts.read(event.result)
        if is_of(note, attempt) and isinstance(note.events[0], CallSucceeded):
            self._wrote(event, attempt, note)
            # Whose result it is, the history says: not who sent it.
            return note.events[0]._replace(call=attempt.call, attempt=attempt.number)
        return CallSucceeded(0, 0.0, attempt.call, attempt.number, event.result, "worker", event.at)

    def _failure(self, event: HistoryEvent, attempt: Attempt) -> CallFailed:
        call, number = attempt.call, attempt.number
        if event.kind == "ActivityTaskTimedOut":
            kind = event.timeout_type
            limit = flag(self.flags[call], f"{kind}=")
            text = f"{call} timed out: {kind}"
            if limit:
                text = WORDS[kind].format(call=call, seconds=float(limit))
            error = Failure.of(ActivityTimeout(text, kind))
            return CallFailed(0, 0.0, call, number, error, timeout=kind)
        note = self.texts.read(event.details)
        if is_of(note, attempt) and isinstance(note.events[0], CallFailed):
            self._wrote(event, attempt, note)
            return note.events[0]._replace(call=call, attempt=number)
        said = f"{event.reason or 'it failed'}: {event.details}" if event.details else event.reason
        error = Failure(kind="ActivityTaskFailed", bases=_FOREIGN, message=said or "it failed")
        return CallFailed(0, 0.0, call, number, error)

    def _wrote(self, event: HistoryEvent, attempt: Attempt, note: Note) -> None:
        """Take in what an attempt has printed and logged: it came with its end."""
        for wrote in note.events[1:]:
            if isinstance(wrote, CallWrote):
                self._tell(event, wrote._replace(call=attempt.call, attempt=attempt.number))

    # Timers and markers

    def _timer_started(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.control)
        if note is None:
            return
        if note.words[0] == "retry":
            call = note.words[2]
            self.waiting[event.timer_id] = call
            self._step(call, int(note.words[1]))
        else:
            self.timers.add(event.timer_id)
            for made in note.events:
                self._make(event, made)

    def _timer_fired(self, event: HistoryEvent) -> None:
        call = self.waiting.pop(event.timer_id, None)
        self.dropping.pop(event.timer_id, None)
        if call is not None:
            self.due[call] = self._next[call]
        elif event.timer_id in self.timers:
            self.timers.discard(event.timer_id)
            self._tell(event, TimerFired(0, 0.0, event.timer_id))

    def _timer_cancelled(self, event: HistoryEvent) -> None:
        # What came of it for the run stands in a marker of the same decision.
        self.waiting.pop(event.timer_id, None)
        self.dropping.pop(event.timer_id, None)
        self.timers.discard(event.timer_id)

    def _marked(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.details)
        for made in note.events if note is not None else ():
            if isinstance(made, CallCancelled):
                self._given_up.add(made.call)
                for place in (self.open, self.children, self.functions, self.failing):
                    place.pop(made.call, None)
                self._step(made.call, self._next.get(made.call, 0) + 1)
            elif isinstance(made, CallFailed | CallSucceeded):  # what was decided of a failure
                self.failing.pop(made.call, None)
                if isinstance(made, CallFailed):
                    self.want(made)
            self._make(event, made)

    def _began(self, event: HistoryEvent) -> None:
        note = self.texts.read(event.input)
        if note is None or not note.events:
            raise HistoryBroken(
                "the execution was not started by nbflow: its input is none of ours"
            )
        self.words, self.given = " ".join(note.words), event.attributes
        for made in note.events:
            if isinstance(made, RunContinued):
                continue
            known = self._numbered(made) if isinstance(made, SignalReceived) else made
            self._add(made.at or event.at, known)
        if len(note.events) > 1:
            self.carried = Open.of(self.log)

    def _not_scheduled(self, event: HistoryEvent) -> None:
        self._refused(event, event.activity_id)

    def _refused(self, event: HistoryEvent, task: str) -> None:
        times, _ = self.refused.get(task, (0, 0.0))
        self.refused[task] = (times + 1, event.at)


_FOREIGN: Final = ("ActivityTaskFailed", "Exception", "BaseException")
_HANDLERS: Final[dict[str, Callable[[Reader, HistoryEvent], None]]] = {
    "WorkflowExecutionStarted": Reader._began,  # noqa: SLF001 - of this module, as all of these
    "ActivityTaskScheduled": Reader._scheduled,  # noqa: SLF001
    "ActivityTaskStarted": Reader._begun,  # noqa: SLF001
    "ActivityTaskCompleted": Reader._ended,  # noqa: SLF001
    "ActivityTaskFailed": Reader._ended,  # noqa: SLF001
    "ActivityTaskTimedOut": Reader._ended,  # noqa: SLF001
    "ActivityTaskCanceled": Reader._ended,  # noqa: SLF001
    "TimerStarted": Reader._timer_started,  # noqa: SLF001
    "TimerFired": Reader._timer_fired,  # noqa: SLF001
    "TimerCanceled": Reader._timer_cancelled,  # noqa: SLF001
    "MarkerRecorded": Reader._marked,  # noqa: SLF001
    "ScheduleActivityTaskFailed": Reader._not_scheduled,  # noqa: SLF001
    **OTHERS,
}
