"""The panel for those who use the keyboard, listen to it, want no motion, or sit in the dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.front import Lab, Notebook, opening
from tests.browser.panels import DETAIL, NAMED, STATUS, boxes, open_gate, tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

SETUP = """
import logging, time
from pathlib import Path
import nbflow
nbflow.configure(store=":memory:", on="threads", max_workers=3)

@nbflow.activity(retry=nbflow.Retry(attempts=2, wait=0))
def fetch(region):
    print("fetching", region)
    logging.getLogger("shop").warning("slow line to %s", region)
    if region == "us" and nbflow.context().attempt == 1:
        raise OSError("the line is cut")
    return [region] * 3

@nbflow.activity
def clean(rows):
    if rows[0] == "ap":
        raise ValueError("no rows from ap")
    return rows

@nbflow.workflow
def shop(regions):
    return [clean(fetch(region)) for region in regions]

run = shop(["eu", "us", "ap"])
run.wait()
"""
PALE = """() => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    const read = () => [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    const fill = (color) => { context.fillStyle = color; context.fillRect(0, 0, 1, 1); };
    const light = (rgb) => {
        const [r, g, b] = rgb.map((v) => v / 255)
            .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const pale = [];
    for (const element of document.querySelectorAll('section.nbf *')) {
        const text = [...element.childNodes].filter((part) => part.nodeType === 3)
            .map((part) => part.data).join('').trim();
        const { width, height } = element.getBoundingClientRect();
        if (!text || width < 3 || height < 3 || !element.checkVisibility()) continue;
        const drawn = element.ownerSVGElement, style = getComputedStyle(element);
        const line = [];
        for (let part = element; part; part = part.parentElement) line.unshift(part);
        fill('#fff');
        for (const part of line) fill(getComputedStyle(part).backgroundColor);
        const rect = drawn && element.closest('.nbf-node')?.querySelector('.nbf-box');
        if (rect) fill(getComputedStyle(rect).fill);
        const paper = light(read());
        fill(drawn ? style.fill : style.color);
        const ink = light(read());
        const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
        if (ratio >= 4.5 || element.disabled) continue;
        pale.push([ratio.toFixed(2), element.getAttribute('class'), text.slice(0, 40)].join(' '));
    }
    return pale;
}"""
"""Texts whose contrast with what they stand on is below 4.5, as WCAG AA asks for."""
ANIMATED = """() => document.getAnimations()
    .filter(({ effect }) => effect?.target?.closest?.('section.nbf')).length"""


@pytest.fixture(scope="module")
def shown(lab: Lab, chromium: Any) -> Iterator[Notebook]:
    with opening(lab, chromium) as make:
        book = make(SETUP, "run")
        book.run()
        yield book
        assert book.errors == []


@pytest.fixture
def panel(shown: Notebook) -> Notebook:
    """Show the run in a new view."""
    shown.run_cells(1, 1)
    shown.wait_for("document.querySelectorAll('section.nbf').length === 1")
    shown.wait_for(f"{STATUS} === 'failed' && document.querySelectorAll('.nbf-node').length === 6")
    return shown


def heard(book: Notebook) -> str:
    """Give roles and names as a screen reader is told them."""
    found: str = book.page.locator("section.nbf").aria_snapshot()
    return found


def test_each_part_has_a_role_and_a_name(panel):
    """A screen reader finds region, tabs, progress, tools, tables and details by name."""
    panel.page.locator(".nbf-retry").wait_for()  # what can be done comes after what is seen
    words = heard(panel)
    for part in (
        r'- region "Run of a workflow"',
        r'- progressbar "Calls that have ended"',
        r'- tablist "What to show"',
        r'- tab "Graph" \[selected\]',
        r'- tab "Gantt"',
        r'- tabpanel "Graph"',
        r'- searchbox "Find calls by name or status',
        r'- button "Critical path"',
        r'- button "Zoom in"',
        r'- button "Retry failed"',
        r'application "Graph of 6 calls: .*failed.*Arrows go from box to box',
    ):
        assert re.search(part, words), part
    assert "img" not in words  # pictures of statuses say nothing that the words beside do not
    tab(panel, "Gantt")
    assert re.search(r'application "Gantt chart of \d+ attempts of 6 calls', heard(panel))
    tab(panel, "Calls")
    panel.wait_for(f"{NAMED}.length === 6")
    words = heard(panel)
    for part in (
        r'- grid "Calls"',
        r'- columnheader "status"',
        r'- group "Statuses to show"',
        r'- gridcell "clean-3"',
        r'- gridcell "failed"',
        r'- searchbox "Filter the calls"',
    ):
        assert re.search(part, words), part
    panel.page.locator(".nbf-calls .nbf-row[data-call]").first.click()
    panel.wait_for(f"{DETAIL}?.textContent.includes('Arguments')")
    words = heard(panel)
    for part in (r'- region "Details of a call"', r'- button "Close the details"', "- heading"):
        assert re.search(part, words), part
    tab(panel, "Log")
    panel.page.locator(".nbf-line").first.wait_for()
    assert re.search(r'- log "Log"', heard(panel))


def test_every_button_and_field_has_a_name(panel):
    """In no tab is there a control that one hears nothing of."""
    nameless = """() => [...document.querySelectorAll('section.nbf *')]
        .filter((e) => e.matches('button, input, [tabindex="0"]') && e.checkVisibility())
        .filter((e) => !(e.getAttribute('aria-label') ?? e.textContent ?? '').trim())
        .map((e) => e.outerHTML)"""
    for name in ("Graph", "Gantt", "Calls", "Log", "Result"):
        tab(panel, name)
        assert panel.page.evaluate(nameless) == [], name


def test_the_chart_and_the_table_are_gone_through_by_keyboard(panel):
    """Arrows go from bar to bar and row to row, Enter opens the details, Escape closes them."""
    press = panel.page.keyboard.press
    tab(panel, "Gantt")
    panel.page.locator("canvas.nbf-chart").focus()
    press("ArrowRight")
    press("ArrowRight")
    spoken = panel.page.inner_text(".nbf-gantt .nbf-hidden")
    assert re.match(r"(fetch|clean)-\d", spoken)
    press("Enter")
    panel.wait_for(f"{DETAIL}?.querySelector('.nbf-detail-name').textContent.length > 3")
    assert panel.page.inner_text(".nbf-detail-name") == spoken.split()[0].rstrip(",:")
    press("Escape")
    panel.wait_for(f"!{DETAIL}")
    tab(panel, "Calls")
    panel.wait_for(f"{NAMED}.length === 6")
    panel.page.locator(".nbf-calls [role=grid]").focus()
    press("ArrowDown")
    press("ArrowDown")
    panel.wait_for(f"{DETAIL}?.querySelector('.nbf-detail-name').textContent === {NAMED}[1]")
    chosen = ".nbf-calls .nbf-row[aria-selected=true]"
    assert panel.page.locator(chosen).count() == 1
    marked = panel.page.get_attribute(".nbf-calls [role=grid]", "aria-activedescendant")
    assert panel.page.get_attribute(chosen, "id") == marked
    press("Escape")
    panel.wait_for(f"!{DETAIL}")


@pytest.mark.parametrize(
    "theme", ["JupyterLab Dark", "JupyterLab Light", "JupyterLab Dark High Contrast"]
)
def test_all_texts_can_be_read_in_every_theme(shown, tmp_path, theme):
    """In light and dark themes every text of every tab stands out from what is behind it."""
    shown.command("apputils:change-theme", {"theme": theme})
    shown.wait_for(f"document.body.dataset.jpThemeName === '{theme}'")
    shown.run_cells(1, 1)
    shown.wait_for(f"{STATUS} === 'failed' && {boxes('failed')} === 1")
    shown.page.locator(".nbf-node[data-status=failed]").click()
    shown.wait_for(f"{DETAIL}?.textContent.includes('no rows from ap')")
    for name in ("Graph", "Gantt", "Calls", "Log", "Result"):
        tab(shown, name)
        shown.shot(tmp_path / f"{theme}-{name}.png", "section.nbf")
        shown.wait_for(f"({PALE})().length === 0", 5)  # styles of a theme land one by one


GATED = """
@nbflow.activity
def hold(name):
    while not Path(name).exists():
        time.sleep(0.02)

@nbflow.workflow
def holding():
    return [hold("still") for _ in range(3)]

held = holding()
held
"""


def test_nothing_moves_for_those_who_want_no_motion(notebook):
    """With prefers-reduced-motion nothing pulses or glides; without it what runs pulses."""
    book = notebook(SETUP, GATED, "held")
    book.run()
    book.wait_for(f"{boxes('running')} === 6")
    book.wait_for(f"({ANIMATED})() > 0")
    book.page.emulate_media(reduced_motion="reduce")
    book.run_cells(2, 1)  # a view that begins as the reader wants it
    book.wait_for(f"{boxes('running')} === 6")
    book.wait_for(f"({ANIMATED})() === 0")
    view = book.page.locator("section.nbf").nth(1)
    world = """(element) => element.getAttribute('transform')"""
    graph = view.locator("svg.nbf-graph > g")
    before = graph.evaluate(world)
    view.locator("button[aria-label='Zoom in']").click()
    book.page.evaluate("() => new Promise(requestAnimationFrame)")
    first = graph.evaluate(world)
    view.locator("button:text-is('Fit')").click()
    book.page.evaluate("() => new Promise(requestAnimationFrame)")
    assert first != before
    assert graph.evaluate(world) == before  # at once, not in steps
    open_gate(book, "still")
    book.wait_for(f"{boxes('done')} === 6")
