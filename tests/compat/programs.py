"""Programs as they are written for simpleflow: with another import they would run there."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from nbflow.compat.simpleflow import Workflow, activity, futures
from nbflow.compat.simpleflow.canvas import Chain, FuncGroup, Group, GroupFuture
from nbflow.compat.simpleflow.exceptions import ExecutionBlocked, TaskFailed
from nbflow.compat.simpleflow.step.submittable import Step
from nbflow.compat.simpleflow.step.workflow import WorkflowStepMixin
from nbflow.compat.simpleflow.task import ActivityTask, ChildWorkflowTask, WorkflowTask

TOLD: list[Any] = []
"""What programs leave for tests to see."""


@activity.with_attributes(task_list="parts", version="example")
def increment(x):
    """Add one, and note who asks."""
    context = increment.context
    TOLD.append(context["activity_id"] if context else "nobody")
    return x + 1


@activity.with_attributes(task_list="parts", version="example")
def double(x):
    """Give twice as much."""
    return x * 2


@activity.with_attributes(task_list="parts", version="example")
class Delay:
    """Give a value later."""

    def __init__(self, seconds, x):
        self.seconds, self.x = seconds, x

    def execute(self):
        """Wait."""
        time.sleep(self.seconds)
        return self.x


@activity.with_attributes()
def product(numbers):
    """Multiply."""
    found = 1
    for number in numbers:
        found *= number
    return found


@activity.with_attributes()
def fail(_=None):
    """Fail."""
    raise ValueError("out of paper")


@activity.with_attributes(raises_on_failure=True)
def fail_aloud(_=None):
    """Fail, and the workflow with it."""
    raise ValueError("on fire")


@activity.with_attributes(retry=2)
def flaky():
    """Succeed at the third attempt."""
    context: Any = flaky.context
    attempt = context["attempt"]
    if attempt < 3:
        raise OSError("not yet")
    return attempt


class Basic(Workflow):
    """Calls that take the results of others."""

    name, version, task_list = "basic", "example", "example"
    tag_list: ClassVar[list[str]] = ["a=1", "b"]

    def run(self, x, t=0):
        """Submit, and wait."""
        y = self.submit(increment, x)
        yy = self.submit(Delay, t, y)
        z = self.submit(double, y)
        futures.wait(yy, z)
        assert (z.state, z.finished, z.done, z.pending, z.exception) == (
            "FINISHED",
            True,
            True,
            False,
            None,
        )
        return [z.result, self.get_run_context()["tag_list"]]


class Canvas(Workflow):
    """Groups and chains, and where they end."""

    name = "canvas"

    def run(self):
        """Give all results."""
        sent = Chain(Group((increment, 1), (increment, 2)), product, send_result=True)
        lenient = Chain((fail, 1), (increment, 1), raises_on_failure=False)
        unbroken = Chain((fail, 1), (increment, 1), (product, [3, 2]), break_on_failure=False)
        held_back = Chain(Chain((fail, 1), raises_on_failure=False), (increment, 1))
        bubbling = Chain(
            Chain(
                Chain((fail, 1), raises_on_failure=False, bubbles_exception_on_failure=True),
                (increment, 1),
                bubbles_exception_on_failure=False,
            ),
            (product, [3, 2]),
        )
        late = Chain((double, 2), FuncGroup(lambda n: Group((double, n))), send_result=True)
        all_of = [sent, lenient, unbroken, held_back, bubbling, late]
        return [self.submit(one).result for one in all_of]


class Noisy(GroupFuture):
    """A future of one's own."""

    @property
    def result(self):
        """Note that it was asked for."""
        TOLD.append("asked")
        return super().result


class NoisyGroup(Group):
    """A group with such futures."""

    default_future_class = Noisy


class Canvas2(Workflow):
    """Options of groups, and what their futures tell."""

    name = "canvas2"

    def run(self):
        """Give results and errors."""
        own = self.submit(NoisyGroup((increment, 1), max_parallel=1))
        mixed = self.submit(Group((double, 1), (fail, 1)))
        futures.wait(own, mixed)
        errors = mixed.exception
        assert mixed.count_finished_activities == 2
        return [own.result, mixed.result, [repr(e) for e in errors.exceptions]]


class Errors(Workflow):
    """Failures that raise, and such that do not."""

    name = "errors"

    def run(self):
        """Look at both."""
        quiet, loud = self.submit(fail), self.submit(fail_aloud)
        try:
            futures.wait(loud)
        except TaskFailed as error:
            raised = (error.name, error.reason)
        kept = quiet.exception
        assert isinstance(kept, TaskFailed)
        return [quiet.result, kept.reason, raised, self.submit(flaky).result]


class Loud(Workflow):
    """A failure that nobody catches."""

    name = "loud"

    def run(self):
        """Fail."""
        return self.submit(fail_aloud).result


class Child(Workflow):
    """A child run."""

    name, version, task_list = "child", "example", "example"

    @classmethod
    def get_tag_list(cls, *args, **kwargs):
        """Give tags by arguments."""
        return kwargs.get("tags")

    def run(self, x, tags=None):
        """Call twice."""
        y = self.submit(increment, x)
        return [self.submit(increment, y).result, self.get_run_context()["tag_list"]]


class Once(Workflow):
    """A child run that equal arguments have in common."""

    name, idempotent = "once", True
    tag_list = Workflow.INHERIT_TAG_LIST

    def run(self, x):
        """Say which run it is."""
        return self.get_run_context()["run_id"]


class Waits(Workflow):
    """A child that nobody waits for, and that waits for ever."""

    name = "waits"

    def run(self):
        """Wait."""
        return self.submit(self.wait_signal("never")).result


