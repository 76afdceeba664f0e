"""Deciders and workers to inherit from.

::

    class Doubler(ActivityWorker):
        def perform(self, task):
            return str(2 * int(task.input))

    Doubler(domain, "numbers").run()
"""

from __future__ import annotations

import getpass
import logging
import os
import platform
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from nbflow.services.swf.batches import checked
from nbflow.services.swf.decisions import Decision
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import DoesNotExist, SwfError, Throttled, Unreachable
from nbflow.services.swf.events import parse
from nbflow.services.swf.shapes import Data
from nbflow.services.swf.tasks import (
    DETAILS,
    REASON,
    ActivityTask,
    DecisionTask,
    TaskCancelled,
    shortened,
    told,
)
from nbflow.services.swf.wire import read, seconds

_PAGE: Final = 1000
_WAITS: Final = (0.2, 1.0, 5.0, 15.0)
_log = logging.getLogger(__name__)
T = TypeVar("T")


class Actor(ABC):
    """Something that polls a task list.

    Args:
        domain: Where.
        task_list: Name of the task list.
        identity: What histories say of it; by default user, host and process.
    """

    def __init__(self, domain: Domain, task_list: str, *, identity: str | None = None) -> None:
        self.domain, self.task_list = domain, task_list
        self.identity = (identity or _identity())[:REASON]
        self.api = domain.api
        self._over = threading.Event()

    def run(self) -> None:
        """Take one task after the other until `stop`; what goes wrong is logged, and it goes on."""
        self.repeat(self.step)

    def repeat(self, step: Callable[[], bool]) -> None:
        """Do a step again and again until `stop`, after a pause if the service cannot be had."""
        failures = 0
        while not self._over.is_set():
            try:
                step()
                failures = 0
            except (Throttled, Unreachable) as error:
                _log.warning("%s of %s: %s", type(self).__name__, self.task_list, error)
                self._over.wait(_WAITS[min(failures, len(_WAITS) - 1)])
                failures += 1

    def stop(self) -> None:
        """Take no more tasks. What is under way is finished, a poll that waits included."""
        self._over.set()

    @abstractmethod
    def step(self) -> bool:
        """Poll once and see to the task, if one comes; give whether one came."""

    def _where(self) -> Data:
        return {
            "domain": self.domain.name,
            "taskList": {"name": self.task_list},
            "identity": self.identity,
        }


def _identity() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = str(os.getuid()) if hasattr(os, "getuid") else "?"
    return f"{user}@{platform.node()}:{os.getpid()}"


