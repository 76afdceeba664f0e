"""Defects that simpleflow has, one test each, showing that nbflow does not have them.

Each test is named after the defect's number; its docstring is the rule that nbflow keeps.
"""

from __future__ import annotations

import concurrent.futures
import csv
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.cli.app import main
from nbflow.core.decide import Schedule
from nbflow.core.events import CallFailed, CallScheduled, RunClosed
from nbflow.core.eventtext import decode, encode
from nbflow.services.swf import (
    ActivityType,
    Api,
    Domain,
    WorkflowDecider,
    WorkflowType,
    emulator,
    run_events,
    start_workflow,
)
from nbflow.testing import FakeClock, FaultTable, Gate, HistoryBuilder
from nbflow.testing.checks import eventually

ROOT = Path(__file__).parents[2]


@pytest.fixture
def ran(tmp_path):
    """Count what is really run; the first call with "broken" fails."""
    return FaultTable(tmp_path / "ran", {"broken": [OSError("away")]})


def flow_of(ran, names, **options):
    """Make a workflow that does these one after the other."""

    @nbflow.activity(**options)
    def work(name):
        ran.act(name)
        return name

    @nbflow.workflow
    def flow():
        return [work(name).result() for name in names]

    return flow


def test_b1_repairing_runs_only_what_is_missing(ran):
    """A run that is gone on with runs what failed, and never what had succeeded."""
    flow = flow_of(ran, ["first", "second", "broken", "last"])
    run = flow.start()
    with pytest.raises(OSError, match="away"):
        run.result()
    assert run.resume().result() == ["first", "second", "broken", "last"]
    assert {n: ran.count(n) for n in ("first", "second", "broken", "last")} == {
        "first": 1,
        "second": 1,
        "broken": 2,
        "last": 1,
    }


@pytest.mark.parametrize("place", ["threads", "processes", "inline"])
def test_b2_the_whole_language_is_there_in_a_local_run(place, tmp_path):
    """Children, going on as new, priorities, retries, failing and hooks mean what they mean."""
    ran = FaultTable(tmp_path, {"flaky": [OSError("away")]})

    @nbflow.activity(retry=1, task_priority=5)
    def work(name):
        ran.act(name)
        return name

    class Child(nbflow.Workflow):
        name = "child"

        def run(self, x):
            return self.submit(work, x).result()

    class Parent(nbflow.Workflow):
        name = "parent"

        def run(self, left):
            found = self.submit(Child, "flaky").result()
            if left:
                nbflow.continue_as_new(left - 1)
            if found != "flaky":
                nbflow.fail("wrong")
            return self.submit(work, "last").result()

    decided, told = [], []

    def ignore(failure):
        decided.append(failure.call)
        return failure.decide_ignore()

    @nbflow.activity
    def broken():
        raise OSError("away")

    @nbflow.workflow(on_task_failure=ignore, on_completed=lambda ended: told.append(ended.status))
    def lenient():
        return broken().result()

    @nbflow.workflow
    def failing():
        nbflow.fail("on purpose")

    assert Parent.on(place).start(1).result() == "last"
    assert ran.count("flaky") == 3  # twice in the first child, once in the second
    assert lenient.on(place).start().result() is None
    assert decided == ["broken-1"]
    assert told == ["completed"]
    with pytest.raises(nbflow.WorkflowFailed, match="on purpose"):
        failing.on(place).start().result()


@pytest.mark.parametrize("place", ["threads", "processes", "inline"])
def test_b2_all_hooks_are_called_and_a_call_may_have_a_priority(place):
    """Of a run that completes and of one that fails, in one order everywhere."""
    told = []

    @nbflow.activity
    def work(x):
        return x

    def note(name):
        return lambda ended: told.append((name, ended.status))

    names = ["before_replay", "after_replay", "on_completed", "on_failure", "after_closed"]

    @nbflow.workflow(**{name: note(name) for name in names})
    def flow(ok):
        found = work.submit(1, __priority=7).result()
        if not ok:
            nbflow.fail("on purpose")
        return found

    assert flow.on(place).start(True).result() == 1
    eventually(lambda: len(told) == 4, "all hooks of the first are told")
    with pytest.raises(nbflow.WorkflowFailed):
        flow.on(place).start(False).result()
    begun = [("before_replay", "running"), ("after_replay", "running")]
    wanted = [
        *begun,
        ("on_completed", "completed"),
        ("after_closed", "completed"),
        *begun,
        ("on_failure", "failed"),
        ("after_closed", "failed"),
    ]
    eventually(lambda: told == wanted, "all are told")  # the last is, once the run is closed
    (command,) = HistoryBuilder(flow, True).decide()
    assert isinstance(command, Schedule)
    assert command.call.activity is not None
    assert command.call.activity.settings.task_priority == 7