class Parent(Workflow):
    """Child runs in several ways."""

    name = "parent"
    tag_list: ClassVar[list[str]] = ["family"]

    def run(self, x=1):
        """Have some."""
        y = self.submit(increment, x)
        first = self.submit(Child, y, tags=["one"])
        second = self.submit(ChildWorkflowTask(Child, y))
        group = self.submit(Group(WorkflowTask(None, Child, 5), (Child, 6)))
        u, v = self.submit(Once, y), self.submit(Once, y)
        self.submit(Waits)
        numbers = [part[0] for part in group.result]
        return [first.result, second.result, numbers, u.result == v.result]


class Signals(Workflow):
    """A signal to itself, and one that is not sent."""

    name = "signals"

    def run(self):
        """Send, and wait."""
        waits = self.submit(self.wait_signal("go"))
        never = self.submit(self.wait_signal("stop"))
        assert not waits.finished
        futures.wait(self.submit(self.signal("go", 1, to="all")), waits)
        details: Any = self.get_event_details("signal", "go")
        return [waits.result, never.finished, details["input"]["kwargs"]]


class Works(Workflow):
    """Works until it is told to stop."""

    name = "works"

    def run(self):
        """Look, and work."""
        stop, rounds = self.submit(self.wait_signal("stop")), 0
        while not stop.finished:
            futures.wait(self.submit(increment, rounds))
            rounds += 1
        return rounds > 0


class Boss(Workflow):
    """Tells a child to stop."""

    name = "boss"

    def run(self):
        """Have it work, and stop it."""
        works = self.submit(Works)
        futures.wait(self.submit(Chain((Delay, 0.05, 1), self.signal("stop"))))
        return works.result


class Tells(Workflow):
    """Sends a signal, and ends."""

    name, task_list = "tells", "afar"

    def run(self):
        """Tell itself, and so the family."""
        futures.wait(self.submit(self.signal("done", to="all")))


class Messenger(Workflow):
    """Hears what a child says last, and has an activity made where it is needed."""

    name, task_list = "messenger", "afar"

    def run(self):
        """Listen."""
        heard = self.submit(self.wait_signal("done"))
        futures.wait(heard, self.submit(Tells))
        twice = activity.with_attributes(task_list="elsewhere")(plain_double)
        return [self.submit(twice, 2).result, heard.result]


def plain_double(x):
    """Give twice as much; no activity by itself."""
    return x * 2


class Markers(Workflow):
    """Notes in the log."""

    name = "markers"

    def run(self):
        """Note, also in a chain."""
        self.submit(self.record_marker("at", "one"))
        note = self.record_marker("at", "two")
        futures.wait(self.submit(Chain(note, note, self.record_marker("on"))))
        latest = [(m.name, m.details) for m in self.list_markers()]
        return [latest, len(self.list_markers(all=True)), repr(self.list_markers()[0])]


class Timers(Workflow):
    """A timer that fires, and one that is stopped."""

    name = "timers"

    def run(self):
        """Stop the second when the first fires."""
        future = self.submit(
            Group(
                self.start_timer("late", 3600),
                Chain(self.start_timer("soon", "1"), self.cancel_timer("late")),
            )
        )
        futures.wait(future)
        return [future.futures[0].state, future.futures[1].finished]


class Again(Workflow):
    """Goes on as new."""

    name = "again"

    def run(self, i=0):
        """Count."""
        TOLD.append(i)
        if i < 2:
            self.submit(self.continue_as_new(i=i + 1))
        assert self.executor.history.last_event_id >= 1
        return i


class Priorities(Workflow):
    """A priority that the instance says."""

    name = "priorities"

    @property
    def task_priority(self):
        """What it says."""
        return 7

    def run(self):
        """Give calls with several."""
        first = self.submit(increment, 1, __priority=5)
        futures.wait(first, self.submit(increment, 2), self.submit(increment, 3, __priority=None))
        return first.result


class Hand(Workflow):
    """Waits for any of two by hand."""

    name = "hand"

    def run(self):
        """Be executed again until it can go on."""
        quick, slow = self.submit(Delay, 0, 1), self.submit(Delay, 0.05, 2)
        TOLD.append("again")
        if not (quick.finished or slow.finished):
            raise ExecutionBlocked
        return quick.finished, self.map(double, [1, 2])[1].result


class Steps(Workflow, WorkflowStepMixin):
    """A step that is done once."""

    name = "steps"

    def run(self, force=()):
        """Do it."""
        if force:
            self.add_forced_steps(list(force), reason="the caller")
        done = Group(ActivityTask(double, 1))
        step = Step("load", Group((increment, 1)), activities_if_step_already_done=done)
        futures.wait(self.submit(step))
        notes = [m.details["status"] for m in self.list_markers(all=True)]
        return [notes, self.get_steps_done()]


class Told(Workflow):
    """Hooks and decisions."""

    name = "told"

    def run(self, fails=False):
        """Have failures, and maybe fail."""
        later = self.submit(fail).result
        if fails:
            self.fail("as I was told", "details")
        return later

    def on_task_failure(self, failure_context):
        """Retry once, then ignore it."""
        TOLD.append((failure_context.task_name.rpartition(".")[2], failure_context.task_message))
        if failure_context.retry_count < 1:
            return failure_context.decide_retry()
        return failure_context.decide_ignore()

    def before_replay(self, history):
        """Note it."""
        TOLD.append("before")

    def on_completed(self, history):
        """Note it."""
        TOLD.append("completed")

    def on_failure(self, history, reason, details=None):
        """Note it."""
        TOLD.append(("failed", reason, details))

    def after_closed(self, history):
        """Note it."""
        TOLD.append(("closed", len(history.activities)))
