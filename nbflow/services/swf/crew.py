"""What drives runs from processes of its own: which deciders and workers there are, and their code.

They know no workflow beforehand: the first event of a run has its code (see
`nbflow.services.swf.shipping`). A worker here has its process for itself, so an activity that was
cancelled, or that nobody waits for any longer, is ended with the process, and another one takes
its place.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final, NoReturn, Self

from nbflow.core.definition import Definition
from nbflow.core.errors import NbflowError, WorkerDied
from nbflow.core.events import CallFailed
from nbflow.core.failure import Failure
from nbflow.engine.around import Middlewares
from nbflow.services.swf.api import Api
from nbflow.services.swf.blobs import Blobs, Bucket, Directory
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.connection import connect
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.errors import Invalid, SwfError, Throttled, Unreachable
from nbflow.services.swf.events import HistoryEvent, parse
from nbflow.services.swf.flowdecider import WorkflowDecider
from nbflow.services.swf.flows import defined
from nbflow.services.swf.flowworker import Around, WorkflowWorker, fitting
from nbflow.services.swf.meanwhile import left, place_of, remove
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.shipping import Code, code_of, imported
from nbflow.services.swf.tasks import ActivityTask, DecisionTask
from nbflow.services.swf.wire import ExecutionName, TypeName

LOST_AFTER: Final = 30.0
"""Seconds without a sign of life after which a worker is taken for lost, unless said otherwise."""
SOON: Final = 2.0
"""Seconds after which another decider is asked, if the one that knows an execution is gone."""
_BEATS: Final = 3
_KEPT: Final = 100
_BUCKET: Final = "s3://"

Tell = Callable[[dict[str, Any]], None]
"""Tells the supervisor something."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """Which deciders and workers there are to be. It travels as JSON, and holds no credentials.

    Attributes:
        domain: Name of the domain.
        task_list: Where the deciders look for decision tasks.
        activity_task_list: Where the workers look for activities.
        deciders: How many processes decide.
        workers: How many processes run activities, one at a time each.
        region: See `nbflow.services.swf.connect`, as the next two.
        profile: A profile of the shared configuration of AWS.
        endpoint_url: Where the service is, if not at AWS's own address.
        blobs: A directory, or ``s3://bucket/prefix``: where texts are that are too long for SWF,
            code among them; "" for nowhere. It is the one store that is trusted.
        lost_after: Seconds after which a worker that gives no sign of life is taken for lost.
        names: Workflows that may be imported, as ``module:name``.
        private: Whether the task lists are of these processes alone, so that a poll may be let go
            when they end.
        path: Where modules are imported from, before everything else.
        grace: Seconds that activities under way get to end when they are asked to.
        before: Functions that are called before each attempt, by their dotted names.
        after: Functions that are called after each attempt, likewise.
        aloud: The directory where those who look on from this machine find what activities say
            while they run; "" for none.
    """

    domain: str
    task_list: str
    activity_task_list: str
    deciders: int = 1
    workers: int = 2
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    blobs: str = ""
    lost_after: float = LOST_AFTER
    names: tuple[str, ...] = ()
    private: bool = False
    path: tuple[str, ...] = field(default=(), repr=False)
    grace: float = 70.0
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    aloud: str = ""

    def write(self) -> str:
        """Give it as a line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Self:
        """Read what `write` wrote."""
        made: dict[str, Any] = json.loads(text)
        for name in ("names", "path", "before", "after"):
            made[name] = tuple(made.get(name, ()))
        return cls(**made)

    def store(self) -> Blobs | None:
        """Give the store of what is too long for SWF."""
        return store_of(self.blobs, self.region, self.profile)

    def api(self) -> Api:
        """Connect."""
        return Api(
            connect(region=self.region, profile=self.profile, endpoint_url=self.endpoint_url)
        )


def store_of(where: str, region: str | None = None, profile: str | None = None) -> Blobs | None:
    """Give the store that a text names: a directory or ``s3://bucket/prefix``.

    Args:
        where: The text; "" for none.
        region: Of a bucket, see `Bucket`.
        profile: For a bucket, see `Bucket`.

    Raises:
        Invalid: It names no bucket.
    """
    if not where:
        return None
    if not where.startswith(_BUCKET):
        return Directory(where)
    bucket, _, prefix = where.removeprefix(_BUCKET).partition("/")
    if not bucket:
        raise Invalid(f"{where!r} names no bucket: write s3://bucket/prefix")
    inside = f"{prefix.rstrip('/')}/" if prefix else "nbflow/"
    return Bucket(bucket, inside, region=region, profile=profile)


