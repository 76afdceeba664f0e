"""What every executor has to do with what activities print and log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from nbflow.core import metrology
from nbflow.engine import streams
from nbflow.engine.executor import Executor
from nbflow.engine.job import Job
from nbflow.engine.output import Rules
from nbflow.testing import samples
from nbflow.testing.checks import equal, true
from nbflow.testing.collector import RUN, Collector


class Speaking(ABC):
    """The part of the contract of executors that is about text.

    Attributes:
        inbox: Where the jobs of a test answer to.
        executor: What is tested.
    """

    inbox: Collector
    executor: Executor
    _before: Rules | None = None

    def listen(self) -> None:
        """Have the inbox told what jobs write in this process, as the engine does for its runs.

        To be called before each job: between its set-up and a test, pytest changes the streams.
        """
        if self._before is None:
            self._before = streams.rules()
            streams.use(Rules())
        streams.listen(RUN, self.inbox)

    def listen_no_more(self) -> None:
        """End that."""
        if self._before is not None:
            streams.unlisten(RUN)
            streams.use(self._before)

    @abstractmethod
    def submit(self, fn: Callable[..., Any], *args: object, **options: Any) -> Job:
        """Make a job and submit it."""

    def test_what_an_activity_writes_is_told_before_it_ends(self) -> None:
        """Prints and log records come by channel, whole and in order, before the answer."""
        for fn in (samples.speak, samples.speak_async):
            job = self.submit(fn, 3)
            equal(self.inbox.result(job), 3, "the result of an activity that writes")
            equal(self.inbox.output(job), "0 é\n1 é\n2 é\nno end", "what it printed")
            equal(self.inbox.output(job, "stderr"), "to stderr\n", "what it wrote to stderr")
            text = self.inbox.output(job, "log:WARNING")
            true(text.startswith("careful: 3\nTraceback"), f"the record it logged: {text!r}")
            true(text.endswith("ValueError: odd\n"), f"the exception it logged: {text!r}")
            told = [what for what, other in self.inbox.said if other is job]
            equal(told.index("ended"), len(told) - 1, "nothing should be told after the answer")

    def test_an_activity_that_fails_has_written_all_the_same(self) -> None:
        """What led to a failure is what people look for."""
        job = self.submit(samples.speak_and_throw)
        true(isinstance(self.inbox.error(job), ValueError), "it should fail")
        equal(self.inbox.output(job), "before\n", "what it printed")

    def test_a_sign_of_life_is_told_while_it_runs(self) -> None:
        """Before the answer, the latest of them at least; unless the executor does not hear."""
        if not getattr(self.executor, "hears", True):
            return
        for fn in (samples.beat, samples.beat_async):
            job = self.submit(fn, 3)
            equal(self.inbox.result(job), 3, "the result of an activity that tells how far it is")
            told = [what for what, other in self.inbox.said if other is job]
            true("beat" in told, "a sign of life should be told")
            equal(told.index("ended"), len(told) - 1, "nothing should be told after the answer")
            beats = [beat for other, beat in self.inbox.beats if other is job]
            true(beats[-1].details == "on it", f"it should say what was said: {beats[-1]}")
            equal(beats[-1].total, 3, "of how much it is done")

    def test_what_an_activity_measures_comes_with_its_report(self) -> None:
        """Blocks in their order with their figures, also of an attempt that fails."""
        for fn in (samples.measure, samples.measure_async):
            job = self.submit(fn, 5)
            equal(self.inbox.result(job), 5, "the result of an activity that measures")
            first, second = metrology.read(self.inbox.answer(job).report.measured)
            equal((first.name, first.read_bytes, first.read_records), ("download", 5, 2), "a block")
            equal(first.metadata, {"mirror": "é"}, "what it noted")
            equal((second.name, second.wrote_records, second.failed), ("check", 5, False), "next")
            job = self.submit(fn, 0)
            true(isinstance(self.inbox.error(job), ValueError), "it should fail")
            blocks = metrology.read(self.inbox.answer(job).report.measured)
            equal([block.failed for block in blocks], [False, True], "which block failed")
        job = self.submit(samples.double, 1)
        equal(self.inbox.answer(job).report.measured, "", "one that measures nothing")

    def test_each_job_has_its_own_words(self) -> None:
        """Jobs side by side, or one after the other on one worker, are told apart."""
        jobs = [self.submit(samples.speak, n) for n in range(20)]
        silent = [self.submit(samples.double, n) for n in range(20)]
        self.inbox.wait(jobs + silent)
        for n, job in enumerate(jobs):
            wanted = "".join(f"{k} é\n" for k in range(n)) + "no end"
            equal(self.inbox.output(job), wanted, f"what job {n} printed")
        told = {id(job) for job, _, _ in self.inbox.texts}
        true(not told & {id(job) for job in silent}, "silent jobs should not be told of")
