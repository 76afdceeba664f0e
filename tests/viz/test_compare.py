"""Two runs side by side."""

from __future__ import annotations

import csv
import io
import json
import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.events import CallReused, RunClosed
from nbflow.core.profile import Profile
from nbflow.viz.compare import Half
from nbflow.viz.compare_text import signed
from nbflow.viz.compare_views import ComparisonView
from nbflow.viz.palette import INK
from tests.viz.runlog import HOSTILE, RunLog, hostile, revenue, simulate

SVG = "{http://www.w3.org/2000/svg}"


def compared(a, b) -> ComparisonView:
    return ComparisonView(Half("run-a", a), Half("run-b", b))


def chain(lengths: list[float], waits: list[float] | None = None, **how) -> list:
    """Give a run of calls one after the other, each so long, queued for so long."""
    log = RunLog(how.get("name", "revenue"), how.get("begun", 1000.0))
    at = 0.0
    before: tuple[str, ...] = ()
    for i, (length, wait) in enumerate(zip(lengths, waits or [0.0] * len(lengths), strict=True), 1):
        call = f"{how.get('activity', 'convert')}-{i}"
        log.asked(call, before, at=at)
        log.succeeded(call, at + wait, at + wait + length)
        at, before = at + wait + length, (call,)
    if how.get("closed", True):
        log.closed(at)
    return log.events


def test_the_largest_contributors_are_told_in_a_sentence():
    """By how much the second run was longer, and which calls account for it, the largest first."""
    found = compared(chain([1, 1, 1, 1]), chain([1, 1.2, 2.2, 1], [0, 0, 0, 0.5], begun=5000))
    assert found.summary == (
        "B took 1.90 s longer than A (4.00 s and 5.90 s): convert-3 ran 1.20 s longer, "
        "convert-4 queued 500 ms longer, convert-2 ran 200 ms longer."
    )
    back = compared(chain([1, 1.2, 2.2, 1]), chain([1, 1, 1, 1]))
    assert back.summary == (
        "B took 1.40 s less than A (5.40 s and 4.00 s): "
        "convert-3 ran 1.20 s less, convert-2 ran 200 ms less."
    )
    assert compared(chain([1, 1]), chain([1, 1.001])).summary == "Both took about 2.00 s."


def test_what_is_on_the_critical_path_is_named_first():
    """A call beside the path may differ by more and yet explain nothing of the run's length."""

    def two(path: float, beside: float) -> list:
        log = RunLog()
        log.asked("path-1")
        log.asked("beside-1")
        log.succeeded("path-1", 0.0, path, "w-1")
        log.succeeded("beside-1", 0.0, beside, "w-2")
        log.closed(path)
        return log.events

    summary = compared(two(8.0, 1.0), two(10.0, 7.0)).summary
    assert summary.index("path-1 ran 2.00 s longer") < summary.index("beside-1 ran 6.00 s longer")


def test_another_number_of_workers_is_told():
    """That there were more hands explains more than any call does."""
    calls = [(f"a-{i}", ()) for i in range(1, 41)]
    summary = compared(simulate(calls, workers=2), simulate(calls, workers=4)).summary
    assert summary.endswith("B had 4 workers, A 2.")
    assert summary.count(" queued ") == 1  # of forty that did at the same time


def test_calls_are_ranked_by_what_differs():
    """Those that ended otherwise come first, then by seconds that they ran and queued longer."""
    log = RunLog()
    for call in ("a-1", "b-1", "c-1", "d-1"):
        log.asked(call)
    log.succeeded("a-1", 0.0, 1.0)
    log.failed("b-1", 1.0, 1.1)
    log.succeeded("c-1", 1.0, 4.0)
    log.succeeded("d-1", 0.0, 1.0)
    log.closed(4.0, "failed")
    other = RunLog()
    for call in ("a-1", "b-1", "c-1", "d-1"):
        other.asked(call)
    other.succeeded("a-1", 0.5, 1.5)
    other.failed("b-1", 0.0, 1.0, retry_at=1.0)
    other.succeeded("b-1", 1.0, 2.0, attempt=2)
    other.succeeded("c-1", 1.0, 2.0)
    other.succeeded("d-1", 0.0, 1.0)
    other.closed(4.0)
    found = compared(log.events, other.events)
    assert [d.call for d in found.differences] == ["b-1", "c-1", "a-1", "d-1"]
    first, second, third, last = found.differences
    assert (first.a.status, first.b.status, first.a.attempts, first.b.attempts) == (
        *("failed", "done", 1, 2),
    )
    assert first.seconds == pytest.approx(1.9)
    assert second.seconds == pytest.approx(-2.0)
    assert third.seconds == pytest.approx(0)
    assert third.queued == pytest.approx(0.5)
    assert last.weight == pytest.approx(0)
    assert "In B: b-1 done (failed in A)." in found.summary
    assert "failed → done, attempts 1 → 2" in found.text()


