"""Names that users give become no paths, no markup, no formulas and no control of a terminal."""

from __future__ import annotations

import csv
import html.parser
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbflow
from nbflow.core.activity import activity
from nbflow.core.errors import NbflowError, StoreError
from nbflow.core.workflow import workflow
from nbflow.magics.tables import Table
from nbflow.store.blobs import Blobs
from nbflow.store.ids import is_id, new_id
from nbflow.viz.export import csv_text
from nbflow.viz.wording import clean, markup

PATHS = [
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "C:\\x",
    "nul\0byte",
    "con",
    "aux.txt",
    "x" * 300,
    "~",
    "~root",
    "-rf",
    "%2e%2e/",
    "",
    ".",
    "..",
    "$HOME",
    "`id`",
    "a\nb",
    "\u202egnp.exe",
    "é" * 100,
]
OURS = re.compile(r"store|blobs|[0-9a-f]{2}|[0-9a-f]{32}|log\.sqlite(-wal|-shm)?|\.gitignore")
MARKUP = [
    "<script>window.__pwned=1</script>",
    '"><img src=x onerror="window.__pwned=1">',
    "' onmouseover='window.__pwned=1",
    "</title></svg><script>window.__pwned=1</script>",
    "]]><script>window.__pwned=1</script>",
    "--><script>window.__pwned=1</script>",
    "</script><script>window.__pwned=1</script>",
    "javascript:window.__pwned=1",
    "&lt;script&gt;",
    "{{7*7}} ${7*7}",
    "\x1b]0;pwned\x07\x1b[2J",
    "\u202e<b>\u2066",
]


def run_named(name: str, argument: Any = 1) -> nbflow.Run[Any]:
    """Run a workflow with a name in the place of its own and its activity's."""

    def work(value: Any) -> Any:
        print(name)
        return value

    made = activity(name=name)(work)

    def flow(value: Any) -> Any:
        """Hold a name."""
        return made(value)

    return workflow(name=name)(flow).start(argument)


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.case("C5")
def test_names_become_no_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever a workflow is called, files are made in the store only, with names of our own."""
    inner = tmp_path / "a" / "b" / "c"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    nbflow.configure(store=str(inner / "store"))
    before = set(tmp_path.rglob("*"))
    try:
        run = run_named(name, "x" * 70_000)
    except NbflowError:
        assert not [path for path in tmp_path.rglob("*") if path not in before and path.is_file()]
        return
    run.result()
    assert is_id(run.id)
    made = set(tmp_path.rglob("*")) - before
    assert made
    for path in made:
        assert path.resolve().is_relative_to(inner / "store")
        assert OURS.fullmatch(path.name)


@given(st.text(max_size=400))
@pytest.mark.case("C5")
def test_ids_are_safe_whatever_the_workflow_is_called(name: str) -> None:
    """Ids match one pattern, are no device of Windows, and are short enough for any file system."""
    made = new_id(name)
    assert is_id(made)
    assert len(made) <= 128
    assert (Path("/store") / made).resolve().parent == Path("/store")


@pytest.mark.parametrize("name", [*PATHS, "CON", "com1.log", "LPT9", "a.", "x" * 129, ".a", "a b"])
def test_what_is_no_id_is_told(name: str) -> None:
    """Ids that come from a file are held against the same pattern."""
    assert not is_id(name)


@pytest.mark.parametrize("digest", PATHS)
def test_digests_from_a_log_reach_no_other_file(tmp_path: Path, digest: str) -> None:
    """A log may name any blob: only what looks like a digest is looked for."""
    blobs = Blobs(tmp_path / "blobs", "store")
    with pytest.raises(StoreError, match=r"not the name of a blob|missing"):
        blobs.get(digest)
    if digest.isalnum() and digest.isascii():
        assert blobs.file(digest).resolve().is_relative_to(tmp_path / "blobs")


# -------------------------------------------------------------------- markup


class Elements(html.parser.HTMLParser):
    """Notes every element and attribute as a browser would find them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


def elements(text: str) -> list[tuple[str, tuple[str, ...]]]:
    parser = Elements()
    parser.feed(text)
    return parser.found


@pytest.fixture
def pictures(tmp_path: Path) -> Any:
    """Give everything that is drawn of a run, by name."""

    def drawn(run: nbflow.Run[Any]) -> dict[str, str]:
        run.wait()
        report = tmp_path / "report.html"
        run.report(report)
        found = {
            "graph": run.graph.svg(),
            "profile": run.profile.svg(),
            "report": report.read_text(),
            "runs": str(getattr(nbflow.runs(), "_repr_html_", str)()),
        }
        report.unlink()
        return found

    return drawn


@pytest.mark.parametrize("name", MARKUP)
@pytest.mark.case("W5")
def test_markup_in_names_arguments_and_errors_is_inert(pictures: Any, name: str) -> None:
    """Pictures, reports and tables have the elements that they have of harmless names."""

    def raised(text: str) -> nbflow.Run[Any]:
        def fail(value: Any) -> None:
            raise ValueError(text)

        made = activity(name="named")(fail)

        def flow(value: Any) -> Any:
            return made(value)

        flow.__doc__ = text
        return workflow(name="flow")(flow).start(text)

    try:
        runs = [run_named(name, name), raised(name)]
    except NbflowError:  # not a name that is allowed: then only the error and the argument
        runs = [raised(name)]
    for run in runs:
        for what, text in pictures(run).items():
            if what != "report":
                ET.fromstring(text) if text.startswith("<svg") else None
            for tag, attributes in elements(text):
                assert not [a for a in attributes if a.startswith("on")], (what, tag)
                assert tag not in {"img", "iframe", "object", "embed", "base", "b"}, what
            assert "window.__pwned=1</script>" not in text, what
            assert not re.search(r"href\s*=\s*[\"']?\s*javascript", text, re.IGNORECASE), what
            assert not {"\x1b", "\u202e"} & set(text), what


@pytest.mark.parametrize("text", MARKUP)
def test_tables_of_the_magics_are_inert(text: str) -> None:
    """Heads and cells are text."""
    table, plain = Table((text,), [(text, text)], ""), Table(("x",), [("x", "x")], "")
    assert elements(table._repr_html_()) == elements(plain._repr_html_())


@given(st.text())
def test_markup_comes_back_as_text(text: str) -> None:
    """What a browser reads, in an element or an attribute, is the text itself."""
    shown = ET.fromstring(f'<a b="{markup(clean(text))}">{markup(clean(text))}</a>')
    assert shown.text in {clean(text), None if not text else clean(text)}
    assert shown.get("b") == clean(text)


@pytest.mark.case("W5")
def test_there_is_one_escaper() -> None:
    """No other module escapes markup by itself, so that none can do it less well."""
    root = Path(nbflow.__file__).parent
    words = re.compile(r"\bhtml\.escape|xml\.sax|quoteattr|&lt;|&amp;")
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if words.search(path.read_text())
    }
    assert found == {"viz/wording.py"}


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
@pytest.mark.case("C7")
def test_cells_of_csv_are_no_formulas(start: str) -> None:
    """A spreadsheet shows them as text; numbers stay numbers."""
    text = f"{start}cmd|' /C calc'!A0"
    out = csv_text(["a", "b", "c"], [{"a": text, "b": -1.5, "c": "plain"}])
    (_, row) = csv.reader(io.StringIO(out))
    assert row[1:] == ["-1.5", "plain"]
    assert row[0] == (f"'{text}" if start.isprintable() else clean(text))
    assert row[0][0] not in "=+-@\t\r"
