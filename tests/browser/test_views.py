"""What a reader does with a panel: clicks, searches, orders, filters, and all of it by keyboard.

One notebook serves all tests here; each shows the run anew, in a view that nobody has touched.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.front import Lab, Notebook, opening
from tests.browser.panels import DETAIL, NAMED, box, tab, told

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

SETUP = """
import time
import nbflow
nbflow.configure(store=":memory:", on="threads", max_workers=3)
tried = set()

@nbflow.activity(retry=nbflow.Retry(attempts=2, wait=0))
def fetch(region, seconds):
    time.sleep(seconds)
    if region == "us" and nbflow.context().attempt == 1:
        raise OSError("the line is cut")
    return [region] * 3

@nbflow.activity
def clean(rows):
    time.sleep(0.05)
    return sorted(rows)

@nbflow.activity
def total(*parts):
    return sum(map(len, parts))

@nbflow.workflow
def shop(regions):
    return total(*[clean(fetch(r, 0.1 + 0.15 * i)) for i, r in enumerate(regions)])

run = shop(["eu", "us", "ap"])
run.result()
"""
FACTS = """
path = [span.bar.call for span in run.profile.critical_path()]
ran = {bar.call: bar.ended - bar.started for bar in run.profile.bars}
print({"path": path, "ran": sorted(ran, key=ran.get, reverse=True)})
"""
COLOR = """([x, y]) => {
    const canvas = document.querySelector('canvas.nbf-chart');
    const { left, top, width } = canvas.getBoundingClientRect(), ratio = canvas.width / width;
    const at = [(x - left) * ratio, (y - top) * ratio].map(Math.round);
    return [...canvas.getContext('2d').getImageData(...at, 1, 1).data].slice(0, 3);
}"""
KEYED = """() => Object.fromEntries([...document.querySelectorAll('.nbf-legend .nbf-key')]
    .filter((key) => key.querySelector('i').style.background)
    .map((key) => [key.innerText, getComputedStyle(key.querySelector('i')).backgroundColor]))"""
HEARD = (
    "[...document.querySelectorAll('.nbf-graph-tab [role=status]')].map((e) => e.innerText).join()"
)


@pytest.fixture(scope="module")
def shown(lab: Lab, chromium: Any) -> Iterator[Notebook]:
    with opening(lab, chromium) as make:
        book = make(SETUP, FACTS, "run")
        book.run()
        yield book
        assert book.errors == []


@pytest.fixture
def panel(shown: Notebook) -> Notebook:
    """Show the run in a new view, by calls."""
    shown.run_cells(2, 1)
    shown.wait_for("document.querySelectorAll('section.nbf').length === 1")
    shown.wait_for("document.querySelectorAll('.nbf-node[data-status=done]').length === 7")
    return shown


def facts(book: Notebook) -> dict[str, list[str]]:
    found: dict[str, list[str]] = ast.literal_eval(book.printed(1))
    return found


def calls(book: Notebook) -> list[str]:
    found: list[str] = book.page.evaluate(f"() => {NAMED}")
    return found


def test_a_click_on_a_box_tells_of_that_call(panel):
    """The details are of the box that was clicked, then of the next; a second click closes them."""
    box(panel, "fetch-2").click()
    told(panel, "fetch-2", "'us'")
    told(panel, "fetch-2", "the line is cut")
    box(panel, "clean-3").click()
    told(panel, "clean-3", "['ap', 'ap', 'ap']")
    assert panel.page.locator(".nbf-node.nbf-selected").get_attribute("data-name") == "clean-3"
    box(panel, "clean-3").click()
    panel.wait_for(f"!{DETAIL}")


def bars(book: Notebook) -> dict[str, tuple[float, float]]:
    """Find the bars by pointing along the lanes: the middle of each, by what the tip says."""
    chart = book.page.locator("canvas.nbf-chart")
    chart.evaluate("(e) => e.scrollIntoView({block: 'center'})")
    place = chart.bounding_box()
    found: dict[str, list[tuple[float, float]]] = {}
    for y in range(30, int(place["height"]) - 4, 12):
        for x in range(90, int(place["width"]) - 60, 9):
            at = (place["x"] + x, place["y"] + y)
            book.page.mouse.move(*at)
            tip = book.page.locator(".nbf-tip")
            words = tip.inner_text() if tip.is_visible() else ""
            if "ran" in words:
                found.setdefault(words.split()[0], []).append(at)
    return {call: places[len(places) // 2] for call, places in found.items()}


def distance(color: list[int], written: str) -> float:
    """Give how far a colour is from one that CSS writes as ``rgb(0, 114, 178)``, or a paler one.

    The end of a bar, while its result is stored, is pale, and its edge is mixed with the page.
    """
    wanted = [int(part) for part in re.findall(r"\d+", written)]
    pale = ([255 - (255 - part) * much / 20 for part in wanted] for much in range(5, 21))
    return min(sum(abs(a - b) for a, b in zip(color, one, strict=False)) for one in pale)


def test_a_click_on_a_bar_tells_of_that_call(panel):
    """A bar has its activity's colour; a click on it shows that call, in the graph too."""
    tab(panel, "Gantt")
    panel.wait_for("document.querySelector('canvas.nbf-chart')?.width > 100")
    found = bars(panel)
    assert {"fetch-1", "fetch-2", "fetch-3"} <= set(found)
    key = panel.page.evaluate(KEYED)
    panel.page.mouse.move(5, 5)
    for call in ("fetch-3", "fetch-2"):
        color = panel.page.evaluate(COLOR, list(found["fetch-3"]))
        assert min(key, key=lambda name: distance(color, key[name])) == "fetch", (color, key)
        panel.page.mouse.click(*found[call])
        told(panel, call, {"fetch-3": "'ap'", "fetch-2": "'us'"}[call])
        panel.page.mouse.move(5, 5)
        panel.page.keyboard.press("Escape")
        panel.wait_for(f"!{DETAIL}")
    panel.page.mouse.click(*found["fetch-3"])
    tab(panel, "Graph")
    panel.wait_for("document.querySelector('.nbf-node.nbf-selected')?.dataset.name === 'fetch-3'")


