"""Panels in the front ends and kernels that people have: alive, cancelled, reloaded, cut off."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.front import LAB, Notebook

pytestmark = [
    pytest.mark.browser,
    pytest.mark.kernels,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

SETUP = """
import os, time
from pathlib import Path
import nbflow
nbflow.configure(store=":memory:", on="processes", max_workers=2)

def until(name):
    while not Path(name).exists():
        time.sleep(0.02)

@nbflow.activity
def hold(name):
    Path(f"{name}.pid").write_text(str(os.getpid()))
    Path(f"{name}.pid").rename(f"{name}.began")
    until(name)
    return name

@nbflow.workflow
def holding(*names):
    return [hold(name) for name in names]
"""
WAIT = """
print("waiting", flush=True)
try:
    run.result()
except nbflow.RunCancelled:
    print(run.status)
"""
RUN = "run = holding('a', 'b')\nrun"
STATUS = "document.querySelector('section.nbf')?.dataset.status"
WORDS = "document.querySelector('section.nbf')?.innerText"
PICTURES = """() => [...document.querySelectorAll('.jp-OutputArea-child img')]
    .filter((img) => img.checkVisibility() && img.naturalWidth > 300).length"""


def shows(words: str) -> str:
    return f"/(^|\\D){words}/.test({WORDS})"


def worker(book: Notebook, name: str) -> int:
    """Give the process that an activity runs in, once it does."""
    began = book.path.parent / f"{name}.began"
    eventually(began.exists)
    return int(began.read_text())


def release(book: Notebook, name: str) -> None:
    (book.path.parent / name).touch()


def eventually(what: Callable[[], Any], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.02)


def cancel(book: Notebook) -> float:
    """Click on Cancel; give when."""
    book.page.click("section.nbf button:has-text('Cancel')")
    return time.monotonic()


def soon() -> float:
    """Give two seconds, as long as the machine has nothing else to do, and more where it has."""
    return 2.0 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def is_gone(book: Notebook, names: str, clicked: float) -> None:
    """See that a run has ended within 2 s of a click, and its processes with it."""
    book.wait_for(f"{STATUS} === 'cancelled'")
    for name in names:
        process = Path(f"/proc/{worker(book, name)}")
        eventually(lambda gone=process: not gone.exists(), soon())  # type: ignore[misc]
    assert time.monotonic() - clicked < soon()


def fresh(book: Notebook) -> None:
    """Forget the files of earlier tests."""
    for name in ("a", "b", "go"):
        for path in (book.path.parent / name, book.path.parent / f"{name}.began"):
            path.unlink(missing_ok=True)


FRONTS = [
    pytest.param(LAB, "6.31.0", id="lab-6.31.0"),
    pytest.param(LAB, "7.3.0", id="lab-7.3.0"),
    pytest.param(LAB, "7.4.0", id="lab-7.4.0"),
]


def check_life(notebook: Callable[..., Notebook], shot: Path, **front: str) -> None:
    """See a run's states change while the kernel is free, and while a cell holds it up."""
    block = "print('blocking', flush=True)\nuntil('go')"
    book = notebook(SETUP, RUN, block, **front)
    fresh(book)
    book.run_cells(0, 2)
    book.wait_for(shows("2 running"))
    release(book, "a")
    book.wait_for(shows("1 done"))
    book.start(2)
    book.wait_for("document.body.innerText.includes('blocking\\n')")
    release(book, "b")
    book.wait_for(f"{STATUS} === 'completed'")
    book.wait_for(shows("2 done"))
    assert not book.page.evaluate("() => window.__ran")
    release(book, "go")
    book.wait()
    book.shot(shot / "life.png")
    assert book.errors == []


def check_cancel_while_waiting(notebook: Callable[..., Notebook], **front: str) -> None:
    """See that Cancel is heard while a cell waits for the run, and that later cells run."""
    book = notebook(SETUP, RUN, WAIT, "print('later', run.status)", **front)
    fresh(book)
    book.start()
    book.wait_for(shows("2 running"))
    book.wait_for("document.body.innerText.includes('waiting\\n')")
    for name in "ab":
        worker(book, name)
    is_gone(book, "ab", cancel(book))
    book.wait()
    book.says(2, "waiting\ncancelled\n")
    book.says(3, "later cancelled\n")
    assert book.errors == []


def check_cancel_while_blocked(notebook: Callable[..., Notebook], **front: str) -> None:
    """See that Cancel is heard while another cell holds the kernel up, if comms have subshells."""
    block = "print('blocking', flush=True)\nuntil('go')\nprint(run.status)"
    book = notebook(SETUP, RUN, block, "run.wait(); print('later', run.status)", **front)
    fresh(book)
    book.start()
    book.wait_for(shows("2 running"))
    book.wait_for("document.body.innerText.includes('blocking\\n')")
    for name in "ab":
        worker(book, name)
    clicked = cancel(book)
    subshells = front.get("ipykernel") != "6.31.0"
    if subshells:
        is_gone(book, "ab", clicked)
        assert not book.page.evaluate("() => window.__ran")
    release(book, "go")
    book.wait()
    book.says(2, f"blocking\n{'cancelled' if subshells else 'running'}\n")
    book.says(3, "later cancelled\n")
    assert book.errors == []


