"""Programs of failures and decisions about them, timers, markers, limits, and what is around."""

from __future__ import annotations

from typing import Any

import nbflow
from tests.differential.activities import (
    add,
    double,
    fail,
    inc,
    shaky,
    stuck,
    wait_in_vain,
)
from tests.differential.program import Outside, program

flow: Any = nbflow.workflow

# ---------------------------------------------------------------- decisions about failures


@program(10, gives=[None, 1])
@flow(name="a failure that is ignored", on_task_failure=lambda failure: failure.decide_ignore())
def ignored() -> Any:
    nothing = fail(1)
    return [nothing, add(nothing, 1)]


@program(10, gives=43)
@flow(name="a failure that is handled", on_task_failure=lambda failure: failure.decide_handled(42))
def handled() -> Any:
    return inc(fail(1))


@program(10, gives="ActivityCancelled")
@flow(name="a failure that is cancelled", on_task_failure=lambda failure: failure.decide_cancel())
def cancelled() -> Any:
    return type(fail(1).exception()).__name__


@program(10, raises=("ValueError", "refused 1"))
@flow(name="a failure that aborts", on_task_failure=lambda failure: failure.decide_abort())
def aborted() -> Any:
    try:
        return fail(1).result()
    except ValueError:
        return "the code has no say in it"


@program(10, gives=4)
@flow(name="a failure that is retried now", on_task_failure=lambda failure: failure.decide_retry())
def retried() -> Any:
    return shaky.options(retry=0)(4)


@program(10, gives=4)
@flow(
    name="a failure that is retried later",
    on_task_failure=lambda failure: failure.decide_retry(wait=0.002),
)
def retried_later() -> Any:
    return shaky.options(retry=0)(4)


@program(10, 7, gives=6)
@flow(name="a failure of which nothing is decided", on_task_failure=lambda failure: None)
def undecided() -> Any:
    return shaky(6)


def telling(failure: nbflow.FailureContext) -> Any:
    """Handle a failure by telling what is known of it."""
    assert isinstance(failure.exception, OSError)
    if failure.retry_in is not None:
        return failure.decide_retry()
    return failure.decide_handled(
        [failure.call, failure.activity, failure.attempt, failure.retry_count, failure.reason]
    )


@program(10, gives=["shaky-1", "shaky", 2, 1, "OSError: attempt 2"])
@flow(name="what is known of a failure", on_task_failure=telling)
def known() -> Any:
    return shaky.options(retry=nbflow.Retry(attempts=2, wait=0, jitter=0))(1)


@program(10, gives=[None, 3])
class Lenient(nbflow.Workflow):
    name = "a class that decides about failures"

    def run(self) -> Any:
        return [self.submit(fail, 1), self.submit(inc, 2)]

    def on_task_failure(self, failure: nbflow.FailureContext) -> Any:
        return failure.decide_ignore()


@program(21, raises=("nbflow.core.errors.WorkflowFailed", "no stock: of part 7"))
@flow(name="failing from code")
def failing() -> Any:
    inc(1).result()
    nbflow.fail("no stock", "of part 7")


# ---------------------------------------------------------------- timers and markers


@program(18, needs=["timers"], gives=[None, None, "TimerFired", "TimerCancelled"])
@flow(name="a timer that fires and one that is cancelled")
def timers() -> Any:
    short, long = nbflow.start_timer(0.01, id="short"), nbflow.start_timer(3600, id="long")
    nbflow.cancel_timer("long")
    found = [short.result(), long.result()]
    kinds = [nbflow.get_event_details("timer", name) or {} for name in ("short", "long")]
    return [*found, *[kind["state"] for kind in kinds]]


@program(18, 6, needs=["timers"], gives=[2, True, "timer-2"])
@flow(name="sleeping, and the time")
def sleeping() -> Any:
    begun = nbflow.now()
    nbflow.sleep(0.01)
    timer = nbflow.start_timer(0)
    timer.result()
    return [inc(1), nbflow.now() > begun, timer.call]


@program(
    18,
    6,
    needs=["timers", "stuck"],
    late={"stuck": "START_TO_CLOSE"},
    gives=[0, 1],
    loose=("stuck-1",),
)
@flow(name="a wait that takes too long")
def impatient() -> Any:
    future = stuck.options(raises_on_failure=False, timeout=0.15)()
    done, rest = nbflow.wait([future], timeout=0.01)
    return [len(done), len(rest)]


@program(18, needs=["markers"], gives=[[3, 3], 6])
@flow(name="a side effect")
def marker() -> Any:
    size = nbflow.side_effect(len, [1, 2, 3])
    return [[size, nbflow.side_effect(lambda: 3)], double(size)]