class Codes:
    """The code of runs, from their first events; of the latest ones it is kept.

    Args:
        domain: Where the runs are.
        blobs: Where texts are that are too long for SWF.
        names: Workflows that may be imported.
    """

    def __init__(self, domain: Domain, blobs: Blobs | None, names: tuple[str, ...]) -> None:
        self._domain, self._blobs, self._names = domain, blobs, names
        self._kept: OrderedDict[str, Code | None] = OrderedDict()
        self._lock = threading.RLock()
        self._own: dict[TypeName, Definition] = {}
        for name in names:
            found = defined(imported(name))
            self._own[TypeName(found.name, found.version)] = found

    def of(self, execution: ExecutionName) -> Code | None:
        """Give the code that an execution was started with; that of its parent, if it has none.

        Raises:
            NbflowError: It cannot be had here; the message says why.
        """
        run = execution.run_id
        with self._lock:
            if run not in self._kept:
                self._kept[run] = self._read(execution)
                while len(self._kept) > _KEPT:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(run)
            return self._kept[run]

    def workflow(self, execution: ExecutionName, kind: TypeName) -> Definition | None:
        """Give the workflow of a type, as an execution's code has it, else as it was named here."""
        code = self.of(execution)
        if code is None:
            return self._own.get(kind)
        top = code.definition
        return top if (top.name, top.version) == kind else code.workflows.get(kind)

    def _read(self, execution: ExecutionName) -> Code | None:
        first = self._first(execution)
        texts = Texts(execution.workflow_id, self._blobs, KeySeal())
        note = texts.read(first.input)
        code = code_of(note, self._names) if note is not None and note.events else None
        parent = first.parent_workflow_execution
        return self.of(parent) if code is None and parent else code

    def _first(self, execution: ExecutionName) -> HistoryEvent:
        answer = self._domain.api.call(
            "GetWorkflowExecutionHistory",
            domain=self._domain.name,
            execution={"workflowId": execution.workflow_id, "runId": execution.run_id},
            maximumPageSize=1,
        )
        return parse(answer["events"][0])


class CrewDecider(WorkflowDecider):
    """Decides each run by the code that it was started with.

    Args:
        crew: What it is one of.
        tell: Tells the supervisor of trouble, and that there is none any more.

    Attributes:
        busy: Set while a decision is made.
    """

    def __init__(self, crew: Crew, tell: Tell, api: Api | None = None) -> None:
        domain = Domain(api=api or crew.api(), name=crew.domain)
        super().__init__(
            domain,
            crew.task_list,
            (),
            activity_task_list=crew.activity_task_list,
            blobs=crew.store(),
            lost_after=crew.lost_after,
        )
        self._codes = Codes(domain, crew.store(), crew.names)
        self._tell, self._private = tell, crew.private
        self.busy = threading.Event()

    def definition(self, task: DecisionTask) -> Definition:
        """See `WorkflowDecider.definition`."""
        found = self._codes.workflow(task.execution, task.type)
        if found is not None and self._private:
            # A program may name task lists that only workers of this run could look at.
            alone = getattr(found.cls, "__alone__", None)
            found = found if alone is None else alone()
        return super().definition(task) if found is None else found

    def next_list(self) -> dict[str, Any]:
        """See `Decider.next_list`: one that died has a successor here, so it is soon asked."""
        found = super().next_list()
        return {**found, "next_seconds": SOON} if "next_seconds" in found else found

    def failed(self, task: DecisionTask, error: Exception) -> None:
        """See `Decider.failed`."""
        super().failed(task, error)
        said = f"{type(error).__name__}: {error}"
        self._tell({"run": task.execution.workflow_id, "trouble": said})

    def handle(self, task: DecisionTask) -> bool:
        """See `Decider.handle`."""
        self.busy.set()
        try:
            taken = super().handle(task)
        finally:
            self.busy.clear()
        if taken:
            self._tell({"run": task.execution.workflow_id, "trouble": ""})
        return taken


