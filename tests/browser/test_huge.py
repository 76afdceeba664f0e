"""A run of 100,000 calls in a browser: what is drawn of it, and what goes over the wire."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pytest

from tests.browser.panels import STATUS, tab

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.timeout(240)]

ROOT = Path(__file__).parents[2]
CALLS = 100_000
MOST = 1_000_000
"""Bytes of a message."""
SETUP = f"""
import sys, time
sys.path.insert(0, {str(ROOT)!r})
from nbflow.core.events import RunStarted
from nbflow.store.memory import MemoryStore
from nbflow.viz.show import show
from tests.viz.runlog import simulate

def calls():
    for i in range(1, {CALLS // 20} + 1):
        for kind in range(20):
            yield f"work{{kind}}-{{i}}", (f"work{{kind - 1}}-{{i}}",) if kind else ()

events = simulate(calls(), workers=16)
store = MemoryStore()
store.create("huge-1", events[0])
"""
SHOW = 'show(store, "huge-1")'
PLAY = """
for begin in range(1, len(events), 20_000):
    store.append("huge-1", events[begin:begin + 20_000])
    time.sleep(0.3)
"""
ELEMENTS = "document.querySelectorAll('section.nbf *').length"


def test_w4_a_huge_run_is_few_elements_and_small_messages(notebook, tmp_path):
    """W4: at most 2,000 elements, no message above 1 MB, ten a second, and the page answers."""
    book = notebook(SETUP, SHOW, PLAY)
    frames: list[bytes] = []

    def note(frame: object) -> None:
        data = frame if isinstance(frame, bytes) else str(frame).encode()
        if b'"comm_msg"' in data[:4000]:
            frames.append(data)

    book.page.on("websocket", lambda socket: socket.on("framereceived", note))
    book.open()  # so that its websocket is seen
    book.run(120)
    book.wait_for(f"{STATUS} === 'completed'", 60)
    book.wait_for("document.querySelectorAll('.nbf-node').length === 20")
    book.wait_for(f"document.querySelector('.nbf-chips').textContent.includes('{CALLS:,} done')")
    for name in ("Gantt", "Calls", "Log", "Result", "Graph"):
        tab(book, name)
        assert book.page.evaluate(f"() => {ELEMENTS}") <= 2_000, name
    tab(book, "Calls")
    book.page.fill(".nbf-calls input", "work19-4999")
    book.wait_for("document.querySelectorAll('.nbf-calls .nbf-row[data-call]').length === 1")
    book.shot(tmp_path / "huge.png", "section.nbf")
    assert frames
    assert max(map(len, frames)) <= MOST
    assert busiest(frames, 5) <= 55
    assert book.errors == []


def busiest(frames: list[bytes], seconds: float) -> int:
    """Give the most messages that were sent within so many seconds.

    Not of one second: a kernel that is busy for a moment sends what was due then at once.
    """
    sent = sorted(datetime.fromisoformat(stamp(frame)).timestamp() for frame in frames)
    return max(sum(0 <= later - at < seconds for later in sent) for at in sent)


def stamp(frame: bytes) -> str:
    """Read when a message was sent from its header."""
    found = re.search(rb'"date": ?"([^"]+)"', frame)
    assert found
    return found[1].decode().replace("Z", "+00:00")
