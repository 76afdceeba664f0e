"""Workflows and activities of nbflow on SWF: how they are started, decided, run and read.

::

    execution = start_workflow(domain, revenue, (["eu", "us"],))
    WorkflowDecider(domain, "default", [revenue]).run()
    WorkflowWorker(domain, "default", [fetch, convert]).run()
    run_events(execution)                   # the events of the run: for Graph.of, Profile.of
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from nbflow.core.capture import Captured, capture
from nbflow.core.definition import Definition, definition
from nbflow.core.events import (
    Event,
    RunStarted,
)
from nbflow.core.payload import pack
from nbflow.services.swf.blobs import Blobs
from nbflow.services.swf.codec.family import TAGS
from nbflow.services.swf.codec.reading import Reader
from nbflow.services.swf.codec.texts import Texts
from nbflow.services.swf.domains import Domain
from nbflow.services.swf.executions import WorkflowExecution
from nbflow.services.swf.kinds import WorkflowType
from nbflow.services.swf.sealing import KeySeal
from nbflow.services.swf.shipping import shipped, words
from nbflow.store.ids import new_id

EXECUTION_SECONDS: Final = 86_400.0
DECISION_SECONDS: Final = 60.0
"""Seconds that a decision may take: if a decider is lost, another one is asked after that."""


def defined(workflow: Any) -> Definition:
    """Give what is to be known of a workflow."""
    return workflow.definition if isinstance(workflow, Captured) else definition(workflow)


def start_workflow(  # noqa: PLR0913 - one a setting of SWF
    domain: Domain,
    workflow: Any,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    workflow_id: str | None = None,
    task_list: str | None = None,
    tags: tuple[str, ...] = (),
    execution_timeout: float = EXECUTION_SECONDS,
    decision_timeout: float = DECISION_SECONDS,
    blobs: Blobs | None = None,
    ship: bool = False,
    lambda_role: str | None = None,
) -> WorkflowExecution:
    """Start a workflow on SWF. Its type is registered if that was not done yet.

    Args:
        domain: Where.
        workflow: What `nbflow.workflow` made, or a `nbflow.Workflow` class; or one that was
            frozen by `nbflow.core.capture`, which is shipped.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        workflow_id: By default a new one with the workflow's name in it.
        task_list: Where deciders look for it; by default the workflow's own.
        tags: Words that it is found by, in the place of the workflow's own; SWF gets five of them.
        execution_timeout: Seconds that it may take.
        decision_timeout: Seconds that a decision may take.
        blobs: Where texts go that are too long for SWF.
        ship: Whether its code goes with it, see `nbflow.services.swf.shipping`: for deciders and
            workers that are started by `nbflow.services.swf.crew`, and know no workflows.
        lambda_role: The role in which Lambda functions are called, see docs/swf.md.

    Raises:
        TypeError: The workflow does not take these arguments.
        Invalid: It has an option that means nothing on SWF.
        Unserialisable: An argument cannot be stored.
        Refused: SWF says no; `AlreadyExists` if that workflow id is open.

    Example:
        ``start_workflow(domain, revenue, (["eu"],), {"rate": 1.1})``
    """
    frozen = workflow if isinstance(workflow, Captured) else capture(workflow) if ship else None
    known, named = defined(frozen or workflow), dict(kwargs or {})
    known.check(tuple(args), named)
    run = workflow_id or new_id(known.name)
    tags = tags or known.settings.tags
    event = RunStarted(
        seq=1,
        at=0.0,
        workflow=known.name,
        args=tuple(pack(a, f"argument {n} of {known.name}") for n, a in enumerate(args)),
        kwargs={k: pack(v, f"argument {k} of {known.name}") for k, v in named.items()},
        on="swf",
        seed=run,
        tags=tags,
    )
    if frozen is not None:
        event = shipped(event, frozen)
    kind = WorkflowType(api=domain.api, domain=domain, name=known.name, version=known.version)
    if not kind.exists:
        kind.save()
    return kind.start(
        run,
        tags=tags[:TAGS],
        input=Texts(run, blobs, KeySeal()).write(words() if frozen else "run", event),
        task_list=task_list or known.task_list,
        execution_timeout=execution_timeout,
        decision_timeout=decision_timeout,
        child_policy="TERMINATE",
        lambda_role=lambda_role,
    )


def run_events(execution: WorkflowExecution, *, blobs: Blobs | None = None) -> list[Event]:
    """Give the events of a run so far, as a log of nbflow has them.

    Args:
        execution: Open or closed.
        blobs: Where texts are that were too long for SWF.

    Raises:
        HistoryBroken: It was not started by `start_workflow`.

    Example:
        ``Graph.of(run_events(execution))``
    """
    reader = Reader(Texts(execution.workflow_id, blobs, KeySeal()))
    reader.feed(execution.events())
    return reader.all()
