"""Graphs and profiles in other programs' formats, read back as those programs read them."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shutil
import stat
import subprocess
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from nbflow.core.events import CallReused, CallSucceeded
from nbflow.core.graph import STATUSES
from nbflow.viz.mermaid import MOST_EDGES, MOST_LETTERS, escape
from nbflow.viz.saved import load
from nbflow.viz.views import GraphView, ProfileView
from nbflow.viz.wording import TIMES, clean, cut
from tests.viz.runlog import HOSTILE, RunLog, hostile, revenue, simulate

NAMES = [
    HOSTILE,
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "a\\",
    'a"b\\"c',
    "line\nbreak\r\ttab",
    "\u202egnp.exe\u2066",
    '=HYPERLINK("http://x","y")',
    "end",
    "`**bold** _it_ www.x.org`",
    "a]]></title>-->",
    "\\N\\G\\l",
    "<b>x</b>",
    "#60;script#62;",
    "%%{init: {}}%%",
    '"];x[',
    "'; DROP",
]


def named(name: str) -> list:
    """Give a run in which a user chose this name for all there is to name."""
    log = RunLog(name)
    log.asked(f"{name}-1", args=(name,), activity=name)
    log.asked(f"{name}-2", (f"{name}-1",), activity=name)
    log.succeeded(f"{name}-1", 0.1, 0.5, name)
    log.failed(f"{name}-2", 0.6, 0.9, name, message=name)
    log.closed(1.0, "failed")
    return log.events


def retried() -> list:
    """Give a run with a retry, a control edge through a join, a call under way and one waiting."""
    log = RunLog()
    log.asked("fetch-1", args=("eu",))
    log.asked("fetch-2", args=("us",))
    log.started("fetch-1", 0.1, "w-1")
    log.succeeded("fetch-1", 0.1, 0.5, "w-1", packing=0.1)
    log.failed("fetch-2", 0.1, 0.6, "w-2", retry_at=0.8)
    log.succeeded("fetch-2", 0.9, 1.4, "w-1", attempt=2)
    log.asked("add-1", ("fetch-1", "fetch-2"), at=1.5)
    log.asked("check-1", at=1.5, turn=1, after=("fetch-1", "fetch-2"))
    log.asked("late-1", ("add-1",), at=1.5)
    log.started("add-1", 1.6, "w-1")
    log.started("check-1", 1.7, "w-2")
    log.cancelled("check-1", 1.9)
    return log.events


def reused() -> list:
    """Give a run of which an earlier result answered a call."""
    log = RunLog()
    log.asked("fetch-1")
    log.asked("convert-1", ("fetch-1",))
    found = [*log.events, CallReused(4, 1000.1, "fetch-1", "k", "run/fetch-1", 1)]
    return [*found, CallSucceeded(5, 1001.0, "convert-1", 1, 2, "w", 1000.2, 700_000_000)]


# ---------------------------------------------------------------------- DOT


def parsed_dot(source: str) -> dict:
    """Read DOT as graphviz reads it, all of it."""
    if shutil.which("dot") is None:
        pytest.skip("graphviz is not installed")
    done = subprocess.run(
        ["dot", "-Tdot_json"], input=source.encode(), capture_output=True, check=True
    )
    assert done.stderr == b""
    found: dict = json.loads(done.stdout)
    return found


def shown(label: str) -> str:
    """Give what graphviz shows of a label: its own escapes are a backslash and a letter."""
    return re.sub(r"\\(.)", r"\1", label)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_dot_gives_back_every_name_as_a_text(name):
    """Graphviz reads two boxes and a line, and each label is the cleaned name, whatever it is."""
    view = GraphView.of(named(name))
    found = parsed_dot(view.dot())
    boxes = found["objects"]
    assert [box["name"] for box in boxes] == ["n0", "n1"]
    assert [(edge["tail"], edge["head"]) for edge in found["edges"]] == [(0, 1)]
    labels = [shown(box["label"]) for box in boxes]
    assert labels == [
        f"{mark} {cut(clean(node.label), 60)}" for mark, node in zip("✓✗", view.nodes, strict=True)
    ]
    assert shown(boxes[0]["tooltip"]) == f"{clean(name + '-1')}: done"
    assert shown(found["label"]) == clean(name)
    assert not any("URL" in box or "href" in box for box in boxes)


def test_dot_of_a_big_graph_is_by_activity_and_says_so():
    """Past 300 calls a box is an activity; the first line tells, and one may ask for all calls."""
    view = GraphView.of(simulate(revenue(200)))
    source = view.dot()
    assert source.splitlines()[0] == "// 401 calls, drawn by activity"
    found = parsed_dot(source)
    assert [shown(box["label"]) for box in found["objects"]] == [
        f"✓ fetch {TIMES}200",
        f"✓ convert {TIMES}200",
        f"✓ total {TIMES}1",
    ]
    assert "401 calls" in found["label"]
    assert view.dot(groups=False).count(" -> ") == 400
    assert "3 calls, drawn by activity" in GraphView.of(simulate(revenue(1))).dot(groups=True)


# ---------------------------------------------------------------------- Mermaid

BOX = re.compile(r'    (n\d+)\("((?:[^"#<>&`|{}\[\]\\;*~@!?$%^:/]|#\d+;)*)"\):::([a-z]+)')
JOIN = re.compile(r"    n\d+\(\( \)\)")
LINK = re.compile(r'    (n\d+) (-->|-\.->)(\|"\u00d7[\d,]+"\|)? (n\d+)')
STYLE = re.compile(r"    classDef ([a-z]+) fill:#[0-9a-f]{6},stroke:#[0-9a-f]{6},color:#1f2933")
NOTE = re.compile(r"%% [\w ,;]+")


def read_mermaid(source: str) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """Read a flowchart by a grammar that has a place for nothing but boxes and lines."""
    lines = source.splitlines()
    if NOTE.fullmatch(lines[0]):
        lines = lines[1:]
    assert lines[0] == "flowchart TD"
    boxes, links = {}, []
    for line in lines[1:]:
        if box := BOX.fullmatch(line):
            boxes[box[1]] = re.sub(r"#(\d+);", lambda m: chr(int(m[1])), box[2])
            assert box[3] in STATUSES
        elif link := LINK.fullmatch(line):
            links.append(link.groups())
        else:
            assert STYLE.fullmatch(line) or JOIN.fullmatch(line), line
    return boxes, links


@settings(deadline=None, max_examples=100)
@given(st.text())
@example(HOSTILE)
@example("www.example.org _init_ __x__ 1.5 1. a")
def test_mermaid_has_boxes_and_lines_only(name: str) -> None:
    """Whatever a name holds, no line is anything but a box, a line or a style, and it is there."""
    view = GraphView.of(named(name or "a"))
    boxes, links = read_mermaid(view.mermaid())
    assert boxes == {
        f"n{i}": f"{'✓✗'[i]} {cut(clean(node.label), 60)}" for i, node in enumerate(view.nodes)
    }
    assert len(links) == 1


def test_mermaid_knows_no_address_and_no_emphasis():
    """Points and underscores that Markdown would read are numbers; others stay to be read."""
    assert escape("load_data(1.5)") == "load_data(1.5)"
    assert escape("_x_ www.x.org 1. a") == "#95;x#95; www#46;x#46;org 1#46; a"
    assert not set('<>"`*[]{}|&\\~:/@!?$%^;') & set(re.sub(r"#\d+;", "", escape(HOSTILE)))


def test_mermaid_stays_within_what_mermaid_draws():
    """A page refuses more than 500 lines or 50,000 letters: then activities are drawn, and told."""
    view = GraphView.of(simulate(revenue(290)))  # 581 calls, 580 edges
    source = view.mermaid()
    assert source.startswith("%% 581 calls, drawn by activity")
    boxes, links = read_mermaid(source)
    assert list(boxes.values()) == [
        f"✓ fetch {TIMES}290",
        f"✓ convert {TIMES}290",
        f"✓ total {TIMES}1",
    ]
    assert ("n0", "-->", f'|"{TIMES}290"|', "n1") in links
    many = [(f"act{i}-1", tuple(f"act{j}-1" for j in range(i))) for i in range(60)]
    dense = GraphView.of(simulate(many))
    assert len(dense.edges) > MOST_EDGES
    source = dense.mermaid()
    assert len(read_mermaid(source)[1]) <= MOST_EDGES
    assert len(source) <= MOST_LETTERS
    assert len(read_mermaid(dense.mermaid(groups=False))[1]) == len(dense.edges)


def test_a_small_graph_in_mermaid_word_for_word():
    """What people paste into their README stays as it is from version to version."""
    assert (
        GraphView.of(retried()).mermaid()
        == """\
