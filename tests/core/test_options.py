"""The options of activities: what is taken, in which form it is kept, and what is refused."""

from __future__ import annotations

import inspect
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core.call import CallState
from nbflow.core.decide import Schedule, decide
from nbflow.core.errors import DefinitionError
from nbflow.core.events import CallScheduled, CallSucceeded, RunStarted
from nbflow.core.history import History
from nbflow.core.naming import check_id
from nbflow.core.options import PRIORITY_NOT_SET, Options
from nbflow.core.turns import allowed
from nbflow.core.workflow import definition

OLD = {
    "name": "other",
    "version": "2",
    "task_list": "fast",
    "task_priority": 7,
    "retry": 2,
    "raises_on_failure": False,
    "start_to_close_timeout": 1,
    "schedule_to_close_timeout": "2.5",
    "schedule_to_start_timeout": 3,
    "heartbeat_timeout": None,
    "idempotent": True,
    "meta": {"a": [1]},
}
"""The twelve options of simpleflow, with values."""


def double(x: int) -> int:
    """Double it."""
    return 2 * x


def test_activity_takes_all_options_of_simpleflow() -> None:
    """By the same names, in the decorator and in `options`, and they are what is kept."""
    assert set(OLD) <= set(inspect.signature(nbflow.activity).parameters)
    for made in (
        nbflow.activity(**OLD)(double),  # type: ignore[call-overload]
        nbflow.activity(double).options(**OLD),
    ):
        assert made.name == "other"
        found = made.settings
        kept = {name: getattr(found, name) for name in OLD if name not in {"name", "retry"}}
        wanted = {name: value for name, value in OLD.items() if name not in {"name", "retry"}}
        assert kept == wanted | {"schedule_to_close_timeout": 2.5}
        assert found.retry.attempts == 3
        assert found.timeout == 1
        assert made(4) == 8


def test_an_activity_without_options_needs_no_second_look() -> None:
    """So that what few activities ask for costs the others nothing."""
    plain = Options()
    assert not plain.special
    assert plain.limit is None
    assert plain.task_priority is PRIORITY_NOT_SET
    for name, value in (
        ("cache", True),
        ("task_priority", None),
        ("max_running", 1),
        ("heartbeat_timeout", 1),
    ):
        assert plain.changed({name: value}).special


def test_an_executor_is_to_say_at_once_that_a_watched_attempt_begins() -> None:
    """The limit of an attempt is endless where only other limits are set, and else the timeout."""
    assert Options().changed({"heartbeat_timeout": 1}).limit == math.inf
    assert Options().changed({"heartbeat_timeout": 1, "timeout": 3}).limit == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeuot": 3}, "unknown option timeuot. Did you mean 'timeout'?"),
        ({"hartbeat_timeout": 3}, "Did you mean 'heartbeat_timeout'?"),
        ({"timeout": 0}, "timeout is a number of seconds above 0, not 0"),
        ({"timeout": True}, "timeout is a number of seconds above 0, not True"),
        ({"heartbeat_timeout": "soon"}, "heartbeat_timeout is a number of seconds above 0"),
        ({"schedule_to_start_timeout": math.nan}, "schedule_to_start_timeout is a number"),
        ({"schedule_to_close_timeout": math.inf}, "schedule_to_close_timeout is a number"),
        ({"timeout": 1, "start_to_close_timeout": 2}, "are one option: give one of them"),
        ({"raises_on_failure": None}, "raises_on_failure is True or False"),
        ({"idempotent": 1}, "idempotent is True or False"),
        ({"copy": "yes"}, "copy is True or False"),
        ({"task_priority": "high"}, "task_priority is a whole number, or None for none"),
        ({"task_priority": True}, "task_priority is a whole number"),
        ({"max_running": 0}, "max_running is a whole number from 1"),
        ({"meta": [1]}, "meta is a dict with texts for keys"),
        ({"meta": {1: 2}}, "meta is a dict with texts for keys"),
        ({"task_list": " "}, "task_list is a text"),
        ({"version": 3}, "version is a text, not 3"),
        ({"name": ""}, "name is a text"),
        ({"retry": -1}, "attempts must be at least 1"),
        ({"retry": 1, "once": True}, "exclude each other"),
    ],
)
def test_what_makes_no_sense_is_refused_at_definition(
    options: dict[str, Any], message: str
) -> None:
    """By one clear error, the same from the decorator and from `options`."""
    for make in (
        lambda: nbflow.activity(**options)(double),
        lambda: nbflow.activity(double).options(**options),
    ):
        with pytest.raises(DefinitionError) as caught:
            make()
        assert message in str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "is a class without execute"),
        ({"execute": lambda self, x: x}, "asks for x"),
        ({"execute": 3}, "without execute"),
    ],
)
def test_a_class_that_cannot_be_an_activity_is_refused(body: Any, message: str) -> None:
    """At definition."""
    with pytest.raises(DefinitionError, match=message):
        nbflow.activity(type("Thing", (), body))