class Decider(Actor):
    """Decides what executions do next; `decide` is to be written.

    Args:
        domain: Where.
        task_list: Name of the task list.
        identity: What histories say of it.
        news_only: Tasks have only the events from the latest one that was answered on, its own
            ``DecisionTaskStarted`` included, rather than the whole history.
    """

    def __init__(
        self,
        domain: Domain,
        task_list: str,
        *,
        identity: str | None = None,
        news_only: bool = False,
    ) -> None:
        super().__init__(domain, task_list, identity=identity)
        self.news_only = news_only

    @abstractmethod
    def decide(self, task: DecisionTask) -> Iterable[Decision]:
        """Give the decisions that follow from a history."""

    def failed(self, task: DecisionTask, error: Exception) -> None:
        """Hear of what `decide` raised. Nothing was answered: the task will time out and return.

        By default it is logged, so that better code can go on with the execution.
        """
        _log.error("no decision for %s: %s", task.execution.workflow_id, error, exc_info=error)

    def poll(self, task_list: str = "", *, news_only: bool | None = None) -> DecisionTask | None:
        """Wait for a task, for as long as the service holds the poll; read all of its history.

        Args:
            task_list: Another task list than the decider's own.
            news_only: As the decider's own, for this poll.
        """
        request = {**self._where(), "maximumPageSize": _PAGE}
        if task_list:
            request["taskList"] = {"name": task_list}
        if self.news_only if news_only is None else news_only:
            request["startAtPreviousStartedEvent"] = True
        answer = self.api.call("PollForDecisionTask", **request)
        if not answer.get("taskToken"):
            return None
        wires = list(answer["events"])
        token = answer.get("nextPageToken")
        while token:
            more = self.api.call("PollForDecisionTask", **request, nextPageToken=token)
            wires += more["events"]
            token = more.get("nextPageToken")
        return DecisionTask(
            token=answer["taskToken"],
            execution=read(answer["workflowExecution"]),
            type=read(answer["workflowType"]),
            started=answer["startedEventId"],
            previous=answer.get("previousStartedEventId") or 0,
            events=[parse(wire) for wire in wires],
        )

    def answer(
        self,
        task: DecisionTask,
        decisions: Iterable[Decision],
        *,
        context: str | None = None,
        next_list: str = "",
        next_seconds: float | None = None,
    ) -> None:
        """Send decisions.

        Args:
            task: What they answer.
            decisions: What is to be done, in order.
            context: A text that the description of the execution shows.
            next_list: Where its next decision tasks go, in the place of its own task list.
            next_seconds: After how many seconds they go to its own again if nobody takes one.

        Raises:
            Invalid: They are too many or too long, or a closing one is not the last.
            DoesNotExist: The task timed out, its execution ended, or an earlier attempt to send
                was heard after all.
        """
        wires = checked(list(decisions))
        self.api.call(
            "RespondDecisionTaskCompleted",
            taskToken=task.token,
            decisions=wires,
            executionContext=context,
            taskList={"name": next_list} if next_list else None,
            taskListScheduleToStartTimeout=seconds(next_seconds),
        )

    def step(self) -> bool:
        """Poll once, decide and answer; give whether there was a task."""
        task = self.poll()
        if task is not None:
            self.handle(task)
        return task is not None

    def handle(self, task: DecisionTask) -> bool:
        """Decide and answer; give whether the answer was taken."""
        try:
            decisions = list(self.decide(task))
            checked(decisions)
        except Exception as error:  # noqa: BLE001 - what is raised there is the decider's business
            self.failed(task, error)
            return False
        try:
            self.answer(task, decisions, **self.next_list())
        except DoesNotExist as error:
            _log.warning("too late for %s: %s", task.execution.workflow_id, error)
            return False
        return True

    def next_list(self) -> dict[str, Any]:
        """Give `next_list` and `next_seconds` of `answer`; by default they are left as they are."""
        return {}


