"""The stop button wakes an event loop that sleeps while a run is awaited."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import nbflow
from nbflow.running import awaiting as running
from nbflow.running.waking import waking
from nbflow.testing import Gate

WAIT = 30


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give a loop as a kernel has it, which knows nothing of signals."""
    made = asyncio.new_event_loop()
    yield made
    made.close()
    assert signal.set_wakeup_fd(-1) == -1


def cancelled_by_a_signal(loop: asyncio.AbstractEventLoop, code: Any) -> bool:
    """Run code as a kernel runs an ``async`` cell, strike it asleep; whether it was cancelled."""
    done = loop.create_task(code)
    late: list[bool] = []
    timer = loop.call_later(WAIT, late.append, True)
    before = signal.signal(signal.SIGINT, lambda *_: done.cancel())
    asleep, select = threading.Event(), loop._selector.select  # type: ignore[attr-defined]

    def sleeps(timeout: float | None = None) -> Any:
        if timeout is None or timeout > 1:
            asleep.set()
        return select(timeout)

    loop._selector.select = sleeps  # type: ignore[attr-defined]

    def strike() -> None:
        asleep.wait(WAIT)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=strike).start()
    try:
        loop.run_until_complete(done)
    except asyncio.CancelledError:
        return not late
    finally:
        signal.signal(signal.SIGINT, before)
        timer.cancel()
    return False


@pytest.mark.case("U30")
@pytest.mark.parametrize("seen", [True, False])
def test_awaiting_a_run_is_woken_and_not_found_by_looking(
    loop: Any, seen: bool, tmp_path: Path, monkeypatch: Any
) -> None:
    """Even if it looked once an hour: of a run that is driven here, and of another process's."""
    monkeypatch.setattr(running, "_POLL", 3600)
    gate = Gate(tmp_path / "gate")

    @nbflow.activity
    def hold() -> int:
        gate.enter()
        return 1

    @nbflow.workflow
    def flow() -> Any:
        return hold()

    run = flow.start()
    gate.wait_for(1)
    if not seen:
        run._session = None  # as in a process that only looks on

    async def cell() -> Any:
        return await run

    assert cancelled_by_a_signal(loop, cell())
    gate.open()
    assert nbflow.attach(run.id).result(WAIT) == 1


def test_several_that_wait_share_what_wakes_them(loop: Any) -> None:
    """The last one to leave takes it down; the descriptor is put up once."""

    async def all_of_them() -> list[int]:
        found = []
        with waking(loop) as first:
            with waking(loop) as second:
                found.append(signal.set_wakeup_fd(-1))
                signal.set_wakeup_fd(found[0])
            found.append(signal.set_wakeup_fd(-1))
            signal.set_wakeup_fd(found[1])
        assert (first, second) == (True, True)
        return [*found, signal.set_wakeup_fd(-1)]

    one, two, after = loop.run_until_complete(all_of_them())
    assert one == two != -1
    assert after == -1


def test_whoever_has_signals_already_keeps_them(loop: Any) -> None:
    """A descriptor of somebody else's stays, and so does one that comes while it waits."""
    read, write = os.pipe()
    os.set_blocking(write, False)

    async def beside() -> bool:
        with waking(loop) as on:
            return on

    async def later() -> None:
        with waking(loop):
            signal.set_wakeup_fd(write)

    try:
        signal.set_wakeup_fd(write)
        assert loop.run_until_complete(beside()) is False
        assert signal.set_wakeup_fd(-1) == write
        loop.run_until_complete(later())
        assert signal.set_wakeup_fd(-1) == write
    finally:
        os.close(read)
        os.close(write)


def test_signals_that_asyncio_handles_itself_are_left_to_it(loop: Any) -> None:
    """It reads from its own socket which ones came."""
    came = asyncio.Event()

    async def cell() -> bool:
        loop.add_signal_handler(signal.SIGUSR1, came.set)
        with waking(loop) as on:
            os.kill(os.getpid(), signal.SIGUSR1)
            await asyncio.wait_for(came.wait(), WAIT)
        loop.remove_signal_handler(signal.SIGUSR1)
        return on

    assert loop.run_until_complete(cell()) is False


def test_in_another_thread_nothing_is_done() -> None:
    """Signals are handled in the main thread, whose loop it is not."""
    found: list[bool] = []

    async def cell() -> None:
        with waking(asyncio.get_running_loop()) as on:
            found.append(on)

    thread = threading.Thread(target=lambda: asyncio.run(cell()))
    thread.start()
    thread.join(WAIT)
    assert found == [False]