flowchart TD
    n0("✓ fetch('eu')"):::done
    n1("✓ fetch('us')"):::done
    n2("▶ add(fetch-1, fetch-2)"):::running
    n3("■ check()"):::cancelled
    n4("· late(add-1)"):::waiting
    n5(( ))
    n0 --> n2
    n1 --> n2
    n0 -.-> n5
    n1 -.-> n5
    n5 -.-> n3
    n2 --> n4
    classDef done fill:#e0f3ee,stroke:#009e73,color:#1f2933
    classDef running fill:#fcf3e0,stroke:#e69f00,color:#1f2933
    classDef cancelled fill:#efefef,stroke:#7d7d7d,color:#1f2933
    classDef waiting fill:#f6f6f6,stroke:#b0b0b0,color:#1f2933
"""
    )


# ---------------------------------------------------------------------- traces

REQUIRED = {
    "X": {"name", "cat", "ph", "ts", "dur", "pid", "tid", "args"},
    "M": {"name", "ph", "pid", "tid", "args"},
    "s": {"name", "cat", "ph", "ts", "pid", "tid", "id"},
    "f": {"name", "cat", "ph", "ts", "pid", "tid", "id", "bp"},
    "C": {"name", "ph", "ts", "pid", "args"},
}
"""The fields that the Trace Event Format asks of each kind of event that we write."""
KINDS: list[tuple[str, Any]] = [
    ("ts", (int, float)),
    ("dur", (int, float)),
    ("pid", int),
    ("tid", int),
]
METADATA = {"process_name": "name", "thread_name": "name", "thread_sort_index": "sort_index"}


def checked(trace: dict) -> dict[str, list[dict]]:
    """Check a trace against the published format; give its events by phase."""
    assert trace == json.loads(json.dumps(trace, allow_nan=False))
    assert trace["displayTimeUnit"] in {"ms", "ns"}
    found = defaultdict(list)
    for event in trace["traceEvents"]:
        assert REQUIRED[event["ph"]] <= event.keys()
        for field, kinds in KINDS:
            assert isinstance(event.get(field, 0), kinds)
            assert event.get(field, 0) >= 0
        for field in ("name", "cat"):
            assert isinstance(event.get(field, ""), str)
            assert event.get(field, "").isprintable()
        found[event["ph"]].append(event)
    for event in found["M"]:
        assert list(event["args"]) == [METADATA[event["name"]]]
    threads = {event["tid"] for event in found["M"] if event["name"] == "thread_name"}
    assert [e["name"] for e in found["M"]].count("process_name") == 1
    for event in found["X"] + found["s"] + found["f"]:
        assert event["tid"] in threads
    for event in found["C"]:
        assert all(type(value) is int and value >= 0 for value in event["args"].values())
    assert_nested(found["X"])
    assert_arrows(found)
    return found


def assert_nested(slices: list[dict]) -> None:
    """Slices of one thread lie one after the other."""
    tracks = defaultdict(list)
    for event in slices:
        tracks[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for track in tracks.values():
        track.sort()
        for (_, end), (start, _) in pairwise(track):
            assert end <= start + 1e-3


def assert_arrows(found: dict[str, list[dict]]) -> None:
    """A flow begins once, ends once, not before it began, and both ends lie on slices."""
    begins = {event["id"]: event for event in found["s"]}
    ends = {event["id"]: event for event in found["f"]}
    assert len(begins) == len(found["s"])
    assert begins.keys() == ends.keys()
    assert len(ends) == len(found["f"])
    for key, begin in begins.items():
        assert begin["ts"] <= ends[key]["ts"]
        for end in (begin, ends[key]):
            assert any(
                x["tid"] == end["tid"] and x["ts"] - 1e-3 <= end["ts"] <= x["ts"] + x["dur"] + 1e-3
                for x in found["X"]
            )
        assert (begin["name"], begin["cat"]) == (ends[key]["name"], ends[key]["cat"])


def test_a_trace_keeps_to_the_published_format():
    """Every event has its fields, slices of a thread do not overlap, arrows lead forward."""
    for events in (
        simulate(revenue(20), failing={"fetch-3"}),
        retried(),
        hostile(),
        RunLog().events,
    ):
        checked(ProfileView.of(events).trace())


def test_a_trace_says_what_happened():
    """Slices lie where the attempts did; retries and needs are arrows; waits are told."""
    found = checked(ProfileView.of(retried()).trace())
    first, failed, second, last, dropped = found["X"]
    assert (first["name"], first["ts"], first["dur"]) == ("fetch-1", 100_000, 400_000)
    assert first["args"]["packing_ms"] == 100
    assert (failed["args"]["status"], failed["args"]["attempt"]) == ("failed", 1)
    assert (second["args"]["attempt"], second["args"]["queued_ms"]) == (2, 100)
    assert (last["name"], last["args"]["status"]) == ("add-1", "running")
    assert (dropped["name"], dropped["args"]["status"]) == ("check-1", "cancelled")
    names = {e["tid"]: e["args"]["name"] for e in found["M"] if e["name"] == "thread_name"}
    assert [names[e["tid"]] for e in found["X"]] == ["w-1", "w-2", "w-1", "w-1", "w-2"]
    assert [e["name"] for e in found["s"]] == ["retry", "needs", "needs"]
    retry = found["s"][0]
    assert failed["ts"] <= retry["ts"] < failed["ts"] + failed["dur"]
    assert retry["tid"] == failed["tid"]
    assert found["f"][0]["ts"] == second["ts"]
    counted = [(e["ts"], e["args"]["queued"], e["args"]["running"]) for e in found["C"]]
    assert counted[:2] == [(0, 2, 0), (100_000, 0, 2)]
    assert counted[-1][1:] == (0, 1)  # add-1 still runs


def test_neighbours_that_overlap_by_clock_error_do_not_in_a_trace():
    """A thread's slices may not cross, so a bar ends where the next one of its lane begins."""
    log = RunLog()
    log.asked("a-1")
    log.asked("b-1")
    log.succeeded("a-1", 0.0, 1.00005)
    log.succeeded("b-1", 1.0, 2.0)
    first, second = checked(ProfileView.of(log.events).trace())["X"]
    assert first["tid"] == second["tid"]
    assert first["ts"] + first["dur"] == second["ts"] == 1_000_000


