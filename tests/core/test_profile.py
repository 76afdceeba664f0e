"""Where the time of a run went."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nbflow.core.events import (
    CallFailed,
    CallScheduled,
    CallStarted,
    CallSucceeded,
    Event,
    Report,
    RunClosed,
    RunResumed,
    RunStarted,
)
from nbflow.core.failure import Failure
from nbflow.core.profile import Profile
from tests.viz.runlog import revenue, simulate

OOPS = Failure(kind="OSError", bases=("OSError",), message="oops")


def log(*events: tuple[type, float, dict[str, object]]) -> list[Event]:
    """Make a log of a run that begins at 0."""
    found: list[Event] = [RunStarted(1, 0.0, "flow", (), {})]
    for kind, at, fields in events:
        found.append(kind(len(found) + 1, at, **fields))
    return found


def asked(call: str, *deps: str, at: float = 0.0) -> tuple[type, float, dict[str, object]]:
    """Ask for a call."""
    return CallScheduled, at, {"call": call, "activity": call.partition("-")[0], "deps": deps}


def did(call: str, worker: str, start: float, end: float) -> tuple[type, float, dict[str, object]]:
    """Let a call succeed, as reported by its worker."""
    report = Report.between(worker, start, end, cpu=end - start)._asdict()
    return CallSucceeded, end, {"call": call, "attempt": 1, "result": None, **report}


def path(profile: Profile) -> list[tuple[str, int, str]]:
    """Give the critical path in short."""
    return [(s.bar.call, s.bar.attempt, s.because) for s in profile.critical_path()]


def test_the_critical_path_goes_through_dependencies_and_workers() -> None:
    """Going back: the dependency or the bar before on the worker, whichever ended last."""
    profile = Profile.of(
        log(
            asked("a-1"),
            asked("b-1"),
            asked("c-1", "a-1"),
            did("a-1", "w1", 0.0, 1.0),
            did("b-1", "w2", 0.0, 3.0),
            did("c-1", "w2", 3.0, 4.0),
            (RunClosed, 4.0, {"status": "completed"}),
        )
    )
    assert path(profile) == [("b-1", 1, "start"), ("c-1", 1, "worker")]
    assert profile.wall() == 4.0
    assert profile.busy() == 5.0
    assert profile.efficiency() == 5.0 / 8.0
    assert profile.idle() == {"w1": 3.0, "w2": 0.0}
    assert next(bar.queued for bar in profile.bars if bar.call == "c-1") == 2.0


def test_a_back_off_is_on_the_critical_path_by_the_attempt_before_it() -> None:
    """An attempt that waited for its back-off was let start by the failure, not by its worker."""
    failed = {
        "call": "a-1",
        "attempt": 1,
        "error": OOPS,
        "retry_at": 5.0,
        "report": Report.between("w1", 0.0, 1.0),
    }
    again = {"call": "a-1", "attempt": 2, "result": 1, **Report.between("w2", 5.0, 6.0)._asdict()}
    profile = Profile.of(
        log(
            asked("a-1"),
            asked("b-1"),
            (CallFailed, 1.0, failed),
            did("b-1", "w2", 0.0, 3.0),
            (CallSucceeded, 6.0, again),
        )
    )
    assert path(profile) == [("a-1", 1, "start"), ("a-1", 2, "retry")]
    (summary,) = [s for s in profile.by_activity() if s.activity == "a"]
    assert (summary.calls, summary.attempts, summary.failed) == (1, 2, 1)


def test_what_the_workflow_waited_for_is_on_the_critical_path() -> None:
    """A call asked for after the code read another's result was let start by that other one."""
    profile = Profile.of(
        log(
            asked("a-1"),
            asked("b-1"),
            did("a-1", "w1", 0.0, 1.0),
            did("b-1", "w2", 0.0, 3.0),
            (
                CallScheduled,
                3.1,
                {"call": "c-1", "activity": "c", "turn": 1, "after": ("a-1", "b-1")},
            ),
            did("c-1", "w1", 3.1, 4.0),
        )
    )
    assert path(profile) == [("b-1", 1, "start"), ("c-1", 1, "workflow")]


def test_a_bar_that_runs_grows_until_it_is_ended() -> None:
    """A started call is a bar without an end; it is measured up to now."""
    profile = Profile.of(
        log(asked("a-1"), (CallStarted, 1.0, {"call": "a-1", "attempt": 1, "worker": "w"}))
    )
    (bar,) = profile.bars
    assert bar.ended is None
    assert bar.seconds(now=4.0) == 3.0
    assert profile.wall(now=4.0) == 4.0
    assert profile.critical_path() == []


def test_a_run_without_calls_has_figures() -> None:
    """An empty run has no bars, and no figure fails."""
    profile = Profile.of(log((RunClosed, 2.0, {"status": "completed"})))
    assert profile.bars == []
    assert (profile.wall(), profile.busy(), profile.efficiency()) == (2.0, 0.0, 0.0)
    assert profile.by_activity() == []


def test_what_runs_anew_is_ready_when_the_run_is_resumed() -> None:
    """The time in which nobody drove a run is not time that its calls were queued."""
    report = Report.between("w1", 0.0, 1.0)
    events: list[Event] = [
        RunStarted(1, 0.0, "w", (), {}),
        CallScheduled(2, 0.0, "a-1", "a"),
        CallScheduled(3, 0.0, "b-1", "b", deps=("a-1",)),
        CallSucceeded(4, 1.0, "a-1", 1, 1, *report),
        RunClosed(5, 1.0, "cancelled"),
        RunResumed(6, 100.0, "", ("a-1", "b-1")),
        CallSucceeded(7, 102.0, "a-1", 1, 1, "w1", 101.0, 10**9),
        CallSucceeded(8, 104.0, "b-1", 1, 1, "w1", 103.0, 10**9),
    ]
    bars = Profile.of(events).bars
    assert [(bar.call, bar.ready, bar.started) for bar in bars] == [
        ("a-1", 0.0, 0.0),
        ("a-1", 100.0, 101.0),
        ("b-1", 102.0, 103.0),
    ]


@given(st.lists(st.floats(0, 0.05), min_size=64, max_size=64))
def test_times_that_go_back_a_little_lengthen_and_shorten_nothing(back: list[float]) -> None:
    """Events are written a moment late: how long bars are is what workers measured."""
    events = simulate(revenue(6), failing={"fetch-2"})
    late = [events[0]] + [
        event._replace(at=max(events[0].at, event.at - back[n % len(back)]))
        for n, event in enumerate(events[1:])
    ]
    known, found = Profile.of(events), Profile.of(late)
    assert [(b.call, b.started, b.ended) for b in found.bars] == [
        (b.call, b.started, b.ended) for b in known.bars
    ]
    assert found.latest == max(event.at for event in late)
    assert all(bar.queued >= 0 for bar in found.bars)
    assert found.busy() == known.busy()
    assert found.critical_path()[-1].bar.call == known.critical_path()[-1].bar.call
    moment = Profile()
    for event in late:  # as a panel sees it, event by event
        moment.apply(event)
        assert moment.wall() >= 0
        assert all(bar.seconds(moment.latest) >= 0 for bar in moment.bars)
