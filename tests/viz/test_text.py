from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbflow.core.graph import Graph
from nbflow.core.profile import Profile
from nbflow.viz.lanes import bins, lanes, ticks
from nbflow.viz.text import graph_text, profile_text
from nbflow.viz.views import GraphView, ProfileView
from nbflow.viz.wording import TIMES, clean, columns, cut, cut_id, cut_start, duration, fill
from tests.viz.runlog import HOSTILE, RunLog, hostile, revenue, simulate


def is_inert(text: str) -> bool:
    return all(char == "\n" or char.isprintable() for char in text)


@given(st.text())
@example(HOSTILE)
def test_clean_text_has_no_invisible_character(text: str) -> None:
    """Whatever a name holds, what is shown of it can only be read; plain names stay as they are."""
    found = clean(text)
    assert found.isprintable()
    if text.isprintable() and len(text) <= 300:
        assert found == text


@given(st.text(), st.integers(0, 40))
def test_cut_text_fits(text: str, room: int) -> None:
    """Text that is cut takes no more columns than there are, wide characters counted twice."""
    text = clean(text)
    for how in (cut, cut_start, cut_id):
        assert columns(how(text, room)) <= room
    assert columns(fill(text, room)) == room


@pytest.mark.parametrize(
    ("room", "expected"), [(8, "fetch-12"), (7, "fetc…12"), (5, "fe…12"), (4, "12"), (1, "")]
)
def test_a_short_id_keeps_its_number(room, expected):
    """Of an id the number says most: it goes last."""
    assert cut_id("fetch-12", room) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, "0 s"),
        (0.00004, "0.0 ms"),
        (0.0123, "12 ms"),
        (0.9996, "1.00 s"),
        (1.337, "1.34 s"),
        (59.99, "1m 00s"),
        (75, "1m 15s"),
        (3700, "1h 01m"),
    ],
)
def test_durations_are_written_for_people(seconds, expected):
    """Three figures are enough, and none is rounded into the next unit."""
    assert duration(seconds) == expected


@given(st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_are_few_round_and_inside(length: float, most: int) -> None:
    """An axis has from one to `most` ticks (one more where steps are of minutes), from 0 on."""
    found = ticks(length, most)
    assert found[0] == (0.0, "0")
    assert 1 <= len(found) <= most + 1
    assert all(0 <= value <= length * (1 + 1e-6) for value, _ in found)
    assert len({word for _, word in found}) == len(found)


def test_a_small_graph_has_a_line_a_call():
    """Each call is written as in code, with its mark and time, under those that it needs."""
    text = graph_text(Graph.of(simulate(revenue(2), failing={"fetch-2"})))
    head, *lines = text.splitlines()
    assert head.startswith("revenue  ✗ failed")
    assert "✓ 2 done" in head
    assert [line.split("  ")[0] for line in map(str.strip, lines)] == [
        "✓ fetch-1('eu')",
        "✓ convert-1(fetch-1)",
        "✗ fetch-2('eu')",
        "» convert-2(fetch-2)",
        "» total-1(convert-1, convert-2)",
    ]
    assert "unknown region" in lines[2]
    indents = [len(line) - len(line.lstrip()) for line in lines]
    assert indents == [2, 4, 2, 4, 6]


def test_control_edges_are_told():
    """A call says after which results the workflow asked for it."""
    log = RunLog()
    log.asked("probe-1")
    log.asked("probe-2")
    log.asked("decide-1", turn=1, after=("probe-1", "probe-2"))
    assert graph_text(Graph.of(log.events)).endswith("after probe-1, probe-2")


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 200), st.booleans())
def test_texts_keep_their_bounds(calls: int, workers: int, width: int, many: bool) -> None:
    """However big the run, a text has as many lines and columns as it may have."""
    names = [f"job{i if many else ''}-{i + 1}" for i in range(calls)]
    events = simulate([(name, ()) for name in names], workers=workers, failing=set(names[::7]))
    for text in (
        graph_text(Graph.of(events), width=width, lines=20),
        profile_text(Profile.of(events), width=width, lines=20),
    ):
        assert len(text.splitlines()) <= 20
        assert max(columns(line) for line in text.splitlines()) <= max(width, 64)


