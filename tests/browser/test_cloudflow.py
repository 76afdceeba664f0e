"""A run on CloudFlow under a cell: an emulator, an orchestrator and workers, each a process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.front import Notebook
from tests.browser.panels import STATUS, boxes, open_gate

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

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


def test_a_run_on_cloudflow_lives_on_when_the_kernel_is_restarted(notebook, tmp_path):
    """The panel is live; the kernel is restarted amid it; attach shows it to its end."""
    book: Notebook = notebook(SETUP, FETCH, TOTAL, FLOW.replace("PLACE", str(tmp_path)))
    book.run(60)
    book.wait_for(f"{boxes('running')} === 1", 60)
    book.shot(tmp_path / "running.png")
    open_gate(book, str(tmp_path / "one"))
    book.wait_for(f"{boxes('done')} === 1")
    book.wait_for(f"{boxes('running')} === 2")
    worker = Path(f"/proc/{(tmp_path / 'one.pid').read_text()}")
    assert worker.exists()
    book.add("print(run.id)")
    book.run_cells(4, 1)
    run = book.printed(4).strip()
    assert run.startswith("cloudflow/nbflow/revenue-")

    book.restart()
    book.save()
    book.open()  # the panel is gone with its kernel, and a picture stands in its place
    deadline = 200
    while worker.exists() and deadline:
        book.page.wait_for_timeout(50)
        deadline -= 1
    assert not worker.exists(), "a worker has outlived its kernel"

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
