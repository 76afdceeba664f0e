"""What it costs to look for kept results, counted in what the store is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.call import CallState
from nbflow.core.payload import Packed, Stored
from nbflow.engine.lookup import Lookup, Wanted
from nbflow.store.memory import MemoryStore
from nbflow.store.sqlite import SqliteStore
from nbflow.testing.caches import kept

MANY = 400


@nbflow.activity(cache=True)
def double(x: int) -> int:
    return 2 * x


def wanted() -> list[Wanted]:
    """Want so many calls of the activity."""
    calls = [CallState(f"double-{n}", "double", (n,), activity=double) for n in range(MANY)]
    return [Wanted(call, {}) for call in calls]


class Asked:
    """A store that notes the statements it reads its cache by."""

    def __init__(self, path: Path) -> None:
        self.store = SqliteStore(path)
        self.statements: list[str] = []
        self.store._db.set_trace_callback(self._note)

    def _note(self, statement: str) -> None:
        if statement.startswith("SELECT") and "FROM cache" in statement:
            self.statements.append(statement)

    def take(self) -> list[str]:
        """Give those since they were last taken."""
        taken, self.statements = self.statements, []
        return taken


@pytest.fixture
def asked(tmp_path: Path) -> Iterator[Asked]:
    found = Asked(tmp_path / "store")
    yield found
    found.store.close()


def test_misses_of_a_new_activity_cost_two_readings(asked: Asked) -> None:
    """One for all keys, one that shows that there is nothing to compare with, for all calls."""
    found = Lookup("run", asked.store).look(wanted())
    assert {str(each.reasons[0]) for each in found} == {
        "first: no earlier result of double is kept"
    }
    assert len(asked.take()) == 2


def test_hits_cost_one_reading(asked: Asked) -> None:
    """However many calls are answered, they are asked for together."""
    lookup = Lookup("first", asked.store)
    keys = [each.key for each in lookup.look(wanted())]
    asked.store.cache.extend(
        [
            kept(key.text, 2 * n, activity="double", run="first", inputs=key.inputs_digest)
            for n, key in enumerate(keys)
            if key is not None
        ]
    )
    asked.take()
    found = Lookup("second", asked.store).look(wanted())
    assert [each.row and each.row.result for each in found] == [2 * n for n in range(MANY)]
    assert len(asked.take()) == 1


def test_a_run_does_not_go_through_what_it_keeps_itself(asked: Asked) -> None:
    """What calls are compared with is read once, before the run has kept anything."""
    asked.store.cache.add(kept("another", activity="double", run="before", inputs="others"))
    lookup = Lookup("run", asked.store)
    for first in range(0, MANY, 100):
        some = lookup.look(wanted()[first : first + 100])
        assert all(each.reasons[0].group != "first" for each in some)
        rows = [(each.key, one) for each, one in zip(some, wanted()[first:], strict=False)]
        asked.store.cache.extend(
            [kept(key.text, activity="double", call=one.state.id) for key, one in rows if key]
        )
    statements = asked.take()
    assert sum("inputs IN" not in text and "key IN" not in text for text in statements) == 1
    assert len(statements) == 2 * (MANY // 100) + 1  # keys and those of the same inputs; the latest


def test_what_has_no_key_leaves_the_others_alone(asked: Asked) -> None:
    """Each call of a batch gets an answer of its own."""
    calls = wanted()[:3]
    calls[1] = calls[1]._replace(anew=True)
    calls[2].state.args = (Packed("pickle", b"no pickle"),)
    first, second, third = Lookup("run", asked.store).look(calls)
    assert first.reasons[0].group == "first"
    assert second.reasons[0].group == "again"
    assert second.replace
    assert third.reasons[0].group == "never"
    assert third.key is None


@nbflow.activity(cache=True)
def three(b: object, a: object, c: object = None) -> int:
    return 3


@nbflow.activity(cache=True, cache_key=nbflow.CacheKey(hidden=["a"]))
def hiding(b: object, a: object) -> int:
    return 4


_scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@settings(max_examples=200, deadline=None)
@given(args=st.lists(_scalars, min_size=1, max_size=3).map(tuple))
def test_keys_made_in_the_short_way_are_the_same(args: tuple[Stored, ...]) -> None:
    """Whether a call's key is made whole or only its text, what was kept is found by both."""
    lookup = Lookup("run", MemoryStore())
    for activity in (double, three, hiding):
        state = CallState("f-1", "f", args, activity=activity)
        one = Wanted(state, {})
        try:
            lookup._coded(activity)
            whole = lookup._key(one).text
        except TypeError:
            continue  # it does not take so many
        assert lookup._text(one) in {"", whole}
        given = len(activity.signature.parameters) == len(args)
        assert bool(lookup._text(one)) == (given and activity is not hiding)
