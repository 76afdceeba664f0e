"""Programs of what is around attempts, of programs and interpreters, and of steps."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import nbflow
from tests.differential.activities import SOON, add, give, inc
from tests.differential.program import HERE, program

flow: Any = nbflow.workflow

# ---------------------------------------------------------------- around attempts


NOTES: list[tuple[str, int]] = []


def before(context: Any) -> None:
    """Note that an attempt begins."""
    NOTES.append((context.call, context.attempt))


def after(context: Any, result: Any, error: Any) -> None:
    """Have no result above 5, and change nothing else."""
    if result is not None and result > 5:
        message = f"{context.call} gave {result}"
        raise OverflowError(message)


@nbflow.activity(retry=SOON)
def noted(x: int) -> int:
    """Fail once; tell by the result whether it was noted that this attempt begins."""
    context = nbflow.context()
    if context.attempt == 1:
        message = "once"
        raise OSError(message)
    # As the functions around it see the module: with them, this function itself is shipped to
    # other processes by value, and its globals with it.
    notes = sys.modules[before.__module__].NOTES
    return x if notes[-1] == (context.call, 2) else 0


@program(30, middleware={"before": [before], "after": [after]}, gives=[4, "inc-1 gave 7"])
@flow(name="functions around each attempt")
def surrounded() -> Any:
    error = inc(6).exception()
    assert isinstance(error, nbflow.MiddlewareError)
    return [noted(4), str(error).partition("OverflowError: ")[2]]


def refusing(context: Any) -> None:
    """Fail."""
    message = f"{context.call} may not begin"
    raise PermissionError(message)


@program(
    30, middleware={"before": [refusing]},
    raises=("nbflow.core.errors.MiddlewareError", "PermissionError: inc-1 may not begin"),
)  # fmt: skip
@flow(name="a function before an attempt that fails")
def refused() -> Any:
    return inc(1)


@flow(name="a run that is surrounded")
def within(x: int) -> Any:
    return noted(x).result() + 1


@program(
    16, 30, middleware={"before": [before], "after": [after]}, gives=[4, 5],
    needs={"children"},
)  # fmt: skip
@flow(name="functions around each attempt of a child run")
def surrounded_within() -> Any:
    return [noted(4).result(), within(4).result()]


# ---------------------------------------------------------------- programs


@nbflow.activity
@nbflow.execute.program(sys.executable)
def python(*args: str) -> Any: ...


@nbflow.activity
@nbflow.execute.python(sys.executable)
def elsewhere(x: int) -> int:
    return 2 * x


@program(28, needs=["programs"], gives=["7", 8, "3"])
@flow(name="programs and other interpreters")
def programs() -> Any:
    failure = python("-c", "import sys; sys.exit(3)").exception()
    assert isinstance(failure, nbflow.ExecutionError)
    return [python("-c", "print(7)").result().strip(), elsewhere(4), str(failure.code)]


@nbflow.activity
def fetched(directory: str) -> str:
    """Have a program fetched, and tell what it says."""
    source = Path(directory) / "greet"
    source.write_text("#!/bin/sh\necho hello\n")

    @nbflow.execute.binaries({"greet": source.as_uri()})
    def run() -> str:
        import subprocess

        done = subprocess.run(["greet"], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    return str(run())


@program(29, needs=["programs"], args=(HERE,), gives="hello")
@flow(name="a program that is fetched")
def fetching(directory: str) -> Any:
    return fetched(directory)


# ---------------------------------------------------------------- steps


@program(26, needs=["markers"], gives=[[2, 3], [[4], False], [None, True], [9]])
@flow(name="steps, and such as are skipped")
def stepping() -> Any:
    steps = nbflow.Steps(nbflow.run_context().run, skip=["tidy", "load.eu"], force=["load.eu"])
    loaded = steps.step("load", (inc, 1), (inc, 2)).submit().result()
    below = steps.step("load.eu", (inc, 3)).submit()
    tidy = steps.step("tidy", (inc, 4)).submit()
    instead = steps.step("tidy.up", (inc, 5), activities_if_step_already_done=(give, [9])).submit()
    return [
        loaded,
        [below.result(), below.skipped],
        [tidy.result(), tidy.skipped],
        instead.result(),
    ]


@program(26, 19, needs=["markers", "onward", "signals"], gives=[None, "skipped", [3]])
@flow(name="steps that were done in an earlier run", lint=False)
def done_before(again: bool = False) -> Any:
    context = nbflow.run_context()
    steps = nbflow.Steps(context.continues or context.run)
    load = steps.step("load", (inc, 1), emit_signal=True).submit().result()
    if not again:
        nbflow.signals("step.load").get().result()
        nbflow.continue_as_new(again=True)
    forced = steps.step("load", (inc, 2), force=True).submit().result()
    return [load, nbflow.wait_signal("step.load").result(), forced]


# ---------------------------------------------------------------- measuring


@nbflow.activity(retry=SOON)
def measuring(x: int) -> int:
    """Measure two blocks at the second attempt, and one that is left by an error at the first."""
    context = nbflow.context()
    with context.step("read") as step:
        step.read.add(10 * x, records=x)
        if context.attempt == 1:
            message = "once"
            raise OSError(message)
    with context.step("write") as step:
        step.write.add(5, records=1)
        step.metadata["to"] = "disk"
    return x


@program(27, gives=3)
@flow(name="what activities measure")
def measured() -> Any:
    return add(measuring(1), measuring(2))
