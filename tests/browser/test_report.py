"""The page that `run.report()` writes, in a real Chromium, from a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from nbflow.core.events import Event
from nbflow.viz.report import report_html
from tests.viz.runlog import HOSTILE, RunLog, hostile, revenue, simulate

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

PAINTED = """() => {
    const chart = document.querySelector('canvas.nbf-chart');
    if (!chart?.width) return 0;
    const { data } = chart.getContext('2d').getImageData(0, 0, chart.width, chart.height);
    const seen = new Set();
    for (let i = 0; i < data.length; i += 4) seen.add(data.slice(i, i + 3).join());
    return seen.size;
}"""
"""How many colours the Gantt chart has."""
NODES = ".nbf-node"


class Opened:
    """A report, open in a page that notes whatever it does."""

    def __init__(self, context: Any, file: Path) -> None:
        self.page = context.new_page()
        self.file = file
        self.requests: list[str] = []
        self.troubles: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("dialog", lambda dialog: self.troubles.append(f"dialog {dialog.message}"))
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", lambda message: self.troubles.append(message.text))
        self.page.goto(file.as_uri())

    def wait_for(self, condition: str, seconds: float = 20) -> None:
        """Wait until a JavaScript expression is true."""
        self.page.wait_for_function(f"() => {condition}", timeout=seconds * 1000)

    def tab(self, name: str) -> None:
        """Go to a tab of the panel."""
        self.page.click(f".nbf-tab:has-text('{name}')")

    def assert_quiet(self) -> None:
        """See that nothing was asked of anybody, shown in a dialog, or complained of."""
        assert self.requests == [self.file.as_uri()]
        assert self.troubles == []


@pytest.fixture
def opened(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Opened]]:
    """Write the report of a run and open it, in a context of its own."""
    contexts = []

    def make(events: Sequence[Event], run: str = "revenue-1", **how: Any) -> Opened:
        file = tmp_path / "run.html"
        file.write_text(report_html(run, events), encoding="utf-8")
        context = chromium.new_context(viewport={"width": 1250, "height": 1000}, **how)
        contexts.append(context)
        return Opened(context, file)

    yield make
    for context in contexts:
        context.close()


def live(report: Opened) -> None:
    report.wait_for("document.documentElement.classList.contains('nbflow-live')")


def test_a_report_has_both_views_and_details(opened, tmp_path):
    """Graph and Gantt chart are drawn, a click on a call tells of it, and nothing is loaded."""
    report = opened(simulate(revenue(4), failing={"fetch-2"}))
    page = report.page
    live(report)
    report.wait_for(f"document.querySelectorAll('{NODES}').length === 9")
    assert "revenue-1" in page.title()
    page.locator(NODES).filter(has_text="fetch-1").first.click()
    report.wait_for("document.querySelector('.nbf-detail')?.innerText.includes(\"'eu'\")")
    page.screenshot(path=str(tmp_path / "graph.png"))
    report.tab("Gantt")
    report.wait_for(f"({PAINTED})() > 4")
    page.screenshot(path=str(tmp_path / "gantt.png"))
    report.tab("Calls")
    report.wait_for("document.querySelector('.nbf-calls')?.innerText.includes('convert-3')")
    report.tab("Log")
    report.tab("Result")
    assert not page.is_visible(".nbf-cancel")
    assert not page.is_visible(".nbf-resume")
    report.assert_quiet()


def test_hostile_names_are_words(opened):
    """Markup in whatever a user names is shown as written, in every tab, and does nothing."""
    report = opened(hostile(), HOSTILE)
    live(report)
    assert "<img src=x onerror=alert(1)>" in report.page.inner_text("h1")
    report.wait_for(f"document.querySelectorAll('{NODES}').length === 3")
    report.page.locator(NODES).first.click()
    report.wait_for("document.querySelector('.nbf-detail')?.innerText.includes('<img src=x')")
    for name in ("Gantt", "Calls", "Log", "Result"):
        report.tab(name)
        report.wait_for(f"document.querySelector('[aria-selected=true]').innerText === '{name}'")
    assert (
        report.page.evaluate("() => document.querySelectorAll('img, iframe, object').length") == 0
    )
    report.assert_quiet()


def test_a_page_may_run_nothing_else(opened):
    """Its policy refuses another script, a picture and a request."""
    report = opened(simulate(revenue(1)))
    live(report)
    refused = report.page.evaluate(
        """async () => {
            const refused = [], note = (event) => refused.push(event.effectiveDirective);
            document.addEventListener('securitypolicyviolation', note);
            const script = document.createElement('script');
            script.textContent = 'window.__pwned = 1';
            const picture = document.createElement('img');
            picture.src = 'https://example.invalid/x.png';
            document.body.append(script, picture);
            await fetch('https://example.invalid/').catch(() => 0);
            await new Promise((done) => setTimeout(done, 100));
            return refused.sort();
        }"""
    )
    assert refused == ["connect-src", "img-src", "script-src-elem"]
    assert report.page.evaluate("() => window.__pwned") is None


def test_without_scripts_a_report_is_a_picture_and_text(opened, tmp_path):
    """Where scripts are off the page still shows the run, and says why it is a picture."""
    report = opened(simulate(revenue(3)), java_script_enabled=False)
    page = report.page
    assert page.is_visible(".page-still svg")
    assert "Scripts are off" in page.inner_text("noscript")
    assert "critical path:" in page.inner_text(".page-still pre")
    page.screenshot(path=str(tmp_path / "still.png"), full_page=True)
    report.assert_quiet()


def test_a_report_is_printed_as_picture_and_text(opened, tmp_path):
    """On paper there is all of it, not the tab that happens to be chosen, dark on light."""
    report = opened(simulate(revenue(3)), color_scheme="dark")
    live(report)
    assert not report.page.is_visible(".page-still")
    report.page.emulate_media(media="print")
    assert report.page.is_visible(".page-still svg")
    assert not report.page.is_visible(".nbf")
    report.page.screenshot(path=str(tmp_path / "print.png"), full_page=True)
    pages = report.page.pdf()
    assert pages.startswith(b"%PDF-")
    report.assert_quiet()


CONTRAST = """(part) => {
    const light = (color) => {
        const level = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = color.match(/[0-9.]+/g).map((v) => level(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ink = light(getComputedStyle(document.querySelector(part)).color);
    const paper = light(getComputedStyle(document.body).backgroundColor);
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    return { ratio, dark: paper < ink };
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_report_follows_the_colours_of_the_system(opened, tmp_path, scheme):
    """Page and panel are dark where the reader's system is, and can be read in both."""
    report = opened(simulate(revenue(3)), color_scheme=scheme)
    live(report)
    for part in ("h1", ".page-facts dt", ".nbf-title", ".nbf-tab"):
        found = report.page.evaluate(CONTRAST, part)
        assert found["dark"] == (scheme == "dark"), part
        assert found["ratio"] > 4.5, part
    report.page.screenshot(path=str(tmp_path / f"{scheme}.png"))


def test_the_graph_can_be_seen_by_activity_too(opened):
    """Other views of the graph are in the page: to choose one needs no kernel."""
    report = opened(simulate(revenue(4)))
    live(report)
    report.wait_for(f"document.querySelectorAll('{NODES}').length === 9")
    report.page.locator(".nbf-choice").filter(has_text="groups").click()
    report.wait_for(f"document.querySelectorAll('{NODES}').length === 3")
    report.assert_quiet()


def test_a_run_under_way_stands_still(opened):
    """A report of a run that goes on says how it stood; nothing waits for a kernel."""
    log = RunLog()
    log.asked("a-1")
    log.started("a-1", 0.5)
    log.asked("b-1", ("a-1",), at=2.0)
    report = opened(log.events)
    live(report)
    assert report.page.get_attribute(".nbf", "data-status") == "stopped"
    assert report.page.inner_text(".nbf-elapsed") == "2.00 s"
    report.assert_quiet()


@pytest.mark.timeout(240)
def test_a_hundred_thousand_calls_open(opened, tmp_path):
    """The report of a huge run is under 15 MB, opens, and its chart and calls are there."""
    report = opened(simulate(revenue(50_000), workers=16))
    assert report.file.stat().st_size < 15e6
    live(report)
    report.wait_for("document.querySelector('.nbf-chips').innerText.includes('100,001')")
    report.tab("Gantt")
    report.wait_for(f"({PAINTED})() > 3")
    report.page.screenshot(path=str(tmp_path / "huge.png"))
    report.tab("Calls")
    report.wait_for("document.querySelector('.nbf-calls')?.innerText.includes('fetch-')")
    report.assert_quiet()