class ActivityWorker(Actor):
    """Runs activities; `perform` is to be written.

    Args:
        domain: Where.
        task_list: Name of the task list.
        identity: What histories say of it.
        heartbeat: Seconds between two signs of life while an activity runs, a third of its
            heartbeat time-out, say; None: none. Cancellation is heard of by them only.
    """

    def __init__(
        self,
        domain: Domain,
        task_list: str,
        *,
        identity: str | None = None,
        heartbeat: float | None = None,
    ) -> None:
        super().__init__(domain, task_list, identity=identity)
        self.heartbeat = heartbeat

    @abstractmethod
    def perform(self, task: ActivityTask) -> str | None:
        """Do what is asked and give the result, a text of at most 32,768 characters.

        Raises:
            TaskCancelled: It was given up, as ``task.cancel_requested`` asked.
            Exception: The attempt failed.
        """

    def poll(self) -> ActivityTask | None:
        """Wait for a task, for as long as the service holds the poll."""
        return self.given(self.api.call("PollForActivityTask", **self._where()))

    @staticmethod
    def given(answer: Data) -> ActivityTask | None:
        """Give the task that the answer to a poll has; None if it has none."""
        if not answer.get("taskToken"):
            return None
        return ActivityTask(
            token=answer["taskToken"],
            id=answer["activityId"],
            type=read(answer["activityType"]),
            execution=read(answer["workflowExecution"]),
            started=answer["startedEventId"],
            input=answer.get("input"),
        )

    def beat(self, task: ActivityTask, details: str | None = None) -> bool:
        """Give a sign of life; give whether the task was asked to be given up.

        Details beyond 2,048 characters are cut.
        """
        cut = None if details is None else shortened(details, 2048)
        try:
            answer = self.api.call("RecordActivityTaskHeartbeat", taskToken=task.token, details=cut)
        except DoesNotExist:
            task.gone.set()
            return False
        if answer["cancelRequested"]:
            task.cancel_requested.set()
        return bool(answer["cancelRequested"])

    def complete(self, task: ActivityTask, result: str | None = None) -> None:
        """Say that it is done.

        Raises:
            Invalid: The result is no text, or too long.
            DoesNotExist: The service no longer waits for it.
        """
        self.api.call("RespondActivityTaskCompleted", taskToken=task.token, result=result)

    def fail(self, task: ActivityTask, reason: str, details: str = "") -> None:
        """Say that it failed; what is too long is cut, with a mark."""
        self.api.call(
            "RespondActivityTaskFailed",
            taskToken=task.token,
            reason=shortened(reason, REASON),
            details=shortened(details, DETAILS),
        )

    def cancel(self, task: ActivityTask, details: str = "") -> None:
        """Say that it was given up."""
        cut = shortened(details, DETAILS)
        self.api.call("RespondActivityTaskCanceled", taskToken=task.token, details=cut)

    def step(self) -> bool:
        """Poll once, perform and answer; give whether there was a task."""
        task = self.poll()
        if task is None:
            return False
        answer = self._performed(task)
        try:
            persisting(answer)
        except DoesNotExist as error:
            _log.warning("nobody waits for %s any longer: %s", task.id, error)
        return True

    def _performed(self, task: ActivityTask) -> Callable[[], None]:
        """Perform a task, giving signs of life; give what is to be said of it."""
        over = threading.Event()
        beating = self._beating(task, over)
        try:
            return self.outcome(task)
        finally:
            over.set()
            if beating is not None:
                beating.join()

    def outcome(self, task: ActivityTask) -> Callable[[], None]:
        """Perform a task; give what says to the service how it ended, and can be called again."""
        try:
            result = self.perform(task)
        except TaskCancelled as given_up:
            details = str(given_up)
            return lambda: self.cancel(task, details)
        except Exception as error:  # noqa: BLE001 - whatever an activity raises is its failure
            reason, details = told(error)
            return lambda: self.fail(task, reason, details)
        return self._completion(task, result)

    def _completion(self, task: ActivityTask, result: object) -> Callable[[], None]:
        """Give what completes a task; a result that cannot be sent fails it at once."""
        if result is None or isinstance(result, str):
            if result is None or len(result) <= DETAILS:
                return lambda: self.complete(task, result)
            reason = f"the result has {len(result)} characters, SWF takes {DETAILS}"
        else:
            reason = f"the result is no text, but a {type(result).__name__}"
        return lambda: self.fail(task, f"Invalid: {reason}")

    def _beating(
        self, task: ActivityTask, over: threading.Event, every: float | None = None
    ) -> threading.Thread | None:
        """Give signs of life from a thread of its own until `over`."""
        pause = self.heartbeat if every is None else every
        if pause is None:
            return None

        def beats() -> None:
            while not over.wait(pause) and not task.gone.is_set():
                try:
                    self.beat(task)
                except SwfError as error:
                    # The next one may come through; the service says when it is too late.
                    _log.warning("no sign of life for %s: %s", task.id, error)

        thread = threading.Thread(target=beats, name=f"heartbeat of {task.id}", daemon=True)
        thread.start()
        return thread


def persisting(do: Callable[[], T]) -> T:
    """Do something, and again after a while where the service cannot be reached.

    Raises:
        SwfError: It cannot be reached for long, or refuses.
    """
    wait: Any = threading.Event().wait
    for pause in _WAITS:
        try:
            return do()
        except (Throttled, Unreachable) as error:
            _log.warning("once more in %s s: %s", pause, error)
            wait(pause)
    return do()
