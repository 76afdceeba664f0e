"""What a replay lacks is named as code writes it, with its line: signals and timers, too."""

from __future__ import annotations

from typing import Any

import pytest

import nbflow


@nbflow.activity
def work(x: int) -> int:
    """Give it back."""
    return x


@nbflow.workflow
def flow() -> Any:
    """Tell itself something, and wait for a timer."""
    nbflow.signal("go", 1)
    late = nbflow.start_timer(0)
    nbflow.wait_signal("go").result()
    late.result()
    nbflow.record_marker("done")
    return work(1)


@nbflow.workflow(name="flow")
def without_signal() -> Any:
    """Lack the signal."""
    nbflow.start_timer(0).result()
    return work(1)


@nbflow.workflow(name="flow")
def without_timer() -> Any:
    """Lack the timer."""
    nbflow.signal("go", 1)
    nbflow.wait_signal("go").result()
    return work(1)


@pytest.mark.parametrize(
    ("changed", "call", "recorded", "line"),
    [
        (without_signal, "signal-1", "nbflow.signal('go') to {run}", 4),
        (without_timer, "timer-1", "nbflow.sleep(...), nbflow.start_timer(...) or", 5),
    ],
)
def test_what_is_missing_is_named(changed: Any, call: str, recorded: str, line: int) -> None:
    """A difference says what the code did then, and in which line of the recorded source."""
    run = flow.on("inline").start()
    run.result()
    found = nbflow.replay(run, workflow=changed).difference
    assert found is not None
    assert (found.call, found.line) == (call, line)
    assert found.recorded.startswith(recorded.format(run=run.id))
    assert f"line {line} of run.source" in found.text(run.id, "it cannot go on")
