from __future__ import annotations

import threading
import time

from nbflow.viz.told import Pace


def test_what_is_cheap_is_done_again_soon():
    """What takes no time is put off by the least pause only."""
    pace = Pace(0.5)
    assert pace.ready(1000.0)
    with pace.spent(1000.0):
        pass
    assert not pace.ready(1000.4)
    assert pace.ready(1000.5)


def test_what_was_waited_for_is_put_off_less_than_what_was_computed():
    """Other processes have cores of their own: a wait for them counts a third as much as work."""
    waiting, working = Pace(0.0), Pace(0.0)
    with waiting.spent(0.0):
        began = time.perf_counter()
        threading.Event().wait(0.05)
        wall = time.perf_counter() - began
    assert not waiting.ready(8 * wall * 0.99)
    with working.spent(0.0):
        end = time.thread_time() + 0.05
        while time.thread_time() < end:
            pass
    assert not working.ready(25 * 0.05 * 0.99)
    assert working.ready(1e6)
