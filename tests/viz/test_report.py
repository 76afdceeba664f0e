"""The page that tells all of a run: what is in it, and that nothing in it can act."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nbflow
from nbflow.core.events import CallWrote
from nbflow.viz import report
from nbflow.viz.details import About
from nbflow.viz.report import ALL, SOME, embedded, report_html
from nbflow.viz.rows import BARS, CALLS
from tests.viz.runlog import HOSTILE, RunLog, hostile, revenue, simulate


class Page(HTMLParser):
    """Notes the elements of a page, their attributes, and what the scripts in it hold."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: dict[str, str] = {}
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        found = dict(attrs)
        self._open = f"script {found.get('type')}" if tag == "script" else tag

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        self.texts[self._open] = self.texts.get(self._open, "") + data

    @property
    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.texts["script application/json"])
        return found

    @property
    def policy(self) -> dict[str, str]:
        (text,) = [
            value
            for tag, name, value in self.attributes
            if tag == "meta" and name == "content" and "default-src" in value
        ]
        return dict(part.strip().split(" ", 1) for part in text.split(";"))


def page(events, run: str = "revenue-1") -> Page:
    return Page(report_html(run, events))


STATIC = Path(report.__file__).parent / "static"


@pytest.fixture(autouse=True)
def _light_script(monkeypatch, tmp_path_factory):
    """Let a word stand for the panel's code: what is tested here is the page around it."""
    static = tmp_path_factory.mktemp("static")
    (static / "report.js").write_text("void 0;\n")
    (static / "report.css").write_text("p { color: red }\n")
    monkeypatch.setattr(report, "_STATIC", static)


# ---------------------------------------------------------------------- nothing in it acts

DRAWN = {"svg", "g", "rect", "path", "circle", "text", "title", "defs", "pattern"}
FRAME = {
    *("html", "head", "meta", "title", "style", "body", "header", "h1", "dl", "div", "dt", "dd"),
    *("noscript", "p", "main", "details", "summary", "pre", "footer", "script"),
}


def assert_inert(found: Page) -> None:
    assert set(found.elements) <= DRAWN | FRAME
    assert found.elements.count("script") == 2
    for tag, name, _ in found.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in {"src", "href", "xlink:href", "srcdoc", "action", "background"}


@settings(deadline=None, max_examples=12)
@given(st.text(), st.text())
@example(HOSTILE, HOSTILE)
@example("</script><script>alert(1)</script>", "<!--<script>")
@example("{title}", "%s {0} \\u003c")
def test_no_name_gets_out_of_its_place(name: str, run: str) -> None:
    """Whatever names hold, the page has the elements that it always has, and they say the names."""
    log = RunLog(name)
    log.asked(f"{name}-1", args=(name,), activity=name or "a")
    log.failed(f"{name}-1", 0.0, 1.0, name, message=name)
    found = page(log.events, run)
    assert_inert(found)
    assert found.data["state"]["head"]["calls"] == 1


def test_hostile_names_can_be_read():
    """What a name holds is shown, not dropped: in heading, text and data."""
    found = page(hostile(), HOSTILE)
    assert_inert(found)
    assert "<img src=x onerror=alert(1)>" in found.texts["h1"]
    assert "<img src=x onerror=alert(1)>" in found.texts["pre"]
    assert found.data["state"]["head"]["workflow"].startswith("<img src=x")


