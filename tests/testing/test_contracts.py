"""The contracts as plain functions."""

from __future__ import annotations

import pytest

from nbflow.core.events import RunStarted
from nbflow.executors.threads import Threads
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import ContractBroken, check_executor, check_store


def test_an_executor_of_ours_passes():
    """Every rule of the class is checked, and their names are given."""
    rules = check_executor(lambda: Threads(max_workers=2), many=200)
    assert "closing twice is closing once" in rules
    assert len(rules) > 20


def test_stores_of_ours_pass(tmp_path):
    """In memory and on the disk, opened anew between writing and reading."""
    made = iter(range(1000))
    rules = check_store(MemoryStore)
    again = check_store(
        lambda: SqliteStore(tmp_path / str(next(made))),
        reopen=lambda store: SqliteStore(store.path),
    )
    assert rules == again
    assert len(rules) > 20


class Careless(MemoryStore):
    """Creates a run twice, and finds blobs that are not there."""

    def create(self, run, event: RunStarted):
        self._logs.pop(run, None)
        super().create(run, event)

    def get(self, digest):
        return self._blobs.get(digest, b"")


def test_every_broken_rule_is_named():
    """All rules are checked, whatever becomes of the first; each error says its rule."""
    with pytest.raises(ContractBroken, match=r"store is broken: \d+ of \d+ rules") as caught:
        check_store(Careless)
    notes = [note for error in caught.value.exceptions for note in error.__notes__]
    assert any(note.startswith("rule: a run is created once.") for note in notes)
    assert any("a missing blob is an error" in note for note in notes)
    only, rest = caught.value.split(lambda e: "blob" in str(getattr(e, "__notes__", "")))
    assert isinstance(only, ContractBroken)
    assert isinstance(rest, ContractBroken)


def test_one_rule_can_be_checked_alone():
    """By the name that an error gave it; an unknown name lists those that there are."""
    assert check_store(Careless, only="runs are listed latest first") == [
        "runs are listed latest first"
    ]
    with pytest.raises(ContractBroken):
        check_store(Careless, only="a run is created once")
    with pytest.raises(ValueError, match=r"no rule 'nonsense': there are .*a run is created once"):
        check_store(Careless, only="nonsense")


def test_how_an_executor_is_ended_can_be_said():
    """`unmake` is called for each executor that was made."""
    made, ended = [], []

    def make():
        made.append(Threads(max_workers=2))
        return made[-1]

    def unmake(executor):
        executor.close()
        ended.append(executor)

    check_executor(make, unmake=unmake, only="async functions run")
    assert made == ended
    assert len(made) == 1
