"""Calls that are given up before whoever runs them was told of them: as when nobody has decided."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import nbflow
from nbflow.core.decide import Cancel, Close, Note, Schedule
from nbflow.testing import HistoryBuilder


@nbflow.activity
def fetch(name: str) -> str:
    return name


@nbflow.workflow
def wide(names: list[str]) -> Any:
    return [future.result() for future in [fetch(name) for name in names]]


@nbflow.workflow
def tidy() -> Any:
    try:
        return fetch("first").result()
    finally:
        fetch("last")


@nbflow.workflow
async def changing() -> Any:
    asked = asyncio.ensure_future(fetch("first"))
    await asyncio.sleep(0)
    asked.cancel()
    return "without it"


def carried_out(history: HistoryBuilder) -> Any:
    """Do what is decided, again and again, until it is the end; give that."""
    for _ in range(9):
        commands = history.decide()
        for command in commands:
            if isinstance(command, Close):
                return command
            assert isinstance(command, Cancel | Schedule | Note)
            history._write(command)
            if isinstance(command, Schedule):
                history.call(command.call.id).succeeded("done")
    pytest.fail("it does not end")


def test_a_run_that_is_cancelled_before_the_first_decision_ends():
    """Nothing is begun, and the log has what its code asked for as a live run's would."""
    history = HistoryBuilder(wide, ["a", "b"]).cancel_requested("at once")
    assert history.commands() == ["cancel fetch-1", "cancel fetch-2"]
    assert carried_out(history).status == "cancelled"
    kinds = [type(event).__name__ for event in history.events[2:]]
    assert sorted(kinds) == ["CallCancelled"] * 2 + ["CallScheduled"] * 2


def test_what_cleans_up_then_runs():
    """The code hears of the cancel where it waits first, and what it asks for after that runs."""
    history = HistoryBuilder(tidy).cancel_requested()
    assert carried_out(history).status == "cancelled"
    names = [getattr(event, "call", "") for event in history.events]
    assert "fetch-2" in names
    assert [type(e).__name__ for e in history.events if getattr(e, "call", "") == "fetch-1"] == [
        "CallScheduled",
        "CallCancelled",
    ]


def test_an_async_call_that_is_given_up_at_once_holds_up_nothing():
    """Its future is cancelled in the turn in which it was asked for, so nobody ever settles it."""
    history = HistoryBuilder(changing)
    assert history.commands() == ["cancel fetch-1"]
    ended = carried_out(history)
    assert (ended.status, ended.result) == ("completed", "without it")
