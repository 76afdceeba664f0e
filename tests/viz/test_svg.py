from __future__ import annotations

import base64
import random
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nbflow.core.graph import STATUSES, Graph
from nbflow.core.profile import Profile
from nbflow.viz import palette
from nbflow.viz.critical import marks
from nbflow.viz.drawing import opened
from nbflow.viz.groups import Grouping
from nbflow.viz.pen import document
from nbflow.viz.summary import static_bundle
from nbflow.viz.svg import graph_svg, profile_svg, run_svg
from nbflow.viz.svg_graph import graph_fragment
from nbflow.viz.wording import TIMES
from tests.viz.runlog import HOSTILE, RunLog, hostile, revenue, simulate

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = {"svg", "g", "rect", "path", "circle", "text", "title", "defs", "pattern"}


def read(svg: str) -> ET.Element:
    svg.encode()
    return ET.fromstring(svg)


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in read(svg).iter(SVG + "text")]


def hints(svg: str) -> list[str]:
    return [element.text or "" for element in read(svg).iter(SVG + "title")][1:]


def assert_inert(svg: str) -> None:
    for element in read(svg).iter():
        assert element.tag.removeprefix(SVG) in DRAWN
        assert not [name for name in element.attrib if name.startswith("on") or "href" in name]
        assert (element.text or "").isprintable()
    assert not re.search(r"[^\x20-\x7e]", re.sub(r">[^<]*<", "><", svg))


@settings(deadline=None, max_examples=60)
@given(st.text(), st.text(), st.text())
@example(HOSTILE, HOSTILE, HOSTILE)
def test_any_name_gives_well_formed_inert_svg(workflow: str, activity: str, worker: str) -> None:
    """Names, arguments, workers and errors are text and nothing else."""
    log = RunLog(workflow)
    log.asked("first-1", args=(worker,), activity=activity or "a")
    log.asked(f"{activity}-1", ("first-1",), activity=activity or "a")
    log.started("first-1", 0.1, worker)
    log.failed("first-1", 0.1, 0.4, worker, message=activity)
    for svg in (graph_svg(Graph.of(log.events)), profile_svg(Profile.of(log.events))):
        assert_inert(svg)


def test_hostile_names_can_still_be_read():
    """What a name holds is shown, not dropped."""
    svg = graph_svg(Graph.of(hostile()))
    assert_inert(svg)
    assert any("<img src=x onerror=alert(1)>" in text for text in texts(svg))


def test_a_document_needs_nothing_but_itself():
    """No script, style sheet, font or picture from elsewhere; light paper lies under all of it."""
    svg = run_svg(*folds(simulate(revenue(3))))
    assert_inert(svg)
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "")
    assert "<style" not in svg
    paper = next(read(svg).iter(SVG + "rect"))
    assert paper.attrib["fill"] == "#ffffff"
    width = float(read(svg).attrib["width"])
    assert float(paper.attrib["width"]) == width - 1


def folds(events):
    return Graph.of(events), Profile.of(events)


def test_each_call_is_a_box_with_its_status():
    """A box has the call's id, its time and arguments, and a hint with the rest."""
    svg = graph_svg(Graph.of(simulate(revenue(2), failing={"fetch-2"})))
    found = texts(svg)
    assert {"fetch-1", "fetch-2", "convert-1", "total-1", "'eu'"} <= set(found)
    assert any(text.startswith("ValueError") for text in found)
    assert [hint.split(":")[0] for hint in hints(svg)] == [
        "fetch-1",
        "convert-1",
        "fetch-2",
        "convert-2",
        "total-1",
    ]
    assert "2 skipped" in found


def test_control_edges_are_dashed():
    """What was only waited for is told from what was taken."""
    log = RunLog()
    for call in ("probe-1", "probe-2"):
        log.asked(call)
        log.succeeded(call, 0.0, 0.2)
    plain = graph_svg(Graph.of(log.events))
    log.asked("decide-1", turn=1, after=("probe-1", "probe-2"))
    log.succeeded("decide-1", 0.0, 0.2)
    assert 'stroke-dasharray="4 3"' not in plain
    assert 'stroke-dasharray="4 3"' in graph_svg(Graph.of(log.events))


def test_every_status_has_a_colour_and_a_mark_of_its_own():
    """Nobody needs colours to tell statuses apart."""
    assert set(STATUSES) <= set(palette.STATUS_COLORS)
    assert len({palette.MARKS[status] for status in STATUSES}) == len(STATUSES)
    assert len({palette.icon(status) for status in STATUSES}) == len(STATUSES)
    assert not set(palette.ACTIVITY_COLORS) & set(palette.STATUS_COLORS.values())