@given(
    st.recursive(
        st.none() | st.text() | st.integers(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
@example(["</script>", "<!--", "]]>", "\u2028\u2029", "&lt;", "\ud800"])
def test_data_in_the_page_is_letters_that_end_nothing(data: object) -> None:
    """No sign of HTML and no line separator is in it, and it reads back as it was."""
    text = embedded(data)
    assert json.loads(text) == data
    assert text.isascii()
    assert not re.search(r"[<>&]", text)


@pytest.mark.case("X6")
def test_the_policy_names_the_one_script():
    """The page may run this script and no other, and may load nothing at all."""
    found = page(simulate(revenue(2)))
    digest = base64.b64encode(hashlib.sha256(found.texts["script module"].encode()).digest())
    assert found.policy == {
        "default-src": "'none'",
        "script-src": f"'sha256-{digest.decode()}'",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_a_script_with_the_words_that_end_a_script_stays_whole():
    """Should the panel's code ever hold such words, the page is not cut there."""
    (report._STATIC / "report.js").write_text('let a = "</script><!--";')
    found = page(RunLog().events)
    assert_inert(found)
    assert found.texts["script module"] == 'let a = "<\\/script>\\x3c!--";'


def test_the_script_in_the_package_is_there():
    """The package has the built script and style; neither loads anything."""
    code = (STATIC / "report.js").read_text(encoding="utf-8")
    style = (STATIC / "report.css").read_text(encoding="utf-8")
    assert "nbflow-data" in code
    assert not re.search(r"https?://(?!www\.w3\.org/)", code + style)
    assert not re.search(r"\bimport\s*[\"'(]|@import|url\(|\beval\b|new Function", code + style)


# ---------------------------------------------------------------------- what is in it


def test_the_page_says_what_run_it_is():
    """Title, heading and facts name the run, how it stands, when it was and what wrote this."""
    text = report_html("revenue-1", simulate(revenue(2), failing={"fetch-2"}))
    found = Page(text)
    assert found.texts["title"].startswith("revenue · revenue-1")
    assert found.texts["h1"] == "revenue"
    facts = dict(
        zip(re.findall("<dt>(.*?)</dt>", text), re.findall("<dd>(.*?)</dd>", text), strict=True)
    )
    assert (facts["run"], facts["status"], facts["on"]) == ("revenue-1", "failed", "threads")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", facts["began"])
    assert f"nbflow {nbflow.__version__} on Python" in found.texts["footer"]


def test_without_scripts_there_are_picture_and_text():
    """The picture and the text stand in the page itself, outside of any script."""
    text = report_html("revenue-1", simulate(revenue(2)))
    found = Page(text)
    assert "Scripts are off" in found.texts["p"]
    assert found.elements.count("svg") == 1
    assert "fetch-1" in found.texts["text"]
    assert "critical path:" in found.texts["pre"]


def rows(data: dict[str, Any], table: str) -> int:
    return sum(block["count"] for block in data["state"]["rows"] if block["table"] == table)


def test_all_rows_are_in_it():
    """However many calls and attempts there are, all are in the page, in blocks of the contract."""
    data = page(simulate(revenue(300))).data
    assert (rows(data, "calls"), rows(data, "bars")) == (601, 601)
    assert data["state"]["tables"] == {"calls": 601, "bars": 601}
    for block in data["state"]["rows"]:
        wanted = CALLS if block["table"] == "calls" else BARS
        assert [(name, kind) for name, kind, _ in block["columns"]] == list(wanted)
        for _, kind, text in block["columns"]:
            assert len(base64.b64decode(text)) == block["count"] * int(kind[1])


def test_both_ways_to_see_the_graph_are_in_it():
    """By call and by activity, and by activity with each of them opened."""
    data = page(simulate(revenue(5))).data
    views = {(view["mode"], tuple(view["open"])): view for view in data["views"]}
    assert {("calls", ()), ("groups", ()), ("groups", (0,)), ("groups", (0, 1, 2))} <= views.keys()
    assert len(views["calls", ()]["nodes"]) == 11
    assert len(views["groups", ()]["nodes"]) == 3
    assert len(views["groups", (0,)]["nodes"]) == 7
    assert data["state"]["view"]["mode"] == "calls"
    assert data["state"]["nodes"] == views["calls", ()]["nodes"]
    assert len({json.dumps(view["view"]["modes"]) for view in data["views"]}) == 1


def test_a_view_that_is_not_in_it_cannot_be_chosen(monkeypatch):
    """Where calls are too many to be drawn one by one here, the page does not offer it."""
    monkeypatch.setattr(report, "DRAWN", 100)
    data = page(simulate(revenue(160))).data
    assert [(view["mode"], view["open"]) for view in data["views"]] == [("groups", [])]
    assert data["state"]["view"]["modes"] == ["groups"]


def test_views_take_no_more_room_than_there_is(monkeypatch):
    """Of very many ways to open activities, only so many letters are in the page."""
    monkeypatch.setattr(report, "_VIEWS", 30_000)
    calls = [(f"a{i % 9}-{i // 9 + 1}", ()) for i in range(90)]
    data = page(simulate(calls)).data
    assert 1 < len(data["views"]) < 20
    assert len(json.dumps(data["views"])) < 32_000


def test_a_graph_on_a_canvas_is_in_it_as_numbers():
    """More boxes than elements can be are columns, as the panel is sent them."""
    data = page(simulate([(f"a-{i}", ()) for i in range(1, 1802)])).data
    (view,) = [view for view in data["views"] if view["mode"] == "calls"]
    assert view["view"]["canvas"]
    assert view["scene"]["head"]["count"] == 1801
    assert len(base64.b64decode(view["scene"]["columns"][0])) == 4 * 1801


def test_details_of_few_calls_are_all_there():
    """Each call's arguments, result, error and attempts are told; a source stands there once."""

    def about(call: str) -> About:
        return About(("region",), f"def {call.partition('-')[0]}(region): ...")

    events = simulate(revenue(3), failing={"fetch-2"})
    data = Page(report_html("revenue-1", events, about)).data
    assert len(data["details"]) == 7
    first = data["details"]["0"]
    assert first["args"] == [["region", "'eu'"]]
    assert data["sources"][first["source"]] == "def fetch(region): ..."
    assert sorted(data["sources"]) == [
        f"def {name}(region): ..." for name in ("convert", "fetch", "total")
    ]
    failed = data["details"]["2"]
    assert failed["error"].startswith("ValueError")
    assert [attempt["status"] for attempt in failed["attempts"]] == ["failed"]


def test_of_many_calls_the_failed_and_the_longest_have_details():
    """Past a limit there are details of what failed, then of what took longest."""
    calls = [(f"a-{i}", ()) for i in range(1, ALL + 2)]
    events = simulate(calls, workers=8, failing={"a-7", "a-1900"})
    data = page(events).data
    told = [int(row) for row in data["details"]]
    assert len(told) == SOME
    assert told[:2] == [6, 1899]
    seconds = {
        i: a["ended"] - a["started"] for i in told[2:] for a in data["details"][str(i)]["attempts"]
    }
    lengths = [round(length, 4) for length in seconds.values()]
    assert lengths == sorted(lengths, reverse=True)
    assert min(lengths) > 0.25  # of 0.05 to 0.5 the longer half


def test_what_attempts_wrote_is_in_it():
    """The lines of the log are in the page as they are in the panel."""
    log = RunLog()
    log.asked("a-1")
    log.started("a-1", 0.1)
    wrote = CallWrote(4, 1000.2, "a-1", 1, "stdout", "hello </script>\nworld\n")
    data = page([*log.events, wrote]).data
    assert [line[4] for line in data["log"]["lines"]] == ["hello </script>", "world"]


def test_a_run_under_way_stands_still_in_its_report():
    """The page says how the run stood when it was written; no clock goes on in it."""
    log = RunLog()
    log.asked("a-1")
    log.started("a-1", 0.5)
    log.asked("b-1", ("a-1",), at=2.0)
    text = report_html("run-1", log.events)
    head = Page(text).data["state"]["head"]
    assert (head["status"], head["ended"]) == ("stopped", 2.0)
    assert "<dd>running, when this was written</dd>" in text
    assert page(RunLog().events).data["state"]["head"]["calls"] == 0


# ---------------------------------------------------------------------- from a run


@nbflow.activity
def double(x: int) -> int:
    print("doubling", x)
    return 2 * x


@nbflow.workflow
def doubles(n: int) -> int:
    return sum(double(i).result() for i in range(n))


def test_a_run_writes_its_report(tmp_path):
    """`run.report` gives the file; the activity's source is in it."""
    run = doubles(3)
    assert run.result() == 6
    file = run.report(tmp_path / "run.html")
    data = Page(file.read_text(encoding="utf-8")).data
    assert data["state"]["head"]["run"] == run.id
    assert data["state"]["head"]["result"] == "6"
    assert any("def double(x: int)" in source for source in data["sources"])
    assert data["details"]["2"]["args"] == [["x", "2"]]
    again = nbflow.attach(run.id).report(str(tmp_path / "again.htm"))
    assert again.name == "again.htm"


def test_a_report_that_cannot_be_written_is_told(tmp_path):
    """Another extension or a missing folder: one error that says what to do."""
    run = doubles(1)
    run.result()
    with pytest.raises(ValueError, match=r"cannot save the report of run .*\.html"):
        run.report(tmp_path / "run.pdf")
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        run.report(tmp_path / "none" / "run.html")
    assert not list(tmp_path.glob("run*"))
