"""What it costs to look for kept results, counted in what the store is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.call import CallState
from nbflow.core.payload import Blob, Packed, Stored
from nbflow.engine.lookup import Found, Lookup, Wanted
from nbflow.engine.reuse import Reuse
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


# ------------------------------------------------------------ who looks, and when


class Looking:
    """A `Reuse` whose kept results are those of `double`, with what it has told so far."""

    def __init__(self, asked: Asked) -> None:
        keys = [each.key for each in Lookup("first", asked.store).look(wanted())]
        rows = [kept(key.text, 2 * n, run="first") for n, key in enumerate(keys) if key]
        asked.store.cache.extend(rows)
        asked.take()
        self.asked = asked
        self.told: SimpleQueue[list[tuple[CallState, Found]]] = SimpleQueue()
        self.reuse = Reuse("second", asked.store, self.told.put)

    def turn(self, some: list[Wanted]) -> list[int | None]:
        """Ask for calls as an owner does in one turn; give which were answered in it, by `x`."""
        for one in some:
            if one.anew:
                self.reuse.bypass |= {one.state.id}
            assert self.reuse.ask(one.state, one.results)
        answers = self.reuse.answers()
        assert all(found.row and found.row.result == 2 * _x(state) for state, found in answers)
        return [_x(state) for state, _ in answers]

    def heard(self, number: int) -> list[int]:
        """Wait until so many calls were answered by threads, and give them."""
        told: list[int] = []
        while len(told) < number:
            told += [_x(state) for state, _ in self.told.get(timeout=30)]
        return sorted(told)


def _x(state: CallState) -> int:
    value = (*state.args, *(state.kwargs or {}).values())[0]
    assert isinstance(value, int)
    return value


def numbered(*numbers: int) -> list[Wanted]:
    return [wanted()[n] for n in numbers]


def test_where_all_calls_had_results_the_next_are_answered_in_their_turn(asked: Asked) -> None:
    """The first go to threads, as nothing is known of them; then a turn costs one reading."""
    looking = Looking(asked)
    assert looking.turn(numbered(0)) == []
    assert looking.heard(1) == [0]
    asked.take()
    assert looking.turn(wanted()[1:]) == list(range(1, MANY))
    assert len(asked.take()) == 1
    assert looking.told.empty()
    assert looking.turn([]) == []


def test_what_is_not_at_hand_is_looked_for_by_threads(asked: Asked) -> None:
    """Misses, calls to run anew and keys that take time to make; those beside them are answered."""
    looking = Looking(asked)
    looking.turn(numbered(0))
    looking.heard(1)
    missed = Wanted(CallState("double-m", "double", (-1,), activity=double), {})
    packed = CallState("double-p", "double", (Packed("json", "[1]"),), activity=double)
    named = CallState("double-k", "double", (), {"x": 5}, activity=double)
    anew = wanted()[6]._replace(anew=True)
    assert looking.turn([*numbered(1), missed, Wanted(named, {}), anew, *numbered(2)]) == [1, 2]
    assert looking.heard(3) == [-1, 5, 6]
    # One of these had no result: threads look for the next, until all of a batch have one.
    assert not looking.reuse.hits
    assert looking.turn(numbered(3)) == []
    assert looking.heard(1) == [3]
    assert looking.turn(numbered(4)) == [4]
    assert looking.reuse.ask(packed, {})
    assert looking.reuse.answers() == []
    ((state, found),) = looking.told.get(timeout=30)
    assert (state, found.row) == (packed, None)


def test_a_result_that_lies_in_the_store_is_not_looked_for_in_a_turn(asked: Asked) -> None:
    """It is large: whether it is there is found out by a thread."""
    looking = Looking(asked)
    looking.turn(numbered(0))
    looking.heard(1)
    (key,) = (each.key for each in Lookup("x", asked.store).look(numbered(7)))
    assert key is not None
    large = Blob("pickle", asked.store.put(b"large"), 5)
    asked.store.cache.add(kept(key.text, large), replace=True)
    assert looking.turn(numbered(7, 8)) == [8]
    ((_, found),) = looking.told.get(timeout=30)
    assert found.row is not None
    assert isinstance(found.row.result, Blob)


def test_a_store_that_cannot_be_read_is_told_by_the_threads(asked: Asked) -> None:
    """The turn goes on, and the calls run, with the reason."""
    looking = Looking(asked)
    looking.turn(numbered(0))
    looking.heard(1)
    asked.store.close()
    assert looking.turn(numbered(1)) == []
    ((_, found),) = looking.told.get(timeout=30)
    assert found.row is None
    assert "Reopen" in str(found.reasons[0]) or "closed" in str(found.reasons[0])


def test_a_call_is_looked_for_once(asked: Asked) -> None:
    """When it comes again, it is to run."""
    looking = Looking(asked)
    (one,) = numbered(9)
    assert looking.reuse.ask(one.state, {})
    assert not looking.reuse.ask(one.state, {})
