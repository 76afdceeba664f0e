"""Code that waits from one decision to the next: what it costs, what it sees, and its end."""

from __future__ import annotations

import itertools
import json
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import nbflow
from nbflow import activity, workflow
from nbflow.core.events import CallCancelled, CallFailed, RunClosed, SignalReceived
from nbflow.core.history import History as Fold
from nbflow.core.seals import Seal
from nbflow.services.swf import Api, Domain, WorkflowExecution, WorkflowExecutionQuerySet, emulator
from nbflow.services.swf.blobs import BlobMissing, Directory
from nbflow.services.swf.codec.texts import Texts, execution_id
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flows import run_events, start_workflow
from nbflow.services.swf.flowworker import WorkflowWorker
from nbflow.services.swf.outside import cancel, resume
from nbflow.services.swf.sealing import KeySeal

LINES: list[str] = []
ROLE = "arn:aws:iam::123456789012:role/caller"


@activity
def inc(n):
    return n + 1


@activity
def refuse(text):
    raise ValueError(text)


@activity(task_list="lambda:triple", timeout=30)
def triple(n):
    raise AssertionError("it runs elsewhere")


@workflow
def chain(n):
    value = 0
    for _ in range(n):
        value = inc(value).result()
        LINES.append("a step")
    return value


@workflow
def sleeping_chain(n):
    value = 0
    for _ in range(n):
        value = inc(value).result()
        nbflow.sleep(1)
    return [value]


@workflow
def padded(n):
    for _ in range(2):
        nbflow.side_effect(lambda: "x" * 20_000)
    for _ in range(n):
        inc(0).result()
    return n


@workflow
def by_lambda():
    return triple(14).result() + 0


@workflow
def after_failure():
    bad = refuse("no")
    late = inc(bad)
    try:
        late.result()
    except ValueError:
        return inc(1).result()


@workflow
def in_order():
    bad = refuse("no")
    calls = [bad, inc(bad), inc(5)]
    seen = [future.call for future in nbflow.as_completed(calls)]
    inc(7).result()
    for future in calls:
        future.exception()
    return seen


@workflow
def wide(n):
    return sum(future.result() for future in [inc(i) for i in range(n)])


@workflow
def marked(n):
    return [nbflow.side_effect(lambda i=i: i) for i in range(n)]  # type: ignore[misc]


FLOWS = [wide, in_order, chain, padded, sleeping_chain, by_lambda, after_failure, marked]


class Site:
    """A domain with a decider and a worker, driven by hand."""

    def __init__(self, endpoint: emulator.Endpoint, name: str, blobs: Any = None) -> None:
        self.endpoint, self.blobs = endpoint, blobs
        self.domain = Domain(api=Api(endpoint.client()), name=name, retention=1).save()
        self.decider = self.new_decider()
        self.worker = WorkflowWorker(self.domain, "default", [inc, refuse], blobs=blobs)

    def new_decider(self, **how: Any) -> WorkflowDecider:
        return WorkflowDecider(self.domain, "default", FLOWS, blobs=self.blobs, **how)

    def start(self, flow: Any, *args: Any, **how: Any) -> WorkflowExecution:
        return start_workflow(self.domain, flow, args, blobs=self.blobs, workflow_id="run-1", **how)

    def step(self) -> bool:
        return self.decider.step_own() or self.decider.step() or self.worker.step()

    def drive(self) -> Any:
        """Decide and work until the run is over; give its events."""
        for _ in range(20_000):
            if self.step():
                continue
            latest = WorkflowExecutionQuerySet(self.domain).get("run-1")
            if latest.upstream().status == "CLOSED":
                return run_events(latest, blobs=self.blobs)
            self.endpoint.advance(1)
        raise AssertionError("it does not end")


@pytest.fixture(scope="module")
def endpoint() -> Iterator[emulator.Endpoint]:
    with emulator.running(limits=emulator.Limits(poll=0)) as endpoint:
        yield endpoint


@pytest.fixture
def site(endpoint: emulator.Endpoint, tmp_path: Path) -> Site:
    LINES.clear()
    return Site(endpoint, f"kept-{next(_NUMBERS)}", Directory(tmp_path / "texts"))


_NUMBERS = itertools.count()


