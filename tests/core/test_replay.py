"""Today's code held against old histories: in a replay, and when a run is resumed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.core.call import CallState
from nbflow.core.decide import Schedule, decide
from nbflow.core.describe import same
from nbflow.core.events import CallFailed, CallScheduled, Event, RunStarted
from nbflow.core.payload import Packed
from nbflow.core.workflow import definition
from nbflow.running.config import settings as config
from nbflow.store.memory import MemoryStore

WAIT = 30
RAN: list[Any] = []


@nbflow.activity
def fetch(x: Any) -> Any:
    """Give what it is given."""
    RAN.append(x)
    return x


@nbflow.activity
def clean(x: Any) -> Any:
    """Give what it is given."""
    RAN.append(("clean", x))
    return x


@nbflow.activity
def fail(x: Any) -> Any:
    """Fail, always."""
    RAN.append(("fail", x))
    message = f"refused {x}"
    raise ValueError(message)


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    """Begin with an empty list."""
    RAN.clear()


def resumed(events: list[Event], workflow: Any) -> nbflow.Run[Any]:
    """Go on where these events end."""
    store = MemoryStore()
    started, *rest = events
    assert isinstance(started, RunStarted)
    store.create("cut", started)
    if rest:
        store.append("cut", rest)
    config.store = store
    RAN.clear()
    return nbflow.attach("cut", store).resume(workflow)


# ---------------------------------------------------------------- a resume that cannot go on


@pytest.mark.case("U25")
def test_the_message_shows_both_and_the_ways_on() -> None:
    """Recorded and asked, where each was, what differs, the likely cause, and three ways on."""

    @nbflow.workflow(name="flow")
    def old(x: int) -> Any:
        first = fetch(x)
        return clean([first, x]).result()

    @nbflow.workflow(name="flow")
    def new(x: int) -> Any:
        first = fetch(x)
        return clean([first, x + 1]).result()

    run = old(3)
    run.result(WAIT)
    again = resumed(list(run.events())[:-1], new)
    with pytest.raises(nbflow.NondeterminismError) as caught:
        again.result(WAIT)
    lines = str(caught.value).splitlines()
    line = new.fn.__code__.co_firstlineno + 3
    assert lines[0] == "run cut cannot continue: clean-1 differs"
    assert lines[1].startswith("  recorded: clean([fetch-1,3])  [event ")
    assert lines[1].endswith("line 4 of run.source]")
    assert lines[2] == f"  now:      clean([fetch-1,4])  [test_replay.py, line {line}]"
    assert lines[3] == "  differs:  argument 1"
    assert "workflow's code was changed" in lines[4]
    assert "return clean([first, x + 1]).result()" in str(caught.value)
    assert "run.source" in str(caught.value)
    assert "nbflow.attach('cut').rerun('clean-1')" in str(caught.value)
    assert "nbflow.patched(" in str(caught.value)
    assert caught.value.difference.what == ("argument 1",)
    assert RAN == []
    assert again.status == "running"
    assert resumed(list(run.events())[:-1], old).result(WAIT) == [3, 3]


def test_dependencies_are_compared_too() -> None:
    """The same value from another call is a difference, named as one of dependencies."""
    flag = [0]

    @nbflow.workflow
    def flow() -> Any:
        parts = [fetch(1), fetch(1)]
        return clean(parts[flag[0]]).result()

    run = flow()
    run.result(WAIT)
    flag[0] = 1
    with pytest.raises(nbflow.NondeterminismError, match="fetch-1 then, fetch-2 now"):
        resumed(list(run.events())[:-1], flow).result(WAIT)
    assert RAN == []


@pytest.mark.case("U25")
def test_a_branch_that_flips_is_found_before_anything_runs() -> None:
    """A recorded success that is not asked for again, but another call in its place."""
    flag = [True]

    @nbflow.workflow
    def flow() -> Any:
        return (fetch(1) if flag[0] else clean(2)).result()

    run = flow()
    run.result(WAIT)
    flag[0] = False
    with pytest.raises(nbflow.NondeterminismError, match="fetch-1 differs") as caught:
        resumed(list(run.events())[:-1], flow).result(WAIT)
    assert caught.value.difference.recorded == "fetch(1)"
    assert caught.value.difference.now.startswith("clean(2)")
    assert RAN == []


def test_code_that_swallows_the_error_gets_no_further() -> None:
    """``except Exception`` in workflow code does not make a run of two halves."""
    value = [1]

    @nbflow.workflow
    def flow() -> Any:
        try:
            first = fetch(value[0]).result()
        except Exception:
            first = None
        return clean(first).result()

    run = flow()
    run.result(WAIT)
    value[0] = 2
    again = resumed(list(run.events())[:3], flow)
    with pytest.raises(nbflow.NondeterminismError, match="differs:  argument 1"):
        again.result(WAIT)
    assert RAN == []
    assert again.status == "running"


def test_code_that_ends_without_a_recorded_call_is_refused() -> None:
    """Live and decided, a run does not complete by a way that it has not taken."""
    ends = [False]

    @nbflow.workflow
    def flow() -> Any:
        return None if ends[0] else fetch(1).result()

    run = flow()
    run.result(WAIT)
    ends[0] = True
    events = list(run.events())[:-1]
    with pytest.raises(nbflow.NondeterminismError, match="not asked for: the code ends"):
        resumed(events, flow).result(WAIT)
    with pytest.raises(nbflow.NondeterminismError, match="not asked for: the code ends"):
        decide(definition(flow).fn, events, now=0)


def test_a_recorded_side_effect_is_owed_too() -> None:
    """Code that no longer asks for a side effect may have decided otherwise by it."""
    asks = [True]

    @nbflow.workflow
    def flow() -> Any:
        number = nbflow.side_effect(len, "abc") if asks[0] else 3
        return clean(number).result()

    run = flow()
    run.result(WAIT)
    asks[0] = False
    with pytest.raises(nbflow.NondeterminismError, match=r"recorded: nbflow.side_effect\(len\)"):
        resumed(list(run.events())[:2], flow).result(WAIT)
    assert RAN == []


def test_unequal_pickles_are_no_difference() -> None:
    """Equal values may be pickled otherwise, in another order of a set for one."""
    first, other = (
        CallState("fetch-1", "fetch", (Packed("pickle", data), 1)) for data in (b"a", b"b")
    )
    assert same(first, other)
    assert not same(first, CallState("fetch-1", "fetch", (Packed("pickle", b"a"), True)))
    assert not same(first, CallState("fetch-1", "fetch", (Packed("json", "[]"), 1)))


def test_more_calls_after_the_end_of_the_history_are_fine() -> None:
    """Code that asks for all that was recorded may ask for more, in between as well."""

    @nbflow.workflow(name="flow")
    def old() -> Any:
        return [fetch(1), fetch(2), fail(3)]

    @nbflow.workflow(name="flow")
    def new() -> Any:
        first, noted = fetch(1), clean("noted")
        return [first, fetch(2), noted, clean(3)]

    run = old()
    with pytest.raises(ValueError, match="refused 3"):
        run.result(WAIT)
    RAN.clear()
    assert run.resume(new).result(WAIT) == [1, 2, "noted", 3]
    assert sorted(map(str, RAN)) == ["('clean', 'noted')", "('clean', 3)"]


def test_a_value_that_is_new_may_not_decide_what_was_asked() -> None:
    """Waiting for a new call before the recorded ones are asked for is a difference."""

    @nbflow.workflow(name="flow")
    def old() -> Any:
        return fetch(1).result()

    @nbflow.workflow(name="flow")
    def new() -> Any:
        return fetch(clean(1).result()).result()

    run = old()
    run.result(WAIT)
    events = list(run.events())[:-1]
    with pytest.raises(nbflow.NondeterminismError, match=r"now:      clean\(1\)"):
        resumed(events, new).result(WAIT)
    assert RAN == []
    commands = decide(definition(old).fn, events[:1], now=0)
    assert [type(c) for c in commands] == [Schedule]
    with pytest.raises(nbflow.NondeterminismError):
        decide(definition(new).fn, events, now=0)


def test_what_followed_a_failure_that_runs_anew_need_not_be_asked_again() -> None:
    """Handling an error asked for calls; when the failed call succeeds they are not wanted."""
    broken = [True]

    @nbflow.activity
    def shaky() -> str:
        if broken[0]:
            message = "down"
            raise OSError(message)
        return "up"

    @nbflow.workflow
    def flow() -> Any:
        try:
            return shaky().result()
        except OSError:
            fetch("handled").result()
            return fail("then").result()

    run = flow()
    with pytest.raises(ValueError, match="refused then"):
        run.result(WAIT)
    broken[0] = False
    assert run.resume(flow).result(WAIT) == "up"


def test_not_a_number_is_itself() -> None:
    """An argument that is NaN is the same NaN in a replay."""

    @nbflow.workflow
    def flow() -> Any:
        return str(fetch(float("nan")).result())

    run = flow()
    assert run.result(WAIT) == "nan"
    assert nbflow.replay(run, flow).check().same_result
    assert resumed(list(run.events())[:3], flow).result(WAIT) == "nan"


def test_one_pickled_argument_does_not_hide_the_others() -> None:
    """Pickles are not compared; what stands beside them is."""
    value = [1]

    @nbflow.activity
    def two(a: Any, b: Any) -> Any:
        return b

    @nbflow.workflow
    def pair() -> Any:
        return two({1, 2}, value[0]).result()

    run = pair()
    run.result(WAIT)
    value[0] = 2
    assert nbflow.replay(run, pair).difference.what == ("argument 2",)  # type: ignore[union-attr]


def test_a_history_with_a_hole_is_not_decided() -> None:
    """A page that is missing, or pages out of order, must not look like another run."""

    @nbflow.workflow
    def flow() -> Any:
        return [fetch(1), fetch(2)]

    run = flow()
    run.result(WAIT)
    events = list(run.events())[:-1]
    for bad in ([*events[:2], *events[3:]], [events[0], *reversed(events[1:])], events[1:]):
        with pytest.raises(nbflow.NbflowError, match=r"history is not whole|does not begin"):
            decide(definition(flow).fn, bad, now=0)


# ---------------------------------------------------------------- replays


def test_a_replay_runs_and_writes_nothing() -> None:
    """No activity runs, and neither the store nor the log changes."""

    @nbflow.workflow
    def flow(x: int) -> Any:
        return clean(fetch(x)).result()

    run = flow(4)
    run.result(WAIT)
    before = list(run.events())
    RAN.clear()
    replay = nbflow.replay(run, flow)
    assert replay.check() is replay
    assert replay
    assert (replay.run, replay.workflow, replay.calls) == (run.id, "flow", 2)
    assert replay.complete
    assert replay.same_result
    assert RAN == []
    assert list(run.events()) == before
    assert len(nbflow.runs()) == 1
    assert nbflow.replay(run.id, flow).ok
    assert "takes the recorded way to its end (2 calls)" in repr(replay)


def test_another_result_is_told_but_is_no_difference() -> None:
    """What the code makes of the same values may change."""

    @nbflow.workflow(name="flow")
    def old() -> Any:
        return fetch(1).result()

    @nbflow.workflow(name="flow")
    def new() -> Any:
        return fetch(1).result() + 1

    replay = nbflow.replay(old() if (run := old()).wait(WAIT) is None else run, new)
    assert replay.ok
    assert replay.same_result is False
    assert "Its result would be another one now" in repr(replay)


def test_runs_that_are_not_over_replay_as_far_as_they_go() -> None:
    """A run that was cut off, cancelled or failed may go on differently behind its end."""

    @nbflow.workflow(name="flow")
    def old() -> Any:
        other = fetch(2)
        return clean([fetch(1), fail(3), other]).result()

    @nbflow.workflow(name="flow")
    def mended() -> Any:
        other = fetch(2)
        first = fetch(1)
        fail(3).exception()
        return clean([first, other]).result()

    run = old()
    with pytest.raises(ValueError, match="refused 3"):
        run.result(WAIT)
    assert nbflow.replay(run, old).ok
    assert not nbflow.replay(run, mended).complete
    events = tuple(run.events())
    for cut in range(1, len(events)):
        history = nbflow.RunHistory(run.id, events[:cut], bytes.fromhex)
        assert nbflow.replay(history, old).ok, cut


def test_many_replays_are_told_together() -> None:
    """All runs of a workflow at once: how many fit, and each that does not, in full."""
    value = [1]

    @nbflow.workflow
    def flow() -> Any:
        return fetch(value[0]).result()

    @nbflow.workflow
    def other() -> Any:
        return 1

    flow().result(WAIT)
    other().result(WAIT)
    value[0] = 2
    flow().result(WAIT)
    found = nbflow.Replay.all(workflow=flow)
    assert [one.ok for one in found] == [True, False]
    assert not found.ok
    assert len(found.failed) == 1
    assert repr(found).startswith("1 of 2 replays take the recorded way\n")
    with pytest.raises(nbflow.NondeterminismError, match="fetch-1 differs"):
        found.check()
    missing = nbflow.Replay.all(["no-such-run"], flow)
    assert isinstance(missing[0].error, nbflow.RunNotFound)


def test_a_replay_needs_the_workflow_of_the_run() -> None:
    """Another workflow, or something that is no run, is refused by name."""

    @nbflow.workflow
    def flow() -> int:
        return 1

    @nbflow.workflow
    def other() -> int:
        return 1

    run = flow()
    run.result(WAIT)
    with pytest.raises(nbflow.DefinitionError, match="one of workflow flow, not of other"):
        nbflow.replay(run, other)
    with pytest.raises(TypeError, match="takes a run, its id, or a history, not int"):
        nbflow.replay(3, flow)  # type: ignore[arg-type]


# ---------------------------------------------------------------- files


def finished(value: Any = 1) -> nbflow.Run[Any]:
    """Give a run that is over."""

    @nbflow.workflow(name="flow")
    def flow(x: Any) -> Any:
        return fetch(x).result()

    run = flow(value)
    run.result(WAIT)
    return run


@nbflow.workflow(name="flow")
def flow_of_files(x: Any) -> Any:
    """Ask for one call."""
    return fetch(x).result()


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.gz"])
@pytest.mark.parametrize("value", [1, "long" * 30_000, {1, 2}, [float("inf")]], ids=type)
def test_an_exported_history_is_the_whole_run(tmp_path: Path, name: str, value: Any) -> None:
    """The file has events and large values, and replays without the store."""
    run = finished(value)
    file = run.export_history(tmp_path / name)
    history = nbflow.load_history(file)
    assert history.run == run.id
    assert history.events == tuple(run.events())
    assert "events>" in repr(history)
    config.store = MemoryStore()
    assert nbflow.replay(file, flow_of_files).ok
    assert nbflow.replay(str(file), flow_of_files).same_result in {True, None}


def test_pickles_of_somebody_else_are_loaded_on_request_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To load a pickle runs code, so a history that was not exported here asks for trust."""
    file = finished({1, 2}).export_history(tmp_path / "run.jsonl")
    lines = file.read_text().splitlines()
    head = json.loads(lines[0])
    head["run"] = "another"  # no signature is good for it
    file.write_text("\n".join([json.dumps(head), *lines[1:]]))
    with pytest.raises(nbflow.PickleRefused):
        nbflow.replay(file, flow_of_files)
    assert nbflow.replay(nbflow.load_history(file, trust=True), flow_of_files).ok