def test_b3_a_run_that_is_over_is_found_as_any_other(ran):
    """By its id, or the beginning of it; its calls can be looked at and run again."""
    run = flow_of(ran, ["a"]).start()
    run.result()
    found = nbflow.attach(run.id[:-2])
    assert found.id == run.id
    assert found.status == "completed"
    assert found.calls["work-1"].status == "done"
    assert found.rerun("work-1").result() == ["a"]
    assert ran.count("a") == 2
    with pytest.raises(nbflow.RunNotFound, match="nosuch"):
        nbflow.attach("nosuch")


def test_b4_a_command_tells_by_its_exit_code_how_the_run_ended(tmp_path, capsys, monkeypatch):
    """0 and the result if it completed, 1 if it failed."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flows.py").write_text(
        textwrap.dedent("""
            import nbflow

            @nbflow.workflow
            def flow(ok):
                if not ok:
                    raise ValueError("not ok")
                return "the result"
        """),
        encoding="utf-8",
    )
    codes = {}
    for ok in ("true", "false"):
        arguments = ["--store", str(tmp_path / "store"), "run", "flows.py:flow", "--arg"]
        codes[ok] = _code(main, [*arguments, f"ok={ok}"])
    assert codes == {"true": 0, "false": 1}
    assert "the result" in capsys.readouterr().out


def _code(command, arguments):
    """Give the exit code of a command."""
    try:
        return command(arguments) or 0
    except SystemExit as end:
        return end.code or 0


def test_b5_another_order_of_asking_is_noticed():
    """Code that asks otherwise than the log has it gets no wrong value: the run stops."""

    @nbflow.activity
    def ident(x):
        return x

    @nbflow.workflow
    def flow(names):
        return {name: ident(name).result() for name in names}

    @nbflow.workflow(name="flow")
    def changed(names):
        return {name: ident(name).result() for name in reversed(names)}

    history = HistoryBuilder(flow, ["a", "b"]).call("ident-1").succeeded("a")
    with pytest.raises(nbflow.NondeterminismError, match="ident"):
        history.decide(changed)
    run = flow.start(["a", "b"])
    run.result()
    with pytest.raises(nbflow.NondeterminismError):
        nbflow.replay(run, workflow=changed).check()


def test_b6_an_error_keeps_its_message_whole():
    """However long it is, and the run ends by it at once."""
    text = "all of it counts " * 3_000

    @nbflow.activity
    def fail():
        raise ValueError(text)

    @nbflow.workflow
    def flow():
        return fail().result()

    run = flow.start()
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared whole below
        run.result()
    assert str(caught.value) == text
    assert run.status == "failed"


def test_b7_a_result_that_cannot_be_stored_fails_its_call_at_once(ran):
    """With an error that names it, and no waiting for a time limit."""

    @nbflow.activity
    def connect():
        ran.act("connect")
        return (n for n in range(3))

    @nbflow.workflow
    def flow():
        return connect().result()

    with pytest.raises(nbflow.Unserialisable, match="generator"):
        flow.start().result(timeout=20)
    assert ran.count("connect") == 1


def test_b8_what_cannot_be_started_is_not_tried_for_ever():
    """A place that there is not fails the call, and the log stays short."""

    @nbflow.activity(executor="nowhere")
    def lost():
        return 1

    @nbflow.workflow
    def flow():
        return lost().result()

    run = flow.start()
    with pytest.raises(nbflow.NbflowError, match="nowhere"):
        run.result(timeout=20)
    assert len(list(run.events())) < 10


def test_b8_a_place_that_takes_nothing_is_tried_as_often_as_the_activity_says():
    """A pool that is closed refuses each attempt; the policy of retries is the only one."""
    closed = concurrent.futures.ThreadPoolExecutor(1)
    closed.shutdown()

    @nbflow.activity(executor=closed, retry=nbflow.Retry(attempts=3, wait=0))
    def lost():
        return 1

    @nbflow.workflow
    def flow():
        return lost().result()

    run = flow.start()
    with pytest.raises(nbflow.WorkerDied, match="after shutdown"):
        run.result(timeout=20)
    assert len([e for e in run.events() if isinstance(e, CallFailed)]) == 3


@nbflow.activity
def number(x):
    """Give a number back."""
    return x


@nbflow.workflow
def numbers():
    """Ask for one."""
    return number(1).result()


def test_b8_what_swf_refuses_to_schedule_is_held_back_and_given_up():
    """Later each time, and not for ever: the service's history stays short."""
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        domain = Domain(api=Api(endpoint.client()), name="refusing", retention=1).save()
        endpoint.refuse("ScheduleActivityTask", "OPERATION_NOT_PERMITTED", times=1_000)
        execution = start_workflow(domain, numbers, ())
        decider = WorkflowDecider(domain, "default", [numbers])
        for _ in range(1_000):
            if execution.upstream().status == "CLOSED":
                break
            if not (decider.step_own() or decider.step()):
                endpoint.advance(1)
        closed = list(run_events(execution))[-1]
        assert isinstance(closed, RunClosed)
        assert closed.error is not None
        assert "refused to schedule number-1 8 times" in closed.error.message
        assert len(list(execution.events())) < 100