def test_a_chain_is_decided_at_a_cost_that_does_not_grow(site: Site):
    """Every event is read once and told once, and each line of the code runs once."""
    before = site.endpoint.stats()["eventsServed"]
    site.start(chain, 300)
    while site.step():
        pass
    read = site.endpoint.stats()["eventsServed"] - before
    assert read <= 2_500
    assert site.decider.begun == 1
    assert len(LINES) == 300
    assert site.decider.applied <= 1 + 3 * 300
    closed: Any = run_events(WorkflowExecutionQuerySet(site.domain).get("run-1"))[-1]
    assert closed.result == 300


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.case("R11")
def test_1500_wide_completes_inside_the_limits(site: Site):
    """No decision is refused, each activity is scheduled once, and the code runs once."""
    execution = site.start(wide, 1_500)
    log: Any = site.drive()
    assert log[-1].result == 1_500 * 1_501 // 2
    kinds = Counter(event.kind for event in execution.events())
    assert not [kind for kind in kinds if kind.endswith("Failed")]
    assert kinds["ActivityTaskScheduled"] == kinds["ActivityTaskCompleted"] == 1_500
    batches = Counter(
        event.attributes["decisionTaskCompletedEventId"]
        for event in execution.events()
        if "decisionTaskCompletedEventId" in event.attributes
    )
    assert max(batches.values()) <= 100
    assert site.decider.begun == 1


def waiting() -> set[threading.Thread]:
    """Give the threads in which code of `chain` waits, of deciders of other tests as well."""
    return {thread for thread in threading.enumerate() if thread.name == "workflow chain"}


def test_of_too_many_runs_the_code_that_waited_longest_is_given_up(site: Site):
    """At most so many wait; the others begin anew, from histories that are still known."""
    others = waiting()
    site.decider = site.new_decider(live=2)
    runs = [
        start_workflow(site.domain, chain, (2,), workflow_id=f"run-{n}", blobs=site.blobs)
        for n in range(5)
    ]
    while site.decider.step():
        pass
    assert len(waiting() - others) == 2
    assert site.decider.begun == 5
    while site.step():
        pass
    assert all(run.upstream().status == "CLOSED" for run in runs)
    assert site.decider.begun > 5
    assert not waiting() - others


def test_an_answer_that_was_not_taken_is_no_state(site: Site):
    """What the service did not take has not happened: the next decision begins from the history."""
    site.start(chain, 2)
    task = site.decider.poll()
    assert task is not None
    site.endpoint.advance(61)  # the decision took too long
    assert not site.decider.handle(task)
    assert site.drive()[-1].result == 2
    assert site.decider.begun == 2


def test_code_that_is_given_up_ends_its_thread(site: Site):
    """A decider that keeps nothing leaves no threads behind."""
    others = waiting()
    site.decider = site.new_decider(keep=0)
    site.start(chain, 3)
    assert site.drive()[-1].result == 3
    assert site.decider.begun == 4
    assert not waiting() - others


def test_values_from_outside_that_do_not_fit_one_response_are_made_again(site: Site):
    """Code that has seen what was not written begins anew, from what was."""
    site.start(marked, 250)
    assert json.loads(site.drive()[-1].result.data) == list(range(250))


@pytest.mark.case("R10")
def test_a_run_goes_on_in_new_executions_before_its_history_is_full(
    endpoint: emulator.Endpoint, tmp_path: Path
):
    """A loop of any length never meets the limit, and its log is that of one run."""
    site = Site(endpoint, f"kept-{next(_NUMBERS)}", Directory(tmp_path / "texts"))
    site.decider = site.new_decider(events=100)
    site.start(sleeping_chain, 60)
    log = site.drive()
    executions = list(WorkflowExecutionQuerySet(site.domain).filter(status="CLOSED"))
    assert len(executions) >= 5
    lengths = [len(list(execution.events())) for execution in executions]
    assert max(lengths) < 130
    assert json.loads(log[-1].result.data) == [60]
    assert [e.seq for e in log] == list(range(1, len(log) + 1))
    assert log[0].seed == "run-1"


@pytest.mark.case("R10")
def test_a_long_run_that_cannot_go_on_elsewhere_goes_on_where_it_is(
    endpoint: emulator.Endpoint, caplog: pytest.LogCaptureFixture
):
    """Without a place for its log it is not ended, and the log says what will end it."""
    site = Site(endpoint, f"kept-{next(_NUMBERS)}")
    site.decider = site.new_decider(events=100)
    site.start(padded, 20)
    assert site.drive()[-1].result == 20
    assert "SWF ends it at 25,000" in caplog.text


