"""Decisions that SWF refuses for a while: the run goes on as if nothing had been."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

import nbflow
from nbflow import activity, workflow
from nbflow.core.events import RunClosed
from nbflow.services.swf import Api, Domain, WorkflowExecutionQuerySet, emulator
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flows import run_events, start_workflow
from nbflow.services.swf.flowworker import WorkflowWorker

ROLE = "arn:aws:iam::123456789012:role/caller"
ATTEMPTS: list[int] = []


@activity
def number(n):
    return n


@activity(task_list="lambda:triple")
def triple(n):
    raise AssertionError("it runs elsewhere")


@activity(retry=nbflow.Retry(attempts=2, wait=2))
def shaky():
    ATTEMPTS.append(1)
    if len(ATTEMPTS) == 1:
        raise ValueError("at first")
    return len(ATTEMPTS)


@workflow
def inner(n):
    return number(n).result()


@workflow
def sleeping():
    nbflow.sleep(3)
    return number(1).result()


@workflow
def having_a_child():
    return inner(5).result()


@workflow
def by_lambda():
    return triple(1).result()


@workflow
def retried():
    return shaky().result()


@workflow
def onward(n):
    if n:
        nbflow.continue_as_new(n - 1)
    return number(n).result()


@workflow
def marked():
    made = nbflow.side_effect(lambda: 4)
    return made + number(1).result()


FLOWS = [inner, sleeping, having_a_child, by_lambda, retried, onward, marked]


class Case(NamedTuple):
    """What is refused once, and why; and a run that cannot do without."""

    decision: str
    cause: str
    flow: Any
    result: int
    args: tuple[Any, ...] = ()


CASES = [
    Case("StartTimer", "TIMER_CREATION_RATE_EXCEEDED", sleeping, 1),
    Case("StartTimer", "OPEN_TIMERS_LIMIT_EXCEEDED", retried, 2),
    Case("StartChildWorkflowExecution", "CHILD_CREATION_RATE_EXCEEDED", having_a_child, 5),
    Case("ScheduleLambdaFunction", "LAMBDA_FUNCTION_CREATION_RATE_EXCEEDED", by_lambda, 3),
    Case(
        "ContinueAsNewWorkflowExecution",
        "CONTINUE_AS_NEW_WORKFLOW_EXECUTION_RATE_EXCEEDED",
        onward,
        0,
        (1,),
    ),
    Case("ContinueAsNewWorkflowExecution", "UNHANDLED_DECISION", onward, 0, (1,)),
    Case("CompleteWorkflowExecution", "UNHANDLED_DECISION", sleeping, 1),
    Case("RecordMarker", "OPERATION_NOT_PERMITTED", marked, 5),
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[emulator.Endpoint]:
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        endpoint.function("triple", result="3")
        yield endpoint


_NUMBERS = itertools.count()


@pytest.mark.case("R11")
@pytest.mark.parametrize("keep", [1000, 0], ids=["kept", "anew"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.decision}-{case.cause}")
def test_what_is_refused_for_a_while_is_decided_again(
    endpoint: emulator.Endpoint, case: Case, keep: int
):
    """By who waits as by who begins anew; the refusal is in the history, and the run succeeds."""
    ATTEMPTS.clear()
    domain = Domain(api=Api(endpoint.client()), name=f"refused-{next(_NUMBERS)}", retention=1)
    decider = WorkflowDecider(domain.save(), "default", FLOWS, keep=keep)
    worker = WorkflowWorker(domain, "default", [number, shaky])
    endpoint.refuse(case.decision, case.cause)
    first = start_workflow(domain, case.flow, case.args, workflow_id="run", lambda_role=ROLE)
    for _ in range(200):
        if WorkflowExecutionQuerySet(domain).get("run").upstream().status == "CLOSED":
            break
        if not (decider.step_own() or decider.step() or worker.step()):
            endpoint.advance(1)
    closed = run_events(WorkflowExecutionQuerySet(domain).get("run"))[-1]
    assert isinstance(closed, RunClosed)
    assert (closed.status, closed.result) == ("completed", case.result)
    causes = [event.attributes.get("cause") for event in first.events()]
    assert causes.count(case.cause) == 1
