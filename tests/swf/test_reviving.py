"""What people do to runs on SWF, open and closed: resume, rerun, settle, repair, cancel a call."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import nbflow
from nbflow import activity, workflow
from nbflow.core.capture import capture
from nbflow.core.errors import ActivityInterrupted, DefinitionError, RunError, Unserialisable
from nbflow.core.events import CallCancelled, CallWrote, CancelRequested, RunResumed
from nbflow.running.remote import ServiceRun
from nbflow.services.base import Revival
from nbflow.services.swf import (
    Api,
    Domain,
    History,
    WorkflowDecider,
    WorkflowWorker,
    emulator,
    run_events,
)
from nbflow.services.swf.crew import store_of
from nbflow.services.swf.logs import Logs
from nbflow.services.swf.service import SwfService

pytestmark = pytest.mark.timeout(120)
RAN: list[str] = []
BAD: set[str] = set()
NUMBERS = itertools.count(1)


@activity
def fetch(name):
    RAN.append(name)
    print("fetching", name)
    logging.getLogger("there").warning("slowly")
    if name in BAD:
        raise ValueError(f"there is no {name}")
    return name * 2


@activity(once=True)
def pay(name):
    return fetch.fn(name)


@activity(retry=nbflow.Retry(attempts=3, wait=60))
def stubborn(name):
    return fetch.fn(name)


@activity
def noisy(count):
    print("x" * count)
    return count


@activity
def failing_noisily(count):
    print("y" * count)
    raise ValueError("after all that")


@workflow
def three(names):
    return [future.result() for future in [fetch(name) for name in names]]


@workflow
def paying():
    return pay("coin").result()


@workflow
def caring():
    first = fetch("first")
    try:
        return first.result()
    except nbflow.NbflowError as error:
        return f"instead: {error}"


@workflow
def stubbornly():
    try:
        return stubborn("mule").result()
    except nbflow.NbflowError:
        return fetch("horse").result()


@workflow
def part():
    return nbflow.wait_signal("go").result()


@workflow
def whole():
    child = part()
    try:
        return child.result()
    except nbflow.NbflowError:
        return "without it"


@workflow
def loud(count):
    return noisy(count).result()


@workflow
def loud_failure(count):
    return failing_noisily(count).result()


FLOWS = [three, paying, caring, stubbornly, whole, part, loud, loud_failure]
WORK: list[Any] = [fetch, pay, stubborn, noisy, failing_noisily]


class There(NamedTuple):
    """An emulator, and how it is spoken to."""

    endpoint: emulator.Endpoint
    api: Api


@pytest.fixture(scope="module")
def there() -> Iterator[There]:
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        yield There(endpoint, Api(endpoint.client()))


class Site:
    """A service whose decider and worker are driven by hand."""

    def __init__(self, there: There, place: Path, blobs: str = "") -> None:
        self.endpoint, name = there.endpoint, f"site-{next(NUMBERS)}"
        self.domain = Domain(api=there.api, name=name, retention=1).save()
        url = there.endpoint.url
        where = {"domain": name, "endpoint_url": url, "processes": 0, "blobs": blobs}
        self.service = SwfService(place, **where)
        self.service._domain = self.domain  # a client takes longer to make than the rest
        kept = store_of(blobs)
        self.service.logs = Logs(self.service.domain, lambda: kept, (0.0, 0.0))
        self.blobs = kept
        self.keep()
        self.worker = WorkflowWorker(self.domain, "default", WORK, blobs=kept)

    def keep(self, count: int = 1000) -> None:
        """Have another decider, which keeps so many histories."""
        self.decider = WorkflowDecider(
            self.domain, "default", FLOWS, blobs=self.blobs, keep=count, lost_after=30
        )

    def start(self, flow: Any, *args: Any, **how: Any) -> ServiceRun[Any]:
        return ServiceRun(self.service.start(capture(flow), args, {}, **how), self.service)

    def decide(self) -> bool:
        return self.decider.step_own() or self.decider.step()

    def end(self, run: ServiceRun[Any]) -> Any:
        """Decide and work until a run is over; give its result."""
        for _ in range(300):
            if run.done():
                return run.result(1)
            if not (self.decide() or self.worker.step()):
                self.endpoint.advance(30)
        raise AssertionError("it does not end")

    def history(self, run: ServiceRun[Any]) -> History:
        return History.of(self.service.execution(run.id).events())


@pytest.fixture
def site(there: There, tmp_path: Path) -> Iterator[Site]:
    RAN.clear()
    BAD.clear()
    made = Site(there, tmp_path)
    yield made
    made.service.close()
    made.decider.close()


def failed(site: Site, *names: str) -> ServiceRun[Any]:
    """A run of `three` that has failed by the names that are bad."""
    run = site.start(three, list(names))
    with pytest.raises(ValueError, match="there is no"):
        site.end(run)
    return run


@pytest.mark.parametrize(
    ("status", "action", "ran"), [("failed", "retry", ["b"]), ("cancelled", "resume", ["a", "b"])]
)
def test_a_panel_goes_on_with_a_run_and_says_as_which(
    site: Site, status: str, action: str, ran: list[str]
):
    """What is offered fits how the run ended; the note names the run that goes on."""
    if status == "failed":
        BAD.add("b")
        run = failed(site, "a", "b")
    else:
        run = site.start(three, ["a", "b"])
        run.cancel()  # before anything is decided
        with pytest.raises(nbflow.RunCancelled):
            site.end(run)
    old, actions = run.id, run._actions()
    assert run.status == status
    assert actions.possible(status) == (action,)
    BAD.clear()
    RAN.clear()
    said = getattr(actions, action)()
    assert run.id != old
    assert said == f"It goes on as run {run.id}: nbflow.attach({run.id!r}) shows it."
    site.end(run)
    assert sorted(RAN) == ran
    assert actions.possible("completed") == ()


def test_a_failed_run_goes_on_with_what_has_succeeded(site: Site):
    """The handle is that of the new execution, and only what had failed is run again."""
    BAD.add("b")
    run = failed(site, "a", "b")
    old = run.id
    BAD.clear()
    assert run.resume(reason="mended") is run
    assert run.id != old
    assert run.id.rpartition("/")[0] == old.rpartition("/")[0]
    assert site.end(run) == ["aa", "bb"]
    assert RAN == ["a", "b", "b"]
    assert [e.reason for e in run.events() if isinstance(e, RunResumed)] == ["mended"]
    with pytest.raises(ValueError, match="there is no b"):
        ServiceRun(old, site.service).result(1)
    assert [row.status for row in site.service.runs()] == ["completed", "failed"]
    name = old.split("/")[1]
    assert site.service.matching(name) == [run.id]


def test_an_open_run_that_is_resumed_is_left_as_it_is(site: Site):
    """It goes on by itself; with `force` it is ended, and goes on in another execution."""
    run = site.start(three, ["a", "b"])
    assert site.decide()
    assert site.worker.step()
    same = run.id
    assert run.resume().id == same
    run.resume(force=True)
    assert run.id != same
    assert site.history(ServiceRun(same, site.service)).status == "terminated"
    assert site.end(run) == ["aa", "bb"]
    assert RAN == ["a", "b"]


@pytest.mark.parametrize("state", ["open", "closed"])
def test_calls_run_again_with_what_needs_them(site: Site, state: str):
    """All other results are kept, whether the run was over or not."""
    run = site.start(three, ["a", "b"])
    assert site.decide()
    while site.worker.step():
        pass
    if state == "closed":
        site.end(run)
    else:
        site.decider.step_own()
        run = site.start(three, ["a", "b"])
        RAN.clear()
        assert site.decide()
        assert site.worker.step()
        assert site.worker.step()
    RAN.clear()
    run.rerun("fetch-2")
    assert site.end(run) == ["aa", "bb"]
    assert RAN == ["b"]


@pytest.mark.parametrize("keep", [1000, 0])
def test_the_result_of_an_open_call_is_given_by_hand(site: Site, keep: int):
    """Its worker is told to give it up, and what it says later is dropped; also after a replay."""
    site.keep(keep)
    run = site.start(three, ["a", "b"])
    assert site.decide()
    late = site.worker.poll()
    assert late is not None
    run.settle(late.id, "by hand")
    assert site.decide()
    assert site.worker.beat(late)
    site.worker.complete(late, "too late")
    assert site.end(run) == ["by hand", "bb"]
    assert RAN == ["b"]
    assert (
        len([e for e in site.history(run).events if e.kind == "ActivityTaskCancelRequested"]) == 1
    )
    with pytest.raises(RunError, match="has a result already"):
        run.settle("fetch-1", 1)


def test_the_result_of_a_call_of_a_closed_run_is_given_by_hand(site: Site):
    """The run goes on in another execution, in which the call has that result."""
    BAD.add("b")
    run = failed(site, "a", "b")
    run.settle("fetch-2", [1, 2])
    assert site.end(run) == ["aa", [1, 2]]
    assert RAN == ["a", "b"]
    with pytest.raises(RunError, match="has no call 'fetch-9'"):
        run.settle("fetch-9", 1)


def test_a_value_that_cannot_be_stored_changes_nothing(site: Site):
    """It is refused before anything is ended or started."""
    BAD.add("b")
    run = failed(site, "b")
    old = run.id
    with pytest.raises(Unserialisable):
        run.settle("fetch-1", threading.Lock())
    assert run.id == old


@pytest.mark.parametrize("keep", [1000, 0])
def test_one_call_is_cancelled_and_the_run_goes_on(site: Site, keep: int):
    """The code is told, the worker by its next sign of life; a second time does nothing."""
    site.keep(keep)
    run = site.start(caring)
    assert site.decide()
    task = site.worker.poll()
    assert task is not None
    call = run.calls["fetch-1"]
    call.cancel("not needed")
    call.cancel("twice")
    assert site.end(run) == "instead: fetch-1 was cancelled: not needed"
    gone = [e for e in run.events() if isinstance(e, CallCancelled)]
    assert [e.reason for e in gone] == ["not needed"]
    assert RAN == []
    run.calls["fetch-1"].cancel("too late")
    assert run.status == "completed"


@pytest.mark.parametrize("keep", [1000, 0])
def test_what_is_told_too_late_or_of_no_call_counts_for_nothing(site: Site, keep: int):
    """A call that is settled when it comes stays as it is; there may be no such call at all."""
    site.keep(keep)
    run = site.start(caring)
    assert site.decide()
    assert site.worker.step()
    site.service.cancel_call(run.id, "fetch-1", "too late")
    site.service.settle(run.id, "fetch-1", "too late")
    site.service.settle(run.id, "nosuch-1", 1)
    assert site.end(run) == "firstfirst"
    assert not [e for e in run.events() if isinstance(e, CallCancelled)]
    assert run.calls["fetch-1"].result == "firstfirst"


@pytest.mark.parametrize("keep", [1000, 0])
def test_a_call_that_waits_for_its_next_attempt_is_cancelled(site: Site, keep: int):
    """Its timer goes with it, and no attempt follows."""
    site.keep(keep)
    BAD.add("mule")
    run = site.start(stubbornly)
    assert site.decide()
    assert site.worker.step()
    assert site.decide()
    assert run.calls["stubborn-1"].status == "retrying"
    run.calls["stubborn-1"].cancel("enough")
    assert site.end(run) == "horsehorse"
    history = site.history(run)
    assert [t[-1].state for t in history.timers.values()] == ["canceled"]
    assert RAN == ["mule", "horse"]


def test_a_child_run_is_cancelled_as_one_call(site: Site):
    """It is ended as its parent_close says, and the parent goes on without it."""
    run = site.start(whole)
    assert site.decide()
    assert site.decide()
    assert run.calls["part-1"].status in {"queued", "running"}
    run.calls["part-1"].cancel("alone")
    assert site.end(run) == "without it"
    (child,) = site.history(run).children
    assert History.of(
        site.service.execution(
            site.service.child(run.id, f"{run.id.split('/')[1]}/part-1")
        ).events()
    ).status in {"canceled", "terminated"}
    assert child.startswith(run.id.split("/")[1])


def test_a_repair_takes_over_what_has_succeeded(site: Site):
    """The earlier run stays as it was; what is forced runs again, by the name of its activity."""
    BAD.add("b")
    run = failed(site, "a", "c", "b")
    BAD.clear()
    RAN.clear()
    mended = run.repair()
    assert mended.id.split("/")[1] != run.id.split("/")[1]
    assert site.end(mended) == ["aa", "cc", "bb"]
    assert RAN == ["b"]
    RAN.clear()
    again = mended.repair(force="fetch-[12]$", run="named")
    assert again.id.split("/")[1] == "named"
    assert site.end(again) == ["aa", "cc", "bb"]
    assert sorted(RAN) == ["a", "c"]
    assert run.status == "failed"
    with pytest.raises(RunError, match="is no regular expression"):
        run.repair(force="(")


def test_a_repair_from_an_open_run_leaves_it_open(site: Site):
    """Both come to their ends; what the first had done is not done again by the second."""
    run = site.start(three, ["a", "b"])
    assert site.decide()
    assert site.worker.step()
    second = run.repair(run="second")
    assert not run.done()
    assert site.end(second) == ["aa", "bb"]
    assert site.end(run) == ["aa", "bb"]
    assert RAN.count("a") == 1


def test_a_repair_from_a_run_with_children_under_way_is_refused(site: Site):
    """A child run is of one run alone; the message says what to do."""
    run = site.start(whole)
    assert site.decide()
    assert site.decide()
    with pytest.raises(nbflow.NbflowError, match="terminate it first"):
        run.repair(run="second")
    assert run.status == "running"


def test_what_makes_no_sense_is_refused(site: Site):
    """Nothing is ended or started, and the message says why."""
    run = site.start(three, ["a"])
    assert site.end(run) == ["aa"]
    old = run.id
    with pytest.raises(RunError, match="has completed"):
        run.resume()
    with pytest.raises(RunError, match="stays on swf"):
        run.rerun("fetch-1", on="threads")
    with pytest.raises(RunError, match="name the calls"):
        run.rerun()
    with pytest.raises(RunError, match="not both"):
        run.rerun("fetch-1", workflow=three, code="recorded")
    with pytest.raises(DefinitionError, match="one of workflow three, not of caring"):
        run.rerun("fetch-1", workflow=caring)
    assert run.id == old
    other: ServiceRun[Any] = ServiceRun(old, site.service)
    other.rerun("fetch-1")
    with pytest.raises(RunError, match=r"another execution of .* is open"):
        run.rerun("fetch-1")
    assert site.end(other) == ["aa"]


def test_an_open_run_is_not_ended_for_what_cannot_be(site: Site):
    """Code of another workflow, or a value that cannot be stored, is refused before that."""
    run = site.start(three, ["a"])
    assert site.decide()
    for wrong in (
        lambda: run.rerun("fetch-1", workflow=caring),
        lambda: run.settle("fetch-1", threading.Lock()),
        lambda: run.settle("fetch-1", threading.Lock(), workflow=three),
    ):
        with pytest.raises(nbflow.NbflowError):
            wrong()
    assert run.status == "running"
    assert site.end(run) == ["aa"]


def test_a_call_that_may_run_once_is_not_run_again_by_itself(site: Site):
    """It had begun, so it did its work perhaps; `settle` and `rerun` are the ways to go on."""
    BAD.add("coin")
    run = site.start(paying)
    with pytest.raises(ValueError, match="no coin"):
        site.end(run)
    run.resume()
    with pytest.raises(ActivityInterrupted, match="is once=True and had begun before"):
        site.end(run)
    assert RAN == ["coin"]
    BAD.clear()
    run.rerun("pay-1")
    assert site.end(run) == "coincoin"
    assert RAN == ["coin", "coin"]


def test_a_call_that_began_and_was_terminated_is_not_run_again_either(site: Site):
    """That it had begun stands in the log that goes on, though it came to no end."""
    run = site.start(paying)
    assert site.decide()
    assert site.worker.poll() is not None
    run.terminate("by hand")
    run.resume()
    with pytest.raises(ActivityInterrupted, match=r"run\.settle"):
        site.end(run)
    run.settle("pay-1", "paid")
    assert site.end(run) == "paid"
    assert RAN == []


def test_a_cancel_has_its_reason(site: Site):
    """It stands in the log, though SWF's own request has no room for it."""
    run = site.start(three, ["a"])
    assert site.decide()
    run.cancel("on second thoughts")
    with pytest.raises(nbflow.RunCancelled, match="on second thoughts"):
        site.end(run)
    assert [e.reason for e in run.events() if isinstance(e, CancelRequested)] == [
        "on second thoughts"
    ]
    run.cancel("again")
    with pytest.raises(RunError, match="is over"):
        site.service.settle(run.id, "fetch-1", 1)


