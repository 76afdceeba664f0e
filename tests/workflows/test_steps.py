"""Steps: done once for a scope, unless somebody says otherwise."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.events import CallScheduled, RunStarted
from nbflow.core.stepnotes import Mark, Wish
from nbflow.store.marks import FileMarks, MemoryMarks
from nbflow.store.recovery import recover
from nbflow.store.sqlite import SqliteStore
from nbflow.testing import FaultTable, HistoryBuilder


@pytest.fixture
def ran(tmp_path):
    """Count what is really run."""
    return FaultTable(tmp_path / "ran", {"broken": [OSError("away")]})


@pytest.fixture
def flow(ran):
    """Give a workflow with the steps load.eu, load.us and report."""

    @nbflow.activity
    def work(name):
        ran.act(name)
        return name

    @nbflow.workflow
    def nightly(day, names=("load.eu", "load.us", "report"), **options):
        steps = nbflow.Steps(f"nightly/{day}")
        return [steps.step(n, (work, n), **options).submit().result() for n in names]

    return nightly


def status(run):
    """Give what became of each step."""
    return {row.step: row.status for row in run.steps}


def test_a_step_that_is_done_is_not_done_again(flow, ran):
    """A later run of the same scope skips it; one of another scope does not."""
    first = flow.start("mon")
    assert first.result() == [["load.eu"], ["load.us"], ["report"]]
    assert set(status(first).values()) == {"completed"}
    second = flow.start("mon")
    assert second.result() == [None, None, None]
    assert set(status(second).values()) == {"skipped"}
    assert second.steps[0].reasons == ("it was done before",)
    assert ran.total() == 3
    flow.start("tue").result()
    assert ran.total() == 6
    assert nbflow.done_steps("nightly/mon")["report"].run == first.id
    assert len(nbflow.done_steps()) == 6


def test_only_what_succeeded_is_done(flow, ran):
    """A step that failed is tried by the next run, what came before it is not."""
    with pytest.raises(nbflow.AggregateException, match="of broken") as caught:
        flow.start("mon", ["load.eu", "broken", "report"]).result()
    assert str(caught.value.exceptions[0]) == "away"
    assert list(nbflow.done_steps("nightly/mon")) == ["load.eu"]
    assert flow.start("mon", ["load.eu", "broken", "report"]).result() == [
        None,
        ["broken"],
        ["report"],
    ]
    assert (ran.count("load.eu"), ran.count("broken"), ran.count("report")) == (1, 2, 1)


def test_a_resumed_run_goes_on_with_its_steps(flow, ran):
    """What it did before it failed is not done again, and not skipped either."""
    run = flow.start("mon", ["load.eu", "broken"])
    with pytest.raises(nbflow.AggregateException):
        run.result()
    resumed = run.resume()
    assert resumed.result() == [["load.eu"], ["broken"]]
    assert ran.count("load.eu") == 1
    assert status(resumed) == {"load.eu": "completed", "broken": "completed"}


@pytest.mark.parametrize(
    ("pattern", "runs"),
    [
        ("load.eu", {"load.eu"}),
        ("load", {"load.eu", "load.us"}),
        ("load.*", {"load.eu", "load.us"}),
        ("*.us", {"load.us"}),
        ("*", {"load.eu", "load.us", "report"}),
        ("lo", set()),
    ],
)
def test_who_starts_a_run_may_force_steps(flow, pattern, runs):
    """By a name, one above it, or a pattern; the others stay done."""
    flow.start("mon").result()
    run = flow.options(force_steps=[pattern]).start("mon")
    run.result()
    assert {name for name, how in status(run).items() if how == "completed"} == runs
    assert {row.step for row in run.steps if row.forced} == runs


def test_steps_can_be_skipped_and_force_is_stronger(flow):
    """A step that both are said of runs, and one that is skipped is not done by that."""
    run = flow.options(skip_steps=["load"], force_steps=["load.eu"]).start("mon")
    assert run.result() == [["load.eu"], None, ["report"]]
    assert next(run.events()).tags == ("force-step:load.eu", "skip-step:load")
    assert sorted(nbflow.done_steps("nightly/mon")) == ["load.eu", "report"]
    assert run.steps[1].reasons == ("skipped by tag skip-step:load",)


def test_the_environment_may_force_and_skip(flow, monkeypatch):
    """And what it said is in the log: a replay elsewhere takes the same way."""
    flow.start("mon").result()
    monkeypatch.setenv("NBFLOW_FORCE_STEPS", "load.eu, report")
    monkeypatch.setenv("NBFLOW_SKIP_STEPS", "load.us")
    run = flow.start("mon")
    assert run.result() == [["load.eu"], None, ["report"]]
    monkeypatch.delenv("NBFLOW_FORCE_STEPS")
    assert nbflow.replay(run, workflow=flow).check().same_result


def test_a_replay_does_not_ask_the_store_again(flow):
    """What was noted or forgotten since makes no difference to a run that has been."""
    run = flow.start("mon")
    run.result()
    assert nbflow.replay(run, workflow=flow).check().same_result
    assert sorted(nbflow.forget_steps("nightly/mon", "load")) == ["load.eu", "load.us"]
    assert nbflow.replay(run, workflow=flow).check().same_result
    assert list(nbflow.done_steps("nightly/mon")) == ["report"]
    assert flow.start("mon").result() == [["load.eu"], ["load.us"], None]


def test_a_step_may_force_others(ran):
    """Only if it runs, and only those that are begun afterwards."""

    @nbflow.activity
    def work(name):
        ran.act(name)

    @nbflow.workflow
    def flow(day):
        steps = nbflow.Steps("s")
        steps.step("early", (work, "early")).submit().result()
        steps.step(f"load {day}", (work, day), force_steps_if_executed=["late"]).submit().result()
        steps.step("late", (work, "late")).submit().result()

    flow.start("mon").result()
    flow.start("tue").result()
    flow.start("tue").result()
    assert {n: ran.count(n) for n in ("early", "mon", "tue", "late")} == {
        "early": 1,
        "mon": 1,
        "tue": 1,
        "late": 2,
    }


def test_something_else_may_be_asked_for_instead(ran):
    """Where a step is skipped, its result is that of what stands in its place."""

    @nbflow.activity
    def load():
        ran.act("load")
        return "loaded"

    @nbflow.activity
    def read():
        return "read again"

    @nbflow.activity
    def join(parts):
        return parts

    @nbflow.workflow
    def flow():
        step = nbflow.Steps("s").step("load", load, activities_if_step_already_done=read)
        return join(step.submit()).result()

    assert flow.start().result() == ["loaded"]
    assert flow.start().result() == ["read again"]
    assert ran.count("load") == 1


def test_a_step_tells_that_it_is_over():
    """By a signal to the run itself, whether it ran or was skipped."""

    @nbflow.activity
    def load():
        return 1

    @nbflow.workflow
    def flow():
        nbflow.Steps("s").step("load", load, emit_signal=True).submit()
        return nbflow.wait_signal("step.load").result()

    assert flow.start().result() == "completed"
    assert flow.start().result() == "skipped"


def test_what_is_composed_goes_on_while_the_code_waits_for_something_else():
    """The next item of a chain is asked for meanwhile: what is waited for may depend on it."""
    named = threading.Event()

    @nbflow.activity
    def work(name):
        return name

    @nbflow.activity
    def tell():
        assert named.wait(30)
        run.signal("told", "by the chain")

    @nbflow.workflow
    def flow():
        chain = nbflow.Chain((work, 1), tell).submit()
        told = nbflow.wait_signal("told").result()
        return [told, chain.result()[0]]

    run = flow.start()
    named.set()
    assert run.result() == ["by the chain", 1]
    assert nbflow.replay(run, workflow=flow).check().same_result


def test_steps_are_items_and_groups_of_the_graph():
    """In a chain they run one after the other, and their calls belong to them."""

    @nbflow.activity
    def work(name):
        return name

    @nbflow.workflow
    def flow():
        steps = nbflow.Steps("s")
        return (
            nbflow.Chain(
                steps.step("a", nbflow.Group((work, 1), (work, 2))),
                steps.step("b", (work, 3)),
                name="all",
            )
            .submit()
            .result()
        )

    run = flow.start()
    assert run.result() == [[1, 2], [3]]
    groups = {e.call: e.group for e in run.events() if isinstance(e, CallScheduled)}
    assert groups == {
        "work-1": "all/a/group-1",
        "work-2": "all/a/group-1",
        "work-3": "all/b",
    }
    assert flow.start().result() == [None, None]


def test_the_note_is_written_after_the_work_and_a_decider_asks_for_it():
    """Each thing that is read or noted is a marker; nothing is noted by deciding."""

    @nbflow.activity
    def load():
        return 1

    @nbflow.workflow
    def flow():
        return nbflow.Steps("s").step("load", load).submit().result()

    history = HistoryBuilder(flow)
    assert history.commands() == ["record side_effect-1"]
    history.marker("side_effect-1").gave({"done": {}, "force": [], "skip": []})
    assert history.commands() == ["record side_effect-2"]  # it is scheduled
    history.marker("side_effect-2").gave({})
    assert history.commands() == ["call load-1"]
    history.call("load-1").succeeded(7)
    assert history.commands() == ["record side_effect-3"]  # it is done
    history.marker("side_effect-3").gave({})
    assert history.result() == [7]
    assert nbflow.done_steps("s") == {}
    done = HistoryBuilder(flow).marker("side_effect-1")
    skipped = done.gave({"done": {"load": ["before", 1.0]}, "force": [], "skip": []})
    skipped.marker("side_effect-2").gave({})
    assert skipped.result() is None


def test_a_note_that_cannot_be_written_fails_the_step(ran, monkeypatch):
    """And the run can be resumed from there: the work is not done again."""

    @nbflow.activity
    def load():
        ran.act("load")
        return 1

    @nbflow.workflow
    def flow():
        return nbflow.Steps("s").step("load", load).submit().result()

    def full(*_):
        raise nbflow.StoreError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryMarks, "mark", full)
        run = flow.start()
        with pytest.raises(nbflow.AggregateException, match="of load") as caught:
            run.result()
    assert "disk is full" in str(caught.value.exceptions)
    assert run.resume().result() == [1]
    assert ran.count("load") == 1
    assert list(nbflow.done_steps("s")) == ["load"]


def test_wrong_use_is_said():
    """Outside workflow code, and with names that are none."""
    with pytest.raises(nbflow.FutureMisuse, match="workflow code"):
        nbflow.Steps("s")

    @nbflow.workflow
    def flow(scope, name, **options):
        nbflow.Steps(scope).step(name, **options).submit().result()

    for scope, name in (("", "a"), ("s", ""), ("s", "a/b"), ("x" * 81, "a")):
        with pytest.raises(nbflow.DefinitionError):
            flow.start(scope, name).result()
    with pytest.raises(nbflow.DefinitionError, match="force_steps are a list"):
        flow.options(force_steps="load")
    with pytest.raises(nbflow.DefinitionError, match="list of names of steps"):
        flow.start("s", "a", force_steps_if_executed="b").result()


def test_a_store_without_notes_says_so(monkeypatch):
    """One of somebody else's, that was written before there were steps."""
    monkeypatch.setattr("nbflow.running.steps.getattr", lambda *_: None, raising=False)
    with pytest.raises(nbflow.RunError, match="notes no steps"):
        nbflow.done_steps("s")


