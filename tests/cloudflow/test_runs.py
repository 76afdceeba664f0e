"""Runs on CloudFlow do what every service does: on its emulator, all in one process."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.capture import capture
from nbflow.core.errors import DefinitionError, RunError, StoreConflict
from nbflow.core.events import (
    CallCancelled,
    CallStarted,
    Event,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.running.config import settings
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.services.cloudflow.dynamic.store import ServiceSide
from nbflow.services.cloudflow.dynamic.worker import Worker
from nbflow.services.cloudflow.emulator.handle import running
from nbflow.store.ids import new_id
from nbflow.testing import ServiceContract
from nbflow.testing import services as contract
from nbflow.testing.checks import eventually
from tests.cloudflow.crews import Site, site

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Have an emulator, an orchestrator and workers for all tests."""
    with site(tmp_path_factory.mktemp("site")) as found:
        yield found


class TestContract(ServiceContract):
    """What every service has to do."""

    @pytest.fixture(autouse=True)
    def place(self, shared: Site, tmp_path: Path) -> Iterator[None]:
        """Have a home of its own, among runs of others."""
        self.site, self.home = shared, tmp_path
        super().setup_method()
        yield
        super().teardown_method()

    def setup_method(self) -> None:
        """See `place`."""

    def teardown_method(self) -> None:
        """See `place`."""

    def make(self) -> CloudFlowService:
        """See `ServiceContract.make`."""
        return self.site.service(self.home)


@nbflow.activity
def enter(ledger: str, gate: str) -> int:
    """Write a line, and wait until somebody opens a gate."""
    with Path(ledger).open("a") as file:
        file.write("entered\n")
    nbflow.context().progress(1, 2, "half way")
    eventually(Path(gate).exists, "the gate opens", 60)
    return 7


@nbflow.activity(once=True)
def pay(ledger: str, gate: str) -> int:
    """The same, but not to be done twice."""
    return enter.fn(ledger, gate)


@nbflow.workflow
def entering(ledger: str, gate: str, once: bool = False) -> int:
    """One call that takes as long as somebody wants."""
    return (pay if once else enter)(ledger, gate).result()


@nbflow.workflow
def two(ledger: str, one: str, other: str) -> int:
    """Two calls beside each other, each with a gate."""
    calls = [enter(ledger, gate) for gate in (one, other)]
    return sum(call.result() for call in calls)


@nbflow.activity
def noted(ledger: str, word: str, gate: str, before: int) -> int:
    """Write a line; without a gate that is open, a second call fails."""
    with Path(ledger).open("a") as file:
        file.write(f"{word}\n")
    if before and not Path(gate).exists():
        message = "not yet"
        raise OSError(message)
    return before + 1


@nbflow.workflow
def mending(ledger: str, gate: str) -> int:
    """One call that succeeds, and one that fails at first."""
    first = noted(ledger, "one", gate, 0)
    return noted(ledger, "two", gate, first).result() + 1


@nbflow.activity
def small(x: int) -> int:
    """Take no time at all."""
    return x + 1


@nbflow.workflow
def many(count: int) -> int:
    """Have many calls beside each other."""
    return sum(call.result() for call in [small(n) for n in range(count)])


@nbflow.workflow
def bulky(size: int) -> int:
    """Have a result that is longer than what the service takes."""
    return len(large(size).result())


@nbflow.activity
def large(size: int) -> bytes:
    """Give as many bytes."""
    return b"x" * size


@pytest.fixture
def configured(shared: Site, tmp_path: Path) -> Iterator[None]:
    """Runs go to CloudFlow unless told otherwise."""
    before = settings.on, settings.options, settings.store
    nbflow.configure(store=tmp_path, on="cloudflow", **shared.options())
    yield
    settings.close()
    settings.on, settings.options, settings.store = before