@program(18, needs=["markers"], gives=["gone", 2])
@flow(name="a side effect that fails")
def broken_marker() -> Any:
    try:
        nbflow.side_effect(_gone)
    except LookupError as error:
        return [error.args[0], inc(1)]
    return []


def _gone() -> None:
    message = "gone"
    raise LookupError(message)


@program(18, needs=["markers"], gives=[True, True, 2])
@flow(name="a change of the code")
def changed() -> Any:
    return [nbflow.patched("more"), nbflow.patched("more"), inc(1)]


@program(18, needs=["markers"], gives=[7, None])
@flow(name="what is known of a marker")
def marked() -> Any:
    nbflow.side_effect(lambda: 7)
    found = nbflow.get_event_details("marker", "side_effect-1") or {}
    return [found["value"], nbflow.get_event_details("marker", "other")]


@program(18, gives=[True, True, 36])
@flow(name="chance")
def chance() -> Any:
    number, other = nbflow.random().random(), nbflow.random("other").random()
    return [number != other, inc(0).result() == 1, len(str(nbflow.uuid4()))]


# ---------------------------------------------------------------- runs and attempts


@nbflow.activity
def who() -> list[Any]:
    context = nbflow.context()
    same = context["run_id"] == context.run
    return [context.run, context.call, context.attempt, context.activity, same, context["name"]]


@program(22, gives=[["RUN", "who-1", 1, "who", True, "who"], "RUN", ["a", "b"], "", ""])
@flow(name="who is who", tags=["a", "b"])
def whoami() -> Any:
    context = nbflow.run_context()
    return [who(), context.run, list(context.tags), context.parent, context.continues]


@program(20, late={"stuck": ""}, status="cancelled", loose=("stuck-1",),
         outside=(Outside("cancel", after="asked stuck-1"),))  # fmt: skip
@flow(name="a run that is cancelled")
def stopped() -> Any:
    inc(1).result()
    return stuck()


@program(20, needs=["timers"], status="cancelled", outside=(Outside("cancel", after="inc-1"),))
@flow(name="a run that is cancelled while it sleeps")
def stopped_asleep() -> Any:
    inc(1).result()
    nbflow.start_timer(3600).result()


@nbflow.activity
def beating(x: int) -> int:
    for done in range(3):
        nbflow.context().progress(done, 3, "going")
    nbflow.context().heartbeat({"done": True})
    return x + 1


@program(9, gives=3)
@flow(name="heartbeats")
def heartbeats() -> Any:
    return beating.options(heartbeat_timeout=30)(2)


# ---------------------------------------------------------------- time limits


def _late(name: str, **options: Any) -> Any:
    """Make an activity that does not end by itself."""

    def body() -> None:
        wait_in_vain()

    body.__name__ = name
    return nbflow.activity(name=name, **options)(body)


closing = _late("closing", timeout=0.1)
overall = _late("overall", schedule_to_close_timeout=0.1)
silent = _late("silent", heartbeat_timeout=0.1)


def _said(error: BaseException | None) -> list[Any]:
    assert isinstance(error, nbflow.ActivityTimeout)
    return [error.kind, str(error).split(" It ")[0]]


@program(
    8, late={"closing": "START_TO_CLOSE"},
    gives=["START_TO_CLOSE", "closing-1 took longer than its 0.1 s."],
)  # fmt: skip
@flow(name="an attempt that takes too long")
def closing_late() -> Any:
    return _said(closing().exception())


@program(
    8, late={"overall": "SCHEDULE_TO_CLOSE"},
    gives=["SCHEDULE_TO_CLOSE", "overall-1 was not over within 0.1 s of when it could start."],
)  # fmt: skip
@flow(name="an attempt that is not over in time")
def overall_late() -> Any:
    return _said(overall().exception())


@program(
    8, 9, late={"silent": "HEARTBEAT"},
    gives=["HEARTBEAT", "silent-1 gave no heartbeat for 0.1 s."],
)  # fmt: skip
@flow(name="an attempt that gives no heartbeat")
def silent_late() -> Any:
    return _said(silent().exception())


@program(
    8, 7, late={"closing": "START_TO_CLOSE"},
    raises=("nbflow.core.errors.ActivityTimeout", "closing-1 took longer than its 0.05 s."),
)  # fmt: skip
@flow(name="a time limit and a retry")
def retried_late() -> Any:
    again = nbflow.Retry(attempts=2, wait=0, jitter=0)
    return closing.options(timeout=0.05, retry=again)()
