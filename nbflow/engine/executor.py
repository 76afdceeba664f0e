"""What an executor is: it runs attempts and says how they ended. It knows nothing of runs.

Retries, timeouts, order and the log are the engine's, so that they are the same everywhere.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from nbflow.engine.context import Beat
from nbflow.engine.job import Answer, Job


class Inbox(Protocol):
    """Where an executor answers to. Its methods may be called from any thread.

    That of a run has a method ``gave(job, gain, more)`` besides, which is `ended` for attempts
    that `nbflow.engine.brief.run_brief` has run; executors do not count on its being there.
    """

    def began(self, job: Job, worker: str, at: float) -> None:
        """Say that a worker has begun; optional, since the answer says so too, but later.

        An executor that has a method ``running()``, which gives job, worker and time of beginning
        of every attempt under way, is asked now and then: that costs a small call less. It need
        say so itself only of jobs that have a time limit.
        """

    def wrote(self, job: Job, channel: str, text: str, dropped: int = 0) -> None:
        """Say that an attempt printed or logged something, before it is said to have ended.

        Args:
            job: The attempt.
            channel: ``stdout``, ``stderr``, or ``log:`` and a level.
            text: What it wrote, in any portions.
            dropped: How many characters more it wrote that were not kept.
        """

    def beat(self, job: Job, beat: Beat) -> None:
        """Say that an attempt gave a sign of life, from a process other than this one."""

    def ended(self, job: Job, answer: Answer, *, more: bool = False) -> None:
        """Say how the attempt ended: exactly once, unless the job was given up before.

        With `more` the executor has other jobs waiting, so that what follows from this answer is
        in no hurry: a turn of the run can then take many answers at once.
        """


@runtime_checkable
class Executor(Protocol):
    """Runs attempts.

    What activities write in this process is seen to by nbflow. One that runs them elsewhere tells
    the inbox what they wrote there; `nbflow.engine.streams.recording` collects it.

    Attributes:
        name: What people call it: ``threads``, ``processes``...
        slots: How many attempts it runs at once.
        in_process: Whether activities run in this process, so that they can be handed values
            without copies.

    One that takes many jobs at once more cheaply than one by one has a method
    ``submit_all(jobs, inbox)``, which is `submit` for each of them.

    One that does not pass on the signs of life of attempts, since it runs them where nobody hears
    them, says so by an attribute ``hears`` that is False: heartbeats are then not waited for.
    """

    name: str
    slots: int
    in_process: bool

    def submit(self, job: Job, inbox: Inbox, /) -> None:
        """Take a job and return at once. Whatever goes wrong is told to the inbox.

        May be called while the caller holds the run: it must not wait for `inbox`, and may
        answer from within the call.
        """

    def give_up(self, job: Job, /) -> bool:
        """Stop an attempt that is not wanted any more, begun or not.

        Returns:
            Whether it is certain that its code does not run (any more). False: it could not be
            stopped and was abandoned; the executor has made room for another one.
        """

    def close(self) -> None:
        """End all workers. Jobs that have not ended are given up. May be called twice."""
