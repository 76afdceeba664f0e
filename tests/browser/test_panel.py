from __future__ import annotations

import os
import signal
import time

import pytest

from tests.browser.front import Notebook
from tests.browser.panels import STATUS, boxes, open_gate

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

SETUP = """
import os, time
from pathlib import Path
import nbflow
nbflow.configure(store=":memory:", on="threads", max_workers=4)

def until(name):
    while not Path(name).exists():
        time.sleep(0.02)

@nbflow.activity
def fetch(region, gate):
    until(gate)
    return len(region)

@nbflow.activity
def total(*counts):
    return sum(counts)

@nbflow.workflow
def revenue(regions, gate):
    return {"total": total(*[fetch(region, f"{gate}-{region}") for region in regions])}
"""

CHART = "(document.querySelector('.nbf-chart')?.getAttribute('aria-label') ?? '')"
VISIBLE = """(text) => [...document.querySelectorAll('.jp-OutputArea-child')]
    .filter((child) => child.checkVisibility() && child.innerText.includes(text)).length"""
PICTURES = """() => [...document.querySelectorAll('.jp-OutputArea-child img')]
    .filter((img) => img.checkVisibility() && img.naturalWidth > 300).length"""


def errors_shown(notebook: Notebook) -> int:
    found: int = notebook.page.evaluate(VISIBLE, "Error displaying widget")
    return found


def test_a_run_is_watched_while_the_kernel_is_free_and_while_it_is_not(notebook, tmp_path):
    """The panel changes while no cell runs and while a later one blocks; every view does."""
    book = notebook(SETUP, "run = revenue(['eu', 'us', 'ap'], 'a')\nrun")
    book.run()
    book.wait_for(f"{boxes('running')} === 3")
    assert book.page.evaluate("() => document.querySelectorAll('.nbf').length") == 1
    assert not book.page.evaluate(VISIBLE, "running when this was saved")
    book.shot(tmp_path / "running.png")
    open_gate(book, "a-eu")
    book.wait_for(f"{boxes('done')} === 1")
    before = float(book.page.inner_text(".nbf-elapsed").split()[0])
    book.wait_for(f"parseFloat(document.querySelector('.nbf-elapsed').innerText) > {before + 0.4}")

    book.add("run")
    book.add("print('blocking', flush=True)\nuntil('a-go')")
    book.start(2)
    book.wait_for(f"{boxes('done')} === 2")
    book.wait_for("document.body.innerText.includes('blocking\\n')")
    open_gate(book, "a-us")
    book.wait_for(f"{boxes('done')} === 4")
    assert not book.page.evaluate("() => window.__ran")
    book.shot(tmp_path / "blocked.png")
    open_gate(book, "a-ap")
    book.wait_for(f"{STATUS} === 'completed'")
    assert not book.page.evaluate("() => window.__ran")
    open_gate(book, "a-go")
    book.wait()
    book.wait_for(f"{boxes('done')} === 8")
    assert "{'total': 6}" in book.page.inner_text(".nbf-result")
    book.page.click("text=Gantt >> nth=0")
    book.wait_for(f"{CHART}.includes('4 attempts of 4 calls')")
    book.shot(tmp_path / "gantt.png", ".nbf")
    assert book.errors == []


def test_a_saved_run_can_be_read_later(notebook, tmp_path):
    """W7: the file has picture and text; opened again there is the panel, or the picture."""
    book = notebook(SETUP, "run = revenue(['eu', 'us'], 'b')\nrun")
    open_gate(book, "b-eu")
    open_gate(book, "b-us")
    book.run()
    book.wait_for(f"{STATUS} === 'completed'")
    still = {"image/png", "image/svg+xml", "text/plain"}
    end = time.monotonic() + 20
    while not any(still <= set(o.get("data", {})) for o in book.outputs(1)):
        assert time.monotonic() < end, book.outputs(1)
        book.page.wait_for_timeout(100)
    assert book.page.evaluate(PICTURES) == 0  # hidden while the panel is there
    saved = book.save()
    (picture,) = [o for o in saved.cells[1].outputs if "image/png" in o.data]
    assert "completed" in picture.data["text/plain"]
    assert "fetch-1" in picture.data["text/plain"]

    book.open()  # the kernel is alive
    book.wait_for(f"{STATUS} === 'completed'")
    assert (book.page.evaluate(PICTURES), errors_shown(book)) == (0, 0)
    book.shot(tmp_path / "reloaded.png")

    book.restart()
    book.save()
    book.open()  # the widget is gone
    book.wait_for(f"({PICTURES})() === 1")
    book.wait_for("!document.body.innerText.includes('Loading widget')")
    assert errors_shown(book) == 0
    assert book.page.evaluate("() => document.querySelectorAll('.nbf').length") == 0
    book.shot(tmp_path / "picture.png")


def test_cancel_is_heard_while_a_cell_runs(notebook, tmp_path):
    """A click on Cancel ends the run, though the kernel is held up by another cell."""
    blocking = "print('blocking', flush=True)\nuntil('c-go')"
    book = notebook(SETUP, "run = revenue(['eu', 'us'], 'c')\nrun", blocking, "print(run.status)")
    book.start()
    book.wait_for(f"{boxes('running')} === 2")
    book.wait_for("document.body.innerText.includes('blocking\\n')")
    book.page.click(".nbf-cancel")
    book.wait_for(f"{STATUS} === 'cancelled'")
    assert not book.page.evaluate("() => window.__ran")
    assert not book.page.is_visible(".nbf-cancel")
    book.shot(tmp_path / "cancelled.png", ".nbf")
    open_gate(book, "c-go")
    book.wait()
    book.says(3, "cancelled\n")
    assert book.errors == []


@pytest.mark.case("W10")
def test_a_kernel_that_dies_leaves_no_finished_run(notebook, tmp_path):
    """W10: after the kernel's death the panel says that it is cut off, never that all is done."""
    book = notebook(SETUP, "run = revenue(['eu', 'us'], 'd')\nrun", "print(os.getpid())")
    book.run()
    book.wait_for(f"{boxes('running')} === 2")
    os.kill(int(book.printed(2)), signal.SIGKILL)
    book.wait_for(f"{STATUS} === 'disconnected'", 30)
    assert "No word from the kernel" in book.page.inner_text(".nbf-note")
    assert not book.page.is_visible(".nbf-cancel")
    book.shot(tmp_path / "disconnected.png", ".nbf")


BIG = """
@nbflow.activity
def step(n):
    return n

@nbflow.activity
def add(*ns):
    return sum(ns)

@nbflow.workflow
def many(n):
    return add(*[step(step(i)) for i in range(n)])

run = many(1000)
run
"""


def test_a_big_run_is_watched_without_trouble(notebook, tmp_path):
    """Two thousand calls in a second are shown by activity, and the page stays usable."""
    book = notebook(SETUP, BIG, "print(run.result())")
    book.run(60)
    book.says(2, "499500\n")
    book.wait_for(f"{STATUS} === 'completed'")
    book.wait_for("document.querySelectorAll('.nbf-node').length === 2")
    assert "2,001 done" in book.page.inner_text(".nbf-chips")
    book.shot(tmp_path / "groups.png", ".nbf")
    book.page.click(".nbf-tab:has-text('Gantt')")
    book.wait_for(f"{CHART}.includes('2,001 attempts')")
    book.shot(tmp_path / "bins.png", ".nbf")
    assert book.errors == []