def test_a_function_of_others_is_called_with_json(site: Site):
    """An activity of the task list lambda:NAME is that Lambda function, and has a time limit."""
    site.endpoint.function("triple", result="42")
    site.start(by_lambda, lambda_role=ROLE)
    assert site.drive()[-1].result == 42


def test_a_function_that_fails_fails_its_call(site: Site):
    """Reason and details are the call's error."""
    site.endpoint.function("triple", reason="Unhandled", details="no such thing")
    site.start(by_lambda, lambda_role=ROLE)
    log = site.drive()
    (failed,) = (e for e in log if isinstance(e, CallFailed))
    assert "no such thing" in failed.error.message
    assert log[-1].status == "failed"


def test_what_cannot_run_is_seen_in_the_order_of_the_history(site: Site):
    """A call whose argument failed is settled where the history has it, however it is read."""
    execution = site.start(after_failure)
    log = site.drive()
    assert log[-1].result == 2
    assert run_events(execution, blobs=site.blobs) == log


@pytest.mark.parametrize("keep", [1000, 0])
def test_code_sees_what_is_settled_in_the_order_of_the_log(site: Site, keep: int):
    """Also where a failure and a success come at once, and a call cannot run for the failure."""
    site.decider = site.new_decider(keep=keep)
    site.start(in_order)
    assert site.decider.step()
    assert [site.worker.step() for _ in range(2)] == [True, True]
    log = site.drive()
    settled = [state.id for state in Fold.of(log).settled]
    assert json.loads(log[-1].result.data) == settled[:3]
    assert settled[:3] == ["refuse-1", "inc-2", "inc-1"]


def test_a_cancelled_run_knows_why(site: Site):
    """The reason travels beside the request, which has no room for it, and makes no signal."""
    execution = site.start(chain, 5)
    assert site.decider.step()
    cancel(execution, "not needed", blobs=site.blobs)
    log = site.drive()
    assert log[-1].status == "cancelled"
    assert not [e for e in log if isinstance(e, SignalReceived)]
    assert "not needed" in [e.reason for e in log if isinstance(e, CallCancelled)]


def test_a_run_that_failed_goes_on_where_it_was(site: Site):
    """What has succeeded is not run again by a resumption."""
    execution = site.start(chain, 3)
    for _ in range(3):
        site.step()
    execution.terminate("by hand")
    with pytest.raises(nbflow.NbflowError, match="Unknown execution"):
        execution.signal("x")
    resume(execution, "again", blobs=site.blobs)
    log = site.drive()
    assert log[-1].result == 3
    assert [e.status for e in log if isinstance(e, RunClosed)] == ["cancelled", "completed"]


def test_a_text_that_was_changed_where_it_is_kept_is_not_read(tmp_path: Path):
    """The digest in the history says what the text is, so another one of that length is refused."""
    blobs = Directory(tmp_path)
    texts = Texts("run-1", blobs)
    kept = texts.write("call", *[RunClosed(0, 0.0, "x" * 40_000)])
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    data = file.read_bytes()
    file.write_bytes(data.replace(b"x", b"y", 1))
    with pytest.raises(BlobMissing, match="is not what it was"):
        texts.read(kept)


def test_a_pickle_is_good_for_its_own_text_alone():
    """A signature of another run, or of other words, is refused, and says so."""
    seal: Seal = KeySeal()
    claim = b"run-1 call\nresult"
    assert seal.refusal(claim, seal.sign(claim)) == ""
    for other, sig in ((b"run-2 call\nresult", seal.sign(claim)), (claim, ""), (claim, "0" * 64)):
        assert "somebody else wrote it" in seal.refusal(other, sig)


class Named(NamedTuple):
    """A run and what is known of its workflow id."""

    run: str
    begins: str


@pytest.mark.parametrize(
    "case",
    [
        Named("flow", "flow"),
        Named("flow+7", "flow"),
        Named("flow/part-1", "flow.part-1~"),
        Named("flow/part-1+2", "flow.part-1~"),
        Named("f" * 190 + "/" + "p" * 190, "f" * 190),
    ],
    ids=lambda case: case.run[:12],
)
def test_workflow_ids_are_such_as_swf_takes(case: Named):
    """Each run has one, of letters that SWF takes; what goes on as new keeps it."""
    made = execution_id(case.run)
    assert made.startswith(case.begins)
    assert len(made) <= 256
    assert not set(made) & set(":/|")
    assert execution_id("a.b/c") != execution_id("a/b.c")
