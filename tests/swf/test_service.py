"""SWF as a service: the contract of services, and the same handle as any other run's."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.capture import capture
from nbflow.core.errors import DefinitionError, NbflowError, RunError
from nbflow.running.config import settings
from nbflow.running.remote import ServiceRun
from nbflow.services.swf import (
    Api,
    Directory,
    Domain,
    WorkflowDecider,
    WorkflowExecutionQuerySet,
    WorkflowWorker,
    emulator,
)
from nbflow.services.swf.again import copied, rerun, restart
from nbflow.services.swf.notes import ExecutionNotes
from nbflow.services.swf.service import SwfService
from nbflow.services.swf.settings import Options
from nbflow.testing import ServiceContract
from nbflow.testing import services as contract

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def shared() -> Iterator[Domain]:
    """A domain in which a decider and a worker are at work, in threads of this process."""
    flows = [contract.doubling, contract.stumbling, contract.waiting]
    work: list[Any] = [contract.double, contract.join, contract.stumble]
    with emulator.running(limits=emulator.Limits(poll=1)) as endpoint:
        domain = Domain(api=Api(endpoint.client()), name="shared").save()
        actors = [
            WorkflowDecider(domain, "default", flows),
            *(WorkflowWorker(domain, "default", work) for _ in range(2)),
        ]
        threads = [threading.Thread(target=actor.run) for actor in actors]
        for thread in threads:
            thread.start()
        yield domain
        for actor in actors:
            actor.stop()
        for thread in threads:
            thread.join()


def options(domain: Domain) -> dict[str, Any]:
    url = domain.api.client.meta.endpoint_url
    return {"domain": domain.name, "endpoint_url": url, "processes": 0}


@pytest.fixture
def service(shared: Domain, tmp_path: Path) -> Iterator[SwfService]:
    made = SwfService(tmp_path, **options(shared))
    yield made
    made.close()


class TestService(ServiceContract):
    """What every service has to do, on the emulator."""

    @pytest.fixture(autouse=True)
    def _made(self, service: SwfService) -> None:
        self.service = service

    def setup_method(self) -> None:
        """The fixture does it."""

    def teardown_method(self) -> None:
        """The fixture does it."""


@pytest.fixture
def configured(shared: Domain, tmp_path: Path) -> Iterator[None]:
    """Runs go to SWF unless told otherwise."""
    before = settings.on, settings.options, settings.store
    nbflow.configure(store=tmp_path, on="swf", **options(shared))
    yield
    settings.close()
    settings.on, settings.options, settings.store = before


@pytest.mark.usefixtures("configured")
def test_a_run_is_held_like_any_other() -> None:
    """Started by the workflow itself, it has a result, calls, a graph, a profile and a row."""
    run = contract.doubling([1, 2], last=3)
    assert run.result(60) == {"sum": "2+4", "last": 3}
    assert isinstance(run, ServiceRun)
    assert (run.status, run.workflow, run.done()) == ("completed", "doubling", True)
    assert run.exception() is None
    assert run.calls["join-1"].args == ([2, 4],)
    assert "join-1" in run.graph.text()
    assert sorted(bar.call for bar in run.profile.bars) == ["double-1", "double-2", "join-1"]
    rows = nbflow.runs()
    assert [(row.run, row.status, row.on) for row in rows] == [(run.id, "completed", "swf")]
    again = nbflow.attach(run.id.split("/")[1][:-2])
    assert (again.id, again.result(10)) == (run.id, {"sum": "2+4", "last": 3})


@pytest.mark.usefixtures("configured")
def test_an_error_is_raised_as_itself() -> None:
    """What the workflow failed with comes home with its lines, and the call that failed."""
    run = contract.stumbling("no such thing")
    with pytest.raises(LookupError, match="no such thing") as caught:
        run.result(60)
    assert any("in stumble" in note for note in caught.value.__notes__)
    assert [call.id for call in run.failed] == ["stumble-1"]


@pytest.mark.usefixtures("configured")
def test_what_makes_no_sense_is_refused_with_the_way_to_go() -> None:
    """A run that has completed is not resumed, and a signal has a name; the message says so."""
    run = contract.doubling([])
    run.result(60)
    with pytest.raises(RunError, match=r"run\.rerun\(call\)"):
        run.resume()
    with pytest.raises(RunError, match=r"run\.rerun\('join-1'\) drops it"):
        run.settle("join-1", 1)
    with pytest.raises(RunError, match="a signal has a name"):
        run.signal(" ")


def test_a_run_can_be_awaited(service: SwfService) -> None:
    """It is awaited as any run is."""
    handle: ServiceRun[Any] = ServiceRun(
        service.start(capture(contract.doubling), ([4],), {}), service
    )

    async def wait() -> Any:
        return await handle

    assert asyncio.run(wait()) == {"sum": "8", "last": 0}


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no domain": ({}, "name a domain"),
    "a negative number": ({"domain": "d", "processes": -1}, "processes is a number"),
    "a boolean": ({"domain": "d", "processes": True}, "processes is a number"),
    "two endpoints": ({"simulate": True, "endpoint_url": "http://x"}, "leave endpoint_url out"),
    "nobody at work": ({"simulate": True, "processes": 0}, "processes must be 1 or more"),
    "no time": ({"domain": "d", "lost_after": 0}, "numbers of seconds above 0"),
    "no store": ({"domain": "d", "blobs": 7}, "blobs is a directory"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_options_that_make_no_sense_are_refused(mistake: str) -> None:
    """What cannot be meant raises before anything is connected or started."""
    given, said = MISTAKES[mistake]
    with pytest.raises(DefinitionError, match=said):
        Options.of(given)


def test_an_unknown_option_is_refused_with_the_nearest() -> None:
    """A misspelt option names the one that was meant, and nothing changes."""
    before = settings.on
    with pytest.raises(DefinitionError, match="Did you mean 'domain'"):
        nbflow.configure(on="swf", domian="x")
    with pytest.raises(DefinitionError, match="Did you mean 'processes'"):
        contract.doubling.on("swf", domain="d", proceses=2).start([])
    assert settings.on == before


def test_options_are_noted_without_what_is_usual(tmp_path: Path) -> None:
    """What is noted is enough to reach the service again, and no more."""
    made = Options.of({"domain": "d", "blobs": Directory(tmp_path), "workflow_id": "w"})
    assert made.noted() == {"domain": "d", "blobs": str(tmp_path)}
    assert Options.of(made.noted()).blobs == str(tmp_path)


def test_a_domain_that_is_not_there_is_said_with_the_cure(shared: Domain, tmp_path: Path) -> None:
    """The error says how a domain is made, and nothing is noted."""
    made = SwfService(tmp_path, **{**options(shared), "domain": "nowhere"})
    with pytest.raises(NbflowError) as caught:
        made.start(capture(contract.doubling), ([],), {})
    assert "swf.Domain(name='nowhere').save()" in "".join(caught.value.__notes__)
    assert made.runs() == []


def test_notes_hold_no_more_than_they_should(service: SwfService) -> None:
    """A note has neither values nor code, and a broken one is passed over."""
    run = service.start(capture(contract.doubling), ([4711],), {})
    (path,) = service.notes.directory.glob("*.json")
    assert "4711" not in path.read_text()
    wanted = {"run", "workflow", "created", "options", "crew", "execution", "status", "closed"}
    assert set(json.loads(path.read_text())) == wanted
    (service.notes.directory / "x.json").write_text("{")
    assert [note.run for note in service.notes.all()] == [run]


def test_one_process_at_a_time_drives_a_run(tmp_path: Path) -> None:
    """Who holds a run keeps others from it until it lets go."""
    notes, others = ExecutionNotes(tmp_path), ExecutionNotes(tmp_path)
    held = notes.hold("d/w/r")
    assert held is not None
    assert others.hold("d/w/r") is None
    assert others.is_held("d/w/r")
    notes.release(held)
    assert not others.is_held("d/w/r")


def test_a_run_is_started_once_more(service: SwfService) -> None:
    """With the same input, tags and limits; an open one is terminated first."""
    run = service.start(capture(contract.waiting), (), {}, run="twice", tags=("a",))
    first = service.execution(run)
    second = restart(first)
    assert first.upstream().close_status == "TERMINATED"
    found = WorkflowExecutionQuerySet(second.domain).get("twice")
    assert (found.run_id, found.tags, found.status) == (second.run_id, ("a",), "OPEN")
    inputs = [next(iter(e.events())).input for e in (first, second)]
    assert inputs[0] == inputs[1]
    name = f"{second.domain.name}/twice/{second.run_id}"
    assert not copied(service.notes, run, name)
    assert service.notes.get(name) is not None
    second.terminate()


def test_code_is_imported_only_where_somebody_said_so(service: SwfService) -> None:
    """A name that stands in a history alone is not imported to call an activity of it."""
    run = service.start(capture(contract.doubling), ([1],), {})
    assert ServiceRun(run, service).result(60)["sum"] == "2"
    with pytest.raises(NbflowError, match="was not told to import"):
        rerun(service, run, "double", (21,), {})


def test_a_panel_can_cancel_and_says_why_a_run_does_not_go_on(service: SwfService) -> None:
    """While it is open it, or a call of it, can be cancelled; what is in its way is told."""
    run: ServiceRun[Any] = ServiceRun(service.start(capture(contract.waiting), (), {}), service)
    actions = run._actions()
    assert actions.possible("running") == ("cancel", "cancel_call")
    assert actions.possible("completed") == ()
    assert actions.halted() == ""
    service._unreached = "the service cannot be had: for now"
    assert "for now" in actions.halted()
    actions.cancel()
    with pytest.raises(nbflow.RunCancelled):
        run.result(60)
    assert actions.halted() == ""