def test_calls_are_found_by_name_and_status(panel):
    """Search marks what fits, Enter goes on to the next, and it is said when there is none."""
    field = panel.page.get_by_placeholder("Find calls")
    field.fill("CLEAN")
    panel.wait_for("document.querySelectorAll('.nbf-match').length === 3")
    assert panel.page.inner_text(".nbf-found") == "1 of 3"
    field.press("Enter")
    assert panel.page.inner_text(".nbf-found") == "2 of 3"
    field.fill("done")
    panel.wait_for("document.querySelectorAll('.nbf-match').length === 7")
    field.fill("mars")
    panel.wait_for("document.querySelector('.nbf-found').innerText === 'nothing found'")
    assert field.get_attribute("aria-invalid") == "true"
    assert panel.page.locator(".nbf-match").count() == 0
    field.fill("")
    panel.wait_for("!document.querySelector('.nbf-found').innerText")


def test_the_critical_path_can_be_marked(panel):
    """The button marks the calls that the profile names, and takes the marks off again."""
    marked = """() => [...document.querySelectorAll('.nbf-node.nbf-critical')]
        .map((e) => e.dataset.name).sort()"""
    toggle = panel.page.locator(".nbf-graph-tab .nbf-tool:text-is('Critical path')")
    assert panel.page.evaluate(marked) == []
    toggle.click()
    panel.wait_for("document.querySelector('.nbf-node.nbf-critical')")
    assert panel.page.evaluate(marked) == sorted(set(facts(panel)["path"]))
    assert toggle.get_attribute("aria-pressed") == "true"
    toggle.click()
    panel.wait_for("!document.querySelector('.nbf-node.nbf-critical')")


def test_calls_are_put_in_order_and_filtered(panel):
    """A header orders, once more turns round; words, statuses and attempts choose the rows."""
    tab(panel, "Calls")
    panel.wait_for(f"{NAMED}.length === 7")
    header = panel.page.locator(".nbf-calls [data-column=ran] button")
    header.click()
    header.click()
    longest = facts(panel)["ran"][0]
    panel.wait_for(f"{NAMED}[0] === '{longest}'")
    assert panel.page.get_attribute(".nbf-calls [data-column=ran]", "aria-sort") == "descending"
    header.click()
    panel.wait_for(f"{NAMED}[0] === 'fetch-1'")
    field = panel.page.locator(".nbf-calls input")
    field.fill("clean")
    panel.wait_for(f"{NAMED}.length === 3")
    assert {call.rpartition("-")[0] for call in calls(panel)} == {"clean"}
    assert "3 of 7 calls" in panel.page.inner_text(".nbf-calls .nbf-tools")
    field.fill("status:failed")
    panel.wait_for("document.querySelector('.nbf-calls .nbf-empty').checkVisibility()")
    panel.page.click(".nbf-calls button:text-is('Attempts')")
    panel.wait_for(f"{NAMED}.join() === 'fetch-2'")
    field.fill("")
    panel.wait_for(f"{NAMED}.length === 8")
    panel.page.locator(".nbf-calls .nbf-row[data-call]", has_text="clean-2").click()
    told(panel, "clean-2", "['us', 'us', 'us']")


