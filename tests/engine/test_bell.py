"""Waiting in a thread that interrupts come to."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nbflow.running.bell import Bell

SECONDS = 30.0
ROOT = Path(__file__).parent.parent.parent


def test_it_rings_for_all_who_wait_and_who_come_later() -> None:
    """Each of many threads that wait is woken, and nobody waits for a bell that has rung."""
    bell, woken = Bell(), threading.Semaphore(0)

    def sleeper() -> None:
        if bell.wait(SECONDS):
            woken.release()

    threads = [threading.Thread(target=sleeper) for _ in range(20)]
    for thread in threads[:10]:
        thread.start()
    ringing = threading.Thread(target=bell.ring)
    ringing.start()
    for thread in threads[10:]:
        thread.start()
    for thread in (*threads, ringing):
        thread.join(SECONDS)
    assert all(woken.acquire(timeout=SECONDS) for _ in threads)
    assert bell.wait()
    bell.ring()  # once more does no harm


def test_a_wait_may_end_before_it_rings() -> None:
    """Within its seconds it has not rung; and it can be waited for again."""
    bell = Bell()
    assert not bell.wait(0.0)
    assert not bell.wait(0.01)
    bell.ring()
    assert bell.wait(0.0)


@pytest.mark.timeout(120)
def test_an_interrupt_at_any_line_of_the_wait_is_felt_as_one() -> None:
    """Whichever line of the wait it meets, it is a KeyboardInterrupt, and the run goes on."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.interrupted_wait"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    felt, lines = map(int, done.stdout.split())
    assert felt >= lines > 10