def test_the_counters_of_a_long_run_are_thinned_out():
    """However many attempts there are, counters are some thousands, and end true."""
    calls = [(f"a-{i}", ()) for i in range(1, 4001)]
    trace = ProfileView.of(simulate(calls, workers=8)).trace()["traceEvents"]
    counters = [event for event in trace if event["ph"] == "C"]
    assert 1000 < len(counters) <= 5001
    assert counters[-1]["args"] == {"queued": 0, "running": 0}


# ---------------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "events",
    [
        retried(),
        hostile(),
        simulate(revenue(3), failing={"fetch-2"}),
        simulate(revenue(160), failing={"fetch-2"}),
        RunLog().events,
        reused(),
        *map(named, NAMES[:8]),
    ],
    ids=range(14),
)
def test_json_gives_the_same_pictures_again(tmp_path, events):
    """What was saved as JSON draws what it drew, by call and by activity, in every form."""
    graph, profile = GraphView.of(events), ProfileView.of(events)
    again = load(graph.save(tmp_path / "graph.json"))
    assert isinstance(again, GraphView)
    assert again.svg() == graph.svg()
    assert again.text() == graph.text()
    assert again.mermaid() == graph.mermaid()
    assert again.dot() == graph.dot()
    assert repr(again) == repr(graph)
    later = load(profile.save(tmp_path / "profile.json"))
    assert isinstance(later, ProfileView)
    assert later.svg() == profile.svg()
    assert later.trace() == profile.trace()
    assert later.to_dict() == profile.to_dict()


