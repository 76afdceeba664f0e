"""Where there is no live widget: other programs that run and convert notebooks, and a terminal."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.magics.conftest import _environment

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

CELLS = (
    "%load_ext nbflow",
    "%%activity fetch(x)\n1 / x",
    "%%workflow w(x)\nfetch(x)",
    "run = w(2)",
    "# parameters\nx = 4",
    "run2 = w(x)\nrun2.result()",
)
PNG = b"\x89PNG"


@pytest.fixture
def book(tmp_path: Path) -> Callable[..., Path]:
    """Write a notebook of these cells that has not been run."""

    def write(*cells: str) -> Path:
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        for cell in made.cells:
            if cell.source.startswith("# parameters"):
                cell.metadata["tags"] = ["parameters"]
        made.metadata["kernelspec"] = {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
        nbformat.write(made, tmp_path / "in.ipynb")
        return tmp_path / "in.ipynb"

    return write


def command(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment in the notebook's directory, as from a terminal."""
    home = path.parent / "home"
    env = {**_environment(home), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=path.parent,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def pictures(outputs: list[Any]) -> list[dict[str, Any]]:
    """Give the outputs of a cell that are pictures of runs."""
    return [o["data"] for o in outputs if "image/png" in o.get("data", {})]


def is_final(data: dict[str, Any]) -> bool:
    """Whether these are the picture and the text of a completed run."""
    png = base64.b64decode(data["image/png"])
    words = "".join(data["text/plain"])
    return png.startswith(PNG) and "✓ completed" in words and "fetch-1" in words


class Page(HTMLParser):
    """Notes the pictures of a page, the scripts it loads, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.images: list[str] = []
        self.widgets = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "img":
            self.images.append(found.get("src") or "")
        if (found.get("type") or "").startswith("application/vnd.jupyter.widget"):
            self.widgets += 1


def test_papermill(book):
    """Each cell waits for its runs and shows the end of them; parameters are passed as always."""
    done = command(book(*CELLS), "papermill", "in.ipynb", "out.ipynb", "-p", "x", "5")
    assert done.returncode == 0, done.stderr
    made = nbformat.read(book(*CELLS).parent / "out.ipynb", as_version=4)
    cells = [cell for cell in made.cells if cell.source.startswith("run")]
    for cell in cells:
        (data,) = pictures(cell.outputs)
        assert is_final(data)
    assert cells[1].outputs[0].data["text/plain"] == "0.2"


def test_papermill_fails_with_the_run(book):
    """A run that fails fails the cell, and papermill with it; what was there by then is saved."""
    path = book(*CELLS[:3], "run = w(0)", "print('never')")
    done = command(path, "papermill", "in.ipynb", "out.ipynb")
    assert done.returncode != 0
    assert "ZeroDivisionError" in done.stderr
    made = nbformat.read(path.parent / "out.ipynb", as_version=4)
    (failed,) = [cell for cell in made.cells if cell.source == "run = w(0)"]
    (data,) = pictures(failed.outputs)
    assert "✗ failed" in data["text/plain"]


def test_nbconvert_runs_a_notebook_and_makes_a_page(book):
    """``--execute --to html``: pictures of the ends of runs are in the page, and need no script."""
    path = book(*CELLS)
    done = command(path, "nbconvert", "--execute", "--to", "html", "in.ipynb")
    assert done.returncode == 0, done.stderr
    page = Page((path.parent / "in.html").read_text(encoding="utf-8"))
    assert len(page.images) == 2
    assert all(src.startswith("data:image/") for src in page.images)
    assert page.widgets == 0


def test_nbconvert_runs_a_notebook_in_its_place(book):
    """``--execute --to notebook``: the file has pictures and texts of the ends of runs."""
    path = book(*CELLS)
    done = command(path, "nbconvert", "--execute", "--to", "notebook", "--inplace", "in.ipynb")
    assert done.returncode == 0, done.stderr
    cells = nbformat.read(path, as_version=4).cells
    for index in (3, 5):
        (data,) = pictures(cells[index].outputs)
        assert is_final(data)


def test_nbconvert_makes_markdown(book):
    """``--to markdown`` writes the pictures to files that the text shows."""
    path = book(*CELLS)
    done = command(path, "nbconvert", "--execute", "--to", "markdown", "in.ipynb")
    assert done.returncode == 0, done.stderr
    text = (path.parent / "in.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[.*?\]\((in_files/.*?)\)", text)
    assert len(shown) == 2
    assert all((path.parent / file).stat().st_size > 1000 for file in shown)


@pytest.fixture
def saved(kernel: Any, tmp_path: Path) -> Path:
    """Save a notebook as a front end does after somebody has watched a run to its end in it."""
    kernel.run("%%activity fetch(x)\n1 / x")
    kernel.run("%%workflow w(x)\nfetch(x)")
    outputs = kernel.run("run = w(2)\nrun").outputs
    (last,) = [o for o in outputs if "running when this was saved" in o["data"]["text/plain"]]
    final = kernel.updates(last["transient"]["display_id"], "image/png")[-1]
    cell = nbformat.v4.new_code_cell("run = w(2)\nrun")
    for output in outputs:
        data = final if output is last else output["data"]
        cell.outputs.append(nbformat.v4.new_output("display_data", data=data))
    made = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(made, tmp_path / "saved.ipynb")
    return tmp_path / "saved.ipynb"


def test_a_saved_notebook_has_the_final_picture(saved):
    """Beside the widget, which is gone, there is one picture with its text."""
    (cell,) = nbformat.read(saved, as_version=4).cells
    (data,) = pictures(cell.outputs)
    assert is_final(data)
    assert {"image/svg+xml", "image/png", "text/plain"} <= set(data)


def test_a_saved_notebook_becomes_a_page_with_the_picture(saved):
    """Converted without being run: one picture, no place that waits for a widget, no bare text."""
    done = command(saved, "nbconvert", "--to", "html", "saved.ipynb")
    assert done.returncode == 0, done.stderr
    text = saved.with_suffix(".html").read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.images) == 1
    assert page.images[0].startswith("data:image/")
    assert "running when this was saved" not in text


def test_a_saved_notebook_becomes_markdown_with_the_picture(saved):
    """The text shows the picture's file, and nothing of widgets and styles is to be read."""
    done = command(saved, "nbconvert", "--to", "markdown", "saved.ipynb")
    assert done.returncode == 0, done.stderr
    text = saved.with_suffix(".md").read_text(encoding="utf-8")
    (file,) = re.findall(r"!\[.*?\]\((saved_files/.*?)\)", text)
    assert (saved.parent / file).stat().st_size > 1000
    assert "model_id" not in text


@pytest.mark.case("W7")
def test_what_an_untrusted_notebook_may_show_says_all(saved):
    """Without script, style and SVG there is still the PNG, and in a reader of text the text."""
    (cell,) = json.loads(saved.read_text(encoding="utf-8"))["cells"]
    safe = {"image/png", "text/plain"}
    shown = [{k: v for k, v in o["data"].items() if k in safe} for o in cell["outputs"]]
    words = ["".join(data.get("text/plain", "")).strip() for data in shown]
    assert [is_final(data) for data in shown if "image/png" in data] == [True]
    assert len([w for w in words if w]) == 1  # neither the style nor the widget says anything


def test_a_terminal_of_ipython(tmp_path):
    """In plain IPython the run that a line gives is waited for as text, and the text is there."""
    lines = "\n".join([*CELLS[:1], "import nbflow", _DEFINED, "run = w(2)", "run.wait()", "run"])
    (tmp_path / "lines.ipy").write_text(lines + "\n", encoding="utf-8")
    done = command(
        tmp_path / "lines.ipy", "IPython", "--no-banner", "--colors=NoColor", "-c", _typed(lines)
    )
    assert done.returncode == 0, done.stderr
    assert "w  ✓ completed" in done.stdout
    assert "fetch-1" in done.stdout


_DEFINED = """
@nbflow.activity
def fetch(x): return 1 / x

@nbflow.workflow
def w(x): return fetch(x)
"""


def _typed(lines: str) -> str:
    """Have IPython run lines as cells, with what they display."""
    return f"get_ipython().run_cell({lines!r})"
