"""What people do to a run from its panel, and what the panel shows while they do."""

from __future__ import annotations

import re

import pytest

from tests.browser.front import Notebook
from tests.browser.panels import FLOW, STATUS, WORDS, box, boxes, open_gate, tab, told

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

SHAKY = """
@nbflow.activity
def first(x):
    return x

@nbflow.activity
def shaky(x, gate):
    if not Path(gate).exists():
        raise OSError(f"{gate} is not there")
    until(gate + "-go")
    return 2 * x

@nbflow.workflow
def shakies(gate):
    return shaky(first(21), gate)

run = shakies("mend")
run
"""
LINES = """[...document.querySelectorAll('.nbf-line .nbf-text')].map((e) => e.textContent)"""


def count(name: str, status: str) -> str:
    """Say in JavaScript whether the panel's box of a call has a status."""
    return f"document.querySelector('.nbf-node[data-name={name}]')?.dataset.status === '{status}'"


def test_failed_calls_are_tried_again(notebook, tmp_path):
    """Retry failed makes the same panel live again, keeps what succeeded, and ends done."""
    book = notebook(FLOW, SHAKY, "print(run.result(), run.calls['first-1'].attempt)")
    book.run_cells(0, 2)
    book.wait_for(f"{STATUS} === 'failed'")
    assert "mend is not there" in book.page.inner_text(".nbf-result .nbf-error")
    run = book.page.get_attribute("section.nbf", "data-run")
    book.shot(tmp_path / "failed.png", "section.nbf")
    book.page.click(".nbf-retry")  # it fails once more, and may be tried once more
    book.wait_for("document.querySelector('.nbf-retry:disabled')?.innerText === 'Retrying…'")
    book.wait_for(f"{STATUS} === 'failed' && !document.querySelector('.nbf-retry').disabled")
    open_gate(book, "mend")
    book.page.click(".nbf-retry")
    book.wait_for(f"{STATUS} === 'running' && {count('shaky-1', 'running')}")
    assert not book.page.is_visible(".nbf-retry")
    book.page.locator("header .nbf-cancel").first.wait_for()
    assert book.page.evaluate(f"() => {count('first-1', 'done')}")
    open_gate(book, "mend-go")
    book.wait_for(f"{STATUS} === 'completed' && {boxes('done')} === 2")
    assert book.page.inner_text(".nbf-result .nbf-value") == "42"
    assert not book.page.is_visible(".nbf-retry")
    assert book.page.get_attribute("section.nbf", "data-run") == run
    assert book.page.locator("section.nbf").count() == 1
    box(book, "shaky-1").click()
    told(book, "shaky-1", "mend is not there")  # of the attempts that failed
    book.run_cells(2, 1)
    book.says(2, "42 1\n")
    assert book.errors == []


def test_a_cancelled_run_is_resumed(notebook):
    """Resume goes on where Cancel stopped: what was done stays done, the rest runs."""
    book = notebook(FLOW, "run = revenue(['eu', 'us'], 'r')\nrun", "print(run.result())")
    book.run_cells(0, 2)
    open_gate(book, "r-eu")
    book.wait_for(f"{boxes('done')} === 1 && {boxes('running')} === 1")
    book.page.click(".nbf-cancel")
    book.wait_for(f"{STATUS} === 'cancelled'")
    book.page.click(".nbf-resume")
    book.wait_for(f"{STATUS} === 'running' && {boxes('done')} === 1 && {boxes('running')} === 1")
    open_gate(book, "r-us")
    book.wait_for(f"{STATUS} === 'completed'")
    assert not book.page.is_visible(".nbf-resume")
    assert book.page.inner_text(".nbf-result .nbf-value") == "{'total': 4}"
    book.run_cells(2, 1)
    book.says(2, "{'total': 4}\n")
    assert book.errors == []


ONE = """
@nbflow.workflow
def some(regions, gate):
    found = {}
    for region, future in [(r, fetch(r, f"{gate}-{r}")) for r in regions]:
        try:
            found[region] = future.result()
        except nbflow.ActivityCancelled:
            found[region] = "cancelled"
    return found

run = some(["eu", "us"], "o")
run
"""


def test_one_call_is_cancelled(notebook):
    """Cancel call in the details gives up that call; the others and the run go on."""
    book = notebook(FLOW, ONE)
    book.run()
    book.wait_for(f"{boxes('running')} === 2")
    box(book, "fetch-1").click()
    told(book, "fetch-1", "'eu'")
    book.page.click(".nbf-detail .nbf-cancel")
    book.wait_for(f"{boxes('cancelled')} === 1 && {boxes('running')} === 1")
    assert book.page.get_attribute("section.nbf", "data-status") == "running"
    assert not book.page.is_visible(".nbf-detail .nbf-cancel")
    open_gate(book, "o-us")
    book.wait_for(f"{STATUS} === 'completed'")
    assert book.page.inner_text(".nbf-value") == "{'eu': 'cancelled', 'us': 2}"
    assert book.errors == []


