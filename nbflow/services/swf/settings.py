"""What ``.on("swf", ...)`` takes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Final, Self

from nbflow.core.errors import DefinitionError
from nbflow.services.swf.blobs import Bucket, Directory
from nbflow.services.swf.crew import LOST_AFTER
from nbflow.services.swf.flows import DECISION_SECONDS, EXECUTION_SECONDS

SIMULATED: Final = "nbflow"
"""The domain of an emulator, unless another one is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a run on SWF is started.

    Attributes:
        domain: Where; it has to be there, but for an emulator's, which is made.
        simulate: Whether an emulator stands in for the service: a process on this machine, for as
            long as this one lives.
        processes: How many worker processes are started, and ended with the run; 0: none, and no
            decider either, since others are at work in `task_list`.
        max_workers: The same, by the name that executors have for it.
        deciders: How many processes decide.
        task_list: Where deciders and workers look for the run; by default a list of its own.
        workflow_id: What the execution is called; by default a new name.
        region: See `nbflow.services.swf.connect`, as the next two.
        profile: A profile of the shared configuration of AWS.
        endpoint_url: Where the service is, if not at AWS's own address.
        blobs: A directory, ``s3://bucket/prefix``, `Directory` or `Bucket`: where code and values
            go that are too long for SWF; by default a directory beside the store.
        execution_timeout: Seconds that the run may take.
        decision_timeout: Seconds that a decision may take.
        lost_after: Seconds without a sign of life after which a worker is taken for lost, and its
            activity is run by another one.
        middleware: Functions around each attempt, by their dotted names, which workers import:
            ``{"before": ["package.module.function"], "after": [...]}``.
    """

    NAMES: ClassVar[tuple[str, ...]]

    domain: str = ""
    simulate: bool = False
    processes: int = 2
    max_workers: int | None = None
    deciders: int = 1
    task_list: str | None = None
    workflow_id: str = ""
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None
    blobs: Any = ""
    execution_timeout: float = EXECUTION_SECONDS
    decision_timeout: float = DECISION_SECONDS
    lost_after: float = LOST_AFTER
    middleware: Any = None

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Make them of what somebody wrote.

        Raises:
            DefinitionError: Something makes no sense.
        """
        wanted = dict(given)
        workers = wanted.pop("max_workers", None)
        if workers is not None:
            wanted.setdefault("processes", workers)
        wanted["middleware"] = _names(wanted.get("middleware"))
        wanted["blobs"] = _place(wanted.get("blobs") or "")
        simulated = wanted.get("simulate", False)
        wanted["domain"] = wanted.get("domain") or (SIMULATED if simulated else "")
        made = cls(**wanted)
        made._check()
        return made

    def _check(self) -> None:
        said = ""
        if not self.domain:
            said = "name a domain, as in domain='analytics', or try it out with simulate=True"
        elif self.simulate and self.endpoint_url:
            said = "simulate=True starts an emulator of its own: leave endpoint_url out"
        elif not _count(self.processes, 0) or not _count(self.deciders, 1):
            said = "processes is a number from 0 on, and deciders one from 1 on"
        elif not self.processes and self.simulate:
            said = "with simulate=True nobody else is at work: processes must be 1 or more"
        elif self.processes and not hasattr(os, "fork"):
            said = "this system starts no such processes: processes=0 leaves that to others"
        elif not all(_seconds(getattr(self, name)) for name in _SECONDS):
            said = f"{', '.join(_SECONDS)} are numbers of seconds above 0"
        if said:
            raise DefinitionError(f"on='swf': {said}")

    def noted(self) -> dict[str, Any]:
        """Give what later processes need to reach the service."""
        found = {k: v for k, v in asdict(self).items() if k not in {"workflow_id", "max_workers"}}
        usual = {f.name: f.default for f in fields(self)}
        return {name: value for name, value in found.items() if value != usual[name]}


_SECONDS: Final = ("execution_timeout", "decision_timeout", "lost_after")
Options.NAMES = tuple(f.name for f in fields(Options))


def _place(blobs: Any) -> str:
    match blobs:
        case Directory():
            return str(blobs.path.absolute())
        case Bucket():
            return f"s3://{blobs.name}/{blobs.prefix}"
        case str() if blobs.startswith("s3://") or not blobs:
            return blobs
    try:
        return str(Directory(blobs).path.absolute())
    except (TypeError, OSError) as error:
        message = f"blobs is a directory, 's3://bucket/prefix' or a store, not {blobs!r:.60}"
        raise DefinitionError(f"on='swf': {message}: {error}") from None


_AROUND: Final = ("before", "after")


def _all_text(lists: Iterable[Any]) -> bool:
    return all(isinstance(name, str) for names in lists for name in names)


def _names(middleware: Any) -> dict[str, list[str]] | None:
    """Read what is around each attempt: names alone, since other processes call it."""
    if not middleware:
        return None
    wanted = middleware if isinstance(middleware, dict) else {"": middleware}
    whole: dict[str, Any] = {"before": [], "after": [], **wanted}
    found = {k: [v] if isinstance(v, str) else v for k, v in whole.items()}
    lists = all(isinstance(v, list | tuple) for v in found.values())
    if len(found) > len(_AROUND) or not lists or not _all_text(found.values()):
        raise DefinitionError(
            "on='swf': middleware is {'before': [...], 'after': [...]} of dotted names, since "
            f"other processes import the functions, not {middleware!r:.60}"
        )
    found = {name: list(names) for name, names in found.items()}
    return found if any(found.values()) else None


def _count(value: object, least: int) -> bool:
    return type(value) is int and value >= least


def _seconds(value: object) -> bool:
    return isinstance(value, int | float) and value is not True and value > 0