def chart_bars(svg: str) -> dict[str, ET.Element]:
    found = {}
    for group in read(svg).iter(SVG + "g"):
        title = group.find(SVG + "title")
        if title is not None and title.text:
            found[title.text.split(",")[0]] = group
    return found


def box_of(group: ET.Element) -> dict[str, str]:
    box = group.find(SVG + "rect")
    assert box is not None
    return box.attrib


def test_bars_lie_where_they_were_in_time():
    """Bars start and end in proportion; later lanes are lower; packing follows the bar."""
    log = RunLog()
    for call in ("a-1", "b-1", "c-1"):
        log.asked(call)
    log.succeeded("a-1", 0.0, 5.0, "w-1")
    log.succeeded("b-1", 5.0, 8.0, "w-2", packing=2.0)
    log.failed("c-1", 0.0, 10.0, "w-3")
    bars = chart_bars(profile_svg(Profile.of(log.events)))
    a, b, c = (bars[call].findall(SVG + "rect") for call in ("a-1", "b-1", "c-1"))

    def left(rect: ET.Element) -> float:
        return float(rect.attrib["x"])

    def length(rect: ET.Element) -> float:
        return float(rect.attrib["width"])

    assert length(a[0]) == pytest.approx(length(c[0]) / 2, abs=0.2)
    assert left(b[0]) == pytest.approx(left(a[0]) + length(a[0]), abs=0.2)
    assert length(b[1]) == pytest.approx(length(c[0]) / 5, abs=0.2)
    assert left(b[1]) == pytest.approx(left(b[0]) + length(b[0]), abs=0.2)
    assert float(a[0].attrib["y"]) < float(b[0].attrib["y"]) < float(c[0].attrib["y"])
    assert c[0].attrib["fill"] == "url(#nbflow-hatch)"


def test_the_critical_path_is_outlined():
    """The bars that the run's length is made of have a dark rim, and the legend says so."""
    log = RunLog()
    log.asked("a-1")
    log.asked("b-1")
    log.asked("c-1", ("a-1",))
    log.succeeded("a-1", 0.0, 5.0, "w-1")
    log.succeeded("b-1", 0.0, 1.0, "w-2")
    log.succeeded("c-1", 5.0, 8.0, "w-1")
    svg = profile_svg(Profile.of(log.events))
    outlined = {
        call
        for call, group in chart_bars(svg).items()
        if box_of(group).get("stroke") == palette.INK
    }
    assert outlined == {"a-1", "c-1"}
    assert "critical path" in texts(svg)


def retried() -> RunLog:
    """Write a log whose critical path goes through a retry, a value and what the workflow read."""
    log = RunLog()
    log.asked("a-1")
    log.asked("b-1")
    log.asked("c-1", ("a-1", "b-1"))
    log.failed("a-1", 0.0, 1.0, "w-1", retry_at=1.5)
    log.succeeded("b-1", 0.0, 0.5, "w-2")
    log.succeeded("a-1", 2.0, 5.0, "w-1", attempt=2)
    log.succeeded("c-1", 5.0, 8.0, "w-1", packing=0.5)
    log.asked("d-1", turn=1, after=("c-1", "b-1"), at=8.5)
    log.asked("d-2", turn=1, after=("c-1", "b-1"), at=8.5)
    log.succeeded("d-1", 8.5, 9.5, "w-2")
    log.succeeded("d-2", 8.5, 9.0, "w-1")
    return log


def rimmed(svg: str) -> set[str]:
    """Give the boxes of a graph that have a second, dark rim outside the first."""
    found = set()
    for name, group in chart_bars(svg).items():
        frame, *more = group.findall(SVG + "rect")
        wide = float(frame.attrib["width"])
        if [r for r in more if r.get("stroke") == palette.INK and float(r.attrib["width"]) > wide]:
            found.add(name.split(":")[0])
    return found


def heavy_lines(svg: str) -> int:
    """Count the curves drawn heavily: each begins with a move."""
    groups = [g for g in read(svg).iter(SVG + "g") if g.get("stroke") == palette.INK]
    return sum(p.attrib["d"].count("M") for g in groups for p in g.findall(SVG + "path"))


