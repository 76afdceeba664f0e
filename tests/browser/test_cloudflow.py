"""A run on CloudFlow under a cell: an emulator, an orchestrator and workers, each a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.front import Notebook
from tests.browser.panels import STATUS, boxes, open_gate

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(480)]

SETUP = """
%load_ext nbflow
import os, time
from pathlib import Path
import nbflow
nbflow.configure(store="cloudflow-store", on="cloudflow", simulate=True, lost_after=3)

def until(name):
    while not Path(name).exists():
        time.sleep(0.02)
"""
FETCH = """%%activity fetch(region: str, gate: str) -> int
until(gate)
Path(f"{gate}.pid").write_text(str(os.getpid()))
return len(region)
"""
TOTAL = """%%activity total(counts: list) -> int
sum(counts)
"""
FLOW = """%%workflow revenue(regions: list, place: str) -> int --run --on cloudflow --simulate \
-o run --args '{"regions": ["eu", "us"], "place": "PLACE"}'
first = fetch(regions[0], place + "/one").result()
return total([first, *[fetch(r, place + "/" + r) for r in regions]])
"""


def living(process: str) -> str:
    """Give when a process began, which tells it from a later one of its number; "" if it is over.

    One that is over stays in the list until somebody asks how it ended.
    """
    try:
        stat = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "" if stat[0] in {"Z", "X"} else stat[19]


def test_a_run_on_cloudflow_lives_on_when_the_kernel_is_restarted(notebook, tmp_path):
    """The panel is live; the kernel is restarted amid it; attach shows it to its end."""
    book: Notebook = notebook(SETUP, FETCH, TOTAL, FLOW.replace("PLACE", str(tmp_path)))
    book.run(60)
    book.wait_for(f"{boxes('running')} === 1", 60)
    book.shot(tmp_path / "running.png")
    open_gate(book, str(tmp_path / "one"))
    book.wait_for(f"{boxes('done')} === 1", 60)
    book.wait_for(f"{boxes('running')} === 2", 60)
    worker = (tmp_path / "one.pid").read_text()
    began = living(worker)
    assert began
    book.add("print(run.id)")
    book.run_cells(4, 1)
    run = book.printed(4).strip()
    assert run.startswith("cloudflow/nbflow/revenue-")

    book.restart()
    book.save()
    book.open()  # the panel is gone with its kernel, and a picture stands in its place
    for _ in range(1_200):
        if living(worker) != began:
            break
        book.page.wait_for_timeout(50)
    assert living(worker) != began, "a worker has outlived its kernel"

    book.add(
        "import nbflow\nnbflow.configure(store='cloudflow-store')\n"
        f"again = nbflow.attach({run!r})\nagain"
    )
    book.run_cells(5, 1)
    book.wait_for(f"{boxes('done')} === 1", 60)
    for region in ("eu", "us"):
        open_gate(book, str(tmp_path / region))
    book.wait_for(f"{STATUS} === 'completed'", 120)
    assert book.page.evaluate(f"() => {boxes('done')}") == 4
    book.shot(tmp_path / "completed.png")
    book.add("print(again.result())")
    book.run_cells(6, 1)
    assert book.printed(6).strip() == "6"
    assert not book.errors