def test_json_has_the_fields_that_its_document_lists():
    """docs/exports.md names each field of the JSON, and the version it is of."""
    text = (Path(__file__).parents[2] / "docs" / "exports.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(\w+)`", text))
    graph, profile = GraphView.of(retried()).to_dict(), ProfileView.of(retried()).to_dict()
    assert graph["schema"] == profile["schema"] == 1
    for data in (graph, profile, graph["nodes"][0], graph["edges"][0], profile["bars"][0]):
        assert not data.keys() - documented
    for part in ("activities", "critical_path"):
        assert not profile[part][0].keys() - documented


def test_a_file_that_is_none_of_ours_is_refused(tmp_path):
    """Reading something else says what is wrong, and never half a graph."""
    for name, text, words in [
        ("a.json", "[1, 2]", "neither a graph nor a profile"),
        ("b.json", "{", "cannot be read"),
        ("c.json", '{"kind": "nbflow graph", "schema": 1}', "KeyError"),
        ("d.json", '{"kind": "nbflow profile", "bars": [{}]}', "cannot be read"),
    ]:
        file = tmp_path / name
        file.write_text(text)
        with pytest.raises(ValueError, match=words):
            load(file)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "e.json")


# ---------------------------------------------------------------------- tables


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


TEXTS = {"call", "activity", "worker", "status", "deps", "source", "target", "kind"}
FORMULAS = "=+-@|%\uff1d\uff0b\uff0d\uff20"
STARTS = ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\uff1d1", "%1", "|x"]