def test_the_graph_shows_the_critical_path_by_more_than_colour():
    """Its boxes have a second rim, its edges are heavy, joins included, and a line says so."""
    graph, profile = folds(retried().events)
    svg = graph_svg(graph, profile)
    assert rimmed(svg) == {"a-1", "c-1", "d-1"}
    assert heavy_lines(svg) == 3
    assert "critical path 8.00 s" in texts(svg)
    assert {h.split(":")[0] for h in hints(svg) if h.endswith(", on the critical path")} == {
        "a-1",
        "c-1",
        "d-1",
    }
    assert rimmed(run_svg(graph, profile)) >= {"a-1", "c-1", "d-1"}


def test_a_graph_alone_finds_the_path_but_does_not_claim_its_length():
    """A graph knows last attempts only: no length is told of a path with others before."""
    svg = graph_svg(Graph.of(retried().events))
    assert rimmed(svg) == {"a-1", "c-1", "d-1"}
    assert "critical path" in texts(svg)
    plain = graph_svg(Graph.of(simulate(revenue(2))))
    assert any(words.startswith("critical path ") for words in texts(plain))


def test_the_critical_path_can_be_left_out():
    """With `critical=False` nothing is outlined, and no legend speaks of it."""
    graph, profile = folds(retried().events)
    for svg in (graph_svg(graph, profile, critical=False), run_svg(graph, profile, critical=False)):
        assert rimmed(svg) == set()
        assert heavy_lines(svg) == 0
    chart = profile_svg(profile, critical=False)
    assert all(box_of(g).get("stroke") != palette.INK for g in chart_bars(chart).values())
    assert "critical path" not in texts(chart)


def test_groups_are_on_the_critical_path_too():
    """In a graph drawn by activity the boxes that it goes through are marked, opened calls too."""
    graph, profile = folds(retried().events)
    shown = opened(graph, {"c"})
    marked = marks(shown, profile.critical_path())
    assert marked.boxes == {"a", "c-1", "d"}
    assert ("a", "c-1") in marked.edges
    svg = document([graph_fragment(shown, marked=marked)], "x")
    assert rimmed(svg) == {"a", "c-1", "d"}


def test_the_figures_stand_under_the_chart():
    """Work, critical path, efficiency and idle time; a retry is told above."""
    found = texts(profile_svg(Profile.of(retried().events)))
    (line,) = [words for words in found if words.startswith("work ")]
    assert line.startswith("work 9.00 s · critical path 8.00 s (84% of the run) · 47% efficient · ")
    assert any("1 attempt again" in words for words in found)


def test_the_parts_of_bars_are_told_apart():
    """Waiting is a thin line, packing pale; both are in the legend where they can be seen."""
    svg = profile_svg(Profile.of(retried().events))
    assert {"queued", "packing", "critical path"} <= set(texts(svg))
    assert {"a-1", "a-1 #2"} <= set(texts(svg))
    quick = RunLog()
    quick.asked("a-1")
    quick.succeeded("a-1", 0.0, 5.0)
    assert not {"queued", "packing"} & set(texts(profile_svg(Profile.of(quick.events))))


def test_hostile_names_are_inert_in_opened_groups():
    """Groups, their rests and bundles hold names as calls do."""
    graph = Graph.of(hostile())
    for open_ in ((), {HOSTILE}, {HOSTILE, "other"}):
        shown = opened(graph, open_)
        marked = marks(shown, Profile.of(hostile()).critical_path())
        assert_inert(document([graph_fragment(shown, marked=marked)], HOSTILE))
    rest = Grouping(graph).summary({HOSTILE}, boxes=3)
    assert any(group.rest for group in rest.nodes)


def test_a_running_call_reaches_to_the_end():
    """A bar that has no end yet is drawn to the latest event, and marked."""
    log = RunLog()
    log.asked("a-1")
    log.started("a-1", 0.0)
    log.asked("b-1", at=4.0)
    box = box_of(chart_bars(profile_svg(Profile.of(log.events)))["a-1"])
    assert float(box["width"]) > 700
    assert "stroke-dasharray" in box


def test_the_same_activity_has_the_same_colour_above_and_below():
    """In a picture of both, graph and chart agree on colours, whatever started first."""
    log = RunLog()
    log.asked("slow-1")
    log.asked("quick-1")
    log.succeeded("quick-1", 0.0, 1.0, "w-2")
    log.succeeded("slow-1", 0.5, 3.0, "w-1")
    bars = chart_bars(run_svg(*folds(log.events)))
    first, second = palette.ACTIVITY_COLORS[:2]
    assert box_of(bars["slow-1"])["fill"] == first
    assert box_of(bars["quick-1"])["fill"] == second
    strips = bars["slow-1: slow()"].findall(SVG + "path")
    assert strips[0].attrib["fill"] == first


