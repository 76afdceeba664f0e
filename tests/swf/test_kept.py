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
from nbflow.core.events import CallCancelled, CallFailed, CallSucceeded, RunClosed, SignalReceived
from nbflow.core.history import History as Fold
from nbflow.core.seals import Seal
from nbflow.services.swf import Api, Domain, WorkflowExecution, WorkflowExecutionQuerySet, emulator
from nbflow.services.swf.blobs import BlobMissing, Directory
from nbflow.services.swf.codec.texts import Texts, execution_id
from nbflow.services.swf.errors import Refused
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
def crossed():
    first, second = refuse("1"), refuse("2")
    two, one = inc(second), inc(first)
    calls = [first, second, two, one, inc(one), inc(first), inc(two)]
    seen = [future.call for future in nbflow.as_completed(calls)]
    for future in calls:
        future.exception()
    return seen


@workflow
def wide(n):
    return sum(future.result() for future in [inc(i) for i in range(n)])


@workflow(should_cancel=lambda reason: False)
def stubborn(n):
    return sum(future.result() for future in [inc(i) for i in range(n)])


@workflow
def marked(n):
    return [nbflow.side_effect(lambda i=i: i) for i in range(n)]  # type: ignore[misc]


FLOWS = [
    wide,
    stubborn,
    in_order,
    crossed,
    chain,
    padded,
    sleeping_chain,
    by_lambda,
    after_failure,
    marked,
]


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


def test_a_decider_that_is_gone_leaves_no_threads(site: Site):
    """Whether it was closed or nobody has it any more; and its run goes on with another one."""
    others = waiting()
    site.start(chain, 3)
    assert site.decider.step()
    assert len(waiting() - others) == 1
    site.decider.close()
    assert not waiting() - others
    site.decider = site.new_decider()
    assert site.worker.step()
    site.endpoint.advance(11)  # nobody takes tasks of the list of the other one
    assert site.decider.step()
    (thread,) = waiting() - others
    site.decider = site.new_decider()
    thread.join(10)
    assert not thread.is_alive()
    assert site.drive()[-1].result == 3


def test_a_decider_that_is_told_to_stop_ends_its_threads(endpoint: emulator.Endpoint):
    """Both of its polls, and the code that waits."""
    site = Site(endpoint, f"kept-{next(_NUMBERS)}")
    others = waiting()
    site.start(chain, 3)
    thread = threading.Thread(target=site.decider.run)
    thread.start()
    while not waiting() - others:
        pass
    site.decider.stop()
    thread.join(30)
    assert not thread.is_alive()
    assert not waiting() - others
    assert site.drive()[-1].result == 3


def test_what_the_service_refuses_ends_a_decider(endpoint: emulator.Endpoint):
    """Also where only the poll for its own list is refused: it does not go on by halves."""
    site = Site(endpoint, f"kept-{next(_NUMBERS)}")
    step = site.decider.step_own

    def refused() -> bool:
        step()
        raise Refused("ExpiredTokenException", "PollForDecisionTask", "of yesterday")

    site.decider.step_own = refused  # type: ignore[method-assign]
    with pytest.raises(Refused, match="of yesterday"):
        site.decider.run()