@pytest.mark.parametrize("name", [*NAMES, *STARTS], ids=range(len(NAMES) + len(STARTS)))
@pytest.mark.case("C7")
def test_no_cell_of_a_csv_file_is_a_formula(name):
    """A spreadsheet computes nothing of what a user named; every name can still be read."""
    attempts = rows(ProfileView.of(named(name)).to_csv())
    edges = rows(GraphView.of(named(name)).to_csv())
    assert len(attempts) == 2
    assert len(edges) == 1
    for row in attempts + edges:
        assert None not in row
        assert None not in row.values()
        for column, cell in row.items():
            assert cell.isprintable(), column
        for column in TEXTS & row.keys():
            assert not row[column].lstrip(' "').startswith(tuple(FORMULAS)), column
    texts = [row["activity"] for row in attempts]
    assert {clean(name), "'" + clean(name)} & set(texts)


def test_csv_says_what_the_tables_say():
    """An attempt a line, an edge a line, numbers as numbers."""
    attempts = rows(ProfileView.of(retried()).to_csv())
    assert [(a["call"], a["attempt"], a["status"]) for a in attempts] == [
        ("fetch-1", "1", "done"),
        ("fetch-2", "1", "failed"),
        ("fetch-2", "2", "done"),
        ("add-1", "1", "running"),
        ("check-1", "1", "cancelled"),
    ]
    assert float(attempts[2]["queued"]) == pytest.approx(0.1)
    assert attempts[3]["deps"] == "fetch-1 fetch-2"
    assert attempts[3]["ended"] == ""
    assert rows(GraphView.of(retried()).to_csv())[0] == {
        "source": "fetch-1",
        "target": "add-1",
        "kind": "data",
    }


def test_pandas_has_attempts_and_edges():
    """A run's graph is a table of edges, its profile one of attempts, empty ones too."""
    pytest.importorskip("pandas")
    edges = GraphView.of(retried()).to_pandas()
    assert list(edges.columns) == ["source", "target", "kind"]
    assert list(edges.iloc[0]) == ["fetch-1", "add-1", "data"]
    assert set(edges["kind"]) == {"data", "control"}
    bars = ProfileView.of(retried()).to_pandas()
    assert bars["seconds"].iloc[0] == pytest.approx(0.4)
    empty = RunLog().events
    assert list(GraphView.of(empty).to_pandas().columns) == ["source", "target", "kind"]
    assert ProfileView.of(empty).to_pandas().empty


# ---------------------------------------------------------------------- files

GRAPH_FORMATS = ["svg", "png", "pdf", "dot", "gv", "mmd", "mermaid", "json", "csv", "txt"]
PROFILE_FORMATS = ["svg", "png", "pdf", "trace.json", "json", "csv", "txt"]
BEGINNINGS = {
    "svg": b"<svg ",
    "png": b"\x89PNG",
    "pdf": b"%PDF-",
    "mmd": b"flowchart",
    "mermaid": b"flowchart",
    "json": b"{",
}