def test_a_big_graph_has_a_line_an_activity_and_the_failures():
    """What is left out is said, and failed calls are named."""
    text = graph_text(Graph.of(simulate(revenue(1234), failing={"fetch-1000"})))
    assert f"fetch {TIMES} 1,234" in text
    assert "✗ fetch-1000('eu')" in text
    assert text.endswith("… 2,468 calls not listed one by one")
    assert len(text.splitlines()) <= 60


def test_hostile_names_are_inert():
    """No name reaches the terminal as a command."""
    events = hostile()
    for text in (
        graph_text(Graph.of(events)),
        profile_text(Profile.of(events)),
        repr(GraphView.of(events)),
        repr(ProfileView.of(events)),
        str(GraphView.of(events)),
    ):
        assert is_inert(text)
        assert "\\x1b[31m" in text


def test_colour_comes_only_when_asked_for():
    """Plain text holds no escape sequence; coloured text is the same beside them."""
    events = simulate(revenue(3), failing={"fetch-2"})
    for plain, colored in (
        (graph_text(Graph.of(events)), graph_text(Graph.of(events), color=True)),
        (profile_text(Profile.of(events)), profile_text(Profile.of(events), color=True)),
    ):
        assert "\x1b" not in plain
        assert re.sub(r"\x1b\[\d+m", "", colored) == plain
    assert "\x1b[31m✗\x1b[0m" in graph_text(Graph.of(events), color=True)


def test_the_chart_shows_bars_where_they_were():
    """A lane a worker; bars in proportion; a failed attempt is light and ends in its mark."""
    log = RunLog()
    for call in ("a-1", "b-1", "c-1"):
        log.asked(call)
    log.started("a-1", 0.0, "w-1")
    log.succeeded("a-1", 0.0, 5.0, "w-1")
    log.started("b-1", 0.0, "w-2")
    log.failed("b-1", 0.0, 10.0, "w-2")
    log.started("c-1", 5.0, "w-1")
    log.closed(10.0)
    lines = profile_text(Profile.of(log.events), width=66).splitlines()
    assert lines[1] == f"w-1 │{'█' * 30}{'░' * 29}■"
    assert lines[2] == f"w-2 │{'░' * 59}✗"
    assert lines[3].startswith("    └┬")


def test_the_critical_path_has_stars_in_the_graph_and_dark_bars_in_the_chart():
    """Marked by signs, not by colour; left out where that is asked for."""
    log = RunLog()
    log.asked("a-1")
    log.asked("b-1")
    log.asked("c-1", ("a-1", "b-1"))
    log.succeeded("a-1", 0.0, 5.0, "w-1")
    log.succeeded("b-1", 0.0, 2.5, "w-2")
    log.succeeded("c-1", 5.0, 10.0, "w-1")
    log.closed(10.0)
    graph, profile = Graph.of(log.events), Profile.of(log.events)
    head, *lines = graph_text(graph, profile=profile).splitlines()
    assert head.endswith("  * critical path 10.0 s")
    assert [line.strip().split("(")[0] for line in lines if line.endswith(" *")] == [
        "✓ a-1",
        "✓ c-1",
    ]
    assert "*" not in graph_text(graph, critical=False)
    chart = profile_text(profile, width=66).splitlines()
    assert chart[1] == f"w-1 │{'█' * 30}▐{'█' * 29}"
    assert chart[2] == f"w-2 │{'▓' * 15}"
    line = "work 12.5 s · critical path 10.0 s (100% of the run) · 62% efficient · idle 7.50 s"
    assert line in profile_text(profile).splitlines()
    assert chart[6] == "█ critical path: a-1 5.00 s → c-1 5.00 s"
    assert "█ critical path" not in profile_text(profile, critical=False)


def test_activities_on_the_critical_path_have_stars():
    """So a big graph says where to look, too."""
    lines = graph_text(Graph.of(simulate(revenue(200)))).splitlines()
    assert [" * " in line for line in lines[1:4]] == [True, True, True]
    assert " * " not in "".join(graph_text(Graph.of(simulate(revenue(200))), critical=False))