def test_a_type_that_cannot_be_registered_leaves_no_thread(endpoint: emulator.Endpoint):
    """What was decided is not answered, and the next decision begins from the history."""
    site = Site(endpoint, f"kept-{next(_NUMBERS)}")
    others = waiting()
    site.start(chain, 2)
    site.decider.domain.api = site.decider.api = Api(endpoint.client(retries=1))
    endpoint.inject("unavailable", "RegisterActivityType")
    assert site.decider.step()
    assert not waiting() - others
    endpoint.advance(61)
    assert site.drive()[-1].result == 2
    assert site.decider.begun == 2


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


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.timeout(3_000)
@pytest.mark.case("R10")
def test_a_loop_of_30_000_activities_never_meets_the_limit(
    endpoint: emulator.Endpoint, tmp_path: Path
):
    """Each runs once; no history comes near 25,000 events, and what is read stays in proportion."""
    site = Site(endpoint, f"kept-{next(_NUMBERS)}", Directory(tmp_path / "texts"))
    LINES.clear()
    before = endpoint.stats()
    site.start(chain, 30_000)
    while site.step():
        pass
    after = endpoint.stats()
    executions = list(WorkflowExecutionQuerySet(site.domain).filter(status="CLOSED"))
    lengths = [sum(1 for _ in execution.events()) for execution in executions]
    done = {
        kind: after["recorded"].get(kind, 0) - before["recorded"].get(kind, 0)
        for kind in (
            "ActivityTaskScheduled",
            "ActivityTaskCompleted",
            "WorkflowExecutionTerminated",
        )
    }
    assert list(done.values()) == [30_000, 30_000, 0]
    assert len(executions) >= 20
    assert max(lengths) <= 8_010
    assert after["eventsServed"] - before["eventsServed"] <= 1.5 * sum(lengths)
    log: Any = run_events(WorkflowExecutionQuerySet(site.domain).get("run-1"), blobs=site.blobs)
    assert (log[-1].status, log[-1].result) == ("completed", 30_000)
    assert sum(isinstance(event, CallSucceeded) for event in log) == 30_000


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


@pytest.mark.parametrize("turned", [False, True], ids=["in order", "turned round"])
@pytest.mark.parametrize("keep", [1000, 0], ids=["kept", "anew"])
def test_what_cannot_run_is_written_in_the_order_of_asking(site: Site, keep: int, turned: bool):
    """Whatever failed first, and by whichever decider: else two of them would disagree."""
    site.decider = site.new_decider(keep=keep)
    site.start(crossed)
    assert site.decider.step()
    tasks = [site.worker.poll() for _ in range(2)]
    for task in reversed(tasks) if turned else tasks:
        assert task is not None
        site.worker.outcome(task)()
    log = site.drive()
    failed = ["refuse-2", "refuse-1"] if turned else ["refuse-1", "refuse-2"]
    asked = [f"inc-{n}" for n in range(1, 6)]
    assert [state.id for state in Fold.of(log).settled] == [*failed, *asked]
    assert json.loads(log[-1].result.data) == [*failed, *asked]


def test_a_cancelled_run_knows_why(site: Site):
    """The reason travels beside the request, which has no room for it, and makes no signal."""
    execution = site.start(chain, 5)
    assert site.decider.step()
    cancel(execution, "not needed", blobs=site.blobs)
    log = site.drive()
    assert log[-1].status == "cancelled"
    assert not [e for e in log if isinstance(e, SignalReceived)]
    assert "not needed" in [e.reason for e in log if isinstance(e, CallCancelled)]


def test_a_refused_cancel_costs_nothing_that_was_asked_for(site: Site):
    """What did not fit into the first response is scheduled all the same, and each call once."""
    execution = site.start(stubborn, 150)
    assert site.decider.step()
    cancel(execution, "not needed", blobs=site.blobs)
    assert site.drive()[-1].result == 150 * 151 // 2
    kinds = Counter(event.kind for event in execution.events())
    assert kinds["ActivityTaskScheduled"] == kinds["ActivityTaskCompleted"] == 150


def test_what_is_under_way_is_not_decided_again(site: Site):
    """A decision while a timer runs starts it no second time, which SWF would refuse."""
    execution = site.start(sleeping_chain, 2)
    for _ in range(3):
        execution.signal("poke")
        while site.step():
            pass
    assert json.loads(site.drive()[-1].result.data) == [2]
    kinds = Counter(event.kind for event in execution.events())
    assert kinds["TimerStarted"] == kinds["TimerFired"] == 2
    assert not [kind for kind in kinds if kind.endswith("Failed")]


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
