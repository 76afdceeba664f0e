"""What every service has to do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from nbflow.core.activity import activity
from nbflow.core.capture import capture
from nbflow.core.errors import NbflowError, RunError, RunNotFound
from nbflow.core.events import CallFailed, Event, RunClosed, RunStarted
from nbflow.core.graph import Graph
from nbflow.core.history import History
from nbflow.core.payload import unpack
from nbflow.core.telling import signals
from nbflow.core.workflow import workflow
from nbflow.services.base import Service, ServiceStore
from nbflow.store.ids import new_id
from nbflow.testing.checks import equal, raises, true


@activity
def double(x: int) -> int:
    """Work, in the contract of services."""
    return 2 * x


@activity
def join(parts: list[int]) -> str:
    """Take the results of others."""
    return "+".join(map(str, parts))


@activity
def stumble(text: str) -> None:
    """Fail."""
    raise LookupError(text)


@workflow
def doubling(numbers: list[int], last: int = 0) -> dict[str, Any]:
    """Some calls beside each other, and one that takes what they give."""
    return {"sum": join([double(n) for n in numbers]), "last": last}


@workflow
def stumbling(text: str) -> None:
    """A call whose error nobody handles."""
    stumble(text).result()


@workflow
def waiting() -> list[Any]:
    """Wait for two signals of one name."""
    told = signals("told")
    return [told.get().result(), told.get().result()]


class ServiceContract:
    """What every service has to do. Subclass it and write `make`.

    With pytest that is all; `check_service` checks it without.

    Attributes:
        patience: Seconds that a run of some calls may take on it.
    """

    patience: ClassVar[float] = 60.0

    def make(self) -> Service:
        """Make a service that nobody else uses, with what decides and works for it."""
        raise NotImplementedError

    def unmake(self, service: Service) -> None:
        """End it."""
        service.close()

    def setup_method(self) -> None:
        """Begin."""
        self.service = self.make()

    def teardown_method(self) -> None:
        """End."""
        self.unmake(self.service)

    # ------------------------------------------------------------ helpers

    def start(self, flow: Any, *args: Any, **kwargs: Any) -> str:
        """Start a run."""
        return self.service.start(capture(flow), args, kwargs)

    def until(self, run: str, seen: Callable[[list[Event]], object], what: str) -> list[Event]:
        """Read a log until it is as wanted, as somebody who follows it does."""
        found: list[Event] = []
        end = time.monotonic() + self.patience
        while not seen(found):
            true(time.monotonic() < end, f"{what} within {self.patience} s: {found[-3:]}")
            found += self.service.events(run, len(found))
            threading.Event().wait(0.02)
        return found

    def closed(self, run: str) -> RunClosed:
        """Wait for the end of a run."""
        found = self.until(run, lambda log: log and isinstance(log[-1], RunClosed), "it ends")
        end: Any = found[-1]
        return end  # type: ignore[no-any-return]

    def value(self, stored: Any) -> Any:
        """Give a value of the log."""
        return unpack(stored, str, self.service.get)

    # ------------------------------------------------------------ rules

    def test_it_is_a_service(self) -> None:
        """It has all that `Service` names."""
        true(isinstance(self.service, Service), "it is a Service")
        true(bool(self.service.name), "it has a name")

    def test_a_run_gives_its_result(self) -> None:
        """The result is what the workflow's code makes of what its calls give."""
        closed = self.closed(self.start(doubling, [1, 2, 3], last=7))
        equal(closed.status, "completed", "the status")
        equal(self.value(closed.result), {"sum": "2+4+6", "last": 7}, "the result")

    def test_a_log_begins_with_what_was_started(self) -> None:
        """The first event names the workflow, its arguments and the service."""
        run = self.start(doubling, [1], last=2)
        first = self.until(run, bool, "it has begun")[0]
        true(isinstance(first, RunStarted), "the first event is RunStarted")
        started: Any = first
        equal(started.workflow, "doubling", "the workflow")
        equal(started.on, self.service.name, "where it runs")
        equal(self.value(started.args[0]), [1], "the argument")
        self.closed(run)

    def test_a_log_is_numbered_and_stays(self) -> None:
        """Events are numbered from 1 without a gap, and read again they are the same ones."""
        run = self.start(doubling, [1, 2])
        found = self.until(run, lambda log: log and isinstance(log[-1], RunClosed), "it ends")
        equal([e.seq for e in found], list(range(1, len(found) + 1)), "the numbers")
        again = list(self.service.events(run))
        equal([type(e) for e in again], [type(e) for e in found], "the events")
        equal([e.seq for e in self.service.events(run, 3)], list(range(4, len(found) + 1)), "after")
        equal(list(self.service.events(run, len(found))), [], "after the end")

    def test_a_log_has_calls_and_edges(self) -> None:
        """A fold of the log has each call, and what depends on what."""
        run = self.start(doubling, [1, 2])
        self.closed(run)
        graph = Graph.of(self.service.events(run))
        equal(sorted(node.id for node in graph.nodes), ["double-1", "double-2", "join-1"], "calls")
        equal(graph.node("join-1").status, "done", "the status of a call")
        deps = History.of(self.service.events(run)).calls["join-1"].deps
        equal(sorted(deps), ["double-1", "double-2"], "what it depends on")

    def test_an_error_comes_home(self) -> None:
        """An error has its type, its message and the lines where it was raised."""
        run = self.start(stumbling, "nothing there")
        closed = self.closed(run)
        equal(closed.status, "failed", "the status")
        true(closed.error is not None, "it has an error")
        error = closed.error.rebuild()  # type: ignore[union-attr]
        true(isinstance(error, LookupError), f"{error!r} is a LookupError")
        equal(str(error), "nothing there", "the message")
        failed = [e for e in self.service.events(run) if isinstance(e, CallFailed)]
        equal([e.call for e in failed], ["stumble-1"], "the call that failed")
        true(any(f.function == "stumble" for f in failed[0].error.frames), "it has the frames")

    def test_a_run_takes_signals(self) -> None:
        """Signals arrive in order; one that is sent again under its id arrives once."""
        run = self.start(waiting)
        self.service.signal(run, "told", {"x": 1}, id="one")
        self.service.signal(run, "told", {"x": 1}, id="one")
        self.service.signal(run, "told", 2)
        equal(self.value(self.closed(run).result), [{"x": 1}, 2], "what it was told")

    def test_a_run_that_is_over_takes_no_signal(self) -> None:
        """Whoever tells it something gets a RunError, and may cancel and terminate it in vain."""
        run = self.start(doubling, [])
        self.closed(run)
        raises(
            RunError, lambda: self.service.signal(run, "told", 1), "a signal to one that is over"
        )
        self.service.cancel(run)
        self.service.terminate(run)
        equal(self.closed(run).status, "completed", "the status")

    def test_a_run_is_cancelled(self) -> None:
        """A run that waits ends when it is asked to."""
        run = self.start(waiting)
        self.until(run, bool, "it has begun")
        self.service.cancel(run, "enough")
        equal(self.closed(run).status, "cancelled", "the status")

    def test_a_run_is_terminated(self) -> None:
        """A run ends at once, without its code."""
        run = self.start(waiting)
        self.service.terminate(run, "enough")
        equal(self.closed(run).status, "cancelled", "the status")

    def test_arguments_are_checked_first(self) -> None:
        """Arguments that do not fit raise a TypeError, and nothing is started."""
        raises(TypeError, lambda: self.start(doubling), "no arguments")
        equal([row.run for row in self.service.runs()], [], "the runs")

    def test_runs_are_found_again(self) -> None:
        """A run is listed, and found by the beginning of its id."""
        first = self.start(doubling, [1])
        self.closed(first)
        second = self.start(waiting)
        rows = self.service.runs()
        equal([row.run for row in rows], [second, first], "the runs, the latest first")
        equal([row.status for row in rows], ["running", "completed"], "how they stand")
        equal(self.service.attach(first), first, "by its id")
        equal(self.service.attach(second[:-3]), second, "by the beginning of it")
        self.service.terminate(second)
        self.closed(second)

    def test_a_run_that_is_not_there_is_not_found(self) -> None:
        """An id that is nobody's raises RunNotFound."""
        raises(RunNotFound, lambda: self.service.attach(new_id("nobody")), "no such run")

    def test_a_run_has_the_name_and_tags_that_it_was_given(self) -> None:
        """A name that was chosen is part of the id, tags are in the first event."""
        chosen: Mapping[str, Any] = {"run": new_id("chosen"), "tags": ("weekly",)}
        run = self.service.start(capture(doubling), ([],), {}, **chosen)
        true(chosen["run"] in run, f"{run} has {chosen['run']} in it")
        first: Any = self.until(run, bool, "it has begun")[0]
        equal(first.tags, ("weekly",), "the tags")
        self.closed(run)

    def test_a_log_cannot_be_written_from_outside(self) -> None:
        """Who has the log as a store may read it, and no more."""
        store = ServiceStore(self.service, "run")
        raises(NbflowError, lambda: store.append("run", []), "an append")

    def test_it_can_be_closed_twice(self) -> None:
        """Closing it again is no error."""
        self.service.close()
        self.service.close()
