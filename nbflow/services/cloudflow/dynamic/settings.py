"""How runs on CloudFlow are asked for: ``.on("cloudflow", region=..., processes=4)``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from nbflow.core.errors import DefinitionError
from nbflow.engine.around import Middlewares
from nbflow.services.cloudflow.client.checks import name as checked_name
from nbflow.services.cloudflow.dynamic.names import NAMESPACE

_LONGEST: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What ``.on("cloudflow")`` takes.

    Attributes:
        region: Such as ``cn-hangzhou``; by default ALIBABA_CLOUD_REGION_ID.
        endpoint: Where the service is, if not at the region's own address.
        mns: The account's address at Message Service: ``https://1234.mns.cn-hangzhou...``.
        namespace: What the names of the flows begin with.
        role: The role by which the flows send messages, as ``acs:ram::1234:role/nbflow``.
        simulate: Start an emulator on this machine, and run there.
        processes: How many worker processes this machine has for a run; 0 leaves deciding and
            working to others, see ``queue``.
        max_workers: The same, by its name on other places.
        queue: Name of the queue that workers share; that of orchestrators has ``-runs`` behind
            it. By default each run has two of its own; those of Message Service have to be there,
            and so to be named.
        values: Where large values are: a directory, or ``s3://bucket/prefix``, ``oss://...``.
        reports: Reports a second that the service takes of the whole account; 0: any number.
        pace: Seconds between two looks at how things stand.
        lost_after: Seconds without a sign of life after which work is handed to somebody else.
        run_name: What the run is called; by default a name is made.
        middleware: Functions around each attempt, by their dotted names, which other processes
            import: ``{"before": ["package.module.function"], "after": [...]}``.
    """

    NAMES: ClassVar[tuple[str, ...]] = ()

    region: str | None = None
    endpoint: str | None = None
    mns: str | None = None
    namespace: str = NAMESPACE
    role: str | None = None
    simulate: bool = False
    processes: int = 2
    max_workers: int | None = None
    queue: str | None = None
    values: str = ""
    reports: float | None = None
    pace: float | None = None
    lost_after: float = 30.0
    run_name: str | None = None
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
        values = os.fspath(wanted.get("values") or "")
        wanted["values"] = values if "://" in values or not values else _whole(values)
        wanted["middleware"] = _around(wanted.get("middleware"))
        made = cls(**wanted)
        made._check()
        return made

    def _check(self) -> None:
        said = _named(self.namespace, "namespace") or _named(self.queue, "queue")
        if said:
            pass
        elif self.simulate and (self.endpoint or self.mns):
            said = "simulate=True starts an emulator of its own: leave endpoint and mns out"
        elif type(self.processes) is not int or self.processes < 0:
            said = "processes is a number from 0 on"
        elif not self.processes and self.simulate:
            said = "with simulate=True nobody else is at work: processes must be 1 or more"
        elif not _number(self.lost_after) or self.lost_after < 1:
            said = "lost_after is a number of seconds from 1 on"
        elif not all(_number(value) for value in (self.reports, self.pace)):
            said = "reports and pace are numbers from 0 on"
        if said:
            raise DefinitionError(f"on='cloudflow': {said}")

    def check_start(self) -> None:
        """See that runs can be started so, and not only looked at.

        Raises:
            DefinitionError: Nobody would drive them.
        """
        if not self.processes and not (self.queue and self.values):
            raise DefinitionError(
                "on='cloudflow': processes=0 leaves a run to others: name the queue= that they "
                "work for, and the values= that they share"
            )
        if self.mns and not self.queue:
            raise DefinitionError(
                "on='cloudflow': queues of Message Service have to be there before a run: create "
                "two, such as work and work-runs, and name them by queue='work'"
            )
        if self.processes and not (self.simulate or self.mns or self.endpoint):
            raise DefinitionError(
                "on='cloudflow': workers take messages of a queue: give the account's address at "
                "Message Service, as mns='https://1234.mns.cn-hangzhou.aliyuncs.com', or try it "
                "out with simulate=True"
            )

    def noted(self) -> dict[str, Any]:
        """Give what later processes need to reach the service."""
        own = {"run_name", "max_workers", "middleware"}  # of a run, not of where it is
        found = {k: v for k, v in asdict(self).items() if k not in own}
        usual = {f.name: f.default for f in fields(self)}
        return {name: value for name, value in found.items() if value != usual[name]}


Options.NAMES = tuple(f.name for f in fields(Options))


def _whole(values: str) -> str:
    return str(Path(values).expanduser().absolute())


def _around(middleware: Any) -> dict[str, tuple[str, ...]] | None:
    """Read what is around each attempt, and see that it can be imported.

    Raises:
        DefinitionError: It cannot, or is given otherwise than by names.
    """
    if not middleware:
        return None
    found = dict(middleware) if isinstance(middleware, Mapping) else {"": middleware}
    lists = {k: (v,) if isinstance(v, str) else v for k, v in found.items()}
    named = all(
        isinstance(names, list | tuple) and all(isinstance(name, str) for name in names)
        for names in lists.values()
    )
    if not named or not set(lists) <= {"before", "after"}:
        raise DefinitionError(
            "on='cloudflow': middleware is {'before': [...], 'after': [...]} of dotted names, "
            f"since other processes import the functions, not {type(middleware).__name__}"
        )
    Middlewares.of(lists)
    return {k: tuple(names) for k, names in lists.items()}


def _named(name: str | None, what: str) -> str:
    if name is None:
        return ""
    try:
        checked_name(name)
    except ValueError as error:
        return f"{what}: {error}"
    return "" if len(name) <= _LONGEST else f"{what} may have {_LONGEST} characters: {name!r:.60}"


def _number(value: object) -> bool:
    return value is None or (
        isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
    )
