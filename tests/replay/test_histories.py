"""Every history that was ever written replays by today's code, and by no other code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.events import RULES, Event, RunClosed, RunStarted
from nbflow.core.history import History
from nbflow.running.config import settings as config
from nbflow.store.memory import MemoryStore
from tests.replay.make import CANCELLED, CASES, RESUMED, make
from tests.replay.wrong import WRONG

WAIT = 30
WITH_THE_END = {"aborts", "onward"}
"""The cases whose last two events are written at once, so that no crash comes between them."""
FILES = sorted(Path(__file__).parent.glob("*/*.jsonl"))


def ended(file: Path) -> str:
    """Give how the run of a history was closed."""
    *_, closed = nbflow.load_history(file, trust=True).events
    assert isinstance(closed, RunClosed)
    return closed.status


# ---------------------------------------------------------------- kept histories


def test_every_case_has_a_history() -> None:
    """The present rules have a file of each case; it is written by ``tests.replay.make``."""
    assert {file.stem for file in FILES if file.parent.name == str(RULES)} == set(CASES)


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_kept_histories_replay_for_ever(file: Path) -> None:
    """Every history that a version has written can be read and replayed to its end."""
    workflow, _ = CASES[file.stem]
    history = nbflow.load_history(file, trust=True)
    replay = nbflow.replay(history, workflow).check()
    status = ended(file)
    assert replay.same_result is (True if status == "completed" else None)
    assert replay.complete is (status in {"completed", "continued"})


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if file.stem not in CANCELLED],
    ids=lambda file: f"{file.parent.name}-{file.stem}",
)
def test_kept_histories_can_be_resumed_after_any_event(file: Path) -> None:
    """Cut anywhere, a run of that version is brought to its end by this one."""
    workflow, _ = CASES[file.stem]
    events = nbflow.load_history(file, trust=True).events
    for cut in range(1, len(events) - (file.stem in WITH_THE_END)):
        before = History.of(events[:cut])
        run = _cut(list(events[:cut]), file).resume(workflow)
        run.wait(WAIT)
        if file.stem in RESUMED and run.status == "failed":  # as it had, before it was resumed
            run.resume(workflow).wait(WAIT)
        assert run.status == ended(file), f"cut {cut}"
        after = run._history()
        for state in before.settled:
            if state.name and not state.failed:
                assert after.calls[state.id].outcome == state.outcome, f"cut {cut}"


def _cut(events: list[Event], file: Path) -> nbflow.Run[Any]:
    store = MemoryStore()
    started, *rest = events
    assert isinstance(started, RunStarted)
    store.create("cut", started)
    if rest:
        store.append("cut", rest)
    for line in file.read_text().splitlines():
        found = json.loads(line)
        if isinstance(found, dict) and "blob" in found:
            history = nbflow.load_history(file, trust=True)
            assert store.put(history.fetch(found["blob"])) == found["blob"]
    config.store = store
    return nbflow.attach("cut", store)


@pytest.mark.parametrize(
    ("case", "workflow", "call", "said"), WRONG, ids=[f"{w[0]}-{w[1].fn.__name__}" for w in WRONG]
)
def test_code_that_does_not_fit_is_refused(case: str, workflow: Any, call: str, said: str) -> None:
    """For each of these the first difference is found, and said in the words that it should be."""
    for file in FILES:
        if file.stem == case:
            replay = nbflow.replay(nbflow.load_history(file, trust=True), workflow)
            assert not replay
            assert replay.difference is not None
            assert (replay.difference.call, said in repr(replay)) == (call, True), replay
            assert "Nothing was executed" in repr(replay)


def test_making_the_histories_leaves_those_that_exist_alone() -> None:
    """The script writes missing files only."""
    before = {file: file.read_bytes() for file in FILES}
    assert make() == []
    assert {file: file.read_bytes() for file in FILES} == before
