"""The open attempts of a run: what is with which executor. For the run's owner alone."""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from nbflow.core.activity import Activity
from nbflow.core.call import CallState
from nbflow.core.child import CHILD
from nbflow.core.errors import ActivityInterrupted, PoisonActivity
from nbflow.core.history import History
from nbflow.core.payload import SCALARS, Ref, Stored
from nbflow.engine.executor import Executor, Inbox
from nbflow.engine.job import Code, Job
from nbflow.store.base import Store
from nbflow.store.reading import BlobReader

POISON = 3
"""A call that was running so many times when its process died is taken for the cause."""
_ALL_SCALAR = SCALARS.issuperset
Resolve = Callable[[Any], Executor]
"""Gives the executor for an activity's ``executor`` option; None stands for the run's own."""


class _Kind(NamedTuple):
    """What is the same for all calls of an activity in a run."""

    code: Code
    limit: float | None
    asks_where: bool
    common: bool
    """Whether nothing is to be seen to before a call starts, but that it has not yet."""


class Attempts:
    """Makes jobs of calls that are ready, and keeps them until they are answered or given up.

    Attributes:
        own: The run's own executor.
        inline: The executor that works in the workflow's thread: the same, or one that an activity
            of a run elsewhere asks for; None if there is none so far.
        open: The job of every call that is with an executor. Only `Swift` changes it from outside.
        elsewhere: Where the open attempts are that are not with the run's own executor; once
            calls are ordered, where all of them are.
    """

    def __init__(self, run: str, history: History, store: Store, resolve: Resolve) -> None:
        self.own = resolve(None)
        self.inline: Any = self.own if hasattr(self.own, "work") else None
        self._submit_all = getattr(self.own, "submit_all", None)
        self._run = run
        self._history = history
        self._fetch = BlobReader(store)
        self._resolve = resolve
        self.open: dict[str, Job] = {}
        self.elsewhere: dict[str, Executor] = {}
        self._told: Callable[[str, Executor], object] | None = None
        self.around: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None
        """Puts what is to be done before and after each attempt around a function."""
        self._kinds: dict[Activity[..., Any], _Kind] = {}

    def launch(self, state: CallState, inbox: Inbox) -> None:
        """Hand the next attempt of a call to its executor.

        Raises:
            NbflowError: The activity names an executor that there is not.
        """
        activity = state.activity
        kind = self._kinds.get(activity)  # type: ignore[arg-type] # only admitted calls are ready
        code, limit, asks_where, _ = kind or self._kind(activity)  # type: ignore[arg-type]
        executor = self.own
        if asks_where:
            executor = self.executor_of(activity)  # type: ignore[arg-type]
            if executor is not self.own:
                self.elsewhere[state.id] = executor
        job = self.open[state.id] = self._job(state, code, limit)
        executor.submit(job, inbox)

    def launch_common(
        self, ready: deque[CallState], inbox: Inbox, most: int, held: deque[CallState] | None
    ) -> None:
        """Hand over all calls at the head of `ready` that nothing has to be seen to for, at once.

        For runs none of whose calls is suspected to have killed a process.

        Args:
            ready: Takes off it what is handed over; stops at the first that is not so simple.
            inbox: Where the answers go to.
            most: How many attempts may be with the run's own executor.
            held: Takes the calls for which there is no room then; None: they stay.
        """
        opened, kinds, jobs = self.open, self._kinds, []
        run, fetch = self._run, self._fetch
        most += len(self.elsewhere)
        activity = kind = None
        while ready:
            state = ready[0]
            if state.activity is not activity:
                activity = state.activity
                kind = kinds.get(activity) or self._kind(activity)  # type: ignore[arg-type]
                code, limit = kind.code, kind.limit
            if (
                not kind.common  # type: ignore[union-attr] # there is one by now
                or state.outcome is not None
                or state.retry_at is not None
                or state.id in opened
            ):
                break
            if len(opened) >= most:
                if held is None:
                    break
                held.append(ready.popleft())
                continue
            ready.popleft()
            args = state.args
            if state.deps or state.kwargs or len(args) != 1 or type(args[0]) not in SCALARS:
                job = self._job(state, code, limit)
            else:  # what most come to, without a look at what they have not
                attempt = state.attempt + (state.started is None)
                job = Job(run, state.id, attempt, code, args, None, None, None, limit, fetch, True)  # noqa: FBT003 - keywords take longer
            opened[state.id] = job
            jobs.append(job)
        if not jobs:
            return
        if len(jobs) > 1 and self._submit_all is not None:
            self._submit_all(jobs, inbox)
            return
        for job in jobs:
            self.own.submit(job, inbox)

    def take(self, job: Job) -> bool:
        """Close an attempt that is answered; False if it was given up before."""
        if self.open.get(job.call) is not job:
            return False
        del self.open[job.call]
        if self.elsewhere:
            self._left(job.call)
        return True

    def own_open(self) -> int:
        """Give how many attempts are with the run's own executor, as long as none are ordered."""
        return len(self.open) - len(self.elsewhere)

    def ordered(self, told: Callable[[str, Executor], object]) -> Counter[int]:
        """Tell of every attempt from now on where it was, once it is not open any more.

        Returns:
            How many are open now, by the identity of their executors.
        """
        self._told = told
        for call in self.open:
            self.elsewhere.setdefault(call, self.own)
        return Counter(id(executor) for executor in self.elsewhere.values())

    def placed(self, call: str) -> None:
        """Take note of an attempt that was launched since calls are ordered."""
        self.elsewhere.setdefault(call, self.own)

    def place_of(self, call: str) -> Executor:
        """Give where an open attempt is."""
        return self.elsewhere.get(call, self.own)

    def _left(self, call: str) -> Executor:
        """Take note that an attempt is not open any more; give where it was."""
        executor = self.elsewhere.pop(call, None) or self.own
        if self._told is not None:
            self._told(call, executor)
        return executor

    def wants(self, job: Job) -> bool:
        """Whether this very attempt is open."""
        return self.open.get(job.call) is job

    def running(self) -> list[tuple[Job, str, float]]:
        """Ask the executors that can tell what runs now, of this run or another."""
        executors = {id(e): e for e in (self.own, *self.elsewhere.values())}.values()
        return [entry for e in executors if hasattr(e, "running") for entry in e.running()]

    def give_up(self, call: str) -> bool:
        """Stop the open attempt of a call, if there is one; tell whether it surely stopped."""
        job = self.open.pop(call, None)
        if job is None:
            return True
        job.dropped = True
        return self._left(call).give_up(job)

    def drop_all(self) -> None:
        """Keep attempts that have not begun from doing so, in the place of those given up first."""
        for job in self.open.values():
            job.dropped = True

    def give_up_all(self) -> None:
        """Stop everything."""
        self.drop_all()
        for call in list(self.open):
            self.give_up(call)

    def executor_of(self, activity: Activity[..., Any]) -> Executor:
        """Give where the calls of an activity run."""
        wanted = activity.settings.executor
        if wanted is not None:
            found = self._resolve(wanted)
            return self._by_the_code(found) if hasattr(found, "work") else found
        # A thread that waits for an event loop is a thread wasted.
        if activity.is_async and self.own.in_process and self.inline is not self.own:
            return self._resolve("asyncio")
        return self.own

    def _by_the_code(self, found: Executor) -> Executor:
        """Give the one executor that works in the workflow's thread: it has but one queue."""
        if self.inline is None:
            self.inline = found
        return self.inline  # type: ignore[no-any-return]

    def _kind(self, activity: Activity[..., Any]) -> _Kind:
        """Give what is the same for all calls of an activity; made once for each of them."""
        fn = activity.fn
        if self.around is not None and activity.settings.executor != CHILD:
            fn = self.around(fn)  # a child run has it around its own attempts
        code = Code(activity.name, fn, held=_held(activity), stay=_stays(activity))
        settings = activity.settings
        asks_where = settings.executor is not None or activity.is_async
        common = not (asks_where or settings.special or settings.once)
        kind = self._kinds[activity] = _Kind(code, settings.limit, asks_where, common)
        return kind

    def _job(self, state: CallState, code: Code, limit: float | None) -> Job:
        args, deps, history = state.args, state.deps, self._history
        plain, inputs, live = False, None, None
        if not state.kwargs:
            if deps:
                args, plain = self._resolved(args)
            elif len(args) == 1:
                plain = type(args[0]) in SCALARS
            else:
                plain = _ALL_SCALAR(map(type, args))
        if deps and not plain:
            calls = history.giving
            inputs = {dep: calls[dep].outcome.result for dep in deps}  # type: ignore[union-attr]
            live = {d: v for d in deps if (v := calls[d].live) is not None} or None
        if limit is None and history.suspects and state.id in history.suspects:
            limit = math.inf  # its start is told at once: it may kill the process soon after
        return Job(
            self._run,
            state.id,
            # The start of a `once=True` call is in the log already.
            state.attempt + (state.started is None),
            code,
            args,
            state.kwargs,
            inputs,
            live,
            limit,
            self._fetch,
            plain,
        )

    def _resolved(self, given: tuple[Stored, ...]) -> tuple[tuple[Stored, ...], bool]:
        """Give the arguments as values if they are small scalars all; tell whether they are."""
        history = self._history
        calls = history.giving if history.again else history.calls
        first = given[0] if len(given) == 1 else None
        if type(first) is Ref:  # most of many graphs
            result = calls[first.call].outcome.result  # type: ignore[union-attr]
            return ((result,), True) if type(result) in SCALARS else (given, False)
        args = []
        for value in given:
            if type(value) is Ref:
                value = calls[value.call].outcome.result  # type: ignore[union-attr]  # noqa: PLW2901
            if type(value) not in SCALARS:
                return given, False
            args.append(value)
        return tuple(args), True


def _held(activity: Activity[..., Any]) -> Literal["", "as it is", "copy"]:
    """Say how the results of an activity stay in memory."""
    settings = activity.settings
    if settings.persist:
        return ""
    return "copy" if settings.copy else "as it is"


def _stays(activity: Activity[..., Any]) -> bool:
    """Say whether results may be where only the run's own lifetime keeps them."""
    return not (activity.settings.once or activity.settings.cache)


def verdict(call: str, history: History, *, once: bool) -> Exception | None:
    """Say why a call must not begin again, given what became of it before; else None."""
    times = history.cut_off.get(call, 0)
    if once and (times or call in history.tried):
        return ActivityInterrupted(
            f"{call} is once=True and had begun before, so it is not run again by itself. If it "
            f"did its work, give its result: run.settle({call!r}, value). If it may run again: "
            f"run.rerun({call!r})"
        )
    if times >= POISON:
        return PoisonActivity(
            f"{call} was running each of the {times} times that the process of this run died, so "
            f"it is not run again by itself. Once the cause is mended: run.rerun({call!r})"
        )
    return None