@pytest.mark.usefixtures("configured")
def test_a_run_is_held_like_any_other() -> None:
    """Started by the workflow itself, it has a result, calls, a graph, a profile and a row."""
    run = contract.doubling([1, 2], last=3)
    assert run.result(60) == {"sum": "2+4", "last": 3}
    assert (run.status, run.workflow, run.done()) == ("completed", "doubling", True)
    assert run.calls["join-1"].args == ([2, 4],)
    assert "join-1" in run.graph.text()
    assert sorted(bar.call for bar in run.profile.bars) == ["double-1", "double-2", "join-1"]
    rows = nbflow.runs()
    assert [(row.run, row.status, row.on) for row in rows] == [(run.id, "completed", "cloudflow")]
    again = nbflow.attach(run.id.split("/")[2][:-2])
    assert (again.id, again.result(10)) == (run.id, {"sum": "2+4", "last": 3})


@pytest.mark.usefixtures("configured")
def test_a_run_is_attached_to_from_anywhere(shared: Site, tmp_path: Path) -> None:
    """Whoever can reach the service and the values finds a run by its id, without a note of it."""
    run = contract.doubling([1])
    run.result(60)
    nbflow.configure(store=tmp_path / "elsewhere", on="cloudflow", **shared.options())
    assert nbflow.attach(run.id).result(10) == {"sum": "2", "last": 0}
    with pytest.raises(nbflow.RunNotFound):
        nbflow.attach("cloudflow/nbflow/nobody")


@pytest.mark.usefixtures("configured")
def test_a_long_value_stands_beside_the_service() -> None:
    """What is longer than 64 KiB is kept among the values, and comes back whole."""
    run = bulky(200_000)
    assert run.result(60) == 200_000
    assert len(run.calls["large-1"].result) == 200_000


@pytest.mark.usefixtures("configured")
def test_a_failed_run_goes_on_with_what_succeeded(tmp_path: Path) -> None:
    """What has succeeded is kept, the rest begins anew; a completed one has calls run again."""
    ledger, gate = tmp_path / "ledger", tmp_path / "gate"
    run: Any = mending(str(ledger), str(gate))
    with pytest.raises(OSError, match="not yet"):
        run.result(60)
    gate.touch()
    assert run.resume().result(60) == 3
    assert ledger.read_text() == "one\ntwo\ntwo\n"
    assert run.rerun("noted-1").result(60) == 3
    assert ledger.read_text() == "one\ntwo\ntwo\none\ntwo\n"


@pytest.mark.usefixtures("configured")
def test_a_result_is_given_by_hand_once_a_run_is_over(tmp_path: Path) -> None:
    """A call that failed takes a value, and its run goes on with it; one that succeeded does not.

    A call that is not there, and a value that cannot be stored, are refused; the run stays.
    """
    ledger = tmp_path / "ledger"
    run: Any = mending(str(ledger), str(tmp_path / "gate"))
    with pytest.raises(OSError, match="not yet"):
        run.result(60)
    with pytest.raises(RunError, match="noted-9"):
        run.settle("noted-9", 1)
    with pytest.raises(nbflow.Unserialisable, match="noted-2"):
        run.settle("noted-2", threading.Lock())
    assert run.status == "failed"
    assert run.settle("noted-2", 41).result(60) == 42
    assert (run.status, run.calls["noted-2"].result) == ("completed", 41)
    assert ledger.read_text() == "one\ntwo\n"
    with pytest.raises(RunError, match="has a result already"):
        run.settle("noted-2", 43)


@pytest.mark.usefixtures("configured")
def test_a_run_that_was_ended_goes_on(tmp_path: Path) -> None:
    """One that was terminated is resumed: what had not succeeded begins anew, under its own id."""
    ledger, gate = tmp_path / "ledger", tmp_path / "gate"
    run: Any = entering(str(ledger), str(gate))
    eventually(ledger.exists, "it has begun", 60)
    run.terminate("enough")
    gate.touch()
    name = run.id
    assert run.resume().result(60) == 7
    assert (run.id, run.status) == (name, "completed")
    assert _entries(ledger) == 2
    run.cancel("too late")  # of one that is over nothing comes
    assert run.result(10) == 7


