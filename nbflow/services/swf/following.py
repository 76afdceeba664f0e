"""The log of a run on SWF, for whoever looks: asked for by polling, less often while all is quiet.

A history is read once, and from then on what is new of it, from its end backwards. What was shown
of the log stays: an event keeps its number. So while a decision is being made, what came in since
is held back, for in the log it stands behind what is decided.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

from nbflow.core.errors import RunNotFound
from nbflow.core.events import CallStarted, CallWrote, Event
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.records import Attempt
from nbflow.services.swf.codec.texts import Note, Texts
from nbflow.services.swf.errors import DoesNotExist
from nbflow.services.swf.events import HistoryEvent, parsed
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.meanwhile import Heard, beyond
from nbflow.store.unbroken import Unbroken

SOONEST: Final = 0.2
"""Seconds between two looks at a history that changes."""
LATEST: Final = 5.0
"""...and at one in which nothing happens."""
_GROWTH: Final = 1.5
_PAGE: Final = 50
_ENDS: Final = frozenset(
    f"ActivityTask{how}" for how in ("Completed", "Failed", "TimedOut", "Canceled")
)


class Watched(Reader):
    """Reads a history for somebody who looks on."""

    def __init__(self, texts: Texts, heard: Heard | None = None) -> None:
        super().__init__(texts)
        self._heard = heard
        self._begun_here: set[tuple[str, int]] = set()
        self._looked = 0
        self._deciding = False
        self.onward = ""
        self.born: dict[str, str] = {}

    def _take(self, event: HistoryEvent) -> None:
        if event.kind in _ENDS:
            self._hear_out(event)
        super()._take(event)
        if event.kind == "WorkflowExecutionContinuedAsNew":
            self.onward = event.new_execution_run_id
        elif event.kind == "ChildWorkflowExecutionStarted":
            child = event.workflow_execution
            self.born[child.workflow_id] = child.run_id
        if event.kind == "DecisionTaskStarted":
            self._deciding = True
        elif event.kind in {"DecisionTaskCompleted", "DecisionTaskTimedOut"}:
            self._deciding = False

    def settled(self) -> list[Event]:
        """Give the events whose place in the log is known."""
        self._decided()
        self._see(self.started if self._deciding else self.last)
        return self.log

    def listen(self) -> None:
        """Take in what attempts that are under way have said since the last time."""
        if self._heard is None or self.closed:
            return
        for event in self.log[self._looked :]:
            if isinstance(event, CallStarted):
                self._begun_here.add((event.call, event.attempt))
        self._looked = len(self.log)
        for attempt in self.open.values():
            if (attempt.call, attempt.number) in self._begun_here:
                for said in self._heard.news(attempt.task, attempt.call, attempt.number):
                    self._add(said.at, said)

    def _hear_out(self, event: HistoryEvent) -> None:
        """Take in what an attempt has said until its end, as far as that is found here."""
        attempt = self._attempts.get(event.scheduled_event_id)
        if self._heard is None or attempt is None:
            return
        self._begun_here.discard((attempt.call, attempt.number))
        for said in self._heard.news(attempt.task, attempt.call, attempt.number):
            self._tell(event, said)

    def _wrote(self, event: HistoryEvent, attempt: Attempt, note: Note) -> None:
        """See `Reader`; what was heard while the attempt ran is in the log already."""
        told = 0 if self._heard is None else self._heard.told.pop(attempt.task, 0)
        wrote = [each for each in note.events[1:] if isinstance(each, CallWrote)]
        super()._wrote(event, attempt, note._replace(events=(note.events[0], *beyond(wrote, told))))


class ExecutionLog:
    """The log of one execution, of however many who read it.

    Args:
        execution: The execution, with its run id.
        texts: Reads what is in its texts.
        pace: Seconds between two looks at a history that changes, and at one that does not.
        clock: Gives seconds.
        heard: Has what attempts say while they run; None: that is known at their ends.

    Attributes:
        polls: How often the service was asked.
    """

    def __init__(
        self,
        execution: WorkflowExecution,
        texts: Texts,
        *,
        pace: tuple[float, float] = (SOONEST, LATEST),
        clock: Callable[[], float] = time.monotonic,
        heard: Heard | None = None,
    ) -> None:
        self.execution, self.polls = execution, 0
        self._reader = Watched(texts, heard)
        self._clock = clock
        self._soonest, self._latest = pace
        self._pause, self._due = self._soonest, 0.0
        self._lock = threading.Lock()
        self._first: HistoryEvent | None = None

    @property
    def closed(self) -> bool:
        """Whether what was read last ends the run."""
        return self._reader.closed

    @property
    def workflow(self) -> str:
        """Name of the workflow; "" while nothing was read."""
        return self._first.workflow_type.name if self._first is not None else ""

    @property
    def onward(self) -> str:
        """The run id that the execution goes on in; "" if it does not."""
        return self._reader.onward

    @property
    def children(self) -> dict[str, str]:
        """The run ids of its children that have begun, by their workflow ids."""
        return self._reader.born

    @property
    def length(self) -> int:
        """How many events were given so far."""
        return len(self._reader.log)

    def known(self, after: int = 0) -> Iterator[Event]:
        """Give the events with a number above `after` that were read so far."""
        with self._lock:
            return iter(self._reader.settled()[after:])

    def soon(self) -> None:
        """Have the next look be a real one: somebody has just told the run something."""
        self._pause, self._due = self._soonest, 0.0

    def first(self) -> Note | None:
        """Give the text that the execution was started with, if it is one of ours."""
        self.events(0)
        return None if self._first is None else self._reader.texts.read(self._first.input)

    def events(self, after: int = 0) -> Iterator[Event]:
        """Give the events with a number above `after`; the service is asked if it is time for it.

        Raises:
            RunNotFound: There is no such execution.
            SwfError: The service cannot be had.
        """
        with self._lock:
            if not self._reader.closed and self._clock() >= self._due:
                self._refresh()
            self._reader.settled()
            with Unbroken():
                self._reader.listen()
            known = self._reader.log[after:]
        return iter(known)

    def whole(self) -> Iterator[Event]:
        """Give all events, each turn's reading at its first call, as a fold of all of it wants."""
        self.events(0)
        with self._lock:
            self._reader.settled()
            return iter(self._reader.told())

    def _refresh(self) -> None:
        self.polls += 1
        # Also if it cannot be had: who looks on asks ten times a second.
        self._due = self._clock() + self._pause
        try:
            news = self._news()
        except DoesNotExist as error:
            what = f"{self.execution.workflow_id} with run id {self.execution.run_id!r}"
            raise RunNotFound(f"SWF has no execution {what}: {error.said}") from None
        if news and news[0].id == 1:
            self._first = news[0]
        with Unbroken():  # half a fold would be wrong for ever
            self._reader.feed(news)
        self._pause = self._soonest if news else min(self._latest, self._pause * _GROWTH)
        self._due = self._clock() + self._pause

    def _news(self) -> list[HistoryEvent]:
        last = self._reader.last
        if not last:
            return list(self.execution.events())
        found = parsed(self._backwards())
        return list(itertools.takewhile(lambda event: event.id > last, found))[::-1]

    def _backwards(self) -> Iterator[Any]:
        execution = self.execution
        return execution.api.listed(
            "GetWorkflowExecutionHistory",
            domain=execution.domain.name,
            execution={"workflowId": execution.workflow_id, "runId": execution.run_id},
            reverseOrder=True,
            maximumPageSize=_PAGE,
        )
