"""U28 to U32 in real kernels of ipykernel 6 and 7: what the stop button does, and does not."""

from __future__ import annotations

import random
import statistics
import time
from pathlib import Path

import pytest

from tests.magics.test_kernels import Front, fresh, front, session_front

pytestmark = [pytest.mark.kernels, pytest.mark.slow, pytest.mark.timeout(300)]
fixtures = (front, session_front)

WAITING = "print('waiting', flush=True)\n"
SETUP = """
@nbflow.activity
def stops():
    raise KeyboardInterrupt("no more")

@nbflow.workflow
def stopping():
    return stops()

@nbflow.workflow
def three(name):
    return [call.result() for call in [hold(f"{name}-{n}") for n in range(3)]]
"""
ENDS = "run.wait(20); print(run.status, {call.attempt for call in run.calls.values()})"


def three(front: Front, on: str, name: str) -> None:
    """Start a run of three calls, of which two can run at a time, and wait until those do."""
    front.run(SETUP)
    front.run(f"run = three.on({on!r}, max_workers=2).start({name!r})")
    front.until(lambda: all((front.home / f"{name}-{n}.began").exists() for n in range(2)))


def interrupted(front: Front, cell: str, delay: float = 0.0) -> float:
    """Press ■ while a cell waits, and give after how many seconds it was over."""
    return pressed(front, cell, delay)[0]


def pressed(front: Front, cell: str, delay: float) -> tuple[float, list[str]]:
    """Press ■ while a cell waits; give after how many seconds it was over, and what it says."""
    waiting = front.waits(WAITING + cell)
    time.sleep(delay)  # at any time: there is nothing to wait for
    struck = time.monotonic()
    front.manager.interrupt_kernel()
    reply = front.ends(waiting)
    took = time.monotonic() - struck
    assert reply["status"] == "error", front.text(waiting)
    assert reply["ename"] in {"KeyboardInterrupt", "CancelledError"}
    answers(front)
    return took, reply["traceback"]


def answers(front: Front) -> None:
    """Wait until the kernel runs cells again: those that come just after an error it may abort."""
    front.until(lambda: front.ends(front.start("pass"))["status"] == "ok")


def quick(times: list[float], seconds: float) -> bool:
    """Whether it is done so quickly, though a busy machine may take longer now and then."""
    return statistics.median(times) < seconds and max(times) < 10 * seconds


def comes_to_its_end(front: Front, name: str) -> None:
    """Let the calls go on, and see that the run ends as if nobody had pressed anything."""
    for n in range(3):
        front.release(f"{name}-{n}")
    assert front.run(ENDS) == "completed {1}\n"
    assert front.run("print(run.result())") == f"{[f'{name}-{n}' for n in range(3)]}\n"


@pytest.mark.case("U28")
def test_u28_an_interrupt_stops_the_cell_and_not_the_threads(front: Front) -> None:
    """Six times, at any moment: the cell is back in a second, and no call is lost."""
    chance, name = random.Random(28), fresh(front)
    three(front, "threads", name)
    assert quick([interrupted(front, "run.result()", chance.random() / 20) for _ in range(6)], 1)
    comes_to_its_end(front, name)


@pytest.mark.case("U29")
def test_u29_an_interrupt_does_not_reach_worker_processes(front: Front) -> None:
    """The workers are in the group that is interrupted, and work on; the pool takes more."""
    name = fresh(front)
    three(front, "processes", name)
    workers = [int((front.home / f"{name}-{n}.began").read_text()) for n in range(2)]
    assert quick([interrupted(front, "run.result()") for _ in range(3)], 1)
    assert all(Path(f"/proc/{worker}").exists() for worker in workers)
    comes_to_its_end(front, name)
    front.release(f"{name}-more")
    assert (
        front.run(
            f"print(holding.on('processes', max_workers=2).start({name + '-more'!r}).result(20))"
        )
        == f"{name}-more\n"
    )


@pytest.mark.case("U30")
@pytest.mark.parametrize("on", ["threads", "processes"])
def test_u30_an_interrupt_is_felt_while_a_run_is_awaited(front: Front, on: str) -> None:
    """The loop of the kernel is asleep then: it is woken within half a second."""
    name = fresh(front)
    three(front, on, name)
    assert quick([interrupted(front, "await run", 0.05) for _ in range(5)], 0.5)
    comes_to_its_end(front, name)


NO_LOOKING = """
from nbflow.running import awaiting as running
kept = running._POLL, running._HEARS, running.PACE
running._POLL = running._HEARS = running.PACE = 3600
"""
AGAIN = "running._POLL, running._HEARS, running.PACE = kept"


@pytest.mark.case("U28")
@pytest.mark.case("U30")
@pytest.mark.parametrize("cell", ["run.result()", "await run"])
def test_u28_u30_an_interrupt_wakes_whoever_waits(front: Front, cell: str) -> None:
    """It is not found by looking: even if the wait looked up once an hour, it would be felt.

    What is said is one line: a traceback takes longer to write than all the rest.
    """
    name = fresh(front)
    three(front, "threads", name)
    front.run(NO_LOOKING)
    _, (said,) = pressed(front, cell, 0.5)
    assert "stopped waiting; run" in said
    assert "goes on" in said
    front.run(AGAIN)
    comes_to_its_end(front, name)


@pytest.mark.case("U31")
def test_u31_a_second_interrupt_leaves_nothing_half_done(front: Front) -> None:
    """Twice within 50 ms: the kernel answers, and the run can be brought to its end."""
    chance, name = random.Random(31), fresh(front)
    three(front, "threads", name)
    for _ in range(4):
        front.waits(WAITING + "run.result()")
        front.manager.interrupt_kernel()
        time.sleep(chance.random() * 0.05)
        front.manager.interrupt_kernel()
        # One that meets ipykernel itself may cost the reply to that cell, but no more than that.
        answers(front)
        assert front.run("print(run.status)") == "running\n"
    comes_to_its_end(front, name)


@pytest.mark.case("U31")
def test_u31_a_second_interrupt_while_a_run_is_cancelled(front: Front) -> None:
    """`nbflow.run` cancels its run at the first one; the second one hurts neither of them."""
    name = fresh(front)
    front.run(SETUP)
    waiting = front.waits(f"{WAITING}nbflow.run(three, {name!r})")
    front.until((front.home / f"{name}-0.began").exists)
    front.manager.interrupt_kernel()
    front.manager.interrupt_kernel()
    assert front.ends(waiting)["status"] == "error"
    answers(front)
    last = "run = nbflow.attach(nbflow.runs(1)[0].run); "
    assert front.run(f"{last}run.cancel(); run.wait(20); print(run.status)") == "cancelled\n"
    front.release(f"{name}-after")
    assert front.run(f"print(nbflow.run(holding, {name + '-after'!r}))") == f"{name}-after\n"


@pytest.mark.case("U32")
@pytest.mark.parametrize("on", ["threads", "processes", "inline", "asyncio"])
def test_u32_an_activity_that_raises_it_is_a_failure(front: Front, on: str) -> None:
    """Its call fails and so does the run; the cell, the kernel and the workers go on."""
    front.run(SETUP)
    told = "run.wait(20); print(run.status, type(run.exception()).__name__, run.failed[0].status)"
    assert front.run(f"run = stopping.on({on!r}).start(); {told}") == (
        "failed KeyboardInterrupt failed\n"
    )
    name = fresh(front)
    front.release(name)
    assert front.run(f"print(holding.on({on!r}).start({name!r}).result(20))") == f"{name}\n"