def test_what_ran_in_one_of_the_runs_is_said_so():
    """A call that was not reached did not run shorter: it did not run; more attempts are told."""
    log = RunLog()
    log.asked("convert-1")
    log.asked("convert-2", ("convert-1",))
    log.failed("convert-1", 0.0, 1.0)
    log.closed(1.0, "failed")
    found = compared(chain([1, 2]), log.events)
    assert "convert-2 did not run (2.00 s in A)" in found.summary
    assert "In B: convert-1 failed (done in A), convert-2 skipped (done in A)." in found.summary
    assert "convert-2 ran 2.00 s, and not in A" in compared(log.events, chain([1, 2])).summary
    log = RunLog()
    log.asked("convert-1")
    log.failed("convert-1", 0.0, 1.0, retry_at=1.0)
    log.succeeded("convert-1", 1.0, 2.0, attempt=2)
    log.closed(2.0)
    summary = compared(chain([1]), log.events).summary
    assert "convert-1 ran 1.00 s longer (2 attempts, 1 in A)" in summary


def test_a_call_that_was_answered_by_an_earlier_result_is_said_so():
    """A run is not faster at a call that it did not make: the call was answered."""
    asked = RunLog()
    asked.asked("convert-1")
    reused = CallReused(3, 1000.1, "convert-1", "k", "run-a/convert-1", 1)
    found = compared(chain([2.0]), [*asked.events, reused, RunClosed(4, 1000.1, "completed")])
    assert "convert-1 was answered by an earlier result (2.00 s in A)" in found.summary
    assert "done, cached in B" in found.text()


def test_totals_are_those_of_the_profiles():
    """Wall, work, critical path and efficiency are what the profiles say."""
    a, b = simulate(revenue(5)), simulate(revenue(7), workers=3, failing={"fetch-2"})
    totals = {total.name: total for total in compared(a, b).totals}
    for name, figure in {
        "wall": Profile.wall,
        "work": Profile.busy,
        "efficiency": Profile.efficiency,
    }.items():
        assert totals[name].a == figure(Profile.of(a))
        assert totals[name].b == figure(Profile.of(b))
    assert (totals["calls"].a, totals["calls"].b, totals["failed"].b) == (11, 15, 1)
    path = Profile.of(a).critical_path()
    assert totals["critical path"].a == pytest.approx(sum(s.bar.seconds(0) for s in path))
    assert (totals["workers"].a, totals["workers"].b) == (4, 3)


def test_calls_without_their_like_are_listed():
    """What only one run has is not lost: it is listed, in words and in the table."""
    found = compared(simulate(revenue(2)), simulate(revenue(4)))
    assert [side.call for side in found.only_b] == ["fetch-3", "convert-3", "fetch-4", "convert-4"]
    assert found.only_a == ()
    assert "4 calls only in B" in found.summary
    assert "only in B: fetch-3, convert-3, fetch-4, convert-4" in found.text()
    assert len(found.to_pandas()) == 9


def test_where_ids_differ_order_decides():
    """Calls of the same activity without a common id are matched by their order, and it is told."""

    def run(*calls: str) -> list:
        log = RunLog()
        for i, call in enumerate(calls):
            log.asked(call, activity="fetch")
            log.succeeded(call, i, i + 1)
        log.closed(len(calls))
        return log.events

    found = compared(run("fetch-1", "old-1", "old-2"), run("new-1", "fetch-1", "new-2", "new-3"))
    pairs = {(d.a.call, d.b.call, d.matched) for d in found.differences}
    assert pairs == {
        ("fetch-1", "fetch-1", "id"),
        ("old-1", "new-1", "order"),
        ("old-2", "new-2", "order"),
    }
    assert [side.call for side in found.only_b] == ["new-3"]
    assert "is new-1 in B" in found.text()