def _damaged(lines: list[str], what: str) -> str:
    head, *events = lines
    newer = json.dumps({**json.loads(head), "format": 99})
    return {
        "empty": "",
        "no history": "hello\n",
        "no head": "\n".join(events),
        "cut off": "\n".join([*lines[:2], lines[2][:20]]),
        "a hole": "\n".join([*lines[:2], *lines[3:]]),
        "newer": "\n".join([newer, *events]),
        "no start": "\n".join([head, lines[2].replace("[2,", "[1,", 1)]),
        "head only": head,
        "bad blob": "\n".join([*lines, '{"blob": "00", "data": "AAAA"}']),
        "not an event": "\n".join([*lines[:2], "3"]),
    }[what]


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("empty", "line 1: the file ends before the first event"),
        ("no history", "line 1: it cannot be read"),
        ("no head", "line 1: a history begins with a line that names nbflow"),
        ("cut off", "line 3: it cannot be read"),
        ("a hole", "line 3: event 3 follows event 1: the history is not whole"),
        ("newer", "line 1: it was written by a newer nbflow"),
        ("no start", "line 2: the first event is not that the run was started"),
        ("head only", "the file ends before the first event"),
        ("bad blob", "the bytes of value 00 are not what they were"),
        ("not an event", "line 3: it cannot be read"),
    ],
)
def test_a_damaged_history_says_which_line(tmp_path: Path, what: str, message: str) -> None:
    """One clear error: the file, the line, why, and that nothing was loaded."""
    file = finished().export_history(tmp_path / "run.jsonl")
    file.write_text(_damaged(file.read_text().splitlines(), what))
    with pytest.raises(nbflow.StoreError, match=message) as caught:
        nbflow.load_history(file)
    assert "run.jsonl" in str(caught.value)
    assert str(caught.value).endswith("Nothing was loaded")