def check_reload(notebook: Callable[..., Notebook], shot: Path, **front: str) -> None:
    """See the panel again after a reload of the page, and that it goes on."""
    book = notebook(SETUP, RUN, **front)
    fresh(book)
    book.run()
    book.wait_for(shows("2 running"))
    run = book.page.get_attribute("section.nbf", "data-run")
    book.save()
    book.open()
    book.wait_for(shows("2 running"))
    assert book.page.get_attribute("section.nbf", "data-run") == run
    assert book.page.locator("section.nbf").count() == 1
    release(book, "a")
    book.wait_for(shows("1 done"))
    book.shot(shot / "reloaded.png")
    clicked = cancel(book)
    book.wait_for(f"{STATUS} === 'cancelled'")
    assert time.monotonic() - clicked < soon()


def check_death(notebook: Callable[..., Notebook], **front: str) -> None:
    """See that a panel whose kernel is killed says so, and never that all is done."""
    book = notebook(SETUP, RUN, "print(os.getpid())", **front)
    fresh(book)
    book.run()
    book.wait_for(shows("2 running"))
    workers = [worker(book, name) for name in "ab"]
    os.kill(int(book.printed(2)), signal.SIGKILL)
    book.wait_for(f"{STATUS} !== 'running'", 30)
    assert book.page.get_attribute("section.nbf", "data-status") == "disconnected"
    assert not book.page.is_visible("section.nbf button:has-text('Cancel')")
    for pid in workers:
        eventually(lambda pid=pid: not Path(f"/proc/{pid}").exists(), 5)  # type: ignore[misc]


def check_saved(notebook: Callable[..., Notebook], shot: Path, **front: str) -> None:
    """See the final picture where the kernel is another one, in a trusted file and in another."""
    book = notebook(SETUP, RUN, **front)
    fresh(book)
    for name in "ab":
        release(book, name)
    book.run()
    book.wait_for(f"{STATUS} === 'completed'")
    eventually(lambda: any("image/png" in o.get("data", {}) for o in book.outputs(1)))
    assert book.page.evaluate(PICTURES) == 0
    book.restart()
    made = book.save()
    book.open()
    book.wait_for(f"({PICTURES})() === 1")
    _nothing_but_the_picture(book)
    book.shot(shot / "trusted.png")

    made.cells[0].source += "\n# by somebody else"
    other = book.path.with_name("other-" + book.path.name)
    book.write(other, made)
    book.open(other)
    book.wait_for(f"({PICTURES})() === 1")
    _nothing_but_the_picture(book)
    book.shot(shot / "untrusted.png")


def _nothing_but_the_picture(book: Notebook) -> None:
    book.wait_for("!document.body.innerText.includes('Loading widget')")
    words = book.page.inner_text(".jp-Notebook")
    assert "Error displaying widget" not in words
    assert "when this was saved" not in words
    assert book.page.locator("section.nbf").count() == 0


@pytest.mark.parametrize(("view", "ipykernel"), FRONTS)
def test_states_change_whether_a_cell_runs_or_not(notebook, tmp_path, view, ipykernel):
    """A panel is alive while no cell runs, and while one holds the kernel up."""
    check_life(notebook, tmp_path, view=view, ipykernel=ipykernel)


@pytest.mark.parametrize(("view", "ipykernel"), FRONTS)
def test_cancel_while_a_cell_waits_for_the_run(notebook, view, ipykernel):
    """Cancel ends the run and its processes within 2 s; cells behind run as ever."""
    check_cancel_while_waiting(notebook, view=view, ipykernel=ipykernel)


@pytest.mark.parametrize(("view", "ipykernel"), FRONTS)
def test_cancel_while_another_cell_blocks(notebook, view, ipykernel):
    """Where comms have subshells, Cancel works at once; with ipykernel 6, when the cell is over."""
    check_cancel_while_blocked(notebook, view=view, ipykernel=ipykernel)


def test_a_reload_shows_the_panel_again(notebook, tmp_path):
    """The page is opened anew while the run goes on: there is the same panel, alive."""
    check_reload(notebook, tmp_path)


def test_a_killed_kernel_is_no_end_of_a_run(notebook):
    """W10: the panel says ``disconnected``, has no Cancel, and no worker outlives the kernel."""
    check_death(notebook)


def test_a_saved_notebook_shows_the_final_picture(notebook, tmp_path):
    """W7: after a restart, trusted or somebody else's, there is the picture alone."""
    check_saved(notebook, tmp_path)