def test_the_same_id_of_another_activity_is_another_call():
    """An id alone does not make two calls one."""
    a, b = RunLog(), RunLog()
    a.asked("x-1", activity="fetch")
    b.asked("x-1", activity="convert")
    found = compared(a.events, b.events)
    assert found.differences == ()
    assert "no call is in both" in found.text()


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from("abc")), st.lists(st.sampled_from("abc")), st.booleans())
def test_every_call_is_matched_once_or_alone(first, second, shifted):
    """Each call of either run is in one pair or on one list, and pairs are of one activity."""

    def run(names, offset):
        log = RunLog()
        for i, name in enumerate(names):
            log.asked(f"{name}-{i + offset}", activity=name)
        return log.events

    found = compared(run(first, 0), run(second, 1 if shifted else 0))
    for side, only, all_calls in (
        ("a", found.only_a, found.a.calls),
        ("b", found.only_b, found.b.calls),
    ):
        paired = [getattr(d, side).call for d in found.differences]
        alone = [s.call for s in only]
        assert sorted(paired + alone) == sorted(all_calls)
    assert all(d.a.activity == d.b.activity for d in found.differences)
    left = {s.activity for s in found.only_a} & {s.activity for s in found.only_b}
    assert not left


def test_arguments_that_differ_are_told():
    """A call that got something else may well take another time."""
    a, b = RunLog(), RunLog()
    a.asked("fetch-1", args=("eu",))
    b.asked("fetch-1", args=("us",))
    found = compared(a.events, b.events)
    assert found.differences[0].other_arguments
    assert "other arguments" in found.text()
    assert "other arguments" not in compared(a.events, a.events).text()


def test_runs_under_way_are_compared_as_far_as_they_are():
    """A call that runs counts with what it has run, and it is told that the run is not over."""
    log = RunLog()
    log.asked("a-1")
    log.asked("b-1")
    log.started("a-1", 0.5)
    log.asked("c-1", at=3.0)
    found = compared(chain([1.0], activity="a"), log.events)
    (difference,) = found.differences
    assert difference.b.status == "running"
    assert difference.seconds == pytest.approx(1.5)
    assert "B is not over" in found.summary
    assert "Neither run has begun" in compared(RunLog().events, RunLog().events).summary
    for part in (found, compared(RunLog().events, log.events)):
        ET.fromstring(part.svg())
        assert part.png().startswith(b"\x89PNG")


# ---------------------------------------------------------------------- forms


def bars(svg: str, call: str) -> list[dict[str, str]]:
    found = []
    for group in ET.fromstring(svg).iter(SVG + "g"):
        title, box = group.find(SVG + "title"), group.find(SVG + "rect")
        if title is not None and box is not None and (title.text or "").startswith(call + ","):
            found.append(box.attrib)
    return found


def test_both_charts_have_one_axis_of_time():
    """Equal lengths are equally long, and equal times lie below each other, however far apart."""
    a = chain([1, 2])
    b = chain([1, 2, 5], begun=90_000.0)
    svg = compared(a, b).svg()
    first, second = bars(svg, "convert-2")
    assert float(first["x"]) == pytest.approx(float(second["x"]), abs=0.2)
    assert float(first["width"]) == pytest.approx(float(second["width"]), abs=0.2)
    ((longest),) = bars(svg, "convert-3")
    assert float(longest["width"]) == pytest.approx(2.5 * float(second["width"]), rel=0.01)
    assert first["stroke"] == INK  # the critical path is outlined in both


def test_names_of_workers_do_not_shift_the_axis():
    """Charts whose workers have long and short names begin at the same place."""
    a, b = RunLog(), RunLog()
    for log, worker in ((a, "w"), (b, "a-worker-with-a-long-name")):
        log.asked("a-1")
        log.succeeded("a-1", 0.0, 1.0, worker)
    for found in (compared(a.events, b.events), compared(b.events, a.events)):
        first, second = bars(found.svg(), "a-1")
        assert (first["x"], first["width"]) == (second["x"], second["width"])


def test_a_call_under_way_is_drawn_no_further_than_its_run():
    """On the longer axis of the other run a running call ends where its own run was heard last."""
    log = RunLog()
    log.asked("a-1")
    log.started("a-1", 0.0)
    log.asked("b-1", at=1.0)
    svg = compared(log.events, chain([4.0], activity="a")).svg()
    running, whole = bars(svg, "a-1")
    assert float(running["width"]) == pytest.approx(float(whole["width"]) / 4, rel=0.01)
    assert "a-1, running, 1.00 s" in svg