class CrewWorker(WorkflowWorker):
    """Runs activities of any run, each by the code that its run was started with.

    Args:
        crew: What it is one of.
        tell: Tells the supervisor what is under way.

    Attributes:
        busy: Set while an activity runs.
    """

    def __init__(self, crew: Crew, tell: Tell, api: Api | None = None) -> None:
        domain = Domain(api=api or crew.api(), name=crew.domain)
        super().__init__(
            domain,
            crew.activity_task_list,
            (),
            blobs=crew.store(),
            heartbeat=crew.lost_after / _BEATS,
            around=_around(crew),
            aloud=crew.aloud,
        )
        self._codes = Codes(domain, crew.store(), crew.names)
        self._tell = tell
        self.busy = threading.Event()
        self._code: Code | None = None
        self._trouble: Exception | None = None

    def outcome(self, task: ActivityTask) -> Callable[[], None]:
        """See `ActivityWorker.outcome`."""
        self.busy.set()
        name, token = task.execution.workflow_id, task.token
        self._code = self._trouble = None
        try:
            self._code = self._codes.of(task.execution)
        except (Throttled, Unreachable):
            raise  # it may well be had the next time: the activity is given out again
        except NbflowError as error:
            self._trouble = error
        run_id = task.execution.run_id
        self._tell({"run": name, "busy": {"token": token, "id": task.id, "run_id": run_id}})
        return super().outcome(task)

    def _activity(self, kind: TypeName) -> Any:
        if self._trouble is not None:
            raise self._trouble
        if self._code is None:
            return super()._activity(kind)
        found = self._code.activities.get(kind)
        if found is None:
            # One that the code makes itself has a name that only its library can tell anything by.
            known = getattr(self._code.definition.cls, "__activity_named__", None)
            found = None if known is None else known(kind.name)
        if found is None:
            there = ", ".join(" ".join(each) for each in sorted(self._code.activities)) or "none"
            raise Invalid(
                f"the code of the run reaches no activity {' '.join(kind)} by its name, only "
                f"{there}: have the workflow's code, or a list or dict that it reads, name it"
            )
        return found

    def step(self) -> bool:
        """See `ActivityWorker.step`."""
        try:
            return super().step()
        finally:
            self.busy.clear()
            self._tell({"idle": True})

    def beat(self, task: ActivityTask, details: str | None = None) -> bool:
        """Give a sign of life; end the process if the activity is to be given up."""
        asked = super().beat(task, details)
        if task.gone.is_set():
            self._end()
        if asked:
            with contextlib.suppress(SwfError):
                self.cancel(task, "its process was ended")
            self._end()
        return asked

    def _end(self) -> NoReturn:
        """End this process, and what the activity has started in its group."""
        self._tell({"idle": True})
        os.killpg(0, signal.SIGKILL)
        os._exit(1)  # the group is that of this process, so this is not reached


def _around(crew: Crew) -> Around | None:
    """Give what puts functions around each attempt; None if there are none.

    Raises:
        DefinitionError: One of them cannot be imported.
    """
    if not (crew.before or crew.after):
        return None
    return Middlewares.of({"before": list(crew.before), "after": list(crew.after)}).around


def answer_for_the_dead(api: Api, crew: Crew, busy: dict[str, Any], run: str, how: str) -> None:
    """Say of an activity that its worker's process has ended under it.

    Raises:
        SwfError: The service cannot be had, or no longer waits for it.
    """
    task, token = str(busy["id"]), str(busy["token"])
    died = WorkerDied(f"the process of {task} ended while it ran: {how}")
    # Which call and attempt it was, whoever reads it knows by the history.
    failed = CallFailed(0, 0.0, task, 1, Failure.of(died))
    run_id = str(busy.get("run_id", ""))
    wrote = left(crew.aloud, run_id, task) if crew.aloud else []
    text = fitting(Texts(run, crew.store(), KeySeal()), f"error 1 {task}", failed, wrote)
    api.call(
        "RespondActivityTaskFailed",
        taskToken=token,
        reason=f"WorkerDied: {how}"[:256],
        details=text,
    )
    if crew.aloud:
        remove(place_of(crew.aloud, run_id, task))
