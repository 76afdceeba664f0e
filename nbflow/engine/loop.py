"""The one event loop that nbflow owns, on a daemon thread: no other loop is ever patched."""

from __future__ import annotations

import asyncio
import os
import threading

_lock = threading.Lock()
nested_loops: set[int] = set()
"""Loops, by identity, that a user has had patched so that they can be run inside themselves."""

_loops: dict[int, asyncio.AbstractEventLoop] = {}


def private_loop() -> asyncio.AbstractEventLoop:
    """Give the loop; the first use in a process starts its thread."""
    pid = os.getpid()
    with _lock:
        loop = _loops.get(pid)
        if loop is None:
            loop = _loops[pid] = asyncio.new_event_loop()
            thread = threading.Thread(target=loop.run_forever, name="nbflow-loop", daemon=True)
            thread.start()
    return loop
