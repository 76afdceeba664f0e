"""What reaches the processes of a run on CloudFlow besides its code: middlewares and secrets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.errors import DefinitionError
from nbflow.engine.around import Middlewares
from nbflow.running.config import settings
from nbflow.services.cloudflow.dynamic.service import CloudFlowService
from nbflow.services.cloudflow.dynamic.surrounding import names_of
from tests.cloudflow.around import note, opening

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


@pytest.mark.usefixtures("configured")
def test_a_middleware_that_others_cannot_import_is_refused_before_the_start() -> None:
    """The message names it and says what to do; no run is there, and none is noted."""

    def inner(context: Any) -> None:
        """Stand in no module."""

    for function in (inner, lambda context: None):
        nbflow.configure(middleware={"before": [note, function]})
        with pytest.raises(DefinitionError, match=r"cannot be imported.*nothing was started"):
            opening(nbflow.Secret.env("HOME"))
    assert nbflow.runs() == []


def test_middlewares_are_options_by_name(tmp_path: Path) -> None:
    """What is no name, or names nothing, is refused when it is given."""
    service = CloudFlowService(tmp_path, middleware={"before": NAME})
    assert service.surrounded().middleware == {"before": (NAME,)} == names_of(Middlewares((note,)))
    assert "middleware" not in service.options.noted()
    for given, said in (
        ({"before": [note]}, "dotted names"),
        ({"amid": NAME}, "dotted names"),
        (NAME, "dotted names"),
        ({"after": "tests.cloudflow.around.nothing"}, "cannot be imported"),
    ):
        with pytest.raises(DefinitionError, match=said):
            CloudFlowService(tmp_path, middleware=given)