@pytest.mark.usefixtures("configured")
def test_one_call_is_cancelled(tmp_path: Path) -> None:
    """What a call does is given up, and its run goes on with that."""
    ledger, gate = tmp_path / "ledger", tmp_path / "gate"
    run: Any = entering(str(ledger), str(gate))
    eventually(ledger.exists, "it has begun", 60)
    run.calls["enter-1"].cancel("not needed")
    with pytest.raises(nbflow.ActivityCancelled):
        run.result(60)
    gate.touch()
    with pytest.raises(RunError, match="terminate"):
        run.service.settle(run.id, "enter-1", 1)


def test_a_run_is_terminated_with_all_that_it_has_open(shared: Site, tmp_path: Path) -> None:
    """Its log is closed at once, and its execution and those of its attempts are stopped."""
    service = shared.service(tmp_path)
    gate, ledger = tmp_path / "gate", tmp_path / "ledger"
    run = service.start(capture(entering), (str(ledger), str(gate)), {})
    eventually(ledger.exists, "it has begun", 60)
    service.terminate(run, "enough")
    log = list(service.events(run))
    last: Any = log[-1]
    assert (type(last), last.status) == (RunClosed, "cancelled")
    assert [e.call for e in log if isinstance(e, CallCancelled)] == ["enter-1"]
    client, name = shared.endpoint.client(), run.split("/")[2]
    assert client.describe_execution("nbflow-run", name).status == "Stopped"
    assert client.describe_execution("nbflow-activity", f"{name}--enter-1-1").status == "Stopped"
    gate.touch()
    service.close()


def test_the_execution_of_a_run_ends_as_it_does(shared: Site, tmp_path: Path) -> None:
    """The service's own console shows what has completed and what has failed, and why."""
    service = shared.service(tmp_path)
    good = service.start(capture(contract.doubling), ([1],), {})
    bad = service.start(capture(contract.stumbling), ("no",), {})
    client = shared.endpoint.client()
    names = [run.split("/")[2] for run in (good, bad)]
    found = [client.wait("nbflow-run", name, 60) for name in names]
    assert [execution.status for execution in found] == ["Succeeded", "Failed"]
    assert found[0].value == {"status": "completed"}
    service.close()


@pytest.mark.parametrize("once", [False, True], ids=["any", "once"])
def test_an_attempt_outlives_the_orchestrator(tmp_path: Path, *, once: bool) -> None:
    """The next one takes up what runs: it is not begun again, also if it may be begun but once."""
    with running() as endpoint:
        place = Site(endpoint, tmp_path, hidden=1.0)
        first = place.conduct()
        place.work()
        service = place.service(tmp_path / "home")
        gate, ledger = tmp_path / "gate", tmp_path / "ledger"
        run = service.start(capture(entering), (str(ledger), str(gate), once), {})
        eventually(ledger.exists, "it has begun", 60)
        eventually(lambda: _begun(service.events(run)), "the log has that it runs", 60)
        first.stop()
        second = place.conduct()
        eventually(lambda: _resumed(service.events(run)), "it is taken up", 60)
        gate.touch()
        eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)
        last: Any = [*service.events(run)][-1]
        assert (last.status, last.result) == ("completed", 7), last.error
        assert ledger.read_text() == "entered\n"
        second.stop()
        place.close()


def test_a_store_that_fails_leaves_attempts_as_they_are(tmp_path: Path) -> None:
    """A run whose log cannot be written is given up; what runs is not, and is taken up after it."""
    with running() as endpoint:
        place = Site(endpoint, tmp_path)
        place.conduct()
        place.work(2)
        service = place.service(tmp_path / "home")
        ledger, short, long = (tmp_path / name for name in ("ledger", "short", "long"))
        run = service.start(capture(two), (str(ledger), str(short), str(long)), {})
        eventually(lambda: _entries(ledger) == 2, "both have begun", 60)
        eventually(lambda: _begun(service.events(run)), "the log has that they run", 60)
        endpoint.inject("unavailable", "StartExecution", times=5)  # as often as a client tries
        short.touch()
        eventually(lambda: _resumed(service.events(run)), "it is taken up again", 60)
        client, name = endpoint.client(), run.split("/")[2]
        found = client.describe_execution("nbflow-activity", f"{name}--enter-2-1")
        assert found.status == "Running"
        long.touch()
        eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)
        last: Any = [*service.events(run)][-1]
        assert (last.status, last.result) == ("completed", 14), last.error
        assert _entries(ledger) == 2
        place.close()


