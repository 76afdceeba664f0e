"""An inbox that keeps what an executor says, and jobs to submit with it."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nbflow.core.errors import StoreError
from nbflow.core.payload import SCALARS, Fetch, Stored, pack, unpack
from nbflow.engine.brief import Gain, as_answer
from nbflow.engine.context import Beat
from nbflow.engine.executor import Executor
from nbflow.engine.job import Answer, Code, Job
from nbflow.testing import samples
from nbflow.testing.checks import PATIENCE, fail

RUN = "run-test"
"""The run that jobs made here belong to."""

_numbers = itertools.count(1)


class Collector:
    """An `Inbox` that keeps what it is told, in the order in which it is told.

    Attributes:
        begun: Job, worker and time for each call of ``began``.
        answers: Job and answer for each call of ``ended`` or ``gave``.
        gained: The jobs that were answered by ``gave``, the short way.
        beats: Job and sign of life for each call of ``beat``.
        said: ``"began"``, ``"wrote"``, ``"beat"`` or ``"ended"`` with the job, for each call of
            these.
        texts: Job, channel and text for each call of ``wrote``.
        dropped: How many characters each job wrote that were not kept, by the job's identity.

    Example:
        >>> inbox, job = Collector(), make_job(len, "abc")
        >>> executor.submit(job, inbox)
        >>> inbox.result(job)
        3
    """

    def __init__(self) -> None:
        self.begun: list[tuple[Job, str, float]] = []
        self.answers: list[tuple[Job, Answer]] = []
        self.gained: list[Job] = []
        self.said: list[tuple[str, Job]] = []
        self.texts: list[tuple[Job, str, str]] = []
        self.dropped: dict[int, int] = {}
        self.beats: list[tuple[Job, Beat]] = []
        self._change = threading.Condition()

    def began(self, job: Job, worker: str, at: float) -> None:
        """Keep that an attempt runs."""
        with self._change:
            self.begun.append((job, worker, at))
            self.said.append(("began", job))
            self._change.notify_all()

    def wrote(self, job: Job, channel: str, text: str, dropped: int = 0) -> None:
        """Keep what an attempt wrote."""
        with self._change:
            self.texts.append((job, channel, text))
            self.said.append(("wrote", job))
            self.dropped[id(job)] = self.dropped.get(id(job), 0) + dropped
            self._change.notify_all()

    def beat(self, job: Job, beat: Beat) -> None:
        """Keep a sign of life."""
        with self._change:
            self.beats.append((job, beat))
            self.said.append(("beat", job))
            self._change.notify_all()

    def output(self, job: Job, channel: str = "stdout") -> str:
        """Give what a job has written to a channel so far."""
        return "".join(text for other, on, text in self.texts if other is job and on == channel)

    def ended(self, job: Job, answer: Answer, *, more: bool = False) -> None:  # noqa: ARG002
        """Keep how an attempt ended."""
        with self._change:
            self.answers.append((job, answer))
            self.said.append(("ended", job))
            self._change.notify_all()

    def gave(self, job: Job, gain: Gain, more: bool) -> None:  # noqa: FBT001 - as the engine's
        """Keep what an attempt gave that went the short way."""
        self.gained.append(job)
        self.ended(job, as_answer(gain), more=more)

    def wait(self, jobs: Iterable[Job], seconds: float = PATIENCE) -> None:
        """Wait until each of the jobs is answered.

        Raises:
            AssertionError: Some are not in time.
        """
        wanted = {id(job) for job in jobs}

        def missing() -> set[int]:
            return wanted - {id(job) for job, _ in self.answers}

        with self._change:
            if not self._change.wait_for(lambda: not missing(), seconds):
                fail(f"{len(missing())} of {len(wanted)} jobs are not answered after {seconds:g} s")

    def answer(self, job: Job, seconds: float = PATIENCE) -> Answer:
        """Wait for a job's answer, and give it.

        Raises:
            AssertionError: There is none in time, or there are several.
        """
        self.wait([job], seconds)
        found = [answer for other, answer in self.answers if other is job]
        if len(found) > 1:
            fail(f"{job.call} was answered {len(found)} times")
        return found[0]

    def result(self, job: Job, fetch: Fetch | None = None) -> Any:
        """Wait for a job's result, and give it; raise what it failed with."""
        answer = self.answer(job)
        if answer.error is not None:
            raise answer.error.rebuild()
        return unpack(answer.result, _no_ref, fetch or no_blobs)

    def error(self, job: Job) -> BaseException:
        """Wait for a job's failure, and give the error.

        Raises:
            AssertionError: It did not fail.
        """
        answer = self.answer(job)
        if answer.error is None:
            fail(f"{job.call} should have failed, but gave {answer.result!r:.200}")
        return answer.error.rebuild()


def make_job(
    fn: Callable[..., Any],
    /,
    *args: object,
    kwargs: Mapping[str, object] | None = None,
    inputs: dict[str, Stored] | None = None,
    fetch: Fetch | None = None,
    short: bool = True,
) -> Job:
    """Make the first attempt of a call, as the engine does.

    Args:
        fn: The activity's function.
        args: Positional arguments: values, or what is stored of them (`Ref`, `Packed`, `Blob`).
        kwargs: Keyword arguments, likewise.
        inputs: Stored results of the calls that a `Ref` among the arguments names.
        fetch: Gives the bytes of a blob; by default there are none.
        short: Whether the job is marked as one that may go the short way, `Job.plain`, if its
            arguments are small scalars all; False sends it the long way in any case.
    """
    name = getattr(fn, "__name__", "activity")
    stored = {k: _stored(v) for k, v in kwargs.items()} if kwargs else None
    given = tuple(_stored(a) for a in args)
    return Job(
        run=RUN,
        call=f"{name}-{next(_numbers)}",
        attempt=1,
        code=Code(name, fn),
        args=given,
        kwargs=stored,
        inputs=inputs,
        live=None,
        timeout=None,
        fetch=fetch or no_blobs,
        plain=short and not stored and not inputs and all(type(a) in SCALARS for a in given),
    )


def no_blobs(digest: str) -> bytes:
    """Have no blob."""
    message = f"there is no blob {digest}"
    raise StoreError(message)


def _no_ref(call: str) -> object:
    return fail(f"a result refers to {call}")


def _stored(value: object) -> Stored:
    if type(value).__module__ == "nbflow.core.payload":
        return value  # type: ignore[return-value]
    return pack(value, "an argument")


class Chain:
    """An inbox that submits the next job when it is told that one has ended."""

    def __init__(self, executor: Executor, length: int) -> None:
        self.executor = executor
        self.length = length
        self.done = 0
        self.over = threading.Event()

    def begin(self) -> None:
        """Submit the next job."""
        self.executor.submit(make_job(samples.double, self.done), self)

    def began(self, job: Job, worker: str, at: float) -> None:
        """Take note of nothing."""

    def wrote(self, job: Job, channel: str, text: str, dropped: int = 0) -> None:
        """Take note of nothing."""

    def beat(self, job: Job, beat: Beat) -> None:
        """Take note of nothing."""

    def ended(self, job: Job, answer: Answer, *, more: bool = False) -> None:  # noqa: ARG002
        """Go on, or end the chain."""
        if answer.result == 2 * self.done:
            self.done += 1
            if self.done < self.length:
                self.begin()
                return
        self.over.set()