def test_the_keyboard_reaches_all_and_the_notebook_keeps_out(panel):
    """Tab comes to the graph, arrows, Enter and Esc work; the notebook's shortcuts do not act."""
    cells = "window.jupyterapp.shell.currentWidget.content.widgets.length"
    before = panel.page.evaluate(f"() => {cells}")
    press = panel.page.keyboard.press
    panel.page.locator(".nbf-tab:text-is('Graph')").focus()
    press("ArrowRight")
    assert panel.page.get_attribute(".nbf-page", "aria-label") == "Gantt"
    press("ArrowLeft")
    for _ in range(12):
        press("Tab")
        if panel.page.evaluate("() => document.activeElement.classList.contains('nbf-stage')"):
            break
    else:
        pytest.fail("Tab does not come to the graph")
    panel.wait_for(f"{HEARD}.includes('fetch-1')")
    press("ArrowDown")
    press("ArrowUp")
    press("ArrowDown")
    panel.wait_for(
        "document.querySelector('.nbf-node.nbf-focused')?.dataset.name.startsWith('clean-')"
    )
    focused = panel.page.get_attribute(".nbf-node.nbf-focused", "data-name")
    press("Enter")
    panel.wait_for(f"{DETAIL}?.querySelector('.nbf-detail-name').innerText === '{focused}'")
    for key in ("a", "b", "d", "d", "x", "m", "v", "y", "Shift+M"):
        press(key)
    press("Escape")
    panel.wait_for(f"!{DETAIL}")
    assert panel.page.evaluate("() => document.activeElement.classList.contains('nbf-stage')")
    for name in ("Gantt", "Calls", "Log"):
        tab(panel, name)
        panel.page.locator(".nbf-page [tabindex='0']:visible").last.focus()
        for key in ("a", "b", "d", "d", "x", "m"):
            press(key)
    assert panel.page.evaluate(f"() => {cells}") == before
    assert panel.page.locator("section.nbf").count() == 1
    kinds = """window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells
        .map((c) => c.cell_type)"""
    assert set(panel.page.evaluate(f"() => {kinds}")) == {"code"}


def test_a_second_view_and_a_reload_show_the_same(panel):
    """Two views side by side, and the page opened anew, say the same in every tab."""
    said = """() => [...document.querySelectorAll('section.nbf')].map((panel) => [
        panel.querySelector('.nbf-header').innerText, panel.querySelector('.nbf-chips').innerText,
        panel.querySelector('.nbf-result').innerText, panel.querySelector('.nbf-page').innerText,
        [...panel.querySelectorAll('.nbf-node')]
            .map((e) => [e.dataset.name, e.dataset.status, e.getAttribute('transform')].join())
            .sort().join()])"""
    panel.add("run")
    panel.run_cells(3, 1)
    panel.wait_for("document.querySelectorAll('.nbf-node[data-status=done]').length === 14")
    first, second = panel.page.evaluate(said)
    assert first == second
    assert "completed" in first[0]
    panel.save()
    panel.open()
    panel.wait_for("document.querySelectorAll('.nbf-node[data-status=done]').length === 14")
    # A notebook draws what is below the fold when it comes to it, and its text only then.
    panel.page.locator("section.nbf").nth(1).scroll_into_view_if_needed()
    panel.wait_for(f"JSON.stringify(({said})()) === JSON.stringify({json.dumps([first, second])})")
    for name in ("Calls", "Log", "Result"):
        for one in (0, 1):
            panel.page.locator(f".nbf-tab:text-is('{name}')").nth(one).click()
        if name == "Calls":
            panel.wait_for(f"{NAMED}.length === 14")
        left, right = panel.page.evaluate(said)
        assert left == right
    panel.command("notebook:delete-cell")
    panel.wait_for("document.querySelectorAll('section.nbf').length === 1")


def test_groups_open_and_close(panel):
    """A box that stands for an activity opens into its calls by a click, and closes again."""
    panel.page.click(".nbf-graph-tab button:text-is('groups')")
    panel.wait_for("document.querySelectorAll('.nbf-node').length === 3")
    box(panel, "clean").click()
    panel.wait_for("document.querySelectorAll('.nbf-node[data-name^=clean-]').length === 3")
    assert panel.page.locator(".nbf-node").count() == 5
    box(panel, "clean-2").click()
    told(panel, "clean-2", "['us', 'us', 'us']")
    panel.page.click(".nbf-unfolded")
    panel.wait_for("document.querySelectorAll('.nbf-node').length === 3")
    panel.page.click(".nbf-graph-tab button:text-is('calls')")
    panel.wait_for("document.querySelectorAll('.nbf-node').length === 7")
