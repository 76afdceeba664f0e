"""Markup, links, scripts, bidi and control characters in all that a user can name, print or raise.

One notebook is run once; each test looks at other places where its texts are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.front import Lab, Notebook, opening
from tests.browser.panels import DETAIL, NAMED, STATUS, boxes, tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

NAME = "<img src=x onerror=window.__pwned=1>\u202egnp\x1b[31m"
"""A name: an element that acts, a turn of the reading direction, a terminal's colour."""

TEXT = (
    NAME + "</script><script>window.__pwned=1</script><svg onload=window.__pwned=1>"
    "<a href='javascript:window.__pwned=1'>x</a> [x](javascript:window.__pwned=1)"
    "<iframe srcdoc='<script>parent.__pwned=1</script>'></iframe>\u2066\u200b\x07\x85"
)
RUN = f"""
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
import nbflow

NAME, TEXT = {NAME!a}, {TEXT!a}
pool = ThreadPoolExecutor(2, thread_name_prefix=NAME)
nbflow.configure(store=":memory:", on=pool)


@nbflow.activity(name=NAME)
def evil(text, more=None):
    print(TEXT)
    print(TEXT, file=sys.stderr)
    logging.getLogger(NAME).warning("%s", TEXT)
    return {{TEXT: [TEXT]}}


@nbflow.activity(name="failing" + NAME)
def fails(text):
    raise ValueError(TEXT)  # </script><img src=x onerror=window.__pwned=1>


@nbflow.workflow(name=NAME)
def attack(text: str = TEXT):
    "<img src=x onerror=window.__pwned=1></script>"
    return fails(evil(text, more=NAME))


run = attack.start()
run.wait()
"""
SHOW = "run"
PICTURES = "display(run.graph)\ndisplay(run.profile)\ndisplay(nbflow.compare(run, run))"
TEXTS = """
for view in (run.graph, run.profile, nbflow.compare(run, run)):
    print(view.text())
    print(repr(view))
print(nbflow.compare(run, run).summary)
"""
FORM = "attack.form()"
FILES = """
run.report("evil.html")
run.graph.save("evil-graph.svg")
run.profile.save("evil-profile.svg")
nbflow.compare(run, run).save("evil-compare.svg")
"""
ACTING = """() => [...document.querySelectorAll('.jp-OutputArea-output')]
    .flatMap((area) => [...area.querySelectorAll('*')])
    .filter((e) => /^(script|a|iframe|object|embed|base|link|meta|img)$/i.test(e.localName)
        || [...e.attributes].some(({ name }) => /^on/i.test(name)))
    .filter((e) => !/^data:image\\/(png|svg\\+xml)[;,]/.test(e.src ?? ''))
    .map((e) => e.outerHTML)"""
"""Elements in outputs that load, lead elsewhere or act. A picture of ours loads nothing."""
UNSEEN = """() => {
    const odd = new RegExp('[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f'
        + '\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u2069\\ufeff\\ufffd]');
    const found = [];
    for (const e of document.querySelectorAll('section.nbf, section.nbf *')) {
        for (const { name, value } of e.attributes) if (odd.test(value)) found.push([name, value]);
        for (const part of e.childNodes) {
            if (part.nodeType === 3 && odd.test(part.data)) found.push([e.className, part.data]);
        }
    }
    return found;
}"""
"""Texts and attributes of the panel with letters that are not seen, or that were lost."""


@pytest.fixture(scope="module")
def attacked(lab: Lab, chromium: Any) -> Iterator[Notebook]:
    with opening(lab, chromium) as make:
        book = make(RUN, SHOW, PICTURES, TEXTS, FORM, FILES)
        dialogs: list[str] = []
        book.page.on("dialog", refusing(dialogs))
        book.run(60)
        book.wait_for(f"{STATUS} === 'failed'")
        yield book
        inert(book)
        assert dialogs == []
        assert book.errors == []


def refusing(noted: list[str]) -> Callable[[Any], None]:
    """Give what notes a dialog and closes it."""

    def refuse(dialog: Any) -> None:
        noted.append(dialog.message)
        dialog.dismiss()

    return refuse


def inert(book: Notebook) -> None:
    """See that nothing acted, and that no element is there that could."""
    assert book.page.evaluate("() => window.__pwned") is None
    assert book.page.evaluate(ACTING) == []


def legible(book: Notebook) -> None:
    """See that the panel has no unseen letter, and shows as escapes what would be one."""
    inert(book)
    assert book.page.evaluate(UNSEEN) == []