NAMES = st.text(min_size=1, max_size=20)


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(NAMES, st.tuples(NAMES, st.floats(0, 2e9)).map(lambda m: Mark(*m)), max_size=5),
    NAMES,
)
def test_notes_come_back(tmp_path_factory, notes, scope):
    """On the disk as in memory, whatever their names, and until they are forgotten."""
    directory = tmp_path_factory.mktemp("marks")
    memory = MemoryMarks()
    for name, mark in notes.items():
        FileMarks(directory).mark(scope, name, mark)
        memory.mark(scope, name, mark)
    found = FileMarks(directory)
    assert found.done(scope) == memory.done(scope) == notes
    assert found.scopes() == memory.scopes() == ([scope] if notes else [])
    assert found.done(f"{scope}!") == {}
    for name in notes:
        found.forget(scope, name)
        memory.forget(scope, name)
        found.forget(scope, name)  # a second time is no error
    assert found.done(scope) == memory.done(scope) == {}
    assert found.scopes() == memory.scopes() == []
    assert not [path for path in directory.parent.iterdir() if path.name.startswith("=")]


def test_a_recovered_store_has_its_notes(tmp_path):
    """What was done is not done again because a file was damaged."""
    old = SqliteStore(tmp_path / "old")
    old.create("run", RunStarted(1, 1.0, "flow", (), {}))
    old.marks.mark("s/../t", "load", Mark("run", 1.0))
    old.close()
    account = recover(tmp_path / "old", tmp_path / "new")
    assert "steps that are done" in str(account)
    assert SqliteStore(tmp_path / "new").marks.done("s/../t") == {"load": Mark("run", 1.0)}


def test_notes_outlive_their_process(tmp_path):
    """A store on the disk that is opened anew has them."""
    nbflow.configure(store=tmp_path / "store")

    @nbflow.activity
    def load():
        return 1

    @nbflow.workflow
    def flow():
        return nbflow.Steps("a/../b").step("load", load).submit().result()

    run = flow.start()
    assert run.result() == [1]
    nbflow.configure(store=tmp_path / "other")
    assert nbflow.done_steps("a/../b") == {}
    nbflow.configure(store=tmp_path / "store")
    assert nbflow.done_steps("a/../b")["load"].run == run.id


@given(st.lists(st.sampled_from("ab"), min_size=1, max_size=4).map(".".join))
def test_a_name_stands_for_itself_and_what_is_below_it(name):
    """And for nothing beside it."""
    assert Wish(name, "").of(name)
    assert Wish(name, "").of(f"{name}.x")
    assert not Wish(name, "").of(f"{name}x")
    assert Wish("*", "").of(name)