def assert_is(ending: str, data: bytes) -> None:
    assert data.startswith(BEGINNINGS.get(ending, b""))
    match ending:
        case "svg":
            ET.fromstring(data)
        case "png":
            Image.open(io.BytesIO(data)).verify()
        case "pdf":
            assert data.rstrip().endswith(b"%%EOF")
        case "json" | "trace.json":
            json.loads(data)
        case _:
            data.decode()


@pytest.mark.parametrize("ending", GRAPH_FORMATS)
def test_a_graph_is_saved_by_extension(tmp_path, ending):
    """Each extension gives its format, of hostile names too, and small letters are no matter."""
    for events in (retried(), hostile()):
        file = GraphView.of(events).save(tmp_path / f"graph.{ending.upper()}")
        assert_is(ending, file.read_bytes())
    assert [found.name for found in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("ending", PROFILE_FORMATS)
def test_a_profile_is_saved_by_extension(tmp_path, ending):
    """Each extension gives its format; the longer one wins; `.gz` behind it compresses."""
    for events in (retried(), hostile()):
        file = ProfileView.of(events).save(str(tmp_path / f"run.{ending}"))
        assert_is(ending, file.read_bytes())
    packed = ProfileView.of(events).save(tmp_path / f"run.{ending}.gz")
    assert gzip.decompress(packed.read_bytes()) == file.read_bytes()
    if ending == "trace.json":
        checked(json.loads(file.read_bytes()))


def test_an_unknown_extension_is_answered_with_those_there_are(tmp_path):
    """One error names the file, and every format; nothing is written."""
    graph, profile = GraphView.of(retried()), ProfileView.of(retried())
    for name in ("graph.doc", "graph", ".svg", "svg"):
        with pytest.raises(ValueError, match="cannot save the graph of revenue") as told:
            graph.save(tmp_path / name)
        assert all(f".{ending}" in str(told.value) for ending in GRAPH_FORMATS)
    with pytest.raises(ValueError, match=r"\.trace\.json"):
        profile.save(tmp_path / "profile.dot")
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written_to_is_told_in_one_error(tmp_path, monkeypatch):
    """A missing folder, a folder in the way, no permission: what, why, and what to do."""
    graph = GraphView.of(retried())
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*Create it") as told:
        graph.save(tmp_path / "none" / "graph.svg")
    assert told.value.__cause__ is None
    assert told.value.__suppress_context__ or told.value.__context__ is None
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder"):
        graph.save(tmp_path / "folder.svg")
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError, match="there is no folder"):
        graph.save(tmp_path / "file" / "graph.svg")

    def refuse(*_args):
        raise PermissionError(13, "Permission denied")

    kept = graph.save(tmp_path / "kept.svg").read_bytes()
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(PermissionError, match=r"may not be written to.*is as it was"):
        graph.save(tmp_path / "kept.svg")
    assert (tmp_path / "kept.svg").read_bytes() == kept


def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path, monkeypatch):
    """A full disk in the middle leaves what was there, whole, and no half file beside it."""
    graph = GraphView.of(retried())
    file = graph.save(tmp_path / "graph.dot")
    before = file.read_bytes()

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"the disk of .* is full"):
        GraphView.of(hostile()).save(file)
    assert file.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["graph.dot"]


def test_a_file_keeps_its_rights_and_a_link_stays_a_link(tmp_path):
    """A replaced file has the mode it had, a new one that of the umask; a link is followed."""
    graph = GraphView.of(retried())
    file = graph.save(tmp_path / "graph.dot")
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(file.stat().st_mode) == 0o666 & ~umask
    file.chmod(0o640)
    link = tmp_path / "link.dot"
    link.symlink_to(file)
    GraphView.of(hostile()).save(link)
    assert link.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert "img src" in file.read_text()


def test_a_picture_by_activity_says_so():
    """The title of an SVG of many calls tells that a box is an activity, a column many bars."""
    events = simulate([(f"a-{i}", ()) for i in range(1, 1601)])
    title = "{http://www.w3.org/2000/svg}title"
    graph = ET.fromstring(GraphView.of(events).svg()).find(title)
    assert graph is not None
    assert graph.text == "Graph of revenue: 1,600 calls, drawn by activity"
    profile = ET.fromstring(ProfileView.of(events).svg()).find(title)
    assert profile is not None
    assert profile.text == "Profile of revenue: 1,600 attempts, summed up by the pixel"
