"""Values whose `repr` raises, never returns or is huge: nothing of a run or its panel calls it."""

from __future__ import annotations

import pytest

from tests.browser.panels import STATUS, box, boxes, tab, told

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(120)]

SETUP = """
import threading, time
import nbflow
nbflow.configure(store=":memory:", on="threads", max_workers=3)

class Raises:
    def __repr__(self):
        raise RuntimeError("no repr")
    __str__ = __repr__

class Hangs:
    def __repr__(self):
        while True:
            time.sleep(3600)
    __str__ = __repr__

class Huge:
    def __repr__(self):
        return "x" * 100_000_000
    __str__ = __repr__

class Acts:
    def __repr__(self):
        open("acted", "w").close()
        return "acted"
    __str__ = __repr__

KINDS = [Raises, Hangs, Huge, Acts]

@nbflow.activity
def make(kind):
    return kind()

@nbflow.activity
def take(value, *, name):
    return [value, {"of": value}]

@nbflow.workflow
def rude():
    return [take(make(kind), name=kind.__name__) for kind in KINDS]

run = rude()
run
"""
ANSWERS = """
import os
found = run.result()
print(len(found), [type(pair[0]).__name__ for pair in found], os.path.exists("acted"))
print(len(run.graph.text()) < 10_000, len(run.profile.svg()) < 500_000)
run.report("rude.html")
print(os.path.getsize("rude.html") < 1_000_000, os.path.exists("acted"))
"""


def test_w6_no_repr_is_called(notebook, tmp_path):
    """W6: the run ends, the panel tells of values by their size, and the kernel answers."""
    book = notebook(SETUP, ANSWERS)
    book.run(60)
    book.says(1, ("4 ['Raises', 'Hangs', 'Huge', 'Acts'] False\nTrue True\nTrue False\n"))
    book.wait_for(f"{STATUS} === 'completed' && {boxes('done')} === 8")
    for number, kind in enumerate(("Raises", "Hangs", "Huge", "Acts"), 1):
        box(book, f"make-{number}").click()
        told(book, f"make-{number}", " pickled")
        box(book, f"take-{number}").click()
        told(book, f"take-{number}", f"'{kind}'")
    for name in ("Gantt", "Calls", "Log", "Result"):
        tab(book, name)
    assert "pickled" in book.page.inner_text(".nbf-outcome")
    book.shot(tmp_path / "rude.png", "section.nbf")
    book.add("run.status")
    book.start(2)
    book.wait()
    assert book.outputs(2)[0]["data"]["text/plain"] == "'completed'"
    assert not (book.path.parent / "acted").exists()
    assert book.errors == []
