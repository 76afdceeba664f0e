"""What every executor has to do."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nbflow.core.errors import DefinitionError, RemoteError, Unserialisable
from nbflow.core.payload import Packed, Ref, pack, spill
from nbflow.engine.executor import Executor
from nbflow.engine.job import Answer, Job
from nbflow.testing import samples
from nbflow.testing.checks import equal, eventually, is_gone, never, true
from nbflow.testing.collector import Chain, Collector, make_job
from nbflow.testing.faults import Gate
from nbflow.testing.speaking import Speaking


class ExecutorContract(Speaking):
    """The contract of executors, as a class of tests for pytest.

    Make a subclass whose name begins with ``Test``, and give it a `make`. If an executor has a
    ``work`` method, as the inline one does, a thread calls it all the time.

    Attributes:
        many: How many small jobs must all be answered.
        makes_room: Whether another job can begin at once in the place of a running one that was
            given up and could not be stopped. Only foreign pools and the inline executor, whose
            slots are not their own, may say False.
        owns_workers: Whether `close` ends the workers; False where they are somebody else's.
        short: Whether small jobs may go a short way, where there is one: see `make_job`.

    Example:
        >>> class TestMyExecutor(ExecutorContract):
        ...     def make(self):
        ...         return MyExecutor(max_workers=2)
    """

    many = 2_000
    makes_room = True
    owns_workers = True
    short = True

    def make(self) -> Executor:
        """Make the executor for one test. To be written by the subclass."""
        message = f"{type(self).__name__} has no make method: write def make(self)"
        raise DefinitionError(message)

    def unmake(self, executor: Executor) -> None:
        """End the executor of one test."""
        executor.close()

    def setup_method(self) -> None:
        """Begin a test."""
        self._directory = Path(tempfile.mkdtemp(prefix="nbflow-contract-"))
        self._gates: list[Gate] = []
        self._over = threading.Event()
        self.inbox = Collector()
        self.executor = self.make()
        work = getattr(self.executor, "work", None)
        if work is not None:
            threading.Thread(target=self._pump, args=(work,), daemon=True).start()

    def teardown_method(self) -> None:
        """End a test, whichever way it went: nothing that it began may stay."""
        for gate in self._gates:
            gate.open()
        self.unmake(self.executor)
        self.listen_no_more()
        self._over.set()
        for gate in self._gates:
            _settled(gate)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _pump(self, work: Callable[[], bool]) -> None:
        while not self._over.is_set():
            if not work():
                self._over.wait(0.001)

    def submit(self, fn: Callable[..., Any], *args: object, **options: Any) -> Job:
        """Make a job and submit it."""
        job = make_job(fn, *args, short=self.short, **options)
        self.listen()
        self.executor.submit(job, self.inbox)
        return job

    def gate(self) -> Gate:
        """Make a gate, which is opened at the end of the test at the latest."""
        gate = Gate(self._directory / f"gate-{len(self._gates)}")
        self._gates.append(gate)
        return gate

    def give_up(self, job: Job) -> bool:
        """Give a job up, as the engine does it."""
        job.dropped = True
        return self.executor.give_up(job)

    # ------------------------------------------------------------ values

    def test_it_has_the_attributes_of_an_executor(self) -> None:
        """It is an `Executor`, has a name, and runs at least one attempt at once."""
        true(isinstance(self.executor, Executor), "it should have the methods of an Executor")
        true(self.executor.name, "it should have a name")
        true(self.executor.slots >= 1, "it should have a slot")
        true(type(self.executor.in_process) is bool, "in_process should be True or False")

    def test_values_arrive_and_return_exactly(self) -> None:
        """Arguments and results keep type and structure: 1 is not True, a tuple is no list."""
        jobs = [self.submit(samples.give, value) for value in samples.VALUES]
        for job, value in zip(jobs, samples.VALUES, strict=True):
            equal(self.inbox.result(job), value, "the value should come back as it was")

    def test_arguments_come_by_name_by_reference_and_from_blobs(self) -> None:
        """Keyword arguments, results of other calls at any depth, and blobs reach the activity."""
        blobs: dict[str, bytes] = {}

        def put(data: bytes) -> str:
            blobs["digest"] = data
            return "digest"

        large = spill(pack(["x" * 100_000], "a blob"), put)
        nested = pack([Ref("first-1")], "nested", lambda v: v.call if type(v) is Ref else None)
        job = self.submit(
            samples.keywords,
            Ref("first-1"),
            nested,
            kwargs={"large": large, "name": {"a": (1,)}},
            inputs={"first-1": pack({2: b"two"}, "a result")},
            fetch=blobs.__getitem__,
        )
        args, kwargs = self.inbox.result(job)
        equal(args, ({2: b"two"}, [{2: b"two"}]), "references should be replaced by results")
        equal(kwargs, {"large": ["x" * 100_000], "name": {"a": (1,)}}, "the keyword arguments")

    def test_every_consumer_gets_a_fresh_copy(self) -> None:
        """What an activity does to its arguments, no other call sees."""
        stored = pack([1], "a result")
        for item in ("one", "other"):
            job = self.submit(samples.push, Ref("first-1"), item, inputs={"first-1": stored})
            equal(self.inbox.result(job), [1, item], "each consumer should get its own copy")
        same = pack([1], "an argument")
        for attempt in (1, 2):
            found = self.inbox.result(self.submit(samples.push, same, attempt))
            equal(found, [1, attempt], "each attempt should get its own copy")
        original: list[int] = []
        self.inbox.wait([self.submit(samples.push, original, 1)])
        equal(original, [], "the caller's own list should be left alone")

    def test_an_attempt_knows_its_call(self) -> None:
        """`nbflow.context()` names run, call and attempt, in both kinds of function."""
        for fn in (samples.who, samples.who_async):
            job = self.submit(fn)
            wanted = (job.run, job.call, 1, f"{job.run}/{job.call}")
            equal(self.inbox.result(job), wanted, "the context of an attempt")

    def test_async_functions_run(self) -> None:
        """Activities may be ``async def``, or plain functions that give a coroutine."""
        for fn in (
            samples.give_async,
            samples.give_coroutine,
            functools.partial(samples.give_async),
        ):
            equal(self.inbox.result(self.submit(fn, (1, "a"))), (1, "a"), "the awaited value")
        error = self.inbox.error(self.submit(samples.throw_async, "KeyError", "k"))
        equal((type(error), error.args), (KeyError, ("k",)), "the error of an async activity")
        failure = self.inbox.answer(self.submit(samples.throw_async, "KeyError")).error
        frames = failure.frames if failure else ()
        equal([f.function for f in frames], ["throw_async"], "the frames: the activity's own")

    # ------------------------------------------------------------ failures

    def test_errors_arrive_as_themselves(self) -> None:
        """An error keeps class, message and attributes, and tells the line that raised it."""
        error = self.inbox.error(self.submit(samples.throw, "ValueError", "no", 2))
        equal((type(error), error.args), (ValueError, ("no", 2)), "the error")
        job = self.submit(samples.refuse, 7)
        refused = self.inbox.error(job)
        true(isinstance(refused, samples.Refused), f"it should be a Refused, not {refused!r}")
        equal(vars(refused)["code"], 7, "the error's own attribute")
        failure = self.inbox.answer(job).error
        frames = failure.frames if failure else ()
        true(frames, "a failure should have frames")
        equal(frames[0].function, "refuse", "the outermost frame should be the activity's own")
        equal(frames[-1].source, 'raise Refused(code, reason="closed")', "the innermost line")

    def test_errors_that_cannot_travel_are_described(self) -> None:
        """An error that does not survive pickling arrives as RemoteError: type and message."""
        for job, wanted in (
            (self.submit(samples.throw, "Locked", "held"), ("Locked", "held")),
            (self.submit(samples.awkward), ("Awkward", "1 and 2")),
        ):
            error = self.inbox.error(job)
            true(isinstance(error, RemoteError), f"it should be a RemoteError, not {error!r}")
            found = (vars(error)["type"].rpartition(".")[2], vars(error)["message"])
            equal(found, wanted, "what the RemoteError says")

    def test_exits_and_interrupts_are_failures_of_their_call(self) -> None:
        """SystemExit and KeyboardInterrupt end neither the worker nor the kernel."""
        for name in ("SystemExit", "KeyboardInterrupt", "GeneratorExit"):
            for fn in (samples.throw, samples.throw_async):
                error = self.inbox.error(self.submit(fn, name, "out"))
                equal(type(error).__name__, name, "the failure")
        equal(self.inbox.result(self.submit(samples.double, 4)), 8, "the next job's result")

    def test_a_result_that_cannot_be_stored_fails_the_call(self) -> None:
        """It is Unserialisable, and says that the activity has run."""
        for fn in (samples.lock, samples.deep):
            error = self.inbox.error(self.submit(fn))
            true(isinstance(error, Unserialisable), f"it should be Unserialisable, not {error!r}")
            notes = " ".join(getattr(error, "__notes__", ()))
            true("side effects have happened" in notes, f"it should say that it ran: {notes!r}")
        true(isinstance(self.inbox.error(self.submit(samples.exits)), SystemExit), "it should fail")
        equal(self.inbox.result(self.submit(samples.double, 4)), 8, "the next job's result")

    def test_a_generator_is_refused(self) -> None:
        """A result that can be read only once is refused, saying what to do."""
        error = self.inbox.error(self.submit(samples.generator))
        true(isinstance(error, Unserialisable), f"it should be Unserialisable, not {error!r}")
        true("list(" in str(error), f"it should say what to do: {error}")

    def test_what_cannot_be_sent_is_a_failure_not_an_error_of_submit(self) -> None:
        """Code and blobs that cannot be had are told to the inbox."""
        lock = threading.Lock()

        def locked() -> str:
            return type(lock).__name__

        try:
            equal(self.inbox.result(self.submit(locked)), "lock", "the result")
        except Unserialisable as error:
            true("locked" in str(error), f"it should name the activity: {error}")
        gone = spill(Packed("json", "x" * 70_000))
        true(self.inbox.error(self.submit(samples.give, gone)), "a missing blob fails the call")
        equal(self.inbox.result(self.submit(samples.double, 4)), 8, "the next job's result")

    # ------------------------------------------------------------ reports

    def test_reports_are_whole_and_in_order(self) -> None:
        """Success and failure alike tell who ran it, when, and at what cost."""
        before = time.time()
        value = ["x" * 1000] * 100
        packed = pack(value, "the value")
        jobs = [
            self.submit(samples.give, value),
            self.submit(samples.give_async, value),
            self.submit(samples.double, 2),
            self.submit(samples.throw, "ValueError"),
            self.submit(samples.throw_async, "ValueError"),
            self.submit(samples.lock),
        ]
        answers = [self.inbox.answer(job) for job in jobs]
        for answer in answers:
            _check_report(answer, before, time.time())
        wanted = packed.size if isinstance(packed, Packed) else 0
        equal([a.report.size for a in answers], [wanted, wanted, 0, 0, 0, 0], "the sizes")

    # ------------------------------------------------------------ giving up

    def test_a_queued_job_that_is_given_up_never_runs(self) -> None:
        """`give_up` is True for it, it is not answered, and the others are not disturbed."""
        gate, late = self.gate(), self.gate()
        # Pools may fetch some for their workers in advance: those count as begun.
        held = [self.submit(samples.hold, gate) for _ in range(4 * self.executor.slots + 2)]
        gate.wait_for(self.executor.slots)
        job = self.submit(samples.hold, late)
        true(self.give_up(job), "giving up a queued job should be certain")
        gate.open()
        self.inbox.wait([*held, self.submit(samples.double, 1)])
        equal(late.entered(), 0, "how often the job ran that was given up")
        true(all(other is not job for other, _ in self.inbox.answers), "it should not be answered")
        self.inbox.wait([self.submit(samples.double, 1)])
        never(late.entered, "that a job runs which was given up")

    def test_a_running_job_can_be_given_up(self) -> None:
        """Its answer is dropped. It is stopped for certain, or left behind; others can run."""
        gate = self.gate()
        job = self.submit(samples.hold, gate)
        gate.wait_for(1)
        stopped = self.give_up(job)
        true(type(stopped) is bool, "give_up should say whether the job was stopped")
        if stopped:
            for pid in set(gate.pids()) - {os.getpid()}:
                eventually(functools.partial(is_gone, pid), "the process of the job ends")
        if stopped or self.makes_room:
            others = [self.submit(samples.double, n) for n in range(2 * self.executor.slots)]
            self.inbox.wait(others)
            equal(gate.left(), 0, "nobody should have opened the gate")
        gate.open()
        if stopped:
            never(gate.left, "that a job that was stopped for certain goes on")
        else:
            eventually(gate.left, "the job that was left behind ends by itself")
        self.inbox.wait([self.submit(samples.double, n) for n in range(2 * self.executor.slots)])
        equal(gate.left(), 0 if stopped else 1, "how many went on from the gate")
        true(all(other is not job for other, _ in self.inbox.answers), "it should not be answered")

    def test_capacity_survives_giving_up(self) -> None:
        """After giving up as many running jobs as it has slots, it has all its slots again."""
        if not self.makes_room:
            return
        stuck = self.gate()
        jobs = [self.submit(samples.hold, stuck) for _ in range(self.executor.slots)]
        stuck.wait_for(self.executor.slots)
        for job in jobs:
            self.give_up(job)
        gate = self.gate()
        held = [self.submit(samples.hold, gate) for _ in range(self.executor.slots)]
        gate.wait_for(self.executor.slots)
        gate.open()
        self.inbox.wait(held)

    def test_a_job_that_ended_can_be_given_up(self) -> None:
        """The engine and a worker may cross: that does no harm, even twice."""
        job = self.submit(samples.double, 1)
        self.inbox.wait([job])
        self.give_up(job)
        self.give_up(job)
        equal(self.inbox.result(self.submit(samples.double, 4)), 8, "the next job's result")

    # ------------------------------------------------------------ many, and the end

    def test_many_small_jobs_are_each_answered_once(self) -> None:
        """None is lost or answered twice; none begins twice, or after it has ended."""
        jobs = [self.submit(samples.double, n) for n in range(self.many)]
        self.inbox.wait(jobs)
        found = {id(job): answer.result for job, answer in self.inbox.answers}
        equal(len(self.inbox.answers), self.many, "how many answers there are")
        equal([found[id(job)] for job in jobs], [2 * n for n in range(self.many)], "the results")
        said: dict[int, list[str]] = {}
        for what, job in self.inbox.said:
            said.setdefault(id(job), []).append(what)
        kinds = {tuple(words) for words in said.values()}
        true(kinds <= {("ended",), ("began", "ended")}, f"the inbox was told {kinds}")

    def test_an_answer_may_lead_to_the_next_job(self) -> None:
        """Jobs can be submitted from within `ended`, as the engine does."""
        chain = Chain(self.executor, 300)
        chain.begin()
        true(chain.over.wait(30), f"the chain stopped after {chain.done} jobs")

    def test_closing_twice_is_closing_once(self) -> None:
        """`close` does no harm the second time, and later jobs are run or refused, not lost."""
        self.inbox.wait([self.submit(samples.double, n) for n in range(4)])
        self.executor.close()
        self.executor.close()
        self.inbox.answer(self.submit(samples.double, 1))

    def test_closing_leaves_nothing_to_run(self) -> None:
        """Queued jobs of a closed executor do not begin."""
        if not self.owns_workers:
            return
        gate, late = self.gate(), self.gate()
        for _ in range(self.executor.slots):
            self.submit(samples.hold, gate)
        gate.wait_for(self.executor.slots)
        for _ in range(3):
            self.submit(samples.hold, late)
        self.executor.close()
        gate.open()
        other = self.make()
        try:
            job = make_job(samples.hold, gate)
            other.submit(job, self.inbox)
            if (work := getattr(other, "work", None)) is not None:
                work()
            self.inbox.wait([job])
        finally:
            self.unmake(other)
        equal(late.entered(), 0, "how many queued jobs ran after the close")


def _check_report(answer: Answer, before: float, after: float) -> None:
    report = answer.report
    true(report.worker and isinstance(report.worker, str), f"a worker has a name: {report}")
    # Clocks of one machine may differ by their resolution.
    ordered = before - 0.05 <= report.started <= report.ended <= after + 0.05
    true(ordered, f"an attempt starts, then ends, within {before} and {after}: {report}")
    for name in ("cpu", "packing", "size", "memory"):
        true(getattr(report, name) >= 0, f"{name} should not be negative: {report}")
    true((answer.error is None) or answer.result is None, "a failure should have no result")


def _settled(gate: Gate) -> None:
    """Wait a little for those who can still leave: they must not touch the next test's files."""
    with contextlib.suppress(AssertionError):  # some were killed
        eventually(lambda: gate.left() >= gate.entered(), "all leave the gate", 0.5)