def test_what_is_no_text_is_no_history(tmp_path: Path) -> None:
    """A picture, or a broken archive, is refused by name; a missing file is as usual."""
    file = tmp_path / "run.jsonl"
    for data in (b"\xff\xfe\x00", gzip.compress(b"x")[:-4]):
        file.write_bytes(data)
        with pytest.raises(nbflow.StoreError, match=r"run.jsonl is no history of a run"):
            nbflow.load_history(file)
    with pytest.raises(FileNotFoundError):
        nbflow.load_history(tmp_path / "none.jsonl")
    with pytest.raises(ValueError, match="cannot save the history"):
        finished().export_history(tmp_path / "run.txt")


def test_older_and_newer_events_can_be_read(tmp_path: Path) -> None:
    """Fields that are missing have their defaults; kinds that are not known are passed over."""
    file = finished().export_history(tmp_path / "run.jsonl")
    head, *events = map(json.loads, file.read_text().splitlines())
    del head["format"]
    scheduled = next(e for e in events if e[0] == "CallScheduled")
    scheduled[1] = scheduled[1][:5]
    events[-1][1][0] += 1
    events.insert(-1, ["SomethingNew", [events[-1][1][0] - 1, 0.0, {"a": 1}]])
    file.write_text("\n".join(map(json.dumps, [head, *events])))
    history = nbflow.load_history(file)
    assert nbflow.replay(history, flow_of_files).check().same_result
    (read,) = [e for e in history.events if isinstance(e, CallScheduled)]
    assert read.turn == 0
    assert not [e for e in history.events if isinstance(e, CallFailed)]


def test_a_run_that_went_on_as_new_replays_to_there() -> None:
    """Its end is that the code goes on in another run; to end otherwise is a difference."""

    @nbflow.workflow(name="rounds")
    def rounds(left: int) -> Any:
        found = fetch(left).result()
        if left:
            nbflow.continue_as_new(left - 1)
        return found

    @nbflow.workflow(name="rounds")
    def once(left: int) -> Any:
        return fetch(left).result()

    run = rounds(1)
    run.wait(WAIT)
    replay = nbflow.replay(run.history(), rounds).check()
    assert replay.complete
    assert nbflow.replay(run.history(), once).difference.call == "the end"  # type: ignore[union-attr]
