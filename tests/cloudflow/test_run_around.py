"""What reaches the processes of a run on CloudFlow besides its code: middlewares and secrets."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.capture import capture
from nbflow.core.errors import DefinitionError
from nbflow.core.events import RunClosed
from nbflow.engine.around import Middlewares
from nbflow.running.config import settings
from nbflow.services.cloudflow.client.errors import Invalid
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.testing.checks import eventually
from tests.cloudflow.around import nesting, note, opening
from tests.cloudflow.crews import Site, site

VALUE = "a-value-that-stands-nowhere"
NAME = "tests.cloudflow.around.note"


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Runs go to an emulator of one's own, with one worker; give where middlewares write."""
    before = settings.on, settings.options, settings.store, settings.middleware
    ledger = tmp_path / "ledger"
    monkeypatch.setenv("NBFLOW_TEST_AROUND", str(ledger))
    home = tmp_path / "home"
    nbflow.configure(store=home, on="cloudflow", simulate=True, processes=1)
    yield ledger
    settings.close()
    settings.on, settings.options, settings.store, settings.middleware = before


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Site]:
    """Have an emulator, and threads of this process that nobody's run is told of."""
    with site(tmp_path / "site", workers=1) as found:
        yield found


@pytest.mark.timeout(180)
def test_middlewares_and_secrets_reach_the_processes_of_a_run(
    configured: Path, tmp_path: Path
) -> None:
    """Both are there where an attempt runs, in another process; the value is in no file."""
    nbflow.configure(middleware={"before": note, "after": [note]})
    run: Any = opening(nbflow.Secret.of("around-key", VALUE))
    length, worker = run.result(120)
    assert (length, worker != os.getpid()) == (len(VALUE), True)
    lines = configured.read_text().splitlines()
    assert lines == [f"before opened-1 {worker}", f"after opened-1 {worker}"]
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 3
    assert not [path for path in files if VALUE.encode() in path.read_bytes()]


def test_middlewares_go_where_a_run_goes(place: Site, tmp_path: Path) -> None:
    """Whoever drives a run that is left to others calls those of its start, for children, too."""
    ledger = tmp_path / "around"

    def inner(context: Any) -> None:
        with ledger.open("a") as file:
            file.write(f"{context.call} {context.run}\n")

    assert settings.middleware == Middlewares()  # what drives it here has none of its own
    service = place.service(tmp_path / "home")
    service.surround(Middlewares((inner,)))
    run = service.start(capture(nesting), ("one",), {})
    eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)
    last: Any = [*service.events(run)][-1]
    assert (last.status, last.result) == ("completed", 6), last.error
    root = run.split("/")[2]
    lines = ledger.read_text().splitlines()
    assert [line.startswith(f"counted-1 {root}") for line in lines] == [True, True]
    assert [line.endswith(root) for line in lines].count(False) == 1  # the one within


@pytest.mark.usefixtures("configured")
def test_a_middleware_that_cannot_be_sent_is_refused_before_the_start() -> None:
    """The message says so; no run is there, and none is noted."""
    lock = threading.Lock()

    def inner(context: Any) -> None:
        with lock:
            context.progress(1)

    nbflow.configure(middleware={"before": [note, inner]})
    with pytest.raises(Invalid, match=r"called around the attempts of opening.*nothing was start"):
        opening(nbflow.Secret.env("HOME"))
    assert nbflow.runs() == []


def test_a_secret_that_others_cannot_know_is_refused_before_the_start(
    place: Site, tmp_path: Path
) -> None:
    """A value of this process reaches those that it starts only; one of an environment may."""
    service = place.service(tmp_path / "home")
    secret = nbflow.Secret.of("left-to-others", VALUE)
    for args, kwargs in ((([secret],), {}), ((), {"key": {"deep": secret}})):
        with pytest.raises(Invalid, match=r"left-to-others.*Secret\.env.*Nothing was started"):
            service.start(capture(opening), args, kwargs)
    assert service.runs() == []
    assert "StartExecution" not in place.endpoint.stats()["requests"]
    run = service.start(capture(nesting), ("of no secret",), {})
    eventually(lambda: isinstance([*service.events(run)][-1], RunClosed), "it ends", 60)


def test_middlewares_are_options_by_name(tmp_path: Path) -> None:
    """What is no name, or names nothing, is refused when it is given."""
    service = CloudFlowService(tmp_path, middleware={"before": NAME})
    assert service.surrounded() == Middlewares((note,))
    assert "middleware" not in service.options.noted()
    for given, said in (
        ({"before": [note]}, "dotted names"),
        ({"amid": NAME}, "dotted names"),
        (NAME, "dotted names"),
        ({"after": "tests.cloudflow.around.nothing"}, "cannot be imported"),
    ):
        with pytest.raises(DefinitionError, match=said):
            CloudFlowService(tmp_path, middleware=given)