# ---------------------------------------------------------------- what activities write


def test_what_workers_print_and_log_comes_home(site: Site):
    """That of attempts that failed, too; each line after the id of its call."""
    BAD.add("b")
    run = failed(site, "a", "b")
    assert run.output("fetch-1") == "fetching a\nWARNING: slowly\n"
    assert "fetch-2 | fetching b\n" in run.output()
    events = run_events(site.service.execution(run.id))
    assert {e.channel for e in events if isinstance(e, CallWrote)} == {"stdout", "log:WARNING"}


def test_what_there_is_no_room_for_is_cut_with_a_mark(site: Site):
    """The result counts more than what was printed: without a store for long texts it is cut."""
    run = site.start(loud, 40_000)
    assert site.end(run) == 40_000
    written = run.output("noisy-1")
    assert 10_000 < written.count("x") < 32_768
    assert "the rest is not kept: SWF has no room" in written
    run = site.start(loud_failure, 40_000)
    with pytest.raises(ValueError, match="after all that"):
        site.end(run)
    assert "the rest is not kept: SWF has no room" in run.output()


def test_with_a_store_for_long_texts_more_is_kept(there: There, tmp_path: Path):
    """As much of an attempt as on this machine; what is more is said to be dropped."""
    site = Site(there, tmp_path, str(tmp_path / "blobs"))
    run = site.start(loud, 40_000)
    assert site.end(run) == 40_000
    assert run.output("noisy-1") == "x" * 40_000 + "\n"
    run = site.start(loud, 80_000)
    assert site.end(run) == 80_000
    assert run.output().count("x") == 64 * 1024
    assert "more than 64 KiB: the rest is not kept" in run.output()
    site.service.close()
    site.decider.close()


def test_a_revival_is_what_a_service_is_asked_for(site: Site):
    """By itself it goes on with the code and the name that the run has."""
    run = site.start(three, ["a"])
    assert site.end(run) == ["aa"]
    new = site.service.revive(run.id, Revival(again=("fetch-1",), allowed=("fetch-1",)))
    assert site.end(ServiceRun(new, site.service)) == ["aa"]
    assert RAN == ["a", "a"]