def dense(count: int) -> list[tuple[str, tuple[str, ...]]]:
    """List calls each of which takes the results of all before it."""
    names = [f"a{i % 7}-{i}" for i in range(count)]
    return [(name, tuple(names[:i])) for i, name in enumerate(names)]


def tangle(count: int, activities: int, reach: int, most: int) -> list[tuple[str, tuple[str, ...]]]:
    """List calls that need some of those before them at random."""
    dice = random.Random(1)
    names = [f"act{i % activities}-{i}" for i in range(count)]
    calls = []
    for i, name in enumerate(names):
        low = max(0, i - reach)
        picked = {names[dice.randrange(low, i)] for _ in range(dice.randint(1, most) if i else 0)}
        calls.append((name, tuple(sorted(picked | set(names[max(0, i - 1) : i])))))
    return calls


BIG = {
    "many calls": lambda: simulate(revenue(1500), workers=8),
    "300 calls": lambda: simulate([(f"job-{i}", ()) for i in range(300)]),
    "many edges": lambda: simulate(dense(120)),
    "long edges": lambda: simulate(
        [(f"a-{i}", tuple(f"a-{j}" for j in (i - 1, 0, i // 2) if 0 <= j < i)) for i in range(290)]
    ),
    "many activities": lambda: simulate([(f"activity{i}-1", ()) for i in range(1400)]),
    "many workers": lambda: simulate([(f"a-{i}", ()) for i in range(4000)], workers=1000),
    "1,400 bars of hostile name": lambda: simulate([(f"{'<&' * 90}-{i}", ()) for i in range(1400)]),
    "activities that need each other": lambda: simulate(tangle(6000, 149, 6000, 4)),
    "edges of all lengths": lambda: simulate(tangle(300, 5, 40, 2)),
}


@pytest.mark.parametrize("make", BIG.values(), ids=BIG)
def test_pictures_stay_small(make):
    """Whatever the run, neither picture gets longer than 500 kB, and both are well-formed."""
    graph, profile = folds(make())
    for svg in (graph_svg(graph), profile_svg(profile)):
        assert len(svg.encode()) < 500_000
        read(svg)


def test_a_big_graph_is_drawn_by_activity():
    """Above 300 calls there is a box an activity, with counts."""
    found = texts(graph_svg(Graph.of(simulate(revenue(200), failing={"fetch-3"}))))
    assert {"fetch", "convert", "total", f"{TIMES}200", f"{TIMES}1"} <= set(found)
    assert any(text.startswith("1 failed") for text in found)
    assert "fetch-1" not in found


def test_a_failure_among_thousands_of_bars_is_seen():
    """Bars that are summed up by the pixel keep the colour of a failed one."""
    calls = [(f"a-{i}", ()) for i in range(3000)]
    failed = palette.STATUS_COLORS["failed"]
    reds = {palette.tint(failed, part) for part in (0.4, 0.7, 1.0)}

    def fills(svg: str) -> set[str]:
        return {path.attrib.get("fill", "") for path in read(svg).iter(SVG + "path")}

    assert not fills(profile_svg(Profile.of(simulate(calls)))) & reds
    assert fills(profile_svg(Profile.of(simulate(calls, failing={"a-7"})))) & reds


def test_a_run_that_has_begun_nothing_has_a_picture():
    """Empty logs are logs."""
    for events in ([], RunLog().events):
        assert_inert(run_svg(*folds(events)))
        assert "no call has started yet" in texts(profile_svg(Profile.of(events)))


def test_what_is_saved_is_one_picture_in_three_forms():
    """The bundle has PNG in base64, SVG and text, of the graph and of the Gantt chart."""
    bundle = static_bundle(iter(simulate(revenue(2))))
    assert set(bundle) == {"image/png", "image/svg+xml", "text/plain"}
    assert base64.b64decode(bundle["image/png"], validate=True).startswith(b"\x89PNG\r\n")
    assert {"revenue", "revenue in time"} <= set(texts(bundle["image/svg+xml"]))
    assert "critical path" in bundle["text/plain"]
    assert "fetch-1('eu')" in bundle["text/plain"]


def test_the_svg_of_a_big_run_is_not_saved():
    """Above 2,000 calls the PNG is enough."""
    events = simulate([(f"a-{i}", ()) for i in range(2001)])
    assert set(static_bundle(events, dpi=72)) == {"image/png", "text/plain"}