def test_w5_texts_are_words_in_every_tab(attacked):
    """W5: names, results, errors, prints and records are read as they were written, and inert."""
    panel = attacked.page.locator("section.nbf")
    attacked.wait_for(f"{boxes('failed')} === 1 && {boxes('done')} === 1")
    assert "<img src=x onerror=window.__pwned=1>\\u202egnp\\x1b[31m" in panel.text_content()
    assert (
        "</script><script>window.__pwned=1</script>" in panel.locator(".nbf-result").text_content()
    )
    legible(attacked)
    shown = {
        "Gantt": "document.querySelector('.nbf-legend')?.textContent.includes('<img src=x')",
        "Calls": f"{NAMED}.filter((name) => name.includes('<img src=x')).length === 2",
        "Log": "document.querySelectorAll('.nbf-line .nbf-text').length === 3",
        "Result": "document.querySelector('.nbf-tall')?.textContent.includes('raise ValueError')",
        "Graph": f"{boxes('failed')} === 1",
    }
    for name, condition in shown.items():
        tab(attacked, name)
        attacked.wait_for(condition)
        if name == "Log":
            lines = panel.locator(".nbf-line .nbf-text").all_text_contents()
            assert all("<script>window.__pwned=1</script>" in line for line in lines)
            assert all("\\u202egnp" in line for line in lines)
        legible(attacked)


def test_w5_texts_are_words_in_tips_and_details(attacked):
    """W5: the tip and the details hold arguments, worker, error, traceback and source as text."""
    tab(attacked, "Graph")
    for place, words in ((0, "more"), (1, "raise ValueError")):
        node = attacked.page.locator(".nbf-node").nth(place)
        node.hover()
        attacked.wait_for("document.querySelector('.nbf-tip')?.textContent.includes('<img src=x')")
        legible(attacked)
        node.click()
        attacked.wait_for(f"{DETAIL}?.textContent.includes('{words}')")
        attacked.wait_for(f"{DETAIL}?.textContent.includes('\\\\u202egnp')")
        for part in attacked.page.locator(".nbf-detail summary").all():
            part.click()
        legible(attacked)
    assert "onerror=window.__pwned=1" in attacked.page.text_content(".nbf-detail .nbf-more")
    attacked.page.keyboard.press("Escape")
    attacked.page.mouse.move(5, 5)
    tab(attacked, "Gantt")
    attacked.page.locator("canvas.nbf-chart").hover(position={"x": 60, "y": 40})
    attacked.wait_for("document.querySelector('.nbf-tip')?.textContent.includes('<img src=x')")
    legible(attacked)
    attacked.page.mouse.move(5, 5)


def test_w5_texts_are_words_in_pictures_and_prints(attacked):
    """W5: graph, profile and comparison say them in pictures and in text, with escapes."""
    kinds = [set(output["data"]) for output in attacked.outputs(2)]
    assert kinds == [{"text/plain", "image/png", "image/svg+xml"}] * 2 + [
        {"text/plain", "image/png"}
    ]
    printed = attacked.text(3)
    assert printed.count("<img src=x") > 5
    assert "\\u202e" in printed
    assert not set(printed) & set("\u202e\u2066\u200b\x1b\x07\x85")
    cells = attacked.page.locator(".jp-Notebook .jp-Cell")
    assert "<img src=x" in cells.nth(3).text_content()
    inert(attacked)


def test_w5_texts_are_words_in_a_form(attacked):
    """W5: name, help, default and errors of a form are text."""
    form = attacked.page.locator(".jp-Notebook .jp-Cell").nth(4)
    form.locator("button", has_text="Run").wait_for()
    assert "<img src=x onerror=window.__pwned=1></script>" in form.text_content()
    assert "<img src=x" in form.locator("textarea, input[type=text]").first.input_value()
    inert(attacked)


@pytest.mark.parametrize("name", ["report.html", "graph.svg", "profile.svg", "compare.svg"])
def test_w5_texts_are_words_in_files(attacked, name):
    """W5: a report and pictures, opened as pages of their own, hold no element of a user's."""
    file: Path = attacked.path.parent / ("evil.html" if name == "report.html" else f"evil-{name}")
    page = attacked.page.context.new_page()
    acted: list[str] = []
    page.on("dialog", refusing(acted))
    page.on("request", lambda request: acted.append(request.url))
    page.on("pageerror", lambda error: acted.append(str(error)))
    page.goto(file.as_uri())
    if name == "report.html":
        page.wait_for_function("() => document.querySelectorAll('.nbf-node').length === 2")
        scripts = page.evaluate("() => document.scripts.length")
        assert scripts == 2  # its data and its code
        for part in ("Gantt", "Calls", "Log", "Result"):
            page.click(f".nbf-tab:text-is('{part}')")
        assert page.evaluate(UNSEEN) == []
    else:
        assert page.evaluate("() => document.querySelectorAll('script').length") == 0
    strange = "a, img, iframe, object, embed, foreignObject, [onerror], [onload], [onclick]"
    assert page.evaluate(f"() => document.querySelectorAll({strange!r}).length") == 0
    assert page.evaluate("() => window.__pwned") is None
    assert "<img src=x" in page.evaluate("() => document.documentElement.textContent")
    assert acted == [file.as_uri()]
    page.close()