def test_the_code_of_a_class_is_that_of_its_methods() -> None:
    """Two classes of one name differ if their methods do."""

    def make(result: int) -> Any:
        space: dict[str, Any] = {}
        exec(f"class Thing:\n    def execute(self): return {result}", space)
        return nbflow.activity(space["Thing"])

    assert make(1).digest == make(1).digest != make(2).digest


# -------------------------------------------------------------------- ids


@given(st.from_regex(r"[A-Za-z_][A-Za-z0-9_.@/+-]{0,40}[A-Za-z_.]", fullmatch=True))
def test_an_id_can_be_any_name_that_does_not_end_in_a_number(call: str) -> None:
    """Those are taken as they are."""
    assert check_id(call) == call


@given(st.text(max_size=30).map(lambda head: f"{head}-7") | st.sampled_from(["", "a b", "a:b"]))
def test_an_id_that_nbflow_could_give_is_refused(call: str) -> None:
    """So that a counted id and a chosen one are never the same."""
    with pytest.raises(DefinitionError, match="call_id"):
        check_id(call)


@given(
    st.lists(st.integers() | st.text() | st.booleans() | st.none() | st.floats(), max_size=3),
    st.lists(st.integers() | st.text() | st.booleans() | st.none() | st.floats(), max_size=3),
)
def test_idempotent_calls_are_one_exactly_if_their_arguments_are_equal(
    one: list[Any], other: list[Any]
) -> None:
    """By type and value; a replay gives them the same ids again."""

    @nbflow.activity(idempotent=True)
    def call(value: Any) -> None: ...

    @nbflow.workflow
    def flow() -> None:
        call(one)
        call(other)
        call(one).result()

    start = RunStarted(1, 0.0, "flow", (), {})
    found = [c.call.id for c in decide(definition(flow).fn, [start], 0) if type(c) is Schedule]
    equal = [(type(v), repr(v)) for v in one] == [(type(v), repr(v)) for v in other]
    assert len(found) == (1 if equal else 2)
    again = [c.call.id for c in decide(definition(flow).fn, [start], 0) if type(c) is Schedule]
    assert again == found


# -------------------------------------------------------------------- turns


def state(n: int, rank: int | None, limit: int | None) -> CallState:
    """Make a call that could start."""
    options: dict[str, Any] = {"task_priority": rank, "max_running": limit}
    made = nbflow.activity(double).options(name=f"double{limit}", **options)
    return CallState(f"double{limit}-{n}", made.name, activity=made)


@given(st.lists(st.tuples(st.none() | st.integers(-2, 2), st.none() | st.integers(1, 3))))
def test_what_may_start_is_the_highest_first_and_no_more_than_may_run(
    wanted: list[tuple[int | None, int | None]],
) -> None:
    """Whatever the limits: order by priority and then by asking, and each limit is used up."""
    calls = [state(n, rank, limit) for n, (rank, limit) in enumerate(wanted)]
    history = History()
    history.calls = {call.id: call for call in calls}
    found = allowed(calls, history)
    ranks = [call.activity.settings.rank for call in found if call.activity]
    assert ranks == sorted(ranks, reverse=True)
    for limit in (None, 1, 2, 3):
        mine = [call for call in calls if call.name == f"double{limit}"]
        assert sum(call in found for call in mine) == min(len(mine), limit or len(mine))


def test_a_decided_run_keeps_to_the_limit_as_calls_end() -> None:
    """One that is scheduled counts until it is settled; then the next one is."""
    limited = nbflow.activity(max_running=1)(double)

    @nbflow.workflow
    def flow() -> list[int]:
        return [future.result() for future in [limited(n) for n in range(2)]]

    log: list[Any] = [RunStarted(1, 0.0, "flow", (), {})]

    def scheduled() -> list[str]:
        return [c.call.id for c in decide(definition(flow).fn, log, 0) if type(c) is Schedule]

    assert scheduled() == ["double-1"]
    code = limited.digest
    log.append(CallScheduled(2, 0.0, "double-1", "double", (0,), code=code))
    assert scheduled() == []
    log.append(CallSucceeded(3, 0.0, "double-1", 1, 0, "w", 0.0))
    assert scheduled() == ["double-2"]


def test_the_priority_of_one_call_goes_before_that_of_its_activity() -> None:
    """By either name; None says that there is to be none."""

    @nbflow.activity(task_priority=1)
    def plain(x: int) -> int:
        return x

    @nbflow.activity
    def own(task_priority: int) -> int:
        return task_priority

    @nbflow.workflow
    def flow() -> None:
        plain(0)
        plain.submit(1, task_priority=5)
        plain.submit(2, __priority=4)
        plain.submit(3, task_priority=None)
        own.submit(task_priority=9).result()

    start = RunStarted(1, 0.0, "flow", (), {})
    commands = decide(definition(flow).fn, [start], 0)
    found = [(c.call, c.call.activity) for c in commands if isinstance(c, Schedule)]
    ranks = {call.id: made.settings.task_priority for call, made in found if made is not None}
    assert ranks == {
        "plain-2": 5,
        "plain-3": 4,
        "plain-1": 1,
        "plain-4": None,
        "own-1": PRIORITY_NOT_SET,
    }
    assert [call.id for call, _ in found] == ["plain-2", "plain-3", "plain-1", "plain-4", "own-1"]