def test_bars_of_a_lane_do_not_overlap():
    """A worker that runs several calls at once has several lanes; workers are in their order."""
    log = RunLog()
    for i in range(1, 5):
        log.asked(f"a-{i}")
        log.started(f"a-{i}", i / 10, "loop-10")
        log.succeeded(f"a-{i}", i / 10, 1.0 + i, "loop-10")
    log.asked("a-5")
    log.started("a-5", 2.1, "loop-10")
    log.asked("a-6")
    log.started("a-6", 0.0, "loop-9")
    found = lanes(Profile.of(log.events))
    assert [(lane.worker, lane.slot) for lane in found] == [
        ("loop-9", 0),
        *[("loop-10", i) for i in range(4)],
    ]
    assert [bar.call for bar in found[1].bars] == ["a-1", "a-5"]


def test_many_lanes_are_laid_over_each_other():
    """There are never more lanes than asked for, and no bar is lost."""
    events = simulate([(f"a-{i}", ()) for i in range(1, 100)], workers=99)
    found = lanes(Profile.of(events), most=10)
    assert len(found) == 10
    assert sum(len(lane.bars) for lane in found) == 99


def test_columns_say_what_took_the_time_and_how_much_of_it():
    """A column has the activity with most of it, unless an attempt failed in it."""
    log = RunLog()
    for call, start, end in (("a-1", 0.0, 2.2), ("b-1", 2.2, 3.0), ("c-1", 5.0, 5.2)):
        log.asked(call)
        log.started(call, start)
        log.succeeded(call, start, end)
    log.asked("d-1")
    log.started("d-1", 7.5)
    log.failed("d-1", 7.5, 8.0)
    (lane,) = lanes(Profile.of(log.events))
    found = bins(lane.bars, 1000.0, 1010.0, 10)
    assert [(b.start, b.end, b.activity, b.level) for b in found] == [
        (0, 2, "a", 3),
        (2, 3, "b", 3),
        (5, 6, "c", 1),
        (7, 8, "", 2),
    ]


def test_views_give_plain_data():
    """`to_dict` is ready for JSON and says what the view shows."""
    events = simulate(revenue(2), failing={"fetch-2"})
    graph, profile = GraphView.of(events).to_dict(), ProfileView.of(events).to_dict()
    assert json.loads(json.dumps(graph)) == graph
    assert graph["counts"] == {"done": 2, "failed": 1, "skipped": 2}
    assert {"source": "fetch-1", "target": "convert-1", "kind": "data"} in graph["edges"]
    assert json.loads(json.dumps(profile))["workers"] == profile["workers"]
    assert [bar["call"] for bar in profile["bars"]] == ["fetch-1", "fetch-2", "convert-1"]


def test_dot_and_mermaid_take_any_name():
    """A name can end no string and start no tag or statement; edges show their kind."""
    for events in (hostile(), simulate(revenue(2))):
        view = GraphView.of(events)
        assert is_inert(view.mermaid())
        assert is_inert(view.dot().replace("\t", " "))
        for line in view.mermaid().splitlines():
            assert "<" not in line
            assert line.count('"') in {0, 2}
    log = RunLog()
    log.asked("a-1")
    log.asked("b-1", turn=1, after=("a-1",))
    view = GraphView.of(log.events)
    assert "n0 -> n1 [style=dashed]" in view.dot()
    assert "n0 -.-> n1" in view.mermaid()


def test_the_trace_has_a_track_a_lane_and_arrows_for_dependencies():
    """Chrome trace events: complete bars in microseconds, flows that begin and end on bars."""
    events = simulate(revenue(3))
    trace = ProfileView.of(events).trace()["traceEvents"]
    json.dumps(trace)
    bars = [event for event in trace if event["ph"] == "X"]
    assert len(bars) == 7
    assert all(bar["ts"] >= 0 and bar["dur"] > 0 for bar in bars)
    flows = [event for event in trace if event["ph"] in "sf"]
    assert len(flows) == 2 * 6
    named = {event["tid"] for event in trace if event["name"] == "thread_name"}
    assert {event["tid"] for event in bars + flows} <= named


def test_the_table_has_a_row_an_attempt():
    """`to_pandas` gives times as times, also of a run that has begun nothing."""
    pytest.importorskip("pandas")
    frame = ProfileView.of(simulate(revenue(2))).to_pandas()
    calls = ["convert-1", "convert-2", "fetch-1", "fetch-2", "total-1"]
    assert sorted(frame["call"]) == calls
    assert str(frame["started"].dt.tz) == "UTC"
    assert (frame["ended"] >= frame["started"]).all()
    assert ProfileView.of(RunLog().events).to_pandas().empty
