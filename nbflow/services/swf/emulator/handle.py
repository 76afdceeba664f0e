"""An emulator that runs: how it is started, ended and asked for what the service does not do."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from http import HTTPStatus
from typing import Any, Final

from nbflow.core.errors import NbflowError
from nbflow.services.loopback import ask, in_process, in_thread
from nbflow.services.simulation import Emulator
from nbflow.services.swf.connection import connect
from nbflow.services.swf.emulator.limits import Limits
from nbflow.services.swf.emulator.recording import HELD
from nbflow.services.swf.emulator.server import CONTROL, TARGET, Server
from nbflow.services.swf.shapes import Data


class Endpoint:
    """An emulator that runs somewhere on this machine.

    Attributes:
        url: Its address, for ``endpoint_url`` or ``AWS_ENDPOINT_URL``.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def __str__(self) -> str:
        """Give the address, so that it can stand where one is wanted."""
        return self.url

    def client(self, **options: Any) -> Any:
        """Make a boto3 client for it; `options` are those of `nbflow.services.swf.connect`."""
        return connect(endpoint_url=self.url, **options)

    def advance(self, seconds: float) -> None:
        """Let so many seconds have passed: what was due by then has happened when this returns."""
        self._ask("Advance", seconds=seconds)

    def now(self) -> float:
        """Give its time in seconds since the epoch."""
        return float(self._ask("Clock")["now"])

    def stats(self) -> Data:
        """Give what it counted so far.

        ``requests`` by operation, ``recorded`` events by type, and ``eventsServed``, the number
        of events in all answers.
        """
        return self._ask("Stats")

    def inject(self, kind: str, operation: str = "", **how: float) -> None:
        """Have something go wrong, see `nbflow.services.injection.Injection`.

        Raises:
            NbflowError: There is no such kind or operation.
        """
        self._ask("Inject", kind=kind, operation=operation, **how)

    def refuse(self, decision: str, cause: str, times: int = 1) -> None:
        """Have the next decisions of a type fail with a cause.

        Example:
            ``endpoint.refuse("ScheduleActivityTask", "ACTIVITY_CREATION_RATE_EXCEEDED")``

        Raises:
            NbflowError: There is no such decision, or it never fails like that.
        """
        self._ask("Refuse", decision=decision, cause=cause, times=times)

    def calm(self) -> None:
        """Take back what is still to go wrong."""
        self._ask("Calm")

    def function(self, name: str, **answer: Any) -> None:
        """Say what a Lambda function does: ``result=``, ``reason=`` and ``details=``, or
        ``hangs=True`` or ``echo=True``, which gives its input back.
        """  # noqa: D205 - the list is one sentence
        self._ask("Function", name=name, **answer)

    def _ask(self, name: str, /, **given: Any) -> Data:
        status, said = ask(self.url, "/", {TARGET: CONTROL + name}, given)
        if status != HTTPStatus.OK:
            raise NbflowError(f"the emulator refused {name}: {said.get('message')}")
        return said


@contextmanager
def running(
    *,
    process: bool = False,
    frozen: bool = False,
    limits: Limits | None = None,
    seed: str = "",
    port: int = 0,
) -> Iterator[Endpoint]:
    """Run an emulator for as long as the block takes.

    Args:
        process: In a process of its own, which ends with this one, rather than in a thread.
        frozen: Time passes only by `Endpoint.advance`.
        limits: Its quotas.
        seed: See `nbflow.services.swf.emulator.Machine`.
        port: By default one that is free.

    Example:
        >>> with running() as endpoint:
        ...     endpoint.client().list_domains(registrationStatus="REGISTERED")["domainInfos"]
        []
    """
    limits = limits or Limits()
    if process:
        with in_process([*_command(limits, frozen=frozen, seed=seed), "--port", str(port)]) as url:
            yield Endpoint(url)
        return
    server = Server(limits, seed=seed, frozen=frozen)
    with in_thread(server, port, "nbflow-swf-emulator") as url:
        yield Endpoint(url)


def _command(limits: Limits, *, frozen: bool, seed: str) -> list[str]:
    usual = asdict(Limits())
    changed = [f for f in fields(limits) if getattr(limits, f.name) != usual[f.name]]
    given = [text for f in changed for text in ("--limit", f"{f.name}={getattr(limits, f.name)}")]
    command = [sys.executable, "-m", "nbflow.services.swf.emulator", "--until-eof"]
    return [*command, *given, *(["--frozen"] if frozen else []), "--seed", seed]


EMULATOR: Final = Emulator(
    "SWF", "nbflow.services.swf.emulator", ("--record", "record"), Endpoint, held=HELD
)
"""How `nbflow.services.simulation` starts and reaches one."""