def test_b9_what_was_cancelled_is_cancelled_in_the_history(tmp_path):
    """Of the run and of its calls, live and as it is read from the log."""
    gate = Gate(tmp_path)

    @nbflow.activity
    def hold():
        gate.enter()

    @nbflow.workflow
    def flow():
        return hold().result()

    run = flow.start()
    gate.wait_for(1)
    eventually(lambda: run.profile.bars, "the log says that it runs")
    run.cancel()
    with pytest.raises(nbflow.RunCancelled):
        run.result()
    gate.open()
    found = nbflow.attach(run.id)
    assert (found.status, found.calls["hold-1"].status) == ("cancelled", "cancelled")
    assert [bar.status for bar in found.profile.bars] == ["cancelled"]


def test_b10_another_interpreter_can_run_an_activity_that_has_options():
    """A function for another Python takes all options, and has its context."""

    @nbflow.activity(retry=1, timeout=60)
    @nbflow.execute.python(sys.executable)
    def add(one, other):
        return one + other

    @nbflow.workflow
    def flow():
        return add.options(raises_on_failure=False)(1, 2).result()

    assert flow.start().result() == 3


def test_b10_its_errors_come_back_whole_and_its_caller_knows_its_call():
    """However long the message is; an activity that hands work on has its context as any."""

    @nbflow.activity(retry=1, timeout=60)
    @nbflow.execute.python(sys.executable)
    def broken(times):
        raise ValueError("all of it " * times)

    @nbflow.execute.python(sys.executable)
    def shout(text):
        return text.upper()

    @nbflow.activity(retry=1, timeout=60)
    def says():
        return shout(nbflow.context().call)

    @nbflow.workflow
    def flow():
        return [says().result(), str(broken(200).exception())]

    called, message = flow.start().result()
    assert called == "SAYS-1"
    assert message.count("all of it") >= 200


def test_b11_a_registered_type_is_compared_with_what_the_code_says():
    """`is_synced` is whether there is no difference, and `changes` names each; none is an error."""
    with emulator.running(limits=emulator.Limits(poll=1)) as endpoint:
        api = Api(endpoint.client(retries=1))
        domain = Domain(api=api, name="compared", retention=1).save()
        for kind in (ActivityType, WorkflowType):
            made = kind(api=api, domain=domain, name="work", version="1")
            assert (made.exists, made.is_synced) == (False, False)
            made.save()
            assert (made.exists, made.is_synced, made.changes) == (True, True, [])
            other = kind(api=api, domain=domain, name="work", version="1", description="another")
            assert (other.is_synced, [c[0] for c in other.changes]) == (False, ["description"])


def test_b12_a_time_limit_that_the_code_does_not_set_harms_no_history():
    """A history says what has happened, whatever the activity's options are now."""

    @nbflow.activity
    def work():
        return 1

    @nbflow.workflow
    def flow():
        try:
            return work().result()
        except nbflow.ActivityTimeout as error:
            return error.kind

    for kind in ("START_TO_CLOSE", "SCHEDULE_TO_START", "SCHEDULE_TO_CLOSE", "HEARTBEAT"):
        history = HistoryBuilder(flow)
        history.call("work-1").timed_out(kind)
        assert history.result() == kind


def test_b13_a_child_goes_to_the_task_list_that_is_asked_for():
    """That of its class, or another one for a single call."""

    class Child(nbflow.Workflow):
        name, task_list = "child", "of the class"

        def run(self):
            return 1

    @nbflow.workflow
    def flow():
        children: list[Any] = [nbflow.submit(Child), Child.options(task_list="x")()]
        return [child.result() for child in children]

    found = [c.call.activity for c in HistoryBuilder(flow).decide() if isinstance(c, Schedule)]
    assert [a.settings.task_list for a in found if a is not None] == ["of the class", "x"]


