"""What tests do with a panel and read of it.

Text is read as `textContent`: JupyterLab leaves out what is scrolled away, and `innerText` with it.
"""

from __future__ import annotations

from typing import Any

from tests.browser.front import Notebook

STATUS = "document.querySelector('section.nbf')?.dataset.status"
DETAIL = """(document.querySelector('.nbf-detail')?.checkVisibility()
    ? document.querySelector('.nbf-detail') : null)"""
NAMED = """[...document.querySelectorAll('.nbf-calls .nbf-row[data-call]')]
    .map((row) => row.children[0].textContent)"""
WORDS = "(document.querySelector('section.nbf')?.textContent ?? '')"
PICTURES = """[...document.querySelectorAll('.jp-OutputArea-child img')]
    .filter((img) => img.checkVisibility() && img.naturalWidth > 300).length"""
"""How many pictures of runs are to be seen."""

FLOW = """
import os, time
from pathlib import Path
import nbflow
nbflow.configure(store=":memory:", on="threads", max_workers=8)

def until(name):
    while not Path(name).exists():
        time.sleep(0.02)

@nbflow.activity
def fetch(region, gate):
    print("fetching", region)
    until(gate)
    print("fetched", region)
    return len(region)

@nbflow.activity
def total(*counts):
    return sum(counts)

@nbflow.workflow
def revenue(regions, gate):
    return {"total": total(*[fetch(region, f"{gate}-{region}") for region in regions])}
"""
"""A first cell: each `fetch` of `revenue` waits for the file that its gate names."""


def boxes(status: str) -> str:
    """Count, in JavaScript, the boxes of the graph that have a status."""
    return f"document.querySelectorAll('.nbf-node[data-status={status}]').length"


def open_gate(book: Notebook, *names: str) -> None:
    """Let go what waits for files of these names."""
    for name in names:
        (book.path.parent / name).touch()


def tab(book: Any, name: str) -> None:
    """Go to a tab of the first panel, and wait until it is shown."""
    book.page.locator(f".nbf-tab:text-is('{name}')").first.click()
    book.wait_for(f"document.querySelector('.nbf-page')?.getAttribute('aria-label') === '{name}'")


def told(book: Notebook, call: str, words: str) -> None:
    """Wait until the details are of this call and say this."""
    book.wait_for(f"{DETAIL}?.querySelector('.nbf-detail-name').textContent === '{call}'")
    book.wait_for(f"{DETAIL}?.textContent.includes({words!r})")


def box(book: Notebook, call: str) -> Any:
    """Find the box of a call."""
    return book.page.locator(f".nbf-node[data-name='{call}']").first