def test_lines_come_while_the_run_goes_on(notebook, tmp_path):
    """The Log has what an activity printed while that goes on, and can be filtered."""
    book = notebook(FLOW, "run = revenue(['eu', 'us'], 'l')\nrun")
    book.run()
    book.wait_for(f"{boxes('running')} === 2")
    tab(book, "Log")
    book.wait_for(f"{LINES}.filter((line) => /^fetching/.test(line)).length === 2")
    assert book.page.get_attribute("section.nbf", "data-status") == "running"
    open_gate(book, "l-us")
    book.wait_for(f"{LINES}.at(-1) === 'fetched us'")
    assert book.page.get_attribute("section.nbf", "data-status") == "running"
    assert book.page.inner_text(".nbf-log .nbf-count") == "3 lines"
    book.shot(tmp_path / "log.png", "section.nbf")
    book.page.fill(".nbf-log input", "us")
    book.wait_for(f"{LINES}.join() === 'fetching us,fetched us'")
    book.page.fill(".nbf-log input", "no such line")
    book.wait_for("document.querySelector('.nbf-log .nbf-empty').checkVisibility()")
    book.page.fill(".nbf-log input", "")
    book.page.click(".nbf-log .nbf-choice:text-is('stderr')")
    book.wait_for("document.querySelector('.nbf-log .nbf-empty').checkVisibility()")
    book.page.click(".nbf-log .nbf-choice:text-is('All')")
    open_gate(book, "l-eu")
    book.wait_for(f"{STATUS} === 'completed' && {LINES}.length === 4")
    book.page.locator(".nbf-line .nbf-who").last.click()
    book.wait_for("document.querySelector('.nbf-detail-name')?.innerText === 'fetch-1'")
    assert book.errors == []


def test_w9_what_workers_write_late_is_in_their_panel(notebook):
    """W9: prints and states that come when other cells have run are in the run's own panel."""
    later = "print('another cell')"
    book = notebook(FLOW, "run = revenue(['eu'], 'w')\nrun", later, later)
    book.run()
    book.wait_for(f"{boxes('running')} === 1")
    open_gate(book, "w-eu")
    book.wait_for(f"{STATUS} === 'completed'")
    tab(book, "Log")
    book.wait_for(f"{LINES}.join() === 'fetching eu,fetched eu'")
    assert [book.text(cell) for cell in (2, 3)] == ["another cell\n"] * 2
    assert all(output["output_type"] == "display_data" for output in book.outputs(1))
    assert [len(book.outputs(cell)) for cell in (0, 2, 3)] == [0, 1, 1]
    assert book.errors == []


def panels(book: Notebook, part: str) -> list[str]:
    """Read the same part of each panel, in the order of their cells."""
    found: list[str] = book.page.locator(f"section.nbf {part}").all_inner_texts()
    return found


def test_two_panels_know_nothing_of_each_other(notebook):
    """Two runs at once have a panel each: clicks, tabs and states of one leave the other alone."""
    book = notebook(
        FLOW, "a = revenue(['eu', 'us'], 'a')\na", "b = revenue(['eu', 'us', 'ap'], 'b')\nb"
    )
    book.run()
    book.wait_for(f"{boxes('running')} === 5")
    first, second = (book.page.locator("section.nbf").nth(i) for i in (0, 1))
    assert first.get_attribute("data-run") != second.get_attribute("data-run")
    first.locator(".nbf-node[data-name=fetch-2]").click()
    first.locator(".nbf-detail").wait_for()
    assert not second.locator(".nbf-detail").is_visible()
    second.locator(".nbf-tab:text-is('Calls')").click()
    second.locator(".nbf-calls .nbf-row[data-call]").nth(3).wait_for()
    assert first.locator(".nbf-page").get_attribute("aria-label") == "Graph"
    first.locator("header .nbf-cancel").first.click()
    book.wait_for(f"{STATUS} === 'cancelled'")
    assert second.get_attribute("data-status") == "running"
    open_gate(book, "b-eu", "b-us", "b-ap")
    book.wait_for("document.querySelectorAll('section.nbf')[1].dataset.status === 'completed'")
    assert first.get_attribute("data-status") == "cancelled"
    assert [re.sub(r"\s+", " ", text) for text in panels(book, ".nbf-pill")[:1]] == ["cancelled"]
    assert "{'total': 6}" in second.locator(".nbf-result").inner_text()
    assert "6}" not in first.inner_text()
    assert book.errors == []


def test_w1_a_run_goes_on_without_a_page(notebook):
    """W1: with the browser gone the run goes on; opened again the panel shows all of it at once."""
    book = notebook(FLOW, "run = revenue(['eu', 'us'], 'p')\nrun")
    book.run()
    book.wait_for(f"{boxes('running')} === 2")
    book.save()
    book.page.goto("about:blank")
    open_gate(book, "p-eu")
    book.open()
    book.wait_for(f"{boxes('done')} === 1 && {boxes('running')} === 1")
    book.page.locator("header .nbf-cancel").first.wait_for()
    book.page.goto("about:blank")
    open_gate(book, "p-us")
    book.open()
    book.wait_for(f"{STATUS} === 'completed' && {boxes('done')} === 3")
    tab(book, "Log")
    book.wait_for(f"{LINES}.length === 4")
    assert "{'total': 4}" in book.page.evaluate(f"() => {WORDS}")
    assert book.page.locator("section.nbf").count() == 1
    assert book.errors == []