def test_b14_events_of_a_kind_that_is_not_known_are_passed_over(ran):
    """A log that another version wrote can be read."""
    run = flow_of(ran, ["a"]).start()
    run.result()
    text = encode(list(run.events()))
    more = text.replace("[[", '[["LambdaFunctionScheduled",[9,1.0,"x"]],[', 1)
    assert list(decode(more)) == list(decode(text))


def test_b15_what_is_listed_is_whole(ran):
    """Every event, every attempt, under a line of names; and any call can be run again."""
    flow = flow_of(ran, ["broken", *map(str, range(30))], retry=1)
    run = flow.start()
    run.result()
    rows = list(csv.reader(run.profile.to_csv().splitlines()))
    assert rows[0][:3] == ["call", "activity", "attempt"]
    assert [row[2] for row in rows[1:] if row[0] == "work-1"] == ["1", "2"]
    assert len(rows) == 1 + 32
    assert len([e for e in run.events() if isinstance(e, CallScheduled)]) == 31
    assert len([e for e in run.events() if isinstance(e, CallFailed)]) == 1
    before = ran.total()
    run.rerun("work-7").result()
    assert ran.count("5") == 2
    assert ran.total() > before


def test_b16_waiting_is_no_error_and_what_was_done_is_not_repeated(ran):
    """`except Exception` does not take the engine's own, and side effects are done once."""

    @nbflow.activity
    def work(x):
        return x

    @nbflow.workflow
    def flow():
        nbflow.side_effect(lambda: ran.act("side effect"))
        try:
            return work(1).result()
        except Exception:
            return "swallowed"

    history = HistoryBuilder(flow)
    history.marker("side_effect-1").gave(1)
    assert history.commands() == ["call work-1"]  # it waits, rather than giving "swallowed"
    history.call("work-1").succeeded(5)
    assert history.result() == 5
    assert ran.count("side effect") == 0
    run = flow.start()
    assert run.result() == 1
    assert nbflow.replay(run, workflow=flow).check().same_result
    assert ran.count("side effect") == 1


def test_b17_an_id_that_is_wrong_stops_nothing_else(tmp_path):
    """Who asks for a run that there is not gets an error, and no other run."""
    gate = Gate(tmp_path)

    @nbflow.activity
    def hold():
        gate.enter()
        return 1

    @nbflow.workflow
    def flow():
        return hold().result()

    run = flow.start()
    gate.wait_for(1)
    for wrong in ("nosuch", f"{run.id}x", ""):
        with pytest.raises(nbflow.RunNotFound):
            nbflow.attach(wrong).cancel()
    assert run.status == "running"
    gate.open()
    assert run.result() == 1


ORPHANS = """
import nbflow, os, sys
from pathlib import Path

where = Path(sys.argv[1])

@nbflow.activity
def hang():
    import os, time
    (where / f"worker-{os.getpid()}").touch()
    while True:
        time.sleep(0.05)

@nbflow.workflow
def flow():
    return [f.result() for f in [hang(), hang()]]

if __name__ == "__main__":
    nbflow.configure(store=where / "store")
    flow.on("processes", max_workers=2).start().result()
"""


def test_b18_no_worker_outlives_its_killed_parent(tmp_path):
    """Also where that is killed without a warning."""
    script = tmp_path / "script.py"
    script.write_text(ORPHANS, encoding="utf-8")
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env=env)
    try:
        eventually(lambda: len(list(tmp_path.glob("worker-*"))) == 2, "both workers run")
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    workers = [int(path.name.split("-")[1]) for path in tmp_path.glob("worker-*")]
    eventually(lambda: not any(map(_lives, workers)), "the workers end")


def _lives(pid):
    """Whether a process is there, and no mere entry that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_timers_and_waits_take_no_real_time_in_tests(ran):
    """There they really sleep, so that nobody tests them."""
    flow = flow_of(ran, ["broken"], retry=nbflow.Retry(attempts=2, wait=3600, cap=3600))
    with FakeClock(auto=True):
        assert flow.start().result() == ["broken"]


def test_every_defect_has_its_test():
    """None is forgotten: each number is shown here."""
    shown = {name.split("_")[1].upper() for name in globals() if name.startswith("test_b")}
    assert shown == {f"B{n}" for n in range(1, 19)}