def test_a_comparison_shows_itself(tmp_path):
    """A notebook gets a picture and text, no HTML; files and figures are of the same."""
    found = compared(simulate(revenue(3)), simulate(revenue(3), failing={"fetch-2"}))
    data, metadata = found._repr_mimebundle_()
    assert set(data) == {"text/plain", "image/png"}
    assert 600 < metadata["image/png"]["width"] < 1200
    assert found._repr_mimebundle_(exclude={"image/png"}) == ({"text/plain": found.text()}, {})
    assert not hasattr(found, "_repr_html_")
    assert repr(found) == data["text/plain"] == found.text()
    words = "".join(ET.fromstring(found.svg()).itertext())
    assert "Largest differences" in words
    assert "run-a, completed" in words
    from matplotlib.text import Text

    drawn = [text.get_text() for text in found.plot().findobj(Text)]
    assert "Largest differences" in drawn
    for ending in ("svg", "png", "pdf", "json", "csv", "txt"):
        assert found.save(tmp_path / f"c.{ending}").stat().st_size > 100
    assert json.loads((tmp_path / "c.json").read_text())["a"] == "run-a"
    with pytest.raises(ValueError, match=r"comparison of run-a and run-b.*\.csv"):
        found.save(tmp_path / "c.dot")


def test_one_may_draw_on_axes_of_ones_own():
    """`plot(ax)` draws there and gives that figure."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 8))
    ax = figure.subplots()
    assert compared(chain([1]), chain([2])).plot(ax) is figure


def test_hostile_names_are_words():
    """Names in a comparison can be read, and do nothing else."""
    found = ComparisonView(Half(HOSTILE, hostile()), Half("b", hostile()))
    svg = found.svg()
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(svg).iter()}
    assert tags <= {"svg", "g", "rect", "path", "circle", "text", "title", "defs", "pattern"}
    assert all(line.isprintable() for line in found.text().splitlines())
    found.png()
    named = RunLog()
    named.asked("=cmd-1", activity="=cmd")
    rows = csv.DictReader(io.StringIO(_csv(compared(named.events, named.events))))
    assert next(rows)["activity"] == "'=cmd"


def _csv(found: ComparisonView) -> str:
    from nbflow.viz.compare import COLUMNS
    from nbflow.viz.export import csv_text

    return csv_text(COLUMNS, found.rows())


def test_the_table_has_both_runs_in_a_row():
    """`to_pandas` has a row a call with both sides and the changes."""
    frame = compared(chain([1, 1]), chain([1, 3])).to_pandas()
    row = frame.iloc[0]
    assert (row["call"], row["matched"], row["status_b"]) == ("convert-2", "id", "done")
    assert row["seconds_change"] == pytest.approx(2.0)
    assert list(compared(RunLog().events, RunLog().events).to_pandas().columns) == list(
        frame.columns
    )


def test_signed_times():
    """A difference has its sign, and nothing is an equals sign."""
    assert [signed(s) for s in (1.2, -0.03, 0.0, 1e-5)] == ["+1.20 s", "-30 ms", "=", "="]


def test_a_big_comparison_stays_readable():
    """Of many calls the text has as many lines as there is room for, and says how many more."""
    found = compared(simulate(revenue(400)), simulate(revenue(400), workers=8))
    lines = found.text(lines=40, width=90).splitlines()
    assert len(lines) <= 42
    assert all(len(line) <= 90 for line in lines)
    assert re.search(r"… \d+ more calls", found.text())
    ET.fromstring(found.svg())


# ---------------------------------------------------------------------- from runs


@nbflow.activity
def double(x: int) -> int:
    return 2 * x


@nbflow.workflow
def doubles(n: int) -> int:
    return sum(double(i).result() for i in range(n))


def test_runs_are_compared_by_handle_by_id_and_by_row():
    """A handle, an id, its beginning, or a row of the list names a run."""
    a, b = doubles(2), doubles(3)
    a.result()
    b.result()
    found = nbflow.compare(a, b)
    assert (found.a.run, found.b.run) == (a.id, b.id)
    assert len(found.differences) == 2
    assert [side.call for side in found.only_b] == ["double-3"]
    rows = {row.run: row for row in nbflow.runs()}
    again = nbflow.compare(a.id, rows[b.id])
    assert (again.a.run, again.b.run) == (a.id, b.id)
    assert nbflow.compare(a, a).summary.startswith("Both took about")


def test_what_is_no_run_is_told():
    """An unknown id names the nearest; anything else says what is taken."""
    run = doubles(1)
    run.result()
    with pytest.raises(nbflow.RunNotFound, match="no run 'nothing'"):
        nbflow.compare(run, "nothing")
    with pytest.raises(TypeError, match="runs or their ids, not int"):
        nbflow.compare(run, 3)  # type: ignore[arg-type]
