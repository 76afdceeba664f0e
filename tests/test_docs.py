"""What the documents say is true: their code runs, their names exist."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import nbflow

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = ["README.md", "CHANGELOG.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))]

RUNNABLE = re.compile(
    r"<!-- run -->\n```python\n(.*?)```\n(?:\nprints\n\n```text\n(.*?)```)?", re.DOTALL
)
"""A block that says it can be run, and what the document says it prints."""


def script(cwd: Path, *arguments: str) -> str:
    """Run Python on a script as a user would, in an empty directory, and give what it printed."""
    env = {**os.environ, "NBFLOW_STORE": str(cwd / "store"), "PYTHONPATH": str(ROOT)}
    env["PYTHONUTF8"] = "1"
    done = subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def shape(output: str) -> list[str]:
    """Give the lines of an output without what time decides: durations, bars, the path."""
    lines = [line for line in output.splitlines() if not re.search("[│└─█]|^ +0 |^work", line)]
    numbers = re.compile(r"[\d.]+ ?(?:ms|s|%|workers?)(?!\w)")
    marked = re.compile(r"(?<=N) \*")  # what is on the critical path
    return [marked.sub("", re.sub(r"\s+", " ", numbers.sub("N", line)).strip()) for line in lines]


# ------------------------------------------------------------------ README


def test_readme_has_code_to_run():
    """The first thing a reader sees is code that can be run as it stands."""
    assert RUNNABLE.findall(README)


@pytest.mark.parametrize(("code", "output"), RUNNABLE.findall(README))
def test_readme_code_prints_what_it_says(tmp_path, code, output):
    """A block marked as runnable prints what stands below it, apart from what time decides."""
    (tmp_path / "block.py").write_text(code, encoding="utf-8")
    assert shape(script(tmp_path, "block.py")) == shape(output)


def test_readme_names_every_executor():
    """The table of places has a row for each executor that has a name."""
    from nbflow.executors import TABLE

    assert all(f'`"{name}"`' in README for name in TABLE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    """A link to a file of the project leads to one that is there."""
    path = ROOT / document
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", path.read_text(encoding="utf-8")):
        assert target.startswith("https://") or (path.parent / target).exists(), target


# ------------------------------------------------------------------ docs/


def test_every_public_name_is_in_the_reference():
    """docs/api.md has a row for each name of `nbflow.__all__`, and for no other."""
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)
    assert sorted(rows) == sorted(nbflow.__all__)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_documents_name_modules_and_names_that_exist(document):
    """A dotted name of ours in a document is a module of the package or one of its public names."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for name in set(re.findall(r"`nbflow\.([\w.]+)", text)):
        found = name.split(".")[0] in nbflow.__all__ or _is_module(f"nbflow.{name}")
        assert found, name


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


# ------------------------------------------------------------------ the demo


class Page(HTMLParser):
    """Notes the elements of a page, and whatever makes a browser load something."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        if tag not in {"meta", "br", "hr", "img", "link", "input"}:
            self.open.append(tag)
        for name, value in attrs:
            if name.split(":")[-1] in {"href", "src", "srcset", "data", "action"}:
                self.loads.append(f"{tag} {name}={value}")
            if name.startswith("on") or (value and re.search(r"url\((?!#)|@import", value)):
                self.loads.append(f"{tag} {name}={value}")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            assert self.open.pop() == tag, f"{tag} closes something else"


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """Run what `make demo` runs, quicker; give what it printed and the page it wrote."""
    directory = tmp_path_factory.mktemp("demo")
    printed = script(
        directory, str(ROOT / "examples/demo.py"), "--html", "demo.html", "--draws", "50"
    )
    left = sorted(p.name for p in directory.iterdir())
    return printed, (directory / "demo.html").read_text(encoding="utf-8"), left


def test_make_runs_the_demo():
    """`make demo` runs the script that these tests run, with the page that they look at."""
    assert "examples/demo.py --html demo.html" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_demo_shows_result_graph_and_chart(demo):
    """The demo prints its answer, each call, the chart with its figures, and what was slow."""
    printed, _, _ = demo
    assert re.search(r"winter .*°C", printed)
    assert all(call in printed for call in ("load-2('San Francisco')", "typical-8(", "table-1("))
    assert "critical path:" in printed
    assert "process-1 │" in printed
    assert re.search(r"\w+ took \d+ ?% of the work", printed)


def test_demo_leaves_nothing_but_its_page(demo):
    """A first try fills nobody's directory: the demo keeps no log unless `--store` says where."""
    assert demo[2] == ["demo.html"]


def test_demo_page_is_self_contained(demo):
    """The page is the run's report: picture, data and the one script, and it loads nothing."""
    page = Page()
    page.feed(demo[1])
    assert page.elements.count("svg") == 1
    assert page.elements.count("script") == 2
    assert not {"link", "iframe", "object", "embed", "img"} & set(page.elements)
    assert page.loads == []
    assert page.open == []
    assert "@import" not in demo[1]
    assert "url(http" not in demo[1]


def test_demo_keeps_the_log_where_it_is_told_to(tmp_path):
    """With `--store` the run can be found again, by the call that the demo prints."""
    demo = str(ROOT / "examples/demo.py")
    printed = script(tmp_path, demo, "--on", "threads", "--draws", "20", "--store", "kept")
    found = re.search(r"nbflow\.attach\('(swings-\w+)'\)", printed)
    assert found is not None
    nbflow.configure(store=tmp_path / "kept")
    assert nbflow.attach(found[1]).status == "completed"
