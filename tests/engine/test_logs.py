"""Runs in Python's own logging: only where it is asked for, with the ids of run and call."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

import nbflow
from nbflow.core.errors import DefinitionError
from nbflow.running import logs


@nbflow.activity(retry=nbflow.Retry(attempts=2, wait=0.0))
def half(x: int) -> int:
    if x % 2:
        raise ValueError("odd\x1b[31m")
    return x // 2


@nbflow.workflow
def halves(*numbers: int) -> list[int]:
    return [half(number) for number in numbers]  # type: ignore[misc]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    own = logging.getLogger("nbflow")
    before = own.level, own.propagate, own.handlers[:]
    yield
    own.setLevel(before[0])
    own.propagate, own.handlers[:] = before[1:]


def test_what_a_run_does_is_logged_with_its_ids(caplog: pytest.LogCaptureFixture) -> None:
    """Beginning, results, attempts to be repeated, failures and end, each with run and call."""
    with caplog.at_level(logging.INFO, "nbflow.run"):
        run = halves.start(4, 3)
        run.wait()
    said = [(r.levelname, r.event, r.call, r.attempt) for r in caplog.records]  # type: ignore[attr-defined]
    assert said[0] == ("INFO", "RunStarted", "", 0)
    assert ("INFO", "CallSucceeded", "half-1", 1) in said
    assert ("WARNING", "CallFailed", "half-2", 1) in said
    assert ("ERROR", "CallFailed", "half-2", 2) in said
    assert said[-1][:2] == ("ERROR", "RunClosed")
    assert {r.run for r in caplog.records} == {run.id}  # type: ignore[attr-defined]
    assert "\x1b" not in caplog.text.replace("\n", "")


def test_nobody_who_did_not_ask_hears_anything(caplog: pytest.LogCaptureFixture) -> None:
    """With logging as Python has it, a run that fails logs nothing."""
    halves.start(3).wait()
    assert not caplog.records


def test_json_lines_are_one_line_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """LOG_LEVEL and NBFLOW_LOG_FORMAT are enough; every line is an object with its ids."""
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    logs.use_environment({"LOG_LEVEL": "debug", "NBFLOW_LOG_FORMAT": "json"})
    run = halves.start(4)
    run.wait()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    mine = [line for line in lines if line["logger"] == "nbflow.run"]
    assert {line["run"] for line in mine} == {run.id}
    assert [line["event"] for line in mine if line.get("call")][:2] == [
        "CallScheduled",
        "CallSucceeded",
    ]


@pytest.mark.parametrize(
    ("variables", "what"),
    [({"LOG_LEVEL": "loud"}, "LOUD"), ({"NBFLOW_LOG_FORMAT": "xml"}, "text or json")],
    ids=["level", "format"],
)
def test_what_means_nothing_is_refused(variables: dict[str, str], what: str) -> None:
    """The message has the values that there are."""
    with pytest.raises(DefinitionError, match=what):
        logs.use_environment(variables)


def test_without_the_variables_nothing_is_changed() -> None:
    """A program's own logging is left as it is."""
    own = logging.getLogger("nbflow")
    before = own.level, own.handlers[:]
    logs.use_environment({})
    assert (own.level, own.handlers) == (before[0], before[1])
