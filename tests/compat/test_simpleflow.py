"""Programs that are written for simpleflow run with another import, and give the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.compat.simpleflow import Workflow, activity, exceptions, futures
from nbflow.compat.simpleflow.canvas import Chain, Group
from nbflow.compat.simpleflow.flows import flow_of
from nbflow.compat.simpleflow.local import Executor
from nbflow.core.decide import Close, Schedule
from nbflow.core.events import CallScheduled
from nbflow.core.future import current
from nbflow.engine import owner
from nbflow.running.config import settings
from nbflow.store.memory import MemoryStore
from nbflow.testing import FakeClock, HistoryBuilder
from nbflow.testing.checks import eventually
from tests.compat import programs
from tests.compat.programs import TOLD


@pytest.fixture(autouse=True)
def store():
    """Give each test a store of its own."""
    before, TOLD[:] = settings.store, []
    settings.store = MemoryStore()
    yield settings.store
    settings.store = before


def ran(cls, *args, on="threads", **kwargs):
    """Run a program to its end."""
    return flow_of(cls).on(on).start(*args, **kwargs).result(30)


@pytest.mark.parametrize("place", ["threads", "inline"])
@pytest.mark.parametrize(
    ("cls", "expected"),
    [
        (
            programs.Canvas,
            [[[2, 3], 6], [None], [None, 2, 6], [[None], 2], [[[None]], 6], [4, [8]]],
        ),
        (
            programs.Canvas2,
            [
                [2],
                [2, None],
                [
                    "None",
                    'TaskFailed (activity-tests.compat.programs.fail, "ValueError: out of paper")',
                ],
            ],
        ),
        (
            programs.Errors,
            [
                None,
                "ValueError: out of paper",
                ("activity-tests.compat.programs.fail_aloud", "ValueError: on fire"),
                3,
            ],
        ),
        (programs.Parent, [[4, ["one"]], [4, ["family"]], [7, 8], True]),
        (
            programs.Signals,
            [{"args": [1], "kwargs": {"to": "all"}}, False, {"to": "all"}],
        ),
        (programs.Boss, True),
        (
            programs.Markers,
            [[("at", "two"), ("on", None)], 3, "<Marker 'at' details='two'>"],
        ),
        (programs.Again, 2),
        (programs.Priorities, 2),
    ],
)
def test_a_program_gives_what_it_gives_there(cls, expected, place):
    """Its results, its errors and its notes, whoever runs its activities."""
    if cls is programs.Boss and place == "inline":
        pytest.skip("a child that works until it is told needs a thread beside it")
    assert ran(cls, on=place) == expected


@pytest.mark.parametrize("place", ["threads", "processes", "inline"])
def test_the_first_program_of_all(place):
    """Activities, a class among them, futures, tags; on processes as well."""
    assert ran(programs.Basic, 1, t=0.01, on=place) == [4, ["a=1", "b"]]
    run = programs.Basic.start(1)
    run.result()
    assert [(call, run.calls[call].status) for call in run.calls] == [
        ("increment-1", "done"),
        ("Delay-1", "done"),
        ("double-1", "done"),
    ]


def test_an_activity_can_still_be_called():
    """Outside a run it is the function, or the class executed."""
    assert programs.double(4) == 8
    delay: Any = programs.Delay
    assert delay(0, "x") == "x"
    assert programs.increment.context is None
    assert programs.increment.name == "tests.compat.programs.increment"
    assert programs.increment.task_start_to_close_timeout == "300"


def test_a_failure_that_raises_fails_the_run():
    """With the error that programs know."""
    with pytest.raises(exceptions.TaskFailed) as caught:
        ran(programs.Loud)
    assert caught.value.reason == "ValueError: on fire"
    assert '"error": "ValueError"' in (caught.value.details or "")


def test_a_child_that_nobody_waits_for_ends_with_its_parent():
    """As on SWF, where closing the parent ends it."""
    run = programs.Parent.start(1)
    run.result(30)
    assert run.calls["waits-1"].status == "cancelled"


def test_timers_take_no_time_and_can_be_stopped():
    """One that is stopped is cancelled, and the group around it is done all the same."""
    with FakeClock(auto=True):
        assert ran(programs.Timers) == ["CANCELLED", True]


def test_code_that_is_blocked_is_executed_again():
    """Each time that something has happened, until it can go on; and its replay does the same."""
    run = programs.Hand.start()
    assert run.result(30)[1] == 4
    assert TOLD == ["again", "again"]
    assert nbflow.replay(run, workflow=flow_of(programs.Hand)).check().same_result


class Late(Workflow):
    """Asks for a call between the end of another one and waiting."""

    name = "late"

    def run(self):
        """Be executed again until both are there."""
        self.submit(programs.double, 1)
        interpreter = current.get()
        assert interpreter is not None
        while not interpreter.history.settled:  # by the clock, as code must not do
            time.sleep(0)
        slow, also = self.submit(programs.Delay, 0.02, 2), self.submit(programs.double, 3)
        TOLD.append("again")
        if not (slow.finished and also.finished):
            raise exceptions.ExecutionBlocked
        return slow.result, also.result


def test_what_was_asked_for_just_before_is_not_asked_for_again(monkeypatch):
    """Code that is executed again finds all that it has asked for, however short ago."""
    monkeypatch.setattr(owner, "PAUSE", 60.0)  # so that a call may wait a while before it is taken
    run = Late.start()
    assert run.result(30) == (2, 6)
    asked = [event.call for event in run.events() if isinstance(event, CallScheduled)]
    assert asked == ["double-1", "Delay-1", "double-2"]


def test_a_step_is_done_once_over_all_runs():
    """Then it is skipped, unless somebody forces it."""
    assert ran(programs.Steps) == [["scheduled", "completed"], ["load"]]
    assert ran(programs.Steps) == [["skipped"], ["load"]]
    assert ran(programs.Steps, force=["load"]) == [["scheduled", "completed"], ["load"]]


def test_hooks_are_told_and_decide():
    """Of failures of tasks and of the run, in their own words; locally, too."""
    assert ran(programs.Told) is None
    eventually(lambda: len(TOLD) == 5, "the last is told once the run is closed")
    assert TOLD == [
        "before",
        ("fail", "out of paper"),
        ("fail", "out of paper"),
        "completed",
        ("closed", 1),
    ]
    TOLD.clear()
    with pytest.raises(nbflow.WorkflowFailed, match="as I was told"):
        ran(programs.Told, fails=True)
    ((_, reason, details),) = [t for t in TOLD if t[0] == "failed"]
    assert ("as I was told" in reason, details) == (True, "details")


def test_priorities_have_four_levels():
    """That of the call, the activity, the instance of the workflow, or none."""
    commands = HistoryBuilder(flow_of(programs.Priorities)).decide()
    asked: list[Any] = [c.call.activity for c in commands if isinstance(c, Schedule)]
    assert {a.settings.task_priority for a in asked} == {5, 7, None}


def test_a_decider_gives_the_same_commands():
    """A program can be decided by its log alone, as on a service."""
    history = HistoryBuilder(flow_of(programs.Basic), 1, tags=("a",))
    assert history.commands() == ["call increment-1"]
    history.call("increment-1").succeeded(2)
    assert history.commands() == ["call Delay-1", "call double-1"]
    history.call("Delay-1").succeeded(2).call("double-1").succeeded(4)
    (close,) = history.decide()
    assert isinstance(close, Close)
    assert history.result() == [4, ["a"]]


def test_the_local_executor_runs_a_program_with_middlewares():
    """Before and after each attempt; afterwards things are as they were."""
    told = []
    before = settings.middleware
    executor = Executor(
        programs.Basic,
        middlewares={
            "pre": [lambda context: told.append(("pre", context["activity_id"]))],
            "post": [lambda context, result: told.append(("post", result))],
        },
    )
    assert executor.run({"args": [1], "kwargs": {"t": 0}})[0] == 4
    assert ("pre", "increment-1") in told
    assert ("post", 4) in told
    assert settings.middleware == before
    assert executor.nbflow_run is not None
    assert executor.nbflow_run.status == "completed"


def test_what_makes_no_sense_is_refused():
    """With errors that say what would."""
    with pytest.raises(ValueError, match="send_result needs break_on_failure"):
        Chain(send_result=True, break_on_failure=False)
    with pytest.raises(ValueError, match="an item is a task"):
        Group(3)
    with pytest.raises(TypeError, match="has no option parallel"):
        Group(parallel=3)
    with pytest.raises(exceptions.ExecutionBlocked):
        futures.Future().result  # noqa: B018 - reading it is what raises


def test_errors_of_several_are_handled_and_flattened():
    """As there: None stands for those that did not fail."""
    one, other = ValueError("one"), KeyError("other")
    error = exceptions.AggregateException([None, one, exceptions.AggregateException([other])])
    assert error.flatten().exceptions == [one, other]
    error.flatten().handle(lambda _: True)
    with pytest.raises(exceptions.AggregateException) as caught:
        error.flatten().handle(lambda e: isinstance(e, KeyError))
    assert caught.value.exceptions == [one]


def test_a_program_runs_on_swf_with_processes_of_its_own(tmp_path):
    """Its classes are targets, its activities are found, its task lists stand in nobody's way.

    A signal that a child has passed on as the last that it did reaches the parent.
    """
    words = ["standalone", "tests.compat.programs:Messenger", "--simulate", "--json"]
    env = {**os.environ, "NBFLOW_STORE": str(tmp_path / "store"), "PYTHONPATH": str(Path.cwd())}
    done = subprocess.run(
        [sys.executable, "-m", "nbflow", *words],
        check=False,
        capture_output=True,
        text=True,
        env=env,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"] == [4, {"args": [], "kwargs": {"to": "all"}}]


def test_options_of_activities_mean_what_they_say():
    """Limits that were given hold; those that were not are the service's."""
    made = activity.with_attributes(start_to_close_timeout="10", retry=3)(programs.double.callable)
    options = made.native(raises=False).settings
    assert (options.timeout, options.retry.attempts, options.raises_on_failure) == (10.0, 4, False)
    assert programs.double.native(raises=True).settings.timeout is None