def test_a_message_that_comes_twice_does_no_harm(tmp_path: Path) -> None:
    """Whoever gets the message of an attempt that is done does not do it again."""
    with running() as endpoint:
        place = Site(endpoint, tmp_path)
        place.conduct()
        service = place.service(tmp_path / "home")
        gate, ledger = tmp_path / "gate", tmp_path / "ledger"
        gate.touch()
        run = service.start(capture(entering), (str(ledger), str(gate)), {})
        queue = place.crew.work()
        message = queue.receive(20.0)
        assert message is not None
        for _ in range(2):
            endpoint.send("work", json.dumps(message.body))
        queue.remove(message)
        worker = Worker(place.crew.client(), place.crew.store(), queue)
        assert [worker.step(), worker.step(), worker.step()] == [True, True, False]
        eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)
        assert ledger.read_text() == "entered\n"
        place.close()


def test_short_calls_share_reports(tmp_path: Path) -> None:
    """At 2 reports a second, calls that are known to be short go together."""
    with running() as endpoint:
        place = Site(endpoint, tmp_path, reports=20.0)
        place.conduct()
        place.work(2)
        service = place.service(tmp_path / "home")
        run = service.start(capture(many), (200,), {})
        eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)
        last: Any = [*service.events(run)][-1]
        assert last.result == sum(range(1, 201))
        assert endpoint.stats()["requests"]["ReportTaskSucceeded"] < 100
        place.close()


def test_of_two_who_write_to_a_log_one_is_refused(shared: Site) -> None:
    """Whoever is thought to be gone, and is not, cannot write; a lost answer is no harm."""
    crew = shared.crew
    one, two = (ServiceSide(crew.client(), crew.flows(), crew.store()) for _ in range(2))
    crew.flows().ensure(crew.client())
    run = new_id("written")
    one.create(run, RunStarted(1, 0.0, "written", (), {}))
    with pytest.raises(StoreConflict):
        two.create(run, RunStarted(1, 0.0, "written", (), {}))
    assert [event.seq for event in two.events(run)] == [1]
    shared.endpoint.inject("lost", "StartExecution", times=1)
    one.append(run, [RunResumed(2, 0.0, "one")])
    with pytest.raises(StoreConflict):
        two.append(run, [RunResumed(2, 0.0, "two")])
    found: list[Any] = list(ServiceSide(crew.client(), crew.flows(), crew.store()).events(run))
    assert [event.seq for event in found] == [1, 2]
    assert found[1].reason == "one"


def test_what_makes_no_sense_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Options are checked when they are given; a run that nobody would drive is not started."""
    for options, said in (
        ({"simulate": True, "endpoint": "http://127.0.0.1:1"}, "leave endpoint and mns out"),
        ({"processes": -1}, "from 0 on"),
        ({"namespace": "a b"}, "no name"),
        ({"lost_after": 0}, "from 1 on"),
    ):
        with pytest.raises(DefinitionError, match=said):
            CloudFlowService(tmp_path, **options)
    service = CloudFlowService(tmp_path, processes=0)
    with pytest.raises(DefinitionError, match="name the queue"):
        service.start(capture(many), (1,), {})
    assert service.runs() == []


def _entries(ledger: Path) -> int:
    return len(ledger.read_text().splitlines()) if ledger.exists() else 0


def _begun(log: Iterator[Event]) -> bool:
    return any(isinstance(event, CallStarted) for event in log)


def _resumed(log: Iterator[Event]) -> bool:
    return any(isinstance(event, RunResumed) for event in log)
